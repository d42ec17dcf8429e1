//! The clients: thousands of connections in every dialect on one epoll loop per thread, non-blocking, with one read buffer for all of them.
//!
//! A client keeps its ledger and the beginning of an unfinished frame, and over Socket.IO its session's id, nothing else. What events mean, and whether a run passes, is not known here.

mod connect;
mod opening;
mod reading;
mod record;
mod shared;
mod steps;

pub(crate) use record::{ClientLatency, ClientRecord, Role, ThreadResult};
pub(crate) use shared::{NOT_OVER, Plan, Shared};

use crate::clock::{SECOND, now_ns};
use crate::dialect::{DIALECTS, Dialect};
use crate::failure::Failure;
use crate::ledger::{Ledger, Subscription};
use crate::shape::Shape;
use crate::websocket::Unfinished;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use record::{End, Hint, Recorder};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

const READ_BUFFER: usize = 256 << 10;
const TICK_NS: u64 = 20_000_000;
const CONNECTING_AT_ONCE: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Connecting,
    Greeting,
    Joining,
    Live,
    Closed,
}

struct Client {
    index: usize,
    role: Role,
    dialect: Dialect,
    state: State,
    probing: bool,
    stream: Option<TcpStream>,
    partial: Vec<u8>,
    ledger: Ledger,
    dechunker: Option<Box<crate::chunked::Dechunker>>,
    session: Option<Box<str>>,
    /// Where a session began that another connection has taken over: the server's list has it under this.
    opened_from: Option<SocketAddrV4>,
    unfinished: Unfinished,
    closed_by_server: bool,
    /// Told that the stream ends.
    told: bool,
    hint: Option<Box<Hint>>,
    end: Option<Box<End>>,
}

impl Client {
    fn new(index: usize, role: Role, dialect: Dialect, subscription: Subscription) -> Self {
        Self {
            index,
            role,
            dialect,
            state: State::Connecting,
            probing: false,
            stream: None,
            partial: Vec::new(),
            ledger: Ledger::new(subscription),
            dechunker: None,
            session: None,
            opened_from: None,
            unfinished: Unfinished::default(),
            closed_by_server: false,
            told: false,
            hint: None,
            end: None,
        }
    }

    /// Its own end of the connection.
    fn local_address(&self) -> Option<SocketAddrV4> {
        match self.stream.as_ref()?.local_addr().ok()? {
            SocketAddr::V4(address) => Some(address),
            SocketAddr::V6(_) => None,
        }
    }

    /// Bytes it holds in this process, itself and what it points to.
    fn held_bytes(&self) -> usize {
        let session = self.session.as_deref().map_or(0, str::len);
        let dechunker = self.dechunker.as_deref().map_or(0, size_of_val);
        size_of::<Self>() + self.partial.capacity() + session + dechunker + self.ledger.heap_bytes() + self.unfinished.heap_bytes()
    }

    /// Whether it speaks over requests of its own now.
    fn polls(&self) -> bool {
        match self.dialect {
            Dialect::SocketIoPolling => true,
            Dialect::SocketIoUpgrade => !self.probing,
            _ => false,
        }
    }
}

/// One client thread: drives its share of the clients until told to stop, then hands back their ledgers.
pub(crate) struct Swarm {
    plan: Arc<Plan>,
    shared: Arc<Shared>,
    poll: Poll,
    clients: Vec<Client>,
    waiting: VecDeque<(usize, Role)>,
    recorder: Recorder,
    shapes: [Shape; DIALECTS.len()],
    buffer: Vec<u8>,
    dechunked: Vec<u8>,
    ticks: usize,
    opened: usize,
    opening: usize,
    first_open_ns: u64,
    churners: VecDeque<connect::Churner>,
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
            shapes: [Shape::default(); DIALECTS.len()],
            buffer: vec![0; READ_BUFFER.max(2 * plan.message_limit)],
            dechunked: Vec::new(),
            ticks: 0,
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
                if event.is_read_closed() {
                    self.read_end(event.token().0);
                }
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
            match connect::send_request(client, &self.plan) {
                Ok(()) if client.polls() => client.state = State::Joining,
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
                State::Joining => self.read(slot, usize::MAX),
                State::Live | State::Connecting | State::Closed => {}
            }
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
        self.keep_alive();
    }

    fn refuse(&mut self, slot: usize, reason: &str) {
        self.opening -= 1;
        self.shared.note_failure(reason);
        self.close(slot, false);
    }

    /// The server, or the connection, has ended a client's stream, or it never got one.
    fn lose(&mut self, slot: usize, reason: &str) {
        self.lose_so(slot, reason, false);
    }

    /// The same; `cleanly` when the stream ended as its protocol has it.
    fn lose_so(&mut self, slot: usize, reason: &str, cleanly: bool) {
        match self.clients[slot].state {
            State::Live => {
                self.shared.live.fetch_sub(1, Relaxed);
                let client = &mut self.clients[slot];
                let end = End::of(client.hint.as_deref().copied(), client.ledger.received, client.told, cleanly || client.told);
                client.end = Some(Box::new(end));
                self.close(slot, true);
            }
            State::Closed => {}
            State::Connecting | State::Greeting | State::Joining => {
                let reason = format!("{}: {reason}", self.clients[slot].dialect);
                self.refuse(slot, &reason);
            }
        }
    }

    fn close(&mut self, slot: usize, by_server: bool) {
        let client = &mut self.clients[slot];
        client.state = State::Closed;
        client.closed_by_server = by_server;
        client.stream = None;
        client.partial = Vec::new();
        client.unfinished = Unfinished::default();
    }

    fn finish(mut self) -> ThreadResult {
        let held_bytes = self.clients.iter().map(Client::held_bytes).sum::<usize>() / self.clients.len().max(1);
        for client in std::mem::take(&mut self.clients) {
            let address = client.opened_from.or_else(|| client.local_address()).filter(|_| client.stream.is_some()).map(SocketAddr::V4);
            if let Some(stream) = &client.stream {
                // A reset instead of a FIN: the next run must not wait for ports. If it is refused the ports are only slower to return.
                let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
            }
            if client.role != Role::Churning || client.state != State::Closed {
                let end = client.end.as_deref().copied().unwrap_or_default();
                let record = ClientRecord::of(client.role, client.dialect, client.ledger, address, client.closed_by_server);
                self.records.push(ClientRecord { end, ..record });
            }
        }
        ThreadResult {
            records: self.records,
            latency: self.recorder.take_latency(),
            by_client: self.recorder.by_client,
            others: self.recorder.others,
            malformed: self.recorder.malformed,
            malformed_sample: self.recorder.malformed_sample,
            frame_bytes: DIALECTS.map(|(dialect, _)| self.shapes[dialect as usize].length()),
            held_bytes,
            churned: self.churned,
        }
    }
}
