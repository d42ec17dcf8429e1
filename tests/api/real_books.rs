//! A real Audiobookshelf beside ours that is asked about its tokens: who gets in by it over HTTP and on a socket, how far, and
//! that nobody does when it fails.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::harness::{Answer, Frame, Launch, PATIENCE, PEOPLE, Request, Server, WebSocket, token_of};

/// `{"alg":"HS256","typ":"JWT"}` and what the real server signs: `{"userId":"f","username":"friend","type":"access"}`.
const FRIEND: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VySWQiOiJmIiwidXNlcm5hbWUiOiJmcmllbmQiLCJ0eXBlIjoiYWNjZXNzIn0.cAnArY";
/// `{"userId":"g"}`.
const NOBODY: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VySWQiOiJnIn0.cAnArY";
const CANARY: &str = "cAnArY";
const FRIENDS_ID: &str = "0f6a9c0b-3d3e-4a52-9d0b-0d6f3f0b1c2d";
const LIB1: &str = "c30c1edc-8df0-4713-a7f1-f1373f6db8e9";

/// What the stand-in does.
#[derive(Debug, Clone, Default)]
struct State {
    /// Whether it still knows its friend.
    has_friend: bool,
    /// Whether it hangs up instead of answering.
    is_gone: bool,
    /// Every token it was shown.
    shown: Vec<String>,
}

struct RealServer {
    address: String,
    state: Arc<Mutex<State>>,
}

impl RealServer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let state = Arc::new(Mutex::new(State { has_friend: true, ..State::default() }));
        let for_calls = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&for_calls);
                thread::spawn(move || serve(stream, &state));
            }
        });
        Self { address, state }
    }

    fn server(&self, auth: &str) -> Server {
        let libraries = format!("[[libraries]]\nid = \"lib1\"\nkind = \"books\"\nids = {{ audiobookshelf = \"{LIB1}\" }}\n");
        let dialect = format!("[dialects.audiobookshelf]\nserver = {:?}\n", self.address);
        let settings = format!("{dialect}[auth]\n{auth}\n{libraries}\n{PEOPLE}");
        Server::launch("127.0.0.1:0", &settings, Launch { log: "debug", ..Launch::default() })
    }

    fn n_shown(&self) -> usize {
        self.state.lock().shown.len()
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) {
    let lines = BufReader::new(stream.try_clone().expect("a socket")).lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let token = head.iter().find_map(|line| line.strip_prefix("authorization: Bearer ")).unwrap_or_default();
    let mut state = state.lock();
    state.shown.push(token.to_owned());
    if state.is_gone {
        return;
    }
    let permissions = json!({"accessAllLibraries": false, "accessAllTags": true, "accessExplicitContent": true});
    let friend = json!({"id": FRIENDS_ID, "username": "friend", "type": "user", "isActive": true, "permissions": permissions,
        "librariesAccessible": [LIB1], "itemTagsSelected": []});
    let (status, body) =
        if token == FRIEND && state.has_friend { (200, json!({"user": friend}).to_string()) } else { (401, "Unauthorized".to_owned()) };
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _caller_may_have_gone = { stream }.write_all(format!("{head}{body}").as_bytes());
}

fn authorize(server: &Server, token: &str) -> Answer {
    Request::new("POST", "/api/authorize").bearer(token).body("").send(server)
}

/// A Socket.IO client that has shown a token, and what it was told then.
fn socket(server: &Server, token: &str) -> (WebSocket, String) {
    let mut socket = WebSocket::ask(server, Request::new("GET", "/audiobookshelf/socket.io/?EIO=4&transport=websocket"));
    assert!(socket.next_text().starts_with("0{"));
    socket.send(1, b"40");
    assert!(socket.next_text().starts_with("40{"));
    socket.send(1, format!("42{}", json!(["auth", token])).as_bytes());
    let said = match socket.next_frame(PATIENCE) {
        Some(Frame::Text(said)) => said,
        other => format!("{other:?}"),
    };
    (socket, said)
}

fn book(library: &str, id: &str) -> Value {
    json!({"type": "medias", "data": {"library": library, "medias": [{"action": "Added", "media": {"id": id, "name": id, "type": "book"}}]}})
}

#[test]
fn its_clients_are_who_it_says_and_see_what_it_lets_them_see() {
    let real = RealServer::start();
    let server = real.server("");
    let user = authorize(&server, FRIEND).json()["user"].clone();
    assert_eq!((&user["id"], &user["username"], &user["librariesAccessible"]), (&json!(FRIENDS_ID), &json!("friend"), &json!([LIB1])));
    assert_eq!(authorize(&server, NOBODY).status, 401);
    let (mut friend, said) = socket(&server, FRIEND);
    assert!(said.starts_with(&format!(r#"42["init",{{"userId":"{FRIENDS_ID}","username":"friend""#)), "as it calls him: {said}");
    assert!(socket(&server, NOBODY).1.starts_with(r#"42["auth_failed""#));
    for (library, id) in [("lib2", "other"), ("lib1", "own")] {
        let (status, body) = server.publish(&token_of("publisher"), &book(library, id));
        assert_eq!(status, 200, "{body}");
    }
    let told = friend.next_text();
    assert!(told.starts_with(r#"42["item_added""#) && told.contains(LIB1), "and nothing of a library that is not his: {told}");
    assert_eq!(real.n_shown(), 2, "the answers are remembered");
    // It is shown tokens of its own clients only, and none of them shows up anywhere.
    assert_eq!(authorize(&server, &token_of("reader")).status, 200);
    assert_eq!(Request::new("GET", "/sse").bearer(FRIEND).send(&server).status, 401);
    assert_eq!(Request::new("GET", &format!("/Users/Me?ApiKey={FRIEND}")).send(&server).status, 401);
    assert_eq!(real.n_shown(), 2);
    let connections = server.connections("").body;
    assert!(connections.contains(FRIENDS_ID) && !connections.contains(CANARY), "{connections}");
    assert!(!server.log().contains(CANARY), "{}", server.log());
}

#[test]
fn administrators_are_told_the_name_it_has_for_a_user_the_settings_do_not_have() {
    let real = RealServer::start();
    let server = real.server("");
    let (mut root, said) = socket(&server, &token_of("root"));
    assert!(said.starts_with(r#"42["user_online""#), "{said}");
    let (_friend, _) = socket(&server, FRIEND);
    let is_friends = |text: &String| text.starts_with(r#"42["user_online""#) && text.contains(FRIENDS_ID);
    let told = std::iter::repeat_with(|| root.next_text()).find(is_friends).expect("he is told of");
    assert!(told.contains(r#""username":"friend""#), "{told}");
    let (mut other, _) = socket(&server, &token_of("root"));
    let init = std::iter::repeat_with(|| other.next_text()).find(|text| text.starts_with(r#"42["init""#)).expect("told");
    assert!(init.contains(r#""username":"friend""#), "{init}");
}

#[test]
fn open_sockets_follow_it_and_while_it_is_out_of_reach_nobody_new_comes_in() {
    let real = RealServer::start();
    let server = real.server("cache = \"1s\"\ntimeout = \"500ms\"");
    let (mut open, said) = socket(&server, FRIEND);
    assert!(said.starts_with(r#"42["init""#), "{said}");
    real.state.lock().is_gone = true;
    assert_eq!(authorize(&server, NOBODY).status, 503);
    assert_eq!(socket(&server, NOBODY).1, "Some(Close(Some(1013)))");
    let (status, body) = server.publish(&token_of("publisher"), &book("lib1", "own"));
    assert_eq!(status, 200, "{body}");
    assert!(open.next_text().starts_with(r#"42["item_added""#), "who is in stays in for a while");
    *real.state.lock() = State::default();
    loop {
        match open.next_frame(PATIENCE) {
            Some(Frame::Text(ping)) if ping == "2" => open.send(1, b"3"),
            Some(Frame::Close(_)) => break,
            Some(_) => {}
            None => panic!("a socket whose token is refused is closed"),
        }
    }
    assert!(socket(&server, FRIEND).1.starts_with(r#"42["auth_failed""#));
}
