//! The ways in which clients can connect, and how many use which: `sse=800,plex-ws=200`.
//!
//! How a dialect opens stands with the clients, what its messages look like in `message`.

use crate::frame::Family;
use crate::message::Speech;
use std::fmt;
use std::str::FromStr;

/// A protocol a client of the load tester speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Dialect {
    /// RedSeat's `/sse`.
    Sse,
    /// Plex's event stream.
    PlexSse,
    /// Plex's WebSocket.
    PlexWs,
    /// MediaBrowser, Emby and Jellyfin's WebSocket.
    MediaBrowser,
    /// Audiobookshelf over Socket.IO, straight by WebSocket.
    SocketIo,
    /// The same, by polling alone.
    SocketIoPolling,
    /// The same, beginning with polling, as the official client does.
    SocketIoUpgrade,
    /// Any server's event stream whose events carry the marker.
    AnySse,
    /// Any server's WebSocket whose messages carry the marker.
    AnyWs,
}

/// Every dialect with its name on the command line and in reports.
pub(crate) const DIALECTS: [(Dialect, &str); 9] = [
    (Dialect::Sse, "sse"),
    (Dialect::PlexSse, "plex-sse"),
    (Dialect::PlexWs, "plex-ws"),
    (Dialect::MediaBrowser, "mediabrowser"),
    (Dialect::SocketIo, "socketio"),
    (Dialect::SocketIoPolling, "socketio-polling"),
    (Dialect::SocketIoUpgrade, "socketio-upgrade"),
    (Dialect::AnySse, "any-sse"),
    (Dialect::AnyWs, "any-ws"),
];

impl Dialect {
    /// How its messages are read; none for event streams.
    pub(crate) fn speech(self) -> Option<Speech> {
        match self {
            Self::Sse | Self::PlexSse | Self::AnySse => None,
            Self::PlexWs => Some(Speech::Plex),
            Self::MediaBrowser => Some(Speech::MediaBrowser),
            Self::SocketIo | Self::SocketIoPolling | Self::SocketIoUpgrade => Some(Speech::SocketIo),
            Self::AnyWs => Some(Speech::Any),
        }
    }

    /// The events it is told of; `raw`: a message of its own wherever it has one.
    pub(crate) fn family(self, raw: bool) -> Family {
        match self.speech() {
            Some(Speech::MediaBrowser) => Family::MediaBrowser,
            Some(Speech::SocketIo) if raw => Family::Audiobookshelf,
            Some(Speech::Plex) if raw => Family::Plex,
            None if raw && self == Self::PlexSse => Family::Plex,
            None if raw && self == Self::Sse => Family::RedSeat,
            _ => Family::Medias,
        }
    }

    /// Whether its clients are Audiobookshelf's.
    pub(crate) fn is_socketio(self) -> bool {
        self.speech() == Some(Speech::SocketIo)
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        DIALECTS.iter().find(|(dialect, _)| *dialect == self).map_or("", |(_, name)| name)
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Dialect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || DIALECTS.map(|(_, name)| name).join(", ");
        let found = DIALECTS.iter().find(|(_, name)| *name == text);
        found.map(|(dialect, _)| *dialect).ok_or_else(|| format!("dialect: {text:?} is none of {}", known()))
    }
}

/// How many steady clients speak which dialect.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mix(Vec<(Dialect, usize)>);

impl Mix {
    /// Everybody speaks one dialect.
    pub(crate) fn only(dialect: Dialect, clients: usize) -> Self {
        Self(vec![(dialect, clients)])
    }

    /// All clients.
    pub(crate) fn clients(&self) -> usize {
        self.0.iter().map(|(_, clients)| clients).sum()
    }

    /// The parts, in the order given.
    pub(crate) fn parts(&self) -> &[(Dialect, usize)] {
        &self.0
    }

    /// The families of events its clients need, each once.
    pub(crate) fn families(&self, raw: bool) -> Vec<Family> {
        let mut families: Vec<Family> = self.0.iter().filter(|(_, clients)| *clients > 0).map(|(dialect, _)| dialect.family(raw)).collect();
        families.sort_unstable();
        families.dedup();
        families
    }

    /// The dialect of client number `index`; dialects take turns as long as they have clients left, so that every step of connecting and every
    /// core has a fair share of each.
    pub(crate) fn dialects(&self) -> Vec<Dialect> {
        let mut left = self.0.clone();
        let mut order = Vec::with_capacity(self.clients());
        while left.iter().any(|(_, clients)| *clients > 0) {
            for (dialect, clients) in left.iter_mut().filter(|(_, clients)| *clients > 0) {
                *clients -= 1;
                order.push(*dialect);
            }
        }
        order
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let part = |part: &str| {
            let (name, clients) = part.split_once('=').ok_or_else(|| format!("mix: {part:?} is not DIALECT=CLIENTS"))?;
            let clients = clients.parse().map_err(|_| format!("mix: {clients:?} is no number of clients"))?;
            Ok((name.parse()?, clients))
        };
        text.split(',').map(part).collect::<Result<_, String>>().map(Self)
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|(dialect, clients)| format!("{dialect}={clients}")).collect();
        formatter.write_str(&parts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_reads_and_prints_alike_and_its_dialects_take_turns() {
        let mix: Mix = "sse=1,plex-ws=3".parse().unwrap();
        assert_eq!((mix.to_string().as_str(), mix.clients()), ("sse=1,plex-ws=3", 4));
        assert_eq!(mix.dialects(), [Dialect::Sse, Dialect::PlexWs, Dialect::PlexWs, Dialect::PlexWs]);
    }

    #[test]
    fn what_is_no_mix_is_refused_with_what_is_wrong() {
        for (text, named) in [("sse", "sse"), ("sse=x", "x"), ("kodi=3", "plex-sse")] {
            let error = text.parse::<Mix>().unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
