//! What all workers and shards counted, at one moment and between two: for people who look, where no Prometheus keeps the past.
//!
//! Reading it costs the workers nothing, as at a scrape: they share no line with each other, and only the reader visits all.

use std::sync::Arc;

use serde::Serialize;

use super::{
    CALL_BOUNDS_MICROS, Counter, LATENCY_BOUNDS_MICROS, ShardMetrics, WorkerCounters,
    histogram::{Reading, merged},
    kernel,
};

/// What a worker holds and has used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, utoipa::ToSchema)]
pub struct WorkerReading {
    /// Open connections.
    pub connections: u64,
    /// Filter groups alive.
    pub groups: u64,
    /// Events in its feeds.
    pub feed_entries: u64,
    /// Bytes of frames in its feeds.
    pub feed_bytes: u64,
    /// The age of the oldest event in any feed, in milliseconds.
    pub oldest_ms: f64,
    /// Processor time it has used, in seconds; 0 where the system does not tell.
    pub busy_seconds: f64,
    /// Times its hub was lost to a bug and began anew.
    pub restarts: u64,
}

impl WorkerReading {
    /// What that worker's counters say now.
    #[must_use]
    pub fn of(worker: &WorkerCounters) -> Self {
        Self {
            connections: sum(worker.dialects.iter().flat_map(|dialect| &dialect.connections)),
            groups: worker.groups.get(),
            feed_entries: worker.feed_entries.get(),
            feed_bytes: worker.feed_bytes.get(),
            oldest_ms: worker.oldest_micros.get() as f64 / 1e3,
            busy_seconds: kernel::busy_seconds(worker.thread.get()).unwrap_or_default(),
            restarts: worker.restarts.get(),
        }
    }
}

/// Everything at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    dialects: Vec<DialectSnapshot>,
    workers: Vec<WorkerSnapshot>,
    published: Vec<u64>,
}

#[derive(Debug, Clone)]
struct DialectSnapshot {
    name: &'static str,
    connections: u64,
    lagging: u64,
    /// In the order of [`Rates`].
    counts: [u64; 6],
    latency: Reading,
}

#[derive(Debug, Clone)]
struct WorkerSnapshot {
    connections: u64,
    busy_seconds: f64,
    delays: Reading,
}

impl Snapshot {
    /// Everything now; the dialects in the order of their numbers.
    #[must_use]
    pub fn take(workers: &[Arc<WorkerCounters>], shards: &[Arc<ShardMetrics>], dialects: &[&'static str]) -> Self {
        let of_dialect = |(number, name): (usize, &&'static str)| {
            let all = || workers.iter().map(|worker| &worker.dialects[number]);
            DialectSnapshot {
                name,
                connections: sum(all().flat_map(|dialect| &dialect.connections)),
                lagging: sum(all().map(|dialect| &dialect.lagging)),
                counts: [
                    sum(all().map(|dialect| &dialect.offered)),
                    sum(all().flat_map(|dialect| &dialect.delivered)),
                    sum(all().flat_map(|dialect| &dialect.skipped)),
                    sum(all().map(|dialect| &dialect.bytes)),
                    sum(all().map(|dialect| &dialect.opened)),
                    sum(all().flat_map(|dialect| &dialect.closed)),
                ],
                latency: merged(LATENCY_BOUNDS_MICROS.len() + 1, all().map(|dialect| dialect.latency.read())),
            }
        };
        let of_worker = |worker: &Arc<WorkerCounters>| WorkerSnapshot {
            connections: sum(worker.dialects.iter().flat_map(|dialect| &dialect.connections)),
            busy_seconds: kernel::busy_seconds(worker.thread.get()).unwrap_or_default(),
            delays: worker.delays.read(),
        };
        Self {
            dialects: dialects.iter().enumerate().map(of_dialect).collect(),
            workers: workers.iter().map(of_worker).collect(),
            published: shards.iter().map(|shard| shard.n_published_in_all()).collect(),
        }
    }

    /// What happened since an earlier one, so many seconds ago.
    #[must_use]
    pub fn since(&self, before: &Self, seconds: f64) -> Summary {
        let pairs = || self.dialects.iter().zip(&before.dialects);
        let mut counts = [0; 6];
        for (now, before) in pairs() {
            counts.iter_mut().zip(difference(&now.counts, &before.counts)).for_each(|(sum, more)| *sum += more);
        }
        let latency = merged(LATENCY_BOUNDS_MICROS.len() + 1, pairs().map(|(now, before)| since(&now.latency, &before.latency)));
        let dialects = pairs().map(|(now, before)| {
            let [_, delivered, skipped, ..] = difference(&now.counts, &before.counts);
            DialectSummary {
                dialect: now.name,
                connections: now.connections,
                lagging: now.lagging,
                delivered: delivered as f64 / seconds,
                skipped: skipped as f64 / seconds,
                latency_ms: Percentiles::of(&LATENCY_BOUNDS_MICROS, &since(&now.latency, &before.latency).0),
            }
        });
        let [offered, delivered, skipped, bytes, opened, closed] = counts.map(|count| count as f64 / seconds);
        let published: Vec<f64> =
            self.published.iter().zip(&before.published).map(|(now, before)| now.wrapping_sub(*before) as f64 / seconds).collect();
        Summary {
            connections: self.dialects.iter().map(|dialect| dialect.connections).sum(),
            lagging: self.dialects.iter().map(|dialect| dialect.lagging).sum(),
            rates: Rates { published: published.iter().sum(), offered, delivered, skipped, bytes, opened, closed },
            latency_ms: Percentiles::of(&LATENCY_BOUNDS_MICROS, &latency.0),
            dialects: dialects.collect(),
            workers: self.workers.iter().zip(&before.workers).enumerate().map(|pair| of_worker(pair, seconds)).collect(),
            published,
        }
    }
}

fn of_worker((worker, (now, before)): (usize, (&WorkerSnapshot, &WorkerSnapshot)), seconds: f64) -> WorkerSummary {
    let delays = since(&now.delays, &before.delays).0;
    WorkerSummary {
        worker,
        connections: now.connections,
        busy: (now.busy_seconds - before.busy_seconds).max(0.0) / seconds,
        delay_ms: quantile(&CALL_BOUNDS_MICROS, &delays, 0.99),
    }
}

/// What happened between two moments.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Open connections at the end.
    pub connections: u64,
    /// Those of them that were behind when they were last looked at.
    pub lagging: u64,
    /// What happened a second.
    #[serde(flatten)]
    pub rates: Rates,
    /// Publish to write; `None` where nothing was delivered.
    pub latency_ms: Option<Percentiles>,
    /// The same for each dialect.
    pub dialects: Vec<DialectSummary>,
    /// What the workers did.
    pub workers: Vec<WorkerSummary>,
    /// Events accepted a second, by shard.
    #[serde(skip)]
    pub published: Vec<f64>,
}

/// What happened a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rates {
    /// Events accepted.
    pub published: f64,
    /// Events offered to sessions.
    pub offered: f64,
    /// Events delivered.
    pub delivered: f64,
    /// Events skipped.
    pub skipped: f64,
    /// Bytes taken by outlets.
    pub bytes: f64,
    /// Connections opened.
    pub opened: f64,
    /// Connections closed.
    pub closed: f64,
}

/// One dialect's part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DialectSummary {
    /// Its name.
    pub dialect: &'static str,
    /// Open connections at the end.
    pub connections: u64,
    /// Those of them that were behind.
    pub lagging: u64,
    /// Events delivered a second.
    pub delivered: f64,
    /// Events skipped a second.
    pub skipped: f64,
    /// Publish to write.
    pub latency_ms: Option<Percentiles>,
}

/// One worker's part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkerSummary {
    /// Its number.
    pub worker: usize,
    /// Open connections at the end.
    pub connections: u64,
    /// The share of a processor it used: 0 to 1.
    pub busy: f64,
    /// How late its timers were, in milliseconds: 99 of 100 no later.
    pub delay_ms: Option<f64>,
}

/// How long so many of a hundred took at most, in milliseconds: the upper bound of the bucket each falls into.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Percentiles {
    /// Half of them.
    pub p50: f64,
    /// 95 of 100.
    pub p95: f64,
    /// 99 of 100.
    pub p99: f64,
    /// 999 of 1,000.
    pub p999: f64,
}

impl Percentiles {
    /// `None` where nothing was counted.
    fn of(bounds_micros: &[u64], buckets: &[u64]) -> Option<Self> {
        let at = |share| quantile(bounds_micros, buckets, share);
        Some(Self { p50: at(0.5)?, p95: at(0.95)?, p99: at(0.99)?, p999: at(0.999)? })
    }
}

/// The bound, in milliseconds, of the bucket in which that share of all is reached; beyond the last bound it is that bound.
fn quantile(bounds_micros: &[u64], buckets: &[u64], share: f64) -> Option<f64> {
    let all: u64 = buckets.iter().sum();
    let wanted = (all as f64 * share).ceil().max(1.0);
    let mut seen = 0;
    let reached = buckets.iter().position(|count| {
        seen += count;
        seen as f64 >= wanted
    });
    let place = reached?.min(bounds_micros.len().saturating_sub(1));
    bounds_micros.get(place).map(|micros| *micros as f64 / 1e3)
}

fn since(now: &Reading, before: &Reading) -> Reading {
    (now.0.iter().zip(&before.0).map(|(now, before)| now.wrapping_sub(*before)).collect(), now.1.wrapping_sub(before.1))
}

fn difference(now: &[u64; 6], before: &[u64; 6]) -> [u64; 6] {
    std::array::from_fn(|place| now[place].wrapping_sub(before[place]))
}

fn sum<'a>(counters: impl Iterator<Item = &'a Counter>) -> u64 {
    counters.map(Counter::get).fold(0, u64::wrapping_add)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn rates_and_percentiles_are_those_of_the_time_between() {
        let (workers, shards) = (vec![Arc::new(WorkerCounters::default())], vec![Arc::new(ShardMetrics::default())]);
        let dialect = &workers[0].dialects[1];
        dialect.delivered[0].add(1_000);
        dialect.latency.record_run(Duration::from_secs(5), Duration::from_secs(5), 1_000);
        let before = Snapshot::take(&workers, &shards, &["a", "b"]);
        dialect.delivered[2].add(100);
        dialect.connections[0].add(3);
        shards[0].published(0, 10);
        dialect.latency.record_run(Duration::from_micros(60), Duration::from_micros(90), 98);
        dialect.latency.record_run(Duration::from_millis(40), Duration::from_millis(40), 1);
        dialect.latency.record_run(Duration::from_secs(60), Duration::from_secs(60), 1);
        let told = Snapshot::take(&workers, &shards, &["a", "b"]).since(&before, 2.0);
        assert_eq!((told.connections, told.rates.delivered, told.rates.published), (3, 50.0, 0.5));
        assert_eq!(told.latency_ms, Some(Percentiles { p50: 0.1, p95: 0.1, p99: 50.0, p999: 10_000.0 }));
        assert_eq!((told.dialects[0].latency_ms, told.dialects[1].delivered), (None, 50.0));
    }
}
