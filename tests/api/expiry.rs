//! Credentials that end: the client is told before, its stream ends with them, and it is not asked to come back.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::harness::{PEOPLE, Request, Server, Sse, medias, token_of};

/// How long the credentials of these tests last.
const LIFE: Duration = Duration::from_secs(4);

/// A server whose reader has a second token that ends soon, and when that is, in milliseconds since the epoch.
fn server() -> (Server, u64) {
    let ends = SystemTime::now() + LIFE;
    let ends_ms = u64::try_from(ends.duration_since(UNIX_EPOCH).expect("after 1970").as_millis()).expect("a plausible clock");
    let expires = jiff::Timestamp::try_from(ends).expect("a plausible clock");
    let settings = format!(
        "{PEOPLE}\n[[tokens]]\ntoken = \"token-of-brief-0123456789abcdef0123456789\"\nuser = \"reader\"\nexpires = \"{expires}\"\n"
    );
    (Server::start(&settings), ends_ms)
}

#[test]
fn a_stream_ends_with_its_credentials_and_says_so_before() {
    let (server, ends_ms) = server();
    let opened = Instant::now();
    let mut told = Sse::open(&server, "/sse?events=medias,expiring", &token_of("brief"));
    let mut untold = Sse::open(&server, "/sse", &token_of("brief"));
    let mut other = Sse::open(&server, "/sse", &token_of("reader"));
    let warning = told.expect("expiring").json();
    let difference = warning["expires"].as_u64().expect("a time").abs_diff(ends_ms);
    assert!(difference < 100, "{warning}, but the token ends at {ends_ms}");
    server.publish_all(&[medias("lib1", "while-it-counts")]);
    for sse in [&mut told, &mut untold, &mut other] {
        assert!(sse.expect("medias").data.contains("while-it-counts"));
    }
    assert!(warning["seconds"].as_u64().is_some_and(|left| left <= LIFE.as_secs()), "{warning}");
    for sse in [&mut told, &mut untold] {
        sse.expect_end(LIFE + Duration::from_secs(3));
        assert_eq!(sse.retries(), &[] as &[String], "coming back with these credentials is pointless");
    }
    assert!(!untold.raw().contains("expiring"), "only who names it is told");
    assert!(opened.elapsed() < LIFE + Duration::from_secs(3), "{:?}", opened.elapsed());
    assert_eq!(Request::new("GET", "/sse").bearer(&token_of("brief")).send(&server).status, 401);
    server.publish_all(&[medias("lib1", "afterwards")]);
    assert!(other.expect("medias").data.contains("afterwards"), "another token of the same user counts on");
    let closed = server.metrics();
    let line = closed.lines().find(|line| line.starts_with("fanfare_connections_closed_total") && line.contains("\"expired\""));
    assert!(line.is_some_and(|line| line.ends_with(" 2")), "{line:?}");
    assert_eq!(json!(server.metric("fanfare_connections")), json!(1.0));
}
