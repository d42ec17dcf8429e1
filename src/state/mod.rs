//! What is going on now, folded from events by the shards and read by hubs and dialects.
//!
//! After a gap a session is sent the present state of what it may see, so that a missed end does not leave it wrong
//! for ever. Nobody but the shards writes here.

use std::sync::Arc;

use crate::event::Envelope;

/// The picture.
#[derive(Debug, Default)]
pub struct State {}

impl State {
    /// Takes an accepted event into the picture.
    pub fn fold(&self, _envelope: &Arc<Envelope>) {}

    /// The latest envelope of everything under way.
    pub fn present(&self) -> Vec<Arc<Envelope>> {
        Vec::new()
    }
}
