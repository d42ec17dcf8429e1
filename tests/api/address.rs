//! Addresses: who is believed about them, and what one address may do.

use std::collections::BTreeSet;

use crate::harness::{PATIENCE, PEOPLE, Request, Server, Sse, eventually, token_of};

/// The addresses of all open streams, as an administrator sees them.
fn addresses(server: &Server) -> BTreeSet<String> {
    let page = server.connections("").json();
    let connections = page["connections"].as_array().cloned().unwrap_or_default();
    connections.iter().map(|connection| connection["address"].as_str().unwrap_or_default().to_owned()).collect()
}

fn open_as(server: &Server, forwarded: &[&str]) -> Sse {
    let request = Request::new("GET", "/sse").bearer(&token_of("reader"));
    let request = forwarded.iter().fold(request, |request, line| request.header("x-forwarded-for", line));
    let sse = Sse::ask(server, &request);
    assert_eq!(sse.head().status, 200);
    sse
}

#[test]
fn forwarding_headers_of_strangers_change_nothing() {
    let server = Server::start(&format!("trusted_proxies = [\"192.0.2.0/24\"]\n{PEOPLE}"));
    let _open = [open_as(&server, &["198.51.100.7"]), open_as(&server, &["10.0.0.1, 192.0.2.1"])];
    assert_eq!(addresses(&server), BTreeSet::from(["127.0.0.1".to_owned()]));
    for name in ["x-real-ip", "forwarded", "client-ip", "true-client-ip"] {
        let request = Request::new("GET", "/sse").bearer(&token_of("reader")).header(name, "for=198.51.100.8");
        let _spoofed = Sse::ask(&server, &request);
        assert_eq!(addresses(&server), BTreeSet::from(["127.0.0.1".to_owned()]), "{name}");
    }
}

#[test]
fn of_the_hops_a_trusted_proxy_names_the_right_most_untrusted_one_is_the_client() {
    let server = Server::start(&format!("trusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]\n{PEOPLE}"));
    let _open = [
        open_as(&server, &["198.51.100.7"]),
        open_as(&server, &["1.2.3.4, 198.51.100.8, 10.0.0.1"]),
        open_as(&server, &["127.0.0.1", "198.51.100.9"]),
    ];
    let expected = ["198.51.100.7", "198.51.100.8", "198.51.100.9"].map(str::to_owned);
    assert_eq!(addresses(&server), BTreeSet::from(expected));
}

/// Shows a bad token and gives the answer's status and `retry-after`.
fn bad_attempt(server: &Server, path: &str, forwarded: &str) -> (u16, Option<u64>) {
    let method = if path == "/api/events" { "POST" } else { "GET" };
    let answer = Request::new(method, path).bearer("no-such-token").header("x-forwarded-for", forwarded).send(server);
    (answer.status, answer.header("retry-after").and_then(|seconds| seconds.parse().ok()))
}

#[test]
fn the_eleventh_bad_attempt_of_a_minute_is_told_to_wait_and_others_are_not() {
    let server = Server::start(&format!("trusted_proxies = [\"127.0.0.1\"]\n{PEOPLE}"));
    for number in 0..10 {
        let path = ["/sse", "/api/events", "/api/connections"][number % 3];
        assert_eq!(bad_attempt(&server, path, "198.51.100.7"), (401, None), "attempt {number} at {path}");
    }
    for path in ["/sse", "/api/events", "/api/connections", "/api/libraries/lib1/medias"] {
        let (status, wait) = bad_attempt(&server, path, "198.51.100.7");
        assert_eq!(status, 429, "{path}");
        assert!(wait.is_some_and(|wait| (1..=60).contains(&wait)), "{path}: {wait:?}");
    }
    assert_eq!(bad_attempt(&server, "/sse", "198.51.100.8"), (401, None), "another address is not slowed");
    let _good = open_as(&server, &["198.51.100.7"]);
    let missing = Request::new("GET", "/sse").header("x-forwarded-for", "198.51.100.7").send(&server);
    assert_eq!(missing.status, 401, "no token is no attempt");
    assert!(server.metrics().contains("reason=\"too_many_attempts\""), "{}", server.metrics());
}

#[test]
fn the_cap_of_an_address_holds_and_frees_again() {
    let server = Server::start(&format!("trusted_proxies = [\"127.0.0.1\"]\n{PEOPLE}\n[limits]\nconnections_per_address = 2\n"));
    let first = open_as(&server, &["198.51.100.7"]);
    let _second = open_as(&server, &["198.51.100.7"]);
    let _elsewhere = open_as(&server, &["198.51.100.8"]);
    let mut third = open_as(&server, &["198.51.100.7"]); // 200, and sent away with a hint
    third.expect_end(PATIENCE);
    assert_eq!(third.retries().len(), 1, "{:?}", third.raw());
    drop(first);
    eventually("the place is free", PATIENCE, || (server.metric("fanfare_connections") == 2.0).then_some(()));
    let _again = open_as(&server, &["198.51.100.7"]);
    eventually("it is taken again", PATIENCE, || (server.metric("fanfare_connections") == 3.0).then_some(()));
}
