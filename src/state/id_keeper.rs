//! Remembers what the ids that dialects derive stand for, on a thread of its own.
//!
//! Encoders derive ids and remember nothing: they are pure. Shards hand over what they accept, which costs them a place in a
//! queue. What finds no room in it is derived again, to the same id, when the object is next told of.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use super::DerivedIds;
use crate::event::{Envelope, IdForm};

/// Events that wait for the thread, and bytes of their messages.
const EVENTS: usize = 4096;
const BYTES: usize = 8 << 20;
/// How often what was noted is written.
const WRITE_EVERY: Duration = Duration::from_secs(2);
/// Objects lately noted, which are not noted again.
const RECENT: usize = 65_536;
/// The thread takes at most a quarter of a processor: after so much work it rests three times as long.
const WORK: Duration = Duration::from_millis(5);

/// The shards' end: takes accepted events.
#[derive(Debug)]
pub(super) struct Notebook {
    queue: mpsc::SyncSender<Arc<Envelope>>,
    n_bytes: Arc<AtomicUsize>,
}

/// Keeps the ids until it is dropped; then what was noted is written.
#[derive(Debug)]
pub struct IdKeeper {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

struct Keeper {
    ids: Arc<DerivedIds>,
    dialects: Vec<&'static str>,
    /// Hashes of dialect and id; two that agree by chance cost one of them its pair, until the next clearing.
    recent: HashSet<u64>,
    hasher: RandomState,
}

impl Notebook {
    pub(super) fn take(&self, envelope: &Arc<Envelope>) {
        let n_bytes = envelope.event.message().len();
        if self.n_bytes.load(Ordering::Relaxed) + n_bytes > BYTES {
            return;
        }
        self.n_bytes.fetch_add(n_bytes, Ordering::Relaxed);
        if self.queue.try_send(Arc::clone(envelope)).is_err() {
            self.n_bytes.fetch_sub(n_bytes, Ordering::Relaxed);
        }
    }
}

impl IdKeeper {
    /// Whether any of these dialects shows ids that are derived.
    #[must_use]
    pub fn is_needed_by(dialects: &[&'static str]) -> bool {
        dialects.iter().any(|dialect| IdForm::of(dialect) != IdForm::Text)
    }

    /// Begins to keep ids for these dialects.
    pub(super) fn start(ids: Arc<DerivedIds>, dialects: &[&'static str]) -> io::Result<(Self, Notebook)> {
        let (sender, queue) = mpsc::sync_channel::<Arc<Envelope>>(EVENTS);
        let (stop, n_bytes) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let dialects = dialects.iter().copied().filter(|dialect| IdForm::of(dialect) != IdForm::Text).collect();
        let keeper = Keeper { ids, dialects, recent: HashSet::new(), hasher: RandomState::new() };
        let (stopped, waiting) = (Arc::clone(&stop), Arc::clone(&n_bytes));
        let thread = thread::Builder::new().name("ids".to_owned()).spawn(move || keeper.run(&queue, &waiting, &stopped))?;
        Ok((Self { stop, thread: Some(thread) }, Notebook { queue: sender, n_bytes }))
    }
}

impl Drop for IdKeeper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return };
        thread.thread().unpark();
        if thread.join().is_err() {
            tracing::error!("the thread that keeps ids has panicked");
        }
    }
}

impl Keeper {
    fn run(mut self, queue: &mpsc::Receiver<Arc<Envelope>>, n_bytes: &AtomicUsize, stop: &AtomicBool) {
        let (mut write_at, mut began) = (Instant::now() + WRITE_EVERY, Instant::now());
        loop {
            match queue.recv_timeout(Duration::from_millis(100)) {
                Ok(envelope) => {
                    n_bytes.fetch_sub(envelope.event.message().len(), Ordering::Relaxed);
                    self.note(&envelope);
                }
                Err(RecvTimeoutError::Timeout) => began = Instant::now(),
                Err(RecvTimeoutError::Disconnected) => return self.write(),
            }
            if stop.load(Ordering::Acquire) {
                queue.try_iter().for_each(|envelope| self.note(&envelope));
                return self.write();
            }
            if Instant::now() >= write_at {
                self.write();
                write_at = Instant::now() + WRITE_EVERY;
            }
            if began.elapsed() >= WORK {
                thread::park_timeout(3 * WORK);
                began = Instant::now();
            }
        }
    }

    fn note(&mut self, envelope: &Envelope) {
        let Self { ids, dialects, recent, hasher } = self;
        for dialect in dialects.iter().copied() {
            let form = IdForm::of(dialect);
            envelope.event.each_id(dialect, |given, id| {
                if given.is_some() || form.fits(id) {
                    return;
                }
                if recent.len() >= RECENT {
                    recent.clear();
                }
                if recent.insert(hasher.hash_one((dialect, id))) {
                    ids.note(dialect, &form.derive(id), id);
                }
            });
        }
    }

    fn write(&self) {
        if let Err(error) = self.ids.flush() {
            tracing::warn!(%error, "ids that clients were shown cannot be kept, trying again");
        }
    }
}
