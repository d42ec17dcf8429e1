//! Log-ins that go on by refresh tokens: what each token opens, what it survives, and what ends it.

use std::{path::Path, time::Instant};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, phc},
};

use super::*;
use crate::access::{Asked, Authenticated, PrincipalChange};

/// Users with a hash that costs next to nothing.
fn settings(password: &str, more: &str) -> Settings {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).expect("allowed"));
    let hash: phc::PasswordHash = argon2.hash_password_with_salt(password.as_bytes(), b"saltsalt").expect("made");
    let hash = hash.to_string();
    let text = format!(
        "{more}\n[[users]]\nid = \"bob\"\nname = \"Bob B\"\nlibraries = \"read\"\npassword_hash = \"{hash}\"\n\
         [[users]]\nid = \"ann\"\npassword_hash = \"{hash}\"\n[[users]]\nid = \"off\"\ndisabled = true\npassword_hash = \"{hash}\"\n"
    );
    Settings::parse(&text).expect("valid settings")
}

fn open(folder: &Path, settings: &Settings) -> Directory {
    Directory::open(settings, PrincipalStore::in_directory(folder)).expect("opens").0
}

fn in_memory(more: &str) -> Directory {
    Directory::open(&settings("pw", more), PrincipalStore::in_memory()).expect("opens").0
}

fn log_in(directory: &Directory, name: &str) -> Paired {
    directory.log_in_for_pair(name, &Secret::new("pw".to_owned())).expect("logged in")
}

fn shows(directory: &Directory, token: &Secret) -> Result<Authenticated, Denied> {
    directory.authenticate_by(token.expose(), Asked::Callback)
}

fn who(directory: &Directory, token: &Secret) -> Result<String, Denied> {
    shows(directory, token).map(|found| found.user().expect("a user").as_str().to_owned())
}

fn renew(directory: &Directory, paired: &Paired) -> Result<Paired, String> {
    directory.renew(&paired.pair.refresh).map_err(|error| error.to_string())
}

fn bob() -> UserId {
    UserId::parse("bob").expect("an id")
}

#[test]
fn a_log_in_gives_tokens_that_open_and_one_that_only_makes_the_next_pair() {
    let directory = in_memory("");
    let first = log_in(&directory, "bob b");
    assert_eq!((first.name.as_str(), first.caller.principal.user.as_ref()), ("Bob B", Some(&bob())));
    assert_eq!((who(&directory, &first.pair.access), who(&directory, &first.pair.lasting)), (Ok("bob".into()), Ok("bob".into())));
    assert_eq!(who(&directory, &first.pair.refresh), Err(Denied::Unknown), "it opens nothing");
    let second = renew(&directory, &first).expect("renewed");
    for token in [&first.pair.access, &first.pair.lasting, &second.pair.access, &second.pair.lasting] {
        assert_eq!(who(&directory, token), Ok("bob".into()));
    }
    assert!(renew(&directory, &second).is_ok());
    for no in [&second.pair.access, &second.pair.lasting, &Secret::new("x".to_owned())] {
        assert!(matches!(directory.renew(no), Err(NotRenewed::Unknown)), "only a refresh token makes a pair");
    }
}

#[test]
fn nobody_else_logs_in() {
    let directory = in_memory("");
    for (name, password) in [("bob", "wrong"), ("bob", ""), ("nobody", "pw"), ("off", "pw"), ("", "")] {
        let refused = directory.log_in_for_pair(name, &Secret::new(password.to_owned()));
        assert!(matches!(refused, Err(NotLoggedIn::Refused)), "{name} {password}");
    }
}

#[test]
fn a_refresh_token_that_is_shown_again_ends_all_tokens_of_its_log_in_and_no_other() {
    let directory = in_memory("");
    let (first, other) = (log_in(&directory, "bob"), log_in(&directory, "bob"));
    let open = shows(&directory, &first.pair.access).expect("known").credential;
    let second = renew(&directory, &first).expect("renewed");
    let at_once = renew(&directory, &first).expect("another page of the same browser");
    let third = renew(&directory, &at_once).expect("as good as the second");
    assert!(matches!(directory.renew(&first.pair.refresh), Err(NotRenewed::Used(user)) if user == bob()));
    assert_eq!(who(&directory, &third.pair.access), Err(Denied::Unknown));
    for token in [&first.pair.access, &first.pair.lasting, &second.pair.access, &second.pair.lasting] {
        assert_eq!(who(&directory, token), Err(Denied::Unknown));
    }
    assert_eq!(directory.current(&open), None, "whoever came in by it goes");
    assert!(renew(&directory, &second).is_err(), "nor does the good one count any more");
    assert!(who(&directory, &other.pair.access).is_ok() && renew(&directory, &other).is_ok());
}

#[test]
fn a_log_out_ends_the_log_in_by_whichever_of_its_tokens() {
    let directory = in_memory("");
    for token in [0, 1, 2, 3] {
        let paired = log_in(&directory, "bob");
        let pair = &paired.pair;
        let open = shows(&directory, &pair.lasting).expect("known").credential;
        let ended = match token {
            0 => directory.end_log_in(&pair.access),
            1 => directory.end_log_in(&pair.refresh),
            2 => directory.log_out(&open),
            _ => directory.log_out(&shows(&directory, &pair.access).expect("known").credential),
        };
        assert_eq!(ended, Some(bob()), "{token}");
        assert_eq!(directory.current(&open), None, "{token}");
        assert_eq!((who(&directory, &pair.access), renew(&directory, &paired).is_ok()), (Err(Denied::Unknown), false), "{token}");
        assert_eq!(directory.end_log_in(&pair.refresh), None, "it has ended before");
    }
}

#[test]
fn log_ins_survive_a_restart_and_neither_another_password_nor_the_loss_of_the_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = open(folder.path(), &settings("pw", ""));
    let before = log_in(&first, "bob");
    let used = renew(&first, &before).expect("renewed");
    let second = open(folder.path(), &settings("pw", ""));
    assert_eq!(who(&second, &used.pair.access), Ok("bob".into()));
    let next = renew(&second, &used).expect("renewed after a restart");
    let kept = std::fs::read_to_string(folder.path().join("log-ins.json")).expect("kept");
    assert!(!kept.contains("eyJ") && !kept.contains("argon2"), "{kept}");
    assert!(who(&open(folder.path(), &settings("other", "")), &next.pair.lasting).is_err(), "with another password");
    assert!(matches!(second.renew(&before.pair.refresh), Err(NotRenewed::Used(_))), "what was used before the restart is known");
    assert!(who(&open(folder.path(), &settings("pw", "")), &next.pair.access).is_err(), "that it has ended is kept");
    let again = log_in(&second, "bob");
    std::fs::remove_file(folder.path().join("signing-key.json")).expect("there");
    let without = open(folder.path(), &settings("pw", ""));
    assert!(who(&without, &again.pair.access).is_err());
    log_in(&without, "bob");
    assert!(who(&without, &again.pair.access).is_err());
}

#[test]
fn a_revocation_a_deletion_and_a_disabled_user_end_what_was_open_and_later_log_ins_count() {
    let directory = in_memory("");
    let change = |change| directory.put_principal(&bob(), change).expect("kept");
    let first = log_in(&directory, "bob");
    let open = shows(&directory, &first.pair.access).expect("known").credential;
    change(PrincipalChange { revoke_tokens: true, ..PrincipalChange::default() });
    assert!(directory.current(&open).is_none() && who(&directory, &first.pair.lasting).is_err() && renew(&directory, &first).is_err());
    let second = log_in(&directory, "bob");
    assert!(who(&directory, &second.pair.access).is_ok(), "in the same millisecond, too");
    change(PrincipalChange { disabled: Some(true), ..PrincipalChange::default() });
    assert_eq!((who(&directory, &second.pair.access), renew(&directory, &second).is_ok()), (Err(Denied::Disabled), false));
    change(PrincipalChange { disabled: Some(false), ..PrincipalChange::default() });
    let second = renew(&directory, &second).expect("what he had while he was shut out still counts");
    let open = shows(&directory, &second.pair.access).expect("known").credential;
    directory.delete_principal(&bob()).expect("kept");
    change(PrincipalChange::default());
    assert!(directory.current(&open).is_none() && who(&directory, &second.pair.access).is_err(), "he must log in again");
    assert!(who(&directory, &log_in(&directory, "bob").pair.access).is_ok());
}

#[test]
fn rights_are_those_of_the_moment_for_whoever_is_in_already() {
    let directory = in_memory("");
    let paired = log_in(&directory, "bob");
    let open = shows(&directory, &paired.pair.access).expect("known").credential;
    directory.put_principal(&bob(), PrincipalChange { admin: Some(true), ..PrincipalChange::default() }).expect("kept");
    assert!(directory.current(&open).expect("still").admin);
    let again = shows(&directory, &paired.pair.access).expect("known");
    assert!(again.credential == open, "one credential for all who show the token");
}

#[test]
fn tokens_end_when_they_say_so() {
    let directory = in_memory("dialects.audiobookshelf.access_expires = \"1s\"\ndialects.audiobookshelf.refresh_expires = \"1s\"");
    let paired = log_in(&directory, "bob");
    let credential = shows(&directory, &paired.pair.access).expect("known").credential;
    let ends = credential.expires().expect("it does");
    assert!((0..=2_000).contains(&(ends.0 - Timestamp::now().0)), "{ends:?}");
    let deadline = Instant::now() + Duration::from_secs(15);
    while directory.current(&credential).is_some() {
        assert!(Instant::now() < deadline, "it never ends");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    assert_eq!(who(&directory, &paired.pair.access), Err(Denied::Expired));
    assert_eq!(renew(&directory, &paired).map(drop), Err("the refresh token has expired".to_owned()));
}

#[test]
fn beyond_sixty_four_log_ins_of_a_user_the_one_not_refreshed_for_longest_ends() {
    let directory = in_memory("");
    let ann = log_in(&directory, "ann");
    let first = log_in(&directory, "bob");
    let second = log_in(&directory, "bob");
    let others: Vec<Paired> = (2..64).map(|_| log_in(&directory, "bob")).collect();
    // Made in one millisecond they are as old as each other, so only this is sure: one of the oldest goes.
    assert!(others.iter().all(|other| !other.ended_another));
    assert!(log_in(&directory, "bob").ended_another);
    let n_left = [&first, &second].into_iter().chain(&others).filter(|paired| who(&directory, &paired.pair.access).is_ok()).count();
    assert_eq!(n_left, 63);
    assert!(who(&directory, &ann.pair.access).is_ok());
}

#[test]
fn our_tokens_are_ours_alone_to_judge_whoever_else_could_be_asked() {
    let key = "0123456789abcdef0123456789abcdef";
    let jwt = format!("jwt.keys = [{{ algorithm = \"HS256\", secret = \"{key}\" }}]\nauth.callback = \"http://127.0.0.1:1/\"");
    let real = "dialects.audiobookshelf.server = \"http://127.0.0.1:1\"\nauth.callback = \"http://127.0.0.1:1/\"";
    let of_another = log_in(&in_memory(""), "bob");
    for more in [jwt.as_str(), real, ""] {
        let directory = in_memory(more);
        let own = log_in(&directory, "bob");
        for asked in [Asked::Callback, Asked::AudiobookshelfServer, Asked::MediaBrowserServer] {
            let shown = |token: &Secret| directory.authenticate_by(token.expose(), asked).map(drop);
            assert_eq!(shown(&own.pair.access), Ok(()), "{more}");
            // `Ask` would mean that somebody else is shown it.
            assert_eq!(shown(&own.pair.refresh), Err(Denied::Unknown), "{more}");
            assert_eq!(shown(&of_another.pair.access), Err(Denied::Unknown), "{more}");
        }
    }
}
