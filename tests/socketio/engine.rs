//! The 24 cases of the suite of Engine.IO's authors (wire notes on Socket.IO, section 15), those that do not look at what is said
//! also against Socket.IO, whose suite has them again.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use super::{
    client::{Message, Polling, Socket, ask},
    server::{SUITE, Server},
};

const ENGINE: &str = "/engine.io/";
const BOTH: [&str; 2] = [ENGINE, "/socket.io/"];

fn expect_open_packet(text: &str, upgrades: &[&str]) {
    let opened: serde_json::Value = serde_json::from_str(text.strip_prefix('0').expect("an open packet")).expect("JSON");
    let keys: BTreeSet<_> = opened.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, BTreeSet::from(["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"]));
    assert!(opened["sid"].is_string());
    assert_eq!(opened["upgrades"], serde_json::json!(upgrades));
    assert_eq!((&opened["pingInterval"], &opened["pingTimeout"], &opened["maxPayload"]), (&300.into(), &200.into(), &1_000_000.into()));
}

#[test]
fn a_session_begins_by_polling() {
    let server = Server::of_suites();
    for path in BOTH {
        let answer = ask(&server, "GET", &format!("{path}?EIO=4&transport=polling"), b"");
        assert_eq!(answer.status, 200);
        assert!(answer.head.contains("content-type: text/plain; charset=utf-8") && answer.head.contains("cache-control: no-store"));
        assert!(answer.head.contains("access-control-allow-origin: *"));
        expect_open_packet(&answer.body, &["websocket"]);
    }
}

#[test]
fn polling_needs_the_revision_we_speak() {
    let server = Server::of_suites();
    for path in BOTH {
        for query in ["transport=polling", "EIO=abc&transport=polling", "EIO=3&transport=polling"] {
            let answer = ask(&server, "GET", &format!("{path}?{query}"), b"");
            let expected = (400, r#"{"code":5,"message":"Unsupported protocol version"}"#);
            assert_eq!((answer.status, &*answer.body), expected, "{query}");
            assert!(answer.head.contains("content-type: application/json") && answer.head.contains("access-control-allow-origin: *"));
        }
    }
}

#[test]
fn polling_needs_a_transport_that_is_known() {
    let server = Server::of_suites();
    for path in BOTH {
        for query in ["EIO=4", "EIO=4&transport=abc"] {
            let answer = ask(&server, "GET", &format!("{path}?{query}"), b"");
            assert_eq!((answer.status, &*answer.body), (400, r#"{"code":0,"message":"Transport unknown"}"#), "{query}");
        }
    }
}

#[test]
fn a_session_begins_with_a_get() {
    let server = Server::of_suites();
    for path in BOTH {
        for method in ["POST", "PUT"] {
            let answer = ask(&server, method, &format!("{path}?EIO=4&transport=polling"), b"");
            assert_eq!((answer.status, &*answer.body), (400, r#"{"code":2,"message":"Bad handshake method"}"#), "{method}");
        }
    }
}

#[test]
fn a_session_begins_by_websocket() {
    let server = Server::of_suites();
    for path in BOTH {
        let mut socket = Socket::open(&server, &format!("{path}?EIO=4&transport=websocket"));
        expect_open_packet(&socket.text(), &[]);
    }
}

#[test]
fn a_websocket_needs_the_revision_we_speak() {
    let server = Server::of_suites();
    for path in BOTH {
        for query in ["transport=websocket", "EIO=abc&transport=websocket", "EIO=3&transport=websocket"] {
            let (_, head) = Socket::ask(&server, &format!("{path}?{query}"));
            assert!(head.starts_with("http/1.1 400 ") && head.contains("connection: close"), "{head}");
        }
    }
}

#[test]
fn a_websocket_needs_a_transport_that_is_known() {
    let server = Server::of_suites();
    for path in BOTH {
        for query in ["EIO=4", "EIO=4&transport=abc", "EIO=4&transport=polling"] {
            let (_, head) = Socket::ask(&server, &format!("{path}?{query}"));
            assert!(head.starts_with("http/1.1 400 "), "{head}");
        }
    }
}

#[test]
fn one_text_comes_back_by_polling() {
    let server = Server::of_suites();
    let session = Polling::open(&server, ENGINE);
    session.say("4hello");
    assert_eq!(session.told(), "4hello");
}

#[test]
fn several_texts_come_back_by_polling() {
    let server = Server::of_suites();
    let session = Polling::open(&server, ENGINE);
    session.say("4test1\u{1e}4test2\u{1e}4test3");
    assert_eq!(session.told(), "4test1\u{1e}4test2\u{1e}4test3");
}

#[test]
fn bytes_and_text_come_back_by_polling() {
    let server = Server::of_suites();
    let session = Polling::open(&server, ENGINE);
    session.say("4hello\u{1e}bAQIDBA==");
    assert_eq!(session.told(), "4hello\u{1e}bAQIDBA==");
}

#[test]
fn what_is_no_packet_ends_a_session_that_polls() {
    let server = Server::of_suites();
    for body in ["abc", "", "2", "b!"] {
        let session = Polling::open(&server, ENGINE);
        assert_eq!(session.post(body).status, 400, "{body}");
        assert_eq!(session.get().status, 400, "{body}");
    }
}

#[test]
fn a_second_get_ends_the_session_and_the_first() {
    let server = Server::of_suites();
    let session = Polling::open(&server, ENGINE);
    let first = session.hold();
    thread::park_timeout(Duration::from_millis(100)); // it is held by then, or this would be the first
    assert_eq!(session.get().status, 400);
    let first = first.join().expect("answered");
    assert_eq!((first.status, &*first.body), (200, "1"));
    assert_eq!(session.get().body, r#"{"code":1,"message":"Session ID unknown"}"#);
}

#[test]
fn a_text_comes_back_by_websocket() {
    let server = Server::of_suites();
    let mut socket = Socket::session(&server, ENGINE);
    socket.say("4hello");
    assert_eq!(socket.text_but_pings(), "4hello");
}

#[test]
fn bytes_come_back_by_websocket() {
    let server = Server::of_suites();
    let mut socket = Socket::session(&server, ENGINE);
    socket.say_bytes(&[1, 2, 3, 4]);
    assert_eq!(socket.next(), Message::Binary(vec![1, 2, 3, 4]));
}

#[test]
fn what_is_no_packet_ends_a_websocket() {
    let server = Server::of_suites();
    let mut socket = Socket::session(&server, ENGINE);
    socket.say("abc");
    socket.expect_end();
}

#[test]
fn pings_come_by_polling_and_answers_keep_the_session() {
    let server = Server::of_suites();
    for path in BOTH {
        let session = Polling::open(&server, path);
        for _ in 0..3 {
            assert_eq!(session.told(), "2");
            session.say("3");
        }
    }
}

#[test]
fn a_session_that_polls_ends_when_pings_are_not_answered() {
    let server = Server::of_suites();
    for path in BOTH {
        let session = Polling::open(&server, path);
        thread::park_timeout(SUITE.ping_interval + SUITE.ping_timeout);
        assert_eq!(session.get().status, 400);
    }
}

#[test]
fn pings_come_by_websocket_and_answers_keep_the_session() {
    let server = Server::of_suites();
    for path in BOTH {
        let mut socket = Socket::session(&server, path);
        if path != ENGINE {
            socket.say("40"); // or it would end for that
            assert!(socket.text().starts_with("40{") && socket.text().starts_with("42"));
        }
        for _ in 0..3 {
            assert_eq!(socket.text(), "2");
            socket.say("3");
        }
    }
}

#[test]
fn a_websocket_ends_when_pings_are_not_answered() {
    let server = Server::of_suites();
    for path in BOTH {
        let began = Instant::now();
        Socket::session(&server, path).expect_end();
        assert!(began.elapsed() >= SUITE.ping_interval + SUITE.ping_timeout && began.elapsed() < Duration::from_secs(2));
    }
}

#[test]
fn a_client_ends_its_session_by_polling() {
    let server = Server::of_suites();
    for path in BOTH {
        // Whichever of the two comes first.
        for rest in [0, 50] {
            let session = Polling::open(&server, path);
            let held = session.hold();
            thread::park_timeout(Duration::from_millis(rest));
            session.say("1");
            let held = held.join().expect("answered");
            assert_eq!((held.status, &*held.body), (200, "6"), "{rest}");
            assert_eq!(session.get().status, 400);
        }
    }
}

#[test]
fn a_client_ends_its_session_by_websocket() {
    let server = Server::of_suites();
    for path in BOTH {
        let mut socket = Socket::session(&server, path);
        let began = Instant::now();
        socket.say("1");
        assert_eq!(socket.next(), Message::End);
        assert!(began.elapsed() < SUITE.ping_interval, "it is not the ping that ended it");
    }
}

#[test]
fn a_websocket_takes_over_from_polling() {
    let server = Server::of_suites();
    for path in BOTH {
        let session = Polling::open(&server, path);
        let mut socket = Socket::open(&server, &session.taking_over());
        socket.say("2probe");
        assert_eq!(socket.text(), "3probe");
        socket.say("5");
        if path == ENGINE {
            socket.say("4hello");
            assert_eq!(socket.text_but_pings(), "4hello");
        }
    }
}

#[test]
fn polling_is_over_after_a_websocket_has_taken_over() {
    let server = Server::of_suites();
    for path in BOTH {
        let session = Polling::open(&server, path);
        let mut socket = Socket::open(&server, &session.taking_over());
        socket.say("2probe");
        socket.say("5");
        let answer = session.get();
        assert_eq!((answer.status, &*answer.body), (400, r#"{"code":3,"message":"Bad request"}"#));
        if path == ENGINE {
            assert_eq!(socket.text(), "3probe");
            socket.say("4hello");
            assert_eq!(socket.text_but_pings(), "4hello");
        }
    }
}

#[test]
fn a_second_websocket_takes_nothing_over() {
    let server = Server::of_suites();
    for path in BOTH {
        let session = Polling::open(&server, path);
        let mut socket = Socket::open(&server, &session.taking_over());
        socket.say("2probe");
        socket.say("5");
        assert_eq!(socket.text(), "3probe");
        Socket::open(&server, &session.taking_over()).expect_end();
        if path == ENGINE {
            socket.say("4hello");
            assert_eq!(socket.text_but_pings(), "4hello");
        }
    }
}
