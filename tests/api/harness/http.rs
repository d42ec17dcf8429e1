//! A request written by hand and its answer: nothing is added that a test did not ask for.

use std::{
    fmt::Write as _,
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::Value;

use super::{PATIENCE, Server, Wire};

/// A request; `send` makes a connection of its own for it.
pub(crate) struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: None }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// The bytes of the request; without `connection: close` the connection stays open for more.
    pub(crate) fn bytes(&self, host: &str, close: bool) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {host}\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            // Writing to a String cannot fail.
            let _infallible = write!(head, "{name}: {value}\r\n");
        }
        if let Some(body) = &self.body {
            let _infallible = write!(head, "content-length: {}\r\n", body.len());
        }
        head.push_str(if close { "connection: close\r\n\r\n" } else { "\r\n" });
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }

    /// A program that sends it over HTTP/2 and prints the answer as it comes, its head first.
    #[cfg(feature = "http2")]
    pub(crate) fn over_http2(&self, server: &Server) -> std::process::Command {
        let mut curl = std::process::Command::new("curl");
        curl.args(["--silent", "--no-buffer", "--dump-header", "-", "--http2", "--request", &self.method, "--cacert"]);
        curl.arg(&server.certificate().cert).arg(format!("{}{}", server.url(), self.path));
        for (name, value) in &self.headers {
            curl.args(["--header", &format!("{name}: {value}")]);
        }
        curl
    }

    /// Sends it to the server's main address.
    pub(crate) fn send(&self, server: &Server) -> Answer {
        self.send_over(server.wire().expect("the server accepts"), &server.address()).expect("the server answers")
    }

    /// Sends it to `host:port`, without TLS.
    ///
    /// # Errors
    /// When no whole answer comes.
    pub(crate) fn send_to(&self, address: &str) -> std::io::Result<Answer> {
        self.send_over(TcpStream::connect(address)?.into(), address)
    }

    /// Sends it over a connection of its own.
    ///
    /// # Errors
    /// When no whole answer comes.
    pub(crate) fn send_over(&self, mut stream: Wire, address: &str) -> std::io::Result<Answer> {
        stream.set_read_timeout(PATIENCE);
        // A server that refuses a body early may close while it is written; its answer is what counts.
        let _refused_early = stream.write_all(&self.bytes(address, true));
        let mut reply = Vec::new();
        if let Err(error) = stream.read_to_end(&mut reply)
            && reply.is_empty()
        {
            return Err(error);
        }
        Answer::parse(&reply).ok_or_else(|| std::io::Error::other(format!("no whole answer: {:?}", String::from_utf8_lossy(&reply))))
    }
}

/// The status line and headers of an answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Head {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
}

impl Head {
    /// Parses what stands before the empty line; gives the head and where the body begins.
    pub(crate) fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = text.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|line| line.split_once(':')).map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()));
        Some((Self { status, headers: headers.collect() }, end + 4))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_chunked(&self) -> bool {
        self.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    }
}

/// An answer, its body without transfer encoding.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    head: Head,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (head, begin) = Head::parse(bytes)?;
        let mut dechunker = Dechunker::new(head.is_chunked());
        let mut body = Vec::new();
        dechunker.feed(&bytes[begin..], &mut body);
        Some(Self { status: head.status, body: String::from_utf8_lossy(&body).into_owned(), head })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("the body is no JSON ({error}): {}", self.body))
    }
}

/// Takes the chunk sizes of `transfer-encoding: chunked` out of a byte stream, however it is cut.
#[derive(Debug)]
pub(crate) struct Dechunker {
    chunked: bool,
    held: Vec<u8>,
    /// What is left of the present chunk, its closing CR LF included; `None` between chunks.
    left: Option<usize>,
    /// The chunk of length 0 was seen.
    pub(crate) ended: bool,
}

impl Dechunker {
    pub(crate) fn new(chunked: bool) -> Self {
        Self { chunked, held: Vec::new(), left: None, ended: false }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if !self.chunked {
            out.extend_from_slice(bytes);
            return;
        }
        self.held.extend_from_slice(bytes);
        while self.step(out) {}
    }

    fn step(&mut self, out: &mut Vec<u8>) -> bool {
        if self.ended || self.held.is_empty() {
            return false;
        }
        let Some(left) = self.left else {
            let Some(end) = self.held.windows(2).position(|window| window == b"\r\n") else { return false };
            let line = String::from_utf8_lossy(&self.held[..end]).into_owned();
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).unwrap_or_else(|_| panic!("no chunk size: {line:?}"));
            self.held.drain(..end + 2);
            self.ended = size == 0;
            self.left = Some(size + 2);
            return true;
        };
        let take = left.min(self.held.len());
        let data = take.min(left.saturating_sub(2));
        out.extend_from_slice(&self.held[..data]);
        self.held.drain(..take);
        self.left = (take < left).then_some(left - take);
        true
    }
}

#[test]
fn chunks_are_joined_wherever_the_stream_is_cut() {
    let wire = b"5\r\nhello\r\n1;x=y\r\n!\r\nA\r\n0123456789\r\n0\r\n\r\n";
    for cut in 0..wire.len() {
        let (mut dechunker, mut out) = (Dechunker::new(true), Vec::new());
        dechunker.feed(&wire[..cut], &mut out);
        dechunker.feed(&wire[cut..], &mut out);
        assert_eq!(String::from_utf8_lossy(&out), "hello!0123456789", "cut at {cut}");
        assert!(dechunker.ended, "cut at {cut}");
    }
}
