//! Things that begin, go on and end: the latest envelopes of each, while it lasts and a little longer.
//!
//! An end is kept for a minute, so that a session that fell behind learns of it. What nobody speaks of for long enough is
//! taken for dead. Time is the envelopes' own.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::event::Envelope;

/// How long an end is remembered: feeds hold events for less than that, unless the settings say otherwise.
pub(super) const AFTER_THE_END: Duration = Duration::from_secs(60);
/// How long something may go on without a word, unless its kind says otherwise.
pub(super) const SILENCE: Duration = Duration::from_secs(3600);
/// Readers and admins see different events of one run, and a publisher may narrow further: so many audiences are kept apart.
const AUDIENCES: usize = 4;

/// What an envelope means for its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It begins; what was known of the one before is over.
    Begin,
    /// It goes on.
    GoOn,
    /// It ends.
    End,
}

/// The bounds of one kind of run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Runs remembered.
    pub(super) runs: usize,
    /// Bytes of all their messages together; what envelopes hold beside them, the frames above all, comes on top.
    pub(super) bytes: usize,
    /// How long one may go on without a word.
    pub(super) silence: Duration,
}

/// All runs of one kind.
#[derive(Debug)]
pub(super) struct Runs<K> {
    bounds: Bounds,
    /// How many there are, so that a reader of nothing takes no lock.
    n_runs: AtomicUsize,
    table: Mutex<Table<K>>,
}

#[derive(Debug)]
struct Table<K> {
    runs: HashMap<K, Run>,
    n_bytes: usize,
}

#[derive(Debug)]
struct Run {
    /// The latest of each audience, in order; after the end only the end.
    latest: Vec<Arc<Envelope>>,
    touched: Instant,
    over: bool,
}

impl<K: Eq + Hash + Clone> Runs<K> {
    pub(super) fn new(bounds: Bounds) -> Self {
        let table = Mutex::new(Table { runs: HashMap::new(), n_bytes: 0 });
        Self { bounds, n_runs: AtomicUsize::new(0), table }
    }

    pub(super) fn fold(&self, key: K, step: Step, envelope: &Arc<Envelope>) {
        let mut table = self.table.lock();
        let mut run = table.take(&key).unwrap_or_else(|| Run { latest: Vec::new(), touched: envelope.stamped, over: false });
        if run.over || step != Step::GoOn {
            run.latest.clear();
        }
        run.latest.retain(|before| before.audience != envelope.audience);
        run.latest.push(Arc::clone(envelope));
        if run.latest.len() > AUDIENCES {
            run.latest.remove(0);
        }
        (run.touched, run.over) = (envelope.stamped, step == Step::End);
        table.make_room(self.bounds, run.n_bytes(), envelope.stamped);
        table.put(key, run);
        self.n_runs.store(table.runs.len(), Ordering::Release);
    }

    /// Adds the latest envelopes of every run that are wanted.
    pub(super) fn present(&self, now: Instant, wanted: &dyn Fn(&Envelope) -> bool, into: &mut Vec<Arc<Envelope>>) {
        self.look(now, |run| into.extend(run.latest.iter().filter(|envelope| wanted(envelope)).map(Arc::clone)));
    }

    /// Adds the latest wanted envelope of every run that goes on.
    pub(super) fn running(&self, now: Instant, wanted: &dyn Fn(&Envelope) -> bool, into: &mut Vec<Arc<Envelope>>) {
        self.look(now, |run| {
            if !run.over {
                into.extend(run.latest.iter().rfind(|envelope| wanted(envelope)).map(Arc::clone));
            }
        });
    }

    /// Bytes of the messages that are remembered.
    pub(super) fn n_bytes(&self) -> usize {
        if self.n_runs.load(Ordering::Acquire) == 0 { 0 } else { self.table.lock().n_bytes }
    }

    fn look(&self, now: Instant, see: impl FnMut(&Run)) {
        if self.n_runs.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut table = self.table.lock();
        table.forget_the_old(self.bounds, now);
        self.n_runs.store(table.runs.len(), Ordering::Release);
        table.runs.values().for_each(see);
    }
}

impl<K: Eq + Hash + Clone> Table<K> {
    fn take(&mut self, key: &K) -> Option<Run> {
        let run = self.runs.remove(key)?;
        self.n_bytes -= run.n_bytes();
        Some(run)
    }

    fn put(&mut self, key: K, run: Run) {
        self.n_bytes += run.n_bytes();
        self.runs.insert(key, run);
    }

    /// Lets go until one run of that size fits: first what is old, then what ended, then what was silent for longest.
    fn make_room(&mut self, bounds: Bounds, n_bytes: usize, now: Instant) {
        let full = |table: &Self| table.runs.len() >= bounds.runs || table.n_bytes + n_bytes > bounds.bytes;
        if full(self) {
            self.forget_the_old(bounds, now);
        }
        while full(self) {
            let Some(victim) = self.runs.iter().min_by_key(|(_, run)| (!run.over, run.touched)).map(|(key, _)| key.clone()) else { return };
            self.take(&victim);
        }
    }

    fn forget_the_old(&mut self, bounds: Bounds, now: Instant) {
        let n_bytes = &mut self.n_bytes;
        self.runs.retain(|_, run| {
            let stays = now.saturating_duration_since(run.touched) < if run.over { AFTER_THE_END } else { bounds.silence };
            if !stays {
                *n_bytes -= run.n_bytes();
            }
            stays
        });
    }
}

impl Run {
    fn n_bytes(&self) -> usize {
        self.latest.iter().map(|envelope| envelope.event.message().len()).sum()
    }
}
