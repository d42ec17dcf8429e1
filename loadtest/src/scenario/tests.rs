//! Whole runs against a small server made of threads, which plants one fault per test.

use super::run;
use crate::args::{Arguments, Command};
use crate::chunked::Dechunker;
use crate::report::{Report, Result as RunResult};
use clap::Parser;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    LoseOne,
    SendTwice,
    Swap,
    SkipAndSay,
    SkipAndReport,
    RefuseSome,
    TearFrame,
    BreakAccount,
}

enum ToHub {
    Join(TcpStream),
    Item(u32, Vec<u8>),
}

fn serve(fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (to_hub, from_connections) = channel();
    thread::spawn(move || hub(fault, &from_connections));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let to_hub = to_hub.clone();
            thread::spawn(move || connection(fault, stream, &to_hub));
        }
    });
    address
}

/// Joins a client before it sees its response head, so that nothing published after that may be missing.
fn hub(fault: Fault, from_connections: &Receiver<ToHub>) {
    let mut clients: Vec<TcpStream> = Vec::new();
    let mut held = Vec::new();
    for message in from_connections {
        match message {
            ToHub::Join(mut stream) => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hello\n\n").unwrap();
                clients.push(stream);
            }
            ToHub::Item(seq, frame) => {
                for (place, client) in clients.iter_mut().enumerate() {
                    // A client that has left takes nothing; that is not this server's concern.
                    let _ = client.write_all(&wire(fault, place, seq, &frame, &mut held));
                }
            }
        }
    }
}

fn wire(fault: Fault, place: usize, seq: u32, frame: &[u8], held: &mut Vec<u8>) -> Vec<u8> {
    match (fault, place, seq) {
        (Fault::LoseOne, 1, 50) | (Fault::SkipAndSay, 1, 50..52) | (Fault::SkipAndReport, 1, 50..55) => Vec::new(),
        (Fault::SkipAndSay, 1, 52) => [b": gap 2\n\n", frame].concat(),
        (Fault::SendTwice, 1, 50) => [frame, frame].concat(),
        (Fault::Swap, 1, 50) => {
            held.extend_from_slice(frame);
            Vec::new()
        }
        (Fault::Swap, 1, 51) => [frame, held].concat(),
        (Fault::TearFrame, 1, 50) => [&frame[..100], b"\n\n", &frame[100..]].concat(),
        _ => frame.to_vec(),
    }
}

fn connection(fault: Fault, mut stream: TcpStream, to_hub: &Sender<ToHub>) {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
            break end + 4;
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(length) if length > 0 => bytes.extend_from_slice(&piece[..length]),
            _ => return,
        }
    };
    if bytes.starts_with(b"GET /sse") {
        to_hub.send(ToHub::Join(stream)).unwrap();
    } else if bytes.starts_with(b"GET /api/connections") {
        let body = connections(fault, memchr::memmem::find(&bytes, b"&after=0-2-1 ").is_some());
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    } else {
        accept_items(fault, stream, &bytes[end..], to_hub);
    }
}

/// Two pages of sessions; the fault is on the second one.
fn connections(fault: Fault, second: bool) -> String {
    let session = |id: &str, offered: u64| serde_json::json!({"id": id, "peer": "127.0.0.1:1", "offered": offered, "delivered": 4, "conflated": 1, "filtered": 0, "skipped": 0, "waiting": 2});
    let offered = if fault == Fault::BreakAccount { 8 } else { 7 };
    match (fault, second) {
        (Fault::SkipAndReport, _) => "{\"connections\":[{\"dialect\":\"sse\",\"skipped\":5}]}".to_owned(),
        (_, false) => serde_json::json!({"connections": [session("0-1-1", 7), session("0-2-1", 7)], "next": "0-2-1"}).to_string(),
        (_, true) => serde_json::json!({"connections": [session("1-1-1", offered)], "next": null}).to_string(),
    }
}

fn accept_items(fault: Fault, mut stream: TcpStream, begun: &[u8], to_hub: &Sender<ToHub>) {
    stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    let (mut chunks, mut body, mut piece, mut seq) = (Dechunker::new(), Vec::new(), vec![0; 65536], 0);
    chunks.push(begun, &mut body).unwrap();
    while !chunks.is_over() {
        let length = stream.read(&mut piece).unwrap();
        chunks.push(&piece[..length], &mut body).unwrap();
        while let Some(end) = memchr::memchr(b'\n', &body) {
            let data = &body["{\"type\":\"medias\",\"data\":".len()..end - 1];
            let answer = if fault == Fault::RefuseSome && seq % 10 == 3 {
                "{\"error\":\"busy\"}\n"
            } else {
                let frame = [b"event: medias\ndata: {\"Medias\":", data, b"}\n\n"].concat();
                to_hub.send(ToHub::Item(seq, frame)).unwrap();
                "{\"id\":\"1\"}\n"
            };
            write!(stream, "{:x}\r\n{answer}\r\n", answer.len()).unwrap();
            body.drain(..=end);
            seq += 1;
        }
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
}

fn report_of(fault: Fault, more: &[&str]) -> Report {
    let target = format!("http://{}", serve(fault));
    let fixed = ["fanfare-loadtest", "run", "--target", &target, "--clients", "3", "--rate", "200", "--seconds", "1", "--warmup", "0"];
    let calm = ["--steps", "1", "--drain", "1", "--lateness-limit-us", "60000000"];
    let arguments = Arguments::try_parse_from(fixed.iter().chain(&calm).chain(more)).unwrap();
    let Command::Run(args) = arguments.command else { panic!("not a run") };
    run(&args).unwrap()
}

#[test]
fn a_clean_server_passes_with_every_delivery_accounted_for() {
    let report = report_of(Fault::None, &[]);
    assert_eq!(report.result, RunResult::Passed, "{:?}", report.reasons);
    assert_eq!((report.accounting.expected, report.accounting.received), (600, 600));
    assert_eq!((report.load.frame_bytes, report.latency.count, report.publisher.accepted), (267, 600, 200));
}

#[test]
fn clients_that_come_and_go_in_mid_run_are_accounted_for() {
    let report = report_of(Fault::None, &["--churn", "20"]);
    assert_eq!(report.result, RunResult::Passed, "{:?} {:?}", report.reasons, report.accounting);
    assert!(report.accounting.churned > 10 && report.accounting.received > 600, "{:?}", report.accounting);
}

#[test]
fn one_lost_delivery_fails_the_run() {
    let report = report_of(Fault::LoseOne, &[]);
    assert_eq!(report.result, RunResult::Failed);
    assert_eq!((report.accounting.lost_silently, report.accounting.clients_short, report.accounting.received), (1, 1, 599));
}

#[test]
fn one_duplicate_fails_the_run() {
    let report = report_of(Fault::SendTwice, &[]);
    assert_eq!((report.result, report.accounting.duplicated, report.accounting.lost_silently), (RunResult::Failed, 1, 0));
}

#[test]
fn two_swapped_deliveries_fail_the_run_and_are_not_a_loss() {
    let report = report_of(Fault::Swap, &[]);
    assert_eq!((report.result, report.accounting.reordered, report.accounting.lost_silently), (RunResult::Failed, 1, 0));
}

#[test]
fn skips_told_in_the_stream_or_by_the_list_of_connections_are_not_silent() {
    let said = report_of(Fault::SkipAndSay, &[]);
    assert_eq!((said.result, said.accounting.skipped_announced, said.accounting.lost_silently), (RunResult::Passed, 2, 0));
    let reported = report_of(Fault::SkipAndReport, &[]);
    assert_eq!((reported.result, reported.accounting.skipped_reported, reported.accounting.lost_silently), (RunResult::Passed, 5, 0));
}

#[test]
fn busy_answers_are_counted_and_not_expected_by_clients() {
    let report = report_of(Fault::RefuseSome, &[]);
    assert_eq!((report.publisher.refused, report.publisher.busy, report.accounting.expected), (20, 20, 540));
    assert_eq!(report.result, RunResult::Passed, "{:?}", report.reasons);
}

#[test]
fn a_torn_frame_fails_the_run() {
    let report = report_of(Fault::TearFrame, &[]);
    assert_eq!(report.result, RunResult::Failed);
    assert!(report.accounting.malformed > 0);
}

#[test]
fn a_servers_accounts_are_watched_on_every_page_and_one_that_is_broken_fails_the_run() {
    let clean = report_of(Fault::None, &["--watch-accounts", "20"]);
    let watched = clean.watched.unwrap();
    assert_eq!(clean.result, RunResult::Passed, "{:?}", clean.reasons);
    assert!(watched.pages >= 4 && watched.checked * 2 == watched.pages * 3 && watched.broken == 0, "{watched:?}");

    let broken = report_of(Fault::BreakAccount, &["--watch-accounts", "20"]);
    let watched = broken.watched.unwrap();
    assert_eq!(broken.result, RunResult::Failed);
    assert!(watched.broken > 1 && watched.broken * 3 == watched.checked, "{watched:?}");
    assert!(broken.reasons[0].contains("session \"1-1-1\" of \"127.0.0.1:1\": offered 8, but delivered 4"), "{:?}", broken.reasons);
}
