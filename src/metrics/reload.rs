//! How the settings were last read.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// Whether the last reload went well, and when one last did.
#[derive(Debug, Default)]
pub struct ReloadMetrics {
    failed: AtomicBool,
    succeeded_at: AtomicI64,
}

impl ReloadMetrics {
    /// The settings were read and put in force, at that many milliseconds since the epoch.
    pub fn succeeded(&self, at_millis: i64) {
        self.succeeded_at.store(at_millis, Ordering::Relaxed);
        self.failed.store(false, Ordering::Relaxed);
    }

    /// They could not be used.
    pub fn failed(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    /// Whether the last time went well.
    #[must_use]
    pub fn is_successful(&self) -> bool {
        !self.failed.load(Ordering::Relaxed)
    }

    /// When it last did, in milliseconds since the epoch.
    #[must_use]
    pub fn succeeded_at_millis(&self) -> i64 {
        self.succeeded_at.load(Ordering::Relaxed)
    }
}
