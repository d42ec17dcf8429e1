//! The directory as sessions and administration use it.

use std::{path::Path, sync::Arc};

use super::*;
use crate::access::TooManyConnections;
use crate::{
    event::{EventKind, Level},
    id::{LibraryId, UserId},
};

const PEOPLE: &str = r#"
    [limits]
    connections_per_user = 2
    [[users]]
    id = "bob"
    token = "bob-1"
    libraries = { films = "read" }
    [[users]]
    id = "ann"
    token = "ann-1"
    admin = true
    [[users]]
    id = "off"
    token = "off-1"
    disabled = true
    [[tokens]]
    token = "bob-2"
    user = "bob"
    [[tokens]]
    token = "bob-publishes"
    user = "bob"
    publish = true
    [[tokens]]
    token = "scanner"
    publish = { libraries = ["films"] }
    [[tokens]]
    token = "reader"
    read = "read"
    [[tokens]]
    token = "ended"
    publish = true
    expires = "2020-01-01T00:00:00Z"
"#;

fn settings(text: &str) -> crate::config::Settings {
    crate::config::Settings::parse(text).expect("valid settings")
}

impl Directory {
    /// For other modules' tests: the people of a settings text, kept nowhere.
    pub(crate) fn of_people(text: &str) -> Self {
        let (directory, run_token) = Self::open(&settings(text), PrincipalStore::in_memory()).expect("opens");
        assert!(directory.authenticate(run_token.expose()).is_ok());
        directory
    }
}

fn open(text: &str) -> Directory {
    Directory::of_people(text)
}

fn open_in(text: &str, data_dir: &Path) -> Directory {
    Directory::open(&settings(text), PrincipalStore::in_directory(data_dir)).expect("opens").0
}

fn user(id: &str) -> UserId {
    UserId::parse(id).expect("id")
}

fn library(id: &str) -> LibraryId {
    LibraryId::parse(id).expect("id")
}

#[test]
fn tokens_stand_for_their_users_and_keys() {
    let directory = open(PEOPLE);
    let who = |token: &str| directory.authenticate(token).map(|known| known.principal);
    let bob = who("bob-1").expect("known");
    assert_eq!(bob.user, Some(user("bob")));
    assert!(bob.member && !bob.admin && bob.has(&library("films"), Level::Read) && !bob.has(&library("music"), Level::Read));
    assert!(who("ann-1").expect("known").has(&library("music"), Level::Admin));
    let scanner = who("scanner").expect("known");
    assert!(!scanner.member && !scanner.has(&library("films"), Level::Read), "a token that publishes reads nothing");
    assert!(scanner.publish.allows(EventKind::Medias, Some(&library("films"))));
    let reader = who("reader").expect("known");
    assert!(
        reader.member && reader.user.is_none() && reader.has(&library("any"), Level::Read) && !reader.has(&library("any"), Level::Write)
    );
    assert_eq!(who("off-1"), Err(Denied::Disabled));
    assert_eq!(who("ended"), Err(Denied::Expired));
    assert_eq!(who("nonsense"), Err(Denied::Unknown));
    assert_eq!(who(""), Err(Denied::Unknown));
}

#[test]
fn tokens_of_equal_rights_share_one_principal() {
    let directory = open(PEOPLE);
    let who = |token: &str| directory.authenticate(token).expect("known").principal;
    assert!(Arc::ptr_eq(&who("bob-1"), &who("bob-1")));
    assert!(Arc::ptr_eq(&who("bob-1"), &who("bob-2")));
    assert!(!Arc::ptr_eq(&who("bob-1"), &who("bob-publishes")));
    directory.put_principal(&user("bob"), PrincipalChange { admin: Some(true), ..PrincipalChange::default() }).expect("kept");
    assert!(Arc::ptr_eq(&who("bob-1"), &who("bob-2")));
    assert!(who("bob-publishes").admin, "a change reaches every token of the user");
}

#[test]
fn a_session_that_asks_again_sees_a_change_between() {
    let directory = open(PEOPLE);
    let session = directory.authenticate("bob-1").expect("known");
    let bystander = directory.authenticate("ann-1").expect("known");
    assert_eq!(session.epoch, directory.epoch());
    assert!(Arc::ptr_eq(&session.principal, &directory.current(&session.credential).expect("still")));

    let music = LibraryRights::Named([(library("music"), Level::Write)].into());
    let change = PrincipalChange { libraries: Some(music), ..PrincipalChange::default() };
    let changed = directory.put_principal(&user("bob"), change.clone()).expect("kept");
    assert_eq!(changed, RightsChanged { user: user("bob"), epoch: session.epoch + 1, known_before: true });
    let now = directory.current(&session.credential).expect("still known");
    assert!(now.has(&library("music"), Level::Write) && !now.has(&library("films"), Level::Read));
    assert!(Arc::ptr_eq(&bystander.principal, &directory.current(&bystander.credential).expect("still")), "others keep theirs");

    directory.put_principal(&user("bob"), change).expect("kept");
    assert!(Arc::ptr_eq(&now, &directory.current(&session.credential).expect("still")), "no change of rights keeps the principal");
    directory.put_principal(&user("bob"), PrincipalChange { disabled: Some(true), ..PrincipalChange::default() }).expect("kept");
    assert_eq!(directory.current(&session.credential), None);
    assert_eq!(directory.authenticate("bob-publishes").map(|_| ()), Err(Denied::Disabled));
    assert_eq!(directory.epoch(), session.epoch + 3);
}

#[test]
fn changes_win_over_the_settings_after_a_restart() {
    let folder = tempfile::tempdir().expect("folder");
    let directory = open_in(PEOPLE, folder.path());
    let all = PrincipalChange { admin: Some(true), libraries: Some(LibraryRights::Every(Level::Write)), ..PrincipalChange::default() };
    directory.put_principal(&user("bob"), all).expect("kept");
    directory.put_principal(&user("off"), PrincipalChange { disabled: Some(false), ..PrincipalChange::default() }).expect("kept");
    directory.delete_principal(&user("ann")).expect("kept");
    let made = directory.put_principal(&user("new"), PrincipalChange::default()).expect("kept");
    assert!(!made.known_before);

    let again = open_in(PEOPLE, folder.path());
    let bob = again.authenticate("bob-1").expect("known").principal;
    assert!(bob.admin && bob.libraries == LibraryRights::Every(Level::Write));
    assert!(again.authenticate("off-1").is_ok());
    assert_eq!(again.authenticate("ann-1").map(|_| ()), Err(Denied::Disabled));
    let new = UserRights { admin: false, libraries: LibraryRights::default(), disabled: false };
    assert_eq!(again.rights(&user("new")), Some(new));
    assert_eq!(again.rights(&user("nobody")), None);
    assert_eq!(again.changed_users(), [user("ann"), user("bob"), user("off")]);
}

#[test]
fn a_user_given_back_to_the_settings_is_no_longer_changed() {
    let directory = open(PEOPLE);
    let changed = |who: &str| directory.report(&user(who)).map(|report| report.changed);
    assert_eq!((changed("bob"), changed("nobody")), (Some(false), None));
    directory.delete_principal(&user("bob")).expect("kept");
    assert_eq!((changed("bob"), changed("ann")), (Some(true), Some(false)));
    directory.put_principal(&user("bob"), PrincipalChange::default()).expect("kept");
    assert_eq!(changed("bob"), Some(false));
    assert_eq!(directory.changed_users(), []);
}

#[test]
fn a_deleted_user_is_refused_until_put_again_and_begins_from_the_settings() {
    let directory = open(PEOPLE);
    directory.put_principal(&user("bob"), PrincipalChange { admin: Some(true), ..PrincipalChange::default() }).expect("kept");
    directory.delete_principal(&user("bob")).expect("kept");
    assert_eq!(directory.authenticate("bob-1").map(|_| ()), Err(Denied::Disabled));
    assert!(directory.rights(&user("bob")).expect("named").disabled);
    directory.put_principal(&user("bob"), PrincipalChange::default()).expect("kept");
    let bob = directory.authenticate("bob-1").expect("back").principal;
    assert!(!bob.admin, "what was changed before the deletion is gone");
    assert!(bob.has(&library("films"), Level::Read));
}

#[test]
fn revoked_tokens_stay_refused_and_later_ones_work() {
    let folder = tempfile::tempdir().expect("folder");
    let directory = open_in(PEOPLE, folder.path());
    let session = directory.authenticate("bob-2").expect("known");
    directory.put_principal(&user("bob"), PrincipalChange { revoke_tokens: true, ..PrincipalChange::default() }).expect("kept");
    assert_eq!(directory.current(&session.credential), None);
    directory.delete_principal(&user("bob")).expect("kept");
    directory.put_principal(&user("bob"), PrincipalChange::default()).expect("kept");
    let with_new_token = format!("{PEOPLE}\n[[tokens]]\ntoken = \"bob-3\"\nuser = \"bob\"\n");
    for directory in [directory, open_in(&with_new_token, folder.path())] {
        for token in ["bob-1", "bob-2", "bob-publishes"] {
            assert_eq!(directory.authenticate(token).map(|_| ()), Err(Denied::Unknown), "{token}");
        }
        assert!(directory.authenticate("ann-1").is_ok());
    }
    assert!(open_in(&with_new_token, folder.path()).authenticate("bob-3").is_ok());
    let moved = "[[users]]\nid = \"eve\"\ntoken = \"bob-1\"";
    assert!(open_in(moved, folder.path()).authenticate("bob-1").is_err(), "a revoked token given to another stays revoked");
    let kept = std::fs::read_to_string(folder.path().join("principals.json")).expect("kept");
    assert!(!kept.contains("bob-1"), "{kept}");
}

#[test]
fn a_change_that_cannot_be_kept_does_not_happen() {
    let folder = tempfile::tempdir().expect("folder");
    let in_the_way = folder.path().join("file");
    std::fs::write(&in_the_way, "").expect("written");
    let directory = open(PEOPLE);
    let session = directory.authenticate("bob-1").expect("known");
    drop(directory);
    let blocked = folder.path().join("data");
    let directory = open_in(PEOPLE, &blocked);
    std::fs::write(&blocked, "a file where the directory should be").expect("written");
    assert!(directory.delete_principal(&user("bob")).is_err());
    assert_eq!(directory.epoch(), session.epoch);
    assert!(directory.authenticate("bob-1").is_ok());
}

#[test]
fn a_damaged_file_stops_the_start() {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("principals.json"), "{\"version\":1,").expect("written");
    let error = Directory::open(&settings(PEOPLE), PrincipalStore::in_directory(folder.path())).expect_err("damaged");
    assert!(error.to_string().contains("principals.json: is damaged (line 1, column "), "{error}");
}

#[test]
fn without_users_and_tokens_one_token_is_made_for_the_run() {
    let (directory, run_token) = Directory::open(&settings(""), PrincipalStore::in_memory()).expect("opens");
    let known = directory.authenticate(run_token.expose()).expect("known");
    assert!(known.principal.admin && known.principal.member && known.user().is_none());
    for kind in EventKind::ALL {
        let expected = !matches!(kind, EventKind::Presence | EventKind::Request | EventKind::Stats);
        assert_eq!(known.principal.publish.allows(*kind, None), expected, "{kind}");
    }
    assert!(!format!("{directory:?} {run_token:?} {known:?}").contains(run_token.expose()));
}

#[test]
fn a_user_nobody_configured_is_a_guest() {
    let mut settings = settings(PEOPLE);
    settings.tokens[0].user = Some(user("stranger"));
    let (directory, _) = Directory::open(&settings, PrincipalStore::in_memory()).expect("opens");
    let guest = directory.authenticate("bob-2").expect("a good token").principal;
    assert_eq!(guest.user, Some(user("stranger")));
    assert!(!guest.member && !guest.admin && !guest.has(&library("films"), Level::Read));
    directory.put_principal(&user("stranger"), PrincipalChange::default()).expect("kept");
    assert!(directory.authenticate("bob-2").expect("known").principal.member, "a change makes a user of a guest");
}

#[test]
fn a_users_connections_are_limited_whatever_the_token() {
    let directory = open(PEOPLE);
    let admit = |token: &str| directory.admit(directory.authenticate(token).expect("known").user(), None);
    let (first, second) = (admit("bob-1").expect("first"), admit("bob-2").expect("second"));
    assert!(first.came_online && !second.came_online);
    assert_eq!(admit("bob-publishes").expect_err("third"), TooManyConnections::OfUser { limit: 2 });
    assert_eq!(directory.connections_of(&user("bob")), 2);
    drop(second);
    assert!(first.guard.leave());
}

#[test]
fn a_directory_is_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Directory>();
    shared::<ConnectionGuard>();
}
