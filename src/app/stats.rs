//! Tells administrators how the server does: a `stats` event a second, while one of them listens.
//!
//! Counters are read as at a scrape and compared with those of a second ago; while nobody listens nothing is read.

use std::{
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use serde::Serialize;

use crate::{
    clock::Timestamp,
    event::{Event, EventKind},
    metrics::{ShardMetrics, Snapshot, Summary, WorkerCounters},
    server::{Administration, ShardReport},
    source::Publisher,
};

/// How often it is told.
const TICK: Duration = Duration::from_secs(1);
/// How long a busy engine is asked to take one; after that it is left out.
const PATIENCE: Duration = Duration::from_millis(200);

/// What it is made from.
pub(super) struct Readings {
    pub(super) workers: Vec<Arc<WorkerCounters>>,
    pub(super) shards: Vec<Arc<ShardMetrics>>,
    pub(super) dialects: Vec<&'static str>,
    pub(super) administration: Arc<dyn Administration>,
    pub(super) publisher: Publisher,
}

/// Tells until it is dropped.
pub(super) struct Stats {
    stop: Arc<Stop>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Stop {
    is_over: Mutex<bool>,
    told: Condvar,
}

impl Stats {
    /// Tells of every second from here on.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(readings: Readings) -> io::Result<Self> {
        let stop = Arc::<Stop>::default();
        let told = Arc::clone(&stop);
        let thread = thread::Builder::new().name("stats".to_owned()).spawn(move || readings.run(&told))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Stats {
    fn drop(&mut self) {
        *self.stop.is_over.lock() = true;
        self.stop.told.notify_all();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that tells how the server does has panicked");
        }
    }
}

/// A `stats` event's message.
#[derive(Serialize)]
struct Message<'a> {
    at: Timestamp,
    seconds: f64,
    #[serde(flatten)]
    summary: &'a Summary,
    shards: Vec<Shard>,
}

#[derive(Serialize)]
struct Shard {
    shard: usize,
    waiting: usize,
    capacity: usize,
    outstanding: usize,
    credit: usize,
    /// Events accepted a second.
    published: f64,
}

impl Readings {
    fn run(self, stop: &Stop) {
        let mut before: Option<(Instant, Snapshot)> = None;
        let mut next = Instant::now() + TICK;
        loop {
            let mut is_over = stop.is_over.lock();
            while !*is_over && !stop.told.wait_until(&mut is_over, next).timed_out() {}
            if *is_over {
                return;
            }
            drop(is_over);
            let now = Instant::now();
            next = (next + TICK).max(now);
            if self.workers.iter().all(|worker| worker.stats_groups.get() == 0) {
                before = None;
                continue;
            }
            let snapshot = Snapshot::take(&self.workers, &self.shards, &self.dialects);
            if let Some((at, before)) = &before {
                let seconds = now.saturating_duration_since(*at).as_secs_f64();
                self.tell(&snapshot.since(before, seconds), seconds);
            }
            before = Some((now, snapshot));
        }
    }

    fn tell(&self, summary: &Summary, seconds: f64) {
        let shards = self.administration.shards();
        let shard = |(report, published): (ShardReport, &f64)| {
            let ShardReport { shard, waiting, capacity, outstanding, credit, .. } = report;
            Shard { shard, waiting, capacity, outstanding, credit, published: *published }
        };
        let shards = shards.into_iter().zip(&summary.published).map(shard).collect();
        match Event::from_value(EventKind::Stats, &Message { at: Timestamp::now(), seconds, summary, shards }) {
            Ok(event) => {
                let audience = event.audience();
                // One that finds no room is worth nothing a second later.
                let _ = self.publisher.publish_blocking(vec![(event, audience).into()], PATIENCE);
            }
            Err(error) => tracing::error!(%error, "how the server does is no event"),
        }
    }
}
