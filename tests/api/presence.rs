//! Who is online: told by the engine to server admins, once for each user, whatever he is connected with.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{PATIENCE, PEOPLE, Request, SILENCE, Server, Sse, medias, token_of};

const NAMED: &str = r#"
[[users]]
id = "named"
name = "Somebody with a name"
token = "token-of-named-0123456789abcdef0123456789"
libraries = { lib1 = "read" }
"#;

fn presence(sse: &mut Sse) -> (String, serde_json::Value) {
    let told = sse.next_event(PATIENCE).expect("presence").json()["Presence"].clone();
    (told["state"].as_str().expect("a state").to_owned(), told["user"].clone())
}

#[test]
fn an_admin_is_told_of_the_first_connection_and_of_the_last_that_does_not_come_back() {
    let server = Server::start(&format!("{PEOPLE}{NAMED}"));
    let mut admin = Sse::open(&server, "/sse?events=presence", &token_of("root"));
    assert_eq!(presence(&mut admin), ("online".to_owned(), json!({"id": "root", "name": "root"})));
    let first = Sse::open(&server, "/sse", &token_of("named"));
    assert_eq!(presence(&mut admin), ("online".to_owned(), json!({"id": "named", "name": "Somebody with a name"})));
    // A second connection, and one that ends and comes back at once: he was there all the time.
    let websocket = Request::new("GET", "/:/websockets/notifications").header("x-plex-token", &token_of("named"));
    let second = crate::harness::WebSocket::ask(&server, websocket);
    assert_eq!(second.head().status, 101);
    drop(first);
    drop(second);
    admin.expect_nothing(SILENCE);
    let third = Sse::open(&server, "/sse", &token_of("named"));
    admin.expect_nothing(Duration::from_secs(6));
    let left = Instant::now();
    drop(third);
    assert_eq!(presence(&mut admin), ("offline".to_owned(), json!({"id": "named", "name": "Somebody with a name"})));
    assert!(left.elapsed() >= Duration::from_secs(4), "he might have come back");
}

#[test]
fn nobody_else_is_told_who_is_online_and_keys_are_nobody() {
    let server = Server::start(PEOPLE);
    let mut admin = Sse::open(&server, "/sse?events=presence,medias", &token_of("root"));
    presence(&mut admin);
    let mut others = ["reader", "libadmin", "guest"].map(|who| Sse::open(&server, "/sse?events=presence,medias", &token_of(who)));
    for _ in &others {
        assert_eq!(presence(&mut admin).0, "online");
    }
    let _key = Sse::ask(&server, &Request::new("GET", "/sse?events=medias").bearer(&token_of("publisher")));
    server.publish_all(&[medias("lib1", "m1")]);
    assert_eq!(admin.next_event(PATIENCE).expect("medias").name, "medias", "a key comes and goes unseen");
    for other in &mut others {
        if let Some(event) = other.next_event(SILENCE) {
            assert_eq!(event.name, "medias");
        }
    }
    let (status, body) =
        server.publish(&token_of("publisher"), &json!({"type": "presence", "data": {"state": "online", "user": {"id": "eve"}}}));
    assert!(status == 422 && body.contains("made by the engine"), "{status} {body}");
}
