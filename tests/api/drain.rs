//! A stop: who is told what, in which order, and how long it takes.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::harness::{PATIENCE, PEOPLE, Request, Server, Sse, connect, connect_deaf, eventually, medias, token_of};

const WINDOW: Duration = Duration::from_secs(6);
/// What a stop may take beyond its window when nothing hangs.
const REST: Duration = Duration::from_secs(4);

fn start() -> Server {
    Server::start_on_with("127.0.0.1:0", "drain_window = \"6s\"", &format!("{PEOPLE}\n[limits]\nconnections_per_user = 0"))
}

/// How one client's stream ended.
struct End {
    at: Instant,
    events: Vec<String>,
    retries: Vec<String>,
    last: String,
}

/// Reads a stream to its end, in a thread of its own.
fn read_to_the_end(mut sse: Sse) -> thread::JoinHandle<End> {
    thread::spawn(move || {
        let mut events = Vec::new();
        while let Some(event) = sse.next_event(WINDOW + REST) {
            events.push(event.data);
        }
        let at = Instant::now();
        sse.expect_end(Duration::ZERO);
        End { at, events, retries: sse.retries().to_vec(), last: sse.raw().trim_end().lines().last().unwrap_or_default().to_owned() }
    })
}

fn streams(server: &Server, n_plain: usize, n_body: usize) -> Vec<Sse> {
    let request = Request::new("GET", "/sse").bearer(&token_of("reader"));
    let plain = (0..n_plain).map(|_| Sse::ask(server, &request));
    let streams: Vec<_> = plain.chain((0..n_body).map(|_| Sse::ask_later(server, &request))).collect();
    assert!(streams.iter().all(|sse| sse.head().status == 200));
    let n = streams.len() as f64;
    eventually("all are there", PATIENCE, || (server.metric("fanfare_connections") == n).then_some(()));
    streams
}

/// The most ends within any one second.
fn largest_in_a_second(ends: &[End]) -> usize {
    let after = |first: &End| ends.iter().filter(|end| end.at >= first.at && end.at < first.at + Duration::from_secs(1)).count();
    ends.iter().map(after).max().unwrap_or_default()
}

#[test]
fn a_stop_delivers_what_was_accepted_then_sends_everybody_away_over_the_window() {
    let mut server = start();
    let clients: Vec<_> = streams(&server, 200, 50).into_iter().map(read_to_the_end).collect();
    let events: Vec<_> = (0..20).map(|n| medias("lib1", &format!("m{n}"))).collect();
    server.publish_all(&events);
    let asked = Instant::now();
    server.terminate();
    eventually("not ready on the metrics listener", Duration::from_secs(1), || {
        (server.ask_metrics_listener("/readyz").ok()?.status == 503).then_some(())
    });
    assert_eq!(server.metric("fanfare_draining"), 1.0, "metrics are still served");
    eventually("new clients are refused", Duration::from_secs(1), || TcpStream::connect(server.address()).is_err().then_some(()));
    let ends: Vec<_> = clients.into_iter().map(|client| client.join().expect("a reader")).collect();
    let status = server.wait(REST);
    let took = asked.elapsed();

    assert!(status.success(), "{status:?}\n{}", server.log());
    assert!(took < WINDOW + REST, "{took:?}");
    for end in &ends {
        assert_eq!(end.events.len(), 20, "what was accepted is delivered: {:?}", end.events);
        let retry = end.last.strip_prefix("retry: ").and_then(|millis| millis.parse::<u64>().ok());
        assert!(end.retries.len() == 1 && retry.is_some_and(|millis| millis > 0), "the hint is the last word: {:?}", end.last);
    }
    let mut hints: Vec<_> = ends.iter().map(|end| &end.retries[0]).collect();
    hints.sort_unstable();
    hints.dedup();
    assert!(hints.len() > 200, "hints are spread too: {}", hints.len());
    let largest = largest_in_a_second(&ends);
    assert!(largest <= 50, "{largest} of 250 left within one second");
    let last = ends.iter().map(|end| end.at).max().expect("clients");
    assert!(last.duration_since(asked) > WINDOW / 2, "they were spread over the window, not over {:?}", last.duration_since(asked));
}

#[test]
fn a_few_clients_do_not_hold_up_the_stop() {
    let mut server = start();
    let clients: Vec<_> = streams(&server, 3, 2).into_iter().map(read_to_the_end).collect();
    let asked = Instant::now();
    server.terminate();
    assert!(clients.into_iter().all(|client| client.join().expect("a reader").retries.len() == 1));
    assert!(server.wait(REST).success());
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
}

#[test]
fn a_client_that_takes_nothing_costs_the_stop_no_more_than_its_window() {
    let mut server = start();
    let mut deaf = connect_deaf(&server.address());
    let request = Request::new("GET", "/sse").bearer(&token_of("reader"));
    deaf.write_all(&request.bytes(&server.address(), false)).expect("taken");
    let clients: Vec<_> = streams_beside(&server, 7).into_iter().map(read_to_the_end).collect();
    let mut big = medias("lib1", "big");
    big["data"]["medias"][0]["media"]["description"] = json!("x".repeat(20_000));
    eventually("the deaf client is blocked", PATIENCE, || {
        server.publish_all([&big]);
        server.connections("").body.contains("\"blocked\":true").then_some(())
    });
    let asked = Instant::now();
    server.terminate();
    let ends: Vec<_> = clients.into_iter().map(|client| client.join().expect("a reader")).collect();
    assert!(server.wait(WINDOW + REST).success());
    assert!(asked.elapsed() < WINDOW + REST, "{:?}", asked.elapsed());
    assert!(ends.iter().all(|end| end.retries.len() == 1 && end.events.len() == ends[0].events.len()));
}

/// As many clients beside one that is there already.
fn streams_beside(server: &Server, n: usize) -> Vec<Sse> {
    let request = Request::new("GET", "/sse").bearer(&token_of("reader"));
    let streams: Vec<_> = (0..n).map(|_| Sse::ask(server, &request)).collect();
    eventually("all are there", PATIENCE, || (server.metric("fanfare_connections") == (n + 1) as f64).then_some(()));
    streams
}

#[test]
fn a_second_signal_ends_the_stop_at_once() {
    let mut server = start();
    let _streams = streams(&server, 100, 0);
    server.terminate();
    eventually("it drains", PATIENCE, || (server.metric("fanfare_draining") == 1.0).then_some(()));
    let asked = Instant::now();
    server.terminate();
    let _status = server.wait(Duration::from_secs(2));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert!(server.log().contains("second signal"), "{}", server.log());
}

/// Reads one answer with a content length from a kept-alive connection.
fn answer(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(PATIENCE)).expect("a TCP option");
    let mut text = String::new();
    loop {
        let mut buffer = [0; 4096];
        let n = stream.read(&mut buffer).expect("an answer");
        text.push_str(&String::from_utf8_lossy(&buffer[..n]));
        if n == 0 {
            return text;
        }
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_ascii_lowercase().split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
            if length.is_none_or(|length: usize| body.len() >= length) {
                return text;
            }
        }
    }
}

fn publish_bytes(server: &Server, id: &str) -> Vec<u8> {
    Request::new("POST", "/api/events").bearer(&token_of("publisher")).json(&medias("lib1", id)).bytes(&server.address(), false)
}

#[test]
fn a_request_under_way_is_answered_and_a_later_one_told_to_come_back() {
    let mut server = start();
    let clients: Vec<_> = streams(&server, 30, 0).into_iter().map(read_to_the_end).collect();
    let (mut under_way, mut later) = (connect(&server), connect(&server));
    later.write_all(&publish_bytes(&server, "early")).expect("taken");
    assert!(answer(&mut later).starts_with("HTTP/1.1 200"));
    let bytes = publish_bytes(&server, "under-way");
    let (most, rest) = bytes.split_at(bytes.len() - 10);
    under_way.write_all(most).expect("taken");
    // Answered from the same connection's thread: the half request before it has been looked at by then.
    thread::park_timeout(Duration::from_millis(200));
    server.terminate();
    eventually("it drains", PATIENCE, || (server.metric("fanfare_draining") == 1.0).then_some(()));
    later.write_all(&publish_bytes(&server, "later")).expect("taken");
    let refused = answer(&mut later).to_ascii_lowercase();
    assert!(refused.starts_with("http/1.1 503") && refused.contains("retry-after: ") && refused.contains("stopping"), "{refused}");
    under_way.write_all(rest).expect("taken");
    let accepted = answer(&mut under_way);
    assert!(accepted.starts_with("HTTP/1.1 200"), "{accepted}");
    for client in clients {
        let events = client.join().expect("a reader").events;
        assert!(events.len() == 2 && events[1].contains("under-way"), "{events:?}");
    }
    assert!(server.wait(WINDOW + REST).success());
}

#[test]
fn a_stream_of_lines_is_told_that_the_server_stops_and_ends() {
    let mut server = start();
    let clients: Vec<_> = streams(&server, 10, 0).into_iter().map(read_to_the_end).collect();
    let mut publisher = connect(&server);
    let head = format!(
        "POST /api/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n",
        token_of("publisher")
    );
    let line = format!("{}\n", medias("lib1", "by-line"));
    publisher.write_all(format!("{head}{:x}\r\n{line}\r\n", line.len()).as_bytes()).expect("taken");
    publisher.set_read_timeout(Some(PATIENCE)).expect("a TCP option");
    let mut answers = Vec::new();
    while !String::from_utf8_lossy(&answers).contains("\"order\":") {
        let mut buffer = [0; 4096];
        let n = publisher.read(&mut buffer).expect("an answer line");
        assert!(n > 0, "{:?}", String::from_utf8_lossy(&answers));
        answers.extend_from_slice(&buffer[..n]);
    }
    server.terminate();
    // Cut off after the answer or ended cleanly: what counts is what was said before.
    let _cut = publisher.read_to_end(&mut answers);
    let text = String::from_utf8_lossy(&answers).into_owned();
    assert!(text.contains(r#"{"status":503,"error":"stopping"}"#) && text.ends_with("0\r\n\r\n"), "{text}");
    for client in clients {
        assert_eq!(client.join().expect("a reader").events.len(), 1);
    }
    assert!(server.wait(WINDOW + REST).success());
}

#[test]
fn a_client_that_comes_on_a_kept_alive_connection_is_sent_on_in_its_dialects_way() {
    let mut server = start();
    let _streams = streams(&server, 100, 0);
    let mut kept = connect(&server);
    kept.write_all(&Request::new("GET", "/healthz").bytes(&server.address(), false)).expect("taken");
    assert!(answer(&mut kept).starts_with("HTTP/1.1 200"));
    server.terminate();
    eventually("it drains", PATIENCE, || (server.metric("fanfare_draining") == 1.0).then_some(()));
    kept.write_all(&Request::new("GET", "/sse").bearer(&token_of("reader")).bytes(&server.address(), false)).expect("taken");
    let mut sse = Sse::over(kept, Vec::new());
    assert_eq!(sse.head().status, 200);
    assert!(sse.read_until("retry: ", PATIENCE), "{}", sse.raw());
    server.terminate();
    let _at_once = server.wait(PATIENCE);
}
