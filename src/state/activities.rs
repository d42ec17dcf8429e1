//! Which activities run: what the media server says it does for a while. Scans and uploads are beside it, in their own places.

use std::{sync::Arc, time::Instant};

use super::runs::{Bounds, Runs, SILENCE, Step};
use crate::event::{ActivityState, Envelope, Event};

/// Activities remembered, and bytes of their messages.
const BOUNDS: Bounds = Bounds { runs: 1024, bytes: 1 << 20, silence: SILENCE };

/// The activities by id.
#[derive(Debug)]
pub(super) struct Activities(Runs<String>);

impl Default for Activities {
    fn default() -> Self {
        Self(Runs::new(BOUNDS))
    }
}

impl Activities {
    pub(super) fn n_bytes(&self) -> usize {
        self.0.n_bytes()
    }

    pub(super) fn fold(&self, envelope: &Arc<Envelope>) {
        let Event::Activity(activity) = &envelope.event else { return };
        let step = match activity.state {
            ActivityState::Started => Step::Begin,
            ActivityState::Updated => Step::GoOn,
            ActivityState::Ended => Step::End,
        };
        self.0.fold(activity.id.to_string(), step, envelope);
    }

    pub(super) fn present(&self, now: Instant, wanted: &dyn Fn(&Envelope) -> bool, into: &mut Vec<Arc<Envelope>>) {
        self.0.present(now, wanted, into);
    }

    pub(super) fn running(&self, now: Instant, wanted: &dyn Fn(&Envelope) -> bool, into: &mut Vec<Arc<Envelope>>) {
        self.0.running(now, wanted, into);
    }
}
