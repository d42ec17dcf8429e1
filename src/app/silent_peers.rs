//! Finds clients that have died without a word: what they were sent is not even acknowledged.
//!
//! No socket option tells them from clients that live and take nothing: `TCP_USER_TIMEOUT` ends both after the same time,
//! and keepalive probes rest while anything is under way. The kernel's list of sockets does: towards a dead client it
//! retransmits, towards one with a shut window it probes. So a thread outside the workers reads that list, and only while
//! retransmission timers on this machine run out at all: to read it is work for every socket there is.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::{self, BufRead, BufReader},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    hub::PeersGone,
    server::{HubAddress, Shared},
};

/// How often the list is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How long a client may acknowledge nothing of a ping. With the default ping every 30 seconds, and two looks, one that dies
/// while it is idle is let go of within 45 seconds.
const UNANSWERED: Duration = Duration::from_secs(8);
/// The same for more than a ping: such a client was with us a moment ago, and may only be changing its network.
const UNANSWERED_EVENTS: Duration = Duration::from_secs(30);
/// Bytes under way that are no more than a ping.
const PING: u32 = 64;
/// The kernel's lists of sockets; where there are none, dead clients are found by `TCP_USER_TIMEOUT` alone.
const LISTS: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];

/// Looks for silent peers until it is dropped.
pub(super) struct SilentPeers {
    _until_dropped: mpsc::Sender<()>,
}

impl SilentPeers {
    /// Begins to look at the connections of that local port.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn start(port: u16, shared: Arc<Shared>) -> io::Result<Self> {
        let (until_dropped, dropped) = mpsc::channel::<()>();
        let look = move || {
            let run_out = || fs::read_to_string("/proc/net/netstat").ok().and_then(|text| timers_run_out(&text));
            let (mut silent, mut before) = (Silent::default(), run_out());
            while dropped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                let now = run_out();
                let nothing_new = now.is_some() && now == before;
                before = now;
                if nothing_new && silent.since.is_empty() {
                    continue;
                }
                let lists = LISTS.iter().filter_map(|list| File::open(list).ok());
                let unanswered: Vec<Unanswered> = lists.flat_map(|list| unanswered(BufReader::new(list), port)).collect();
                let gone = silent.look(&unanswered, Instant::now());
                if !gone.is_empty() {
                    tell(shared.hubs.get().map_or(&[], Vec::as_slice), gone);
                }
            }
        };
        thread::Builder::new().name("silent-peers".to_owned()).spawn(look)?;
        Ok(Self { _until_dropped: until_dropped })
    }
}

fn tell(hubs: &[HubAddress], gone: HashSet<SocketAddr>) {
    let gone = Arc::new(gone);
    for hub in hubs {
        // A hub whose mailbox is full is told again: they stay on the list until it lets go of them.
        let _ = hub.peers.try_send(PeersGone(Arc::clone(&gone)));
    }
}

/// A peer to whom the same bytes are sent again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unanswered {
    peer: SocketAddr,
    n_bytes: u32,
    /// Since the last acknowledgement.
    n_retransmissions: u32,
}

/// Since when each peer has acknowledged nothing, and how often it has been asked meanwhile.
#[derive(Debug, Default)]
struct Silent {
    since: HashMap<SocketAddr, (Instant, u32)>,
}

impl Silent {
    /// Takes what was seen, and tells who has been silent for too long.
    fn look(&mut self, unanswered: &[Unanswered], now: Instant) -> HashSet<SocketAddr> {
        let before = std::mem::take(&mut self.since);
        let mut gone = HashSet::new();
        for seen in unanswered {
            // Fewer than at the last look: it has answered in between.
            let known = before.get(&seen.peer).filter(|(_, n_retransmissions)| *n_retransmissions <= seen.n_retransmissions);
            let since = known.map_or(now, |(since, _)| *since);
            self.since.insert(seen.peer, (since, seen.n_retransmissions));
            let limit = if seen.n_bytes <= PING { UNANSWERED } else { UNANSWERED_EVENTS };
            if now.saturating_duration_since(since) >= limit {
                gone.insert(seen.peer);
            }
        }
        gone
    }
}

/// How often a retransmission timer of this machine ever ran out, from the two `TcpExt:` lines of `/proc/net/netstat`: names, then
/// numbers. Segments sent again would say too much: a client that only acknowledges late has its last one probed for.
fn timers_run_out(netstat: &str) -> Option<u64> {
    let mut lines = netstat.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let place = names.split(' ').position(|name| name == "TCPTimeouts")?;
    numbers.split(' ').nth(place)?.parse().ok()
}

/// The peers of established connections of that local port to whom the kernel sends the same bytes again and again.
///
/// Columns, of a list whose first line names them: number, local, remote, state, queues, timer, retransmissions. It is read line by line:
/// with many thousand sockets it is megabytes long. What cannot be read of it ends it.
fn unanswered(mut list: impl BufRead, port: u16) -> Vec<Unanswered> {
    let peer = |line: &str| {
        let mut columns = line.split_ascii_whitespace().skip(1);
        let (local, remote) = (columns.next()?, columns.next()?);
        let (state, queues, timer) = (columns.next()?, columns.next()?, columns.next()?);
        if state != "01" || !timer.starts_with("01:") {
            return None; // as nearly all of many thousand are: nothing else of them is read
        }
        let n_retransmissions = u32::from_str_radix(columns.next()?, 16).ok().filter(|n| *n > 0)?;
        let n_bytes = u32::from_str_radix(queues.split_once(':')?.0, 16).ok()?;
        let is_ours = address(local)?.port() == port;
        Some(Unanswered { peer: address(remote)?, n_bytes, n_retransmissions }).filter(|_| is_ours)
    };
    let (mut found, mut line) = (Vec::new(), String::new());
    while list.read_line(&mut line).is_ok_and(|n_bytes| n_bytes > 0) {
        found.extend(peer(&line));
        line.clear();
    }
    found
}

/// `0100007F:1F90`: words of four bytes as the machine holds them, then the port. IPv4 in IPv6 becomes IPv4.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for word in ip.as_bytes().chunks(8) {
        bytes.extend(u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?.to_ne_bytes());
    }
    let ip = match bytes.len() {
        4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        _ => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)).to_canonical(),
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a kernel on a little-endian machine writes it: a listener, an answered client, a dead one, one with a shut window,
    /// a dead one of another port.
    #[cfg(target_endian = "little")]
    const LIST: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 02:00000A00 00000000     0        0 2 2 0000000000000000 20 4 30 10 -1
   2: 0100007F:1F90 0200000A:9C41 01 00000006:00000000 01:00000A00 00000005     0        0 3 2 0000000000000000 20 4 30 10 -1
   3: 0100007F:1F90 0300000A:9C42 01 00004000:00000000 04:00000A00 00000000     0        0 4 2 0000000000000000 20 4 30 10 -1
   4: 0100007F:1F91 0400000A:9C43 01 00000006:00000000 01:00000A00 00000007     0        0 5 2 0000000000000000 20 4 30 10 -1
";

    #[cfg(target_endian = "little")]
    #[test]
    fn only_those_who_acknowledge_nothing_are_listed() {
        let peer = "10.0.0.2:40001".parse().expect("an address");
        assert_eq!(unanswered(LIST.as_bytes(), 8080), [Unanswered { peer, n_bytes: 6, n_retransmissions: 5 }]);
        assert_eq!(unanswered(&b""[..], 8080), []);
        assert_eq!(unanswered(&b"head\nnonsense\n 0: zz:1 x 01"[..], 8080), []);
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn an_ipv6_address_is_read_and_ipv4_within_it_made_plain() {
        let read = |text| address(text).map(|address| address.to_string());
        assert_eq!(read("00000000000000000000000001000000:1F90").as_deref(), Some("[::1]:8080"));
        assert_eq!(read("0000000000000000FFFF00000100007F:1F90").as_deref(), Some("127.0.0.1:8080"));
    }

    #[test]
    fn a_peer_is_gone_after_it_was_silent_in_every_look_for_long_enough() {
        let (start, mut silent) = (Instant::now(), Silent::default());
        let after = |seconds| start + Duration::from_secs(seconds);
        let peer = |last: u8, n_bytes, n_retransmissions| {
            let peer = SocketAddr::from(([10, 0, 0, last], 1));
            Unanswered { peer, n_bytes, n_retransmissions }
        };
        let (dead, slow, answering, busy) = (peer(2, 6, 3), peer(3, 6, 3), peer(4, 6, 3), peer(5, 4096, 3));
        assert!(silent.look(&[dead, slow, answering, busy], after(0)).is_empty());
        assert!(silent.look(&[dead, answering, busy], after(4)).is_empty());
        assert!(silent.look(&[dead, slow, peer(4, 6, 1), busy], after(7)).is_empty());
        let gone = silent.look(&[dead, slow, peer(4, 6, 2), busy], after(8));
        assert_eq!(gone, HashSet::from([dead.peer]), "the others have answered in between, or may come back");
        assert_eq!(silent.look(&[busy], after(30)), HashSet::from([busy.peer]));
        assert!(silent.look(&[], after(31)).is_empty() && silent.since.is_empty());
    }

    #[test]
    fn timers_that_ran_out_are_read_by_their_name() {
        let netstat = "IpExt: InNoRoutes TCPTimeouts\nIpExt: 1 99\nTcpExt: SyncookiesSent TCPTimeouts TCPLossProbes\nTcpExt: 1 42 500\n";
        assert_eq!(timers_run_out(netstat), Some(42));
        assert_eq!(timers_run_out("nothing"), None);
    }
}
