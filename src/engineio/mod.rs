//! Engine.IO 4: sessions over WebSocket or held GETs, under Socket.IO (wire notes on Socket.IO, sections 1 to 8).
//!
//! Values in, values out: nothing here reads or writes a socket or knows a dialect, and time is handed in. A session is spoken
//! in WebSocket frames wherever it goes; `payload` turns those into what a GET is answered with, and a POST into those.

mod heart;
pub mod packet;
pub mod payload;
mod probe;
mod query;
mod sid;

use std::time::Duration;

pub use heart::{Beat, Heart};
pub use packet::{Broken, Packet};
pub use probe::{Probe, Probed};
pub use query::{Asked, Fault, asked};
pub use sid::Sid;

/// What carries a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// GETs that are held until there is something to say, and POSTs.
    Polling,
    /// A WebSocket.
    WebSocket,
}

/// How sessions are carried. Clients are told all of it but the last three in the first packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The time between an answer to a ping, or the beginning, and the next ping.
    pub ping_interval: Duration,
    /// How long the answer to a ping may take.
    pub ping_timeout: Duration,
    /// The most one message or POST may hold, in bytes.
    pub max_payload: usize,
    /// The same, while nobody has shown whose the session is; never more than `max_payload`.
    pub strangers_payload: usize,
    /// How long a WebSocket may take to replace polling.
    pub upgrade_timeout: Duration,
    /// How long a client may take to connect its first namespace.
    pub connect_timeout: Duration,
}

impl Default for Settings {
    /// As the reference has them (wire notes on Socket.IO, section 12).
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            max_payload: 1_000_000,
            strangers_payload: 1_000_000,
            upgrade_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(45),
        }
    }
}

impl Settings {
    /// The most one message or POST may hold, in bytes: of somebody, or while nobody has shown whose the session is.
    #[must_use]
    pub fn payload(&self, is_somebodys: bool) -> usize {
        if is_somebodys { self.max_payload } else { self.strangers_payload.min(self.max_payload) }
    }
}

/// The text of the first packet of a session.
#[must_use]
pub fn open_packet(sid: Sid, carrier: Carrier, settings: &Settings) -> String {
    let upgrades = match carrier {
        Carrier::Polling => r#"["websocket"]"#,
        Carrier::WebSocket => "[]",
    };
    format!(
        r#"0{{"sid":"{}","upgrades":{upgrades},"pingInterval":{},"pingTimeout":{},"maxPayload":{}}}"#,
        sid.as_str(),
        settings.ping_interval.as_millis(),
        settings.ping_timeout.as_millis(),
        settings.max_payload,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_begins_with_what_the_client_must_know() {
        let sid = Sid::generate().expect("random");
        let expected = |upgrades: &str| {
            format!(r#"0{{"sid":"{}","upgrades":{upgrades},"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}}"#, sid.as_str())
        };
        assert_eq!(open_packet(sid, Carrier::Polling, &Settings::default()), expected(r#"["websocket"]"#));
        assert_eq!(open_packet(sid, Carrier::WebSocket, &Settings::default()), expected("[]"));
    }
}
