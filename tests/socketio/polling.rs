//! Sessions over polling beside the suites: authentication, limits, two POSTs, clients that vanish.

use std::{
    io::{Read, Write},
    thread,
    time::{Duration, SystemTime},
};

use fanfare::engineio::Settings;

use super::{
    PATIENCE,
    client::{Polling, Socket, ask, ask_with},
    eventually,
    server::{SUITE, Server, TOKEN},
    told::{self, PATH},
};

/// A session that polls, of somebody.
pub(crate) fn authenticated(server: &Server) -> Polling<'_> {
    let session = Polling::open(server, PATH);
    session.say("40");
    assert!(session.told().starts_with("40{"));
    session.say(&format!(r#"42["auth","{TOKEN}"]"#));
    assert_eq!(session.told(), r#"42["init"]"#);
    session
}

/// A token that ends while a test runs.
const BRIEF: &str = "token-of-somebody-that-ends-soon";

fn n_sessions(server: &Server) -> u64 {
    server.metric("fanfare_connections", &[])
}

#[test]
fn events_come_by_polling_to_whoever_has_shown_a_token_and_to_nobody_else() {
    let server = Server::speaking("", false, told::told(Settings::default()));
    let nobody = Polling::open(&server, PATH);
    nobody.say("40");
    assert!(nobody.told().starts_with("40{"));
    let bob = authenticated(&server);
    let held = bob.hold();
    server.publish("one");
    assert_eq!(held.join().expect("answered").body, r#"42["message",{"text":"one"}]"#);
    server.publish("two");
    server.publish("three");
    let mut told = bob.told();
    if !told.contains("three") {
        told = format!("{told}\u{1e}{}", bob.told());
    }
    assert_eq!(told, "42[\"message\",{\"text\":\"two\"}]\u{1e}42[\"message\",{\"text\":\"three\"}]");
    nobody.say(r#"42["x"]"#);
    assert_eq!(nobody.told(), r#"42["heard"]"#, "and nothing before it");
}

#[test]
fn what_is_said_behind_a_token_waits_for_the_answer_to_it() {
    let server = Server::speaking("", false, told::told(Settings::default()));
    let mut socket = Socket::session(&server, PATH);
    socket.say("40");
    assert!(socket.text().starts_with("40{"));
    let session = Polling::open(&server, PATH);
    session.say("40");
    assert!(session.told().starts_with("40{"));
    session.say("42[\"auth\",\"wrong\"]\u{1e}42[\"x\"]");
    let mut told = session.told();
    while !told.contains("heard") {
        told = format!("{told}\u{1e}{}", session.told());
    }
    assert_eq!(told, "42[\"auth_failed\",\"Refused\"]\u{1e}42[\"heard\"]");
}

#[test]
fn a_post_may_hold_as_much_as_was_announced_and_no_more() {
    let server = Server::speaking("", false, told::told(Settings { max_payload: 100_000, ..Settings::default() }));
    let session = Polling::open(&server, PATH);
    session.say("40");
    assert!(session.told().starts_with("40{"));
    let text = |length: usize| format!(r#"42["{}"]"#, "x".repeat(length - 6));
    session.say(&text(100_000));
    assert_eq!(session.told(), r#"42["heard"]"#);
    let answer = session.post(text(100_001));
    assert_eq!((answer.status, &*answer.body), (413, ""));
    session.say(r#"42["x"]"#);
    assert_eq!(session.told(), r#"42["heard"]"#, "it lives on");
}

#[test]
fn nobody_may_say_as_much_as_somebody() {
    let server = Server::speaking("", false, told::told(Settings { strangers_payload: 1_000, ..Settings::default() }));
    let text = |length: usize| format!(r#"42["{}"]"#, "x".repeat(length - 6));
    let nobody = Polling::open(&server, PATH);
    nobody.say("40");
    assert!(nobody.told().starts_with("40{"));
    nobody.say(&text(1_000));
    assert_eq!(nobody.told(), r#"42["heard"]"#);
    assert_eq!(nobody.post(text(1_001)).status, 413);
    nobody.say(&format!(r#"42["auth","{TOKEN}"]"#));
    assert_eq!(nobody.told(), r#"42["init"]"#, "it lives on");
    nobody.say(&text(100_000));
    assert_eq!(nobody.told(), r#"42["heard"]"#);
}

#[test]
fn two_posts_at_a_time_end_the_session() {
    let server = Server::speaking("", false, told::told(Settings::default()));
    let session = Polling::open(&server, PATH);
    let mut slow = server.connect();
    write!(slow, "POST {} HTTP/1.1\r\nhost: fanfare\r\ncontent-length: 5\r\n\r\n4", session.target).expect("taken");
    // Until it is being read there is only one at a time; a noop changes nothing.
    eventually("a second one is refused", || session.post("6").body == r#"{"code":3,"message":"Bad request"}"#);
    assert_eq!(session.get().status, 400);
    eventually("the session goes", || n_sessions(&server) == 0);
}

#[test]
fn a_body_of_bytes_ends_the_session() {
    let server = Server::speaking("", false, told::told(Settings::default()));
    let session = Polling::open(&server, PATH);
    let answer = ask_with(&server, "POST", &session.target, "content-type: application/octet-stream\r\n", b"\x04");
    assert_eq!(answer.status, 400);
    assert_eq!(session.get().status, 400);
}

#[test]
fn a_client_that_goes_away_from_its_get_is_gone() {
    let server = Server::speaking("", false, told::told(Settings::default()));
    let session = authenticated(&server);
    let mut wire = server.connect();
    write!(wire, "GET {} HTTP/1.1\r\nhost: fanfare\r\n\r\n", session.target).expect("taken");
    thread::park_timeout(Duration::from_millis(100)); // it is held by then
    drop(wire);
    eventually("the session goes", || n_sessions(&server) == 0);
    assert_eq!(session.get().body, r#"{"code":1,"message":"Session ID unknown"}"#);
}

#[test]
fn sessions_that_are_abandoned_go_when_their_ping_is_not_answered() {
    let server = Server::speaking("", false, told::told(SUITE));
    for _ in 0..20 {
        Polling::open(&server, PATH);
    }
    assert!(n_sessions(&server) > 0);
    eventually("all of them go", || n_sessions(&server) == 0);
    // Events that wait for a client that does not come change nothing.
    let _session = authenticated(&server);
    (0..2_000).for_each(|number| server.publish(&format!("{number} {}", "x".repeat(100))));
    eventually("it goes too", || n_sessions(&server) == 0);
}

#[test]
fn sessions_that_poll_count_as_connections() {
    let server = Server::speaking("[limits]\nconnections_per_address = 2\n", false, told::told(Settings::default()));
    let (_one, _two) = (Polling::open(&server, PATH), Polling::open(&server, PATH));
    assert_eq!(ask(&server, "GET", &format!("{PATH}?EIO=4&transport=polling"), b"").status, 503);
}

#[test]
fn other_methods_and_unknown_names_are_refused_and_pages_may_ask_first() {
    let server = Server::speaking("", false, told::told(Settings::default()));
    let session = Polling::open(&server, PATH);
    assert_eq!(ask(&server, "PUT", &session.target, b"4").status, 400);
    assert_eq!(ask(&server, "GET", &session.taking_over(), b"").status, 400);
    let unknown = session.target.replace(&session.sid, "aaaaaaaaaaaaaaaaaaaa");
    for method in ["GET", "POST"] {
        assert_eq!(ask(&server, method, &unknown, b"4").body, r#"{"code":1,"message":"Session ID unknown"}"#);
    }
    let preflight = ask(&server, "OPTIONS", &session.target, b"");
    assert_eq!(preflight.status, 204);
    assert!(preflight.head.contains("access-control-allow-origin: *"));
}

#[test]
fn who_has_no_get_there_at_the_end_is_told_the_rest_by_the_next_one() {
    let ends = jiff::Timestamp::try_from(SystemTime::now() + Duration::from_secs(3)).expect("a plausible clock");
    let brief = format!("[[tokens]]\ntoken = \"{BRIEF}\"\nuser = \"bob\"\nexpires = \"{ends}\"\n");
    let server = Server::speaking(&brief, false, told::told(Settings::default()));
    let session = Polling::open(&server, PATH);
    session.say("40");
    assert!(session.told().starts_with("40{"));
    session.say(&format!(r#"42["auth","{BRIEF}"]"#));
    assert_eq!(session.told(), r#"42["init"]"#);
    session.say(r#"42["x"]"#);
    eventually("its token ends", || n_sessions(&server) == 0);
    let last = session.get();
    assert_eq!((last.status, &*last.body), (200, "42[\"heard\"]\u{1e}1"));
    assert_eq!(session.get().status, 400);
}

#[test]
fn a_server_that_stops_tells_who_polls() {
    let server = Server::speaking("", false, told::told(Settings::default()));
    let session = authenticated(&server);
    let mut wire = server.connect();
    wire.set_read_timeout(PATIENCE);
    write!(wire, "GET {} HTTP/1.1\r\nhost: fanfare\r\nconnection: close\r\n\r\n", session.target).expect("taken");
    thread::park_timeout(Duration::from_millis(100)); // it is held by then
    server.stop();
    let mut answer = String::new();
    let _ = wire.read_to_string(&mut answer);
    assert!(answer.ends_with("\r\n\r\n1"), "{answer}");
}
