//! Whole runs of every dialect against a small server made of threads, which plants a loss where the dialect has no word for it.
//!
//! The server shows nothing of Fanfare's code: its messages are written by hand from the protocols' descriptions.

use super::run;
use crate::args::{Arguments, Command};
use crate::chunked::Dechunker;
use crate::report::{Report, Result as RunResult};
use clap::Parser;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// What becomes of events 50, 51 and 52 of the second client.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    Lose,
    LoseAndReport,
    Masked,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Plex,
    MediaBrowser,
    SocketIo,
}

enum ToHub {
    Join(TcpStream, Kind),
    Event(Value),
    Peers(Sender<Vec<SocketAddr>>),
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

fn hub(fault: Fault, from_connections: &Receiver<ToHub>) {
    let (mut clients, mut seq): (Vec<(TcpStream, Kind)>, [u32; 2]) = (Vec::new(), [0; 2]);
    for message in from_connections {
        match message {
            ToHub::Join(mut stream, kind) => {
                stream.write_all(&text(last_word(kind))).unwrap();
                clients.push((stream, kind));
            }
            ToHub::Peers(answer) => answer.send(clients.iter().filter_map(|(stream, _)| stream.peer_addr().ok()).collect()).unwrap(),
            ToHub::Event(event) => {
                let is_raw = event["type"] == "raw";
                let number = seq[usize::from(is_raw)];
                seq[usize::from(is_raw)] += 1;
                for (place, (client, kind)) in clients.iter_mut().enumerate() {
                    let is_lost = fault != Fault::None && place == 1 && (50..53).contains(&number);
                    if (*kind == Kind::MediaBrowser) == is_raw && !(is_lost && fault != Fault::Masked) {
                        let mut frame = text(&told(*kind, &event));
                        frame[1] |= if is_lost { 0x80 } else { 0 };
                        // A client that has left takes nothing.
                        let _ = client.write_all(&frame);
                    }
                }
            }
        }
    }
}

/// What lets a client know that events flow.
fn last_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Plex => r#"{"NotificationContainer":{"type":"status","size":1,"StatusNotification":[{}]}}"#,
        Kind::MediaBrowser => r#"{"MessageType":"ForceKeepAlive","Data":60}"#,
        Kind::SocketIo => r#"42["init",{"userId":"1","username":"a"}]"#,
    }
}

fn told(kind: Kind, event: &Value) -> String {
    let title = &event["data"]["medias"][0]["media"]["name"];
    match kind {
        Kind::Plex => {
            format!(r#"{{"NotificationContainer":{{"type":"timeline","size":1,"TimelineEntry":[{{"title":{title},"state":5}}]}}}}"#)
        }
        Kind::MediaBrowser => format!(r#"{{"MessageType":"LibraryChanged","Data":{}}}"#, event["data"]["payload"]),
        Kind::SocketIo => format!(r#"42["item_updated",{{"media":{{"metadata":{{"title":{title}}}}}}}]"#),
    }
}

fn text(payload: &str) -> Vec<u8> {
    let head = match u8::try_from(payload.len()) {
        Ok(length @ 0..126) => vec![0x81, length],
        _ => [&[0x81, 126][..], &u16::try_from(payload.len()).unwrap().to_be_bytes()].concat(),
    };
    [head.as_slice(), payload.as_bytes()].concat()
}

/// Reads one masked frame of a client.
fn heard(stream: &mut TcpStream) -> String {
    let mut head = [0; 6];
    stream.read_exact(&mut head).unwrap();
    assert!(head[0] == 0x81 && head[1] >= 0x80, "not a masked text: {head:?}");
    let mut payload = vec![0; usize::from(head[1] & 0x7f)];
    stream.read_exact(&mut payload).unwrap();
    payload.iter_mut().zip(head[2..].iter().cycle()).for_each(|(byte, key)| *byte ^= key);
    String::from_utf8(payload).unwrap()
}

fn connection(fault: Fault, mut stream: TcpStream, to_hub: &Sender<ToHub>) {
    let (head, rest) = read_head(&mut stream);
    let kind = match head.split(' ').nth(1).unwrap_or_default() {
        path if path.starts_with("/:/websockets/notifications") => Kind::Plex,
        path if path.starts_with("/embywebsocket?api_key=tok") => Kind::MediaBrowser,
        path if path.contains("transport=polling") => return poll(stream, to_hub),
        path if path.starts_with("/socket.io/?EIO=4&transport=websocket") => Kind::SocketIo,
        path if path.starts_with("/api/connections") => return connections(fault, stream, to_hub),
        _ => return accept_items(stream, &rest, to_hub),
    };
    let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    write!(stream, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{accept}\r\n\r\n").unwrap();
    if kind == Kind::SocketIo {
        if head.contains("&sid=") {
            assert_eq!(heard(&mut stream), "2probe");
            stream.write_all(&text("3probe")).unwrap();
            assert_eq!(heard(&mut stream), "5");
        } else {
            stream
                .write_all(&text(r#"0{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#))
                .unwrap();
            assert_eq!(heard(&mut stream), "40");
        }
        stream.write_all(&text(r#"40{"sid":"def"}"#)).unwrap();
        assert_eq!(heard(&mut stream), r#"42["auth","tok"]"#);
        stream.write_all(&text("2")).unwrap();
        assert_eq!(heard(&mut stream), "3");
    }
    to_hub.send(ToHub::Join(stream, kind)).unwrap();
}

/// The polling that comes before a take-over: the handshake, then what the client posts.
fn poll(mut stream: TcpStream, _to_hub: &Sender<ToHub>) {
    let open = r#"0{"sid":"abc","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{open}", open.len()).unwrap();
    let (head, rest) = read_head(&mut stream);
    assert!(head.starts_with("POST /socket.io/?EIO=4&transport=polling&sid=abc ") && rest == b"40", "{head}");
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
}

fn read_head(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
            return (String::from_utf8(bytes[..end].to_vec()).unwrap(), bytes[end + 4..].to_vec());
        }
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece).unwrap();
        assert!(length > 0, "closed before the head was whole");
        bytes.extend_from_slice(&piece[..length]);
    }
}

fn connections(fault: Fault, mut stream: TcpStream, to_hub: &Sender<ToHub>) {
    let (answer, peers) = channel();
    to_hub.send(ToHub::Peers(answer)).unwrap();
    let skipped = |place| if fault == Fault::LoseAndReport && place == 1 { 3 } else { 0 };
    let sessions: Vec<Value> = peers
        .recv()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(place, peer)| serde_json::json!({"peer": peer, "skipped": skipped(place)}))
        .collect();
    let body = serde_json::json!({"connections": sessions, "next": null}).to_string();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
}

fn accept_items(mut stream: TcpStream, begun: &[u8], to_hub: &Sender<ToHub>) {
    stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    let (mut chunks, mut body, mut piece) = (Dechunker::new(), Vec::new(), vec![0; 65536]);
    chunks.push(begun, &mut body).unwrap();
    while !chunks.is_over() {
        let length = stream.read(&mut piece).unwrap();
        chunks.push(&piece[..length], &mut body).unwrap();
        while let Some(end) = memchr::memchr(b'\n', &body) {
            to_hub.send(ToHub::Event(serde_json::from_slice(&body[..end]).unwrap())).unwrap();
            stream.write_all(b"2\r\n{}\r\n1\r\n\n\r\n").unwrap();
            body.drain(..=end);
        }
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
}

fn report_of(fault: Fault, mix: &str) -> Report {
    let target = format!("http://{}", serve(fault));
    let fixed = ["fanfare-loadtest", "run", "--target", &target, "--token", "tok", "--mix", mix, "--rate", "200", "--seconds", "1"];
    let calm = ["--warmup", "0", "--steps", "1", "--drain", "1", "--lateness-limit-us", "60000000", "--connect-rate", "20"];
    let Command::Run(args) = Arguments::try_parse_from(fixed.iter().chain(&calm)).unwrap().command else { panic!("not a run") };
    run(&args).unwrap()
}

#[test]
fn a_mix_of_dialects_passes_with_every_delivery_of_each_accounted_for() {
    let report = report_of(Fault::None, "plex-ws=2,mediabrowser=2,socketio=2,socketio-upgrade=1");
    assert_eq!(report.result, RunResult::Passed, "{:?}", report.reasons);
    assert_eq!((report.accounting.expected, report.accounting.received), (1400, 1400));
    assert_eq!(report.load.clients_by_dialect["mediabrowser"], 2);
    assert!(report.load.frame_bytes_by_dialect.len() == 4 && report.held_bytes_per_client < 1024, "{:?}", report.load);
}

#[test]
fn a_loss_no_dialect_can_tell_is_found_unless_the_server_owns_to_it() {
    for mix in ["plex-ws=3", "mediabrowser=3", "socketio=3"] {
        let lost = report_of(Fault::Lose, mix);
        assert_eq!((lost.result, lost.accounting.lost_silently, lost.accounting.clients_short), (RunResult::Failed, 3, 1), "{mix}");
        let told = report_of(Fault::LoseAndReport, mix);
        assert_eq!((told.result, told.accounting.skipped_reported, told.accounting.lost_silently), (RunResult::Passed, 3, 0), "{mix}");
    }
}

#[test]
fn a_frame_no_server_may_send_fails_the_run() {
    let report = report_of(Fault::Masked, "plex-ws=3");
    assert_eq!((report.result, report.accounting.closed_by_server), (RunResult::Failed, 1));
    assert!(report.accounting.malformed > 0);
}
