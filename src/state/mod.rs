//! What is going on now, folded from events by the shards and read by hubs and dialects.
//!
//! After a gap a session is sent the present state of what it may see, so that a missed end does not leave it wrong
//! for ever. Nobody but the shards writes here, but for what clients say of their devices. Everything is bounded in number and
//! bytes, and every envelope carries its shard and order, so that a reader can tell what it has already had. Knows no session and no
//! dialect.

mod activities;
mod derived_ids;
pub mod devices;
mod follower;
mod id_keeper;
mod items;
mod log_tail;
mod owners_file;
mod playing;
mod progress;
mod runs;
mod scans;

use std::{
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use crate::{
    clock::Timestamp,
    event::{Envelope, EventKind, KindSet},
};
use activities::Activities;
pub use derived_ids::{DerivedIds, DerivedIdsError};
use devices::Devices;
use follower::Tap;
pub use follower::{Follower, Missed, Waker};
pub use id_keeper::IdKeeper;
use id_keeper::Notebook;
pub use items::{Item, Items};
pub use log_tail::LogLine;
use log_tail::LogTail;
pub use owners_file::owners_file;
use playing::{Playing, Transcodes};
use progress::Progress;
use scans::Scans;

/// The picture. One for the whole engine: every shard folds into it, from its own thread.
#[derive(Debug, Default)]
pub struct State {
    scans: Scans,
    progress: Progress,
    activities: Activities,
    playing: Playing,
    transcodes: Transcodes,
    log_tail: LogTail,
    /// Rises with every event of a scan or an activity.
    tasks: AtomicU64,
    /// Rises with every line of the log.
    logged: AtomicU64,
    devices: Arc<Devices>,
    items: Items,
    /// Where accepted events are left for whoever keeps ids, while somebody does.
    notebook: OnceLock<Notebook>,
    /// Where some are left for whoever sums them up.
    tap: OnceLock<Tap>,
}

impl State {
    /// Takes an accepted event into the picture. Called by the event's shard, in its order; most kinds cost nothing.
    pub fn fold(&self, envelope: &Arc<Envelope>) {
        if let Some(notebook) = self.notebook.get() {
            notebook.take(envelope);
        }
        if let Some(tap) = self.tap.get() {
            tap.take(envelope);
        }
        match envelope.kind() {
            EventKind::Scan => {
                self.scans.fold(envelope);
                self.tasks.fetch_add(1, Ordering::Release);
            }
            EventKind::UploadProgress | EventKind::ConvertProgress => self.progress.fold(envelope),
            EventKind::Activity => {
                self.activities.fold(envelope);
                self.tasks.fetch_add(1, Ordering::Release);
            }
            EventKind::Playback => {
                self.playing.fold(envelope);
                self.devices.fold(envelope);
            }
            EventKind::User => self.devices.fold(envelope),
            EventKind::Transcode => self.transcodes.fold(envelope),
            EventKind::Log => {
                self.log_tail.fold(envelope);
                self.logged.fetch_add(1, Ordering::Release);
            }
            // Nothing that lasts: who missed one of these learns it by asking the media server. All named, so that a new
            // kind has to be thought about.
            EventKind::Library
            | EventKind::LibraryStatus
            | EventKind::Medias
            | EventKind::Episodes
            | EventKind::Series
            | EventKind::Movies
            | EventKind::People
            | EventKind::Tags
            | EventKind::Collections
            | EventKind::Playlists
            | EventKind::Backups
            | EventKind::BackupsFiles
            | EventKind::MediaProgress
            | EventKind::MediaRating
            | EventKind::Preference
            | EventKind::Reachability
            | EventKind::BackgroundQueue
            | EventKind::Server
            | EventKind::Message
            | EventKind::Notification
            | EventKind::RemoteControl
            | EventKind::Presence
            | EventKind::Request
            | EventKind::Stats
            | EventKind::Raw => {}
        }
    }

    /// From now on remembers what the ids stand for that these dialects derive, in that store, until the keeper is dropped.
    /// Only the first call counts.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn keep_ids(&self, ids: Arc<DerivedIds>, dialects: &[&'static str]) -> io::Result<IdKeeper> {
        let (keeper, notebook) = IdKeeper::start(ids, dialects)?;
        let _ = self.notebook.set(notebook);
        Ok(keeper)
    }

    /// From now on leaves accepted events of these kinds in a queue for whoever reads it. There is one: only the first call's is
    /// filled.
    pub fn follow(&self, kinds: KindSet) -> (Follower, Waker) {
        let (tap, follower, waker) = follower::follow(kinds);
        let _ = self.tap.set(tap);
        (follower, waker)
    }

    /// The latest envelopes of everything of these kinds under way, and of what ended within the last minute, as far as they
    /// are wanted; by shard and order. What is of no such kind is not even looked at: every session that fell behind asks.
    ///
    /// Says nothing about who may see them: every envelope has its audience.
    #[must_use]
    pub fn present(&self, kinds: KindSet, wanted: impl Fn(&Envelope) -> bool) -> Vec<Arc<Envelope>> {
        self.present_at(Instant::now(), kinds, &wanted)
    }

    /// What the media server is doing: of each running activity, scan and upload the latest envelope that is wanted, oldest
    /// first. [`Event::activity_id`](crate::event::Event::activity_id) names them; who may see one, its audience says.
    #[must_use]
    pub fn activities(&self, wanted: impl Fn(&Envelope) -> bool) -> Vec<Arc<Envelope>> {
        self.activities_at(Instant::now(), &wanted)
    }

    /// What is being played: the latest envelope of each session, if it is wanted, oldest first. A session nobody speaks of
    /// for five minutes is over.
    #[must_use]
    pub fn playing(&self, wanted: impl Fn(&Envelope) -> bool) -> Vec<Arc<Envelope>> {
        self.playing_at(Instant::now(), &wanted)
    }

    /// What is being transcoded: as [`State::playing`].
    #[must_use]
    pub fn transcodes(&self, wanted: impl Fn(&Envelope) -> bool) -> Vec<Arc<Envelope>> {
        let mut running = Vec::new();
        self.transcodes.running(Instant::now(), &wanted, &mut running);
        by_age(running)
    }

    /// The sessions of clients' devices.
    #[must_use]
    pub fn devices(&self) -> &Arc<Devices> {
        &self.devices
    }

    /// The items that events told of.
    #[must_use]
    pub fn items(&self) -> &Items {
        &self.items
    }

    /// Bytes it keeps: messages of what goes on and of what waits for threads aside, log lines, items, devices. What envelopes
    /// hold beside their messages is not among them.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        let going_on = self.scans.n_bytes() + self.progress.n_bytes() + self.activities.n_bytes();
        let played = self.playing.n_bytes() + self.transcodes.n_bytes() + self.devices.n_bytes();
        let waiting = self.notebook.get().map_or(0, Notebook::n_bytes) + self.tap.get().map_or(0, Tap::n_bytes);
        going_on + played + self.log_tail.n_bytes() + self.items.n_bytes() + waiting
    }

    /// Rises when something of a scan or an activity was told.
    #[must_use]
    pub fn tasks_version(&self) -> u64 {
        self.tasks.load(Ordering::Acquire)
    }

    /// Rises when a line was logged.
    #[must_use]
    pub fn log_version(&self) -> u64 {
        self.logged.load(Ordering::Acquire)
    }

    /// The latest log lines of the day (UTC) that this moment is of, oldest first. Who may see one, its audience says.
    #[must_use]
    pub fn log_of_day(&self, moment: Timestamp) -> Vec<Arc<LogLine>> {
        self.log_tail.of_day(moment)
    }

    fn present_at(&self, now: Instant, kinds: KindSet, wanted: &dyn Fn(&Envelope) -> bool) -> Vec<Arc<Envelope>> {
        let (mut present, has) = (Vec::new(), |kind| kinds.contains(kind));
        if has(EventKind::Scan) {
            self.scans.present(now, wanted, &mut present);
        }
        if has(EventKind::UploadProgress) || has(EventKind::ConvertProgress) {
            self.progress.present(now, &|envelope| has(envelope.kind()) && wanted(envelope), &mut present);
        }
        if has(EventKind::Activity) {
            self.activities.present(now, wanted, &mut present);
        }
        if has(EventKind::Playback) {
            self.playing.present(now, wanted, &mut present);
        }
        if has(EventKind::Transcode) {
            self.transcodes.present(now, wanted, &mut present);
        }
        present.sort_by_key(|envelope| (envelope.shard, envelope.order));
        present
    }

    fn activities_at(&self, now: Instant, wanted: &dyn Fn(&Envelope) -> bool) -> Vec<Arc<Envelope>> {
        let mut running = Vec::new();
        self.scans.running(now, wanted, &mut running);
        // A conversion is a transcode to those who see activities (event map, section 3).
        self.progress.running(now, &|envelope| envelope.kind() == EventKind::UploadProgress && wanted(envelope), &mut running);
        self.activities.running(now, wanted, &mut running);
        by_age(running)
    }

    fn playing_at(&self, now: Instant, wanted: &dyn Fn(&Envelope) -> bool) -> Vec<Arc<Envelope>> {
        let mut running = Vec::new();
        self.playing.running(now, wanted, &mut running);
        by_age(running)
    }
}

fn by_age(mut envelopes: Vec<Arc<Envelope>>) -> Vec<Arc<Envelope>> {
    envelopes.sort_by_key(|envelope| (envelope.stamped, envelope.shard, envelope.order));
    envelopes
}

#[cfg(test)]
mod tests;
