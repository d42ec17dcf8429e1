//! A real Audiobookshelf beside ours that is asked about its tokens: who gets in by it over HTTP and on a socket, how far, and
//! that nobody does when it fails.

use serde_json::{Value, json};

use crate::harness::{Answer, Frame, Launch, Manners, PATIENCE, PEOPLE, Request, Server, StandIn, WebSocket, token_of};

/// `{"alg":"HS256","typ":"JWT"}` and what the real server signs: `{"userId":"f","username":"friend","type":"access"}`.
const FRIEND: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VySWQiOiJmIiwidXNlcm5hbWUiOiJmcmllbmQiLCJ0eXBlIjoiYWNjZXNzIn0.cAnArY";
/// `{"userId":"g"}`.
const NOBODY: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VySWQiOiJnIn0.cAnArY";
const CANARY: &str = "cAnArY";
const FRIENDS_ID: &str = "0f6a9c0b-3d3e-4a52-9d0b-0d6f3f0b1c2d";
const LIB1: &str = "c30c1edc-8df0-4713-a7f1-f1373f6db8e9";

const MANNERS: Manners = Manners { before_token: "authorization: Bearer ", refusal: "Unauthorized" };

/// One that knows its friend.
fn real() -> StandIn {
    StandIn::start(MANNERS, |_, token| (token == FRIEND).then(friend))
}

fn friend() -> Value {
    let permissions = json!({"accessAllLibraries": false, "accessAllTags": true, "accessExplicitContent": true});
    json!({"user": {"id": FRIENDS_ID, "username": "friend", "type": "user", "isActive": true, "permissions": permissions,
        "librariesAccessible": [LIB1], "itemTagsSelected": []}})
}

fn beside(real: &StandIn, auth: &str) -> Server {
    let libraries = format!("[[libraries]]\nid = \"lib1\"\nkind = \"books\"\nids = {{ audiobookshelf = \"{LIB1}\" }}\n");
    let dialect = format!("[dialects.audiobookshelf]\nserver = {:?}\n", real.address);
    let settings = format!("{dialect}[auth]\n{auth}\n{libraries}\n{PEOPLE}");
    Server::launch("127.0.0.1:0", &settings, Launch { log: "debug", ..Launch::default() })
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
    let real = real();
    let server = beside(&real, "");
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
    assert_eq!(real.shown().len(), 2, "the answers are remembered");
    // It is shown tokens of its own clients only, and none of them shows up anywhere.
    assert_eq!(authorize(&server, &token_of("reader")).status, 200);
    assert_eq!(Request::new("GET", "/sse").bearer(FRIEND).send(&server).status, 401);
    assert_eq!(Request::new("GET", &format!("/Users/Me?ApiKey={FRIEND}")).send(&server).status, 401);
    assert_eq!(real.shown().len(), 2);
    let connections = server.connections("").body;
    assert!(connections.contains(FRIENDS_ID) && !connections.contains(CANARY), "{connections}");
    assert!(!server.log().contains(CANARY), "{}", server.log());
}

#[test]
fn administrators_are_told_the_name_it_has_for_a_user_the_settings_do_not_have() {
    let real = real();
    let server = beside(&real, "");
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
    let real = real();
    let server = beside(&real, "cache = \"1s\"\ntimeout = \"500ms\"");
    let (mut open, said) = socket(&server, FRIEND);
    assert!(said.starts_with(r#"42["init""#), "{said}");
    real.go();
    assert_eq!(authorize(&server, NOBODY).status, 503);
    assert_eq!(socket(&server, NOBODY).1, "Some(Close(Some(1013)))");
    let (status, body) = server.publish(&token_of("publisher"), &book("lib1", "own"));
    assert_eq!(status, 200, "{body}");
    assert!(open.next_text().starts_with(r#"42["item_added""#), "who is in stays in for a while");
    real.now_knows(|_, _| None);
    real.come_back();
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
