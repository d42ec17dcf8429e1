//! Clients made by hand: requests of polling, and WebSockets.

use std::{
    io::{Read, Write},
    thread::{self, JoinHandle},
};

use super::{PATIENCE, server::Server, tls::Wire};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// An answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Makes a request on a connection of its own.
pub(crate) fn ask(server: &Server, method: &str, target: &str, body: &[u8]) -> Answer {
    ask_with(server, method, target, "content-type: text/plain;charset=UTF-8\r\n", body)
}

/// The same, with these header lines.
pub(crate) fn ask_with(server: &Server, method: &str, target: &str, lines: &str, body: &[u8]) -> Answer {
    let mut wire = server.connect();
    wire.set_read_timeout(PATIENCE);
    let length = if body.is_empty() && method == "GET" { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let head = format!("{method} {target} HTTP/1.1\r\nhost: fanfare\r\nconnection: close\r\n{length}{lines}\r\n");
    wire.write_all(head.as_bytes()).expect("taken");
    // Whoever refuses a body may not read all of it.
    let _ = wire.write_all(body);
    let mut bytes = Vec::new();
    let _ = wire.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer to {method} {target}: {text}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

/// A session that polls.
pub(crate) struct Polling<'s> {
    server: &'s Server,
    pub(crate) target: String,
    pub(crate) sid: String,
}

impl<'s> Polling<'s> {
    pub(crate) fn open(server: &'s Server, path: &str) -> Self {
        let target = format!("{path}?EIO=4&transport=polling");
        let answer = ask(server, "GET", &target, b"");
        assert_eq!(answer.status, 200, "{answer:?}");
        let opened: serde_json::Value = serde_json::from_str(&answer.body[1..]).expect("JSON");
        let sid = opened["sid"].as_str().expect("a name").to_owned();
        Self { server, target: format!("{target}&sid={sid}"), sid }
    }

    pub(crate) fn get(&self) -> Answer {
        ask(self.server, "GET", &self.target, b"")
    }

    pub(crate) fn post(&self, body: impl AsRef<[u8]>) -> Answer {
        ask(self.server, "POST", &self.target, body.as_ref())
    }

    /// What is told next.
    pub(crate) fn told(&self) -> String {
        let answer = self.get();
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// Says something that is taken.
    pub(crate) fn say(&self, body: &str) {
        let answer = self.post(body);
        assert_eq!((answer.status, &*answer.body), (200, "ok"), "{answer:?}");
    }

    /// A GET that is held, from another thread.
    pub(crate) fn hold(&self) -> JoinHandle<Answer> {
        let (server, target) = (self.server.clone(), self.target.clone());
        thread::spawn(move || ask(&server, "GET", &target, b""))
    }

    /// The target of a WebSocket that takes over.
    pub(crate) fn taking_over(&self) -> String {
        self.target.replace("transport=polling", "transport=websocket")
    }
}

/// A message of the server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    Text(String),
    Binary(Vec<u8>),
    /// The end, with a close frame or without.
    End,
}

pub(crate) struct Socket(Wire);

impl Socket {
    pub(crate) fn open(server: &Server, target: &str) -> Self {
        let (socket, head) = Self::ask(server, target);
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        socket
    }

    /// One on a connection that has had a request before, as one of a pool has.
    pub(crate) fn open_kept_alive(server: &Server, target: &str) -> Self {
        let mut wire = server.connect();
        wire.set_read_timeout(PATIENCE);
        wire.write_all(b"GET /nothing-here HTTP/1.1\r\nhost: fanfare\r\n\r\n").expect("taken");
        let head = head(&mut wire);
        assert!(head.starts_with("http/1.1 404") && head.contains("content-length: 0"), "{head}");
        let (socket, head) = Self::ask_on(wire, target);
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        socket
    }

    /// Asks for one, and reads the head of the answer.
    pub(crate) fn ask(server: &Server, target: &str) -> (Self, String) {
        let wire = server.connect();
        wire.set_read_timeout(PATIENCE);
        Self::ask_on(wire, target)
    }

    fn ask_on(mut wire: Wire, target: &str) -> (Self, String) {
        let lines = format!("GET {target} HTTP/1.1\r\nhost: fanfare\r\nupgrade: websocket\r\nconnection: upgrade\r\n");
        let request = format!("{lines}sec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n\r\n");
        wire.write_all(request.as_bytes()).expect("taken");
        let head = head(&mut wire);
        (Self(wire), head)
    }

    /// A session of its own, whose first packet was read.
    pub(crate) fn session(server: &Server, path: &str) -> Self {
        let mut socket = Self::open(server, &format!("{path}?EIO=4&transport=websocket"));
        assert!(socket.text().starts_with("0{"));
        socket
    }

    pub(crate) fn next(&mut self) -> Message {
        let mut header = [0; 2];
        if self.0.read_exact(&mut header).is_err() {
            return Message::End;
        }
        let length = match header[1] {
            126 => usize::from(u16::from_be_bytes(self.read())),
            127 => usize::try_from(u64::from_be_bytes(self.read())).expect("it fits"),
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).expect("a whole frame");
        match header[0] {
            0x81 => Message::Text(String::from_utf8(payload).expect("text")),
            0x82 => Message::Binary(payload),
            0x88 => Message::End,
            first => panic!("no frame of Engine.IO: {first:x}"),
        }
    }

    fn read<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).expect("something comes");
        bytes
    }

    /// The next text.
    pub(crate) fn text(&mut self) -> String {
        match self.next() {
            Message::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }

    /// The next text that is no ping.
    pub(crate) fn text_but_pings(&mut self) -> String {
        std::iter::repeat_with(|| self.text()).find(|text| text != "2").expect("it goes on")
    }

    /// It ends, after pings at most.
    pub(crate) fn expect_end(&mut self) {
        loop {
            match self.next() {
                Message::End => return,
                Message::Text(text) if text == "2" => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Waits until the server has closed the connection itself; whether it has.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0))
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.send(0x81, text.as_bytes());
    }

    pub(crate) fn say_bytes(&mut self, bytes: &[u8]) {
        self.send(0x82, bytes);
    }

    fn send(&mut self, first: u8, payload: &[u8]) {
        let length = u8::try_from(payload.len()).ok().filter(|length| *length < 126).expect("a short payload");
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        let masked = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        let frame: Vec<_> = [first, 0x80 | length].into_iter().chain(mask).chain(masked).collect();
        self.0.write_all(&frame).expect("taken");
    }
}

/// The head of an answer, in lower case.
fn head(wire: &mut Wire) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        wire.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("text").to_ascii_lowercase()
}
