//! How clients come and go: paced connecting from many source addresses, the request, the response head, and churn.

use super::{CONNECTING_AT_ONCE, Client, Plan, Role, State, Swarm};
use crate::clock::SECOND;
use crate::frame::library_name;
use crate::ledger::{Ledger, Subscription};
use mio::net::TcpStream;
use mio::{Interest, Token};
use socket2::{Domain, Socket, Type};
use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::Ordering::Relaxed;

/// Connections from one source address; the range of local ports usually has 28,000.
const PORTS_PER_ADDRESS: usize = 20_000;
const CHURN_STAY_NS: u64 = SECOND;
const SLOW_RECEIVE_BUFFER: usize = 4096;
const HEAD_LIMIT: usize = 16 << 10;

/// What came of reading a response head.
pub(super) enum Greeting {
    /// Not whole yet.
    Incomplete,
    /// The stream is open; `rest` came behind the head.
    Accepted {
        /// Whether the stream is in chunked coding.
        chunked: bool,
        /// Bytes behind the head.
        rest: Vec<u8>,
    },
    /// No stream, and why.
    Refused(String),
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
        while let Some(&(slot, until)) = self.churners.front() {
            if until > now {
                break;
            }
            self.churners.pop_front();
            self.leave(slot);
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
            self.churners.push_back((slot, now + CHURN_STAY_NS));
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
            State::Connecting | State::Greeting => self.refuse(slot, "a churning client had no stream within its second"),
            State::Closed => {}
        }
        let client = &self.clients[slot];
        let record = super::ClientRecord::of(client.role, client.ledger.clone(), None, client.closed_by_server);
        self.records.push(record);
        self.free.push(slot);
    }

    fn open(&mut self, index: usize, role: Role) -> usize {
        let ledger = Ledger::new(self.plan.subscription(index));
        let slot = self.free.pop().unwrap_or(self.clients.len());
        let mut client = Client {
            index,
            role,
            state: State::Connecting,
            stream: None,
            partial: Vec::new(),
            ledger,
            dechunker: None,
            closed_by_server: false,
        };
        self.opening += 1;
        let opened = begin_connect(self.plan.address, slot, role).and_then(|mut stream| {
            self.poll.registry().register(&mut stream, Token(slot), Interest::READABLE | Interest::WRITABLE)?;
            Ok(stream)
        });
        let failure = opened.map(|stream| client.stream = Some(stream)).err();
        if slot == self.clients.len() {
            self.clients.push(client);
        } else {
            self.clients[slot] = client;
        }
        if let Some(error) = failure {
            self.refuse(slot, &format!("connect: {error}"));
        }
        slot
    }
}

impl Plan {
    /// The libraries of a client.
    pub(crate) fn subscription(&self, index: usize) -> Subscription {
        Subscription::of_client(index, self.libraries, self.client_libraries)
    }

    fn request(&self, index: usize) -> String {
        let mut request = format!("GET {}", self.path);
        if let Some(libraries) = self.subscription(index).names() {
            let names: Vec<String> = libraries.into_iter().map(|library| library_name(library, self.libraries)).collect();
            let parting = if self.path.contains('?') { '&' } else { '?' };
            // Writing to a string cannot fail.
            let _ = write!(request, "{parting}libraries={}", names.join(","));
        }
        let _ = write!(request, " HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n", self.address);
        if !self.tokens.is_empty() {
            let _ = write!(request, "Authorization: Bearer {}\r\n", self.tokens[index % self.tokens.len()]);
        }
        request.push_str("\r\n");
        request
    }
}

/// Sends the request of a client whose connection has just been made, or says why there is none.
pub(super) fn send_request(stream: Option<&mut TcpStream>, plan: &Plan, index: usize) -> Result<(), String> {
    let Some(stream) = stream else { return Err("connection is gone".to_owned()) };
    if let Ok(Some(error)) | Err(error) = stream.take_error() {
        return Err(format!("connect: {error}"));
    }
    let request = plan.request(index);
    match stream.write(request.as_bytes()) {
        Ok(length) if length == request.len() => Ok(()),
        Ok(_) => Err("request: an empty socket took only part of it".to_owned()),
        Err(error) => Err(format!("request: {error}")),
    }
}

/// Reads towards the end of the response head; `partial` keeps what has come.
pub(super) fn read_greeting(stream: Option<&mut TcpStream>, partial: &mut Vec<u8>, buffer: &mut [u8]) -> Greeting {
    let Some(stream) = stream else { return Greeting::Refused("connection is gone".to_owned()) };
    match stream.read(&mut buffer[..HEAD_LIMIT]) {
        Ok(0) => return Greeting::Refused("closed before the response head".to_owned()),
        Ok(length) => partial.extend_from_slice(&buffer[..length]),
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Greeting::Incomplete,
        Err(error) => return Greeting::Refused(format!("response head: {error}")),
    }
    let Some(end) = memchr::memmem::find(partial, b"\r\n\r\n") else {
        return if partial.len() > HEAD_LIMIT { Greeting::Refused("response head: too long".to_owned()) } else { Greeting::Incomplete };
    };
    let head = String::from_utf8_lossy(&partial[..end]).to_ascii_lowercase();
    if !head.starts_with("http/1.1 200") || !head.contains("content-type: text/event-stream") {
        let first = head.lines().next().unwrap_or_default();
        let body = String::from_utf8_lossy(&partial[end + 4..]).trim().chars().take(200).collect::<String>();
        return Greeting::Refused(format!("not an event stream: {first} {body}"));
    }
    Greeting::Accepted { chunked: head.contains("transfer-encoding: chunked"), rest: partial[end + 4..].to_vec() }
}

fn begin_connect(address: SocketAddrV4, slot: usize, role: Role) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if !role.reads_at_once() {
        socket.set_recv_buffer_size(SLOW_RECEIVE_BUFFER)?;
    }
    let group = slot / PORTS_PER_ADDRESS;
    if group > 0 {
        let [high, low] = u16::try_from(group).unwrap_or(u16::MAX).to_be_bytes();
        socket.bind(&SocketAddrV4::new(Ipv4Addr::new(127, 0, 1 + high, low), 0).into())?;
    }
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_the_libraries_and_carries_the_clients_own_token() {
        let plan = Plan {
            address: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1),
            path: "/sse".to_owned(),
            tokens: vec!["one".to_owned(), "two".to_owned()],
            libraries: 12,
            client_libraries: 2,
            sample_mask: 0,
            measured_from: 0,
            measured_to: 0,
            connect_rate: 1,
            slow_bytes: 1,
            churn: 0,
        };
        let request = plan.request(1);
        assert!(request.starts_with("GET /sse?libraries=lib02,lib03 HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("Authorization: Bearer two\r\n") && request.ends_with("\r\n\r\n"));
    }
}
