//! What is counted on the way in: accepted events by kind, refused ones by reason.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{
    histogram::{CALL_BOUNDS_MICROS, HANDLE_BOUNDS_MICROS, Histogram, PAYLOAD_BOUNDS_BYTES, Reading, micros},
    worker::{Counter, MAX_LIBRARIES},
};

/// More kinds than there are event families.
const MAX_KINDS: usize = 48;

/// What one shard counts; written by its thread only.
#[derive(Debug, Default)]
#[repr(align(128))] // no cache line is shared with another thread's counters
pub struct ShardMetrics {
    published: ByKind,
    duplicates: Counter,
    credit_exhausted: Counter,
    payloads: Histogram<{ PAYLOAD_BOUNDS_BYTES.len() }>,
    libraries: [Counter; MAX_LIBRARIES],
    handled: Histogram<{ HANDLE_BOUNDS_MICROS.len() }>,
    window_bytes: Counter,
}

/// By the kinds' numbers.
#[derive(Debug)]
struct ByKind([Counter; MAX_KINDS]);

impl Default for ByKind {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counter::default()))
    }
}

impl ShardMetrics {
    /// An event of that kind was accepted, with a message of so many bytes.
    pub fn published(&self, kind: usize, n_bytes: usize) {
        self.published.0[kind].add(1);
        self.payloads.observe(&PAYLOAD_BOUNDS_BYTES, n_bytes as u64);
    }

    /// It was one of a library that is counted apart, by its place among those.
    pub fn published_in(&self, library: usize) {
        self.libraries[library].add(1);
    }

    /// Accepted events of a library that is counted apart.
    #[must_use]
    pub fn n_published_in(&self, library: usize) -> u64 {
        self.libraries[library].get()
    }

    /// An event was recognised as one accepted before.
    pub fn duplicate(&self) {
        self.duplicates.add(1);
    }

    /// A batch was refused because a hub had no credit left.
    pub fn credit_exhausted(&self) {
        self.credit_exhausted.add(1);
    }

    /// A batch was handled, which took so long; for keys of idempotency so many bytes are kept.
    pub fn handled(&self, took: Duration, window_bytes: usize) {
        self.handled.observe(&HANDLE_BOUNDS_MICROS, micros(took));
        self.window_bytes.set(window_bytes as u64);
    }

    /// How long batches took, in microseconds.
    #[must_use]
    pub fn handle_times(&self) -> Reading {
        self.handled.read()
    }

    /// Bytes kept for keys of idempotency, as of the last batch.
    #[must_use]
    pub fn window_bytes(&self) -> u64 {
        self.window_bytes.get()
    }

    /// Accepted events of a kind.
    #[must_use]
    pub fn n_published(&self, kind: usize) -> u64 {
        self.published.0[kind].get()
    }

    /// Accepted events of every kind.
    #[must_use]
    pub fn n_published_in_all(&self) -> u64 {
        self.published.0.iter().map(Counter::get).fold(0, u64::wrapping_add)
    }

    /// Bytes of accepted messages.
    #[must_use]
    pub fn payloads(&self) -> Reading {
        self.payloads.read()
    }

    /// Repeats within the idempotency window.
    #[must_use]
    pub fn n_duplicates(&self) -> u64 {
        self.duplicates.get()
    }

    /// Batches refused for want of credit.
    #[must_use]
    pub fn n_credit_exhausted(&self) -> u64 {
        self.credit_exhausted.get()
    }
}

/// Why a published event was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum PublishRefusal {
    /// It cannot be parsed.
    Unparsable,
    /// A field is missing or wrong.
    Invalid,
    /// It is larger than allowed.
    TooLarge,
    /// The content type is none of ours.
    ContentType,
    /// No credentials, or none that count.
    Unauthorised,
    /// The token may not publish it.
    Forbidden,
    /// There was no room.
    Busy,
}

impl PublishRefusal {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 7] =
        [Self::Unparsable, Self::Invalid, Self::TooLarge, Self::ContentType, Self::Unauthorised, Self::Forbidden, Self::Busy];

    /// The label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unparsable => "unparsable",
            Self::Invalid => "invalid",
            Self::TooLarge => "too_large",
            Self::ContentType => "content_type",
            Self::Unauthorised => "unauthorised",
            Self::Forbidden => "forbidden",
            Self::Busy => "busy",
        }
    }
}

/// By which way something was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum PublishApi {
    /// A request with one event.
    Event,
    /// A request with an array of them.
    Batch,
    /// Lines of a request, as many as came together.
    Lines,
    /// A thread of this process: watched folders, presence, digests, the program Fanfare is embedded in.
    Thread,
}

impl PublishApi {
    /// Every way, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Event, Self::Batch, Self::Lines, Self::Thread];

    /// The label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Batch => "batch",
            Self::Lines => "lines",
            Self::Thread => "thread",
        }
    }
}

/// What all publishers together count; once per call and not per delivery, so shared.
#[derive(Debug, Default)]
pub struct PublishMetrics {
    refused: [AtomicU64; PublishRefusal::ALL.len()],
    durations: [Histogram<{ CALL_BOUNDS_MICROS.len() }>; PublishApi::ALL.len()],
    shard_full: AtomicU64,
}

impl PublishMetrics {
    /// What was published together by that way has its answer after so long.
    pub fn answered(&self, api: PublishApi, after: Duration) {
        self.durations[api as usize].observe_shared(&CALL_BOUNDS_MICROS, micros(after));
    }

    /// How long answers by that way took, in microseconds.
    #[must_use]
    pub fn durations(&self, api: PublishApi) -> Reading {
        self.durations[api as usize].read()
    }

    /// A shard's mailbox took no more.
    pub fn shard_full(&self) {
        self.shard_full.fetch_add(1, Ordering::Relaxed);
    }

    /// How often a shard's mailbox took no more.
    #[must_use]
    pub fn n_shard_full(&self) -> u64 {
        self.shard_full.load(Ordering::Relaxed)
    }

    /// Events were not accepted.
    pub fn refused(&self, why: PublishRefusal, n_events: u64) {
        if n_events > 0 {
            self.refused[why as usize].fetch_add(n_events, Ordering::Relaxed);
        }
    }

    /// Events not accepted for that reason.
    #[must_use]
    pub fn n_refused(&self, why: PublishRefusal) -> u64 {
        self.refused[why as usize].load(Ordering::Relaxed)
    }
}
