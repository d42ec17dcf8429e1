//! RedSeat's twin: the fourteen events bare, with the rights of its other stream.

use serde_json::{Value, json};

use super::{Client, start};
use crate::{
    harness::{SILENCE, Server, token_of},
    rights,
};

fn twin(server: &Server, who: &str) -> Client {
    Client::connect_with(server, "/socket.io/", &json!({"token": token_of(who)}).to_string())
}

#[test]
fn a_client_is_told_who_it_is_by_whichever_name_its_token_comes() {
    let server = start();
    for name in ["token", "sharetoken", "key"] {
        let mut client = Client::connect_with(&server, "/socket.io/", &json!({name: token_of("reader")}).to_string());
        let (event, who) = client.next();
        let library = json!({"id": "lib1", "name": "Books", "type": "books", "roles": ["read"], "limits": {}});
        assert_eq!(
            (event.as_str(), &who["server"]["id"], &who["server"]["libraries"]),
            ("auth", &json!("reader"), &json!([library])),
            "{name}"
        );
    }
    let mut key = Client::connect_with(&server, "/socket.io/", &json!({"key": token_of("publisher")}).to_string());
    assert_eq!(key.next(), ("auth".to_owned(), json!("anonymous")));
    let root = twin(&server, "root").next().1;
    assert_eq!((&root["server"]["role"], &root["server"]["libraries"][0]["roles"]), (&json!("admin"), &json!(["read", "write", "admin"])));
    assert_eq!(twin(&server, "stranger").next().1["server"]["libraries"], json!([]));
}

#[test]
fn a_bad_token_is_put_out_of_the_namespace() {
    let server = start();
    for payload in [json!({"token": "nobody's"}), json!({"token": 7})] {
        let mut client = Client::connect_with(&server, "/socket.io/", &payload.to_string());
        assert_eq!(client.text(), "41", "{payload}");
    }
}

#[test]
fn every_event_reaches_exactly_those_the_table_of_the_other_stream_names() {
    let server = Server::start(crate::harness::PEOPLE);
    let mut clients = rights::EVERYBODY.map(|who| {
        let mut client = twin(&server, who);
        assert_eq!(client.next().0, "auth");
        client
    });
    for row in rights::table() {
        let kind = rights::name_of(row.name);
        server.publish_all(&[json!({"type": kind, "data": row.data})]);
        for (client, who) in clients.iter_mut().zip(rights::EVERYBODY) {
            if row.seen_by.contains(&who) {
                assert_eq!(client.next(), (kind.to_owned(), row.data.clone()), "{who}: {}", row.name);
            }
        }
    }
    for (client, who) in clients.iter_mut().zip(rights::EVERYBODY) {
        assert_eq!(client.0.next_frame(SILENCE / 3), None, "{who}");
    }
}

#[test]
fn what_its_clients_say_is_passed_over() {
    let server = start();
    let mut client = twin(&server, "reader");
    client.next();
    client.emit("auth", &json!(token_of("root")));
    client.emit("ping", &Value::Null);
    client.expect_nothing();
}
