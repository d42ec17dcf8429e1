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
    queue: mpsc::SyncSender<Word>,
    n_bytes: Arc<AtomicUsize>,
}

/// What the thread is told.
#[derive(Debug)]
enum Word {
    /// An event was accepted.
    Accepted(Arc<Envelope>),
    /// The keeper is dropped: look at the flag.
    Stop,
}

/// Keeps the ids until it is dropped; then what was noted is written.
#[derive(Debug)]
pub struct IdKeeper {
    stop: Arc<AtomicBool>,
    queue: mpsc::SyncSender<Word>,
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
    /// Bytes of the messages that wait.
    pub(super) fn n_bytes(&self) -> usize {
        self.n_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn take(&self, envelope: &Arc<Envelope>) {
        let n_bytes = envelope.event.message().len();
        if self.n_bytes.load(Ordering::Relaxed) + n_bytes > BYTES {
            return;
        }
        self.n_bytes.fetch_add(n_bytes, Ordering::Relaxed);
        if self.queue.try_send(Word::Accepted(Arc::clone(envelope))).is_err() {
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
        let (sender, queue) = mpsc::sync_channel(EVENTS);
        let (stop, n_bytes) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let dialects = dialects.iter().copied().filter(|dialect| IdForm::of(dialect) != IdForm::Text).collect();
        let keeper = Keeper { ids, dialects, recent: HashSet::new(), hasher: RandomState::new() };
        let (stopped, waiting) = (Arc::clone(&stop), Arc::clone(&n_bytes));
        let thread = thread::Builder::new().name("ids".to_owned()).spawn(move || keeper.run(&queue, &waiting, &stopped))?;
        Ok((Self { stop, queue: sender.clone(), thread: Some(thread) }, Notebook { queue: sender, n_bytes }))
    }
}

impl Drop for IdKeeper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return };
        // A full queue wakes it as well.
        let _ = self.queue.try_send(Word::Stop);
        thread.thread().unpark();
        if thread.join().is_err() {
            tracing::error!("the thread that keeps ids has panicked");
        }
    }
}

impl Keeper {
    fn run(mut self, queue: &mpsc::Receiver<Word>, n_bytes: &AtomicUsize, stop: &AtomicBool) {
        let (mut write_at, mut worked) = (Instant::now() + WRITE_EVERY, Duration::ZERO);
        loop {
            let word = queue.recv_timeout(write_at.saturating_duration_since(Instant::now()));
            let began = Instant::now();
            match word {
                Ok(word) => self.take(&word, n_bytes),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.write(),
            }
            if stop.load(Ordering::Acquire) {
                queue.try_iter().for_each(|word| self.take(&word, n_bytes));
                return self.write();
            }
            if began >= write_at {
                self.write();
                write_at = Instant::now() + WRITE_EVERY;
            }
            worked += began.elapsed();
            if worked >= WORK {
                thread::park_timeout(3 * WORK);
                worked = Duration::ZERO;
            }
        }
    }

    fn take(&mut self, word: &Word, n_bytes: &AtomicUsize) {
        let Word::Accepted(envelope) = word else { return };
        n_bytes.fetch_sub(envelope.event.message().len(), Ordering::Relaxed);
        self.note(envelope);
    }

    fn note(&mut self, envelope: &Envelope) {
        let Self { ids, dialects, recent, hasher } = self;
        for dialect in dialects.iter().copied() {
            let form = IdForm::of(dialect);
            envelope.event.each_id(dialect, |given, id| {
                if given.is_some() || form.fits(id) {
                    return;
                }
                let hash = hasher.hash_one((dialect, id));
                // What found no room is tried again when it is next told of.
                if recent.contains(&hash) || !ids.note(dialect, &form.derive(id), id) {
                    return;
                }
                if recent.len() >= RECENT {
                    recent.clear();
                }
                recent.insert(hash);
            });
        }
    }

    fn write(&self) {
        if let Err(error) = self.ids.flush() {
            tracing::warn!(%error, "ids that clients were shown cannot be kept, trying again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::derived_ids::NOTED, *};
    use crate::event::{Event, EventKind};

    fn ids(folder: &tempfile::TempDir) -> Arc<DerivedIds> {
        Arc::new(DerivedIds::open(&folder.path().join("ids.redb")).expect("opens"))
    }

    #[test]
    fn what_found_no_room_is_noted_when_it_is_next_told_of() {
        let folder = tempfile::tempdir().expect("a folder");
        let ids = ids(&folder);
        let mut keeper = Keeper { ids: Arc::clone(&ids), dialects: vec!["plex"], recent: HashSet::new(), hasher: RandomState::new() };
        let event = Event::parse(EventKind::User, r#"{"action":"Updated","user":{"id":"bob"}}"#).expect("valid");
        let audience = event.audience();
        let envelope = Envelope::new(event, audience, "1".into(), 0, 1);
        for n in 0..NOTED {
            assert!(ids.note("plex", &n.to_string(), "x"));
        }
        keeper.note(&envelope);
        let derived = IdForm::of("plex").derive("bob");
        assert_eq!(ids.find("plex", &derived).expect("read"), None, "there is no room");
        ids.flush().expect("written");
        keeper.note(&envelope);
        assert_eq!(ids.find("plex", &derived).expect("read").as_deref(), Some("bob"));
    }

    #[test]
    fn a_keeper_that_has_nothing_to_do_stops_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let (keeper, _notebook) = IdKeeper::start(ids(&folder), &["plex"]).expect("a thread");
        let asked = Instant::now();
        drop(keeper);
        assert!(asked.elapsed() < WRITE_EVERY / 2, "it was waiting: {:?}", asked.elapsed());
    }
}
