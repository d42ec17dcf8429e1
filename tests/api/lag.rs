//! Clients that are slow or stand still: what they miss is counted exactly, told where asked for, and nobody waits for them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{PATIENCE, PEOPLE, Request, Server, Sse, SseEvent, connect_deaf, eventually, medias, token_of};

/// A short feed and small buffers, so that a client that stands still soon misses something.
const SHORT_FEED: &str = "
[engine]
workers = 1
feed_entries = 16
send_buffer = 4096
";

const N_EVENTS: usize = 300;

/// Publishes events so large that neither side's buffers hold more than a few. The witness reads each before the next is
/// published: it keeps up, so it must get every one.
fn flood(server: &Server, witness: &mut Sse) {
    flood_of(server, witness, 4096);
}

fn flood_of(server: &Server, witness: &mut Sse, bytes: usize) {
    for n in 0..N_EVENTS {
        let mut event = medias("lib1", &format!("m{n}"));
        event["data"]["medias"][0]["media"]["description"] = json!("x".repeat(bytes));
        server.publish_all(&[event]);
        assert!(witness.expect("medias").data.contains(&format!("\"m{n}\"")), "a reader that keeps up misses nothing");
    }
}

/// What was seen of the flood, and what the client was told it missed by comment and by event.
#[derive(Debug, Default)]
struct Seen {
    numbers: Vec<usize>,
    by_comment: u64,
    by_event: u64,
}

impl Seen {
    /// Reads to the last event of the flood.
    fn of(sse: &mut Sse) -> Self {
        let mut seen = Self::default();
        while seen.numbers.last() != Some(&(N_EVENTS - 1)) {
            let Some(event) = sse.next_event(PATIENCE) else { panic!("the last event did not come; so far {:?}", seen.numbers) };
            seen.take(&event);
        }
        seen.by_comment = sse.comments().iter().filter_map(|comment| comment.strip_prefix("gap ")?.parse::<u64>().ok()).sum();
        seen
    }

    fn take(&mut self, event: &SseEvent) {
        let value = event.json();
        match event.name.as_str() {
            "gap" => self.by_event += value["missed"].as_u64().expect("a count"),
            "medias" => {
                let id = value["Medias"]["medias"][0]["media"]["id"].as_str().expect("an id");
                self.numbers.push(id[1..].parse().expect("a number"));
            }
            other => panic!("an event `{other}`"),
        }
    }
}

/// The counts of the connection of that client (`User-Agent`), as the server sees them.
fn counts(server: &Server, client: &str) -> Value {
    let list = server.connections("").json()["connections"].clone();
    let found = list.as_array().expect("a list").iter().find(|connection| connection["client"] == client).cloned();
    found.unwrap_or_else(|| panic!("no `{client}` in {list}"))
}

/// Opens a stream that is not read from until the test does so.
fn deaf(server: &Server, query: &str, client: &str) -> Sse {
    use std::io::Write;

    let mut stream = server.secure(connect_deaf(&server.address()));
    let request = Request::new("GET", query).bearer(&token_of("reader")).header("user-agent", client);
    stream.write_all(&request.bytes(&server.address(), false)).expect("taken");
    Sse::over(stream, Vec::new())
}

#[test]
fn a_client_that_stood_still_is_told_exactly_how_many_events_it_missed() {
    check_gaps_on(&Server::start(&format!("{PEOPLE}{SHORT_FEED}")));
}

#[test]
fn over_tls_too_it_is_told_exactly_and_no_frame_is_torn() {
    check_gaps_on(&Server::start_tls(&format!("{PEOPLE}{SHORT_FEED}")));
}

fn check_gaps_on(server: &Server) {
    let mut comment = deaf(server, "/sse", "comment");
    let mut event = deaf(server, "/sse?events=medias,gap", "event");
    let mut witness = Sse::open(server, "/sse", &token_of("owner"));
    flood(server, &mut witness);
    assert_eq!(witness.comments(), &[] as &[String], "nobody else is told of a gap");
    for (client, sse) in [("comment", &mut comment), ("event", &mut event)] {
        let seen = Seen::of(sse);
        let missed = (N_EVENTS - seen.numbers.len()) as u64;
        assert!(missed > 100, "{client} was hardly slow: it missed {missed}");
        assert!(seen.numbers.is_sorted_by(|a, b| a < b), "each once and in order: {:?}", seen.numbers);
        assert_eq!(seen.by_comment, missed, "{client}");
        assert_eq!(seen.by_event, if client == "event" { missed } else { 0 }, "{client}");
        let settled = eventually("all is settled", PATIENCE, || {
            Some(counts(server, client)).filter(|counts| counts["delivered"] == json!(seen.numbers.len()))
        });
        assert_eq!((&settled["offered"], &settled["skipped"]), (&json!(N_EVENTS), &json!(missed)), "{settled}");
    }
    let skipped = server.metric("fanfare_events_skipped_total");
    let told = (2 * N_EVENTS) as f64 - (server.metric("fanfare_deliveries_total") - N_EVENTS as f64);
    assert_eq!(skipped, told, "offered is delivered and skipped, nothing else");
    assert!(server.metric("fanfare_lag_episodes_total") >= 2.0);
}

#[test]
fn a_client_that_takes_nothing_for_the_stall_limit_is_closed_and_nobody_else() {
    check_stall_on(&Server::start(&format!("{PEOPLE}{SHORT_FEED}stall_limit = \"1s\"\n")));
}

#[test]
fn over_tls_too_who_takes_nothing_is_closed_and_nobody_else() {
    check_stall_on(&Server::start_tls(&format!("{PEOPLE}{SHORT_FEED}stall_limit = \"1s\"\n")));
}

fn check_stall_on(server: &Server) {
    let _stalled = deaf(server, "/sse", "stalled");
    let mut idle = Sse::open(server, "/sse?libraries=lib2", &token_of("reader"));
    let mut witness = Sse::open(server, "/sse", &token_of("owner"));
    flood(server, &mut witness);
    eventually("the stalled client is let go", PATIENCE, || (server.metric("fanfare_connections") == 2.0).then_some(()));
    let closed: Vec<_> =
        server.metrics().lines().filter(|line| line.starts_with("fanfare_connections_closed_total")).map(str::to_owned).collect();
    let of =
        |reason: &str| closed.iter().find(|line| line.contains(&format!("reason=\"{reason}\""))).is_some_and(|line| line.ends_with(" 1"));
    assert!(of("stalled"), "{closed:?}");
    assert_eq!(server.metric("fanfare_stall_timeouts_total"), 1.0);
    idle.expect_nothing(Duration::from_millis(1500));
    assert_eq!(server.metric("fanfare_connections"), 2.0, "nothing waits for an idle client, so it does not stall");
}

#[test]
fn a_stream_in_a_response_body_gets_the_same_events_and_counts() {
    let server = Server::start(&format!("{PEOPLE}\n[engine]\nworkers = 1\n"));
    let mut plain = listen(&server, "plain", false);
    let mut body = listen(&server, "body", true);
    let mut witness = Sse::open(&server, "/sse", &token_of("owner"));
    flood(&server, &mut witness);
    let (of_plain, of_body) = (Seen::of(&mut plain), Seen::of(&mut body));
    assert_eq!(of_plain.numbers, (0..N_EVENTS).collect::<Vec<_>>());
    assert_eq!(of_body.numbers, of_plain.numbers);
    assert_eq!(plain.raw(), body.raw());
    for client in ["plain", "body"] {
        let seen = eventually("delivered is counted", PATIENCE, || {
            Some(counts(&server, client)).filter(|counts| counts["delivered"] == json!(N_EVENTS))
        });
        assert_eq!((&seen["outlet"], &seen["offered"], &seen["skipped"]), (&json!(client), &json!(N_EVENTS), &json!(0)), "{seen}");
    }
}

#[test]
fn a_stream_in_a_response_body_that_stood_still_is_told_the_same() {
    let server = Server::start(&format!("{PEOPLE}{SHORT_FEED}"));
    let mut slow = listen(&server, "body", true);
    let mut witness = Sse::open(&server, "/sse", &token_of("owner"));
    // The kernel holds megabytes for a socket that is the HTTP server's.
    flood_of(&server, &mut witness, 64 << 10);
    let seen = Seen::of(&mut slow);
    let missed = (N_EVENTS - seen.numbers.len()) as u64;
    assert!(missed > 0, "it missed nothing: the flood is too small for this machine's buffers");
    assert!(seen.numbers.is_sorted_by(|a, b| a < b), "each once and in order: {:?}", seen.numbers);
    assert_eq!(seen.by_comment, missed);
    let settled = eventually("all is settled", PATIENCE, || {
        Some(counts(&server, "body")).filter(|counts| counts["delivered"] == json!(seen.numbers.len()))
    });
    assert_eq!((&settled["offered"], &settled["skipped"]), (&json!(N_EVENTS), &json!(missed)), "{settled}");
}

/// A stream on a fresh connection, or as the second request on one that is kept alive.
fn listen(server: &Server, client: &str, after_another: bool) -> Sse {
    let request = Request::new("GET", "/sse").bearer(&token_of("reader")).header("user-agent", client);
    if after_another { Sse::ask_later(server, &request) } else { Sse::ask(server, &request) }
}
