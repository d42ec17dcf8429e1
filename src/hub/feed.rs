//! The bounded run of envelopes offered to one filter group, in order.
//!
//! Pure: positions and bounds, no session and no socket. When nobody is behind, a feed is empty.

use std::{
    cell::Cell,
    collections::VecDeque,
    rc::Rc,
    time::{Duration, Instant},
};

use crate::connection::Offer;

/// What one feed may hold. When a bound is reached the oldest goes, and whoever has not had it skips it.
#[derive(Debug, Clone, Copy)]
pub struct FeedLimits {
    /// Envelopes.
    pub entries: usize,
    /// Bytes of frames.
    pub bytes: usize,
    /// How long an envelope may wait.
    pub age: Duration,
}

/// A group's feed. Positions count from the group's beginning and never go back.
#[derive(Debug)]
pub(super) struct Feed {
    entries: VecDeque<Rc<Offer>>,
    base: u64,
    bytes: usize,
    /// The worker's: bytes of frames that feeds hold. Offers are shared between feeds; each counts once.
    ledger: Rc<Cell<usize>>,
}

impl Feed {
    /// An empty feed that enters what it holds in the worker's ledger.
    #[must_use]
    pub(super) fn new(ledger: Rc<Cell<usize>>) -> Self {
        Self { entries: VecDeque::new(), base: 0, bytes: 0, ledger }
    }

    /// The position of the oldest envelope still there; equals [`Feed::head`] when the feed is empty.
    #[must_use]
    pub(super) fn base(&self) -> u64 {
        self.base
    }

    /// The position the next envelope will have.
    #[must_use]
    pub(super) fn head(&self) -> u64 {
        self.base + self.entries.len() as u64
    }

    /// Adds an envelope; the oldest go until the bounds hold again. The newest always stays.
    pub(super) fn push(&mut self, offer: Rc<Offer>, limits: &FeedLimits) {
        self.bytes += offer.frame.len();
        if offer.enter_feed() {
            self.ledger.set(self.ledger.get() + offer.frame.len());
        }
        self.entries.push_back(offer);
        while self.entries.len() > limits.entries.max(1) || (self.bytes > limits.bytes && self.entries.len() > 1) {
            self.drop_oldest();
        }
    }

    /// Lets go of everything before a position: every member is past it.
    pub(super) fn trim_to(&mut self, position: u64) {
        while self.base < position && !self.entries.is_empty() {
            self.drop_oldest();
        }
    }

    /// Lets go of everything stamped before an instant.
    pub(super) fn trim_older_than(&mut self, cut: Instant) {
        while self.entries.front().is_some_and(|oldest| oldest.envelope.stamped < cut) {
            self.drop_oldest();
        }
    }

    /// How many envelopes it holds.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of the room it has taken for envelopes, without their frames.
    #[must_use]
    pub(super) fn room_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Rc<Offer>>()
    }

    /// When the envelope at a position was stamped, or the oldest still there; `None` at the head.
    #[must_use]
    pub(super) fn stamped_at(&self, position: u64) -> Option<Instant> {
        let index = usize::try_from(position.saturating_sub(self.base)).unwrap_or(usize::MAX);
        self.entries.get(index).map(|entry| entry.envelope.stamped)
    }

    /// When the oldest was stamped.
    #[must_use]
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.entries.front().map(|oldest| oldest.envelope.stamped)
    }

    /// Gives back the room a burst took, once it is over.
    pub(super) fn shrink(&mut self) {
        if self.entries.is_empty() && self.entries.capacity() > 8 {
            self.entries = VecDeque::new();
        }
    }

    /// The envelopes from a position on; a position before the base starts at the base.
    pub(super) fn from(&self, position: u64) -> impl Iterator<Item = &Rc<Offer>> {
        let index = usize::try_from(position.saturating_sub(self.base)).unwrap_or(usize::MAX);
        self.entries.iter().skip(index)
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.entries.pop_front() {
            self.bytes -= oldest.frame.len();
            self.base += 1;
            if oldest.leave_feed() {
                self.ledger.set(self.ledger.get() - oldest.frame.len());
            }
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.trim_to(self.head());
    }
}
