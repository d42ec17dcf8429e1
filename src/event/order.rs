//! What keeps events in order, and which of them replace earlier ones.

use super::EventKind;
use crate::id::{LibraryId, UserId};

/// What keeps order: events of equal key are delivered in the order they were accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ShardKey {
    /// Library events: a scan and its medias share it.
    Library(LibraryId),
    /// People's events.
    User(UserId),
    /// Everything else.
    Server,
}

/// What a later event of equal key and audience replaces (`event-map`: the conflated types).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Conflation {
    /// Kind and subject, for example `scan` and the library.
    pub key: (EventKind, String),
    /// Only an event of the same phase is replaced: a playback's state and item, whether a transcode has ended. Empty for kinds without phases.
    pub phase: String,
    /// A terminal state (finished, failed, done): it ends the run and is never superseded itself.
    pub terminal: bool,
}

/// Ids hold no control characters, so a key of several is unambiguous.
pub(super) fn conflation_key(kind: EventKind, parts: &[&str]) -> (EventKind, String) {
    (kind, parts.join("\0"))
}
