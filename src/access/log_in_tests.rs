//! Log-ins as protocols use them: what a token is bound to, what it survives and what ends it.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, phc},
};

use super::*;
use crate::access::{Asked, Denied, PrincipalChange, PrincipalStore};

/// A hash that costs next to nothing.
fn cheap(password: &str) -> String {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).expect("allowed"));
    let hash: phc::PasswordHash = argon2.hash_password_with_salt(password.as_bytes(), b"saltsalt").expect("made");
    hash.to_string()
}

fn people(bobs_password: &str) -> String {
    let (bob, ann) = (cheap(bobs_password), cheap("ann's"));
    format!(
        "[[users]]\nid = \"bob\"\nname = \"Bob B\"\nlibraries = \"read\"\npassword_hash = \"{bob}\"\n\
         [[users]]\nid = \"ann\"\nname = \"Ann\"\npassword_hash = \"{ann}\"\n\
         [[users]]\nid = \"ann2\"\nname = \"ann\"\npassword_hash = \"{ann}\"\n\
         [[users]]\nid = \"off\"\ndisabled = true\npassword_hash = \"{ann}\"\n\
         [[users]]\nid = \"none\"\n"
    )
}

fn open(folder: &std::path::Path, people: &str) -> Directory {
    let settings = Settings::parse(people).expect("valid settings");
    Directory::open(&settings, PrincipalStore::in_directory(folder)).expect("opens").0
}

fn device(id: &str) -> Device {
    Device { client: "Player".to_owned(), id: id.to_owned(), name: "TV".to_owned(), version: "1".to_owned() }
}

fn log_in(directory: &Directory, name: &str, password: &str, on: &str) -> Option<LoggedIn> {
    match directory.log_in(name, &Secret::new(password.to_owned()), device(on)) {
        Ok(logged_in) => Some(logged_in),
        Err(NotLoggedIn::Refused) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Whose token it is, and on which device.
fn who(directory: &Directory, logged_in: &LoggedIn) -> Option<(String, String)> {
    let shown = directory.authenticate_by(logged_in.token.expose(), Asked::Callback).ok()?.into_caller();
    Some((shown.principal.user.as_ref()?.as_str().to_owned(), shown.device?.id.clone()))
}

fn bobs(on: &str) -> Option<(String, String)> {
    Some(("bob".to_owned(), on.to_owned()))
}

fn bob() -> UserId {
    UserId::parse("bob").expect("an id")
}

#[test]
fn a_name_and_its_password_give_a_token_of_the_device_that_a_restart_does_not_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = open(folder.path(), &people("bob's"));
    let logged_in = log_in(&directory, "bob", "bob's", "tv").expect("logged in");
    assert_eq!((logged_in.name.as_str(), logged_in.ended_another), ("Bob B", false));
    assert_eq!(logged_in.caller.device.as_deref(), Some(&device("tv")));
    assert!(logged_in.caller.principal.member);
    let by_name = log_in(&directory, "bob b", "bob's", "phone").expect("the name people read, in any case");
    for directory in [&directory, &open(folder.path(), &people("bob's"))] {
        assert_eq!(who(directory, &logged_in), bobs("tv"));
        assert_eq!(who(directory, &by_name), bobs("phone"));
    }
    let kept = std::fs::read_to_string(folder.path().join("issued-tokens.json")).expect("kept");
    assert!(!kept.contains(logged_in.token.expose()) && !kept.contains("argon2"), "{kept}");
}

#[test]
fn nobody_else_logs_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = open(folder.path(), &people("bob's"));
    for (name, password) in [
        ("bob", ""),
        ("bob", "Bob's"),
        ("bob", "ann's"),
        ("nobody", "bob's"),
        ("", "bob's"),
        ("none", ""),
        ("none", "bob's"),
        ("off", "ann's"),
        ("BOB", "bob's"), // ids are exact
    ] {
        assert!(log_in(&directory, name, password, "tv").is_none(), "{name} {password}");
    }
    assert!(log_in(&directory, "ann", "ann's", "tv").is_some(), "an id before a name");
    assert!(log_in(&directory, "ANN", "ann's", "tv").is_none(), "a name that two have is nobody's");
    assert!(log_in(&directory, "bob", "bob's", "").is_none(), "no device");
    assert!(log_in(&directory, "bob", "bob's", &"x".repeat(MAX_DEVICE_TEXT + 1)).is_none());
    assert!(log_in(&directory, "bob", &"x".repeat(MAX_PASSWORD + 1), "tv").is_none());
}

#[test]
fn a_device_has_one_token_of_a_user_and_a_user_so_many_devices() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = open(folder.path(), &people("bob's"));
    let first = log_in(&directory, "bob", "bob's", "tv").expect("logged in");
    let anns = log_in(&directory, "ann", "ann's", "tv").expect("logged in");
    let second = log_in(&directory, "bob", "bob's", "tv").expect("logged in");
    assert!(second.ended_another);
    assert_eq!((who(&directory, &first), who(&directory, &second)), (None, bobs("tv")));
    assert!(first.caller.credential.is_some_and(|credential| directory.current(&credential).is_none()), "open sessions end too");
    assert!(who(&directory, &anns).is_some(), "another user's on the same device");
    let others: Vec<_> = (0..64).map(|number| log_in(&directory, "bob", "bob's", &format!("d{number}")).expect("logged in")).collect();
    assert_eq!(who(&directory, &second), None, "the one not used for longest went");
    assert_eq!(others.iter().filter(|other| who(&directory, other).is_some()).count(), 64);
    assert!(who(&directory, &anns).is_some());
}

#[test]
fn logging_out_ends_this_token_for_good_and_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = open(folder.path(), &people("bob's"));
    let (tv, phone) = (log_in(&directory, "bob", "bob's", "tv").expect("in"), log_in(&directory, "bob", "bob's", "phone").expect("in"));
    let credential = tv.caller.credential.clone().expect("his");
    assert_eq!(directory.log_out(&credential), Some(bob()));
    assert_eq!(directory.log_out(&credential), None, "once is enough");
    assert!(directory.current(&credential).is_none());
    for directory in [&directory, &open(folder.path(), &people("bob's"))] {
        assert_eq!((who(directory, &tv), who(directory, &phone)), (None, bobs("phone")));
    }
    let (directory, run_token) = Directory::open(&Settings::parse("").expect("valid"), PrincipalStore::in_memory()).expect("opens");
    let other = directory.authenticate(run_token.expose()).expect("good").credential;
    assert_eq!(directory.log_out(&other), None, "no other kind of token is ended by it");
    assert!(directory.authenticate(run_token.expose()).is_ok());
}

#[test]
fn a_revocation_a_deletion_or_another_password_end_what_was_issued_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = open(folder.path(), &people("bob's"));
    let first = log_in(&directory, "bob", "bob's", "tv").expect("logged in");
    directory.put_principal(&bob(), PrincipalChange { revoke_tokens: true, ..PrincipalChange::default() }).expect("kept");
    let second = log_in(&directory, "bob", "bob's", "tv").expect("he may log in again at once");
    for directory in [&directory, &open(folder.path(), &people("bob's"))] {
        assert_eq!((who(directory, &first), who(directory, &second)), (None, bobs("tv")));
    }
    let disabled = |disabled| PrincipalChange { disabled: Some(disabled), ..PrincipalChange::default() };
    directory.put_principal(&bob(), disabled(true)).expect("kept");
    assert_eq!(directory.authenticate(second.token.expose()).map(drop), Err(Denied::Disabled));
    assert!(log_in(&directory, "bob", "bob's", "phone").is_none());
    directory.put_principal(&bob(), disabled(false)).expect("kept");
    assert_eq!(who(&directory, &second), bobs("tv"));
    directory.delete_principal(&bob()).expect("kept");
    directory.put_principal(&bob(), PrincipalChange::default()).expect("kept");
    for directory in [&directory, &open(folder.path(), &people("bob's"))] {
        assert_eq!(who(directory, &second), None, "a user who comes back logs in again");
    }
    let third = log_in(&directory, "bob", "bob's", "tv").expect("logged in");
    assert_eq!(who(&open(folder.path(), &people("another")), &third), None);
    assert_eq!(who(&open(folder.path(), &people("bob's")), &third), bobs("tv"), "nothing is forgotten before something is kept");
    assert_eq!(who(&open(folder.path(), ""), &third), None);
}

#[test]
fn a_token_that_cannot_be_kept_is_not_given_and_a_damaged_file_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = open(folder.path(), &people("bob's"));
    let first = log_in(&directory, "bob", "bob's", "tv").expect("logged in");
    std::fs::create_dir(folder.path().join("issued-tokens.json.new")).expect("in the way");
    let refused = directory.log_in("bob", &Secret::new("bob's".to_owned()), device("tv"));
    assert!(matches!(refused, Err(NotLoggedIn::Store(_))));
    assert_eq!(who(&directory, &first), bobs("tv"), "the earlier one still counts");
    let path = folder.path().join("issued-tokens.json");
    for damaged in ["", "{\"version\":2,\"tokens\":[]}", "{\"version\":1,\"tokens\":[{}]}"] {
        std::fs::write(&path, damaged).expect("written");
        let settings = Settings::parse(&people("bob's")).expect("valid");
        let error = Directory::open(&settings, PrincipalStore::in_directory(folder.path())).expect_err("damaged").to_string();
        assert!(error.starts_with(&format!("{}: is damaged (", path.display())), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("there"), damaged);
    }
}
