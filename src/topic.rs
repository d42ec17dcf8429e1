//! Topics: something whose present state is told as a whole, now and again, to those who asked for it.
//!
//! A topic knows what to tell to whom; when it is told is the hub's business. Whoever is slow misses states, never the latest.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;

use crate::access::Principal;

/// Something that can be subscribed to.
pub trait Topic: Send + Sync {
    /// What tells it from the others of its dialect.
    fn name(&self) -> &'static str;

    /// Rises when what is told may have changed.
    fn version(&self) -> u64;

    /// The frame that tells its state to whoever has these rights, as it was at that version or later, built once and shared until
    /// what it says changes: the very same bytes mean that nothing has changed. However fast the topic moves, it is not built again
    /// for a version that was asked for before. `before` is the last frame this client was sent; where `again` is set it is told
    /// once more, in bytes that differ from `before`. `None`: he may not be told.
    fn frame(&self, principal: &Principal, version: u64, before: Option<&Bytes>, again: bool) -> Option<Bytes>;
}

/// A client's wish to be told of a topic.
#[derive(Clone)]
pub struct Subscription {
    /// Of what.
    pub topic: Arc<dyn Topic>,
    /// When for the first time.
    pub first: Duration,
    /// The least time between two frames.
    pub interval: Duration,
    /// Told every interval, whether or not anything has changed.
    pub always: bool,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("topic", &self.topic.name()).field("interval", &self.interval).finish_non_exhaustive()
    }
}
