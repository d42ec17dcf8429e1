//! What a run found, as data. The JSON form carries `schema`; it changes when a field changes its meaning or goes away.

use crate::fairness::Fairness;
use crate::identity::Watched;
use crate::machine::Machine;
use crate::program::Program;
use crate::resident::Trend;
use crate::scenario::Storm;
use crate::series::Series;
use crate::stats::{Line, Summary};
use crate::watch::{MemorySample, Usage};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the JSON form.
pub(crate) const SCHEMA: &str = "fanfare-loadtest/1";

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Result {
    /// Everything accounted for, and measured under sound conditions.
    #[default]
    Passed,
    /// The server broke a promise.
    Failed,
    /// The figures are not to be trusted: the load tester was late or saturated.
    Invalid,
}

/// One run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Report {
    /// See [`SCHEMA`].
    pub(crate) schema: String,
    /// Version of the load tester.
    pub(crate) version: String,
    /// When the run began, seconds since 1970.
    pub(crate) started_unix_seconds: f64,
    /// Where.
    pub(crate) machine: Machine,
    /// The load tester.
    pub(crate) tester: Program,
    /// The server, when its process is known.
    pub(crate) program: Option<Program>,
    /// What was asked for.
    pub(crate) load: Load,
    /// How it ended.
    pub(crate) result: Result,
    /// Why it failed or is invalid.
    pub(crate) reasons: Vec<String>,
    /// Publishing.
    pub(crate) publisher: PublisherReport,
    /// The sum of all accounts.
    pub(crate) accounting: Accounting,
    /// Latency of timed deliveries from the intended time of their event.
    pub(crate) latency: Summary,
    /// The same for each dialect, with the whole histogram.
    pub(crate) dialects: Vec<DialectLatency>,
    /// Every how many deliveries one was timed.
    pub(crate) sampled_one_in: u32,
    /// Deliveries a second in the measured window.
    pub(crate) deliveries_per_second: f64,
    /// The measured window in seconds.
    pub(crate) window_seconds: f64,
    /// From the time the last event was due to the last steady client's completion, milliseconds.
    pub(crate) drain_ms: f64,
    /// The server's CPU in the window.
    pub(crate) server: Option<Usage>,
    /// Server CPU per delivery.
    pub(crate) cost: Option<Cost>,
    /// Server memory while clients connected, and at the end.
    pub(crate) memory: Option<Memory>,
    /// The load tester's own RSS over its clients while they connected, KiB each; small numbers hide in the allocator's pages.
    #[serde(default)]
    pub(crate) own_per_client: Option<Line>,
    /// Bytes of the load tester a client held at the end, on average of the thread with the most: its account, what is unfinished, its session.
    #[serde(default)]
    pub(crate) held_bytes_per_client: usize,
    /// The server's own accounts, when they were watched.
    pub(crate) watched: Option<Watched>,
    /// The load tester's own CPU in the window.
    pub(crate) own: Usage,
    /// The run second by second.
    pub(crate) series: Series,
    /// How everybody came and went at once, in a storm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) storm: Option<Storm>,
    /// The latency a ramp was to keep to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ramp_goal_p99_ms: Option<f64>,
    /// Latency against offered load, in the order tried; none unless a ramp was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ramp: Vec<RampPoint>,
    /// What a delivery cost beside clients of other libraries, in the order measured; none unless it was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unrelated: Vec<UnrelatedPoint>,
    /// The line of the total cost over the number of these clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unrelated_line: Option<Line>,
}

impl Report {
    /// CPU microseconds of the server per connection and second, user and in all, in a run that published nothing.
    pub(crate) fn idle_cost(&self) -> Option<Cost> {
        let connections = self.load.clients + self.load.slow + self.load.stalled + self.load.strangers;
        let server = self.server.as_ref().filter(|_| self.load.rate == 0 && connections > 0 && self.window_seconds > 0.0)?;
        let each = |nanoseconds: u64| nanoseconds as f64 / 1000.0 / connections as f64 / self.window_seconds;
        Some(Cost { user_us: each(server.total.user_ns), total_us: each(server.total.running_ns) })
    }
}

/// What a delivery cost beside so many clients of other libraries.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct UnrelatedPoint {
    /// Clients to which nothing was published.
    pub(crate) strangers: usize,
    /// CPU of the server per delivery.
    pub(crate) cost: Cost,
    /// 99th percentile of latency, microseconds.
    pub(crate) p99_us: f64,
}

/// Latency of one dialect's clients.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct DialectLatency {
    /// The dialect's name.
    pub(crate) dialect: String,
    /// Steady clients that spoke it.
    pub(crate) clients: usize,
    /// Its percentiles.
    pub(crate) latency: Summary,
    /// How equally its clients were served; unknown when clients came and went.
    pub(crate) fairness: Option<Fairness>,
    /// All its values in nanoseconds, as HdrHistogram's compressed V2 form in base64.
    pub(crate) histogram: Option<String>,
}

/// What one offered load brought.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RampPoint {
    /// Events a second offered.
    pub(crate) rate: u64,
    /// Deliveries a second seen.
    pub(crate) deliveries_per_second: f64,
    /// Median latency from the intended time, microseconds.
    pub(crate) p50_us: f64,
    /// 99th percentile.
    pub(crate) p99_us: f64,
    /// 99.9th percentile.
    pub(crate) p999_us: f64,
    /// Largest.
    pub(crate) max_us: f64,
    /// Missing and told, in the stream or by the server.
    pub(crate) skipped: u64,
    /// Missing and told nowhere.
    pub(crate) lost_silently: u64,
    /// Whether the goal was met without loss.
    pub(crate) held: bool,
    /// Why it was not, or why nothing was proved.
    pub(crate) reasons: Vec<String>,
}

/// The load of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Load {
    /// `floor` or the address.
    pub(crate) target: String,
    /// Steady clients.
    pub(crate) clients: usize,
    /// Slow clients.
    pub(crate) slow: usize,
    /// Stalled clients.
    pub(crate) stalled: usize,
    /// Clients to which nothing was published.
    pub(crate) strangers: usize,
    /// Churning clients a second.
    pub(crate) churn: usize,
    /// Events a second.
    pub(crate) rate: u64,
    /// Measured seconds.
    pub(crate) seconds: u64,
    /// Bytes of a frame asked for.
    pub(crate) payload_bytes: usize,
    /// Bytes of a frame seen on the wire, the largest of all dialects.
    pub(crate) frame_bytes: usize,
    /// Steady clients of each dialect.
    #[serde(default)]
    pub(crate) clients_by_dialect: BTreeMap<String, usize>,
    /// Bytes of a delivery's frame on the wire in each dialect.
    #[serde(default)]
    pub(crate) frame_bytes_by_dialect: BTreeMap<String, usize>,
    /// Libraries.
    pub(crate) libraries: u32,
    /// Libraries per client, 0 for all.
    pub(crate) client_libraries: u32,
}

/// The publisher.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PublisherReport {
    /// Events sent, warm-up included.
    pub(crate) sent: u32,
    /// Events the server accepted.
    pub(crate) accepted: u64,
    /// Events refused, busy ones included.
    pub(crate) refused: u64,
    /// Events refused as busy.
    pub(crate) busy: u64,
    /// Events without an answer.
    pub(crate) unanswered: u64,
    /// The first refusal.
    pub(crate) first_refusal: Option<String>,
    /// Lateness.
    pub(crate) lateness: Summary,
    /// Percent of a CPU over the whole schedule, warm-up included; the floor publishes itself, which is in its own CPU.
    pub(crate) cpu_percent: f64,
}

/// The sum over steady, slow and churning clients.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Accounting {
    /// Accepted events clients should have had while subscribed.
    pub(crate) expected: u64,
    /// Deliveries, each sequence number of a client once.
    pub(crate) received: u64,
    /// Sequence numbers delivered again.
    pub(crate) duplicated: u64,
    /// Deliveries out of order.
    pub(crate) reordered: u64,
    /// Missing and told in the stream.
    pub(crate) skipped_announced: u64,
    /// Missing and told only by the server's list of connections.
    pub(crate) skipped_reported: u64,
    /// Missing and told nowhere.
    pub(crate) lost_silently: u64,
    /// Clients that lost something silently.
    pub(crate) clients_short: u64,
    /// Told in the stream beyond what is missing.
    pub(crate) overannounced: u64,
    /// Delivered though the server had refused them.
    pub(crate) unaccepted: u64,
    /// Deliveries of libraries not asked for.
    pub(crate) foreign: u64,
    /// Frames no server should send.
    pub(crate) malformed: u64,
    /// The first of them.
    pub(crate) malformed_sample: Option<String>,
    /// Comments and events without a marker.
    pub(crate) others: u64,
    /// Steady clients whose stream the server ended.
    pub(crate) closed_by_server: u64,
    /// Stalled or slow clients whose stream the server ended.
    pub(crate) evicted: u64,
    /// Churning clients that came and went.
    pub(crate) churned: u64,
    /// Clients that got no stream.
    pub(crate) failed_to_connect: u64,
}

/// CPU microseconds of the server per delivery.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Cost {
    /// In its own code.
    pub(crate) user_us: f64,
    /// With the kernel's work on its behalf.
    pub(crate) total_us: f64,
}

/// Server memory.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Memory {
    /// Samples while clients connected, nothing published yet.
    pub(crate) connecting: Vec<MemorySample>,
    /// RSS over connections, KiB each.
    pub(crate) rss_per_connection: Option<Line>,
    /// Kernel socket memory over connections, KiB each, both ends.
    pub(crate) sockets_per_connection: Option<Line>,
    /// RSS when everybody was connected and nothing published, the median of some samples.
    pub(crate) rss_kib_before_publishing: Option<u64>,
    /// RSS at begin, middle and end of the window.
    pub(crate) trend: Option<Trend>,
    /// Growth of RSS from before publishing to the end of the window over the number of stalled clients, feeds included, KiB each.
    pub(crate) growth_per_stalled_kib: Option<f64>,
    /// RSS once a second in the window.
    pub(crate) rss_kib_by_second: Vec<u64>,
    /// Once everything was delivered.
    pub(crate) after: MemorySample,
    /// Largest kernel socket memory seen in the window.
    pub(crate) socket_kib_max: u64,
}
