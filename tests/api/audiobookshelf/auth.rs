//! Who a client is: it says so after it has connected, as often as it likes, and until then it is sent nothing.

use serde_json::{Value, json};

use super::{Client, people, publish, sentinel, start};
use crate::harness::{PATIENCE, Server, eventually, token_of};

#[test]
fn a_client_says_who_it_is_on_either_path_and_is_told_so() {
    let server = start();
    for path in ["/socket.io/", "/audiobookshelf/socket.io/"] {
        let mut client = Client::connect(&server, path);
        let init = client.auth("reader");
        let id = init["userId"].as_str().expect("an id");
        assert_eq!((id.len(), &init["username"], &init["librariesScanning"]), (36, &json!("reader"), &json!([])));
        assert_eq!(init.get("usersOnline"), None, "for administrators");
    }
}

#[test]
fn an_administrator_sees_himself_come_before_he_is_told_who_is_online() {
    let server = start();
    let _reader = Client::of(&server, "reader");
    let mut root = Client::connect(&server, "/socket.io/");
    root.emit("auth", &json!(token_of("root")));
    let (name, own) = root.next();
    assert_eq!((name.as_str(), &own["username"], &own["type"]), ("user_online", &json!("root"), &json!("admin")));
    assert_eq!((own.get("connections"), &own["session"], &own["mostRecent"]), (None, &Value::Null, &Value::Null));
    let (name, init) = root.next();
    assert_eq!(name, "init");
    let online = init["usersOnline"].as_array().expect("a list");
    let connections = |who: &str| online.iter().find(|user| user["username"] == who).map(|user| user["connections"].clone());
    assert_eq!((connections("root"), connections("reader")), (Some(json!(1)), Some(json!(1))), "{init}");
    // Who comes is told in the order of coming, so what follows shows that he is told of himself once.
    let _stream = crate::harness::Sse::open(&server, "/sse", &token_of("owner"));
    let (name, next) = root.next();
    assert_eq!((name.as_str(), &next["username"]), ("user_online", &json!("owner")));
    root.emit("auth", &json!(token_of("root")));
    assert_eq!((root.next().0, root.next().0), ("user_online".to_owned(), "init".to_owned()), "as often as he says who he is");
}

#[test]
fn a_bad_token_is_told_in_both_ways_and_the_client_may_try_again() {
    let server = start();
    let mut client = Client::connect(&server, "/socket.io/");
    for bad in [json!("nobody's"), json!(7), json!({"token": "x"}), Value::Null, json!(token_of("publisher"))] {
        client.emit("auth", &bad);
        assert_eq!(client.next(), ("auth_failed".to_owned(), json!({"message": "Invalid token"})), "{bad}");
        assert_eq!(client.next(), ("invalid_token".to_owned(), Value::Null), "{bad}");
    }
    client.emit("ping", &Value::Null);
    assert_eq!(client.text(), r#"42["pong"]"#);
    client.auth("reader");
    client.emit("auth", &json!("nobody's"));
    assert_eq!(client.next().0, "auth_failed");
    client.next();
    publish(&server, &sentinel());
    assert_eq!(client.names_before_sentinel(), Vec::<String>::new(), "whose it was it still is");
    assert_eq!(client.auth("owner")["username"], "owner");
    publish(&server, &json!({"type": "message", "data": {"text": "for the owner", "to": "user:owner"}}));
    assert_eq!(client.expect("admin_message"), "for the owner");
}

#[test]
fn nobody_is_sent_nothing_and_has_ten_seconds() {
    let server = start();
    let began = std::time::Instant::now();
    let mut client = Client::connect(&server, "/socket.io/");
    publish(&server, &sentinel());
    client.expect_nothing();
    for name in ["fetch_daily_logs", "message_all_users", "set_log_listener", "no such event"] {
        client.emit(name, &json!(2));
    }
    client.expect_nothing();
    assert_eq!(client.closes(), Some(1008));
    assert!(began.elapsed() > PATIENCE * 9 / 10, "{:?}", began.elapsed());
}

#[test]
fn a_user_who_is_disabled_is_closed_and_comes_in_no_more() {
    let server = start();
    let mut client = Client::of(&server, "reader");
    assert_eq!(server.put_principal("reader", &json!({"disabled": true})).status, 200);
    assert_eq!(client.closes(), Some(1008));
    let mut again = Client::connect(&server, "/socket.io/");
    again.emit("auth", &json!(token_of("reader")));
    assert_eq!(again.next(), ("auth_failed".to_owned(), json!({"message": "Invalid user"})));
    assert_eq!(again.next().0, "invalid_token");
}

#[test]
fn too_many_bad_tokens_are_refused_and_closed() {
    let server = Server::start(&format!("{}\n[limits]\nbad_tokens_per_minute = 3\n", people()));
    let mut client = Client::connect(&server, "/socket.io/");
    for _ in 0..4 {
        client.emit("auth", &json!("nobody's"));
    }
    assert_eq!(client.closes(), Some(1008));
}

#[test]
fn who_has_not_said_who_he_is_may_say_no_more_than_that() {
    let server = start();
    let long = |length: usize| json!("x".repeat(length - r#"42["ping",""]"#.len()));
    let mut client = Client::connect(&server, "/socket.io/");
    client.emit("ping", &long(16 * 1024));
    assert_eq!(client.text(), r#"42["pong"]"#);
    client.auth("reader");
    client.emit("ping", &long(60_000));
    assert_eq!(client.text(), r#"42["pong"]"#);
    let mut nobody = Client::connect(&server, "/socket.io/");
    nobody.emit("ping", &long(16 * 1024 + 1));
    assert_eq!(nobody.closes(), Some(1009), "as what is too long for anybody");
    let mut left = Client::of(&server, "reader");
    left.0.send(1, b"41");
    left.0.send(1, b"40");
    assert!(left.text().starts_with("40{"));
    left.emit("ping", &long(16 * 1024 + 1));
    assert_eq!(left.closes(), Some(1009), "and he is nobody again");
}

#[test]
fn a_client_that_leaves_the_namespace_is_nobody_until_it_says_again_who_it_is() {
    let server = start();
    let mut client = Client::of(&server, "reader");
    let is_online = || {
        let listed = server.connections("").json();
        listed["connections"].as_array().expect("a list").iter().any(|connection| connection["user"] == "reader")
    };
    assert!(is_online());
    client.0.send(1, b"41");
    eventually("the connection is nobody's", PATIENCE, || (!is_online()).then_some(()));
    publish(&server, &sentinel());
    client.expect_nothing();
    client.0.send(1, b"40");
    assert!(client.text().starts_with("40{"));
    client.auth("reader");
    publish(&server, &sentinel());
    client.names_before_sentinel();
    client.0.send(1, b"41");
    assert_eq!(client.closes(), Some(1008), "what is nobody's does not stay");
}

#[test]
fn a_connection_ends_with_the_token_it_was_opened_by() {
    let ends = std::time::SystemTime::now() + std::time::Duration::from_secs(4);
    let expires = jiff::Timestamp::try_from(ends).expect("a plausible clock");
    let brief = format!("[[tokens]]\ntoken = \"{}\"\nuser = \"reader\"\nexpires = \"{expires}\"\n", token_of("brief"));
    let server = Server::start(&format!("{}\n{brief}", people()));
    let mut client = Client::of(&server, "brief");
    publish(&server, &sentinel());
    client.names_before_sentinel();
    assert_eq!(client.closes(), Some(1008));
    let mut again = Client::connect(&server, "/socket.io/");
    again.emit("auth", &json!(token_of("brief")));
    assert_eq!(again.next().0, "auth_failed", "and comes in no more by it");
}
