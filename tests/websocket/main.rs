//! WebSockets on the real server, with a dialect of the test's own: how they open and end, on every way out, and what
//! becomes of clients that say nothing, too much or the wrong thing.
#![allow(clippy::expect_used, reason = "a test says what it expects")]

mod client;
mod conversation;
mod digests;
mod talks;
#[allow(dead_code, reason = "what only the tests of the API use of it")]
#[path = "../api/harness/tls.rs"]
mod tls;
mod told;

use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};

use client::{Client, Frame, Way};
use told::{Pace, Server, TOKEN};

/// How long a test waits for something that must happen; used up only by a failure.
const PATIENCE: Duration = Duration::from_secs(10);

const WAYS: [Way; 3] = [Way::FrontDoor, Way::KeptAlive, Way::Tls];

#[test]
fn a_client_gets_events_is_answered_and_says_goodbye_on_every_way_out() {
    for way in WAYS {
        let server = Server::start(way, "", Pace::default());
        let mut client = Client::open(&server, way, "/:/told/notifications");
        server.publish("hello");
        assert_eq!(client.next(), Frame::text(r#"{"text":"hello"}"#), "{way:?}");
        client.say(0x89, b"are you there");
        assert_eq!(client.next(), Frame { first: 0x8a, payload: b"are you there".to_vec() }, "{way:?}");
        client.say(0x01, b"he");
        client.say(0x80, b"llo");
        assert_eq!(client.next(), Frame::text("you said hello"), "{way:?}");
        client.say(0x88, &4000_u16.to_be_bytes());
        assert_eq!(client.next(), Frame::close(4000), "{way:?}");
        client.expect_end();
    }
}

#[test]
fn the_path_is_found_behind_a_prefix_and_with_its_colon_escaped() {
    for way in WAYS {
        let server = Server::start(way, "", Pace::default());
        for path in ["/plex/:/told/notifications", "/%3A/told/notifications", "/a/b/%3a/told/notifications"] {
            Client::open(&server, way, path);
        }
    }
}

#[test]
fn what_is_no_handshake_of_ours_is_told_so_and_the_connection_stays() {
    let server = Server::start(Way::FrontDoor, "", Pace::default());
    let whole = client::handshake("/:/told/notifications", TOKEN);
    let version = whole.replace("Version: 13", "Version: 12");
    let key = whole.replace(client::KEY, "bm90IGEga2V5");
    let plain = whole.replace("Upgrade: websocket\r\n", "").replace("Connection: Upgrade\r\n", "");
    let stranger = client::handshake("/:/told/notifications", "nobodys-token-at-all");
    for way in [Way::FrontDoor, Way::KeptAlive] {
        for (request, status, header) in [
            (&version, 426, "sec-websocket-version: 13"),
            (&key, 400, ""),
            (&plain, 400, "why: a websocket is spoken here"),
            (&stranger, 401, ""),
        ] {
            let head = Client::ask(&server, way, request).1;
            assert!(head.starts_with(&format!("http/1.1 {status} ")) && head.contains(header), "{way:?}: {head}");
        }
    }
}

#[test]
fn a_client_for_whom_there_is_no_room_is_let_in_and_closed_at_once() {
    for way in [Way::FrontDoor, Way::KeptAlive] {
        let server = Server::start(way, "[limits]\nconnections_per_user = 1", Pace::default());
        let _first = Client::open(&server, way, "/:/told/notifications");
        let mut second = Client::open(&server, way, "/:/told/notifications");
        assert_eq!(second.next(), Frame::close(1013), "{way:?}");
        second.expect_end();
    }
}

#[test]
fn a_client_that_says_nothing_is_closed_and_one_that_answers_pings_stays() {
    for way in WAYS {
        let server = Server::start(way, "", Pace { ping: Duration::from_secs(1), silence: Duration::from_secs(3) });
        let (mut silent, mut lively) =
            (Client::open(&server, way, "/:/told/notifications"), Client::open(&server, way, "/:/told/notifications"));
        let began = Instant::now();
        // An answer need not carry what the ping carried.
        while began.elapsed() < Duration::from_secs(5) {
            if lively.next() == Frame::ping() {
                lively.say(0x8a, b"Hi!");
            }
        }
        let close = std::iter::repeat_with(|| silent.next()).find(|frame| *frame != Frame::ping());
        assert_eq!(close.map(|frame| frame.code()), Some(1013), "{way:?}");
        server.publish("still here");
        assert_eq!(lively.next_but_pings(), Frame::text(r#"{"text":"still here"}"#), "{way:?}");
        assert!(server.metrics().contains(r#"fanfare_connections_closed_total{dialect="told",reason="silent"} 1"#), "{way:?}");
    }
}

#[test]
fn a_client_that_breaks_a_rule_is_told_which_though_it_keeps_sending() {
    for way in WAYS {
        let server = Server::start(way, "", Pace::default());
        let mut client = Client::open(&server, way, "/:/told/notifications");
        let unmasked = [&[0x81, 5][..], b"hello", &[0; 300_000]].concat();
        // The server may close before it has read all of it.
        let _ = client.wire.write_all(&unmasked);
        let close = client.next();
        assert_eq!((close.code(), &close.payload[2..]), (1002, &b"a client's frames must be masked"[..]), "{way:?}");
        if way != Way::KeptAlive {
            client.expect_end(); // and not a reset, which could have taken the last word back; there the HTTP server closes
        }
    }
}

#[test]
fn a_lying_length_ends_the_connection_at_once() {
    let server = Server::start(Way::FrontDoor, "", Pace::default());
    for length in [64 * 1024 + 1, 1 << 40, (1 << 63) - 1_u64] {
        let mut client = Client::open(&server, Way::FrontDoor, "/:/told/notifications");
        client.wire.write_all(&[&[0x82, 0xff][..], &length.to_be_bytes(), &[1, 2, 3, 4]].concat()).expect("taken");
        assert_eq!(client.next().code(), 1009, "{length}");
        client.expect_end();
    }
}

#[test]
fn a_client_may_say_so_much_in_a_minute_and_no_more() {
    let server = Server::start(Way::FrontDoor, "[limits]\ninbound_per_minute = 5", Pace::default());
    let mut client = Client::open(&server, Way::FrontDoor, "/:/told/notifications");
    for _ in 0..5 {
        client.say(0x89, b"");
        client.say(0x82, b"");
    }
    client.say(0x89, b"");
    let close = std::iter::repeat_with(|| client.next()).find(|frame| frame.first == 0x88);
    assert_eq!(close.map(|frame| frame.code()), Some(1008));
}

/// Who does not take its answers is not asked for more: neither its outbox nor the server's memory grows.
#[test]
fn a_client_that_does_not_take_its_answers_is_not_read_until_it_does() {
    for way in [Way::FrontDoor, Way::Tls] {
        let server = Server::start(way, "[limits]\ninbound_per_minute = 0\n[engine]\noutbox_bytes = \"256KiB\"", Pace::default());
        let mut client = Client::open(&server, way, "/:/told/notifications");
        client.set_write_timeout(Duration::from_millis(300));
        let ping = client::frame(0x89, &[b'x'; 125]).repeat(100);
        let n_rounds = (0..10_000).take_while(|_| client.wire.write_all(&ping).is_ok()).count();
        assert!(n_rounds < 10_000, "{way:?}: the server took everything");
        // The last round was taken in part; what was whole is answered, in order and unharmed.
        for _ in 0..100 * n_rounds {
            assert_eq!(client.next(), Frame { first: 0x8a, payload: vec![b'x'; 125] }, "{way:?}");
        }
    }
}

#[test]
fn a_server_that_stops_says_that_it_goes_away() {
    for way in WAYS {
        let server = Server::start(way, "", Pace::default());
        let mut client = Client::open(&server, way, "/:/told/notifications");
        server.stop();
        assert_eq!(client.next().code(), 1001, "{way:?}");
        client.expect_end();
    }
}

#[test]
fn a_frame_that_comes_with_the_handshake_is_not_lost() {
    let server = Server::start(Way::FrontDoor, "", Pace::default());
    let mut request = client::handshake("/:/told/notifications", TOKEN).into_bytes();
    request.extend(client::frame(0x89, b"early"));
    let mut client = Client::over(server.connect(), &request);
    assert_eq!(client.next(), Frame { first: 0x8a, payload: b"early".to_vec() });
    let mut rest = Vec::new();
    client.say(0x88, b"");
    client.wire.read_to_end(&mut rest).expect("the end");
    assert_eq!(rest, [0x88, 0], "a close without a code is answered without one");
}
