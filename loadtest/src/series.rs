//! A run over time, as data: what clients saw four times a second, what the server's process used once a second.
//!
//! However long the run, the number of entries stays bounded: when it grows too large, neighbours are joined and the interval doubles.

use serde::{Deserialize, Serialize};

/// Entries of one kind at most.
const MOST: usize = 1200;

/// Bucket of [`crate::tally::lower_ns`], and how many values fell in it.
pub(crate) type Counted = (usize, u32);

/// A run over time. Times are milliseconds since sampling began, before the first client connected.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Series {
    /// When sampling began, CLOCK_MONOTONIC in nanoseconds.
    pub(crate) origin_ns: u64,
    /// The same moment in seconds since 1970.
    pub(crate) started_unix_seconds: f64,
    /// Begin and end of the measured window.
    pub(crate) window_ms: Option<(f64, f64)>,
    /// What the clients saw.
    pub(crate) clients: Vec<ClientMoment>,
    /// What the server's process used.
    pub(crate) server: Vec<ServerMoment>,
}

/// One interval at the clients.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ClientMoment {
    /// Its begin.
    pub(crate) from_ms: f64,
    /// Its end.
    pub(crate) to_ms: f64,
    /// Streams open at its end.
    pub(crate) connections: u64,
    /// Events sent in it, 0 for the floor, which does not tell.
    pub(crate) published: u64,
    /// Deliveries seen in it.
    pub(crate) deliveries: u64,
    /// Skips announced in the streams in it.
    pub(crate) skipped: u64,
    /// Latency of the timed deliveries seen in it: bucket and count.
    pub(crate) latency: Vec<Counted>,
    /// Lateness of the events sent in it: bucket and count.
    pub(crate) lateness: Vec<Counted>,
}

/// One interval at the server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ServerMoment {
    /// Its begin.
    pub(crate) from_ms: f64,
    /// Its end.
    pub(crate) to_ms: f64,
    /// Resident memory at its end.
    pub(crate) rss_kib: u64,
    /// Resident memory, shared pages divided among those who share them.
    pub(crate) pss_kib: u64,
    /// Resident memory that belongs to no file.
    pub(crate) anon_kib: u64,
    /// Kernel memory in TCP buffers of the machine at its end.
    pub(crate) socket_kib: u64,
    /// Context switches by blocking in it.
    pub(crate) voluntary_switches: u64,
    /// Context switches forced on it in it.
    pub(crate) involuntary_switches: u64,
    /// CPU time of the threads that ran in it, those of one name together.
    pub(crate) threads: Vec<ThreadMoment>,
}

/// CPU time of the threads of one name in one interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ThreadMoment {
    /// The name.
    pub(crate) name: String,
    /// Milliseconds in its own code.
    pub(crate) user_ms: f64,
    /// Milliseconds in the kernel.
    pub(crate) system_ms: f64,
}

/// An interval that can take in the one after it.
pub(crate) trait Interval: Default {
    /// Becomes both together.
    fn join(&mut self, next: Self);
}

impl Series {
    /// Notes when the measured window was.
    pub(crate) fn mark_window(&mut self, began_ns: u64, elapsed_ns: u64) {
        let from_ms = began_ns.saturating_sub(self.origin_ns) as f64 / 1e6;
        self.window_ms = Some((from_ms, from_ms + elapsed_ns as f64 / 1e6));
    }
}

impl Interval for ClientMoment {
    fn join(&mut self, next: Self) {
        self.to_ms = next.to_ms;
        self.connections = next.connections;
        self.published += next.published;
        self.deliveries += next.deliveries;
        self.skipped += next.skipped;
        add_counts(&mut self.latency, &next.latency);
        add_counts(&mut self.lateness, &next.lateness);
    }
}

impl Interval for ServerMoment {
    fn join(&mut self, next: Self) {
        let voluntary_switches = self.voluntary_switches + next.voluntary_switches;
        let involuntary_switches = self.involuntary_switches + next.involuntary_switches;
        let (from_ms, before) = (self.from_ms, std::mem::take(&mut self.threads));
        *self = Self { from_ms, voluntary_switches, involuntary_switches, ..next };
        for thread in before {
            add_thread(&mut self.threads, thread);
        }
    }
}

/// Adds an interval at the end, joining pairs when there are too many.
pub(crate) fn push<T: Interval>(series: &mut Vec<T>, moment: T) {
    series.push(moment);
    if series.len() >= MOST {
        *series = halved(std::mem::take(series));
    }
}

/// Joins neighbours in pairs.
pub(crate) fn halved<T: Interval>(series: Vec<T>) -> Vec<T> {
    let mut joined = Vec::with_capacity(series.len().div_ceil(2));
    let mut moments = series.into_iter();
    while let Some(mut moment) = moments.next() {
        if let Some(next) = moments.next() {
            moment.join(next);
        }
        joined.push(moment);
    }
    joined
}

/// Adds the CPU time of a thread to those of the same name.
pub(crate) fn add_thread(threads: &mut Vec<ThreadMoment>, thread: ThreadMoment) {
    match threads.iter_mut().find(|known| known.name == thread.name) {
        Some(known) => {
            known.user_ms += thread.user_ms;
            known.system_ms += thread.system_ms;
        }
        None => threads.push(thread),
    }
}

/// Adds bucket counts to others; both are sorted by bucket, and so is the sum.
pub(crate) fn add_counts(sum: &mut Vec<Counted>, more: &[Counted]) {
    for (bucket, count) in more {
        match sum.binary_search_by_key(bucket, |(known, _)| *known) {
            Ok(place) => sum[place].1 = sum[place].1.saturating_add(*count),
            Err(place) => sum.insert(place, (*bucket, *count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(place: u32) -> ClientMoment {
        let (from_ms, to_ms) = (f64::from(place), f64::from(place + 1));
        ClientMoment { from_ms, to_ms, deliveries: 1, latency: vec![(place as usize % 3, 1)], ..ClientMoment::default() }
    }

    #[test]
    fn a_long_run_keeps_every_delivery_in_a_bounded_number_of_intervals() {
        let mut series = Vec::new();
        (0..5000).for_each(|place| push(&mut series, moment(place)));
        assert!(series.len() < MOST && series.len() > MOST / 4, "{}", series.len());
        assert_eq!(series.iter().map(|moment| moment.deliveries).sum::<u64>(), 5000);
        assert_eq!(series.iter().flat_map(|moment| &moment.latency).map(|(_, count)| u64::from(*count)).sum::<u64>(), 5000);
        assert!(series.windows(2).all(|pair| pair[0].to_ms == pair[1].from_ms));
    }

    #[test]
    fn threads_of_one_name_are_joined_and_memory_is_that_of_the_end() {
        let thread = |name: &str, user_ms| ThreadMoment { name: name.to_owned(), user_ms, system_ms: 1.0 };
        let mut first = ServerMoment { rss_kib: 1, voluntary_switches: 2, threads: vec![thread("a", 5.0)], ..ServerMoment::default() };
        let threads = vec![thread("a", 3.0), thread("b", 1.0)];
        first.join(ServerMoment { to_ms: 9.0, rss_kib: 7, voluntary_switches: 3, threads, ..ServerMoment::default() });
        assert_eq!((first.rss_kib, first.voluntary_switches, first.to_ms), (7, 5, 9.0));
        assert_eq!(first.threads, [ThreadMoment { name: "a".to_owned(), user_ms: 8.0, system_ms: 2.0 }, thread("b", 1.0)]);
    }
}
