//! A change of rights acts before the call that made it answers, whatever happens at the same time.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use serde_json::json;

use crate::harness::{Answer, PEOPLE, Request, SILENCE, Server, Sse, connect, medias, progress_of, token_of};

fn accepted(answer: &Answer) {
    assert!((200..300).contains(&answer.status), "{} {}", answer.status, answer.body);
}

/// Whether this media came before the sentinel, on a stream of `guest`.
fn saw(events: &[crate::harness::SseEvent], id: &str) -> bool {
    events.iter().any(|event| event.data.contains(&format!("\"{id}\"")))
}

#[test]
fn granted_rights_count_at_once_for_a_stream_that_is_open() {
    let server = Server::start(PEOPLE);
    let mut sse = Sse::open(&server, "/sse", &token_of("guest"));
    server.publish_all(&[medias("lib1", "before")]);
    accepted(&server.put_principal("guest", &json!({"libraries": {"lib1": "read"}})));
    server.publish_all(&[medias("lib1", "after")]);
    let event = sse.expect("medias");
    assert!(event.data.contains("\"after\""), "{}", event.data);
}

#[test]
fn nothing_accepted_after_a_revocation_reaches_the_user() {
    let server = Server::start(PEOPLE);
    let mut filtered = Sse::open(&server, "/sse?libraries=lib1", &token_of("reader"));
    let mut plain = Sse::open(&server, "/sse", &token_of("reader"));
    let mut other = Sse::open(&server, "/sse", &token_of("owner"));
    server.publish_all(&[medias("lib1", "before")]);
    for sse in [&mut filtered, &mut plain] {
        assert!(sse.expect("medias").data.contains("\"before\""));
    }
    accepted(&server.put_principal("reader", &json!({"libraries": {}})));
    server.publish_all(&[medias("lib1", "after"), progress_of("reader", "sentinel")]);
    for sse in [&mut filtered, &mut plain] {
        assert!(!saw(&sse.before("sentinel"), "after"));
    }
    assert!(other.expect("medias").data.contains("\"before\""));
    assert!(other.expect("medias").data.contains("\"after\""), "another user's rights are his own");
}

#[test]
fn a_deleted_grant_is_gone_when_the_call_answers() {
    let server = Server::start(PEOPLE);
    accepted(&server.put_principal("guest", &json!({"libraries": {"lib1": "read"}})));
    let mut sse = Sse::open(&server, "/sse", &token_of("guest"));
    server.publish_all(&[medias("lib1", "before")]);
    assert!(sse.expect("medias").data.contains("\"before\""));
    accepted(&server.delete_principal("guest"));
    server.publish_all(&[medias("lib1", "after")]);
    sse.expect_nothing(SILENCE);
}

#[test]
fn changed_rights_survive_a_restart() {
    let mut server = Server::start(PEOPLE);
    accepted(&server.put_principal("reader", &json!({"libraries": {"lib2": "read"}})));
    server.restart();
    let mut sse = Sse::open(&server, "/sse", &token_of("reader"));
    server.publish_all(&[medias("lib1", "old-right"), medias("lib2", "new-right")]);
    assert!(sse.expect("medias").data.contains("\"new-right\""));
}

#[test]
fn who_differs_from_the_settings_is_told_at_start_and_when_asked() {
    let mut server = Server::start(PEOPLE);
    let get = |server: &Server, user: &str| Request::new("GET", &format!("/api/principals/{user}")).bearer(&token_of("root")).send(server);
    let configured = json!({"user": "reader", "admin": false, "libraries": {"lib1": "read"}, "disabled": false, "changed": false});
    assert_eq!(get(&server, "reader").json(), configured);
    let unknown = get(&server, "nobody");
    assert_eq!((unknown.status, unknown.json()["error"].as_str()), (404, Some("no user of that id")));
    accepted(&server.delete_principal("reader"));
    let told = "users differ from the settings file: 1; see GET /api/principals/{user}";
    assert!(!server.log().contains(told), "{}", server.log());
    server.restart();
    assert!(server.log().contains(told), "{}", server.log());
    let mut refused = configured;
    (refused["disabled"], refused["changed"]) = (json!(true), json!(true));
    assert_eq!(get(&server, "reader").json(), refused);
    assert_eq!(get(&server, "owner").json()["changed"], false);
}

#[test]
fn only_a_server_admin_changes_rights() {
    let server = Server::start(PEOPLE);
    let everything = json!({"admin": true, "libraries": "admin"});
    let put = || Request::new("PUT", "/api/principals/reader").json(&everything);
    let get = || Request::new("GET", "/api/principals/reader");
    assert_eq!((put().send(&server).status, get().send(&server).status), (401, 401));
    for who in ["reader", "libadmin", "publisher"] {
        assert_eq!(put().bearer(&token_of(who)).send(&server).status, 403, "{who}");
        assert_eq!(get().bearer(&token_of(who)).send(&server).status, 403, "{who}");
        let delete = Request::new("DELETE", "/api/principals/reader").bearer(&token_of(who)).send(&server);
        assert_eq!(delete.status, 403, "{who}");
    }
    let mut sse = Sse::open(&server, "/sse", &token_of("reader"));
    server.publish_all(&[medias("lib2", "hidden"), progress_of("reader", "sentinel")]);
    assert_eq!(sse.before("sentinel"), Vec::new());
}

#[test]
fn a_bad_change_of_rights_names_the_field_and_shows_no_value() {
    let server = Server::start(PEOPLE);
    for (body, path, allowed) in [
        (json!({"admin": "hunter2"}), "admin", "true or false"),
        (json!({"disabled": {"hunter2": 1}}), "disabled", "true or false"),
        (json!({"admin": true, "libraries": "hunter2"}), "libraries", "read, write, admin"),
        (json!({"libraries": {"lib1": "hunter2"}}), "libraries", "read, write, admin"),
        (json!({"token": "hunter2"}), "token", "allowed are admin, libraries, disabled, revoke_tokens"),
    ] {
        let answer = server.put_principal("reader", &body);
        assert_eq!((answer.status, answer.json()["path"].as_str()), (422, Some(path)), "{body}: {}", answer.body);
        assert!(answer.body.contains(allowed) && !answer.body.contains("hunter2"), "{}", answer.body);
    }
    assert_eq!(server.put_principal("reader", &json!(["hunter2"])).status, 422);
    let unreadable = Request::new("PUT", "/api/principals/reader").bearer(&token_of("root")).body("{\"admin\": hunter2}").send(&server);
    assert!(unreadable.status == 400 && !unreadable.body.contains("hunter2"), "{}", unreadable.body);
    let report = Request::new("GET", "/api/principals/reader").bearer(&token_of("root")).send(&server).json();
    assert_eq!((&report["changed"], &report["admin"]), (&json!(false), &json!(false)), "nothing is half done");
}

#[test]
fn a_thousand_connections_that_race_a_revocation_see_nothing_after_it() {
    let server = Server::start(PEOPLE);
    for round in 0..1_000 {
        accepted(&server.put_principal("guest", &json!({"libraries": {"lib1": "read"}})));
        let revoked = AtomicBool::new(false);
        let mut sse = thread::scope(|scope| {
            let connecting = scope.spawn(|| Sse::open(&server, "/sse", &token_of("guest")));
            let publishing = scope.spawn(|| {
                while !revoked.load(Ordering::Acquire) {
                    server.publish_all(&[medias("lib1", "during")]);
                }
            });
            accepted(&server.put_principal("guest", &json!({"libraries": {}})));
            revoked.store(true, Ordering::Release);
            server.publish_all(&[medias("lib1", "after")]);
            publishing.join().expect("the publisher had no error");
            connecting.join().expect("the stream was accepted")
        });
        server.publish_all(&[medias("lib1", "after"), progress_of("guest", "sentinel")]);
        assert!(!saw(&sse.before("sentinel"), "after"), "round {round}: {}", sse.raw());
        if round % 100 == 0 {
            sse.expect_nothing(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_publisher_whose_token_is_revoked_is_refused_in_the_middle_of_his_lines() {
    let token = "token-of-lines-0123456789abcdef0123456789";
    let server = Server::start(&format!("{PEOPLE}\n[[tokens]]\ntoken = \"{token}\"\nuser = \"owner\"\npublish = true\n"));
    let mut stream = connect(&server);
    let head = format!(
        "POST /api/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/x-ndjson\r\n\
         transfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("taken");
    send_line(&mut stream, &medias("lib1", "before"));
    let first = read_to(&mut stream, "\"order\"").expect("the first line is accepted");
    assert!(!first.contains("401"), "{first}");
    accepted(&server.put_principal("owner", &json!({"revoke_tokens": true})));
    send_line(&mut stream, &medias("lib1", "after"));
    read_to(&mut stream, "\"status\":401").expect("the second line is refused");
}

/// One line of NDJSON as one chunk of a body.
fn send_line(stream: &mut TcpStream, event: &serde_json::Value) {
    let line = format!("{event}\n");
    stream.write_all(format!("{:x}\r\n{line}\r\n", line.len()).as_bytes()).expect("taken");
}

/// What comes until a text has come; `None` when it does not come in time.
fn read_to(stream: &mut TcpStream, wanted: &str) -> Option<String> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a TCP option");
    let mut text = String::new();
    while !text.contains(wanted) {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer) {
            Ok(n) if n > 0 => text.push_str(&String::from_utf8_lossy(&buffer[..n])),
            _ => return None,
        }
    }
    Some(text)
}
