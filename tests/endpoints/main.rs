//! Plain endpoints on the real server, with a dialect of the test's own: how paths find them, who is answered, what a call
//! brings about, and who logs in and out.
#![allow(clippy::expect_used, reason = "a test says what it expects")]

mod spoken;

use std::time::Duration;

use serde_json::{Value, json};
use spoken::{ROOT, Server};

/// How long a test waits for something that must happen; used up only by a failure.
const PATIENCE: Duration = Duration::from_secs(10);

fn json_of(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {body}"))
}

/// The token of a log-in that must succeed.
fn token(server: &Server, name: &str, device: &str) -> String {
    let (status, said) = server.log_in(name, &format!("{}'s", name.to_lowercase()), device);
    assert_eq!(status, 200, "{said}");
    said["token"].as_str().expect("a token").to_owned()
}

#[test]
fn an_endpoint_is_found_in_any_case_behind_a_prefix_and_with_its_parts_decoded() {
    let server = Server::start("");
    for path in ["/Who/a%20b%2Fc", "/WHO/a%20b%2fc", "/before/who/a%20b%2Fc", "/BEFORE/Who/a%20b%2Fc/"] {
        let (status, _, body) = server.ask("GET", path, &[], b"");
        assert_eq!((status, &json_of(&body)["parts"]), (200, &json!(["a b/c"])), "{path}");
        assert_eq!(json_of(&body)["at"], "/Who/{id}");
    }
    assert_eq!(json_of(&server.call("GET", "/who/me", ROOT).1)["at"], "/Who/Me");
    for path in ["/Who", "/Who/", "/Who/a/b", "/behind/Who/a", "/before/before/Who/a"] {
        assert_eq!(server.ask("GET", path, &[], b"").0, 404, "{path}");
    }
}

#[test]
fn a_method_that_is_not_there_is_405_and_pages_of_other_origins_are_told_what_they_may() {
    let server = Server::start("");
    let (status, head, _) = server.ask("PUT", "/who/x", &[], b"");
    assert!(status == 405 && head.contains("\r\nallow: delete, get"), "{head}");
    let (status, head, _) = server.ask("OPTIONS", "/before/who/x", &["Origin: https://a.example"], b"");
    assert!(status == 204 && head.contains("access-control-allow-methods: ") && head.contains("access-control-allow-origin: *"), "{head}");
    let (_, head, _) = server.ask("GET", "/open", &["Origin: https://a.example"], b"");
    assert!(head.contains("access-control-allow-origin: *"), "{head}");
    assert_eq!(server.ask("OPTIONS", "/nowhere", &[], b"").0, 404);
}

#[test]
fn who_calls_is_known_as_far_as_the_endpoint_asks() {
    let server = Server::start("");
    for (path, token, expected) in [
        ("/open", "wrong", 200),
        ("/who/x", "wrong", 401),
        ("/who/me", "wrong", 401),
        ("/open", ROOT, 200),
        ("/who/x", ROOT, 200),
        ("/who/me", ROOT, 200),
    ] {
        assert_eq!(server.call("GET", path, token).0, expected, "{path} {token}");
    }
    assert_eq!(server.ask("GET", "/who/me", &[], b"").0, 401);
    let user = |path: &str| json_of(&server.call("GET", path, ROOT).1)["user"].clone();
    assert_eq!((user("/open"), user("/who/x")), (Value::Null, json!("root")));
}

#[test]
fn a_body_is_read_whole_and_no_further_than_allowed() {
    let server = Server::start("[limits]\nbody_bytes = \"128KiB\"\nevent_bytes = \"64KiB\"");
    let say = |token: &str, body: &[u8]| server.ask("POST", "/say/root/loud/x", &[&format!("Token: {token}")], body).0;
    let mut heard = server.hear(ROOT);
    assert_eq!(heard.next().as_deref(), Some("welcome"));
    assert_eq!(say(ROOT, &[b'a'; 40_000]), 204);
    assert!(heard.next().expect("a line").len() > 40_000);
    assert_eq!(say(ROOT, &vec![b'a'; 128 * 1024 + 1]), 413);
    assert_eq!(say("wrong", &vec![b'a'; 1024]), 401);
    let strangers = format!("{{\"name\":\"{}\"}}", "a".repeat(64 * 1024));
    assert_eq!(server.ask("POST", "/log/in", &[], strangers.as_bytes()).0, 413);
    assert_eq!(server.ask("POST", "/log/in", &["Content-Encoding: gzip"], b"x").0, 415);
}

#[test]
fn what_a_call_publishes_is_told_to_those_it_is_for() {
    let server = Server::start("");
    let (bob, ann) = (token(&server, "bob", "tv"), token(&server, "ann", "tv"));
    let (mut to_bob, mut to_ann) = (server.hear(&bob), server.hear(&ann));
    assert_eq!(server.ask("POST", "/say/bob/loud/very", &[&format!("Token: {ann}")], b"hello").0, 204);
    assert_eq!(server.ask("POST", "/say/ann/loud/not", &[&format!("Token: {ann}")], b"at all").0, 204);
    assert_eq!((to_bob.next().as_deref(), to_bob.next().as_deref()), (Some("welcome"), Some(r#"{"text":"very hello"}"#)));
    assert_eq!((to_ann.next().as_deref(), to_ann.next().as_deref()), (Some("welcome"), Some(r#"{"text":"not at all"}"#)));
}

#[test]
fn a_log_in_gives_a_token_that_is_bound_to_its_device_and_survives_a_restart() {
    let server = Server::start("");
    let (_, said) = server.log_in("BOB", "bob's", "tv");
    assert_eq!((&said["name"], &said["user"]), (&json!("Bob"), &json!("bob")));
    let token = said["token"].as_str().expect("a token").to_owned();
    let device = json!({"client": "Player", "id": "tv", "name": "TV", "version": "1"});
    let server = server.restart();
    let me = json_of(&server.call("GET", "/who/me", &token).1);
    assert_eq!((&me["user"], &me["device"]), (&json!("bob"), &device));
    assert_eq!(json_of(&server.call("GET", "/who/me", ROOT).1)["device"], Value::Null);
    assert_eq!(server.ask("GET", "/sse", &[&format!("Authorization: Bearer {token}x")], b"").0, 401);
}

#[test]
fn logging_out_ends_the_token_and_the_streams_that_came_by_it_and_no_others() {
    let server = Server::start("");
    let (tv, phone) = (token(&server, "bob", "tv"), token(&server, "bob", "phone"));
    let (mut on_tv, mut on_phone) = (server.hear(&tv), server.hear(&phone));
    assert_eq!((on_tv.next().as_deref(), on_phone.next().as_deref()), (Some("welcome"), Some("welcome")));
    assert_eq!(server.call("POST", "/log/out", &tv).0, 204);
    assert_eq!(on_tv.next(), None, "the stream has ended");
    assert_eq!((server.call("GET", "/who/me", &tv).0, server.call("POST", "/log/out", &tv).0), (401, 401));
    server.ask("POST", "/say/bob/loud/x", &[&format!("Token: {phone}")], b"y");
    assert_eq!(on_phone.next().as_deref(), Some(r#"{"text":"x y"}"#));
    assert_eq!(server.call("POST", "/log/out", ROOT).0, 204, "a token of the settings is left as it is");
    assert_eq!(server.call("GET", "/who/me", ROOT).0, 200);
}

#[test]
fn another_log_in_on_the_device_and_a_revocation_end_open_streams() {
    let server = Server::start("");
    let first = token(&server, "bob", "tv");
    let mut hears = server.hear(&first);
    assert_eq!(hears.next().as_deref(), Some("welcome"));
    let second = token(&server, "bob", "tv");
    assert_eq!(hears.next(), None);
    assert_eq!((server.call("GET", "/who/me", &first).0, server.call("GET", "/who/me", &second).0), (401, 200));
    let mut hears = server.hear(&second);
    assert_eq!(hears.next().as_deref(), Some("welcome"));
    let root = format!("Authorization: Bearer {ROOT}");
    assert_eq!(server.ask("PUT", "/api/principals/bob", &[&root], br#"{"revoke_tokens":true}"#).0, 200);
    assert_eq!(hears.next(), None);
    assert_eq!(server.call("GET", "/who/me", &second).0, 401);
    assert_eq!(server.call("GET", "/who/me", &token(&server, "bob", "tv")).0, 200);
}

#[test]
fn wrong_passwords_are_counted_by_address_and_right_ones_are_not() {
    let server = Server::start("[limits]\nbad_tokens_per_minute = 3");
    for _ in 0..6 {
        token(&server, "bob", "tv");
    }
    for (name, password) in [("bob", "wrong"), ("nobody", "bob's"), ("ann", "")] {
        assert_eq!(server.log_in(name, password, "tv").0, 401);
    }
    assert_eq!(server.log_in("bob", "bob's", "tv").0, 429, "not even the right one is compared now");
}
