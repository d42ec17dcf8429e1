//! A server that takes nobody more, or nobody more of one user: said so that a browser comes back.

use crate::harness::{PATIENCE, PEOPLE, Request, Server, Sse, eventually, medias, token_of};

/// Asks for a stream that is answered with nothing but the hint when to come back.
fn sent_away(server: &Server, who: &str) {
    let mut sse = Sse::ask(server, &Request::new("GET", "/sse").bearer(&token_of(who)));
    assert_eq!(sse.head().status, 200, "a native EventSource never comes back from an error");
    assert!(sse.head().header("content-type").is_some_and(|value| value.starts_with("text/event-stream")), "{:?}", sse.head());
    sse.expect_end(PATIENCE);
    let [retry] = sse.retries() else { panic!("one hint: {:?}", sse.raw()) };
    assert!(retry.parse::<u64>().is_ok_and(|ms| ms >= 1000), "{retry}");
    assert!(!sse.raw().contains("data:"), "{:?}", sse.raw());
}

#[test]
fn one_more_than_the_limit_is_sent_away_and_a_freed_place_is_given_again() {
    let server = Server::start(&format!("{PEOPLE}\n[limits]\nconnections = 2\n"));
    let mut first = Sse::open(&server, "/sse", &token_of("reader"));
    let second = Sse::open(&server, "/sse", &token_of("owner"));
    sent_away(&server, "root");
    assert_eq!(Request::new("GET", "/sse").bearer("wrong").send(&server).status, 401, "credentials are looked at first");
    server.publish_all(&[medias("lib1", "m1")]);
    assert!(first.expect("medias").data.contains("\"m1\""), "those who are in notice nothing, and publishers need no place");
    assert_eq!(server.metric("fanfare_connections_rejected_total"), 2.0);
    drop(second);
    eventually("the place is free", PATIENCE, || (server.metric("fanfare_connections") == 1.0).then_some(()));
    let mut third = Sse::open(&server, "/sse", &token_of("root"));
    server.publish_all(&[medias("lib1", "m2")]);
    assert!(third.expect("medias").data.contains("\"m2\""));
}

#[test]
fn the_limit_of_one_user_is_nobody_elses() {
    let server = Server::start(&format!("{PEOPLE}\n[limits]\nconnections_per_user = 1\n"));
    let _only = Sse::open(&server, "/sse", &token_of("reader"));
    sent_away(&server, "reader");
    let _other = Sse::open(&server, "/sse", &token_of("owner"));
    eventually("two are in", PATIENCE, || (server.metric("fanfare_connections") == 2.0).then_some(()));
}

#[test]
fn the_same_port_is_free_again_at_once_after_a_kill() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port();
    drop(taken);
    let mut server = Server::start_on(&format!("127.0.0.1:{port}"), PEOPLE);
    let mut before = Sse::open(&server, "/sse", &token_of("reader"));
    server.publish_all(&[medias("lib1", "before")]);
    before.expect("medias");
    server.kill_and_restart(|| {});
    before.expect_end(PATIENCE);
    assert_eq!(server.address(), format!("127.0.0.1:{port}"));
    let mut after = Sse::open(&server, "/sse", &token_of("reader"));
    server.publish_all(&[medias("lib1", "after")]);
    assert!(after.expect("medias").data.contains("\"after\""));
}
