//! Who a connection belongs to, for people who look at it. Kept once per connection, so in few bytes.

use std::net::{IpAddr, SocketAddr};

use crate::clock::Timestamp;

/// Who a connection belongs to.
#[derive(Debug, Clone)]
pub struct Details {
    /// The other end of its socket; `None` where requests come on many.
    pub peer: Option<SocketAddr>,
    /// The client's address where that is not the peer's.
    elsewhere: Option<Box<IpAddr>>,
    /// What the client calls itself (in the way of its dialect, by `User-Agent` in most), bounded and without control characters.
    pub client: Option<Box<str>>,
    /// When it connected.
    pub opened: Timestamp,
}

impl Details {
    /// Details of a client that connects now. Its address is another than its peer's where a trusted proxy names it.
    #[must_use]
    pub fn new(peer: Option<SocketAddr>, address: Option<IpAddr>, client: Option<Box<str>>) -> Self {
        let elsewhere = address.filter(|address| peer.is_none_or(|peer| peer.ip() != *address)).map(Box::new);
        Self { peer, elsewhere, client, opened: Timestamp::now() }
    }

    /// The same without a peer.
    #[must_use]
    pub fn without_peer(self) -> Self {
        Self { elsewhere: self.address().map(Box::new), peer: None, ..self }
    }

    /// The client's address; behind a trusted proxy the one the proxy names.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.elsewhere.as_deref().copied().or(self.peer.map(|peer| peer.ip()))
    }

    /// The port of the client's own socket; `None` where its socket ends at a proxy, or it has none.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.peer.filter(|_| self.elsewhere.is_none()).map(|peer| peer.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_the_peers_unless_another_is_given() {
        let peer = SocketAddr::from(([127, 0, 0, 1], 4000));
        let other = IpAddr::from([10, 0, 0, 2]);
        let told = |peer, address| {
            let details = Details::new(peer, address, None);
            (details.address(), details.port())
        };
        assert_eq!(told(Some(peer), Some(peer.ip())), (Some(peer.ip()), Some(4000)));
        assert_eq!(told(Some(peer), Some(other)), (Some(other), None), "the socket is the proxy's");
        assert_eq!(told(None, Some(other)), (Some(other), None));
        assert_eq!(told(None, None), (None, None));
        let polling = Details::new(Some(peer), Some(peer.ip()), None).without_peer();
        assert_eq!((polling.peer, polling.address(), polling.port()), (None, Some(peer.ip()), None));
    }
}
