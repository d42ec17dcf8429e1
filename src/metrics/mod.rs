//! What the engine counts, as verbs of its domain; exported to Prometheus at scrape.

mod worker;

use std::sync::atomic::{AtomicU64, Ordering};

pub use worker::{Counter, DialectCounters, LATENCY_BOUNDS_MICROS, LatencyHistogram, MAX_DIALECTS, WorkerCounters};

use crate::event::EventKind;

/// What one shard counts; written by its thread only.
#[derive(Debug, Default)]
pub struct ShardMetrics {
    published: [Counter; 32],
    credit_exhausted: AtomicU64,
}

impl ShardMetrics {
    /// An event was accepted.
    pub fn published(&self, kind: EventKind) {
        self.published[kind as usize].add(1);
    }

    /// A batch was refused because a hub had no credit left.
    pub fn credit_exhausted(&self) {
        self.credit_exhausted.fetch_add(1, Ordering::Relaxed);
    }
}
