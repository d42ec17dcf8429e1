//! A change of rights acts before the call that made it answers, whatever happens at the same time.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use serde_json::json;

use crate::harness::{Answer, PEOPLE, Request, SILENCE, Server, Sse, medias, progress_of, token_of};

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
