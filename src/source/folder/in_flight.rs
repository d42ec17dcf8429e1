//! What the engine is being told at this moment and the store does not hold yet.
//!
//! Between "accepted" and "recorded" lies one fsync. A client that has just got an event and then asks for a page must not find
//! the older state there, so pages are corrected by what is in flight.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::id::LibraryId;

/// (library, media id) → the media as it is being announced; `None` for a deleted one.
pub(super) type Corrections = HashMap<(LibraryId, String), Option<String>>;

#[derive(Debug, Default)]
pub(super) struct InFlight(Mutex<Corrections>);

impl InFlight {
    /// Marks these as being announced until the guard is dropped.
    pub(super) fn mark(&self, corrections: Corrections) -> Guard<'_> {
        let keys = corrections.keys().cloned().collect();
        self.0.lock().extend(corrections);
        Guard { in_flight: self, keys }
    }

    /// A copy: take it before reading the store, so that what is gone from here is surely found there.
    pub(super) fn snapshot(&self) -> Corrections {
        self.0.lock().clone()
    }
}

/// Takes its marks away when dropped.
pub(super) struct Guard<'a> {
    in_flight: &'a InFlight,
    keys: Vec<(LibraryId, String)>,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let mut corrections = self.in_flight.0.lock();
        for key in &self.keys {
            corrections.remove(key);
        }
    }
}
