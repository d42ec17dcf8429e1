//! `[dialects.NAME]`: which protocols are spoken, and how.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use super::{error::Invalid, range::between, units};

/// `[dialects]`: one table per protocol.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dialects {
    /// `[dialects.redseat]`.
    pub redseat: RedSeat,
    /// `[dialects.plex]`.
    pub plex: Plex,
}

/// `[dialects.redseat]`: server-sent events on `/sse`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedSeat {
    /// Whether the dialect is spoken. Default true; when off its paths are not found.
    pub enabled: bool,
    /// How messages are spelled when the request does not say. Default `document`.
    pub spelling: Spelling,
    /// The time between two keepalive comments. Default `30s`.
    #[serde(deserialize_with = "units::duration")]
    pub ping_interval: Duration,
}

impl Default for RedSeat {
    fn default() -> Self {
        Self { enabled: true, spelling: Spelling::Document, ping_interval: Duration::from_secs(30) }
    }
}

/// `[dialects.plex]`: server-sent events and WebSockets under `/:/`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plex {
    /// Whether the dialect is spoken. Default true; when off its paths are not found.
    pub enabled: bool,
    /// The time between two pings. Default `10s`; a WebSocket on which nothing came in for twice as long is closed. Some
    /// clients hang up after 15 s of silence.
    #[serde(deserialize_with = "units::duration")]
    pub ping_interval: Duration,
    /// Whether `/`, `/identity`, `/activities` and `/status/sessions` are answered. Default true; false leaves them to a real
    /// server behind the same proxy.
    pub rest: bool,
}

impl Default for Plex {
    fn default() -> Self {
        Self { enabled: true, ping_interval: Duration::from_secs(10), rest: true }
    }
}

/// How RedSeat messages are spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Spelling {
    /// As document 002 has it: `{"Medias":…}`, `Added`.
    #[default]
    Document,
    /// As the real server has it: `{"medias":…}`, `added`.
    Server,
}

impl<'de> Deserialize<'de> for Spelling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "document" => Ok(Self::Document),
            "server" => Ok(Self::Server),
            _ => Err(de::Error::custom("must be \"document\" or \"server\"")),
        }
    }
}

impl Dialects {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        let (least, most) = (Duration::from_secs(1), Duration::from_secs(3600));
        between("dialects.redseat.ping_interval", self.redseat.ping_interval, least, most)?;
        between("dialects.plex.ping_interval", self.plex.ping_interval, least, most)
    }
}
