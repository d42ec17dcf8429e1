//! What comes of what clients say: answers, events, and whose a connection is.

use std::{io::Write, sync::Arc, time::Instant};

use fanfare::id::ConnectionId;

use super::{
    WAYS,
    client::{self, Client, Frame, Way},
    talks::Talks,
    told::{Server, TOKEN},
};

fn server(way: Way) -> Server {
    // The dialect that owns these paths otherwise is off.
    let settings = "[limits]\ninbound_per_minute = 0\n[dialects.mediabrowser]\nenabled = false";
    Server::speaking(way, settings, Arc::new(Talks::default()))
}

/// A client that has been greeted.
fn open(server: &Server, way: Way, request: &str) -> Client {
    let (mut client, head) = Client::ask(server, way, request);
    assert!(head.starts_with("http/1.1 101 "), "{way:?}: {head}");
    assert_eq!(client.next(), Frame::text("hello"), "{way:?}");
    let id = client.next();
    let id = std::str::from_utf8(&id.payload).expect("text");
    assert!(id.parse::<ConnectionId>().is_ok(), "the id of its connection, not {id}");
    client
}

fn bob(server: &Server, way: Way) -> Client {
    open(server, way, &client::handshake("/talks", TOKEN))
}

fn nobody(server: &Server, way: Way) -> Client {
    open(server, way, &client::handshake("/talks/nobody", ""))
}

/// Bob calls, and says by that whose connections of that name are.
fn call(server: &Server, name: &str) {
    let request = format!("GET /talks/as/{name} HTTP/1.1\r\nHost: fanfare\r\nAuthorization: {TOKEN}\r\n\r\n");
    let head = Client::ask(server, Way::FrontDoor, &request).1;
    assert!(head.starts_with("http/1.1 204 "), "{head}");
}

fn say(client: &mut Client, text: &str) {
    client.say(0x81, text.as_bytes());
}

#[test]
fn what_a_client_says_is_published_in_order_and_what_follows_comes_after_it() {
    for way in WAYS {
        let server = server(way);
        let (mut speaker, mut listener) = (bob(&server, way), bob(&server, way));
        let words = (0..300).map(|n| format!("publish {n}")).chain(["echo done".to_owned(), "leave".to_owned(), "publish 300".to_owned()]);
        // In one piece: many messages are read at once.
        let frames: Vec<u8> = words.flat_map(|word| client::frame(0x81, word.as_bytes())).collect();
        speaker.wire.write_all(&frames).expect("taken");
        for n in 0..300 {
            assert_eq!(listener.next(), Frame::text(&format!(r#"{{"text":"{n}"}}"#)), "{way:?}");
        }
        let answer = std::iter::repeat_with(|| speaker.next()).find(|frame| !frame.payload.starts_with(b"{"));
        assert_eq!(answer, Some(Frame::text("done")), "{way:?}");
        let close = std::iter::repeat_with(|| speaker.next()).find(|frame| frame.first == 0x88);
        assert_eq!(close.map(|frame| frame.code()), Some(4001), "{way:?}");
        speaker.expect_end();
        server.publish("the next");
        assert_eq!(listener.next(), Frame::text(r#"{"text":"the next"}"#), "{way:?}: nothing counts behind the close");
    }
}

#[test]
fn a_connection_of_nobody_gets_nothing_before_it_has_shown_whose_it_is() {
    for way in WAYS {
        let server = server(way);
        call(&server, "phone");
        let mut client = nobody(&server, way);
        server.publish("not for strangers");
        say(&mut client, "whoami");
        assert_eq!(client.next(), Frame::text("nobody"), "{way:?}");
        say(&mut client, "identity phone");
        say(&mut client, "whoami");
        assert_eq!(client.next(), Frame::text("bob"), "{way:?}");
        server.publish("for everybody");
        assert_eq!(client.next(), Frame::text(r#"{"text":"for everybody"}"#), "{way:?}");
    }
}

#[test]
fn a_connection_that_waits_is_joined_by_a_call_and_gets_what_follows() {
    for way in WAYS {
        let server = server(way);
        let (mut client, mut other) = (nobody(&server, way), nobody(&server, way));
        say(&mut client, "identity tablet");
        say(&mut other, "identity television");
        for waiting in [&mut client, &mut other] {
            say(waiting, "whoami");
            assert_eq!(waiting.next(), Frame::text("nobody"), "{way:?}");
        }
        call(&server, "tablet");
        server.publish("welcome");
        assert_eq!(client.next(), Frame::text(r#"{"text":"welcome"}"#), "{way:?}");
        for (waiting, is) in [(&mut client, "bob"), (&mut other, "nobody")] {
            say(waiting, "whoami");
            assert_eq!(waiting.next(), Frame::text(is), "{way:?}");
        }
    }
}

#[test]
fn nobody_who_stays_nobody_is_closed_in_time_and_only_he() {
    for way in WAYS {
        let server = server(way);
        call(&server, "phone");
        let (mut stranger, mut known) = (nobody(&server, way), nobody(&server, way));
        let began = Instant::now();
        say(&mut known, "identity phone");
        assert_eq!(stranger.next().code(), 1008, "{way:?}");
        assert!(began.elapsed().as_secs_f32() >= 0.9, "{way:?}: not before its time");
        stranger.expect_end();
        server.publish("hello");
        assert_eq!(known.next(), Frame::text(r#"{"text":"hello"}"#), "{way:?}");
        assert!(server.metrics().contains(r#"fanfare_connections_closed_total{dialect="talks",reason="unidentified"} 1"#), "{way:?}");
    }
}

#[test]
fn who_shows_a_bad_token_or_asks_elsewhere_is_not_let_in_as_nobody() {
    let server = server(Way::FrontDoor);
    for way in [Way::FrontDoor, Way::KeptAlive] {
        for request in [client::handshake("/talks/nobody", "nobodys-token-at-all"), client::handshake("/talks", "")] {
            let head = Client::ask(&server, way, &request).1;
            assert!(head.starts_with("http/1.1 403 "), "{way:?}: {head}");
        }
    }
}

#[test]
fn there_may_be_so_many_connections_of_nobody_and_any_number_of_others() {
    let server = Server::speaking(Way::FrontDoor, "[limits]\nunidentified = 32", Arc::new(Talks::default()));
    call(&server, "phone");
    let mut all: Vec<Client> = (0..32).map(|_| nobody(&server, Way::FrontDoor)).collect();
    for client in &mut all {
        say(client, "identity none"); // it waits
    }
    for client in &mut all {
        say(client, "echo");
        client.next();
    }
    let head = Client::ask(&server, Way::FrontDoor, &client::handshake("/talks/nobody", "")).1;
    assert!(head.starts_with("http/1.1 403 "), "{head}");
    bob(&server, Way::FrontDoor);
    say(&mut all[0], "identity phone");
    say(&mut all[0], "whoami");
    assert_eq!(all[0].next(), Frame::text("bob"));
    nobody(&server, Way::FrontDoor);
}

#[test]
fn one_connection_too_many_of_its_user_is_closed_when_it_turns_out_to_be_his() {
    let server = Server::speaking(Way::FrontDoor, "[limits]\nconnections_per_user = 1", Arc::new(Talks::default()));
    call(&server, "phone");
    let _first = bob(&server, Way::FrontDoor);
    let mut second = nobody(&server, Way::FrontDoor);
    say(&mut second, "identity phone");
    assert_eq!(second.next().code(), 1013);
    second.expect_end();
}

#[test]
fn a_free_path_is_found_in_any_case_and_behind_its_prefixes_and_other_websockets_are_taken_as_they_come() {
    for way in WAYS {
        let server = server(way);
        for (path, named) in [
            ("/talks", "/talks"),
            ("/Talks?a=b", "/talks"),
            ("/EMBY/talks", "/talks"),
            ("/mediabrowser/TALKS", "/talks"),
            ("/", "/"),
            ("/?DeviceID=1", "/"),
            ("/embywebsocket", "/embywebsocket"),
            ("/other/Talks", "/other/Talks"),
            ("/emby/", "/emby/"),
            ("/%3A/a%20b", "/%3A/a%20b"),
        ] {
            let mut client = open(&server, way, &client::handshake(path, TOKEN));
            say(&mut client, "where");
            assert_eq!(client.next(), Frame::text(named), "{way:?} {path}");
        }
    }
}

#[test]
fn what_is_no_websocket_or_the_engines_own_is_not_taken() {
    let server = server(Way::FrontDoor);
    let plain = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: fanfare\r\nAuthorization: {TOKEN}\r\n\r\n");
    let whole = client::handshake("/elsewhere", TOKEN);
    for way in [Way::FrontDoor, Way::KeptAlive] {
        for (request, status) in [
            (plain("/elsewhere"), 404),
            (plain("/emby/Talks"), 400),
            (client::handshake("/api/connections", TOKEN), 401), // by the engine: its tokens are `Bearer`
            (client::handshake("/healthz", TOKEN), 200),
            (whole.replace("Version: 13", "Version: 12"), 426),
            (whole.replace(client::KEY, "bm90IGEga2V5"), 400),
            (whole.replace(TOKEN, "nobodys-token-at-all"), 403),
        ] {
            let head = Client::ask(&server, way, &request).1;
            assert!(head.starts_with(&format!("http/1.1 {status} ")), "{way:?}: {head} to {request}");
        }
    }
}

#[test]
fn every_answer_says_what_time_it_is() {
    let server = server(Way::FrontDoor);
    for way in [Way::FrontDoor, Way::KeptAlive] {
        for request in [client::handshake("/talks", TOKEN), client::handshake("/talks", ""), client::handshake("/", TOKEN)] {
            let head = Client::ask(&server, way, &request).1;
            assert_eq!(head.matches("\r\ndate: ").count(), 1, "{way:?}: {head}");
            let date = head.split("\r\ndate: ").nth(1).and_then(|rest| rest.split("\r\n").next()).expect("a date");
            assert!(date.ends_with(" gmt") && date.len() == 29, "{date}");
        }
    }
}

#[test]
fn a_topic_is_told_first_and_then_when_it_changes_on_every_way_out() {
    for way in WAYS {
        let server = server(way);
        let mut clients = [bob(&server, way), bob(&server, way)];
        for client in &mut clients {
            say(client, "watch 0 100");
            assert_eq!(client.next(), Frame::text("number 0"), "{way:?}");
        }
        for n in 1..=3 {
            say(&mut clients[0], "count");
            for client in &mut clients {
                assert_eq!(client.next(), Frame::text(&format!("number {n}")), "{way:?}");
            }
        }
        let [client, other] = &mut clients;
        say(client, "unwatch");
        say(client, "count");
        assert_eq!(other.next(), Frame::text("number 4"), "{way:?}");
        say(client, "echo nothing came");
        assert_eq!(client.next(), Frame::text("nothing came"), "{way:?}");
    }
}

#[test]
fn a_topic_that_is_followed_keeps_its_pace() {
    let server = server(Way::FrontDoor);
    let mut client = bob(&server, Way::FrontDoor);
    let began = Instant::now();
    say(&mut client, "follow 300 200");
    for _ in 0..10 {
        assert_eq!(client.next(), Frame::text("number 0"));
    }
    let took = began.elapsed().as_secs_f32();
    assert!((2.0..3.5).contains(&took), "{took} s for 300 ms and nine times 200 ms");
}

#[test]
fn nobody_is_told_of_a_topic_when_it_turns_out_who_he_is() {
    let server = server(Way::FrontDoor);
    let mut client = nobody(&server, Way::FrontDoor);
    say(&mut client, "identity phone");
    say(&mut client, "watch 0 100");
    say(&mut client, "count");
    say(&mut client, "echo waits");
    assert_eq!(client.next(), Frame::text("waits"));
    call(&server, "phone");
    assert_eq!(client.next(), Frame::text("number 1"));
}

#[test]
fn who_storms_on_with_a_bad_token_is_told_later_and_nobody_else_is() {
    let server = Server::speaking(Way::FrontDoor, "[limits]\nbad_tokens_per_minute = 3", Arc::new(Talks::default()));
    let refused = || {
        let began = Instant::now();
        let head = Client::ask(&server, Way::FrontDoor, &client::handshake("/talks", "nobodys-token-at-all")).1;
        assert!(head.starts_with("http/1.1 403 "), "{head}");
        began.elapsed().as_secs_f32()
    };
    assert!((0..3).all(|_| refused() < 0.9), "as many as anybody may show");
    assert!(refused() > 0.9);
    let began = Instant::now();
    bob(&server, Way::FrontDoor);
    assert!(began.elapsed().as_secs_f32() < 0.9, "a good token is good, whoever else is behind the address");
}
