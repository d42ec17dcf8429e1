//! A client of `/sse` on a plain socket, with a decoder of its own.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    PATIENCE, Request, Server, Wire,
    http::{Dechunker, Head},
};

/// One event as the browser's rules read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SseEvent {
    pub(crate) name: String,
    pub(crate) data: String,
}

impl SseEvent {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data)
            .unwrap_or_else(|error| panic!("event `{}` has data that is no JSON ({error}): {}", self.name, self.data))
    }
}

/// One stream.
pub(crate) struct Sse {
    stream: Wire,
    head: Head,
    dechunker: Dechunker,
    /// The whole body so far, without transfer encoding.
    raw: Vec<u8>,
    /// How much of `raw` has been read as lines.
    read: usize,
    name: String,
    data: Vec<String>,
    comments: Vec<String>,
    retries: Vec<String>,
    ended: bool,
}

impl Sse {
    /// Opens a stream with a bearer token; it must be accepted.
    pub(crate) fn open(server: &Server, path_and_query: &str, token: &str) -> Self {
        let sse = Self::ask(server, &Request::new("GET", path_and_query).header("accept", "text/event-stream").bearer(token));
        assert_eq!(sse.head.status, 200, "{path_and_query} was refused: {:?}", sse.head);
        sse
    }

    /// Sends a request and reads the head of the answer, whatever it is.
    pub(crate) fn ask(server: &Server, request: &Request) -> Self {
        let mut stream = server.wire().expect("the server accepts");
        stream.write_all(&request.bytes(&server.address(), false)).expect("the request is taken");
        Self::over(stream, Vec::new())
    }

    /// As [`Sse::ask`], as the second request of a connection: it comes to the client through a response body.
    pub(crate) fn ask_later(server: &Server, request: &Request) -> Self {
        let mut stream = server.wire().expect("the server accepts");
        stream.write_all(&Request::new("GET", "/nothing-here").bytes(&server.address(), false)).expect("taken");
        stream.set_read_timeout(PATIENCE);
        let mut answer = Vec::new();
        while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("an answer");
            answer.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 404") && head.contains("content-length: 0"), "{head}");
        stream.write_all(&request.bytes(&server.address(), false)).expect("the request is taken");
        Self::over(stream, Vec::new())
    }

    /// Takes over a connection on which a request for a stream was sent; `early` was read from it already.
    pub(crate) fn over(stream: impl Into<Wire>, mut early: Vec<u8>) -> Self {
        let mut stream = stream.into();
        let deadline = Instant::now() + PATIENCE;
        let (head, begin) = loop {
            if let Some(parsed) = Head::parse(&early) {
                break parsed;
            }
            assert_eq!(
                read_some(&mut stream, &mut early, deadline),
                Progress::Bytes,
                "no answer head: {:?}",
                String::from_utf8_lossy(&early)
            );
        };
        let mut dechunker = Dechunker::new(head.is_chunked());
        let mut raw = Vec::new();
        dechunker.feed(&early[begin..], &mut raw);
        let (name, data, comments, retries) = Default::default();
        Self { stream, head, dechunker, raw, read: 0, name, data, comments, retries, ended: false }
    }

    /// What it is read from.
    pub(crate) fn wire(&mut self) -> &mut Wire {
        &mut self.stream
    }

    /// The answer's status and headers.
    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// The whole body so far, without transfer encoding.
    pub(crate) fn raw(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }

    /// The comments so far, without their colon.
    pub(crate) fn comments(&self) -> &[String] {
        &self.comments
    }

    /// The values of the `retry:` lines so far.
    pub(crate) fn retries(&self) -> &[String] {
        &self.retries
    }

    /// The next event, or none in that time (or before the end of the stream).
    pub(crate) fn next_event(&mut self, timeout: Duration) -> Option<SseEvent> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(event) = self.parse() {
                return Some(event);
            }
            if !self.fill(deadline) {
                return None;
            }
        }
    }

    /// The next event, which must come, under that name.
    pub(crate) fn expect(&mut self, name: &str) -> SseEvent {
        let Some(event) = self.next_event(PATIENCE) else { panic!("`{name}` did not come; so far: {}", self.raw()) };
        assert_eq!(event.name, name, "another event came: {}", event.data);
        event
    }

    /// Fails when an event comes in that time.
    pub(crate) fn expect_nothing(&mut self, time: Duration) {
        if let Some(event) = self.next_event(time) {
            panic!("nothing should have come, but: {event:?}");
        }
    }

    /// Every event before the first one whose data holds `sentinel`, which must come.
    pub(crate) fn before(&mut self, sentinel: &str) -> Vec<SseEvent> {
        let mut events = Vec::new();
        loop {
            let Some(event) = self.next_event(PATIENCE) else { panic!("the sentinel {sentinel} did not come; so far: {}", self.raw()) };
            if event.data.contains(sentinel) {
                return events;
            }
            events.push(event);
        }
    }

    /// Reads on until the text is in the body, or the time is over.
    pub(crate) fn read_until(&mut self, text: &str, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        while !self.raw().contains(text) {
            if !self.fill(deadline) {
                return false;
            }
        }
        true
    }

    /// Reads to the end of the stream, which must come in that time; events on the way are kept in `raw`.
    pub(crate) fn expect_end(&mut self, timeout: Duration) {
        while self.next_event(timeout).is_some() {}
        assert!(self.ended || self.dechunker.ended, "the stream is still open; so far: {}", self.raw());
    }

    fn fill(&mut self, deadline: Instant) -> bool {
        if self.ended || self.dechunker.ended {
            return false;
        }
        let mut bytes = Vec::new();
        let progress = read_some(&mut self.stream, &mut bytes, deadline);
        self.ended = progress == Progress::End;
        self.dechunker.feed(&bytes, &mut self.raw);
        progress == Progress::Bytes
    }

    /// Reads lines up to the blank one that ends an event. CR, LF and CRLF all end a line (WHATWG).
    fn parse(&mut self) -> Option<SseEvent> {
        while let Some(line) = self.line() {
            if line.is_empty() {
                let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
                if !data.is_empty() {
                    return Some(SseEvent { name, data: data.join("\n") });
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match field {
                "" => self.comments.push(value),
                "event" => self.name = value,
                "data" => self.data.push(value),
                "retry" => self.retries.push(value),
                "id" => {}
                other => panic!("an unknown field `{other}` in the stream: {line:?}"),
            }
        }
        None
    }

    fn line(&mut self) -> Option<String> {
        let rest = &self.raw[self.read..];
        let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'))?;
        // A CR at the very end may be half of a CRLF.
        if rest[end] == b'\r' && rest.len() == end + 1 {
            return None;
        }
        let crlf = rest[end] == b'\r' && rest[end + 1] == b'\n';
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        self.read += end + 1 + usize::from(crlf);
        Some(line)
    }
}

/// A connection to the server's main address.
pub(crate) fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).expect("the server accepts");
    stream.set_nodelay(true).expect("a TCP option");
    stream.set_write_timeout(Some(PATIENCE)).expect("a TCP option");
    stream
}

/// A connection whose receive buffer is so small that the server soon feels when nothing is read from it.
pub(crate) fn connect_deaf(address: &str) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a socket option");
    let address: std::net::SocketAddr = address.parse().expect("an address");
    socket.connect(&address.into()).expect("the server accepts");
    socket.into()
}

#[derive(Debug, PartialEq, Eq)]
enum Progress {
    Bytes,
    NothingYet,
    End,
}

/// Reads once, waiting at most until the deadline.
fn read_some(stream: &mut Wire, into: &mut Vec<u8>, deadline: Instant) -> Progress {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Progress::NothingYet;
    }
    stream.set_read_timeout(left);
    let mut buffer = [0; 16 * 1024];
    match stream.read(&mut buffer) {
        Ok(0) => Progress::End,
        Ok(n) => {
            into.extend_from_slice(&buffer[..n]);
            Progress::Bytes
        }
        Err(error) if error.kind() == ErrorKind::Interrupted => Progress::Bytes,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Progress::NothingYet,
        // A connection that was cut has ended, too.
        Err(_) => Progress::End,
    }
}
