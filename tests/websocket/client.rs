//! A WebSocket client on a plain socket, with a reader of its own.

use std::{
    io::{Read, Write},
    time::Duration,
};

use super::{
    PATIENCE,
    tls::Wire,
    told::{Server, TOKEN},
};

pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// How a client comes in, and so what its session writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The first request of a connection.
    FrontDoor,
    /// A later one: through the HTTP server.
    KeptAlive,
    /// The first request, with TLS.
    Tls,
}

/// One frame of the server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn text(text: &str) -> Self {
        Self { first: 0x81, payload: text.into() }
    }

    pub(crate) fn ping() -> Self {
        Self { first: 0x89, payload: Vec::new() }
    }

    /// Without a reason.
    pub(crate) fn close(code: u16) -> Self {
        Self { first: 0x88, payload: code.to_be_bytes().into() }
    }

    /// The code of a close frame.
    pub(crate) fn code(&self) -> u16 {
        assert!(self.first == 0x88 && self.payload.len() >= 2, "no close frame: {self:?}");
        u16::from_be_bytes([self.payload[0], self.payload[1]])
    }
}

pub(crate) struct Client {
    pub(crate) wire: Wire,
}

impl Client {
    /// A WebSocket that was opened.
    pub(crate) fn open(server: &Server, way: Way, path: &str) -> Self {
        let (client, head) = Self::ask(server, way, &handshake(path, TOKEN));
        assert!(head.starts_with("http/1.1 101 ") && head.contains(&ACCEPT.to_ascii_lowercase()), "{way:?} {path}: {head}");
        assert!(head.contains("upgrade: websocket") && !head.contains("transfer-encoding"), "{way:?}: {head}");
        client
    }

    /// Sends a request, and reads the head of the answer in lower case.
    pub(crate) fn ask(server: &Server, way: Way, request: &str) -> (Self, String) {
        let mut client = Self { wire: server.connect() };
        client.wire.set_read_timeout(PATIENCE);
        if way == Way::KeptAlive {
            client.wire.write_all(b"GET /nothing-here HTTP/1.1\r\nHost: fanfare\r\n\r\n").expect("taken");
            let head = client.head();
            assert!(head.starts_with("http/1.1 404") && head.contains("content-length: 0"), "{head}");
        }
        client.wire.write_all(request.as_bytes()).expect("taken");
        let head = client.head();
        (client, head)
    }

    /// Takes over a connection, on which it sends these bytes; a WebSocket must open.
    pub(crate) fn over(wire: Wire, request: &[u8]) -> Self {
        let mut client = Self { wire };
        client.wire.set_read_timeout(PATIENCE);
        client.wire.write_all(request).expect("taken");
        let head = client.head();
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        client
    }

    fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.read::<1>()[0]);
        }
        String::from_utf8(head).expect("text").to_ascii_lowercase()
    }

    fn read<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.wire.read_exact(&mut bytes).expect("something comes");
        bytes
    }

    /// The next frame: whole, and not masked.
    pub(crate) fn next(&mut self) -> Frame {
        let [first, length] = self.read();
        let length = match length {
            126 => usize::from(u16::from_be_bytes(self.read())),
            127 => usize::try_from(u64::from_be_bytes(self.read())).expect("it fits"),
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        self.wire.read_exact(&mut payload).expect("a whole frame");
        Frame { first, payload }
    }

    pub(crate) fn next_but_pings(&mut self) -> Frame {
        std::iter::repeat_with(|| self.next()).find(|frame| *frame != Frame::ping()).expect("it goes on")
    }

    pub(crate) fn say(&mut self, first: u8, payload: &[u8]) {
        self.wire.write_all(&frame(first, payload)).expect("taken");
    }

    /// The server closes, and says nothing more.
    pub(crate) fn expect_end(&mut self) {
        let mut rest = Vec::new();
        // Over TLS an end that was not announced would be an error.
        self.wire.read_to_end(&mut rest).expect("the end");
        assert_eq!(rest, b"", "nothing behind the last word");
    }

    pub(crate) fn set_write_timeout(&self, timeout: Duration) {
        match &self.wire {
            Wire::Plain(socket) => socket.set_write_timeout(Some(timeout)),
            Wire::Tls(stream) => stream.sock.set_write_timeout(Some(timeout)),
            #[cfg(feature = "http2")]
            Wire::Program(..) => Ok(()),
        }
        .expect("a socket option");
    }
}

/// A whole handshake.
pub(crate) fn handshake(path: &str, token: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: fanfare\r\nAuthorization: {token}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    )
}

/// A frame as clients write it: masked.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let length = u8::try_from(payload.len()).ok().filter(|length| *length < 126).expect("a short payload");
    let masked = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    [first, 0x80 | length].into_iter().chain(mask).chain(masked).collect()
}
