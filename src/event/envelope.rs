//! The stamped event that everyone it is delivered to shares, and its encode-once cells.
//!
//! Knows that frame formats exist, not which: a format is anything that implements [`FrameFormat`].

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;

use super::{Audience, Event, EventKind, KindSet, Rule};
use crate::{
    clock::Timestamp,
    id::{LibraryId, UserId},
};

/// How many frame formats the process may have: dialects times visibility classes.
pub const MAX_FORMATS: usize = 19;

/// The number of a frame format, its cell in every envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FormatSlot(pub u8);

/// A way to write events to the wire: one dialect's framing for one visibility class.
///
/// Two sessions with the same slot are sent the very same bytes.
pub trait FrameFormat: Send + Sync {
    /// The cell this format fills, below [`MAX_FORMATS`]. Formats that share a cell write the same bytes for every kind
    /// that both carry.
    fn slot(&self) -> FormatSlot;

    /// The dialect whose `raw` events this format carries.
    fn dialect(&self) -> &'static str;

    /// The kinds this format can carry at all.
    fn carries(&self) -> KindSet;

    /// The cell for this event; `None`: it is not carried. A format that tells one kind under several names, of which its
    /// clients want some, has a cell for each choice, and says here which.
    fn cell(&self, event: &Event) -> Option<FormatSlot> {
        self.carries().contains(event.kind()).then(|| self.slot())
    }

    /// Who is sent the full format's frame of this event; `of_event` is [`Event::full_rule`]. `None`: everybody shares the
    /// abridged one. Can only be narrower than the event's own rule where the event hides something.
    fn full_rule<'r>(&self, _event: &Event, of_event: Option<&'r Rule>) -> Option<&'r Rule> {
        of_event
    }

    /// The bytes of one envelope on the wire, transport framing included; `None` when this dialect does not carry it.
    fn encode(&self, envelope: &Envelope) -> Option<Bytes>;

    /// Whether what such a reader is sent depends on more than his class: only then is [`FrameFormat::own`] asked, once for
    /// each event and group of such readers.
    fn looks_at(&self, reader: Reader<'_>) -> bool {
        let _ = reader; // most dialects know two classes and nothing else
        false
    }

    /// What a reader whom [`FrameFormat::looks_at`] picks out is sent of an event that has a cell. Can only be less than
    /// what the others of his class are.
    fn own(&self, envelope: &Envelope, reader: Reader<'_>) -> Own {
        let _ = (envelope, reader);
        Own::Shared
    }
}

/// Who reads: what a format may look at beside the classes. Who may see an event at all is its audience's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reader<'a> {
    /// The user, if it is one.
    pub user: Option<&'a UserId>,
    /// Server admin.
    pub admin: bool,
    /// Whether items marked explicit are shown; `None` is left to the dialect.
    pub explicit: Option<bool>,
    /// Only items with one of these tags are shown; `None` is all.
    pub tags: Option<&'a [String]>,
}

/// What one reader is sent of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Own {
    /// What everybody of his class is sent.
    Shared,
    /// This, and nobody else has the same bytes.
    Frame(Bytes),
    /// Nothing.
    Nothing,
}

/// The frame formats of one filter group: who may see all of an event depends on the event's library, so a group has
/// one format for each visibility class, and which one counts is asked per event.
#[derive(Clone, Copy)]
pub struct FormatPair {
    /// For events of which the group may see only the abridged form.
    pub abridged: &'static dyn FrameFormat,
    /// For events of which the group may see everything.
    pub full: &'static dyn FrameFormat,
}

impl FormatPair {
    /// The format for this event; `meets` says whether the group's principal satisfies a rule.
    ///
    /// Most events hide nothing: for them everybody shares the abridged format's bytes.
    /// The group is offered the event only when the format returned has a cell for it.
    pub fn pick(&self, event: &Event, meets: impl FnOnce(&Rule) -> bool) -> &'static dyn FrameFormat {
        self.pick_by(event, event.full_rule().as_ref(), meets)
    }

    /// The same for who has asked [`Event::full_rule`] already.
    pub fn pick_by(&self, event: &Event, of_event: Option<&Rule>, meets: impl FnOnce(&Rule) -> bool) -> &'static dyn FrameFormat {
        match self.abridged.full_rule(event, of_event) {
            Some(rule) if meets(rule) => self.full,
            _ => self.abridged,
        }
    }

    /// Whether such a reader is told apart from the others of his class, see [`FrameFormat::looks_at`].
    #[must_use]
    pub fn looks_at(&self, reader: Reader<'_>) -> bool {
        self.abridged.looks_at(reader) || self.full.looks_at(reader)
    }
}

/// What a format made of an envelope.
#[derive(Debug, Clone)]
pub enum Encoded {
    /// These bytes, shared by every session of the format.
    Frame(Bytes),
    /// The dialect does not carry this event.
    NotCarried,
    /// The encoder panicked; the event is skipped for this format and counted.
    Failed,
}

/// An encoder panicked; the event is skipped for whom it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the encoder panicked")]
pub struct EncoderPanicked;

/// An accepted event: stamped by its shard, shared by every session it is offered to.
pub struct Envelope {
    /// The event.
    pub event: Event,
    /// Who may see it.
    pub audience: Audience,
    /// The publisher's id of the event, or the one it was given.
    pub id: Box<str>,
    /// The place in its shard's order, from 1.
    pub order: u64,
    /// The shard that stamped it.
    pub shard: u16,
    /// When it was accepted, wall clock.
    pub accepted: Timestamp,
    /// When it was accepted, for latencies.
    pub stamped: Instant,
    superseded: AtomicBool,
    cells: [OnceLock<Encoded>; MAX_FORMATS],
}

impl Envelope {
    /// Stamps an event.
    #[must_use]
    pub fn new(event: Event, audience: Audience, id: Box<str>, shard: u16, order: u64) -> Self {
        Self {
            event,
            audience,
            id,
            order,
            shard,
            accepted: Timestamp::now(),
            stamped: Instant::now(),
            superseded: AtomicBool::new(false),
            cells: [const { OnceLock::new() }; MAX_FORMATS],
        }
    }

    /// The event's family.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        self.event.kind()
    }

    /// The library the event belongs to, for `libraries=` filters and permission.
    #[must_use]
    pub fn library(&self) -> Option<&LibraryId> {
        self.event.library()
    }

    /// The bytes in that format. The first caller encodes, everybody else shares; a panic in the encoder is caught.
    pub fn frame(&self, format: &dyn FrameFormat) -> &Encoded {
        static NOT_CARRIED: Encoded = Encoded::NotCarried;
        // Asked first: the cell may be shared with a format that carries more.
        let Some(cell) = format.cell(&self.event) else { return &NOT_CARRIED };
        self.cells[usize::from(cell.0)].get_or_init(|| {
            // The initialiser must not panic: a `OnceLock` would hand the panic to every later caller too.
            match catch_unwind(AssertUnwindSafe(|| format.encode(self))) {
                Ok(Some(bytes)) => Encoded::Frame(bytes),
                Ok(None) => Encoded::NotCarried,
                Err(_) => Encoded::Failed,
            }
        })
    }

    /// What that reader is sent of it, where the format looks at him; `None`: it is not carried.
    ///
    /// # Errors
    /// The encoder panicked.
    pub fn own(&self, format: &dyn FrameFormat, reader: Reader<'_>) -> Option<Result<Own, EncoderPanicked>> {
        format.cell(&self.event)?;
        if !format.looks_at(reader) {
            return Some(Ok(Own::Shared));
        }
        Some(catch_unwind(AssertUnwindSafe(|| format.own(self, reader))).map_err(|_| EncoderPanicked))
    }

    /// The bytes for that reader: shared ones where nothing of them is his own.
    pub fn frame_for(&self, format: &dyn FrameFormat, reader: Reader<'_>) -> Encoded {
        match self.own(format, reader) {
            Some(Ok(Own::Shared)) => self.frame(format).clone(),
            Some(Ok(Own::Frame(bytes))) => Encoded::Frame(bytes),
            None | Some(Ok(Own::Nothing)) => Encoded::NotCarried,
            Some(Err(EncoderPanicked)) => Encoded::Failed,
        }
    }

    /// Marks that a later event of the same key makes this one worthless; set by the shard only.
    pub fn supersede(&self) {
        self.superseded.store(true, Ordering::Relaxed);
    }

    /// Whether a later event of the same key was accepted.
    #[must_use]
    pub fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope").field("kind", &self.kind()).field("id", &self.id).field("order", &self.order).finish_non_exhaustive()
    }
}
