//! `[engine]`: how many of what, and every bound between a publisher and a socket.

use std::{num::NonZero, time::Duration};

use serde::Deserialize;

use super::{
    error::Invalid,
    range::{at_least, between, within},
    units,
};

/// `[engine]`: how many of what, and every bound between a publisher and a socket.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Engine {
    /// Worker threads, each with one hub. Default 0: as many as there are cores; at most 1024. Never 0 once loaded.
    #[serde(default)]
    pub workers: usize,
    /// Shards, each with one dispatcher. Default 0: as many as workers; at most 1024. Never 0 once loaded.
    #[serde(default)]
    pub shards: usize,
    /// Whether shards have threads of their own. Default false: shard *i* runs on worker *i mod workers*.
    pub shard_threads: bool,
    /// Events a feed holds. Default 4096, from 16; beyond it the oldest goes and sessions not past it are charged a gap.
    pub feed_entries: usize,
    /// Bytes a feed holds. Default `8MiB`, at least one event of the largest size; beyond it the oldest goes.
    #[serde(deserialize_with = "units::size")]
    pub feed_bytes: usize,
    /// How old an event in a feed gets. Default `10s`; then it goes.
    #[serde(deserialize_with = "units::duration")]
    pub feed_age: Duration,
    /// Bytes all feeds of one worker hold. Default `64MiB`, at least `feed_bytes`; beyond it the oldest of them goes.
    #[serde(deserialize_with = "units::size")]
    pub feeds_bytes_per_worker: usize,
    /// How long a hub may be without credit before it loses its say. Default `2s`; its sessions are charged the gap.
    #[serde(deserialize_with = "units::duration")]
    pub hub_stall: Duration,
    /// How long a client may take nothing while something waits. Default `60s`, then it is closed and told to reconnect;
    /// `"0s"` or `"off"`: never, which is `None` here.
    #[serde(deserialize_with = "units::duration_or_off")]
    pub stall_limit: Option<Duration>,
    /// How long an accepted event's id is remembered. Default `5m`; a repeat within it answers the first id and order.
    #[serde(deserialize_with = "units::duration")]
    pub idempotency: Duration,
    /// Ids remembered per shard. Default 65536; beyond it the oldest is forgotten.
    pub idempotency_keys: usize,
    /// Events a shard may have on the way to one hub. Default 1024, at least 256, which is how many go to a shard together;
    /// beyond it publishers wait, then get 503.
    pub credit: usize,
    /// Messages a shard's mailbox holds. Default 256; a full one makes publishers wait, then answers 503.
    pub shard_mailbox: usize,
    /// Messages a hub's mailbox holds. Default 1024; events are bounded by credit before they reach it.
    pub hub_mailbox: usize,
    /// Control messages a session's mailbox holds. Default 16; one that is full has been told to end already.
    pub session_mailbox: usize,
    /// Frames a connection's outbox holds. Default 64; its overflow closes the connection with a reason.
    pub outbox_frames: usize,
    /// Bytes a connection's outbox holds. Default `1MiB`; its overflow closes the connection with a reason.
    #[serde(deserialize_with = "units::size")]
    pub outbox_bytes: usize,
    /// Events a client may keep from before a change of its rights, checked again. Default 512; beyond it the oldest are
    /// charged as a gap.
    pub backlog_frames: usize,
    /// Bytes of such events. Default `256KiB`; beyond it the oldest are charged as a gap.
    #[serde(deserialize_with = "units::size")]
    pub backlog_bytes: usize,
    /// The kernel's send buffer per connection (`SO_SNDBUF`). Default `128KiB`; small, so that lag sits in feeds.
    #[serde(deserialize_with = "units::size")]
    pub send_buffer: usize,
    /// Unsent bytes above which a socket counts as full (`TCP_NOTSENT_LOWAT`). Default `16KiB`.
    #[serde(deserialize_with = "units::size")]
    pub notsent_lowat: usize,
}

impl Default for Engine {
    fn default() -> Self {
        let cores = cores();
        Self {
            workers: cores,
            shards: cores,
            shard_threads: false,
            feed_entries: 4096,
            feed_bytes: 8 << 20,
            feed_age: Duration::from_secs(10),
            feeds_bytes_per_worker: 64 << 20,
            hub_stall: Duration::from_secs(2),
            stall_limit: Some(Duration::from_secs(60)),
            idempotency: Duration::from_secs(300),
            idempotency_keys: 65_536,
            credit: 1024,
            shard_mailbox: 256,
            hub_mailbox: 1024,
            session_mailbox: 16,
            outbox_frames: 64,
            outbox_bytes: 1 << 20,
            backlog_frames: 512,
            backlog_bytes: 256 << 10,
            send_buffer: 128 << 10,
            notsent_lowat: 16 << 10,
        }
    }
}

impl Engine {
    /// Fills what depends on the machine.
    pub(super) fn resolve(&mut self) {
        if self.workers == 0 {
            self.workers = cores();
        }
        if self.shards == 0 {
            self.shards = self.workers;
        }
    }

    pub(super) fn check(&self) -> Result<(), Invalid> {
        let second = Duration::from_secs(1);
        within("engine.workers", self.workers, 1..=1024)?;
        within("engine.shards", self.shards, 1..=1024)?;
        within("engine.feed_entries", self.feed_entries, 16..=1 << 24)?;
        within("engine.feed_bytes", self.feed_bytes, 4096..=1 << 32)?;
        within("engine.feeds_bytes_per_worker", self.feeds_bytes_per_worker, 4096..=1 << 40)?;
        at_least("engine.feeds_bytes_per_worker", self.feeds_bytes_per_worker, "engine.feed_bytes", self.feed_bytes)?;
        between("engine.feed_age", self.feed_age, Duration::from_millis(100), 3600 * second)?;
        between("engine.hub_stall", self.hub_stall, Duration::from_millis(100), 60 * second)?;
        if let Some(limit) = self.stall_limit {
            between("engine.stall_limit", limit, second, 86_400 * second)?;
        }
        between("engine.idempotency", self.idempotency, Duration::ZERO, 86_400 * second)?;
        within("engine.idempotency_keys", self.idempotency_keys, 0..=1 << 24)?;
        within("engine.credit", self.credit, 256..=1 << 24)?;
        within("engine.shard_mailbox", self.shard_mailbox, 1..=1 << 20)?;
        within("engine.hub_mailbox", self.hub_mailbox, 16..=1 << 20)?;
        within("engine.session_mailbox", self.session_mailbox, 1..=1 << 16)?;
        within("engine.outbox_frames", self.outbox_frames, 1..=1 << 16)?;
        within("engine.outbox_bytes", self.outbox_bytes, 4096..=1 << 30)?;
        within("engine.backlog_frames", self.backlog_frames, 0..=1 << 16)?;
        within("engine.backlog_bytes", self.backlog_bytes, 0..=1 << 30)?;
        within("engine.send_buffer", self.send_buffer, 4096..=1 << 30)?;
        within("engine.notsent_lowat", self.notsent_lowat, 1..=1 << 30)
    }
}

fn cores() -> usize {
    // Where the number cannot be found out, one worker is right on any machine.
    std::thread::available_parallelism().map_or(1, NonZero::get).min(1024)
}
