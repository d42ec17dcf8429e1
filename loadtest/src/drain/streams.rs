//! Many `/sse` streams on one thread, read to their end: which events came in which order, and what the last word was.

use crate::chunked::Dechunker;
use crate::clock::now_ns;
use crate::failure::Failure;
use crate::frame::{MARKER_LEN, MARKER_PREFIX, sequence};
use memchr::memmem;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddrV4;
use std::time::Duration;

/// The longest line that is kept until its end comes.
const LINE_LIMIT: usize = 1 << 20;

/// One client's stream.
pub(super) struct Stream {
    socket: TcpStream,
    /// Its head has come.
    open: bool,
    partial: Vec<u8>,
    dechunker: Option<Dechunker>,
    /// Events so far; they are numbered from 0.
    pub(super) n_events: u32,
    /// An event came out of its order, twice or not at all.
    pub(super) disordered: bool,
    /// Milliseconds of a `retry:` line behind which nothing came.
    pub(super) hint: Option<u64>,
    /// When the stream ended, cleanly: not by a reset.
    pub(super) ended_ns: Option<u64>,
    over: bool,
}

/// Opens that many streams; every one must be accepted.
pub(super) fn connect(address: SocketAddrV4, path: &str, token: Option<&str>, n: usize, patience_ns: u64) -> Result<Vec<Stream>, Failure> {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n{authorization}\r\n");
    let mut streams = Vec::with_capacity(n);
    for _ in 0..n {
        let mut socket = crate::http::connect(address)?;
        socket.write_all(request.as_bytes()).map_err(|error| Failure::io("request", error))?;
        socket.set_nonblocking(true).map_err(|error| Failure::io("socket options", error))?;
        streams.push(Stream::new(TcpStream::from_std(socket)));
    }
    read(&mut streams, now_ns() + patience_ns, |stream| stream.open || stream.over)?;
    let refused = streams.iter().filter(|stream| !stream.open || stream.over).count();
    if refused > 0 {
        return Err(Failure::new(format!("{refused} of {n} clients got no stream")));
    }
    Ok(streams)
}

/// Reads until every stream has ended, or the time is over.
pub(super) fn read_to_the_end(streams: &mut [Stream], deadline_ns: u64) -> Result<(), Failure> {
    read(streams, deadline_ns, |stream| stream.over)
}

fn read(streams: &mut [Stream], deadline_ns: u64, done: impl Fn(&Stream) -> bool) -> Result<(), Failure> {
    let mut poll = Poll::new().map_err(|error| Failure::io("epoll", error))?;
    for (index, stream) in streams.iter_mut().enumerate() {
        poll.registry().register(&mut stream.socket, Token(index), Interest::READABLE).map_err(|error| Failure::io("epoll", error))?;
    }
    let (mut events, mut buffer) = (Events::with_capacity(1024), vec![0; 64 << 10]);
    let mut left = streams.iter().filter(|stream| !done(stream)).count();
    while left > 0 && now_ns() < deadline_ns {
        if let Err(error) = poll.poll(&mut events, Some(Duration::from_millis(50)))
            && error.kind() != ErrorKind::Interrupted
        {
            return Err(Failure::io("epoll", error));
        }
        for event in &events {
            let stream = &mut streams[event.token().0];
            let before = done(stream);
            stream.read(&mut buffer);
            left -= usize::from(!before && done(stream));
        }
    }
    for stream in streams.iter_mut() {
        // Registered again by the next call; a socket whose stream is over is not needed any more.
        let _ = poll.registry().deregister(&mut stream.socket);
    }
    Ok(())
}

impl Stream {
    fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            open: false,
            partial: Vec::new(),
            dechunker: None,
            n_events: 0,
            disordered: false,
            hint: None,
            ended_ns: None,
            over: false,
        }
    }

    fn read(&mut self, buffer: &mut [u8]) {
        while !self.over {
            match self.socket.read(buffer) {
                Ok(0) => self.end(self.partial.is_empty() && self.dechunker.is_none()),
                Ok(n) => self.take(&buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.end(false),
            }
        }
    }

    fn end(&mut self, cleanly: bool) {
        self.over = true;
        self.ended_ns = cleanly.then(now_ns);
    }

    fn take(&mut self, bytes: &[u8]) {
        match &mut self.dechunker {
            None => self.partial.extend_from_slice(bytes),
            Some(dechunker) => {
                let broken = dechunker.push(bytes, &mut self.partial).is_err();
                if broken || dechunker.is_over() {
                    self.take_lines();
                    return self.end(!broken && self.partial.is_empty());
                }
            }
        }
        if !self.open && !self.take_head() {
            return;
        }
        self.take_lines();
        if self.partial.len() > LINE_LIMIT {
            self.end(false);
        }
    }

    /// `false`: it has not come yet, or the stream was refused.
    fn take_head(&mut self) -> bool {
        let Some(end) = memmem::find(&self.partial, b"\r\n\r\n") else { return false };
        let head = String::from_utf8_lossy(&self.partial[..end]).to_ascii_lowercase();
        let rest = self.partial.split_off(end + 4);
        self.partial.clear();
        if !head.starts_with("http/1.1 200") || !head.contains("text/event-stream") {
            self.end(false);
            return false;
        }
        self.open = true;
        if head.contains("transfer-encoding: chunked") {
            self.dechunker = Some(Dechunker::new());
            self.take(&rest);
            return false;
        }
        self.partial = rest;
        true
    }

    fn take_lines(&mut self) {
        let mut at = 0;
        while let Some(end) = memchr::memchr(b'\n', &self.partial[at..]) {
            let line = at..at + end;
            at += end + 1;
            self.take_line(line);
        }
        self.partial.drain(..at);
    }

    fn take_line(&mut self, line: std::ops::Range<usize>) {
        let line = &self.partial[line];
        if line.is_empty() {
            return;
        }
        if let Some(value) = line.strip_prefix(b"retry:") {
            self.hint = String::from_utf8_lossy(value).trim().parse().ok().filter(|millis| *millis > 0);
            return;
        }
        self.hint = None; // something came behind it: it was not the last word
        let marker =
            memmem::find(line, MARKER_PREFIX).and_then(|at| line.get(at + MARKER_PREFIX.len()..at + MARKER_PREFIX.len() + MARKER_LEN));
        if let Some(marker) = marker.and_then(|marker| <&[u8; MARKER_LEN]>::try_from(marker).ok()) {
            self.disordered |= sequence(marker) != self.n_events;
            self.n_events += 1;
        }
    }
}
