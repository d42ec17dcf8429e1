//! How often something may happen in a minute, which a reload may change while it is counted.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// A limit shared by those who count against it and whoever sets it.
#[derive(Debug, Clone, Default)]
pub struct PerMinute(Arc<AtomicU32>);

impl PerMinute {
    /// So many; 0 is no limit.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self(Arc::new(limit.into()))
    }

    /// From now on so many.
    pub fn set(&self, limit: u32) {
        self.0.store(limit, Ordering::Relaxed);
    }

    /// `None`: no limit.
    pub(super) fn limit(&self) -> Option<u32> {
        Some(self.0.load(Ordering::Relaxed)).filter(|limit| *limit > 0)
    }
}
