//! What the engine counts, as verbs of its domain; exported to Prometheus at scrape.
//!
//! Imports nothing of the engine: kinds, dialects and reasons are numbers here, and get their names at the export.

mod admission;
mod export;
mod family;
pub mod histogram;
mod kernel;
mod memory;
pub mod names;
mod process;
mod publish;
mod reload;
mod summary;
mod work;
mod worker;

pub use admission::{AdmissionMetrics, AuthResult, BackEndMetrics, Rejection};
pub use export::{Exporter, Gauges, Labels, Mailbox, Sources};
pub use histogram::{
    CALL_BOUNDS_MICROS, HANDLE_BOUNDS_MICROS, Histogram, LAG_BOUNDS_EVENTS, LIFE_BOUNDS_SECONDS, PAYLOAD_BOUNDS_BYTES, WRITE_BOUNDS_EVENTS,
    micros,
};
pub use kernel::thread_number;
pub use memory::{Part, map_bytes, shared_bytes};
pub use publish::{PublishApi, PublishMetrics, PublishRefusal, ShardMetrics};
pub use reload::ReloadMetrics;
pub use summary::{DialectSummary, Percentiles, Rates, Snapshot, Summary, WorkerReading, WorkerSummary};
pub use work::Work;
pub use worker::{
    AUDIENCES, Counter, DialectCounters, LATENCY_BOUNDS_MICROS, LatencyHistogram, MAX_DIALECTS, MAX_LIBRARIES, WorkerCounters,
};
