//! Questions for a server on the local network, by UDP: when they are answered, and to whom. What is said is a dialect's
//! business.
//!
//! A datagram's sender can be forged, so an answer may reach somebody who never asked: only addresses of local networks are
//! answered, and few times a second.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::mpsc::{self, TryRecvError},
    thread,
    time::{Duration, Instant},
};

use crate::dialect::Discoverable;

/// How often it is looked whether the server stops.
const LOOK: Duration = Duration::from_millis(250);
/// Answers in a second.
const ANSWERS: u32 = 20;
/// The longest question looked at, in bytes; a longer one is none.
const QUESTION: usize = 64;

/// Waits for questions, and does not answer yet.
#[derive(Debug)]
pub struct Questions {
    socket: UdpSocket,
    server: Discoverable,
}

/// Answers until it is dropped.
#[derive(Debug)]
pub struct Discovery {
    _until_dropped: mpsc::Sender<()>,
}

impl Questions {
    /// Takes the address to which they come.
    ///
    /// # Errors
    /// It cannot be bound; the error names it.
    pub fn at(address: SocketAddr, server: Discoverable) -> io::Result<Self> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {address} (UDP): {error}"));
        let socket = UdpSocket::bind(address).map_err(named)?;
        socket.set_read_timeout(Some(LOOK))?;
        Ok(Self { socket, server })
    }

    /// Answers them from now on; clients connect to `served`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn answer(self, served: SocketAddr) -> io::Result<Discovery> {
        let (until_dropped, dropped) = mpsc::channel::<()>();
        let answer = move || {
            let mut pace = Pace::new(Instant::now());
            while dropped.try_recv() == Err(TryRecvError::Empty) {
                // What cannot be read or sent was for nobody: it is asked again.
                let _ = answer_one(&self.socket, served, &self.server, &mut pace);
            }
        };
        thread::Builder::new().name("discovery".to_owned()).spawn(answer)?;
        Ok(Discovery { _until_dropped: until_dropped })
    }
}

fn answer_one(socket: &UdpSocket, served: SocketAddr, server: &Discoverable, pace: &mut Pace) -> io::Result<()> {
    let mut buffer = [0; QUESTION];
    let (length, asker) = socket.recv_from(&mut buffer)?;
    if !is_local(asker.ip()) || !pace.allows(Instant::now()) {
        return Ok(());
    }
    let Some(reached_at) = reached_at(asker, served) else { return Ok(()) };
    match server.answer(&buffer[..length], reached_at) {
        Some(answer) => socket.send_to(&answer, asker).map(drop),
        None => Ok(()),
    }
}

/// Where the asker reaches the server: the address it is served at, or, where it is served at all, the one of ours that is
/// towards him. `None`: nowhere.
fn reached_at(asker: SocketAddr, served: SocketAddr) -> Option<SocketAddr> {
    if !served.ip().is_unspecified() {
        let only_here = served.ip().is_loopback() && !asker.ip().to_canonical().is_loopback();
        return (!only_here).then_some(served);
    }
    let any: IpAddr = if asker.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // Nothing is sent by it: the system only says which of its addresses it would be sent from.
    let towards = UdpSocket::bind((any, 0)).ok()?;
    towards.connect(asker).ok()?;
    Some(SocketAddr::new(towards.local_addr().ok()?.ip().to_canonical(), served.port()))
}

/// Whether it is an address of this machine or of a network that is not the public one.
fn is_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let is_shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64; // 100.64.0.0/10
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || is_shared
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unique_local(),
    }
}

/// So many answers in each second.
#[derive(Debug)]
struct Pace {
    began: Instant,
    n_answers: u32,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { began: now, n_answers: 0 }
    }

    fn allows(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.began) >= Duration::from_secs(1) {
            *self = Self::new(now);
        }
        self.n_answers += 1;
        self.n_answers <= ANSWERS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_local_networks_are_answered() {
        let is_local = |text: &str| is_local(text.parse().expect("an address"));
        for local in ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.2", "169.254.1.1", "100.64.0.1", "::1", "fe80::1", "fd00::1"] {
            assert!(is_local(local), "{local}");
        }
        for public in ["192.0.2.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::1", "::ffff:8.8.8.8", "0.0.0.0"] {
            assert!(!is_local(public), "{public}");
        }
        assert!(is_local("::ffff:10.0.0.1"));
    }

    #[test]
    fn so_many_are_answered_in_a_second_and_no_more() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        assert_eq!((0..100).filter(|_| pace.allows(now)).count(), 20);
        assert_eq!((0..100).filter(|_| pace.allows(now + Duration::from_secs(1))).count(), 20);
    }

    #[test]
    fn the_address_told_is_one_at_which_the_server_is_served_towards_the_asker() {
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let towards = |asker: &str, served: &str| reached_at(address(asker), address(served));
        assert_eq!(towards("127.0.0.1:9", "127.0.0.1:8400"), Some(address("127.0.0.1:8400")));
        assert_eq!(towards("10.0.0.9:9", "127.0.0.1:8400"), None, "he cannot reach it");
        assert_eq!(towards("10.0.0.9:9", "10.0.0.1:8400"), Some(address("10.0.0.1:8400")));
        assert_eq!(towards("127.0.0.1:9", "0.0.0.0:8400"), Some(address("127.0.0.1:8400")));
    }

    #[test]
    fn a_question_is_answered_over_a_socket_and_the_rest_is_not() {
        let server = Discoverable { id: "x".to_owned(), name: "n".to_owned(), tls: false };
        let free = UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
        let served = SocketAddr::from(([127, 0, 0, 1], 8400));
        let discovery = Questions::at(free, server.clone()).expect("bound").answer(served).expect("it starts");
        let asker = UdpSocket::bind("127.0.0.1:0").expect("a port");
        asker.set_read_timeout(Some(Duration::from_secs(10))).expect("an option");
        for ignored in [&b"what?"[..], b"", &[b'a'; 2_000]] {
            asker.send_to(ignored, free).expect("sent");
        }
        asker.send_to(b"who is MediaBrowserServer?", free).expect("sent");
        let mut buffer = [0; 500];
        let length = asker.recv(&mut buffer).expect("an answer");
        assert_eq!(&buffer[..length], b"MediaBrowserServer|127.0.0.1:8400");
        let error = Questions::at(free, server).expect_err("taken").to_string();
        assert!(error.contains(&format!("cannot listen on {free} (UDP)")), "{error}");
        drop(discovery);
    }
}
