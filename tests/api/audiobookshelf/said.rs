//! What clients ask for: messages to all, the end of a scan.

use serde_json::{Value, json};

use super::{Client, publish, sentinel, start};
use crate::harness::{PATIENCE, Sse, token_of};

#[test]
fn an_administrators_message_reaches_everybody_and_nobody_elses_does() {
    let server = start();
    let (mut root, mut reader) = (Client::of(&server, "root"), Client::of(&server, "reader"));
    reader.emit("message_all_users", &json!({"message": "from anybody"}));
    reader.emit("ping", &Value::Null);
    reader.expect("pong");
    root.emit("message_all_users", &json!({"message": "Hello \"all\""}));
    root.emit("message_all_users", &json!({}));
    for client in [&mut root, &mut reader] {
        assert_eq!(client.expect("admin_message"), "Hello \"all\"");
        assert_eq!(client.expect("admin_message"), "");
    }
}

#[test]
fn a_scan_is_cancelled_for_administrators_of_the_server_and_of_the_library() {
    let server = start();
    let mut requests = Sse::open(&server, "/sse?events=request", &token_of("publisher"));
    let mut clients = ["reader", "libadmin", "root"].map(|who| Client::of(&server, who));
    publish(&server, &json!({"type": "scan", "data": {"library": "lib1", "id": "scan-1", "state": "started"}}));
    for (client, who) in clients.iter_mut().zip(["reader", "libadmin", "root"]) {
        let library = client.expect("task_started")["data"]["libraryId"].clone();
        assert_ne!(library, "lib1", "in the form of a UUID");
        for unknown in [json!("no such library"), json!(7), Value::Null] {
            client.emit("cancel_scan", &unknown);
        }
        client.emit("cancel_scan", &library);
        if who != "reader" {
            let request = requests.next_event(PATIENCE).expect("a request").json()["Request"].clone();
            assert_eq!(request, json!({"kind": "cancel-scan", "library": "lib1", "target": "scan-1", "user": who}));
        }
    }
    let mut late = Client::connect(&server, "/socket.io/");
    let scanning = late.auth("reader")["librariesScanning"].clone();
    assert_eq!(scanning.as_array().map(Vec::len), Some(1));
    publish(&server, &sentinel());
    assert_eq!(late.names_before_sentinel(), Vec::<String>::new());
    requests.expect_nothing(crate::harness::SILENCE);
}

#[test]
fn whoever_looks_for_covers_is_told_that_there_are_none_to_be_found() {
    let server = start();
    let mut client = Client::connect(&server, "/socket.io/");
    let whole = json!({"requestId": "r-\"1\"", "title": "A Book", "author": "Ann", "provider": "best"});
    let told = |client: &mut Client, asked: &Value| {
        client.emit("search_covers", asked);
        client.expect("cover_search_error")
    };
    assert_eq!(told(&mut client, &whole), json!({"requestId": "r-\"1\"", "error": "Unauthorized"}));
    client.auth("reader");
    assert_eq!(told(&mut client, &whole), json!({"requestId": "r-\"1\"", "error": "Cover search is not available"}));
    let lacking = json!({"requestId": "2", "error": "Invalid request parameters"});
    assert_eq!(told(&mut client, &json!({"requestId": "2", "title": ""})), lacking);
    for none in [json!({"title": "A Book"}), json!(7), Value::Null] {
        assert_eq!(told(&mut client, &none), json!({"error": "Invalid request parameters"}), "{none}");
    }
    client.emit("cancel_cover_search", &json!("2"));
    client.emit("ping", &Value::Null);
    client.expect("pong");
}
