//! Which uploads and conversions are under way, and how far they are.

use std::{sync::Arc, time::Instant};

use super::runs::{Bounds, Runs, SILENCE, Step};
use crate::event::{Conflation, Envelope, EventKind};

/// Uploads and conversions remembered, and bytes of their messages.
const BOUNDS: Bounds = Bounds { runs: 1024, bytes: 1 << 20, silence: SILENCE };

/// The uploads and conversions by kind, library and media: what conflates is what is one run, and its end is the run's.
#[derive(Debug)]
pub(super) struct Progress(Runs<(EventKind, String)>);

impl Default for Progress {
    fn default() -> Self {
        Self(Runs::new(BOUNDS))
    }
}

impl Progress {
    pub(super) fn n_bytes(&self) -> usize {
        self.0.n_bytes()
    }

    pub(super) fn fold(&self, envelope: &Arc<Envelope>) {
        let Some(Conflation { key, terminal, .. }) = envelope.event.conflation() else { return };
        self.0.fold(key, if terminal { Step::End } else { Step::GoOn }, envelope);
    }

    pub(super) fn present(&self, now: Instant, wanted: &dyn Fn(&Envelope) -> bool, into: &mut Vec<Arc<Envelope>>) {
        self.0.present(now, wanted, into);
    }

    pub(super) fn running(&self, now: Instant, wanted: &dyn Fn(&Envelope) -> bool, into: &mut Vec<Arc<Envelope>>) {
        self.0.running(now, wanted, into);
    }
}
