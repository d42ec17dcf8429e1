//! A real Emby or Jellyfin server beside ours that is asked about its tokens: who gets in by it, how far, and that nobody
//! does when it fails.

use serde_json::{Value, json};

use crate::harness::{Answer, Launch, Manners, PATIENCE, PEOPLE, Request, Server, StandIn, WebSocket, eventually, medias, token_of};

const ADMIN: &str = "cAnArYadminadminadminadminadmin0";
const FRIEND: &str = "cAnArYfriendfriendfriendfriend00";
const CANARY: &str = "cAnArY";
const FRIENDS_ID: &str = "0123456789abcdef0123456789abcdef";
const LIB1: &str = "a656b907eb3a73532e40e44b968d0225";

const MANNERS: Manners = Manners { before_token: "authorization: MediaBrowser Token=", refusal: "" };

/// One that knows its administrator and its friend.
fn real() -> StandIn {
    StandIn::start(MANNERS, |_, token| match token {
        ADMIN => Some(admin()),
        FRIEND => Some(friend()),
        _ => None,
    })
}

fn admin() -> Value {
    let policy = json!({"IsAdministrator": true, "IsDisabled": false, "EnableAllFolders": true});
    json!({"Id": "f".repeat(32), "Name": "boss", "Policy": policy})
}

fn friend() -> Value {
    let policy = json!({"IsAdministrator": false, "IsDisabled": false, "EnableAllFolders": false, "EnabledFolders": [LIB1]});
    json!({"Id": FRIENDS_ID, "Name": "friend", "Policy": policy})
}

fn beside(real: &StandIn, auth: &str) -> Server {
    let libraries = format!("[[libraries]]\nid = \"lib1\"\nids = {{ mediabrowser = \"{LIB1}\" }}\n");
    let dialect = format!("[dialects.mediabrowser]\nserver = {:?}\nlibrary_quiet = \"100ms\"\n", real.address);
    let settings = format!("{dialect}[auth]\n{auth}\n{libraries}\n{PEOPLE}");
    Server::launch("127.0.0.1:0", &settings, Launch { log: "debug", ..Launch::default() })
}

fn authorization(token: &str) -> String {
    format!("MediaBrowser Client=\"c\", Device=\"d\", DeviceId=\"i-{}\", Version=\"1\", Token=\"{token}\"", token.len())
}

fn get(server: &Server, path: &str, token: &str) -> Answer {
    Request::new("GET", path).header("authorization", &authorization(token)).send(server)
}

fn socket(server: &Server, token: &str) -> WebSocket {
    WebSocket::ask(server, Request::new("GET", "/socket").header("authorization", &authorization(token)))
}

/// The items of the next digest of library changes.
fn next_items_added(socket: &mut WebSocket) -> Value {
    loop {
        let message: Value = serde_json::from_str(&socket.next_text()).expect("JSON");
        if message["MessageType"] == "LibraryChanged" {
            return message["Data"]["ItemsAdded"].clone();
        }
    }
}

fn publish(server: &Server, event: &Value) {
    let answer = Request::new("POST", "/api/events").bearer(&token_of("publisher")).json(event).send(server);
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn its_clients_are_who_it_says_and_see_what_it_lets_them_see() {
    let real = real();
    let server = beside(&real, "");
    let me = get(&server, "/Users/Me", FRIEND);
    assert_eq!((me.status, &me.json()["Id"]), (200, &FRIENDS_ID.into()), "{}", me.body);
    assert_eq!(get(&server, "/Users/Me", ADMIN).json()["Policy"]["IsAdministrator"], true);
    assert_eq!(get(&server, "/Users/Me", "nobodys0000000000000000000000000").status, 401);
    let mut friend = socket(&server, FRIEND);
    assert_eq!(friend.head().status, 101, "{:?}", friend.head());
    assert_eq!(socket(&server, "nobodys0000000000000000000000000").head().status, 403);
    let item = |digit: &str| digit.repeat(32);
    publish(&server, &medias("lib2", &item("2")));
    publish(&server, &medias("lib1", &item("1")));
    assert_eq!(next_items_added(&mut friend), json!([item("1")]), "and nothing of a library that is not his");
    assert_eq!((real.was_shown(FRIEND), real.was_shown(ADMIN)), (1, 1), "the answer is remembered");
}

#[test]
fn it_is_shown_its_own_clients_tokens_only_and_none_shows_up_anywhere() {
    let real = real();
    let server = beside(&real, "");
    assert_eq!(get(&server, "/Users/Me", &token_of("reader")).status, 200);
    assert_eq!(Request::new("GET", "/sse").bearer(FRIEND).send(&server).status, 401);
    assert_eq!(Request::new("GET", "/:/eventsource/notifications").header("x-plex-token", FRIEND).send(&server).status, 401);
    assert_eq!(real.shown(), Vec::<String>::new());
    let open = socket(&server, FRIEND);
    assert_eq!(open.head().status, 101);
    let root = |path: &str| Request::new("GET", path).bearer(&token_of("root")).send(&server);
    let connections = root("/api/connections");
    assert!(connections.body.contains(FRIENDS_ID) && !connections.body.contains(CANARY), "{}", connections.body);
    assert!(!server.log().contains(CANARY), "{}", server.log());
}

#[test]
fn open_sockets_follow_it_and_while_it_is_out_of_reach_nobody_new_comes_in() {
    let real = real();
    let server = beside(&real, "cache = \"1s\"\ntimeout = \"500ms\"");
    let mut open = socket(&server, FRIEND);
    assert_eq!(open.head().status, 101);
    real.go();
    assert_eq!(socket(&server, ADMIN).head().status, 403, "as when the server is full");
    assert_eq!(get(&server, "/Users/Me", ADMIN).status, 503);
    publish(&server, &medias("lib1", &"1".repeat(32)));
    assert_eq!(next_items_added(&mut open), json!(["1".repeat(32)]), "who is in stays in for a while");
    real.now_knows(|_, token| (token == ADMIN).then(admin));
    real.come_back();
    eventually("a socket whose token is refused is closed", PATIENCE, || {
        let connections = Request::new("GET", "/api/connections").bearer(&token_of("root")).send(&server).body;
        (!connections.contains(FRIENDS_ID)).then_some(())
    });
    assert_eq!(socket(&server, FRIEND).head().status, 403);
}
