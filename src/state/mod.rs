//! What is going on now, folded from events by the shards and read by hubs and dialects.
//!
//! After a gap a session is sent the present state of what it may see, so that a missed end does not leave it wrong
//! for ever. Nobody but the shards writes here. Everything is bounded in number and bytes, and every envelope carries
//! its shard and order, so that a reader can tell what it has already had. Knows no session and no dialect.

mod derived_ids;
mod log_tail;
mod progress;
mod runs;
mod scans;

use std::{sync::Arc, time::Instant};

use crate::event::{Envelope, EventKind};
pub use derived_ids::{DerivedIds, DerivedIdsError};
use log_tail::LogTail;
use progress::Progress;
use scans::Scans;

/// The picture. One for the whole engine: every shard folds into it, from its own thread.
#[derive(Debug, Default)]
pub struct State {
    scans: Scans,
    progress: Progress,
    log_tail: LogTail,
}

impl State {
    /// Takes an accepted event into the picture. Called by the event's shard, in its order; most kinds cost nothing.
    pub fn fold(&self, envelope: &Arc<Envelope>) {
        match envelope.kind() {
            EventKind::Scan => self.scans.fold(envelope),
            EventKind::UploadProgress | EventKind::ConvertProgress => self.progress.fold(envelope),
            EventKind::Log => self.log_tail.fold(envelope),
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
            | EventKind::Playback
            | EventKind::Transcode
            | EventKind::Activity
            | EventKind::Preference
            | EventKind::Reachability
            | EventKind::BackgroundQueue
            | EventKind::Server
            | EventKind::Message
            | EventKind::User
            | EventKind::Presence
            | EventKind::Request
            | EventKind::Raw => {}
        }
    }

    /// The latest envelopes of everything under way, and of what ended within the last minute; by shard and order.
    ///
    /// Says nothing about who may see them: every envelope has its audience.
    #[must_use]
    pub fn present(&self) -> Vec<Arc<Envelope>> {
        self.present_at(Instant::now())
    }

    /// The latest log lines, oldest first.
    #[must_use]
    pub fn log_tail(&self) -> Vec<Arc<Envelope>> {
        self.log_tail.lines()
    }

    fn present_at(&self, now: Instant) -> Vec<Arc<Envelope>> {
        let mut present = Vec::new();
        self.scans.present(now, &mut present);
        self.progress.present(now, &mut present);
        present.sort_by_key(|envelope| (envelope.shard, envelope.order));
        present
    }
}

#[cfg(test)]
mod tests;
