//! A Plex server that is asked: a small stand-in that answers each token as a test says.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::{
    stand_in::{Manners, StandIn, directory as directory_of},
    tests::{eventually, wait},
};
use crate::{
    access::{Asked, Authenticated, Denied, Directory},
    event::Level,
    id::LibraryId,
};

/// What a real one says of two sections, in part.
const SECTIONS: &str = r#"{"MediaContainer":{"size":2,"allowSync":false,"title1":"Plex Library","Directory":[
    {"allowSync":true,"key":"2","type":"movie","title":"Films","Location":[{"id":2,"path":"/films"}]},
    {"allowSync":true,"key":"9","type":"artist","title":"Not configured here"}]}}"#;
const PREFERENCES: &str = r#"{"MediaContainer":{"size":1,"Setting":[{"id":"FriendlyName","value":"Den"}]}}"#;

const MANNERS: Manners = Manners { base: "", line: "accept: application/json", before_token: "x-plex-token: " };

fn directory(server: &StandIn, more: &str) -> Arc<Directory> {
    directory_of(&format!(
        "dialects.plex.server = \"{}/\"\n{more}\n[[libraries]]\nid = \"films\"\nids = {{ plex = \"2\" }}\n\
         [[libraries]]\nid = \"9\"\n[[users]]\nid = \"bob\"\ntoken = \"bob-1\"\nlibraries = \"read\"\n",
        server.address
    ))
}

/// The paths asked for with that token.
fn paths(server: &StandIn, token: &str) -> Vec<String> {
    server.calls.lock().iter().filter(|call| call.token == token).map(|call| call.path.clone()).collect()
}

/// A server that knows an owner and somebody it shares its films with.
fn real(path: &str, token: &str) -> (u16, String) {
    match (path, token) {
        ("/library/sections", "of-owner" | "of-friend") => (200, SECTIONS.to_owned()),
        ("/library/sections", "of-nobody-shared-with") => (200, r#"{"MediaContainer":{"size":0}}"#.to_owned()),
        ("/:/prefs", "of-owner") => (200, PREFERENCES.to_owned()),
        _ => (401, "<html></html>".to_owned()),
    }
}

fn ask(directory: &Arc<Directory>, token: &str) -> Result<Authenticated, Denied> {
    wait(directory.ask(token, Asked::PlexServer))
}

fn library(id: &str) -> LibraryId {
    LibraryId::parse(id).expect("id")
}

#[test]
fn the_server_says_which_libraries_a_token_opens_and_whether_it_is_an_administrators() {
    let server = StandIn::start(MANNERS, real);
    let directory = directory(&server, "");
    let friend = ask(&directory, "of-friend").expect("known").principal;
    assert!(friend.member && !friend.admin && friend.user.is_none());
    assert!(friend.has(&library("films"), Level::Read) && !friend.has(&library("films"), Level::Write));
    assert!(!friend.has(&library("9"), Level::Read), "a section is a library by `ids.plex` alone");
    assert!(ask(&directory, "of-owner").expect("known").principal.admin);
    let with_none = ask(&directory, "of-nobody-shared-with").expect("known").principal;
    assert!(with_none.member && !with_none.admin && !with_none.has(&library("films"), Level::Read));
    assert_eq!(ask(&directory, "of-nobody").map(|_| ()), Err(Denied::Unknown));
    assert_eq!(paths(&server, "of-friend"), ["/library/sections", "/:/prefs"]);
    assert_eq!(paths(&server, "of-nobody"), ["/library/sections"]);
    assert!(ask(&directory, "of-friend").is_ok() && ask(&directory, "of-nobody").is_err() && ask(&directory, "bob-1").is_ok());
    assert_eq!((paths(&server, "of-friend").len(), paths(&server, "of-nobody").len(), paths(&server, "bob-1").len()), (2, 1, 0));
    let n_before = server.n_calls();
    for no_header in ["a b", "a\r\nx-plex-token: of-owner", "\u{e9}", "\0"] {
        assert_eq!(ask(&directory, no_header).map(|_| ()), Err(Denied::Unknown), "{no_header:?}");
    }
    assert_eq!(server.n_calls(), n_before);
}

#[test]
fn a_token_is_shown_to_the_one_back_end_of_its_protocol_only() {
    let server = StandIn::start(MANNERS, real);
    let callback = StandIn::start(MANNERS, |_, _| (200, r#"{"user":"eve","libraries":"read"}"#.to_owned()));
    let only_plex = directory(&server, "");
    assert_eq!(only_plex.authenticate("of-owner").map(|_| ()), Err(Denied::Unknown), "without a callback nobody else may know it");
    let none = directory_of("");
    assert_eq!(none.authenticate_by("of-owner", Asked::PlexServer).map(|_| ()), Err(Denied::Unknown));
    let both = directory(&server, &format!("auth.callback = \"{}\"", callback.address));
    assert!(ask(&both, "of-friend").is_ok());
    assert_eq!(both.authenticate("of-friend").map(|_| ()), Err(Denied::Ask(Asked::Callback)), "what one said is not the other's word");
    assert_eq!(ask(&both, "of-nobody").map(|_| ()), Err(Denied::Unknown));
    assert_eq!(callback.n_calls(), 0);
}

#[test]
fn whatever_is_no_plain_answer_of_a_plex_server_lets_nobody_in() {
    let server = StandIn::start(MANNERS, real);
    let directory = directory(&server, "auth.timeout = \"1s\"");
    assert!(ask(&directory, "of-friend").is_ok(), "it is believed to tell tokens apart");
    let long = format!(r#"{{"MediaContainer":{{"Directory":[{{"key":"{}"}}]}}}}"#, "2".repeat(2_000_000));
    let bad = [
        (200, "<html>".to_owned()),
        (200, "{}".to_owned()),
        (200, r#"{"MediaContainer":{"Directory":[{"key":2}]}}"#.to_owned()),
        (200, long),
        (204, String::new()),
        (302, SECTIONS.to_owned()),
        (404, SECTIONS.to_owned()),
        (500, SECTIONS.to_owned()),
    ];
    for (status, body) in bad {
        for broken in ["/library/sections", "/:/prefs"] {
            let body = body.clone();
            server.now_says(move |path, _| if path == broken { (status, body.clone()) } else { (200, SECTIONS.to_owned()) });
            assert_eq!(ask(&directory, "t").map(|_| ()), Err(Denied::Unavailable), "{status} at {broken}");
        }
    }
    server.now_says(|_, _| {
        thread::park_timeout(Duration::from_millis(700));
        (200, SECTIONS.to_owned())
    });
    let began = Instant::now();
    assert_eq!(ask(&directory, "t").map(|_| ()), Err(Denied::Unavailable), "each call would do, all together take too long");
    assert!(began.elapsed() < Duration::from_millis(1_900), "{:?}", began.elapsed());
    server.now_says(|path, _| if path == "/:/prefs" { (403, String::new()) } else { (200, SECTIONS.to_owned()) });
    assert!(!ask(&directory, "t").expect("as soon as it answers, it counts").principal.admin);
}

#[test]
fn a_server_that_takes_every_token_is_not_believed() {
    let server = StandIn::start(MANNERS, |_, _| (200, SECTIONS.to_owned()));
    let directory = directory(&server, "");
    assert_eq!(ask(&directory, "of-owner").map(|_| ()), Err(Denied::Unavailable));
    server.now_says(real);
    assert!(ask(&directory, "of-owner").is_ok());
    assert!(ask(&directory, "of-friend").is_ok());
    let own = ["of-owner", "of-friend"];
    let n_tried = server.calls.lock().iter().filter(|call| !own.contains(&call.token.as_str())).count();
    assert_eq!(n_tried, 2, "once it was not believed, and once for both");
}

#[test]
fn open_sessions_follow_the_server_and_one_token_that_both_know_is_two() {
    let server = StandIn::start(MANNERS, real);
    let callback = StandIn::start(MANNERS, |_, _| (200, r#"{"user":"eve","libraries":"read"}"#.to_owned()));
    let directory = directory(&server, &format!("auth.cache = \"1s\"\nauth.callback = \"{}\"", callback.address));
    let mut changes = directory.changes();
    let other = wait(directory.ask("of-owner", Asked::Callback)).expect("known");
    let session = ask(&directory, "of-owner").expect("known");
    server.now_says(|path, token| if path == "/:/prefs" { (401, String::new()) } else { real(path, token) });
    assert_eq!(wait(changes.next()), None);
    eventually("an administrator no longer", || directory.current(&session.credential).is_some_and(|now| !now.admin));
    server.now_says(|_, _| (401, String::new()));
    assert_eq!(wait(changes.next()), None);
    assert!(directory.current(&session.credential).is_none());
    let eve = other.user().expect("Eve").clone();
    assert!(directory.current(&other.credential).is_some(), "what one took back, the other did not give");
    let change = crate::access::PrincipalChange { disabled: Some(true), ..Default::default() };
    directory.put_principal(&eve, change).expect("kept");
    assert!(directory.current(&other.credential).is_none(), "it is in sight, whoever else knew its token");
}
