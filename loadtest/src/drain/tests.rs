//! Whole stops of a small server made of threads, which plants one fault per test.

use super::*;
use crate::args::{Arguments, Command as Subcommand};
use clap::Parser;
use std::io::Read;
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};
use std::time::Duration;

const CLIENTS: usize = 12;
const EVENTS: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    AllAtOnce,
    NoHint,
    LoseOne,
    StayReady,
    ExitWithError,
}

/// The threads, as the process they stand for.
struct Threads {
    fault: Fault,
    draining: Arc<AtomicBool>,
    streams: Receiver<TcpStream>,
    done: Option<thread::JoinHandle<()>>,
}

impl Process for Threads {
    fn terminate(&mut self) -> Result<(), Failure> {
        self.draining.store(self.fault != Fault::StayReady, Relaxed);
        let (fault, streams) = (self.fault, self.streams.try_iter().collect::<Vec<_>>());
        self.done = Some(thread::spawn(move || {
            for mut stream in streams {
                if fault != Fault::NoHint {
                    stream.write_all(b"retry: 1234\n\n").unwrap();
                }
                drop(stream);
                clock::sleep_ms(if fault == Fault::AllAtOnce { 0 } else { 260 });
            }
        }));
        Ok(())
    }

    fn gone(&mut self) -> Option<Option<i32>> {
        self.done.as_ref().is_some_and(thread::JoinHandle::is_finished).then_some(Some(i32::from(self.fault == Fault::ExitWithError)))
    }
}

fn head(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

fn answer(mut stream: &TcpStream, status: u16, body: &str) {
    write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
}

/// Takes streams and one publication until the stop, then shuts the door.
fn main_listener(fault: Fault, listener: TcpListener, draining: &AtomicBool, keep: &Sender<TcpStream>) {
    listener.set_nonblocking(true).unwrap();
    let mut streams: Vec<TcpStream> = Vec::new();
    while !draining.load(Relaxed) {
        let Ok((mut stream, _)) = listener.accept() else {
            thread::park_timeout(Duration::from_millis(1));
            continue;
        };
        stream.set_nonblocking(false).unwrap();
        let request = head(&mut stream);
        if request.starts_with("GET /sse") {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n:hello\n").unwrap();
            streams.push(stream);
            continue;
        }
        let frames = Template::frame(267, &crate::spread::Spread::even(1)).unwrap();
        let mut bytes = Vec::new();
        (0..u32::try_from(EVENTS).unwrap()).for_each(|seq| frames.append(&mut bytes, seq, 0, 0));
        for (place, client) in streams.iter_mut().enumerate() {
            let lost = if fault == Fault::LoseOne && place == 4 { frames.len() } else { 0 };
            client.write_all(&bytes[lost..]).unwrap();
            keep.send(client.try_clone().unwrap()).unwrap();
        }
        streams.clear();
        let length: usize = request.to_ascii_lowercase().split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
        stream.read_exact(&mut vec![0; length]).unwrap();
        answer(&stream, 200, &"{\"id\":\"x\",\"order\":1}\n".repeat(EVENTS));
    }
}

fn metrics_listener(listener: &TcpListener, draining: &AtomicBool) {
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let ready = head(&mut stream).contains("/readyz");
        answer(&stream, if ready && draining.load(Relaxed) { 503 } else { 200 }, "");
    }
}

fn stop(fault: Fault) -> DrainReport {
    let (listener, metrics) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let (target, metrics_url) = (listener.local_addr().unwrap(), metrics.local_addr().unwrap());
    let draining = Arc::new(AtomicBool::new(false));
    let (keep, streams) = channel();
    let (door, health) = (Arc::clone(&draining), Arc::clone(&draining));
    thread::spawn(move || main_listener(fault, listener, &door, &keep));
    thread::spawn(move || metrics_listener(&metrics, &health));
    let (target, metrics_url) = (format!("http://{target}"), format!("http://{metrics_url}"));
    let (clients, events) = (CLIENTS.to_string(), EVENTS.to_string());
    let words = ["x", "drain", "--target", &target, "--metrics", &metrics_url, "--clients", &clients, "--events", &events, "--window", "4"];
    let Subcommand::Drain(args) = Arguments::try_parse_from(words).unwrap().command else { panic!("another subcommand") };
    measure(&args, &mut Threads { fault, draining, streams, done: None }).unwrap()
}

#[test]
fn a_stop_that_keeps_every_promise_passes() {
    let report = stop(Fault::None);
    assert_eq!(report.failures, Vec::<String>::new(), "{}", report.text());
    assert_eq!((report.complete, report.hinted, report.ended, report.exit_code), (CLIENTS, CLIENTS, CLIENTS, Some(0)));
    assert!(report.largest_in_a_second <= 5 && report.last_end_ms > 2_000.0, "{}", report.text());
}

#[test]
fn each_broken_promise_fails_the_run_and_is_named() {
    for (fault, named) in [
        (Fault::AllAtOnce, "sent away within one second"),
        (Fault::NoHint, "12 clients were given no hint"),
        (Fault::LoseOne, "1 clients did not get every accepted event"),
        (Fault::StayReady, "/readyz did not answer 503"),
        (Fault::ExitWithError, "exit code Some(1)"),
    ] {
        let report = stop(fault);
        assert!(report.failures.iter().any(|failure| failure.contains(named)), "{fault:?}: {:?}", report.failures);
    }
}

#[test]
fn ends_are_counted_within_any_second_not_within_those_of_a_clock() {
    let second = SECOND;
    assert_eq!(largest_within(&[], second), 0);
    assert_eq!(largest_within(&[0, second / 2, second, second + second / 4, second + second / 3], second), 4);
}
