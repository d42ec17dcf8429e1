//! Whose address a request has, when some of the addresses before us are proxies of our own.
//!
//! `X-Forwarded-For` is believed only from the networks of `server.trusted_proxies`, and of its hops the right-most one
//! that is none of them counts: what stands left of it is whatever the client wrote. `Forwarded` is not read: a proxy that
//! sets the one header lets the other through as the client wrote it. No address gives anybody a right.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

/// The proxies whose word counts.
#[derive(Debug, Clone, Default)]
pub(super) struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    pub(super) fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether what this peer says of others is believed.
    pub(super) fn trusts(&self, peer: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&peer.to_canonical()))
    }

    /// The client's address. `forwarded` are the values of `X-Forwarded-For`, in the order of their lines.
    pub(super) fn client<'h>(&self, peer: IpAddr, forwarded: impl DoubleEndedIterator<Item = &'h [u8]>) -> IpAddr {
        let mut client = peer.to_canonical();
        if self.0.is_empty() {
            return client;
        }
        let mut hops = forwarded.rev().flat_map(|line| line.rsplit(|&byte| byte == b','));
        while self.trusts(client) {
            // What is no address ends the chain: the last proxy that is known stands for whoever is behind it.
            let Some(hop) = hops.next().and_then(address) else { break };
            client = hop;
        }
        client
    }
}

/// What stands for everybody who can have that address: whoever has one IPv6 address has 2^64 of them.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 1))
        }
    }
}

/// A hop as proxies write it: an address, perhaps with a port.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn client(peer: &str, lines: &[&str]) -> String {
        let proxies = TrustedProxies::new(["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"].map(|text| text.parse().expect("a network")).into());
        proxies.client(ip(peer), lines.iter().map(|line| line.as_bytes())).to_string()
    }

    #[test]
    fn the_right_most_hop_that_is_no_proxy_of_ours_is_the_client() {
        assert_eq!(client("127.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("127.0.0.1", &["1.2.3.4, 198.51.100.7, 10.1.1.1"]), "198.51.100.7");
        assert_eq!(client("127.0.0.1", &["1.2.3.4", "198.51.100.7", "10.1.1.1"]), "198.51.100.7");
        assert_eq!(client("::ffff:127.0.0.1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(client("fd00::1", &["198.51.100.7:80"]), "198.51.100.7");
    }

    #[test]
    fn what_strangers_say_counts_for_nothing() {
        assert_eq!(client("198.51.100.7", &["127.0.0.1"]), "198.51.100.7");
        assert_eq!(client("198.51.100.7", &["10.0.0.1, 127.0.0.1"]), "198.51.100.7");
        assert_eq!(client("127.0.0.1", &["127.0.0.1, 198.51.100.7"]), "198.51.100.7", "a spoofed hop stands left of the real one");
        let nobody = TrustedProxies::default();
        assert_eq!(nobody.client(ip("127.0.0.1"), [&b"198.51.100.7"[..]].into_iter()), ip("127.0.0.1"));
        let merged = TrustedProxies::new(vec!["127.0.0.1/32".parse().expect("a network")]);
        let lines = [&b"1.2.3.4"[..], b"\xff, 198.51.100.7"];
        assert_eq!(merged.client(ip("127.0.0.1"), lines.into_iter()), ip("198.51.100.7"), "odd bytes hide no hop");
    }

    #[test]
    fn without_a_readable_hop_the_last_known_proxy_stands_for_the_client() {
        for lines in [&[][..], &[""], &["unknown"], &["198.51.100.7, _hidden"], &["198.51.100.7,"]] {
            assert_eq!(client("127.0.0.1", lines), "127.0.0.1", "{lines:?}");
        }
        assert_eq!(client("127.0.0.1", &["10.0.0.1, 10.0.0.2"]), "10.0.0.1");
    }
}
