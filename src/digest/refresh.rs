//! `RefreshProgress`: how far a scan is, at most once a second for a library, but for its beginning and its end.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::Digest;
use crate::{
    event::{Audience, Level, LibraryStatus, Rule, Scan, ScanState, Who},
    id::LibraryId,
};

/// The least time between two.
const PACE: Duration = Duration::from_secs(1);
/// How long it is remembered what was told last.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Libraries and audiences kept apart; beyond that nothing is told of new ones.
const LIBRARIES: usize = 4096;

/// How far they are.
#[derive(Debug, Default)]
pub(super) struct Refreshes {
    of_library: HashMap<Key, Refresh>,
    /// To be told at the next look.
    ready: Vec<Digest>,
}

/// A library, and to whom of its admins it is told.
type Key = (LibraryId, Vec<Who>);

#[derive(Debug)]
struct Refresh {
    shown: String,
    /// The last that was told, and when.
    told: Option<(f64, Instant)>,
    /// The latest that was not told yet.
    waiting: Option<f64>,
}

impl Refreshes {
    pub(super) fn scan(&mut self, scan: &Scan, audience: &Audience, shown: &str, now: Instant) {
        let progress = match scan.state {
            ScanState::Started => Some(0.0),
            ScanState::Progress => scan.progress,
            ScanState::Finished | ScanState::Cancelled | ScanState::Failed => Some(100.0),
        };
        self.take(&scan.library, progress, audience, shown, now);
    }

    pub(super) fn status(&mut self, status: &LibraryStatus, audience: &Audience, shown: &str, now: Instant) {
        self.take(&status.library, status.progress, audience, shown, now);
    }

    fn take(&mut self, library: &LibraryId, progress: Option<f64>, audience: &Audience, shown: &str, now: Instant) {
        let Some(progress) = progress else { return };
        let key = (library.clone(), audience.only.clone());
        if self.of_library.len() >= LIBRARIES && !self.of_library.contains_key(&key) {
            self.of_library.retain(|_, refresh| !refresh.is_over(now));
            if self.of_library.len() >= LIBRARIES {
                return;
            }
        }
        let refresh = self.of_library.entry(key.clone()).or_insert_with(|| Refresh { shown: shown.to_owned(), told: None, waiting: None });
        refresh.waiting = Some(progress);
        // A beginning must not be lost over an end that follows at once.
        if refresh.is_due(now) {
            self.ready.extend(refresh.tell(&key, now));
        }
    }

    pub(super) fn due(&mut self, now: Instant) -> Vec<Digest> {
        let due = self.tell(now, Refresh::is_due);
        self.of_library.retain(|_, refresh| !refresh.is_over(now));
        due
    }

    pub(super) fn all(&mut self) -> Vec<Digest> {
        self.tell(Instant::now(), |_, _| true)
    }

    /// Nothing waits; what was told is remembered all the same.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.of_library.values().all(|refresh| refresh.waiting.is_none())
    }

    fn tell(&mut self, now: Instant, is_due: impl Fn(&Refresh, Instant) -> bool) -> Vec<Digest> {
        let mut told = std::mem::take(&mut self.ready);
        for (key, refresh) in &mut self.of_library {
            if is_due(refresh, now) {
                told.extend(refresh.tell(key, now));
            }
        }
        told
    }
}

impl Refresh {
    /// Tells what waits, if anything does.
    fn tell(&mut self, (library, only): &Key, now: Instant) -> Option<Digest> {
        let progress = self.waiting.take()?;
        self.told = Some((progress, now));
        let payload = format!(r#"{{"ItemId":"{}","Progress":"{progress}"}}"#, self.shown);
        // Whatever the event's own rule is: a scan's start is for readers, its progress is not.
        let audience = Audience { rule: Rule::Library(library.clone(), Level::Admin), only: only.clone() };
        Digest::new("RefreshProgress", &payload, Some(library), &audience)
    }

    fn is_due(&self, now: Instant) -> bool {
        let Some(progress) = self.waiting else { return false };
        let Some((before, at)) = self.told else { return true };
        let is_end = progress <= 0.0 || progress >= 100.0;
        // The same end again tells nobody anything.
        (is_end && (progress - before).abs() > f64::EPSILON) || now.saturating_duration_since(at) >= PACE
    }

    fn is_over(&self, now: Instant) -> bool {
        self.waiting.is_none() && self.told.is_none_or(|(_, at)| now.saturating_duration_since(at) >= REMEMBERED)
    }
}
