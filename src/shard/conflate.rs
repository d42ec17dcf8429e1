//! The latest progress event of each key, so that a newer one can mark the one still waiting as worthless.
//!
//! Pure: the shard marks, feeds only read the mark. Which types conflate is the event's own business.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use crate::event::{Audience, Conflation, Envelope, EventKind};

/// More keys than this are not remembered: then events are merely not conflated.
const MAX_KEYS: usize = 16_384;

/// What one shard remembers.
#[derive(Debug, Default)]
pub struct Conflator {
    waiting: HashMap<(EventKind, String), Waiting>,
}

#[derive(Debug)]
struct Waiting {
    audience: Audience,
    phase: String,
    envelope: Weak<Envelope>,
}

impl Conflator {
    /// Notes an accepted envelope and marks the one of equal key, phase and audience it replaces.
    ///
    /// A terminal state ends its key's run; it replaces the progress before it and is never replaced.
    pub fn accept(&mut self, envelope: &Arc<Envelope>) {
        let Some(Conflation { key, phase, terminal }) = envelope.event.conflation() else { return };
        if let Some(before) = self.waiting.remove(&key)
            && before.phase == phase
            && before.audience == envelope.audience
            && let Some(before) = before.envelope.upgrade()
        {
            before.supersede();
        }
        if !terminal && self.has_room() {
            self.waiting.insert(key, Waiting { audience: envelope.audience.clone(), phase, envelope: Arc::downgrade(envelope) });
        }
    }

    fn has_room(&mut self) -> bool {
        if self.waiting.len() >= MAX_KEYS {
            // An envelope nobody else holds waits nowhere any more: its key is free.
            self.waiting.retain(|_, waiting| waiting.envelope.strong_count() > 0);
        }
        self.waiting.len() < MAX_KEYS
    }
}
