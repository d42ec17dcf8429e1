//! Watches the hubs from a thread outside the workers: one that stands still cannot say so itself.
//!
//! It changes nothing: it counts, logs once, and has readiness answer no. What a hub's standing still means for events is
//! the shards' business (`hub_stall`).

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use crate::metrics::WorkerCounters;

/// How often hubs are looked at; as often as their own beat.
const LOOK: Duration = Duration::from_secs(1);
/// What a hub is given beyond `hub_stall`: a beat that has just passed, and a look that comes just before the next.
const GRACE: Duration = Duration::from_secs(2);

/// Watches until it is dropped.
pub(super) struct Watchdog {
    _until_dropped: mpsc::Sender<()>,
}

impl Watchdog {
    /// Begins to watch; the number of hubs that stand still goes to `stalled`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn start(workers: Vec<Arc<WorkerCounters>>, hub_stall: Duration, stalled: Arc<AtomicUsize>) -> io::Result<Self> {
        let (until_dropped, dropped) = mpsc::channel::<()>();
        let watch = move || {
            let beats = || workers.iter().map(|worker| worker.beats.get());
            let mut pulses: Vec<Pulse> = beats().map(|n_beats| Pulse::new(n_beats, Instant::now())).collect();
            while dropped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                let now = Instant::now();
                for (worker, (pulse, n_beats)) in pulses.iter_mut().zip(beats()).enumerate() {
                    tell(worker, pulse.feel(n_beats, now, hub_stall + GRACE));
                }
                stalled.store(pulses.iter().filter(|pulse| pulse.missed).count(), Ordering::Relaxed);
            }
        };
        thread::Builder::new().name("watchdog".to_owned()).spawn(watch)?;
        Ok(Self { _until_dropped: until_dropped })
    }
}

fn tell(worker: usize, change: Option<Change>) {
    match change {
        Some(Change::Stopped) => tracing::error!(worker, "a worker stands still: its clients get nothing until it moves again"),
        Some(Change::MovesAgain(time)) => tracing::warn!(worker, seconds = time.as_secs_f32(), "a worker stood still and moves again"),
        None => {}
    }
}

/// What is known of one hub's beat.
#[derive(Debug)]
struct Pulse {
    n_beats: u64,
    since: Instant,
    missed: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Change {
    Stopped,
    MovesAgain(Duration),
}

impl Pulse {
    fn new(n_beats: u64, now: Instant) -> Self {
        Self { n_beats, since: now, missed: false }
    }

    /// What has changed, said once.
    fn feel(&mut self, n_beats: u64, now: Instant, patience: Duration) -> Option<Change> {
        let since = now.saturating_duration_since(self.since);
        if n_beats != self.n_beats {
            let moves_again = self.missed.then_some(Change::MovesAgain(since));
            *self = Self::new(n_beats, now);
            return moves_again;
        }
        if since < patience || self.missed {
            return None;
        }
        self.missed = true;
        Some(Change::Stopped)
    }
}

#[cfg(test)]
#[path = "watchdog_tests.rs"]
mod tests;
