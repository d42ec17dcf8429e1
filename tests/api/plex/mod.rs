//! Plex's protocol from outside: paths, tokens, filters, both forms of a message, keepalive and refusals.

mod audience;
mod rest;
mod tokens;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Frame, PATIENCE, PEOPLE, Request, Server, Sse, WebSocket, eventually, token_of};

const EVENTS: &str = "/:/eventsource/notifications";
const SOCKET: &str = "/:/websockets/notifications";

/// The body of every refusal of credentials.
const UNAUTHORISED: &str = "<html><head><title>Unauthorized</title></head><body><h1>401 Unauthorized</h1></body></html>";

/// A request with that person's token in the header.
fn get(path: &str, who: &str) -> Request {
    Request::new("GET", path).header("X-Plex-Token", &token_of(who))
}

/// A stream that has said its first ping.
fn listen(server: &Server, query: &str, who: &str) -> Sse {
    let mut sse = Sse::ask(server, &get(&format!("{EVENTS}{query}"), who));
    assert_eq!(sse.head().status, 200, "{:?}", sse.head());
    assert_eq!(sse.expect("ping").data, "{}");
    sse
}

fn socket(server: &Server, query: &str, who: &str) -> WebSocket {
    let socket = WebSocket::ask(server, get(&format!("{SOCKET}{query}"), who));
    assert_eq!(socket.head().status, 101, "{:?}", socket.head());
    socket
}

fn playback(user: &str, session: &str) -> Value {
    json!({"type": "playback", "data": {"session": session, "user": user, "item": {"id": "900"}, "state": "paused", "position": 61_000}})
}

/// An event for everybody that ends what a test waits for.
fn sentinel() -> Value {
    json!({"type": "raw", "audience": "all", "data": {"dialect": "plex", "name": "sentinel", "payload": {"sentinel": {}}}})
}

/// Publishes as the administrator, who may publish everything.
fn publish(server: &Server, events: &[Value]) {
    for event in events {
        let token = if event["type"] == "raw" || event["type"] == "user" || event["type"] == "server" { "raw" } else { "publisher" };
        let (status, body) = server.publish(&token_of(token), event);
        assert_eq!(status, 200, "{event}: {body}");
    }
}

/// [`PEOPLE`], and somebody who may publish what must be allowed by name.
fn people() -> String {
    let raw = token_of("raw");
    format!("{PEOPLE}\n[[tokens]]\ntoken = \"{raw}\"\npublish = {{ types = [\"raw\", \"user\", \"server\"] }}\n")
}

#[test]
fn both_forms_carry_the_same_item() {
    let server = Server::start(&people());
    let (mut sse, mut socket) = (listen(&server, "", "root"), socket(&server, "", "root"));
    publish(&server, &[playback("owner", "12")]);
    let item =
        r#"{"sessionKey":"12","guid":"","ratingKey":"900","url":"","key":"/library/metadata/900","viewOffset":61000,"state":"paused"}"#;
    assert_eq!(sse.expect("playing").data, format!("{{\"PlaySessionStateNotification\":{item}}}"));
    let container = format!("{{\"NotificationContainer\":{{\"type\":\"playing\",\"size\":1,\"PlaySessionStateNotification\":[{item}]}}}}");
    assert_eq!(socket.next_text(), container);
}

#[test]
fn an_event_of_several_items_is_a_message_for_each() {
    let server = Server::start(&people());
    let (mut sse, mut socket) = (listen(&server, "", "reader"), socket(&server, "", "reader"));
    let changes = json!([
        {"action": "Added", "movie": {"id": "7", "name": "One"}},
        {"action": "Deleted", "movie": {"id": "8"}},
    ]);
    publish(&server, &[json!({"type": "movies", "data": {"library": "lib1", "movies": changes}})]);
    let states = [(7, 0), (7, 5), (8, 9)];
    for (id, state) in states {
        let of_sse = sse.expect("timeline").json()["TimelineEntry"].clone();
        let of_socket: Value = serde_json::from_str(&socket.next_text()).expect("JSON");
        assert_eq!(of_socket["NotificationContainer"]["TimelineEntry"], json!([of_sse]));
        assert_eq!((&of_sse["itemID"], &of_sse["state"]), (&json!(id.to_string()), &json!(state)));
    }
}

#[test]
fn every_spelling_of_a_path_leads_to_its_stream() {
    let server = Server::start(&people());
    let spellings = |path: &str| {
        let escaped = [path.to_owned(), path.replace(':', "%3A"), path.replace(':', "%3a")];
        escaped.into_iter().flat_map(|path| [path.clone(), format!("/plex{path}"), format!("/a/b{path}")]).collect::<Vec<_>>()
    };
    for path in [SOCKET, "/:/websocket/notifications"].into_iter().flat_map(spellings) {
        let with_token = format!("{path}?X-Plex-Token={}", token_of("reader"));
        for mut socket in [
            WebSocket::ask(&server, Request::new("GET", &with_token)),
            WebSocket::ask_later(&server, Request::new("GET", &with_token).header("origin", "http://127.0.0.1").header("cookie", "")),
        ] {
            assert_eq!(socket.head().status, 101, "{path}: {:?}", socket.head());
            assert_eq!(socket.head().header("sec-websocket-protocol"), None);
            assert_eq!(socket.head().header("sec-websocket-extensions"), None);
            publish(&server, &[sentinel()]);
            assert!(socket.next_text().contains("\"sentinel\""), "{path}");
        }
        assert_eq!(WebSocket::ask(&server, Request::new("GET", &path)).head().status, 401, "{path}");
    }
    for path in spellings(EVENTS) {
        for mut sse in [Sse::ask(&server, &get(&path, "reader")), Sse::ask_later(&server, &get(&path, "reader"))] {
            assert_eq!(sse.head().status, 200, "{path}: {:?}", sse.head());
            assert_eq!(sse.expect("ping").data, "{}", "{path}");
        }
    }
    for path in ["/:/websockets", "/:/notifications", "/:/websockets/notifications/x"] {
        assert_eq!(get(path, "reader").send(&server).status, 404, "{path}");
    }
}

#[test]
fn bad_credentials_are_refused_in_the_same_91_bytes_everywhere() {
    let server = Server::start(&people());
    for path in [EVENTS, SOCKET, "/", "/activities", "/status/sessions", "/:/websocket/notifications"] {
        for request in [
            Request::new("GET", path),
            Request::new("GET", path).header("X-Plex-Token", "wrong"),
            Request::new("GET", &format!("{path}?X-Plex-Token=wrong")),
            // Another protocol's way to show a token is none here.
            Request::new("GET", path).bearer(&token_of("reader")),
        ] {
            let answer = request.send(&server);
            assert_eq!((answer.status, answer.body.as_str()), (401, UNAUTHORISED), "{path}");
            assert_eq!(answer.header("content-type"), Some("text/html"), "{path}");
        }
    }
    for _ in 0..12 {
        let mut socket = WebSocket::ask(&server, Request::new("GET", SOCKET).header("x-plex-token", "wrong"));
        assert_eq!((socket.head().status, socket.body().as_str()), (401, UNAUTHORISED), "also when there are too many");
    }
}

/// What each filter lets through of one event per type.
#[test]
fn filters_let_through_what_they_name() {
    let server = Server::start(&people());
    let events = [
        playback("reader", "1"),
        json!({"type": "log", "data": {"level": "warn", "message": "m"}}),
        json!({"type": "scan", "data": {"library": "lib1", "state": "started"}}),
        json!({"type": "transcode", "data": {"id": "t", "user": "reader", "state": "start"}}),
        json!({"type": "transcode", "data": {"id": "t", "user": "reader", "state": "end"}}),
        json!({"type": "raw", "audience": "all", "data": {"dialect": "plex", "name": "provider.content.change", "payload": {"X": {}}}}),
    ];
    let all = ["playing", "log", "activity", "status", "transcodeSession.start", "transcodeSession.end", "provider.content.change"];
    let without = |names: &[&str]| all.into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>();
    let table = [
        ("", without(&["log"])),
        ("?filters=", without(&[])),
        ("?filters=-log", without(&["log"])),
        ("?filters=playing,log", vec!["playing", "log"]),
        ("?filters=playing%2Clog", vec!["playing", "log"]),
        ("?filters=-playing,status", without(&["playing", "status"])),
        ("?filters=-activity,log", without(&["activity", "log"])),
        ("?filters=status", vec!["status"]),
        ("?filters=activity", vec!["activity"]),
        ("?filters=transcodeSession.end", vec!["transcodeSession.end"]),
        ("?filters=transcodeSession", vec![]),
        ("?filters=provider.content.change", vec!["provider.content.change"]),
        ("?filter=playing&filter=status", vec!["playing", "status"]),
        ("?filter=-log&filter=playing", without(&["log", "playing"])),
        ("?filter=log&filters=playing", vec!["playing"]),
    ];
    let mut streams: Vec<_> = table.iter().map(|(query, _)| listen(&server, query, "root")).collect();
    let mut sockets: Vec<_> = table.iter().map(|(query, _)| socket(&server, query, "root")).collect();
    publish(&server, &events);
    // Whatever is filtered is not waited for: after everybody has what was due, nothing more has come.
    for ((query, expected), (sse, socket)) in table.iter().zip(streams.iter_mut().zip(&mut sockets)) {
        let told: Vec<String> = expected.iter().map(|_| sse.next_event(PATIENCE).expect("it is due").name).collect();
        assert_eq!(sorted(&told), sorted(expected), "{query}");
        let told: Vec<String> = expected.iter().map(|_| kind_of(&socket.next_text())).collect();
        assert_eq!(sorted(&told), sorted(expected), "{query}");
    }
    for ((query, _), (sse, socket)) in table.iter().zip(streams.iter_mut().zip(&mut sockets)) {
        assert_eq!(sse.next_event(Duration::from_millis(20)), None, "{query}");
        assert_eq!(socket.next_frame(Duration::from_millis(20)), None, "{query}");
    }
}

fn sorted<S: AsRef<str>>(names: &[S]) -> Vec<&str> {
    let mut names: Vec<_> = names.iter().map(AsRef::as_ref).collect();
    names.sort_unstable();
    names
}

fn kind_of(message: &str) -> String {
    let message: Value = serde_json::from_str(message).expect("JSON");
    message["NotificationContainer"]["type"].as_str().expect("a type").to_owned()
}

#[test]
fn the_content_type_is_what_the_client_can_read() {
    let server = Server::start(&people());
    for path in [EVENTS, SOCKET, "/:/websocket/notifications"] {
        let kind = |accept: &str| {
            let mut sse = Sse::ask(&server, &get(path, "reader").header("accept", accept));
            assert_eq!(sse.head().status, 200, "{path} {accept}");
            assert_eq!((sse.head().header("cache-control"), sse.head().header("content-length")), (Some("no-cache"), None));
            assert_eq!(sse.expect("ping").data, "{}", "{path} {accept}");
            sse.head().header("content-type").expect("a type").to_owned()
        };
        assert_eq!(kind("application/octet-stream"), "application/octet-stream", "{path}");
        assert_eq!(kind("text/event-stream"), "text/event-stream", "{path}");
        assert_eq!(kind("application/octet-stream, text/event-stream"), "text/event-stream", "{path}");
    }
    let anything = Sse::ask(&server, &get(EVENTS, "reader").header("accept", "*/*").header("accepts", "application/xml"));
    assert_eq!(anything.head().header("content-type"), Some("text/event-stream"));
    drop(anything);
    // Who asks a WebSocket's path for anything else did not mean a stream.
    for request in [get(SOCKET, "reader"), get(SOCKET, "reader").header("accept", "*/*")] {
        assert_eq!(request.send(&server).status, 400);
    }
    eventually("a place that was not taken is free", PATIENCE, || (server.metric("fanfare_connections") == 0.0).then_some(()));
}

#[test]
fn pings_come_and_a_client_that_says_nothing_at_all_is_closed() {
    // Whoever answers has an interval to do so before it is too late: long enough for a machine that is busy otherwise.
    let server = Server::start(&format!("{}\n[dialects.plex]\nping_interval = \"4s\"\n", people()));
    let mut sse = listen(&server, "", "reader");
    let (mut silent, mut alive) = (socket(&server, "", "reader"), socket(&server, "", "reader"));
    let started = Instant::now();
    assert_eq!(sse.expect("ping").data, "{}");
    while started.elapsed() < Duration::from_secs(12) {
        match alive.next_frame(PATIENCE) {
            // Not the ping's own payload: one client in wide use sends another.
            Some(Frame::Ping(_)) => alive.send(0xa, b"Hi!"),
            other => panic!("only pings are due, not {other:?}"),
        }
    }
    assert!(silent.ends(PATIENCE), "it answered no ping for twice the interval");
    publish(&server, &[sentinel()]);
    assert!(alive.next_text().contains("sentinel"));
    assert!(sse.before("sentinel").iter().all(|event| event.name == "ping"));
}

#[test]
fn what_clients_say_is_ignored_and_their_pings_are_answered() {
    let server = Server::start(&people());
    let mut socket = socket(&server, "", "reader");
    for second in 0..5 {
        socket.send(1, format!("2026-11-21 10:00:0{second}").as_bytes());
    }
    socket.send(9, b"are you there");
    assert_eq!(socket.next_frame(PATIENCE), Some(Frame::Pong(b"are you there".to_vec())));
    publish(&server, &[sentinel()]);
    assert!(socket.next_text().contains("sentinel"));
    socket.send(8, &1000_u16.to_be_bytes());
    assert_eq!(socket.next_frame(PATIENCE), Some(Frame::Close(Some(1000))));
    assert!(socket.ends(PATIENCE));
}

#[test]
fn a_full_server_opens_a_socket_and_closes_it_with_1013() {
    let server = Server::start(&format!("{}\n[limits]\nconnections = 1\n", people()));
    let _only = listen(&server, "", "reader");
    for mut socket in [WebSocket::ask(&server, get(SOCKET, "owner")), WebSocket::ask_later(&server, get(SOCKET, "owner"))] {
        assert_eq!(socket.head().status, 101);
        assert_eq!(socket.next_frame(PATIENCE), Some(Frame::Close(Some(1013))));
    }
    assert_eq!(WebSocket::ask(&server, Request::new("GET", SOCKET)).head().status, 401, "credentials are looked at first");
    let mut sse = Sse::ask(&server, &get(EVENTS, "owner").header("accept", "application/octet-stream"));
    assert_eq!((sse.head().status, sse.head().header("content-type")), (200, Some("application/octet-stream")));
    sse.expect_end(PATIENCE);
    assert_eq!(sse.retries().len(), 1, "{}", sse.raw());
}

#[test]
fn a_stop_is_told_with_1001_and_with_a_hint() {
    let mut server = Server::start(&people());
    let (mut sse, mut socket) = (listen(&server, "", "reader"), socket(&server, "", "reader"));
    assert!(server.stop().success());
    assert_eq!(socket.next_frame(PATIENCE), Some(Frame::Close(Some(1001))));
    sse.expect_end(PATIENCE);
    assert_eq!(sse.retries().len(), 1, "{}", sse.raw());
}

#[test]
fn the_list_of_connections_shows_what_a_client_says_of_itself() {
    let server = Server::start(&people());
    let named = get(&format!("{EVENTS}?X-Plex-Device-Name=Den%1b%5b2J"), "reader")
        .header("X-Plex-Product", "Plex Web")
        .header("X-Plex-Version", "4.145")
        .header("X-Plex-Platform", "Chrome")
        .header("user-agent", "agent/1");
    let (_sse, _socket) = (Sse::ask(&server, &named), socket(&server, "?X-Plex-Client-Identifier=abcd1234", "reader"));
    let clients = eventually("both are listed", PATIENCE, || {
        let listed = server.connections("").json();
        let mut clients: Vec<String> = listed["connections"]
            .as_array()?
            .iter()
            .map(|connection| connection["client"].as_str().unwrap_or_default().to_owned())
            .collect();
        clients.sort_unstable();
        (clients.len() == 2).then_some(clients)
    });
    assert_eq!(clients, ["Plex Web 4.145 (Chrome, Den[2J)", "Plex client (abcd1234)"]);
}

#[test]
fn the_dialect_or_its_plain_answers_can_be_switched_off() {
    let off = Server::start(&format!("{}\n[dialects.plex]\nenabled = false\n", people()));
    let streams_only = Server::start(&format!("{}\n[dialects.plex]\nrest = false\n", people()));
    for path in ["/", "/identity", "/activities", "/status/sessions"] {
        for server in [&off, &streams_only] {
            assert_eq!(get(path, "root").send(server).status, 404, "{path}");
        }
    }
    assert_eq!(get(EVENTS, "root").send(&off).status, 404);
    listen(&streams_only, "", "root");
}
