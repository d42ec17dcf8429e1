//! What the engine counts, as verbs of its domain; exported to Prometheus at scrape.
//!
//! Imports nothing of the engine: kinds, dialects and reasons are numbers here, and get their names at the export.

mod admission;
mod export;
mod family;
pub mod names;
mod process;
mod publish;
mod worker;

pub use admission::{AdmissionMetrics, AuthResult, Rejection};
pub use export::{Exporter, Gauges, Labels, Mailbox, Sources};
pub use publish::{PublishMetrics, PublishRefusal, ShardMetrics};
pub use worker::{Counter, DialectCounters, LATENCY_BOUNDS_MICROS, LatencyHistogram, MAX_DIALECTS, WorkerCounters};
