//! How clients come and go: paced connecting from many source addresses, and churn.

use super::{CONNECTING_AT_ONCE, Client, Plan, Role, State, Swarm};
use crate::clock::SECOND;
use crate::dialect::Dialect;
use crate::ledger::Subscription;
use mio::net::TcpStream;
use mio::{Interest, Token};
use socket2::{Domain, Socket, Type};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::Ordering::Relaxed;

/// Connections from one source address; the range of local ports usually has 28,000.
const PORTS_PER_ADDRESS: usize = 20_000;
const CHURN_STAY_NS: u64 = SECOND;
/// Time a churning client has to get its stream.
const CHURN_PATIENCE_NS: u64 = 5 * SECOND;
const SLOW_RECEIVE_BUFFER: usize = 4096;

/// A churning client and when it is to go.
#[derive(Clone, Copy)]
pub(super) struct Churner {
    slot: usize,
    leaves_at: u64,
    gives_up_at: u64,
}

impl Swarm {
    /// Opens the connections that are wanted and due at the connect rate.
    pub(super) fn open_due(&mut self, now: u64) {
        let wanted = self.shared.wanted.load(Relaxed);
        while let Some(&(index, role)) = self.waiting.front() {
            if index >= wanted || self.opening >= CONNECTING_AT_ONCE {
                return;
            }
            if self.first_open_ns == 0 {
                self.first_open_ns = now;
            }
            let allowed = (now - self.first_open_ns) as u128 * self.plan.connect_rate as u128 / u128::from(SECOND);
            if self.opened as u128 > allowed {
                return;
            }
            self.waiting.pop_front();
            self.opened += 1;
            self.open(index, role);
        }
        // The next step starts its own pacing, so that the pause between steps is not made up for in one burst.
        (self.opened, self.first_open_ns) = (0, 0);
    }

    /// Lets churning clients leave whose second is over, and opens those due.
    pub(super) fn churn(&mut self, now: u64) {
        while let Some(churner) = self.churners.front().copied().filter(|churner| churner.leaves_at <= now) {
            self.churners.pop_front();
            let joins = matches!(self.clients[churner.slot].state, State::Connecting | State::Greeting | State::Joining);
            if joins && now < churner.gives_up_at {
                // It has its second once it is in: some dialects need several words for that.
                self.churners.push_back(Churner { leaves_at: now + CHURN_STAY_NS, ..churner });
            } else {
                self.leave(churner.slot);
            }
        }
        if self.plan.churn == 0 || !self.shared.churning.load(Relaxed) {
            return;
        }
        if self.churn_from_ns == 0 {
            self.churn_from_ns = now;
        }
        let due = (now - self.churn_from_ns) * self.plan.churn as u64 / SECOND;
        while self.churned < due && self.opening < CONNECTING_AT_ONCE {
            self.churned += 1;
            let index = usize::try_from(self.churned).unwrap_or(0);
            let slot = self.open(index, Role::Churning);
            self.churners.push_back(Churner { slot, leaves_at: now + CHURN_STAY_NS, gives_up_at: now + CHURN_PATIENCE_NS });
        }
    }

    /// A churning client reads what is there and leaves; its account ends with its last delivery.
    fn leave(&mut self, slot: usize) {
        match self.clients[slot].state {
            State::Live => {
                self.read(slot, usize::MAX);
                if self.clients[slot].state == State::Live {
                    self.shared.live.fetch_sub(1, Relaxed);
                    self.close(slot, false);
                }
            }
            State::Connecting | State::Greeting | State::Joining => {
                self.refuse(slot, "a churning client had no stream within five seconds")
            }
            State::Closed => {}
        }
        let client = &self.clients[slot];
        let record = super::ClientRecord::of(client.role, client.dialect, client.ledger.clone(), None, client.closed_by_server);
        self.records.push(record);
        self.free.push(slot);
    }

    fn open(&mut self, index: usize, role: Role) -> usize {
        let slot = self.free.pop().unwrap_or(self.clients.len());
        let client = Client::new(index, role, self.plan.dialect(index), self.plan.subscription(index, role));
        self.opening += 1;
        if slot == self.clients.len() {
            self.clients.push(client);
        } else {
            self.clients[slot] = client;
        }
        self.connect(slot);
        slot
    }

    /// Begins a connection of a client that is there; Socket.IO's take-over makes a second one.
    pub(super) fn connect(&mut self, slot: usize) {
        let client = &mut self.clients[slot];
        client.state = State::Connecting;
        let opened = begin_connect(self.plan.address, source_address(slot), client.role).and_then(|mut stream| {
            self.poll.registry().register(&mut stream, Token(slot), Interest::READABLE | Interest::WRITABLE)?;
            Ok(stream)
        });
        match opened {
            Ok(stream) => client.stream = Some(stream),
            Err(error) => self.refuse(slot, &format!("connect: {error}")),
        }
    }
}

impl Plan {
    /// The libraries of a client.
    pub(crate) fn subscription(&self, index: usize, role: Role) -> Subscription {
        if role == Role::Stranger {
            return Subscription::none();
        }
        Subscription::of_client(self.user(index), self.spread.clone(), self.client_libraries)
    }

    /// Whose libraries a client has: users have rights of their own, and clients of one user the same. With one token for all, clients
    /// differ by what they ask for.
    pub(crate) fn user(&self, index: usize) -> usize {
        if self.tokens.len() > 1 { index % self.tokens.len() } else { index }
    }

    /// What a client speaks; those beside the steady ones speak what these do, in turn.
    pub(crate) fn dialect(&self, index: usize) -> Dialect {
        if self.dialects.is_empty() { Dialect::Sse } else { self.dialects[index % self.dialects.len()] }
    }
}

/// Sends the request of a client whose connection has just been made, or says why there is none.
pub(super) fn send_request(client: &mut Client, plan: &Plan) -> Result<(), String> {
    let request = plan.request(client);
    let Some(stream) = client.stream.as_mut() else { return Err("connection is gone".to_owned()) };
    if let Ok(Some(error)) | Err(error) = stream.take_error() {
        return Err(format!("connect: {error}"));
    }
    match stream.write(request.as_bytes()) {
        Ok(length) if length == request.len() => Ok(()),
        Ok(_) => Err("request: an empty socket took only part of it".to_owned()),
        Err(error) => Err(format!("request: {error}")),
    }
}

/// Where a client connects from; none leaves it to the system.
fn source_address(slot: usize) -> Option<Ipv4Addr> {
    let [high, low] = u16::try_from(slot / PORTS_PER_ADDRESS).unwrap_or(u16::MAX).to_be_bytes();
    (slot >= PORTS_PER_ADDRESS).then(|| Ipv4Addr::new(127, 0, 1 + high, low))
}

fn begin_connect(address: SocketAddrV4, source: Option<Ipv4Addr>, role: Role) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if !role.reads_at_once() {
        socket.set_recv_buffer_size(SLOW_RECEIVE_BUFFER)?;
    }
    if let Some(source) = source {
        socket.bind(&SocketAddrV4::new(source, 0).into())?;
    }
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}
