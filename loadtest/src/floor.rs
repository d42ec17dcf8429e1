//! The floor: a bare epoll writer of ready bytes, the least any server must do to deliver the same frames to the same clients.
//!
//! No HTTP beyond waiting for the blank line, no permissions, no queues: frames are made at a fixed rate into one ring of bytes, and each
//! client is written what lies between its cursor and the head, many frames at once when it is behind. One thread.

use crate::args::FloorArgs;
use crate::clock::{self, now_ns};
use crate::failure::Failure;
use crate::frame::Template;
use crate::schedule::Schedule;
use crate::stats::{Summary, histogram, summary};
use hdrhistogram::Histogram;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use serde::{Deserialize, Serialize};
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::time::Duration;

const LISTENER: Token = Token(usize::MAX);
const RING_BYTES: usize = 16 << 20;
const SEND_BUFFER: usize = 128 << 10;
const SSE_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\nconnection: close\r\n\r\n";

/// What the floor says on its standard output when it is over.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct FloorReport {
    /// Frames made.
    pub(crate) frames: u32,
    /// Making a frame, after the time it was due.
    pub(crate) lateness: Summary,
    /// Clients closed because they fell behind by the whole ring.
    pub(crate) overrun: u64,
}

/// Runs the floor until all frames are made and taken, or ten seconds after the last one.
pub(crate) fn run(args: &FloorArgs) -> Result<(), Failure> {
    if let Some(cpu) = args.pin {
        crate::machine::pin_current_thread(&[cpu])?;
    }
    clock::sharpen_timers();
    let mut floor = Floor::open(args)?;
    println!("{{\"listening\":\"{}\"}}", floor.listener.local_addr().map_err(|error| Failure::io("floor address", error))?);
    let report = floor.serve(args)?;
    println!("{}", serde_json::to_string(&report).map_err(|error| Failure::new(format!("floor report: {error}")))?);
    if args.hold {
        // Whatever is read, or an error, ends the holding.
        let _ = std::io::stdin().read(&mut [0]);
    }
    Ok(())
}

struct Connection {
    stream: TcpStream,
    /// Position in the endless run of frame bytes.
    cursor: u64,
    subscribed: bool,
    writable: bool,
}

struct Floor {
    poll: Poll,
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    ring: Vec<u8>,
    head: u64,
    template: Template,
    frames: u32,
    lateness: Histogram<u64>,
    overrun: u64,
    start_requested: Option<usize>,
}

impl Floor {
    fn open(args: &FloorArgs) -> Result<Self, Failure> {
        let template = Template::frame(args.payload_bytes, &crate::spread::Spread::even(args.libraries))?;
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).map_err(|error| Failure::io("socket", error))?;
        let listening = socket
            .set_reuse_address(true)
            .and_then(|()| socket.set_nonblocking(true))
            .and_then(|()| socket.bind(&args.listen.into()))
            .and_then(|()| socket.listen(4096));
        listening.map_err(|error| Failure::io("floor listen", error))?;
        let mut listener = TcpListener::from_std(socket.into());
        let poll = Poll::new().map_err(|error| Failure::io("epoll", error))?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE).map_err(|error| Failure::io("epoll", error))?;
        let ring = vec![0; RING_BYTES / template.len() * template.len()];
        Ok(Self {
            poll,
            listener,
            connections: Vec::new(),
            ring,
            head: 0,
            template,
            frames: 0,
            lateness: histogram(),
            overrun: 0,
            start_requested: None,
        })
    }

    fn serve(&mut self, args: &FloorArgs) -> Result<FloorReport, Failure> {
        let mut events = Events::with_capacity(1024);
        while self.start_requested.is_none() {
            self.turn(&mut events, Some(Duration::from_millis(100)))?;
        }
        let schedule = Schedule::new(now_ns() + 50_000_000, args.rate, args.seconds);
        self.answer_start(schedule.due_ns(0));
        let give_up = schedule.due_ns(schedule.total()) + 10 * clock::SECOND;
        loop {
            self.make_due(&schedule);
            let waiting = self.write_round();
            let over = self.frames == schedule.total();
            if over && (waiting == 0 || now_ns() > give_up) {
                break;
            }
            self.wait(&mut events, if over { now_ns() + 10_000_000 } else { schedule.due_ns(self.frames) })?;
        }
        Ok(FloorReport { frames: self.frames, lateness: summary(&self.lateness), overrun: self.overrun })
    }

    fn make_due(&mut self, schedule: &Schedule) {
        let now = now_ns();
        let due = schedule.due_count(now);
        while self.frames < due {
            let intended = schedule.due_ns(self.frames);
            let at = self.place(self.head);
            let length = self.template.len();
            self.template.fill(&mut self.ring[at..at + length], self.frames, intended, now);
            self.lateness.saturating_record(now - intended);
            self.frames += 1;
            self.head += length as u64;
        }
    }

    /// Writes to everybody who is behind and takes bytes; returns how many are still behind.
    fn write_round(&mut self) -> usize {
        let mut waiting = 0;
        for index in 0..self.connections.len() {
            let Some(connection) = &mut self.connections[index] else { continue };
            if !connection.subscribed || connection.cursor == self.head {
                continue;
            }
            if self.head - connection.cursor > self.ring.len() as u64 {
                self.overrun += 1;
                self.connections[index] = None;
                continue;
            }
            if connection.writable && !write_some(connection, &self.ring, self.head) {
                self.connections[index] = None;
                continue;
            }
            waiting += usize::from(connection.cursor != self.head);
        }
        waiting
    }

    /// Waits for the next frame or for sockets; the last part of a millisecond is slept by the clock, which epoll cannot do.
    fn wait(&mut self, events: &mut Events, until_ns: u64) -> Result<(), Failure> {
        let left = until_ns.saturating_sub(now_ns());
        self.turn(events, Some(Duration::from_millis(left / 1_000_000)))?;
        if until_ns.saturating_sub(now_ns()) < 1_000_000 {
            clock::sleep_until(until_ns);
        }
        Ok(())
    }

    fn turn(&mut self, events: &mut Events, timeout: Option<Duration>) -> Result<(), Failure> {
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(Failure::io("epoll", error)),
            _ => {}
        }
        for event in events.iter() {
            if event.token() == LISTENER {
                self.accept()?;
                continue;
            }
            let index = event.token().0;
            if let Some(connection) = self.connections[index].as_mut() {
                connection.writable |= event.is_writable();
                if event.is_readable() && !self.read(index) {
                    self.connections[index] = None;
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> Result<(), Failure> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(Failure::io("floor accept", error)),
            };
            let socket = socket2::SockRef::from(&stream);
            let set = socket.set_tcp_nodelay(true).and_then(|()| socket.set_send_buffer_size(SEND_BUFFER));
            set.map_err(|error| Failure::io("floor socket options", error))?;
            let token = Token(self.connections.len());
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, token, interest).map_err(|error| Failure::io("epoll", error))?;
            self.connections.push(Some(Connection { stream, cursor: 0, subscribed: false, writable: true }));
        }
    }

    /// Reads a request head, which is assumed to come in one piece; false when the connection is over.
    fn read(&mut self, index: usize) -> bool {
        let Some(connection) = &mut self.connections[index] else { return false };
        let mut head = [0; 4096];
        let length = match connection.stream.read(&mut head) {
            Ok(0) => return false,
            Ok(length) => length,
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        };
        if connection.subscribed || !head[..length].ends_with(b"\r\n\r\n") {
            return true;
        }
        if head.starts_with(b"POST ") {
            self.start_requested = Some(index);
            return true;
        }
        connection.subscribed = true;
        connection.cursor = self.head;
        connection.stream.write(SSE_HEAD).is_ok_and(|written| written == SSE_HEAD.len())
    }

    fn answer_start(&mut self, start_ns: u64) {
        let Some(connection) = self.start_requested.and_then(|index| self.connections[index].as_mut()) else { return };
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{start_ns:020}");
        // When the driver is gone there is nobody to tell, and the run ends by itself.
        let _ = connection.stream.write(answer.as_bytes());
    }

    fn place(&self, position: u64) -> usize {
        usize::try_from(position % self.ring.len() as u64).unwrap_or(0)
    }
}

/// One write of everything between cursor and head; false when the connection is over.
fn write_some(connection: &mut Connection, ring: &[u8], head: u64) -> bool {
    let length = ring.len();
    let from = usize::try_from(connection.cursor % length as u64).unwrap_or(0);
    let left = usize::try_from(head - connection.cursor).unwrap_or(length);
    let first = left.min(length - from);
    let result = if first == left {
        connection.stream.write(&ring[from..from + first])
    } else {
        connection.stream.write_vectored(&[IoSlice::new(&ring[from..]), IoSlice::new(&ring[..left - first])])
    };
    match result {
        Ok(written) => {
            connection.cursor += written as u64;
            // A short write means the buffer is full, and epoll tells when it is not.
            connection.writable = written == left;
            true
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            connection.writable = false;
            true
        }
        Err(_) => false,
    }
}
