//! `[limits]`: what clients and publishers may ask of us.

use std::time::Duration;

use serde::Deserialize;

use super::{
    error::Invalid,
    range::{at_least, between, within},
    units,
};

/// `[limits]`: what clients and publishers may ask of us.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections of the process. Default 0: what descriptors allow, see [`Limits::connections_with`]; further ones are
    /// refused the way their dialect says *full*.
    pub connections: usize,
    /// Connections of one user. Default 100; 0 is no limit. Further ones are refused. API keys have no user and no limit.
    pub connections_per_user: usize,
    /// Connections of one address. Default 0: no limit, because behind a proxy everybody has one (see
    /// `server.trusted_proxies`). Further ones are refused.
    pub connections_per_address: usize,
    /// Sessions whose clients have yet to say whose they are, where a protocol has them say so later (MediaBrowser's
    /// `Identity`, Socket.IO's `auth`). Default 1000; 0 is no limit. Further ones are refused the way their dialect says *full*.
    pub unidentified: usize,
    /// Such sessions of one address. Default 32; 0 is no limit. Further ones are refused the same way. The addresses of one
    /// IPv6 /64 network count as one. Loopback and private addresses have no such limit: everybody may come from there, through
    /// a proxy that `server.trusted_proxies` does not name.
    pub unidentified_per_address: usize,
    /// Bad tokens one address may show in a minute. Default 10; 0 is no limit. Further ones are told to wait, in the
    /// dialect's way (HTTP: 429); good tokens never are. For an address that must wait the callback is asked about two bad
    /// tokens a second at most; what it is not asked about is told *full*, to come again. The addresses of one IPv6 /64
    /// network count as one. As many wrong passwords may be tried in a minute from one address, and under one name.
    pub bad_tokens_per_minute: u32,
    /// Bytes of one event as published. Default 262144; a larger one is refused with 413.
    #[serde(deserialize_with = "units::size")]
    pub event_bytes: usize,
    /// Items in one event's list. Default 500; more are refused with 422.
    pub event_items: usize,
    /// How deep an event's data may nest. Default 64, at most 128; more is refused with 422.
    pub event_depth: usize,
    /// Events in one batch. Default 1000; a larger one is refused with 413.
    pub batch_events: usize,
    /// Bytes of one request's body. Default `8MiB`, at least `event_bytes`; more is refused with 413. NDJSON is not
    /// bounded as a whole, only each line, by `event_bytes`.
    #[serde(deserialize_with = "units::size")]
    pub body_bytes: usize,
    /// Bytes of one message from a client, on a WebSocket. Default `64KiB`; a larger one closes the connection (1009) as soon
    /// as it is announced.
    #[serde(deserialize_with = "units::size")]
    pub inbound_bytes: usize,
    /// Frames one such message may come in. Default 1024; more close the connection (1008).
    pub inbound_fragments: usize,
    /// Such messages in a minute, and as many pings and pongs. Default 120; 0 is no limit. More close the connection (1008).
    pub inbound_per_minute: u32,
    /// How long a request's head may take. Default `5s`; then 408, or the end where there is nothing to answer yet.
    #[serde(deserialize_with = "units::duration")]
    pub head: Duration,
    /// How long a request's body may take without a byte arriving, and in all but for a second per KiB that has arrived
    /// (NDJSON: without a byte only). Default `10s`; then 408.
    #[serde(deserialize_with = "units::duration")]
    pub body: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 0,
            connections_per_user: 100,
            connections_per_address: 0,
            unidentified: 1000,
            unidentified_per_address: 32,
            bad_tokens_per_minute: 10,
            event_bytes: 262_144,
            event_items: 500,
            event_depth: 64,
            batch_events: 1000,
            body_bytes: 8 << 20,
            inbound_bytes: 64 << 10,
            inbound_fragments: 1024,
            inbound_per_minute: 120,
            head: Duration::from_secs(5),
            body: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// How many connections to take when the process may open `descriptors` files: the setting, or with 0 the descriptors
    /// less 512, or less an eighth of them where that is smaller.
    #[must_use]
    pub fn connections_with(&self, descriptors: usize) -> usize {
        if self.connections > 0 { self.connections } else { descriptors - (descriptors / 8).min(512) }
    }

    pub(super) fn check(&self) -> Result<(), Invalid> {
        let (tenth, hour) = (Duration::from_millis(100), Duration::from_secs(3600));
        within("limits.event_bytes", self.event_bytes, 1024..=64 << 20)?;
        within("limits.event_items", self.event_items, 1..=1 << 20)?;
        within("limits.event_depth", self.event_depth, 4..=128)?;
        within("limits.batch_events", self.batch_events, 1..=1 << 20)?;
        within("limits.body_bytes", self.body_bytes, 1024..=1 << 30)?;
        at_least("limits.body_bytes", self.body_bytes, "limits.event_bytes", self.event_bytes)?;
        within("limits.inbound_bytes", self.inbound_bytes, 128..=1 << 30)?;
        within("limits.inbound_fragments", self.inbound_fragments, 1..=1 << 24)?;
        between("limits.head", self.head, tenth, hour)?;
        between("limits.body", self.body, tenth, hour)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_setting_descriptors_bound_connections() {
        let unset = Limits::default();
        assert_eq!(unset.connections_with(1024), 896);
        assert_eq!(unset.connections_with(65_536), 65_024);
        assert_eq!(Limits { connections: 7, ..unset }.connections_with(1024), 7);
    }
}
