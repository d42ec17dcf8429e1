//! Engine.IO by polling: the answers of an HTTP connection that is kept open, and the requests that go with them.
//!
//! One connection is enough: a client of the load tester says something only after a poll was answered, and polls again only after that was taken.

use crate::message::{Speech, hear};
use crate::shape::{Shape, Signal, Sink};
use memchr::memmem;
use std::net::SocketAddrV4;

/// Between two packets of one answer (Engine.IO, revision 4).
const SEPARATOR: u8 = 0x1e;
const HEAD_LIMIT: usize = 16 << 10;

/// An answer that cannot be read, or that refuses; why.
#[derive(Debug, PartialEq)]
pub(crate) struct NoAnswer(pub(crate) String);

/// Decodes all whole answers of `bytes` and returns how many bytes they took.
pub(crate) fn decode<S: Sink>(bytes: &[u8], shape: &mut Shape, sink: &mut S) -> Result<usize, NoAnswer> {
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
        hear_answer(body, shape, sink);
        at += end + 4 + length;
    }
}

fn hear_answer<S: Sink>(body: &[u8], shape: &mut Shape, sink: &mut S) {
    if body == b"ok" {
        return sink.signal(Signal::Posted, b"");
    }
    for packet in body.split(|byte| *byte == SEPARATOR) {
        if packet.starts_with(b"b") {
            sink.other();
        } else if let Some(marker_at) = hear(packet, Speech::SocketIo, sink) {
            shape.learn(packet, marker_at);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::tests::Seen;
    use std::net::Ipv4Addr;

    fn answer(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    #[test]
    fn answers_are_read_alike_cut_at_every_byte() {
        let event = |seq: u32| format!("42[\"item_updated\",{{\"title\":\"ffm:{seq:08x}:00000000000003e8:0000000000000007\"}}]");
        let bytes = [answer(&format!("{}\u{1e}2\u{1e}{}\u{1e}bAQID", event(1), event(2))), answer("ok"), answer(&event(3))].concat();
        let read = |cut: usize| {
            let (mut shape, mut seen) = (Shape::default(), Seen::default());
            let taken = decode(&bytes.as_bytes()[..cut], &mut shape, &mut seen).unwrap();
            assert_eq!(taken + decode(&bytes.as_bytes()[taken..], &mut shape, &mut seen).unwrap(), bytes.len());
            seen
        };
        let whole = read(0);
        assert_eq!(whole.deliveries, [(1, 1000), (2, 1000), (3, 1000)]);
        assert_eq!(whole.signals.iter().map(|(signal, _)| *signal).collect::<Vec<_>>(), [Signal::Polled, Signal::Posted, Signal::Polled]);
        assert_eq!((whole.replies.len(), whole.others, whole.malformed), (1, 1, 0));
        for cut in 1..=bytes.len() {
            assert_eq!(read(cut), whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_refusal_is_told_with_its_words() {
        let bytes = "HTTP/1.1 400 Bad Request\r\ncontent-length: 41\r\n\r\n{\"code\":1,\"message\":\"Session ID unknown\"}";
        let refusal = decode(bytes.as_bytes(), &mut Shape::default(), &mut Seen::default()).unwrap_err().0;
        assert!(refusal.starts_with("http/1.1 400") && refusal.contains("Session ID unknown"), "{refusal}");
        assert!(decode(b"HTTP/1.1 200 OK\r\n\r\n", &mut Shape::default(), &mut Seen::default()).is_err());
    }

    #[test]
    fn several_packets_go_in_one_post() {
        let packets: [&[u8]; 2] = [b"3", b"42[\"auth\",\"t\"]"];
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8400);
        let text = String::from_utf8(post(address, "abc", packets.into_iter())).unwrap();
        assert!(text.starts_with("POST /socket.io/?EIO=4&transport=polling&sid=abc HTTP/1.1\r\nHost: 127.0.0.1:8400\r\n"), "{text}");
        assert!(text.ends_with("Content-Length: 16\r\n\r\n3\u{1e}42[\"auth\",\"t\"]"), "{text}");
    }
}
