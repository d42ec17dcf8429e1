//! An Audiobookshelf that is asked: a small stand-in that answers each token as a test says.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    stand_in::{Manners, StandIn, directory as directory_of},
    tests::{eventually, wait},
};
use crate::{
    access::{Asked, Authenticated, Denied, Directory},
    clock::Timestamp,
    event::{IdForm, Level},
    id::LibraryId,
};

const ALICE: &str = "0f6a9c0b-3d3e-4a52-9d0b-0d6f3f0b1c2d";
const CAROL: &str = "11111111-2222-4222-8333-333344444444";
const BOOKS: &str = "c30c1edc-8df0-4713-a7f1-f1373f6db8e9";

const MANNERS: Manners =
    Manners { base: "/audiobookshelf", line: "POST /audiobookshelf/api/authorize HTTP/1.1", before_token: "authorization: Bearer " };

fn directory(server: &StandIn, more: &str) -> Arc<Directory> {
    directory_of(&format!(
        "dialects.audiobookshelf.server = \"{}/\"\n{more}\n\
         [[libraries]]\nid = \"books\"\nids = {{ audiobookshelf = \"{BOOKS}\" }}\n[[libraries]]\nid = \"casts\"\n\
         [[users]]\nid = \"alice\"\nadmin = true\nids = {{ audiobookshelf = \"{ALICE}\" }}\n\
         [[users]]\nid = \"bob\"\nname = \"Bob B\"\nlibraries = \"admin\"\n[[users]]\nid = \"off\"\ndisabled = true\n",
        server.address
    ))
}

/// A token as such a server makes it, for somebody.
fn token(of: &str, more: &Value) -> String {
    let mut claims = json!({"userId": of, "username": of, "iat": 1});
    claims.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2lnbmF0dXJl", part(&json!({"alg": "HS256", "typ": "JWT"})), part(&claims))
}

fn plain(of: &str) -> String {
    token(of, &json!({}))
}

fn user(id: &str, name: &str, kind: &str, permissions: &Value, more: &Value) -> (u16, String) {
    let mut user = json!({"id": id, "username": name, "type": kind, "isActive": true, "permissions": permissions, "mediaProgress": []});
    user.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    (200, json!({"user": user, "serverSettings": {}, "Source": "docker"}).to_string())
}

fn everything() -> Value {
    json!({"download": true, "accessAllLibraries": true, "accessAllTags": true, "accessExplicitContent": true, "selectedTagsNotAccessible": false})
}

/// A server that knows some users.
fn real(_: &str, shown: &str) -> (u16, String) {
    let derived = IdForm::Uuid.derive("casts");
    let some = |tags_are_hidden: bool| json!({"accessAllTags": false, "accessExplicitContent": true, "selectedTagsNotAccessible": tags_are_hidden});
    let is = |of: &str| shown == plain(of);
    if is("alice") {
        user(ALICE, "renamed", "user", &json!({}), &json!({"librariesAccessible": [BOOKS, "lib_unknown"]}))
    } else if is("capitals") {
        user(&ALICE.to_uppercase(), "", "user", &some(false), &json!({"librariesAccessible": [derived], "itemTagsSelected": ["kids"]}))
    } else if is("bob") {
        user(CAROL, "BOB B", "guest", &some(true), &json!({"itemTagsSelected": ["secret"]}))
    } else if is("carol") || shown == token("carol", &json!({"type": "access", "exp": 4_102_444_800_u64})) {
        user(CAROL, "carol", "user", &everything(), &json!({}))
    } else if is("root") || is("admin") {
        user(CAROL, "root", if is("root") { "root" } else { "admin" }, &everything(), &json!({}))
    } else if is("off") {
        user(CAROL, "off", "user", &everything(), &json!({}))
    } else if is("inactive") {
        user(CAROL, "carol", "root", &everything(), &json!({"isActive": false}))
    } else {
        (401, "Unauthorized".to_owned())
    }
}

fn ask(directory: &Arc<Directory>, token: &str) -> Result<Authenticated, Denied> {
    wait(directory.ask(token, Asked::AudiobookshelfServer))
}

/// Whether he reads books and podcasts.
fn reads(authenticated: &Authenticated) -> [bool; 2] {
    ["books", "casts"].map(|library| authenticated.principal.has(&LibraryId::parse(library).expect("id"), Level::Read))
}

#[test]
fn the_server_says_whose_a_token_is_and_what_its_owner_may() {
    let server = StandIn::start(MANNERS, real);
    let directory = directory(&server, "");
    let tag = |tag: &str| Some(vec![tag.to_owned()]);
    for (of, name, libraries, explicit, tags) in [
        ("alice", "alice", [true, false], false, Some(Vec::new())),
        ("capitals", "alice", [false, true], true, tag("kids")),
        ("bob", "bob", [false, false], true, Some(Vec::new())),
        ("carol", CAROL, [true, true], true, None),
        ("root", CAROL, [true, true], true, None),
        ("admin", CAROL, [true, true], true, None),
    ] {
        let found = ask(&directory, &plain(of)).expect(of);
        let principal = &found.principal;
        assert_eq!((found.user().expect("a user").as_str(), reads(&found)), (name, libraries), "{of}");
        assert_eq!((principal.explicit, &principal.tags), (Some(explicit), &tags), "{of}: what is not granted is not shown");
        assert_eq!(principal.admin, matches!(of, "root" | "admin"), "{of}: rights are the server's, whatever the settings say");
        assert!(principal.member);
    }
    let ends = ask(&directory, &token("carol", &json!({"type": "access", "exp": 4_102_444_800_u64}))).expect("known").credential.expires();
    assert_eq!(ends, Some(Timestamp(4_102_444_800_000)), "as the token says");
}

#[test]
fn whoever_the_server_does_not_know_or_that_is_not_active_is_refused() {
    let server = StandIn::start(MANNERS, real);
    let directory = directory(&server, "");
    for of in ["nobody", "inactive"] {
        assert_eq!(ask(&directory, &plain(of)).map(drop), Err(Denied::Unknown), "{of}");
    }
    assert_eq!(ask(&directory, &plain("off")).map(drop), Err(Denied::Disabled), "here he is disabled");
    let n_shown = server.n_calls();
    let refresh = token("carol", &json!({"type": "refresh"}));
    for bad in ["x", "a.b", "a.b.c", "a b.c.d", "....", "e30.e30.\u{e9}", &refresh, &format!("{}\r\nx: y", plain("carol"))] {
        assert_eq!(ask(&directory, bad).map(drop), Err(Denied::Unknown), "{bad}");
    }
    assert_eq!(server.n_calls(), n_shown, "no such token is shown to it");
    assert_eq!(wait(directory.ask(&plain("carol"), Asked::Callback)).map(drop), Err(Denied::Unknown), "only its own clients' tokens are");
}

#[test]
fn beside_signed_tokens_of_others_it_is_shown_only_what_these_could_not_be() {
    let server = StandIn::start(MANNERS, real);
    let key = "0123456789abcdef0123456789abcdef";
    let directory = directory(&server, &format!("jwt.keys = [{{ algorithm = \"HS256\", secret = \"{key}\" }}]"));
    assert!(ask(&directory, &plain("carol")).is_ok());
    server.calls.lock().clear();
    for more in [json!({"sub": "carol"}), json!({"fanfare": {"admin": true}}), json!({"iss": "x"}), json!({"aud": "x"})] {
        assert_eq!(ask(&directory, &token("carol", &more)).map(drop), Err(Denied::Unknown), "{more}");
    }
    assert_eq!(server.n_calls(), 0);
    assert_eq!(wait(directory.ask(&plain("carol"), Asked::Callback)).map(drop), Err(Denied::Unknown));
}

#[test]
fn nothing_but_a_whole_answer_lets_anybody_in() {
    let server = StandIn::start(MANNERS, real);
    let directory = directory(&server, "auth.timeout = \"500ms\"");
    let bodies = [
        "",
        "null",
        "{}",
        r#"{"user":null}"#,
        r#"{"user":{"id":"x","isActive":true}}"#,
        r#"{"user":{"id":"","isActive":true,"permissions":{}}}"#,
        r#"{"user":{"isActive":true,"permissions":{}}}"#,
        r#"{"user":{"id":"x","isActive":"yes","permissions":{}}}"#,
    ];
    for (number, body) in bodies.iter().enumerate() {
        let body = (*body).to_owned();
        server.now_says(move |_, _| (200, body.clone()));
        assert_eq!(ask(&directory, &plain(&format!("t{number}"))).map(drop), Err(Denied::Unavailable), "{number}");
    }
    for status in [204, 301, 302, 404, 429, 500, 503] {
        server.now_says(move |_, _| (status, String::new()));
        assert_eq!(ask(&directory, &plain(&format!("s{status}"))).map(drop), Err(Denied::Unavailable), "{status}");
    }
}

#[test]
fn an_open_socket_follows_the_server_and_ends_when_it_refuses() {
    let server = StandIn::start(MANNERS, real);
    let directory = directory(&server, "auth.cache = \"1s\"");
    let held = ask(&directory, &plain("alice")).expect("known").credential;
    let now = || directory.current(&held).map(|principal| principal.admin);
    assert_eq!(now(), Some(false));
    server.now_says(|_, _| user(ALICE, "alice", "admin", &everything(), &json!({})));
    eventually("he is an administrator", || now() == Some(true));
    server.now_says(|_, _| (401, String::new()));
    eventually("he is refused", || now().is_none());
}
