//! A client of a WebSocket on a plain socket, with a decoder of its own.

use std::{
    io::{ErrorKind, Read, Write},
    time::{Duration, Instant},
};

use super::{PATIENCE, Request, Server, Wire, http::Head};

/// One frame; the server must never fragment or mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    Text(String),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// With the code, if there is one.
    Close(Option<u16>),
}

/// One connection after its handshake was answered, whatever the answer.
pub(crate) struct WebSocket {
    stream: Wire,
    head: Head,
    /// What was read and is no frame yet; of an answer that is no handshake, the body.
    bytes: Vec<u8>,
    ended: bool,
}

impl WebSocket {
    /// Asks for a WebSocket; headers of the handshake are added.
    pub(crate) fn ask(server: &Server, request: Request) -> Self {
        let mut stream = server.wire().expect("the server accepts");
        stream.write_all(&handshake(request).bytes(&server.address(), false)).expect("the request is taken");
        Self::over(stream)
    }

    /// The same over a connection that is there.
    pub(crate) fn ask_over(server: &Server, mut stream: Wire, request: Request) -> Self {
        stream.write_all(&handshake(request).bytes(&server.address(), false)).expect("the request is taken");
        Self::over(stream)
    }

    /// As the second request of a connection: it comes to the client through a response body.
    pub(crate) fn ask_later(server: &Server, request: Request) -> Self {
        let mut stream = server.wire().expect("the server accepts");
        stream.write_all(&Request::new("GET", "/nothing-here").bytes(&server.address(), false)).expect("taken");
        let first = Self::over(stream);
        assert_eq!((first.head.status, first.bytes.len()), (404, 0));
        let mut stream = first.stream;
        stream.write_all(&handshake(request).bytes(&server.address(), false)).expect("the request is taken");
        Self::over(stream)
    }

    fn over(stream: Wire) -> Self {
        let mut socket = Self { stream, head: Head::default(), bytes: Vec::new(), ended: false };
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some((head, begin)) = Head::parse(&socket.bytes) {
                socket.bytes.drain(..begin);
                socket.head = head;
                return socket;
            }
            assert!(socket.fill(deadline), "no answer head: {:?}", String::from_utf8_lossy(&socket.bytes));
        }
    }

    /// The answer's status and headers.
    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// The body of an answer that is no handshake, when the server has ended it.
    pub(crate) fn body(&mut self) -> String {
        let length = self.head.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let deadline = Instant::now() + PATIENCE;
        while self.bytes.len() < length && self.fill(deadline) {}
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The next frame, or none in that time (or before the end).
    pub(crate) fn next_frame(&mut self, timeout: Duration) -> Option<Frame> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some((frame, length)) = parse(&self.bytes) {
                self.bytes.drain(..length);
                return Some(frame);
            }
            if !self.fill(deadline) {
                return None;
            }
        }
    }

    /// The next text, which must come; pings before it are passed over.
    pub(crate) fn next_text(&mut self) -> String {
        loop {
            match self.next_frame(PATIENCE) {
                Some(Frame::Text(text)) => return text,
                Some(Frame::Ping(_)) => {}
                other => panic!("a text is due, not {other:?}"),
            }
        }
    }

    /// Sends a frame as a client does, masked.
    pub(crate) fn send(&mut self, opcode: u8, payload: &[u8]) {
        let mask = [0x12, 0x34, 0x56, 0x78];
        let mut bytes = vec![0x80 | opcode];
        match u8::try_from(payload.len()) {
            Ok(length @ ..126) => bytes.push(0x80 | length),
            _ => {
                bytes.push(0x80 | 126);
                bytes.extend(u16::try_from(payload.len()).expect("a short payload").to_be_bytes());
            }
        }
        bytes.extend(mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.stream.write_all(&bytes).expect("the server reads");
    }

    /// Whether the server has ended the connection, within that time.
    pub(crate) fn ends(&mut self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        while self.fill(deadline) {}
        self.ended
    }

    fn fill(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        if self.ended || left.is_zero() {
            return false;
        }
        self.stream.set_read_timeout(left);
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.ended = true,
            Ok(length) => {
                self.bytes.extend_from_slice(&buffer[..length]);
                return true;
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => self.ended = true,
        }
        false
    }
}

fn handshake(request: Request) -> Request {
    request
        .header("upgrade", "websocket")
        .header("connection", "Upgrade")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

fn parse(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (first, length, begin) = match bytes {
        [first, 126, high, low, ..] => (*first, usize::from(u16::from_be_bytes([*high, *low])), 4),
        [first, 127, long @ ..] => (*first, usize::try_from(u64::from_be_bytes(long.get(..8)?.try_into().ok()?)).ok()?, 10),
        [first, length, ..] => (*first, usize::from(*length), 2),
        _ => return None,
    };
    let payload = bytes.get(begin..begin + length)?.to_vec();
    let frame = match first {
        0x81 => Frame::Text(String::from_utf8(payload).expect("text is UTF-8")),
        0x88 => Frame::Close(payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]))),
        0x89 => Frame::Ping(payload),
        0x8a => Frame::Pong(payload),
        other => panic!("a server sends no frame that begins with {other:#x}"),
    };
    Some((frame, begin + length))
}
