//! A real Plex server beside ours that is asked about tokens: who gets in by it, how far, and that nobody does when it fails.

use std::time::Duration;

use serde_json::{Value, json};

use super::{EVENTS, SOCKET, UNAUTHORISED, people, playback, publish, sentinel};
use crate::harness::{Frame, Launch, Manners, PATIENCE, Request, Server, Sse, StandIn, WebSocket, eventually, medias, token_of};

const OWNER: &str = "cAnArY-owner-of-plex";
const FRIEND: &str = "cAnArY-friend-of-plex";
const CANARY: &str = "cAnArY";

const MANNERS: Manners = Manners { before_token: "x-plex-token: ", refusal: UNAUTHORISED };

/// One that knows its owner, and a friend who sees the section that is `lib1` here.
fn plex() -> StandIn {
    StandIn::start(MANNERS, |path, token| match token {
        OWNER => of_owner(path),
        FRIEND => sections(path, json!([{"key": "7", "type": "movie"}])),
        _ => None,
    })
}

/// What an administrator may see.
fn of_owner(path: &str) -> Option<Value> {
    let settings = (path == "/:/prefs").then(|| json!({"MediaContainer": {"Setting": []}}));
    settings.or_else(|| sections(path, json!([{"key": "1"}, {"key": "7"}])))
}

fn sections(path: &str, sections: Value) -> Option<Value> {
    (path == "/library/sections").then(|| json!({"MediaContainer": {"Directory": sections}}))
}

fn beside(plex: &StandIn, auth: &str, launch: Launch) -> Server {
    let libraries = "[[libraries]]\nid = \"lib1\"\nids = { plex = \"7\" }\n[[libraries]]\nid = \"lib2\"\nids = { plex = \"1\" }\n";
    let settings = format!("[dialects.plex]\nserver = {:?}\n[auth]\n{auth}\n{libraries}\n{}", plex.address, people());
    Server::launch("127.0.0.1:0", &settings, launch)
}

fn get(path: &str, token: &str) -> Request {
    Request::new("GET", path).header("X-Plex-Token", token)
}

fn listen(server: &Server, token: &str) -> Sse {
    let mut sse = Sse::ask(server, &get(EVENTS, token));
    assert_eq!(sse.head().status, 200, "{:?}", sse.head());
    assert_eq!(sse.expect("ping").data, "{}");
    sse
}

/// The names of the notifications before the sentinel.
fn told(stream: &mut Sse) -> Vec<String> {
    let before = stream.before("sentinel");
    before.into_iter().map(|event| event.name).filter(|name| name != "ping").collect()
}

#[test]
fn clients_of_the_plex_server_see_what_it_lets_them_see() {
    let plex = plex();
    let server = beside(&plex, "cache_refusals = \"60s\"", Launch::default());
    let (mut owner, mut friend) = (listen(&server, OWNER), listen(&server, FRIEND));
    let mut socket = WebSocket::ask(&server, get(SOCKET, FRIEND));
    assert_eq!(socket.head().status, 101, "{:?}", socket.head());
    let later = WebSocket::ask_later(&server, Request::new("GET", &format!("{SOCKET}?X-Plex-Token={OWNER}")));
    assert_eq!(later.head().status, 101, "{:?}", later.head());
    let of_admin = json!({"type": "preference", "data": {"id": "FriendlyName", "value": "Den"}});
    publish(&server, &[medias("lib2", "8"), medias("lib1", "9"), medias("lib3", "10"), playback("reader", "1"), of_admin, sentinel()]);
    let of_owner = told(&mut owner);
    assert!(of_owner.contains(&"playing".to_owned()) && of_owner.contains(&"preference".to_owned()), "{of_owner:?}");
    assert!(of_owner.iter().filter(|name| *name == "timeline").count() >= 3, "{of_owner:?}");
    let of_friend = told(&mut friend);
    assert!(!of_friend.is_empty() && of_friend.iter().all(|name| name == "timeline"), "{of_friend:?}");
    let first: Value = serde_json::from_str(&socket.next_text()).expect("JSON");
    assert_eq!(first["NotificationContainer"]["TimelineEntry"][0]["itemID"], "9");
    // Its plain endpoints know them, too, and nothing else does.
    assert_eq!(get("/status/sessions", OWNER).send(&server).status, 200);
    assert_eq!(get("/", FRIEND).send(&server).status, 200);
    for path in ["/sse", "/api/connections"] {
        assert_eq!(Request::new("GET", path).bearer(OWNER).send(&server).status, 401, "{path}");
    }
    for path in [EVENTS, SOCKET, "/", "/activities"] {
        let answer = get(path, "of-nobody").send(&server);
        assert_eq!((answer.status, answer.body.as_str()), (401, UNAUTHORISED), "{path}");
    }
    // Two calls each, and refusals count for a while.
    assert_eq!((plex.was_shown(OWNER), plex.was_shown(FRIEND), plex.was_shown("of-nobody")), (2, 2, 1));
}

#[test]
fn the_plex_server_is_shown_nobody_elses_tokens() {
    let plex = plex();
    let server = beside(&plex, "", Launch::default());
    drop((listen(&server, &token_of("reader")), WebSocket::ask(&server, get(SOCKET, &token_of("root")))));
    assert_eq!(get("/", &token_of("reader")).send(&server).status, 200);
    assert_eq!(Request::new("GET", "/sse").bearer("of-another-protocol").send(&server).status, 401);
    assert_eq!(server.publish("of-a-publisher", &medias("lib1", "1")).0, 401);
    assert!(plex.shown().is_empty(), "{:?}", plex.shown());
}

#[test]
fn while_the_plex_server_is_out_of_reach_clients_are_told_to_come_back() {
    let plex = plex();
    let server = beside(&plex, "", Launch::default());
    plex.go();
    for mut socket in [WebSocket::ask(&server, get(SOCKET, OWNER)), WebSocket::ask_later(&server, get(SOCKET, OWNER))] {
        assert_eq!(socket.head().status, 101, "some clients never come back from a refused handshake");
        assert_eq!(socket.next_frame(PATIENCE), Some(Frame::Close(Some(1013))));
    }
    let mut sse = Sse::ask(&server, &get(EVENTS, OWNER));
    assert_eq!(sse.head().status, 200);
    sse.expect_end(PATIENCE);
    assert!(sse.retries().len() == 1 && !sse.raw().contains("data:"), "{:?}", sse.raw());
    assert_eq!(get("/", OWNER).send(&server).status, 503);
    let mut known = listen(&server, &token_of("reader"));
    publish(&server, &[sentinel()]);
    known.expect("sentinel");
    plex.come_back();
    drop(listen(&server, OWNER));
}

#[test]
fn open_streams_follow_the_plex_server_and_end_when_it_refuses() {
    let plex = plex();
    let server = beside(&plex, "cache = \"1s\"", Launch::default());
    let (mut friend, mut owner) = (listen(&server, FRIEND), listen(&server, OWNER));
    let mut socket = WebSocket::ask(&server, get(SOCKET, FRIEND));
    plex.now_knows(|path, token| match token {
        OWNER => of_owner(path),
        FRIEND => sections(path, json!([{"key": "1"}])),
        _ => None,
    });
    eventually("the other library is seen", PATIENCE, || {
        publish(&server, &[medias("lib2", "8"), sentinel()]);
        told(&mut friend).contains(&"timeline".to_owned()).then_some(())
    });
    plex.now_knows(|path, token| (token == OWNER).then(|| of_owner(path))?);
    while friend.next_event(Duration::from_secs(5)).is_some() {}
    friend.expect_end(PATIENCE);
    let code = loop {
        match socket.next_frame(PATIENCE) {
            Some(Frame::Close(code)) => break code,
            Some(_) => {}
            None => panic!("a close is due"),
        }
    };
    assert_eq!(code, Some(1008), "coming back with this token is pointless");
    publish(&server, &[playback("reader", "1")]);
    eventually("who is still known is still told", PATIENCE, || (owner.next_event(PATIENCE)?.name == "playing").then_some(()));
    assert_eq!(get(EVENTS, FRIEND).send(&server).status, 401);
}

#[test]
fn a_token_the_plex_server_is_asked_about_is_in_no_log_and_no_list() {
    let plex = plex();
    let mut server = beside(&plex, "cache = \"1s\"", Launch { log: "trace", ..Launch::default() });
    let (_sse, _socket) = (listen(&server, OWNER), WebSocket::ask(&server, get(SOCKET, FRIEND)));
    let n_before = plex.was_shown(OWNER);
    eventually("it is asked again", PATIENCE, || (plex.was_shown(OWNER) > n_before).then_some(()));
    plex.go();
    assert_eq!(get("/", "cAnArY-new").send(&server).status, 503);
    let listed = server.connections("").body;
    assert!(!listed.contains(CANARY), "{listed}");
    assert!(!server.metrics().contains(CANARY));
    server.stop();
    let log = server.log();
    assert!(log.contains("the Plex server cannot be used") && log.contains("TRACE"), "the log is a full one");
    if let Some(line) = log.lines().find(|line| line.to_ascii_lowercase().contains(&CANARY.to_ascii_lowercase())) {
        panic!("{line}");
    }
}
