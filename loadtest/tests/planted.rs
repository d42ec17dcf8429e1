//! Faults planted on purpose, and the load tester as it is shipped: each must be found, and blamed on whoever has it.
//!
//! The server is a stand-in of a few lines, because the real one has no switch that makes it lose events.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};

/// Every client's stream, and every event.
enum ToHub {
    Client(TcpStream),
    Event(String),
}

/// Serves event streams and takes events; leaves out one frame in `one_in`, counted over all clients. Returns its address and the count of
/// what it left out.
fn stand_in(one_in: Option<u64>) -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let left_out = Arc::new(AtomicU64::new(0));
    let (to_hub, from_connections) = channel();
    let count = Arc::clone(&left_out);
    std::thread::spawn(move || hub(&from_connections, one_in, &count));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let to_hub = to_hub.clone();
            std::thread::spawn(move || connection(stream.unwrap(), &to_hub));
        }
    });
    (address, left_out)
}

fn hub(from_connections: &Receiver<ToHub>, one_in: Option<u64>, left_out: &AtomicU64) {
    let (mut clients, mut frames) = (Vec::new(), 0_u64);
    for message in from_connections {
        match message {
            ToHub::Client(stream) => clients.push(stream),
            ToHub::Event(frame) => {
                for client in &mut clients {
                    frames += 1;
                    if one_in.is_some_and(|one_in| frames.is_multiple_of(one_in)) {
                        left_out.fetch_add(1, Relaxed);
                    } else {
                        // A client that has gone needs nothing any more.
                        let _ = client.write_all(frame.as_bytes());
                    }
                }
            }
        }
    }
}

fn connection(mut stream: TcpStream, to_hub: &Sender<ToHub>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    if head.starts_with("GET /sse") {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n").unwrap();
        to_hub.send(ToHub::Client(stream)).unwrap();
    } else if head.starts_with("POST ") {
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").unwrap();
        let mut lines = String::new();
        while let Some(piece) = chunk(&mut reader) {
            lines.push_str(&piece);
            while let Some((line, rest)) = lines.split_once('\n') {
                let data = line.strip_prefix("{\"type\":\"medias\",\"data\":").unwrap().strip_suffix('}').unwrap();
                to_hub.send(ToHub::Event(format!("event: medias\ndata: {{\"Medias\":{data}}}\n\n"))).unwrap();
                lines = rest.to_owned();
                stream.write_all(b"{\"id\":\"1\",\"order\":1}\n").unwrap();
            }
        }
    } else {
        let body = "{\"connections\":[]}";
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).unwrap();
    }
}

/// The next piece of a chunked body; nothing at its end.
fn chunk(reader: &mut impl BufRead) -> Option<String> {
    let mut size = String::new();
    reader.read_line(&mut size).ok()?;
    let size = usize::from_str_radix(size.trim(), 16).ok().filter(|size| *size > 0)?;
    let mut piece = vec![0; size + 2];
    reader.read_exact(&mut piece).ok()?;
    String::from_utf8(piece[..size].to_vec()).ok()
}

/// Ten clients at 2,000 events a second for two seconds: 40,000 deliveries, and half as many again to warm up.
fn run(address: &str, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare-loadtest"));
    command.args(["run", "--target", address, "--clients", "10", "--rate", "2000", "--seconds", "2", "--warmup", "1", "--steps", "1"]);
    command.args(["--drain", "1"]).args(more).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A machine that tests run on is busy, which is no fault to be found here.
const BUSY_MACHINE: [&str; 2] = ["--lateness-limit-us", "30000000"];

#[test]
fn a_server_without_a_fault_passes() {
    let (address, _) = stand_in(None);
    let output = run(&address, &BUSY_MACHINE);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn a_server_that_drops_one_frame_in_ten_thousand_is_found_with_the_exact_count() {
    let (address, left_out) = stand_in(Some(10_000));
    let output = run(&address, &BUSY_MACHINE);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_eq!(left_out.load(Relaxed), 6);
    assert!(said(&output).contains("6 deliveries lost silently"), "{}", said(&output));
}

#[test]
fn a_slow_publisher_is_blamed_on_the_publisher() {
    let (address, _) = stand_in(None);
    let output = run(&address, &["--publisher-pause-ms", "40"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("publisher late: p99"), "{}", said(&output));
}
