//! What an edit adds, and that it leaves the rest alone.

use std::fs;

use super::*;
use crate::{event::Level, id::LibraryId};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn environment() -> BTreeMap<String, String> {
    // A value that would be refused shows that variables have no say in what is in the file.
    [("HOME", "/home/of/nobody"), ("FANFARE_ENGINE__SHARDS", "5000")].map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn user(id: &str) -> Option<UserId> {
    Some(UserId::parse(id).expect("an id"))
}

fn read(libraries: &[(&str, Level)]) -> Option<LibraryRights> {
    let levels = libraries.iter().map(|(id, level)| (LibraryId::parse(id).expect("an id"), *level));
    Some(LibraryRights::Named(levels.collect()))
}

/// The text after an edit, with the hash of `token` as `HASH`.
fn edit(text: &str, grant: &Grant) -> Result<(String, Added), String> {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("fanfare.toml");
    if !text.is_empty() {
        fs::write(&path, text).expect("written");
    }
    let hash = TokenHash::of("canary");
    match add_token(&path, grant, hash, &environment()) {
        Ok(added) => Ok((fs::read_to_string(&path).expect("text").replace(&hash.to_hex(), "HASH"), added)),
        Err(error) => {
            assert_eq!(fs::read_to_string(&path).unwrap_or_default(), text, "a refused edit changes nothing");
            Err(error.to_string().replace(&path.display().to_string(), "FILE"))
        }
    }
}

#[test]
fn a_new_user_is_added_to_a_file_that_is_not_there() {
    let grant = Grant { user: user("bob"), read: read(&[("films", Level::Read), ("my music", Level::Admin)]), ..Grant::default() };
    let expected = "[[users]]\nid = \"bob\"\nlibraries = { films = \"read\", \"my music\" = \"admin\" }\ntoken_sha256 = \"HASH\"\n";
    assert_eq!(edit("", &grant), Ok((expected.to_owned(), Added::User)));
}

#[test]
fn a_new_user_whose_token_ends_or_publishes_gets_it_as_an_entry_of_its_own() {
    let grant = Grant { user: user("bob"), name: Some("Bob".into()), admin: true, publish: true, expires: Some(NOW), ..Grant::default() };
    let expected = "[[users]]\nid = \"bob\"\nname = \"Bob\"\nadmin = true\n\n[[tokens]]\nuser = \"bob\"\npublish = true\n\
                    expires = \"2027-01-15T08:00:00Z\"\ntoken_sha256 = \"HASH\"\n";
    assert_eq!(edit("", &grant), Ok((expected.to_owned(), Added::User)));
}

#[test]
fn comments_order_and_blanks_stay_as_they_are() {
    let text = "# mine\n\n[[tokens]]   # first\ntoken   = \"a\" # keep\npublish=true\n\n\n# who\n[[users]]\nid = 'bob'\n\n[engine] # last\nworkers = 1\n# the end\n";
    let (after, added) = edit(text, &Grant { user: user("bob"), publish: true, ..Grant::default() }).expect("added");
    assert_eq!(added, Added::TokenOfUser);
    let entry = "\n[[tokens]]\nuser = \"bob\"\npublish = true\ntoken_sha256 = \"HASH\"\n";
    assert_eq!(after.replacen(entry, "", 1), text, "nothing but the entry is new");
    let (after, _) = edit(text, &Grant { publish: true, name: Some("the scanner".into()), ..Grant::default() }).expect("added");
    assert!(after.contains("\n# the scanner\n[[tokens]]\npublish = true\n"), "{after}");
    let (after, _) = edit("# only a comment\n", &Grant { admin: true, ..Grant::default() }).expect("added");
    assert_eq!(after, "# only a comment\n\n[[tokens]]\nadmin = true\ntoken_sha256 = \"HASH\"\n");
}

#[test]
fn lists_written_in_one_line_stay_in_one_line() {
    let text = "users = [{ id = \"bob\" }]\n";
    let (after, _) = edit(text, &Grant { user: user("eve"), ..Grant::default() }).expect("added");
    assert_eq!(after, "users = [{ id = \"bob\" }, { id = \"eve\", token_sha256 = \"HASH\" }]\n");
}

#[test]
fn what_makes_no_sense_is_refused_and_a_broken_file_is_left_alone() {
    let key = Grant { publish: true, ..Grant::default() };
    let bob = "[[users]]\nid = \"bob\"\n";
    for (text, grant, expected) in [
        ("", Grant::default(), "a token without --user is an API key, and needs --read, --publish or --admin to be of any use"),
        (
            bob,
            Grant { user: user("bob"), admin: true, ..Grant::default() },
            "--read, --admin and --name are for a new user: bob is in the file",
        ),
        ("", Grant { name: Some("a\nb".into()), ..key.clone() }, "--name must not be empty or contain control characters"),
        ("[server]\nlisen = 1", key.clone(), "FILE: server.lisen: unknown key"),
        ("[server\n", key.clone(), "FILE: line 1: "),
    ] {
        let refused = edit(text, &grant).expect_err(expected);
        assert!(refused.starts_with(expected) && refused.lines().count() == 1, "{refused}");
    }
    let folder = tempfile::tempdir().expect("folder");
    let refused = add_token(folder.path(), &key, TokenHash::of("x"), &environment()).expect_err("a folder").to_string();
    assert!(refused.ends_with("is a directory, a settings file is expected"), "{refused}");
    let below_a_file = Path::new("/dev/null/fanfare.toml");
    let refused = add_token(below_a_file, &key, TokenHash::of("x"), &environment()).expect_err("no folder").to_string();
    assert!(refused.starts_with("/dev/null/fanfare.toml: "), "{refused}");
}

#[test]
fn a_token_ends_after_a_time_or_at_a_moment_to_come() {
    assert_eq!(expiry("30d", NOW), Some(Timestamp(NOW.0 + 30 * 86_400_000)));
    assert_eq!(expiry("2h", Timestamp(NOW.0 + 7)), Some(Timestamp(NOW.0 + 7_200_000)));
    assert_eq!(expiry("2027-01-31T12:00:00Z", NOW), Some(Timestamp(1_801_396_800_000)));
    for bad in ["", "tomorrow", "0s", "30", "2027-01-31", "2026-01-31T12:00:00Z", "99999999999d"] {
        assert_eq!(expiry(bad, NOW), None, "{bad}");
    }
}

#[test]
fn the_file_nobody_named_is_the_users_own_and_not_everybodys() {
    let home = tempfile::tempdir().expect("folder");
    let environment = BTreeMap::from([("HOME".to_owned(), home.path().display().to_string())]);
    let path = home.path().join(".config/fanfare/fanfare.toml");
    assert_eq!(file_to_read(None, &environment), Ok(None));
    assert_eq!(file_to_edit(None, &environment).expect("a place"), path);
    add_token(&path, &Grant { admin: true, ..Grant::default() }, TokenHash::of("x"), &environment).expect("added");
    assert_eq!(file_to_read(None, &environment), Ok(Some(path.clone())));
    assert_eq!(file_to_read(Some(Path::new("x")), &environment), Ok(Some("x".into())));
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).expect("ours");
    let refused = file_to_read(None, &environment).expect_err("everybody's").to_string();
    assert!(refused.ends_with("every user may write it: chmod 600 it, or name it with --config"), "{refused}");
    add_token(&home.path().join("own"), &Grant { admin: true, ..Grant::default() }, TokenHash::of("x"), &BTreeMap::new())
        .expect("a file that is named needs no home");
    let relative = BTreeMap::from([("XDG_CONFIG_HOME".to_owned(), "here".to_owned())]);
    assert!(matches!(file_to_edit(None, &relative), Err(EditError::NoFile)));
}
