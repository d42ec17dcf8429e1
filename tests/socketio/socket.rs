//! The 16 cases that the suite of Socket.IO's authors has beside those of Engine.IO (wire notes on Socket.IO, section 15), and
//! the other rows of what is refused (section 11).

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{
    client::{Message, Polling, Socket},
    server::{SUITE, Server},
};

const PATH: &str = "/socket.io/";

/// A client that has connected the main namespace.
fn connected(server: &Server) -> Socket {
    let mut socket = Socket::session(server, PATH);
    expect_connected(&mut socket, "40", "", "{}");
    socket
}

/// Connects, and is told with what.
fn expect_connected(socket: &mut Socket, connect: &str, namespace: &str, payload: &str) {
    socket.say(connect);
    let answer = socket.text_but_pings();
    let handshake = answer.strip_prefix(&format!("40{namespace}")).unwrap_or_else(|| panic!("{answer}"));
    let handshake: serde_json::Value = serde_json::from_str(handshake).expect("JSON");
    let keys: Vec<_> = handshake.as_object().expect("an object").keys().collect();
    assert!(keys == ["sid"] && handshake["sid"].is_string(), "{answer}");
    assert_eq!(socket.text_but_pings(), format!(r#"42{namespace}["auth",{payload}]"#));
}

fn ends_after(text: &str) {
    let server = Server::of_suites();
    let mut socket = connected(&server);
    let began = Instant::now();
    socket.say(text);
    socket.expect_end();
    assert!(began.elapsed() < SUITE.ping_timeout + SUITE.ping_interval, "{text}: not the ping has ended it");
}

#[test]
fn the_main_namespace_is_connected() {
    let server = Server::of_suites();
    expect_connected(&mut Socket::session(&server, PATH), "40", "", "{}");
}

#[test]
fn the_main_namespace_is_connected_with_a_payload() {
    let server = Server::of_suites();
    expect_connected(&mut Socket::session(&server, PATH), r#"40{"token":"123"}"#, "", r#"{"token":"123"}"#);
}

#[test]
fn another_namespace_is_connected() {
    let server = Server::of_suites();
    expect_connected(&mut Socket::session(&server, PATH), "40/custom,", "/custom,", "{}");
    expect_connected(&mut Socket::session(&server, PATH), "40/custom", "/custom,", "{}");
}

#[test]
fn another_namespace_is_connected_with_a_payload() {
    let server = Server::of_suites();
    let connect = r#"40/custom,{"token":"abc"}"#;
    expect_connected(&mut Socket::session(&server, PATH), connect, "/custom,", r#"{"token":"abc"}"#);
}

#[test]
fn an_unknown_namespace_is_refused_and_another_one_may_follow() {
    let server = Server::of_suites();
    let mut socket = Socket::session(&server, PATH);
    socket.say("40/random");
    assert_eq!(socket.text(), r#"44/random,{"message":"Invalid namespace"}"#);
    expect_connected(&mut socket, "40", "", "{}");
}

#[test]
fn an_invalid_handshake_ends_the_connection() {
    let server = Server::of_suites();
    for text in ["4abc", "40[]", "40\"x\"", r#"42["message"]"#, "41"] {
        let mut socket = Socket::session(&server, PATH);
        socket.say(text);
        assert_eq!(socket.next(), Message::End, "{text}");
    }
}

#[test]
fn who_connects_nothing_is_closed() {
    let server = Server::of_suites();
    let mut socket = Socket::session(&server, PATH);
    let began = Instant::now();
    loop {
        match socket.next() {
            Message::Text(text) if text == "2" => socket.say("3"),
            Message::End => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(began.elapsed() + Duration::from_millis(50) >= SUITE.connect_timeout, "{:?}", began.elapsed());
}

#[test]
fn who_leaves_the_main_namespace_is_pinged_on() {
    let server = Server::of_suites();
    let mut socket = connected(&server);
    socket.say("41");
    assert_eq!(socket.text(), "2");
    socket.say("3");
    expect_connected(&mut socket, "40", "", "{}");
}

#[test]
fn who_leaves_one_namespace_stays_in_the_other() {
    let server = Server::of_suites();
    let mut socket = connected(&server);
    expect_connected(&mut socket, "40/custom", "/custom,", "{}");
    socket.say("41/custom");
    socket.say(r#"42["message","message to main namespace"]"#);
    assert_eq!(socket.text_but_pings(), r#"42["message-back","message to main namespace"]"#);
}

#[test]
fn an_event_is_answered_with_another() {
    let server = Server::of_suites();
    let mut socket = connected(&server);
    socket.say(r#"42["message",1,"2",{"3":[true]}]"#);
    assert_eq!(socket.text_but_pings(), r#"42["message-back",1,"2",{"3":[true]}]"#);
}

#[test]
fn an_event_with_bytes_is_answered_with_another() {
    let server = Server::of_suites();
    let mut socket = connected(&server);
    let holders = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;
    socket.say(&format!(r#"452-["message",{holders}]"#));
    socket.say_bytes(&[1, 2, 3]);
    socket.say_bytes(&[4, 5, 6]);
    assert_eq!(socket.text_but_pings(), format!(r#"452-["message-back",{holders}]"#));
    assert_eq!(socket.next(), Message::Binary(vec![1, 2, 3]));
    assert_eq!(socket.next(), Message::Binary(vec![4, 5, 6]));
}

#[test]
fn an_event_is_acknowledged() {
    let server = Server::of_suites();
    let mut socket = connected(&server);
    socket.say(r#"42456["message-with-ack",1,"2",{"3":[false]}]"#);
    assert_eq!(socket.text_but_pings(), r#"43456[1,"2",{"3":[false]}]"#);
}

#[test]
fn an_event_with_bytes_is_acknowledged() {
    let server = Server::of_suites();
    let mut socket = connected(&server);
    let holders = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;
    socket.say(&format!(r#"452-789["message-with-ack",{holders}]"#));
    socket.say_bytes(&[1, 2, 3]);
    socket.say_bytes(&[4, 5, 6]);
    assert_eq!(socket.text_but_pings(), format!("462-789[{holders}]"));
    assert_eq!(socket.next(), Message::Binary(vec![1, 2, 3]));
    assert_eq!(socket.next(), Message::Binary(vec![4, 5, 6]));
}

#[test]
fn an_unknown_type_of_packet_ends_the_connection() {
    ends_after("4abc");
}

#[test]
fn an_invalid_payload_ends_the_connection() {
    for text in ["42{}", "42null", "42[]", r#"42["connect"]"#, "45-[\"x\"]", "450-[\"x\"]"] {
        ends_after(text);
    }
}

#[test]
fn an_invalid_number_of_an_acknowledgement_ends_the_connection() {
    ends_after(r#"42abc["message-with-ack",1,"2",{"3":[false]}]"#);
}

#[test]
fn what_nobody_listens_for_is_ignored() {
    let server = Server::of_suites();
    let mut socket = connected(&server);
    for text in [r#"42["nobody knows me",1,2]"#, "42[7]", "43999[]"] {
        socket.say(text);
    }
    socket.say(r#"42["message"]"#);
    assert_eq!(socket.text_but_pings(), r#"42["message-back"]"#);
}

#[test]
fn an_invalid_packet_by_polling_ends_the_session_too() {
    let server = Server::of_suites();
    let session = Polling::open(&server, PATH);
    session.say("40");
    assert!(session.told().starts_with("40{"));
    assert!(session.told().starts_with("42["));
    let held = session.hold();
    thread::park_timeout(Duration::from_millis(100)); // it is held by then
    session.post("42{}");
    assert_eq!(held.join().expect("answered").body, "1");
    assert_eq!(session.get().status, 400);
}
