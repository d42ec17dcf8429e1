//! Which libraries are being scanned, and how far it is.
//!
//! Readers of a library see a scan's start and end, its admins also the progress between (event map, section 3): so a
//! running scan is its start and its latest progress, an ended one its end.

use std::{sync::Arc, time::Instant};

use super::runs::{Bounds, Runs, SILENCE, Step};
use crate::{
    event::{Envelope, Event, ScanState},
    id::LibraryId,
};

/// Libraries whose scans are remembered, and bytes of their messages.
const BOUNDS: Bounds = Bounds { runs: 1024, bytes: 1 << 20, silence: SILENCE };

/// The scans by library.
#[derive(Debug)]
pub(super) struct Scans(Runs<LibraryId>);

impl Default for Scans {
    fn default() -> Self {
        Self(Runs::new(BOUNDS))
    }
}

impl Scans {
    pub(super) fn n_bytes(&self) -> usize {
        self.0.n_bytes()
    }

    pub(super) fn fold(&self, envelope: &Arc<Envelope>) {
        let Event::Scan(scan) = &envelope.event else { return };
        let step = match scan.state {
            ScanState::Started => Step::Begin,
            ScanState::Progress => Step::GoOn,
            ScanState::Finished | ScanState::Cancelled | ScanState::Failed => Step::End,
        };
        self.0.fold(scan.library.clone(), step, envelope);
    }

    pub(super) fn present(&self, now: Instant, wanted: &dyn Fn(&Envelope) -> bool, into: &mut Vec<Arc<Envelope>>) {
        self.0.present(now, wanted, into);
    }

    pub(super) fn running(&self, now: Instant, wanted: &dyn Fn(&Envelope) -> bool, into: &mut Vec<Arc<Envelope>>) {
        self.0.running(now, wanted, into);
    }
}
