//! An Emby or Jellyfin server that is asked: a small stand-in that answers each token as a test says.

use std::{sync::Arc, thread, time::Duration};

use serde_json::{Value, json};

use super::{
    stand_in::{Manners, StandIn, directory as directory_of},
    tests::{eventually, wait},
};
use crate::{
    access::{Asked, Authenticated, Denied, Directory},
    event::{IdForm, Level},
    id::LibraryId,
};

const ALICE: &str = "0123456789abcdef0123456789abcdef";
const CAROL: &str = "11111111222222223333333344444444";
const FILMS: &str = "a656b907eb3a73532e40e44b968d0225";

const MANNERS: Manners = Manners { base: "", line: "GET /Users/Me HTTP/1.1", before_token: "authorization: MediaBrowser Token=" };

fn directory(server: &StandIn, more: &str) -> Arc<Directory> {
    directory_of(&format!(
        "dialects.mediabrowser.server = \"{}/\"\n{more}\n\
         [[libraries]]\nid = \"films\"\nids = {{ mediabrowser = \"{FILMS}\" }}\n[[libraries]]\nid = \"music\"\n\
         [[users]]\nid = \"alice\"\nadmin = true\nids = {{ mediabrowser = \"{ALICE}\" }}\n\
         [[users]]\nid = \"bob\"\nname = \"Bob B\"\nlibraries = \"admin\"\n\
         [[users]]\nid = \"off\"\ndisabled = true\n\
         [[users]]\nid = \"twin\"\nname = \"Same\"\n[[users]]\nid = \"other\"\nname = \"same\"\n",
        server.address
    ))
}

fn me(id: &str, name: &str, policy: &Value) -> (u16, String) {
    (200, json!({"Name": name, "ServerId": "x", "Id": id, "HasPassword": true, "Configuration": {}, "Policy": policy}).to_string())
}

/// A server that knows some users.
fn real(_: &str, token: &str) -> (u16, String) {
    let derived = IdForm::Hex32.derive("music");
    let policy =
        |folders: &[&str]| json!({"IsAdministrator": false, "IsDisabled": false, "EnableAllFolders": false, "EnabledFolders": folders});
    let all = json!({"IsAdministrator": false, "IsDisabled": false, "EnableAllFolders": true, "EnabledFolders": []});
    match token {
        "alices" => me(ALICE, "renamed", &policy(&[FILMS, "ffffffffffffffffffffffffffffffff"])),
        "hyphens" => me("01234567-89AB-CDEF-0123-456789ABCDEF", "", &policy(&[&derived])),
        "bobs" => me(CAROL, "BOB B", &policy(&[])),
        "carols" => me(CAROL, "carol", &all),
        "roots" => me(CAROL, "root", &json!({"IsAdministrator": true, "IsDisabled": false})),
        "sames" => me(CAROL, "SAME", &all),
        "alices-name" => me(CAROL, "alice", &all),
        "blocked" => me(CAROL, "c", &json!({"IsDisabled": false, "EnableAllFolders": true, "BlockedMediaFolders": ["Films"]})),
        "disabled" => me(CAROL, "carol", &json!({"IsAdministrator": true, "IsDisabled": true, "EnableAllFolders": true})),
        "offs" => me(CAROL, "off", &all),
        "key" => (400, String::new()),
        _ => (401, String::new()),
    }
}

fn ask(directory: &Arc<Directory>, token: &str) -> Result<Authenticated, Denied> {
    wait(directory.ask(token, Asked::MediaBrowserServer))
}

/// Whether he reads films and music.
fn reads(authenticated: &Authenticated) -> [bool; 2] {
    ["films", "music"].map(|library| authenticated.principal.has(&LibraryId::parse(library).expect("id"), Level::Read))
}

fn user(authenticated: &Authenticated) -> &str {
    authenticated.user().expect("a user").as_str()
}

#[test]
fn the_server_says_whose_a_token_is_and_what_its_owner_may() {
    let server = StandIn::start(MANNERS, real);
    let directory = directory(&server, "");
    for (token, name, expected) in [
        ("alices", "alice", [true, false]),
        ("hyphens", "alice", [false, true]),
        ("bobs", "bob", [false, false]),
        ("carols", CAROL, [true, true]),
        ("roots", CAROL, [true, true]),
        ("blocked", CAROL, [false, false]),
    ] {
        let found = ask(&directory, token).expect(token);
        assert_eq!((user(&found), reads(&found)), (name, expected), "{token}");
        assert_eq!(found.principal.admin, token == "roots", "{token}: rights are the server's, whatever the settings say");
        assert!(
            found.principal.member && !found.principal.has(&LibraryId::parse("films").expect("id"), Level::Write) || found.principal.admin
        );
    }
    for (token, name) in [("sames", CAROL), ("alices-name", CAROL)] {
        assert_eq!(user(&ask(&directory, token).expect(token)), name, "{token}: a name that two have, or of one whose id is set");
    }
    let head = server.calls.lock()[0].head.to_ascii_lowercase();
    assert!(!head.contains("device") && !head.contains("client="), "{head}");
}

#[test]
fn whoever_the_server_does_not_know_or_has_disabled_is_refused() {
    let server = StandIn::start(MANNERS, real);
    let directory = directory(&server, "");
    for token in ["nobodys", "disabled", "key"] {
        assert_eq!(ask(&directory, token).map(drop), Err(Denied::Unknown), "{token}");
    }
    assert_eq!(ask(&directory, "offs").map(drop), Err(Denied::Disabled), "here he is disabled");
    let n_calls = server.n_calls();
    for token in ["a\"b", "a b", "a%41", "ä", "a,Token=b"] {
        assert_eq!(ask(&directory, token).map(drop), Err(Denied::Unknown), "{token}");
    }
    assert_eq!(server.n_calls(), n_calls, "no such token is shown to it");
    assert_eq!(wait(directory.ask("alices", Asked::Callback)).map(drop), Err(Denied::Unknown), "only its own clients' tokens are");
}

#[test]
fn nothing_but_a_whole_answer_lets_anybody_in() {
    let server = StandIn::start(MANNERS, real);
    let directory = directory(&server, "auth.timeout = \"500ms\"");
    let bodies =
        ["", "null", "[]", "{}", r#"{"Id":"x"}"#, r#"{"Id":"","Policy":{"IsDisabled":false}}"#, r#"{"Policy":{"IsDisabled":false}}"#];
    for (number, body) in bodies.iter().enumerate() {
        let body = (*body).to_owned();
        server.now_says(move |_, _| (200, body.clone()));
        assert_eq!(ask(&directory, &format!("t{number}")).map(drop), Err(Denied::Unavailable));
    }
    for (number, status) in [204, 301, 302, 404, 429, 500, 503].into_iter().enumerate() {
        server.now_says(move |_, _| (status, String::new()));
        assert_eq!(ask(&directory, &format!("s{number}")).map(drop), Err(Denied::Unavailable), "{status}");
    }
    server.now_says(|_, _| me(CAROL, "carol", &json!({"EnableAllFolders": true})));
    assert_eq!(ask(&directory, "silent").map(drop), Err(Denied::Unknown), "it does not say that he is not disabled");
    server.now_says(|_, _| {
        thread::park_timeout(Duration::from_secs(2));
        real("", "carols")
    });
    assert_eq!(ask(&directory, "late").map(drop), Err(Denied::Unavailable));
}

#[test]
fn an_open_stream_follows_the_server_and_ends_when_it_refuses() {
    let server = StandIn::start(MANNERS, real);
    let directory = directory(&server, "auth.cache = \"1s\"");
    let held = ask(&directory, "alices").expect("known").credential;
    let now = || directory.current(&held).map(|principal| principal.admin);
    assert_eq!(now(), Some(false));
    server.now_says(|_, _| me(ALICE, "alice", &json!({"IsAdministrator": true, "IsDisabled": false})));
    eventually("he is an administrator", || now() == Some(true));
    server.now_says(|_, _| (401, String::new()));
    eventually("he is refused", || now().is_none());
}
