//! How much a hub may still be sent by one shard.
//!
//! The shard takes before it sends, the hub gives back when its flush has passed the events; so a publisher can never
//! outrun the workers, and a hub's mailbox can never be full.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use crossbeam::utils::CachePadded;
use tokio::sync::Notify;

/// The counter between one shard and one hub.
#[derive(Debug)]
pub struct Credit {
    left: CachePadded<AtomicUsize>,
    given_back: AtomicU64,
    full: usize,
    returned: Arc<Notify>,
}

impl Credit {
    /// A full counter. `returned` is told whenever some comes back: publishers that were refused wait for it.
    #[must_use]
    pub fn new(full: usize, returned: Arc<Notify>) -> Self {
        Self { left: CachePadded::new(AtomicUsize::new(full)), given_back: AtomicU64::new(0), full, returned }
    }

    /// Whether that many events may be sent now.
    #[must_use]
    pub fn has(&self, n_events: usize) -> bool {
        self.left.load(Ordering::Acquire) >= n_events
    }

    /// Takes credit; only the shard calls it, after [`Credit::has`].
    pub fn take(&self, n_events: usize) {
        debug_assert!(self.has(n_events), "the shard checks every hub before it takes from any");
        self.left.fetch_sub(n_events, Ordering::AcqRel);
    }

    /// Gives credit back; only the hub calls it.
    pub fn give_back(&self, n_events: usize) {
        self.given_back.fetch_add(n_events as u64, Ordering::Relaxed);
        self.left.fetch_add(n_events, Ordering::AcqRel);
        self.returned.notify_waiters();
    }

    /// Everything ever given back: a number that stands still while a hub does.
    #[must_use]
    pub fn progress(&self) -> u64 {
        self.given_back.load(Ordering::Relaxed)
    }

    /// Events under way.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.full.saturating_sub(self.left.load(Ordering::Relaxed))
    }
}
