//! Sums up events for MediaBrowser clients, which are told of changes in digests: `LibraryChanged`, `UserDataChanged` and
//! `RefreshProgress` (event map, section 3).
//!
//! Reads accepted events on a thread of its own and publishes what comes of them as `raw` events of the dialect, each for the very
//! audience of what it sums up, so that nobody learns more from a digest than from the events themselves. Beside
//! that it remembers the items that events tell of. Knows no client and no connection.

mod library;
mod recent;
mod refresh;
#[cfg(test)]
mod tests;
mod user_data;

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    event::{Audience, Changes, Envelope, Event, EventKind, IdForm, KindSet, Limits},
    id::{LibraryId, UserId},
    shard::Submission,
    source::{PublishError, Publisher, folder::Catalogue},
    state::{Follower, Items, Missed, State, Waker},
};
use library::Libraries;
use recent::Recent;
use refresh::Refreshes;
use user_data::WhatUsersDid;

/// The dialect whose clients are told.
const DIALECT: &str = "mediabrowser";
/// What is summed up.
const KINDS: KindSet = KindSet::of(&[
    EventKind::Library,
    EventKind::LibraryStatus,
    EventKind::Medias,
    EventKind::Episodes,
    EventKind::Series,
    EventKind::Movies,
    EventKind::People,
    EventKind::Collections,
    EventKind::Playlists,
    EventKind::MediaProgress,
    EventKind::MediaRating,
    EventKind::Scan,
]);
/// How exactly times are kept.
const TICK: Duration = Duration::from_millis(50);
/// How long it waits when nothing is to be told.
const IDLE: Duration = Duration::from_secs(3600);
/// How long it waits for room at a time, and at the stop.
const PATIENCE: Duration = Duration::from_millis(500);
/// Digests that wait for room; beyond that the oldest are lost, and that is logged.
const UNPUBLISHED: usize = 1024;
/// How long events are taken at a time, before it is looked what is due.
const ROUND: Duration = Duration::from_millis(200);
/// The thread takes at most a quarter of a processor: after so much work it rests three times as long.
const WORK: Duration = Duration::from_millis(5);

/// How changes are summed up.
#[derive(Debug, Clone)]
pub struct DigestSettings {
    /// How long a library must rest before its changes are told (`dialects.mediabrowser.library_quiet`).
    pub quiet: Duration,
    /// After how long they are told even if they go on (`dialects.mediabrowser.library_cap`).
    pub cap: Duration,
    /// What the clients are shown as ids of libraries, where the settings say it.
    pub library_ids: BTreeMap<LibraryId, String>,
    /// What they are shown as ids of users, where the settings say it.
    pub user_ids: BTreeMap<UserId, String>,
    /// The medias of these libraries are known from before.
    pub watched: Option<Watched>,
}

/// Where the medias of watched libraries are read, and which these are.
pub type Watched = (Catalogue, Vec<LibraryId>);

/// Sums up events until it is stopped.
#[derive(Debug)]
pub struct Digester {
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: thread::JoinHandle<()>,
}

impl Digester {
    /// Begins to sum up what that state is told, and to publish it there.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(state: &Arc<State>, publisher: Publisher, mut settings: DigestSettings) -> io::Result<Self> {
        let (follower, waker) = state.follow(KINDS);
        let watched = settings.watched.take();
        let stop = Arc::<AtomicBool>::default();
        let work = Work { follower, state: Arc::clone(state), digests: Digests::new(settings), publisher, unpublished: VecDeque::new() };
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new().name("digests".to_owned()).spawn(move || work.run(watched, &stopped))?;
        Ok(Self { stop, waker, thread })
    }

    /// Publishes what was not told yet, and ends. Blocks for a moment.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.waker.wake();
        self.thread.thread().unpark();
        if self.thread.join().is_err() {
            tracing::error!("the thread that sums up changes has panicked");
        }
    }
}

struct Work {
    follower: Follower,
    state: Arc<State>,
    digests: Digests,
    publisher: Publisher,
    unpublished: VecDeque<Digest>,
}

impl Work {
    fn run(mut self, watched: Option<Watched>, stopped: &AtomicBool) {
        for (catalogue, library) in watched.iter().flat_map(|(catalogue, libraries)| libraries.iter().map(move |own| (catalogue, own))) {
            library::remember_known(self.state.items(), catalogue, library, stopped);
        }
        while !stopped.load(Ordering::Acquire) {
            let is_idle = self.digests.is_empty() && self.unpublished.is_empty();
            if let Some(envelope) = is_idle.then(|| self.follower.next(IDLE)).flatten() {
                self.digests.take(&envelope, self.state.items(), Instant::now());
            }
            // What comes meanwhile is taken together, so that no shard has to wake this thread for each.
            thread::park_timeout(TICK);
            self.take_what_came();
            self.missed(Instant::now());
            let due = self.digests.due(Instant::now());
            self.publish(due);
        }
        self.end();
    }

    /// Takes what is there, for a while: what is due must not wait for ever.
    fn take_what_came(&mut self) {
        let (began, mut rested) = (Instant::now(), Instant::now());
        while began.elapsed() < ROUND {
            let Some(envelope) = self.follower.next(Duration::ZERO) else { return };
            self.digests.take(&envelope, self.state.items(), Instant::now());
            if rested.elapsed() >= WORK {
                thread::park_timeout(3 * WORK);
                rested = Instant::now();
            }
        }
    }

    /// What waits is told at once.
    fn end(mut self) {
        while let Some(envelope) = self.follower.next(Duration::ZERO) {
            self.digests.take(&envelope, self.state.items(), Instant::now());
        }
        self.missed(Instant::now());
        let all = self.digests.all();
        self.publish(all);
    }

    fn missed(&mut self, now: Instant) {
        for missed in self.follower.missed() {
            self.digests.missed(missed, now);
        }
    }

    /// What finds no room is tried again at the next look.
    fn publish(&mut self, due: Vec<Digest>) {
        self.unpublished.extend(due);
        let n_lost = self.unpublished.len().saturating_sub(UNPUBLISHED);
        if n_lost > 0 {
            tracing::warn!(lost = n_lost, "no room for digests of changes: some clients miss them");
            self.unpublished.drain(..n_lost);
        }
        if self.unpublished.is_empty() {
            return;
        }
        let submissions = self.unpublished.iter().map(Digest::submission).collect();
        let mut answers = self.publisher.publish_blocking(submissions, PATIENCE).into_iter();
        self.unpublished.retain(|_| answers.next() == Some(Err(PublishError::Busy)));
    }
}

/// A message for clients of the dialect.
#[derive(Debug, Clone)]
struct Digest {
    event: Event,
    audience: Audience,
}

impl Digest {
    /// `payload` is compact JSON.
    fn new(name: &str, payload: &str, library: Option<&LibraryId>, audience: &Audience) -> Option<Self> {
        let data = format!(r#"{{"dialect":"{DIALECT}","name":"{name}","payload":{payload}}}"#);
        // It is made of what was accepted, and bounded by how many ids it holds.
        let limits = Limits { event_bytes: usize::MAX, ..Limits::default() };
        match Event::parse_with(EventKind::Raw, &data, &limits) {
            Ok(Event::Raw(mut raw)) => {
                raw.library = library.cloned();
                Some(Self { event: Event::Raw(raw), audience: audience.clone() })
            }
            Ok(_) => None,
            Err(error) => {
                tracing::error!(%error, name, "a digest is no event");
                None
            }
        }
    }

    fn submission(&self) -> Submission {
        let Self { event, audience } = self.clone();
        Submission { event, audience, id: None, source: None }
    }
}

/// What is to be told, and when. Pure: time is handed in.
#[derive(Debug)]
struct Digests {
    libraries: Libraries,
    users: WhatUsersDid,
    refreshes: Refreshes,
    /// What clients are shown as ids of libraries, where somebody said it.
    library_ids: BTreeMap<LibraryId, String>,
    /// Items whose publishers gave them an id for the dialect, which events that name them only do not repeat.
    given: Recent<(LibraryId, Box<str>), u128>,
}

/// Items of which it is remembered that an id was given.
const GIVEN: usize = 50_000;
/// Libraries whose given ids are remembered beside those of the settings.
const LIBRARIES: usize = 10_000;

impl Digests {
    fn new(settings: DigestSettings) -> Self {
        let DigestSettings { quiet, cap, mut library_ids, user_ids, .. } = settings;
        library_ids.retain(|_, id| IdForm::of(DIALECT).fits(id));
        Self {
            libraries: Libraries::new(quiet, cap),
            users: WhatUsersDid::new(user_ids),
            refreshes: Refreshes::default(),
            library_ids,
            given: Recent::new(GIVEN),
        }
    }

    fn take(&mut self, envelope: &Envelope, items: &Items, now: Instant) {
        let audience = &envelope.audience;
        match &envelope.event {
            Event::Library(change) => {
                self.learn(&change.library, change.object.given_id(DIALECT).as_deref());
                let shown = self.shown(&change.library);
                self.libraries.of((Some(&change.library), audience), &shown, now).library(&shown, change.action);
            }
            Event::Medias(changes)
            | Event::Episodes(changes)
            | Event::Series(changes)
            | Event::Movies(changes)
            | Event::People(changes)
            | Event::Collections(changes) => {
                let shown = self.shown(&changes.library);
                library::remember(items, changes);
                self.note_given(changes);
                self.libraries.of((Some(&changes.library), audience), &shown, now).items(&changes.items);
            }
            Event::Playlists(changes) => self.libraries.of((None, audience), "", now).items(&changes.items),
            Event::MediaProgress(progress) => {
                let item = self.item(&progress.library, &progress.media, items);
                self.users.progress(progress, item, &envelope.event, audience, now);
            }
            Event::MediaRating(rating) => {
                let item = self.item(&rating.library, &rating.media, items);
                self.users.rating(rating, item, &envelope.event, audience, now);
            }
            Event::Scan(scan) => {
                let shown = self.shown(&scan.library);
                self.refreshes.scan(scan, audience, &shown, now);
            }
            Event::LibraryStatus(status) => {
                let shown = self.shown(&status.library);
                self.refreshes.status(status, audience, &shown, now);
            }
            _ => {} // nothing else is asked for
        }
    }

    /// Nobody knows what changed, only where.
    fn missed(&mut self, (library, audience): Missed, now: Instant) {
        let shown = self.shown(&library);
        self.libraries.of((Some(&library), &audience), &shown, now).library(&shown, crate::event::Action::Updated);
    }

    fn due(&mut self, now: Instant) -> Vec<Digest> {
        let mut due = self.libraries.due(now);
        due.extend(self.users.due(now));
        due.extend(self.refreshes.due(now));
        due
    }

    fn all(&mut self) -> Vec<Digest> {
        let mut all = self.libraries.all();
        all.extend(self.users.all());
        all.extend(self.refreshes.all());
        all
    }

    fn is_empty(&self) -> bool {
        self.libraries.is_empty() && self.users.is_empty() && self.refreshes.is_empty()
    }

    fn learn(&mut self, library: &LibraryId, given: Option<&str>) {
        let Some(given) = given.filter(|given| IdForm::of(DIALECT).fits(given)) else { return };
        if self.library_ids.len() < LIBRARIES || self.library_ids.contains_key(library) {
            self.library_ids.insert(library.clone(), given.to_owned());
        }
    }

    fn note_given(&mut self, changes: &Changes) {
        for change in &changes.items {
            let given = change.object.given_id(DIALECT).filter(|given| IdForm::of(DIALECT).fits(given));
            if let Some(given) = given.and_then(|given| number(&given)) {
                self.given.put((changes.library.clone(), change.object.id.as_str().into()), given);
            }
        }
    }

    /// What clients are shown as the id of an item that an event only names.
    fn item(&self, library: &LibraryId, id: &str, items: &Items) -> u128 {
        if let Some(given) = self.given.get(&(library.clone(), id.into())) {
            return *given;
        }
        let shown = IdForm::of(DIALECT).show(None, id).text;
        items.remember_place(&shown, id, library);
        number(&shown).unwrap_or_default()
    }

    /// What clients are shown as the library's id.
    fn shown(&self, library: &LibraryId) -> String {
        let given = self.library_ids.get(library).map(|id| id.as_str().into());
        IdForm::of(DIALECT).show(given, library.as_str()).text.into_owned()
    }
}

/// An id of the dialect as a number.
fn number(shown: &str) -> Option<u128> {
    u128::from_str_radix(shown, 16).ok()
}

/// Puts texts that need no escape into a JSON array.
fn array<T: std::fmt::Display>(texts: impl IntoIterator<Item = T>) -> String {
    let mut out = String::from("[");
    for text in texts {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&format!("\"{text}\""));
    }
    out.push(']');
    out
}
