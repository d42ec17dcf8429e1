//! One worker's counters: written by its thread only, read at scrape, on cache lines of their own.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{
    histogram::{CALL_BOUNDS_MICROS, HANDLE_BOUNDS_MICROS, Histogram, LAG_BOUNDS_EVENTS, LIFE_BOUNDS_SECONDS, WRITE_BOUNDS_EVENTS, micros},
    memory::Part,
    work::Work,
};

/// The upper bounds of the delivery latency buckets, in microseconds.
pub const LATENCY_BOUNDS_MICROS: [u64; 17] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// How many dialects may be counted apart.
pub const MAX_DIALECTS: usize = 6;

/// How many libraries may be counted apart.
pub const MAX_LIBRARIES: usize = 20;

/// A counter with one writer: a plain load and store, no locked instruction.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds; only the owning thread may call it.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// Adds, whoever else does so at the same time.
    pub fn add_shared(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Subtracts; only the owning thread may call it.
    pub fn sub(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_sub(n), Ordering::Relaxed);
    }

    /// Sets; only the owning thread may call it.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// The value now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A latency histogram with fixed buckets.
#[derive(Debug, Default)]
pub struct LatencyHistogram {
    buckets: [Counter; LATENCY_BOUNDS_MICROS.len() + 1],
    sum_micros: Counter,
}

impl LatencyHistogram {
    /// The shortest latency that falls into the same bucket as this one.
    #[must_use]
    pub fn shortest_beside(latency: Duration) -> Duration {
        match Self::bucket(latency) {
            0 => Duration::ZERO,
            bucket => Duration::from_micros(LATENCY_BOUNDS_MICROS[bucket - 1] + 1),
        }
    }

    /// Counts `n` deliveries of one bucket, given the shortest and the longest of their latencies. The sum takes their
    /// middle for each: it is off by less than the bucket is wide.
    pub fn record_run(&self, shortest: Duration, longest: Duration, n: u64) {
        debug_assert!(Self::shortest_beside(longest) <= shortest, "one bucket at a time");
        self.buckets[Self::bucket(longest)].add(n);
        let middle = (shortest + longest) / 2;
        self.sum_micros.add(u64::try_from(middle.as_micros()).unwrap_or(u64::MAX).saturating_mul(n));
    }

    fn bucket(latency: Duration) -> usize {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX); // cut to whole microseconds
        LATENCY_BOUNDS_MICROS.partition_point(|bound| *bound < micros)
    }

    /// Counts per bucket (the last one is everything longer) and the sum in microseconds.
    #[must_use]
    pub fn read(&self) -> (Vec<u64>, u64) {
        (self.buckets.iter().map(Counter::get).collect(), self.sum_micros.get())
    }
}

/// What one worker counts of one dialect.
#[derive(Debug, Default)]
pub struct DialectCounters {
    /// Open connections, by outlet.
    pub connections: [Counter; 4],
    /// Connections opened.
    pub opened: Counter,
    /// Connections closed, by reason.
    pub closed: [Counter; 12],
    /// Events offered to sessions.
    pub offered: Counter,
    /// Events delivered, by outlet.
    pub delivered: [Counter; 4],
    /// Events skipped, by reason.
    pub skipped: [Counter; 2],
    /// Events passed over for a later one.
    pub conflated: Counter,
    /// Events refused after rights changed.
    pub filtered: Counter,
    /// Events still waiting when their session closed.
    pub abandoned: Counter,
    /// Times a cursor was overtaken.
    pub lag_episodes: Counter,
    /// Bytes taken by outlets.
    pub bytes: Counter,
    /// Write calls that took something.
    pub writes: Counter,
    /// Write calls that took nothing.
    pub would_block: Counter,
    /// Keepalives sent.
    pub pings: Counter,
    /// Publish to write.
    pub latency: LatencyHistogram,
    /// Writes of a stretch of a feed that ended within a frame.
    pub partial_writes: Counter,
    /// Events taken whole by one write of a stretch of a feed; none where it only began one.
    pub events_per_write: Histogram<{ WRITE_BOUNDS_EVENTS.len() }>,
    /// Connections that were behind when they were last looked at.
    pub lagging: Counter,
    /// How many events each connection was behind whenever it was looked at.
    pub lag: Histogram<{ LAG_BOUNDS_EVENTS.len() }>,
    /// From the request, whole, to the place in the hub, in microseconds.
    pub handshakes: Histogram<{ CALL_BOUNDS_MICROS.len() }>,
    /// How long connections that ended had been open, in seconds.
    pub lives: Histogram<{ LIFE_BOUNDS_SECONDS.len() }>,
    /// From a WebSocket's ping to its answer, in microseconds.
    pub round_trips: Histogram<{ CALL_BOUNDS_MICROS.len() }>,
}

/// How large groups are told apart by how long a pass over them takes: up to so many members, the last without a bound.
pub const AUDIENCES: [(usize, &str); 4] = [(10, "10"), (100, "100"), (1000, "1000"), (usize::MAX, "more")];

/// Everything one worker counts.
#[derive(Debug, Default)]
#[repr(align(128))] // no cache line is shared with another thread's counters
pub struct WorkerCounters {
    /// Per dialect, by its number.
    pub dialects: [DialectCounters; MAX_DIALECTS],
    /// Filter groups of administrators that want `stats`.
    pub stats_groups: Counter,
    /// Filter groups alive.
    pub groups: Counter,
    /// Bytes of frames held by feeds, shared frames once.
    pub feed_bytes: Counter,
    /// Events whose encoder panicked.
    pub encode_failures: Counter,
    /// Connections closed because they took nothing for the stall limit.
    pub time_outs: Counter,
    /// Times its hub was lost to a panic and began anew.
    pub restarts: Counter,
    /// Counts on once a second while its hub moves.
    pub beats: Counter,
    /// Events in all feeds.
    pub feed_entries: Counter,
    /// The age of the oldest event in any feed, in microseconds; 0 where all are empty.
    pub oldest_micros: Counter,
    /// From the first to the last write of one pass over a group, by its size as in [`AUDIENCES`], in microseconds.
    pub passes: [Histogram<{ CALL_BOUNDS_MICROS.len() }>; AUDIENCES.len()],
    /// How much later than wanted a timer ran, in microseconds.
    pub delays: Histogram<{ CALL_BOUNDS_MICROS.len() }>,
    /// Events offered to sessions, by the libraries that are counted apart.
    pub libraries: [Counter; MAX_LIBRARIES],
    /// How long its actors took for what they handled, by [`Work`], in microseconds.
    pub handled: [Histogram<{ HANDLE_BOUNDS_MICROS.len() }>; Work::OF_WORKERS],
    /// Bytes it keeps, by [`Part`], as of the last second; sessions as of now.
    pub memory: [Counter; Part::OF_WORKERS],
    /// The kernel's number of its thread; 0 while it is not known.
    pub thread: Counter,
}

impl WorkerCounters {
    /// An actor of this worker has handled something, which took so long.
    pub fn handled(&self, work: Work, took: Duration) {
        self.handled[work as usize].observe(&HANDLE_BOUNDS_MICROS, micros(took));
    }

    /// So many bytes are kept for that part.
    pub fn keeps(&self, part: Part, n_bytes: usize) {
        self.memory[part as usize].set(n_bytes as u64);
    }

    /// A pass over a group of so many members has ended.
    pub fn passed(&self, n_members: usize, took: Duration) {
        let place = AUDIENCES.partition_point(|(most, _)| *most < n_members);
        self.passes[place].observe(&CALL_BOUNDS_MICROS, micros(took));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_counted_in_its_bucket_and_summed_by_its_middle() {
        let histogram = LatencyHistogram::default();
        histogram.record_run(Duration::from_micros(60), Duration::from_micros(90), 5);
        histogram.record_run(Duration::from_secs(60), Duration::from_secs(60), 1);
        let (buckets, sum) = histogram.read();
        assert_eq!((buckets[1], buckets[17], sum), (5, 1, 375 + 60_000_000));
        assert_eq!(LatencyHistogram::shortest_beside(Duration::from_micros(190)), Duration::from_micros(101));
        assert_eq!(LatencyHistogram::shortest_beside(Duration::from_micros(50)), Duration::ZERO);
    }

    #[test]
    fn a_latency_on_the_edge_belongs_to_the_bucket_it_bounds() {
        assert_eq!(LatencyHistogram::bucket(Duration::from_micros(50)), 0);
        assert_eq!(LatencyHistogram::bucket(Duration::from_micros(51)), 1);
    }
}
