//! The exposition: every worker's counters merged at the moment somebody asks, in Prometheus' text format.
//!
//! Workers share nothing for it: each writes cache lines of its own, and only a scrape reads them all. Which dialects,
//! kinds and reasons there are comes in as names; so the number of series is fixed when the exporter is made.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use prometheus::{
    TextEncoder,
    core::{Collector, Desc},
    proto::MetricFamily,
};

use super::{
    AUDIENCES, AdmissionMetrics, AuthResult, BackEndMetrics, CALL_BOUNDS_MICROS, Counter, DialectCounters, HANDLE_BOUNDS_MICROS, Histogram,
    LAG_BOUNDS_EVENTS, LATENCY_BOUNDS_MICROS, LIFE_BOUNDS_SECONDS, PAYLOAD_BOUNDS_BYTES, Part, PublishApi, PublishMetrics, PublishRefusal,
    Rejection, ReloadMetrics, ShardMetrics, WRITE_BOUNDS_EVENTS, Work, WorkerCounters,
    family::{Page, Scale, Series, histogram},
    histogram::{Reading, merged},
    kernel::{self, Tcp},
    names::{self, Metric},
    process::Process,
};

/// Whose counters are exported, and what is called how.
pub struct Sources {
    /// One per worker.
    pub workers: Vec<Arc<WorkerCounters>>,
    /// One per shard.
    pub shards: Vec<Arc<ShardMetrics>>,
    /// What all publishers share.
    pub publish: Arc<PublishMetrics>,
    /// What all who let clients in share.
    pub admission: Arc<AdmissionMetrics>,
    /// What is counted of those who are asked about tokens.
    pub back_ends: Arc<BackEndMetrics>,
    /// The words for the numbers.
    pub labels: Labels,
    /// What is read, not counted.
    pub gauges: Gauges,
}

/// The words for the numbers under which things are counted.
#[derive(Debug, Clone)]
pub struct Labels {
    /// The dialects, in the order of their numbers; at most [`super::MAX_DIALECTS`].
    pub dialects: Vec<&'static str>,
    /// The kinds of event, in the order of their numbers.
    pub kinds: Vec<&'static str>,
    /// The libraries counted apart, in their order; at most [`super::MAX_LIBRARIES`].
    pub libraries: Vec<String>,
    /// The outlets, in the order of their numbers.
    pub outlets: [&'static str; 4],
    /// The reasons for a close, in the order of their numbers.
    pub close_reasons: [&'static str; 12],
    /// The reasons for a skip, in the order of their numbers.
    pub skip_reasons: [&'static str; 2],
    /// The version that runs, as in Cargo.toml.
    pub version: &'static str,
    /// The commit it was built from; empty when that is not known.
    pub commit: &'static str,
}

/// What is read at the moment of the scrape.
pub struct Gauges {
    /// Credit under way between shards and hubs: one depth per pair of them, in events. It is also `mailbox_depth` of its actor.
    pub credit: Mailbox,
    /// Further kinds of mailbox, if their depth can be read.
    pub mailboxes: Vec<Mailbox>,
    /// Connections the server lets in; 0 is no limit.
    pub connection_limit: Box<dyn Fn() -> u64 + Send + Sync>,
    /// Bytes of what goes on.
    pub state_bytes: Box<dyn Fn() -> u64 + Send + Sync>,
    /// Workers whose hub stands still.
    pub stalled_hubs: Arc<AtomicUsize>,
    /// Whether the server says goodbye.
    pub draining: Arc<AtomicBool>,
    /// How the settings were last read.
    pub reloads: Arc<ReloadMetrics>,
}

/// The mailboxes of one kind of actor.
pub struct Mailbox {
    /// The kind: `hub`, `shard`.
    pub actor: &'static str,
    /// What one of them holds.
    pub capacity: u64,
    /// What waits in each of them now.
    pub depths: Box<dyn Fn() -> Vec<u64> + Send + Sync>,
}

/// Answers scrapes.
pub struct Exporter {
    sources: Sources,
    descs: Vec<Desc>,
    /// The workers' names: their numbers.
    workers: Vec<String>,
}

/// Counted in microseconds, told in seconds.
const fn seconds(bounds: &[u64]) -> Scale<'_> {
    Scale { bounds, divisor: 1e6 }
}

/// Told as it is counted.
const fn plain(bounds: &[u64]) -> Scale<'_> {
    Scale { bounds, divisor: 1.0 }
}

impl Exporter {
    /// The content type of what [`Exporter::render`] writes.
    pub const CONTENT_TYPE: &'static str = prometheus::TEXT_FORMAT;

    /// An exporter of these sources.
    #[must_use]
    pub fn new(sources: Sources) -> Self {
        debug_assert!(sources.labels.dialects.len() <= super::MAX_DIALECTS, "more dialects than are counted apart");
        let workers = (0..sources.workers.len()).map(|number| number.to_string()).collect();
        Self { sources, descs: names::ALL.iter().filter_map(desc).collect(), workers }
    }

    /// Every metric as text. Reads `/proc`: a matter of a millisecond, not for a worker that delivers.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        if let Err(error) = TextEncoder::new().encode_utf8(&self.collect(), &mut text) {
            // Writing to memory does not fail, and a page holds no family without a series.
            tracing::error!(%error, "metrics cannot be written");
        }
        text
    }

    fn connections(&self, page: &mut Page) {
        let labels = &self.sources.labels;
        self.by_dialect_and(page, &names::CONNECTIONS, labels.outlets, |counters| &counters.connections);
        self.by_dialect(page, &names::CONNECTIONS_OPENED, |counters| &counters.opened);
        self.by_dialect_and(page, &names::CONNECTIONS_CLOSED, labels.close_reasons, |counters| &counters.closed);
        let rejected = labels.dialects.iter().enumerate().flat_map(|(number, dialect)| {
            let series = move |why: Rejection| (vec![*dialect, why.name()], self.sources.admission.n_rejected(number, why) as f64);
            Rejection::ALL.map(series)
        });
        page.add(&names::CONNECTIONS_REJECTED, rejected);
        page.one(&names::CONNECTION_LIMIT, (self.sources.gauges.connection_limit)() as f64);
        page.one(&names::STALL_TIMEOUTS, self.sum(|worker| &worker.time_outs));
        self.by_dialect(page, &names::PINGS_SENT, |counters| &counters.pings);
        let calls = seconds(&CALL_BOUNDS_MICROS);
        self.histograms(page, &names::HANDSHAKE_DURATION, calls, |counters| counters.handshakes.read());
        self.histograms(page, &names::CONNECTION_DURATION, plain(&LIFE_BOUNDS_SECONDS), |counters| counters.lives.read());
        self.histograms(page, &names::PING_RTT, calls, |counters| counters.round_trips.read());
    }

    fn publishing(&self, page: &mut Page) {
        let Sources { shards, labels, publish, .. } = &self.sources;
        let sum = |read: &dyn Fn(&ShardMetrics) -> u64| shards.iter().map(|shard| read(shard)).sum::<u64>() as f64;
        let published = labels.kinds.iter().enumerate().map(|(kind, name)| (vec![*name], sum(&|shard| shard.n_published(kind))));
        page.add(&names::EVENTS_PUBLISHED, published);
        let libraries = labels.libraries.iter().enumerate();
        let by_library = libraries.map(|(place, name)| (vec![name.as_str()], sum(&|shard| shard.n_published_in(place))));
        page.add(&names::LIBRARY_PUBLISHED, by_library);
        page.add(&names::PUBLISH_REJECTED, PublishRefusal::ALL.map(|why| (vec![why.name()], publish.n_refused(why) as f64)));
        page.one(&names::PUBLISH_DUPLICATES, sum(&ShardMetrics::n_duplicates));
        let durations = PublishApi::ALL.map(|api| (vec![api.name()], publish.durations(api)));
        page.push(histogram(&names::PUBLISH_DURATION, seconds(&CALL_BOUNDS_MICROS), durations));
        let payloads = merged(PAYLOAD_BOUNDS_BYTES.len() + 1, shards.iter().map(|shard| shard.payloads()));
        page.push(histogram(&names::PUBLISH_PAYLOAD, plain(&PAYLOAD_BOUNDS_BYTES), [(Vec::new(), payloads)]));
        let rejected = [("shard", publish.n_shard_full() as f64), ("hub", sum(&ShardMetrics::n_credit_exhausted))];
        page.add(&names::MAILBOX_REJECTED, rejected.map(|(actor, number)| (vec![actor], number)));
        page.one(&names::SHARD_CREDIT_EXHAUSTED, sum(&ShardMetrics::n_credit_exhausted));
    }

    fn delivery(&self, page: &mut Page) {
        let labels = &self.sources.labels;
        self.by_dialect(page, &names::EVENTS_OFFERED, |counters| &counters.offered);
        let libraries = labels.libraries.iter().enumerate();
        page.add(
            &names::LIBRARY_OFFERED,
            libraries.map(|(place, name)| (vec![name.as_str()], self.sum(|worker| &worker.libraries[place]))),
        );
        self.by_dialect_and(page, &names::DELIVERIES, labels.outlets, |counters| &counters.delivered);
        self.by_dialect_and(page, &names::EVENTS_SKIPPED, labels.skip_reasons, |counters| &counters.skipped);
        self.by_dialect(page, &names::EVENTS_CONFLATED, |counters| &counters.conflated);
        self.by_dialect(page, &names::EVENTS_FILTERED, |counters| &counters.filtered);
        self.by_dialect(page, &names::EVENTS_ABANDONED, |counters| &counters.abandoned);
        self.by_dialect(page, &names::LAG_EPISODES, |counters| &counters.lag_episodes);
        self.by_dialect(page, &names::DELIVERY_BYTES, |counters| &counters.bytes);
        self.by_dialect(page, &names::WRITES, |counters| &counters.writes);
        self.by_dialect(page, &names::WRITE_WOULD_BLOCK, |counters| &counters.would_block);
        self.by_dialect(page, &names::LAGGING_CONNECTIONS, |counters| &counters.lagging);
        self.by_dialect(page, &names::PARTIAL_WRITES, |counters| &counters.partial_writes);
        self.histograms(page, &names::CONNECTION_LAG, plain(&LAG_BOUNDS_EVENTS), |counters| counters.lag.read());
        self.histograms(page, &names::EVENTS_PER_WRITE, plain(&WRITE_BOUNDS_EVENTS), |counters| counters.events_per_write.read());
        self.histograms(page, &names::DELIVERY_LATENCY, seconds(&LATENCY_BOUNDS_MICROS), |counters| counters.latency.read());
        let passes = AUDIENCES.iter().enumerate().map(|(place, (_, name))| {
            let of_worker = |worker: &Arc<WorkerCounters>| worker.passes[place].read();
            (vec![*name], merged(CALL_BOUNDS_MICROS.len() + 1, self.sources.workers.iter().map(of_worker)))
        });
        page.push(histogram(&names::FANOUT_DURATION, seconds(&CALL_BOUNDS_MICROS), passes));
        page.one(&names::ENCODE_FAILURES, self.sum(|worker| &worker.encode_failures));
    }

    fn engine(&self, page: &mut Page) {
        let Sources { gauges, labels, admission, .. } = &self.sources;
        page.one(&names::FILTER_GROUPS, self.sum(|worker| &worker.groups));
        page.one(&names::FEED_ENTRIES, self.sum(|worker| &worker.feed_entries));
        let oldest = self.sources.workers.iter().map(|worker| worker.oldest_micros.get()).max().unwrap_or_default();
        page.one(&names::FEED_OLDEST_AGE, oldest as f64 / 1e6);
        page.one(&names::FEED_BYTES, self.sum(|worker| &worker.feed_bytes));
        let outstanding = (gauges.credit.depths)();
        page.one(&names::SHARD_CREDIT_OUTSTANDING, outstanding.iter().sum::<u64>() as f64);
        let fullest = |depths: Vec<u64>| depths.into_iter().max().unwrap_or_default() as f64;
        let mut depths: Vec<Series<'_>> = vec![(vec![gauges.credit.actor], fullest(outstanding))];
        depths.extend(gauges.mailboxes.iter().map(|mailbox| (vec![mailbox.actor], fullest((mailbox.depths)()))));
        page.add(&names::MAILBOX_DEPTH, depths);
        let mailboxes = std::iter::once(&gauges.credit).chain(&gauges.mailboxes);
        page.add(&names::MAILBOX_CAPACITY, mailboxes.map(|mailbox| (vec![mailbox.actor], mailbox.capacity as f64)));
        page.add(&names::ACTOR_RESTARTS, [(vec![gauges.credit.actor], self.sum(|worker| &worker.restarts))]);
        page.one(&names::HUB_STALLED, gauges.stalled_hubs.load(Ordering::Relaxed) as f64);
        let authenticated = AuthResult::ALL.map(|result| (vec![result.name()], admission.n_authenticated(result) as f64));
        page.add(&names::AUTH_REQUESTS, authenticated);
        let back_ends =
            BackEndMetrics::NAMES.iter().enumerate().map(|(number, name)| (vec![*name], self.sources.back_ends.durations(number)));
        page.push(histogram(&names::AUTH_DURATION, seconds(&CALL_BOUNDS_MICROS), back_ends));
        page.one(&names::AUTH_CACHE_HITS, self.sources.back_ends.n_remembered() as f64);
        page.one(&names::DRAINING, f64::from(u8::from(gauges.draining.load(Ordering::Relaxed))));
        page.one(&names::CONFIG_RELOAD_SUCCESSFUL, f64::from(u8::from(gauges.reloads.is_successful())));
        page.one(&names::CONFIG_RELOAD_TIMESTAMP, gauges.reloads.succeeded_at_millis() as f64 / 1e3);
        page.add(&names::BUILD_INFO, [(vec![labels.version, labels.commit], 1.0)]);
    }

    fn by_dialect(&self, page: &mut Page, metric: &Metric, counter: impl Fn(&DialectCounters) -> &Counter) {
        let dialects = self.sources.labels.dialects.iter().enumerate();
        page.add(metric, dialects.map(|(number, name)| (vec![*name], self.sum(|worker| counter(&worker.dialects[number])))));
    }

    fn by_dialect_and<const N: usize>(
        &self,
        page: &mut Page,
        metric: &Metric,
        names: [&'static str; N],
        counters: impl Fn(&DialectCounters) -> &[Counter; N],
    ) {
        let mut series: Vec<Series<'_>> = Vec::new();
        for (number, dialect) in self.sources.labels.dialects.iter().enumerate() {
            for (index, name) in names.into_iter().enumerate() {
                series.push((vec![dialect, name], self.sum(|worker| &counters(&worker.dialects[number])[index])));
            }
        }
        page.add(metric, series);
    }

    fn sum(&self, counter: impl Fn(&WorkerCounters) -> &Counter) -> f64 {
        self.sources.workers.iter().map(|worker| counter(worker).get()).fold(0, u64::wrapping_add) as f64
    }

    /// A histogram of each dialect, over all workers.
    fn histograms(&self, page: &mut Page, metric: &Metric, scale: Scale<'_>, read: impl Fn(&DialectCounters) -> Reading) {
        let dialects = self.sources.labels.dialects.iter().enumerate().map(|(number, name)| {
            let readings = self.sources.workers.iter().map(|worker| read(&worker.dialects[number]));
            (vec![*name], merged(scale.bounds.len() + 1, readings))
        });
        page.push(histogram(metric, scale, dialects));
    }

    /// What actors take: of the processor in one go, and of memory.
    fn actors(&self, page: &mut Page) {
        let Sources { workers, shards, gauges, .. } = &self.sources;
        let handled = Work::ALL.map(|work| {
            let n_buckets = HANDLE_BOUNDS_MICROS.len() + 1;
            let reading = match work {
                Work::Shard => merged(n_buckets, shards.iter().map(|shard| shard.handle_times())),
                of_worker => merged(n_buckets, workers.iter().map(|worker| worker.handled[of_worker as usize].read())),
            };
            (vec![work.name()], reading)
        });
        page.push(histogram(&names::ACTOR_HANDLE_DURATION, seconds(&HANDLE_BOUNDS_MICROS), handled));
        let bytes = Part::ALL.map(|part| {
            let bytes = match part {
                Part::State => (gauges.state_bytes)() as f64,
                Part::Idempotency => shards.iter().map(|shard| shard.window_bytes()).sum::<u64>() as f64,
                of_worker => self.sum(|worker| &worker.memory[of_worker as usize]),
            };
            (vec![part.name()], bytes)
        });
        page.add(&names::MEMORY_BYTES, bytes);
    }

    fn workers(&self, page: &mut Page) {
        let workers = || self.workers.iter().map(String::as_str).zip(&self.sources.workers);
        let busy = workers().map(|(name, worker)| (vec![name], kernel::busy_seconds(worker.thread.get()).unwrap_or_default()));
        page.add(&names::WORKER_BUSY, busy);
        let delays = workers().map(|(name, worker)| (vec![name], Histogram::read(&worker.delays)));
        page.push(histogram(&names::WORKER_LOOP_DELAY, seconds(&CALL_BOUNDS_MICROS), delays));
    }
}

impl Collector for Exporter {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut page = Page::default();
        self.connections(&mut page);
        self.publishing(&mut page);
        self.delivery(&mut page);
        self.engine(&mut page);
        self.actors(&mut page);
        self.workers(&mut page);
        kernel(&mut page, &Tcp::read());
        process(&mut page, &Process::read());
        page.families()
    }
}

fn kernel(page: &mut Page, tcp: &Tcp) {
    page.add(&names::KERNEL_SOCKET_BYTES, tcp.buffer_bytes.map(|bytes| (Vec::new(), bytes)));
    page.add(&names::KERNEL_RETRANSMITS, tcp.retransmits.map(|segments| (Vec::new(), segments)));
}

fn process(page: &mut Page, process: &Process) {
    let readings = [
        (&names::FD_LIMIT, process.max_fds),
        (&names::PROCESS_CPU, process.cpu_seconds),
        (&names::PROCESS_OPEN_FDS, process.open_fds),
        (&names::PROCESS_MAX_FDS, process.max_fds),
        (&names::PROCESS_RESIDENT_MEMORY, process.resident_bytes),
        (&names::PROCESS_VIRTUAL_MEMORY, process.virtual_bytes),
        (&names::PROCESS_THREADS, process.threads),
        (&names::PROCESS_START_TIME, process.start_seconds),
    ];
    for (metric, reading) in readings {
        page.add(metric, reading.map(|value| (Vec::new(), value)));
    }
}

/// What the `prometheus` crate wants to know of a metric beforehand. `None` for a name it does not allow: a test registers all.
fn desc(metric: &Metric) -> Option<Desc> {
    let labels = metric.labels.iter().map(|label| (*label).to_owned()).collect();
    Desc::new(metric.name.to_owned(), metric.help.to_owned(), labels, std::collections::HashMap::new()).ok()
}

#[cfg(test)]
#[path = "export_tests.rs"]
mod tests;
