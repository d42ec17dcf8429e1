//! The clients: thousands of `/sse` connections on one epoll loop per thread, non-blocking, with one read buffer for all of them.
//!
//! A client keeps its ledger and the beginning of an unfinished frame, nothing else. What events mean, and whether a run passes, is not known here.

mod connect;
mod record;
mod shared;

pub(crate) use record::{ClientLatency, ClientRecord, Role, ThreadResult};
pub(crate) use shared::{NOT_OVER, Plan, Shared};

use crate::clock::{SECOND, now_ns};
use crate::dialect::Dialect;
use crate::failure::Failure;
use crate::ledger::Ledger;
use crate::sse::{Shape, decode};
use connect::{Greeting, read_greeting};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use record::Recorder;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

const READ_BUFFER: usize = 256 << 10;
const PARTIAL_LIMIT: usize = 128 << 10;
const TICK_NS: u64 = 20_000_000;
const CONNECTING_AT_ONCE: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Connecting,
    Greeting,
    Live,
    Closed,
}

struct Client {
    index: usize,
    role: Role,
    state: State,
    stream: Option<TcpStream>,
    partial: Vec<u8>,
    ledger: Ledger,
    dechunker: Option<Box<crate::chunked::Dechunker>>,
    closed_by_server: bool,
}

/// One client thread: drives its share of the clients until told to stop, then hands back their ledgers.
pub(crate) struct Swarm {
    plan: Arc<Plan>,
    shared: Arc<Shared>,
    poll: Poll,
    clients: Vec<Client>,
    waiting: VecDeque<(usize, Role)>,
    recorder: Recorder,
    shape: Shape,
    buffer: Vec<u8>,
    dechunked: Vec<u8>,
    opened: usize,
    opening: usize,
    first_open_ns: u64,
    churners: VecDeque<(usize, u64)>,
    churned: u64,
    churn_from_ns: u64,
    free: Vec<usize>,
    records: Vec<ClientRecord>,
}

impl Swarm {
    /// Prepares a thread's share: clients in the order they are to connect.
    pub(crate) fn new(plan: Arc<Plan>, shared: Arc<Shared>, share: Vec<(usize, Role)>) -> Result<Self, Failure> {
        Ok(Self {
            poll: Poll::new().map_err(|error| Failure::io("epoll", error))?,
            clients: Vec::with_capacity(share.len()),
            waiting: share.into(),
            recorder: Recorder::new(plan.sample_mask, plan.measured_from, plan.measured_to, Arc::clone(&shared)),
            shape: Shape::default(),
            buffer: vec![0; READ_BUFFER],
            dechunked: Vec::new(),
            opened: 0,
            opening: 0,
            first_open_ns: 0,
            churners: VecDeque::new(),
            churned: 0,
            churn_from_ns: 0,
            free: Vec::new(),
            records: Vec::new(),
            plan,
            shared,
        })
    }

    /// The loop. Returns when `Shared::stop` is set.
    pub(crate) fn run(mut self) -> Result<ThreadResult, Failure> {
        let mut events = Events::with_capacity(1024);
        let mut next_tick = now_ns();
        while !self.shared.stop.load(Relaxed) {
            let timeout = Duration::from_millis(if self.waiting.is_empty() { 10 } else { 1 });
            match self.poll.poll(&mut events, Some(timeout)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(Failure::io("epoll", error)),
                _ => {}
            }
            for event in events.iter() {
                self.on_ready(event.token().0, event.is_writable(), event.is_readable());
            }
            self.shared.received.fetch_add(self.recorder.take_received(), Relaxed);
            let now = now_ns();
            self.open_due(now);
            if now >= next_tick {
                next_tick = now + TICK_NS;
                self.tick(now);
            }
        }
        Ok(self.finish())
    }

    fn on_ready(&mut self, slot: usize, writable: bool, readable: bool) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        if client.state == State::Connecting && writable {
            match connect::send_request(client.stream.as_mut(), &self.plan, client.index) {
                Ok(()) => client.state = State::Greeting,
                Err(reason) => return self.refuse(slot, &reason),
            }
            if let Some(stream) = client.stream.as_mut() {
                // The fallback is a wake-up more per write; reading works all the same.
                let _ = self.poll.registry().reregister(stream, Token(slot), Interest::READABLE);
            }
        }
        if readable {
            match self.clients[slot].state {
                State::Greeting => self.greet(slot),
                State::Live if self.clients[slot].role.reads_at_once() => self.read(slot, usize::MAX),
                State::Live | State::Connecting | State::Closed => {}
            }
        }
    }

    fn greet(&mut self, slot: usize) {
        let client = &mut self.clients[slot];
        match read_greeting(client.stream.as_mut(), &mut client.partial, &mut self.buffer) {
            Greeting::Incomplete => {}
            Greeting::Refused(reason) => self.refuse(slot, &reason),
            Greeting::Accepted { chunked, rest } => {
                client.state = State::Live;
                client.dechunker = chunked.then(|| Box::new(crate::chunked::Dechunker::new()));
                client.partial = Vec::new();
                if client.role == Role::Churning {
                    client.ledger.join_at(self.shared.sent.load(Relaxed));
                }
                self.opening -= 1;
                self.shared.live.fetch_add(1, Relaxed);
                self.buffer[..rest.len()].copy_from_slice(&rest);
                if client.role != Role::Stalled {
                    self.take(slot, 0, rest.len(), now_ns());
                    // Epoll tells only once of what may already be waiting behind the head.
                    self.read(slot, if self.clients[slot].role == Role::Slow { 1 } else { usize::MAX });
                }
            }
        }
    }

    /// Reads until the socket is empty or `limit` bytes have come.
    fn read(&mut self, slot: usize, limit: usize) {
        let mut left = limit;
        loop {
            let client = &mut self.clients[slot];
            let Some(stream) = client.stream.as_mut() else { return };
            let carried = client.partial.len();
            self.buffer[..carried].copy_from_slice(&client.partial);
            let room = (self.buffer.len() - carried).min(left);
            match stream.read(&mut self.buffer[carried..carried + room]) {
                Ok(0) => return self.close_by_server(slot),
                Ok(length) => {
                    let now = now_ns();
                    self.take(slot, carried, length, now);
                    left -= length;
                    // Less than asked for means the socket was empty: no need to ask again.
                    if length < room || left == 0 {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.close_by_server(slot),
            }
        }
    }

    /// Decodes `carried + length` bytes of the buffer and keeps what is left of an unfinished frame.
    #[inline]
    fn take(&mut self, slot: usize, carried: usize, length: usize, now: u64) {
        let client = &mut self.clients[slot];
        let mut sink = self.recorder.sink(&mut client.ledger, Dialect::Sse, client.index, now);
        if let Some(dechunker) = &mut client.dechunker {
            self.dechunked.clear();
            self.dechunked.extend_from_slice(&self.buffer[..carried]);
            let broken = dechunker.push(&self.buffer[carried..carried + length], &mut self.dechunked).is_err();
            let taken = decode(&self.dechunked, &mut self.shape, &mut sink);
            client.partial.clear();
            client.partial.extend_from_slice(&self.dechunked[taken..]);
            if broken || dechunker.is_over() {
                return self.close_by_server(slot);
            }
        } else {
            let filled = carried + length;
            let taken = decode(&self.buffer[..filled], &mut self.shape, &mut sink);
            client.partial.clear();
            client.partial.extend_from_slice(&self.buffer[taken..filled]);
        }
        if client.partial.is_empty() {
            client.partial = Vec::new();
        } else if client.partial.len() > PARTIAL_LIMIT {
            self.recorder.malformed += 1;
            self.close_by_server(slot);
        }
    }

    fn tick(&mut self, now: u64) {
        let slow_share = (self.plan.slow_bytes as u64 * TICK_NS / SECOND).max(1);
        let end = self.shared.end.load(Relaxed);
        let mut complete = 0;
        for slot in 0..self.clients.len() {
            let client = &self.clients[slot];
            if client.role == Role::Slow && client.state == State::Live {
                self.read(slot, usize::try_from(slow_share).unwrap_or(1));
            } else if end != NOT_OVER && client.role == Role::Steady && (client.state == State::Closed || client.ledger.is_complete(end)) {
                complete += 1;
            }
        }
        if end != NOT_OVER {
            self.shared.complete.fetch_add(complete - self.recorder.reported_complete, Relaxed);
            self.recorder.reported_complete = complete;
        }
        self.churn(now);
    }

    fn refuse(&mut self, slot: usize, reason: &str) {
        self.opening -= 1;
        self.shared.note_failure(reason);
        self.close(slot, false);
    }

    fn close_by_server(&mut self, slot: usize) {
        self.shared.live.fetch_sub(1, Relaxed);
        self.close(slot, true);
    }

    fn close(&mut self, slot: usize, by_server: bool) {
        let client = &mut self.clients[slot];
        client.state = State::Closed;
        client.closed_by_server = by_server;
        client.stream = None;
        client.partial = Vec::new();
    }

    fn finish(mut self) -> ThreadResult {
        for client in std::mem::take(&mut self.clients) {
            let address = client.stream.as_ref().and_then(|stream| stream.local_addr().ok());
            if let Some(stream) = &client.stream {
                // A reset instead of a FIN: the next run must not wait for ports. If it is refused the ports are only slower to return.
                let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
            }
            if client.role != Role::Churning || client.state != State::Closed {
                self.records.push(ClientRecord::of(client.role, client.ledger, address, client.closed_by_server));
            }
        }
        ThreadResult {
            records: self.records,
            latency: self.recorder.take_latency(),
            by_client: self.recorder.by_client,
            others: self.recorder.others,
            malformed: self.recorder.malformed,
            malformed_sample: self.recorder.malformed_sample,
            frame_bytes: self.shape.length(),
            churned: self.churned,
        }
    }
}
