//! What the engine counts, as verbs of its domain; exported to Prometheus at scrape.
//!
//! Imports nothing of the engine: kinds, dialects and reasons are numbers here, and get their names at the export.

mod publish;
mod worker;

pub use publish::{PublishMetrics, PublishRefusal, ShardMetrics};
pub use worker::{Counter, DialectCounters, LATENCY_BOUNDS_MICROS, LatencyHistogram, MAX_DIALECTS, WorkerCounters};
