//! Engine.IO by polling: the answers of an HTTP connection that is kept open, and the requests that go with them.
//!
//! One connection is enough: a client of the load tester says something only after a poll was answered, and polls again only after that was taken.

use crate::message::{Speech, hear};
use crate::shape::{Signal, Sink};
use memchr::memmem;
use std::net::SocketAddrV4;

/// Between two packets of one answer (Engine.IO, revision 4).
const SEPARATOR: u8 = 0x1e;
const HEAD_LIMIT: usize = 16 << 10;

/// An answer that cannot be read, or that refuses; why.
#[derive(Debug, PartialEq)]
pub(crate) struct NoAnswer(pub(crate) String);

/// Decodes all whole answers of `bytes` and returns how many bytes they took.
pub(crate) fn decode<S: Sink>(bytes: &[u8], sink: &mut S) -> Result<usize, NoAnswer> {
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        let Some(end) = memmem::find(rest, b"\r\n\r\n") else {
            return if rest.len() > HEAD_LIMIT { Err(NoAnswer("response head: too long".to_owned())) } else { Ok(at) };
        };
        let head = String::from_utf8_lossy(&rest[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).and_then(|value| value.trim().parse().ok());
        let Some(length) = length else { return Err(NoAnswer(format!("an answer without a length: {head}"))) };
        let Some(body) = rest.get(end + 4..).and_then(|rest| rest.get(..length)) else { return Ok(at) };
        if !head.starts_with("http/1.1 200") {
            let first = head.lines().next().unwrap_or_default();
            return Err(NoAnswer(format!("{first} {}", String::from_utf8_lossy(&body[..body.len().min(200)]))));
        }
        hear_answer(body, sink);
        at += end + 4 + length;
    }
}

fn hear_answer<S: Sink>(body: &[u8], sink: &mut S) {
    if body == b"ok" {
        return sink.signal(Signal::Posted, b"");
    }
    for packet in body.split(|byte| *byte == SEPARATOR) {
        if packet.starts_with(b"b") {
            sink.other();
        } else {
            hear(packet, Speech::SocketIo, sink);
        }
    }
    sink.signal(Signal::Polled, b"");
}

/// The request of a poll; without a session the handshake.
pub(crate) fn get(address: SocketAddrV4, session: &str) -> String {
    format!("GET {} HTTP/1.1\r\nHost: {address}\r\nAccept: */*\r\n\r\n", target("polling", session))
}

/// The request that carries packets to the server.
pub(crate) fn post<'a>(address: SocketAddrV4, session: &str, packets: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let body = packets.collect::<Vec<_>>().join(&SEPARATOR);
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {address}\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: {}\r\n\r\n",
        target("polling", session),
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

/// Path and query of a session's requests.
pub(crate) fn target(transport: &str, session: &str) -> String {
    let parting = if session.is_empty() { "" } else { "&sid=" };
    format!("/socket.io/?EIO=4&transport={transport}{parting}{session}")
}
