//! The counters against what clients have counted themselves, while they are read all the time.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::harness::{Frame, PATIENCE, PEOPLE, Request, Server, Sse, WebSocket, medias, token_of};

const N_EVENTS: usize = 300;

/// Every series with its value.
fn series(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit_once(' ')).map(|(name, value)| (name.to_owned(), value.parse().expect("a number"))).collect()
}

/// What only grows: counters, and the counts of histograms.
fn only_grows(name: &str) -> bool {
    let name = name.split('{').next().unwrap_or_default();
    ["_total", "_bucket", "_count", "_sum"].iter().any(|end| name.ends_with(end))
}

/// Reads the metrics without a pause until it is told to stop: how often. Nothing that is counted may shrink, and no series
/// come or go.
fn read_all_the_time(server: &Server, stop: &AtomicBool) -> usize {
    let mut before = series(&server.metrics());
    let mut n_read = 1;
    while !stop.load(Ordering::Relaxed) {
        let now = series(&server.metrics());
        assert!(now.keys().eq(before.keys()), "series came or went");
        for (name, value) in now.iter().filter(|(name, _)| only_grows(name)) {
            assert!(*value >= before[name], "{name} shrank from {} to {value}", before[name]);
        }
        (before, n_read) = (now, n_read + 1);
    }
    n_read
}

/// The bytes and the number of events a stream brought.
fn heard(mut sse: Sse) -> (f64, f64) {
    let n_events = (0..N_EVENTS).map(|_| sse.expect("medias")).count();
    (sse.raw().len() as f64, n_events as f64)
}

/// The number of events a Plex client was told of: of each addition by two messages.
fn heard_by_socket(mut socket: WebSocket) -> f64 {
    let mut n_messages = 0;
    while n_messages < 2 * N_EVENTS {
        match socket.next_frame(PATIENCE) {
            Some(Frame::Text(_)) => n_messages += 1,
            Some(Frame::Ping(_)) => {}
            other => panic!("an event is due, not {other:?}"),
        }
    }
    n_messages as f64 / 2.0
}

#[test]
fn counters_are_what_clients_count_while_they_are_read_all_the_time() {
    // Without MediaBrowser there are no digests, which are events, too.
    let settings = format!("{PEOPLE}\n[dialects.mediabrowser]\nenabled = false\n");
    let server = Server::start_on_with("127.0.0.1:0", "metrics_libraries = [\"lib1\", \"lib3\"]", &settings);
    let readers: Vec<_> = ["reader", "owner", "root"].iter().map(|who| Sse::open(&server, "/sse?events=medias", &token_of(who))).collect();
    let stranger = Sse::open(&server, "/sse?events=medias", &token_of("stranger"));
    let sockets: Vec<_> = (0..2)
        .map(|_| WebSocket::ask(&server, Request::new("GET", &format!("/:/websockets/notifications?X-Plex-Token={}", token_of("reader")))))
        .collect();
    for n in 0..2 {
        assert_eq!(Request::new("GET", "/sse").bearer(&format!("nobody-{n}")).send(&server).status, 401);
    }
    assert_eq!(server.publish(&token_of("publisher"), &json!({"type": "no-such-type", "data": {}})).0, 422);

    let stop = AtomicBool::new(false);
    let (streams, messages) = thread::scope(|scope| {
        let reader = scope.spawn(|| read_all_the_time(&server, &stop));
        let streams: Vec<_> = readers.into_iter().map(|sse| scope.spawn(|| heard(sse))).collect();
        let sockets: Vec<_> = sockets.into_iter().map(|socket| scope.spawn(|| heard_by_socket(socket))).collect();
        server.publish_all(&(0..N_EVENTS).map(|n| medias("lib1", &format!("m{n}"))).collect::<Vec<_>>());
        let streams: Vec<_> = streams.into_iter().map(|thread| thread.join().expect("a stream's events")).collect();
        let messages: Vec<_> = sockets.into_iter().map(|thread| thread.join().expect("a socket's messages")).collect();
        stop.store(true, Ordering::Relaxed);
        assert!(reader.join().expect("figures that add up") > 3, "it was read while events flowed");
        (streams, messages)
    });
    drop(stranger);

    let (n_streamed, n_told): (f64, f64) = (streams.iter().map(|(_, n)| n).sum(), messages.iter().sum());
    let expected = [
        (r#"fanfare_events_published_total{type="medias"}"#, N_EVENTS as f64),
        (r#"fanfare_library_events_published_total{library="lib1"}"#, N_EVENTS as f64),
        (r#"fanfare_library_events_published_total{library="lib3"}"#, 0.0),
        (r#"fanfare_library_events_offered_total{library="lib1"}"#, n_streamed + n_told),
        (r#"fanfare_publish_duration_seconds_count{api="event"}"#, N_EVENTS as f64 + 1.0), // the refused one had an answer, too
        (r#"fanfare_publish_rejected_total{reason="invalid"}"#, 1.0),
        (r#"fanfare_events_offered_total{dialect="redseat"}"#, n_streamed),
        (r#"fanfare_deliveries_total{dialect="redseat",outlet="plain"}"#, n_streamed),
        (r#"fanfare_delivery_latency_seconds_count{dialect="redseat"}"#, n_streamed),
        (r#"fanfare_deliveries_total{dialect="plex",outlet="plain"}"#, n_told),
        (r#"fanfare_delivery_latency_seconds_count{dialect="plex"}"#, n_told),
        (r#"fanfare_events_skipped_total{dialect="redseat",reason="lag"}"#, 0.0),
        (r#"fanfare_connections_opened_total{dialect="redseat"}"#, 4.0),
        (r#"fanfare_handshake_duration_seconds_count{dialect="redseat"}"#, 4.0),
        (r#"fanfare_handshake_duration_seconds_count{dialect="plex"}"#, 2.0),
        (r#"fanfare_connections_rejected_total{dialect="redseat",reason="unauthorised"}"#, 2.0),
        (r#"fanfare_connections_closed_total{dialect="redseat",reason="gone"}"#, 4.0),
        (r#"fanfare_connections_closed_total{dialect="plex",reason="gone"}"#, 2.0),
        (r#"fanfare_connection_duration_seconds_count{dialect="redseat"}"#, 4.0),
        (r#"fanfare_connections{dialect="redseat",outlet="plain"}"#, 0.0),
    ];
    let deadline = Instant::now() + PATIENCE; // the last clients' ends are still to be noticed
    loop {
        let now = series(&server.metrics());
        let wrong: Vec<_> =
            expected.iter().filter(|(name, value)| now.get(*name) != Some(value)).map(|(name, _)| (name, now.get(*name))).collect();
        if wrong.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "{wrong:?}");
        thread::park_timeout(Duration::from_millis(20));
    }
    actors_are_timed(&series(&server.metrics()), &|name| server.metric(name));
    // Others publish, too: the server its log, and who is there.
    let (n_published, n_sizes) = (server.metric("fanfare_events_published_total"), server.metric("fanfare_publish_payload_bytes_count"));
    assert_eq!(n_published, n_sizes);
    // What clients read is what was written; heads of answers and greetings came before the events.
    let n_bytes: f64 = streams.iter().map(|(bytes, _)| bytes).sum();
    let told = series(&server.metrics())[r#"fanfare_delivery_bytes_total{dialect="redseat"}"#];
    assert!(told >= n_bytes && told < n_bytes + 4.0 * 2048.0, "{told} bytes told, {n_bytes} read");
}

/// Each event was one batch to one shard and one message to each hub, and each socket's session had a turn at its end at least.
fn actors_are_timed(now: &BTreeMap<String, f64>, later: &dyn Fn(&str) -> f64) {
    let of = |actor: &str, place: &str| now[&format!("fanfare_actor_handle_duration_seconds_{place}{{actor=\"{actor}\"}}")];
    // The server's log is published, too; a batch for which there is no credit is tried again.
    let n_batches_at_most = later("fanfare_events_published_total") + later("fanfare_shard_credit_exhausted_total");
    assert!(of("shard", "count") >= N_EVENTS as f64 && of("shard", "count") <= n_batches_at_most);
    assert!(of("hub", "count") >= N_EVENTS as f64 && of("session", "count") >= 2.0);
    // A chunk is 256 writes at most.
    let n_writes: f64 = now.iter().filter(|(name, _)| name.starts_with("fanfare_writes_total{")).map(|(_, n)| n).sum();
    assert!(n_writes > 0.0 && of("hub_flush", "count") * 256.0 >= n_writes);
    for actor in ["hub", "hub_flush", "session", "shard"] {
        assert!(of(actor, "sum") > 0.0, "{actor}");
    }
}

#[test]
fn memory_is_told_by_part_and_falls_when_clients_go() {
    let server = Server::start(PEOPLE);
    let part = |name: &str| series(&server.metrics())[&format!("fanfare_memory_bytes{{part=\"{name}\"}}")];
    let eventually = |what: &str, is_so: &dyn Fn() -> bool| {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < deadline, "{what}");
            thread::park_timeout(Duration::from_millis(50));
        }
    };
    // What each costs at least: a place, a list entry, an actor.
    let least = [("connections", 300.0), ("groups", 8.0), ("sessions", 100.0)];
    let before = least.map(|(name, _)| part(name));
    let clients: Vec<_> = (0..100).map(|_| Sse::open(&server, "/sse", &token_of("reader"))).collect();
    for ((name, each), before) in least.into_iter().zip(before) {
        eventually(name, &|| part(name) >= before + each * 100.0);
    }
    drop(clients);
    eventually("their actors have gone", &|| part("sessions") <= before[2]);

    server.publish(
        &token_of("publisher"),
        &json!({"type": "medias", "id": "x".repeat(200), "source": "/s", "data": medias("lib1", "m")["data"]}),
    );
    eventually("the key of idempotency", &|| part("idempotency") > 200.0);
    let scan = json!({"type": "scan", "data": {"library": "lib1", "state": "progress", "progress": 5, "name": "y".repeat(100)}});
    assert_eq!(server.publish(&token_of("publisher"), &scan).0, 200);
    eventually("what goes on", &|| part("state") > 100.0);
}
