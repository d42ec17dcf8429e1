//! A bounded queue of accepted events, for whoever sums them up on a thread of its own. What finds no room in it is not waited
//! for: only which libraries it was about is remembered, and how many were about none.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    time::Duration,
};

use parking_lot::Mutex;

use crate::event::{Audience, Envelope, KindSet};
use crate::id::LibraryId;

/// Events that wait, and bytes of their messages.
const EVENTS: usize = 8192;
const BYTES: usize = 16 << 20;
/// Libraries remembered of which something was missed.
const MISSED: usize = 1024;

/// A library of which an event was missed, and who may know of it.
pub type Missed = (LibraryId, Audience);

/// The shards' end.
#[derive(Debug)]
pub(super) struct Tap {
    kinds: KindSet,
    queue: mpsc::SyncSender<Word>,
    shared: Arc<Shared>,
}

/// The reader's end.
#[derive(Debug)]
pub struct Follower {
    queue: mpsc::Receiver<Word>,
    shared: Arc<Shared>,
}

/// Wakes whoever waits for events.
#[derive(Debug, Clone)]
pub struct Waker(mpsc::SyncSender<Word>);

#[derive(Debug, Default)]
struct Shared {
    n_bytes: AtomicUsize,
    missed: Mutex<HashSet<Missed>>,
    /// Events missed of which not even that is remembered.
    n_lost: AtomicUsize,
}

#[derive(Debug)]
enum Word {
    Accepted(Arc<Envelope>),
    Wake,
}

/// Both ends of a queue for events of these kinds.
pub(super) fn follow(kinds: KindSet) -> (Tap, Follower, Waker) {
    follow_within(kinds, EVENTS)
}

fn follow_within(kinds: KindSet, events: usize) -> (Tap, Follower, Waker) {
    let (sender, queue) = mpsc::sync_channel(events);
    let shared = Arc::<Shared>::default();
    let tap = Tap { kinds, queue: sender.clone(), shared: Arc::clone(&shared) };
    (tap, Follower { queue, shared }, Waker(sender))
}

impl Tap {
    pub(super) fn take(&self, envelope: &Arc<Envelope>) {
        if !self.kinds.contains(envelope.kind()) {
            return;
        }
        let n_bytes = envelope.event.message().len();
        let has_room = self.shared.n_bytes.load(Ordering::Relaxed) + n_bytes <= BYTES;
        if has_room {
            self.shared.n_bytes.fetch_add(n_bytes, Ordering::Relaxed);
            if self.queue.try_send(Word::Accepted(Arc::clone(envelope))).is_ok() {
                return;
            }
            self.shared.n_bytes.fetch_sub(n_bytes, Ordering::Relaxed);
        }
        self.miss(envelope);
    }

    /// Bytes of the messages that wait.
    pub(super) fn n_bytes(&self) -> usize {
        self.shared.n_bytes.load(Ordering::Relaxed)
    }

    fn miss(&self, envelope: &Envelope) {
        let is_remembered = envelope.library().is_some_and(|library| {
            let of = (library.clone(), envelope.audience.clone());
            let mut missed = self.shared.missed.lock();
            missed.contains(&of) || missed.len() < MISSED && missed.insert(of)
        });
        if !is_remembered {
            self.shared.n_lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Follower {
    /// The next event; `None` when there was none for that long, or somebody wakes the reader.
    #[must_use]
    pub fn next(&self, patience: Duration) -> Option<Arc<Envelope>> {
        match self.queue.recv_timeout(patience) {
            Ok(Word::Accepted(envelope)) => {
                self.shared.n_bytes.fetch_sub(envelope.event.message().len(), Ordering::Relaxed);
                Some(envelope)
            }
            Ok(Word::Wake) | Err(RecvTimeoutError::Timeout) => None,
            // Nobody can tell of anything any more: as good as a long silence.
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::park_timeout(patience);
                None
            }
        }
    }

    /// The libraries of which events found no room since this was last asked.
    #[must_use]
    pub fn missed(&self) -> Vec<Missed> {
        std::mem::take(&mut *self.shared.missed.lock()).into_iter().collect()
    }

    /// How many events were lost altogether since this was last asked: of no library, or of one library too many.
    #[must_use]
    pub fn n_lost(&self) -> usize {
        self.shared.n_lost.swap(0, Ordering::Relaxed)
    }
}

impl Waker {
    /// Wakes it. A full queue wakes it as well.
    pub fn wake(&self) {
        let _ = self.0.try_send(Word::Wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventKind, samples::sample_event};

    fn envelope(kind: EventKind) -> Arc<Envelope> {
        let event = sample_event(kind);
        let audience = event.audience();
        Arc::new(Envelope::new(event, audience, "1".into(), 0, 1))
    }

    #[test]
    fn events_of_other_kinds_are_left_out_and_a_wake_ends_the_waiting() {
        let (tap, follower, waker) = follow(KindSet::of(&[EventKind::Movies]));
        tap.take(&envelope(EventKind::Log));
        tap.take(&envelope(EventKind::Movies));
        assert_eq!(follower.next(Duration::ZERO).expect("there is one").kind(), EventKind::Movies);
        waker.wake();
        let asked = std::time::Instant::now();
        assert!(follower.next(Duration::from_secs(60)).is_none());
        assert!(asked.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn of_what_finds_no_room_the_library_is_remembered_once() {
        let (tap, follower, _waker) = follow_within(KindSet::all(), 1);
        let movies = envelope(EventKind::Movies);
        for _ in 0..3 {
            tap.take(&movies);
        }
        assert_eq!(follower.n_lost(), 0);
        tap.take(&envelope(EventKind::Log));
        assert_eq!((follower.n_lost(), follower.n_lost()), (1, 0), "it is of no library");
        let library = LibraryId::parse("films").expect("an id");
        assert_eq!(follower.missed(), [(library, movies.audience.clone())]);
        assert_eq!(follower.missed(), []);
        assert!(follower.next(Duration::ZERO).is_some());
        assert_eq!(follower.shared.n_bytes.load(Ordering::Relaxed), 0);
    }
}
