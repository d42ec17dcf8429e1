//! The event model: what media servers announce, who may see it, and in which order it stays.
//!
//! Deliberately knows no protocol and no connection.

mod audience;
mod envelope;
mod kind;

pub use audience::{Audience, AudienceError, Level, Rule, Who};
pub use envelope::{Encoded, Envelope, FormatSlot, FrameFormat, MAX_FORMATS};
pub use kind::{EventKind, KindSet};

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
    /// A terminal state (finished, failed, done): it ends the run and is never superseded itself.
    pub terminal: bool,
}

/// PLACEHOLDER, replaced by the enum of families.
#[derive(Debug, Clone)]
pub struct Event {
    kind: EventKind,
    library: Option<LibraryId>,
    message: String,
}

impl Event {
    /// The family.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        self.kind
    }
    /// The library, if the event belongs to one.
    #[must_use]
    pub fn library(&self) -> Option<&LibraryId> {
        self.library.as_ref()
    }
    /// The audience rule of the event's type.
    #[must_use]
    pub fn rule(&self) -> Rule {
        match &self.library {
            Some(library) => Rule::Library(library.clone(), Level::Read),
            None => Rule::Everyone,
        }
    }
    /// What keeps its order.
    #[must_use]
    pub fn shard_key(&self) -> ShardKey {
        match &self.library {
            Some(library) => ShardKey::Library(library.clone()),
            None => ShardKey::Server,
        }
    }
    /// Whether and by what it is conflated.
    #[must_use]
    pub fn conflation(&self) -> Option<Conflation> {
        None
    }
    /// The message, compact JSON, verbatim.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}
