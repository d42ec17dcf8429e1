//! An event as one worker offers it.

use std::{cell::Cell, sync::Arc};

use bytes::Bytes;

use crate::event::Envelope;

/// An envelope as it was offered to the groups of one format on one worker: with the bytes they will all be sent.
#[derive(Debug)]
pub struct Offer {
    /// The event.
    pub envelope: Arc<Envelope>,
    /// Its frame.
    pub frame: Bytes,
    /// How many feeds hold it; the first enters its bytes in the worker's ledger, the last takes them out.
    n_feeds: Cell<u32>,
}

impl Offer {
    /// An offer that no feed holds yet.
    #[must_use]
    pub fn new(envelope: Arc<Envelope>, frame: Bytes) -> Self {
        Self { envelope, frame, n_feeds: Cell::new(0) }
    }

    /// A feed takes it. Says whether it is the first.
    pub fn enter_feed(&self) -> bool {
        self.n_feeds.replace(self.n_feeds.get() + 1) == 0
    }

    /// A feed lets go of it. Says whether it was the last.
    pub fn leave_feed(&self) -> bool {
        self.n_feeds.replace(self.n_feeds.get() - 1) == 1
    }
}
