//! How each event is written: which events of Socket.IO it becomes (event map, section 3; wire notes on Audiobookshelf,
//! section 5).
//!
//! Two cells: what all are sent alike, and what only those are who may see all of it. Items that a user is not shown, by their
//! tags or because they are explicit, are taken out of a frame of his own.

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;

use super::{
    DIALECT,
    place::Place,
    shapes::{item, listing, log, playing, task, user},
};
use crate::{
    clock::Timestamp,
    event::{
        Action, ActivityState, Change, Changes, Envelope, Event, EventKind, FormatPair, FormatSlot, FrameFormat, KindSet, LogLevel, Own,
        Playback, PlaybackState, Presence, Reader, Rule, ScanState, Transcode, TranscodeState,
        json::{Value, quote},
    },
    socketio::{self, RESERVED, frame},
};

/// What all are sent alike; the slots before are the other dialects'.
const SHARED: FormatSlot = FormatSlot(14);
/// What only those are sent who may see all of it.
const FULL: FormatSlot = FormatSlot(15);

static ADMINS: Rule = Rule::Admins;

/// What its clients are sent without asking; log lines are asked for.
pub(super) const CARRIED: KindSet = KindSet::of(&[
    EventKind::Library,
    EventKind::Medias,
    EventKind::Episodes,
    EventKind::Series,
    EventKind::Movies,
    EventKind::People,
    EventKind::Collections,
    EventKind::Playlists,
    EventKind::ConvertProgress,
    EventKind::MediaProgress,
    EventKind::Playback,
    EventKind::Transcode,
    EventKind::Scan,
    EventKind::Activity,
    EventKind::Message,
    EventKind::User,
    EventKind::Notification,
    EventKind::Presence,
    EventKind::Raw,
]);

/// The field that says that a playback begins here, beside those every publisher knows.
const STARTED: &str = "started";

/// The formats of one server.
#[derive(Debug)]
pub(super) struct Formats {
    pub(super) place: &'static Place,
    formats: Vec<Format>,
}

#[derive(Debug)]
struct Format {
    place: &'static Place,
    full: bool,
    /// Log lines are sent from this level on, by its number; 7: none.
    logs: u8,
}

/// No listener of the log.
pub(super) const NO_LOGS: u8 = 7;

impl Formats {
    /// The formats of this server.
    ///
    /// They live as long as the process, because every envelope and group may point at them; the same server shares them,
    /// however often an engine is started.
    pub(super) fn of(place: Place) -> &'static Self {
        static MADE: Mutex<Vec<&'static Formats>> = Mutex::new(Vec::new());
        let mut made = MADE.lock();
        made.iter().copied().find(|formats| *formats.place == place).unwrap_or_else(|| {
            let place: &'static Place = Box::leak(Box::new(place));
            let formats = (0..=NO_LOGS).flat_map(|logs| [false, true].map(|full| Format { place, full, logs }));
            let formats: &'static Self = Box::leak(Box::new(Self { place, formats: formats.collect() }));
            made.push(formats);
            formats
        })
    }

    /// Those of a client that listens to the log from that level on.
    pub(super) fn pair(&'static self, logs: u8) -> FormatPair {
        let at = 2 * usize::from(logs.min(NO_LOGS));
        FormatPair { abridged: &self.formats[at], full: &self.formats[at + 1] }
    }
}

impl FrameFormat for Format {
    fn slot(&self) -> FormatSlot {
        if self.full { FULL } else { SHARED }
    }

    fn dialect(&self) -> &'static str {
        DIALECT
    }

    fn carries(&self) -> KindSet {
        if self.logs == NO_LOGS { CARRIED } else { CARRIED.with(EventKind::Log) }
    }

    fn cell(&self, event: &Event) -> Option<FormatSlot> {
        let of_full = self.full.then_some(FULL);
        match event {
            Event::Library(change) => {
                let is_known = listing::media_type(change, self.place).is_some() || change.action == Action::Deleted;
                (is_known && !self.place.is_foreign(&change.library) || change.object.overlay(DIALECT).is_some()).then_some(SHARED)
            }
            Event::Medias(changes) | Event::Episodes(changes) | Event::Movies(changes) => self.items(changes).next().map(|_| SHARED),
            Event::Series(changes) | Event::People(changes) | Event::Collections(changes) => self.objects(changes).next().map(|_| SHARED),
            Event::MediaProgress(told) => (!self.place.is_foreign(&told.library)).then_some(SHARED),
            Event::Scan(scan) => match scan.state {
                ScanState::Started => Some(SHARED),
                ScanState::Finished | ScanState::Cancelled | ScanState::Failed => Some(self.slot()),
                ScanState::Progress => None,
            },
            Event::Activity(activity) if activity.state != ActivityState::Updated => Some(SHARED),
            Event::Activity(activity) => of_full.filter(|_| activity.progress.is_some()),
            Event::ConvertProgress(_) => of_full,
            Event::Playback(playback) => of_full.filter(|_| is_told(playback, event)),
            Event::User(change) => {
                if change.action == Action::Updated {
                    Some(SHARED)
                } else {
                    of_full
                }
            }
            Event::Log(line) => {
                (log::number(line.level) >= self.logs || line.level == LogLevel::Fatal && self.logs < NO_LOGS).then_some(SHARED)
            }
            Event::Raw(raw) => (raw.dialect == DIALECT && !RESERVED.contains(&&*raw.name)).then_some(SHARED),
            Event::Playlists(_) | Event::Transcode(_) | Event::Message(_) | Event::Notification(_) | Event::Presence(_) => Some(SHARED),
            Event::LibraryStatus(_)
            | Event::Tags(_)
            | Event::UploadProgress(_)
            | Event::Backups(_)
            | Event::BackupsFiles(_)
            | Event::MediaRating(_)
            | Event::Preference(_)
            | Event::Reachability(_)
            | Event::BackgroundQueue(_)
            | Event::Server(_)
            | Event::RemoteControl(_)
            | Event::Request(_)
            | Event::Stats(_) => None,
        }
    }

    fn full_rule<'r>(&self, event: &Event, of_event: Option<&'r Rule>) -> Option<&'r Rule> {
        match event {
            Event::Scan(_) => of_event,
            // What is left of these for others than server administrators is nothing.
            Event::Activity(_) | Event::ConvertProgress(_) | Event::Playback(_) | Event::User(_) => Some(&ADMINS),
            // Written alike for everybody, without anybody's secrets.
            _ => None,
        }
    }

    fn encode(&self, envelope: &Envelope) -> Option<Bytes> {
        self.written(envelope, None)
    }

    fn looks_at(&self, reader: Reader<'_>) -> bool {
        reader.admin || reader.explicit == Some(false) || reader.tags.is_some()
    }

    fn own(&self, envelope: &Envelope, reader: Reader<'_>) -> Own {
        let is_restricted = reader.explicit == Some(false) || reader.tags.is_some();
        match &envelope.event {
            // These are their user's alone; administrators see them in other ways (event map, section 3).
            Event::Transcode(transcode) if reader.user != Some(&transcode.user.id) => Own::Nothing,
            Event::User(change) if change.action == Action::Updated && reader.user != Some(&change.user) => Own::Nothing,
            // Whoever has come was told so before his `init`, on each of his connections.
            Event::Presence(presence) if presence.online && reader.user == Some(&presence.user) => Own::Nothing,
            Event::Medias(_) | Event::Episodes(_) | Event::Movies(_) | Event::Collections(_) | Event::Playlists(_) if is_restricted => {
                self.written(envelope, Some(reader)).map_or(Own::Nothing, Own::Frame)
            }
            _ => Own::Shared,
        }
    }
}

impl Format {
    /// The changes of a library's items that make sense to its clients: of books and podcasts, and of what else its publisher
    /// gives them a shape for.
    fn items<'c>(&self, changes: &'c Changes) -> impl Iterator<Item = &'c Change> {
        let is_known = self.place.media_type(&changes.library).is_some();
        changes.items.iter().filter(move |change| is_known || change.object.overlay(DIALECT).is_some())
    }

    /// The changes of what stands beside the items, which need no shape of their own.
    fn objects<'c>(&self, changes: &'c Changes) -> impl Iterator<Item = &'c Change> {
        let is_foreign = self.place.is_foreign(&changes.library);
        changes.items.iter().filter(move |change| !is_foreign || change.object.overlay(DIALECT).is_some())
    }

    fn written(&self, envelope: &Envelope, reader: Option<Reader<'_>>) -> Option<Bytes> {
        let mut out = Out::default();
        self.write(envelope, reader, &mut out);
        (!out.0.is_empty()).then(|| out.0.freeze())
    }

    fn write(&self, envelope: &Envelope, reader: Option<Reader<'_>>, out: &mut Out) {
        let (event, accepted, place) = (&envelope.event, envelope.accepted, self.place);
        match event {
            Event::Library(change) => {
                out.event(by_action("library", change.action), Some(&listing::library(change, event, place, accepted)))
            }
            Event::Medias(changes) | Event::Episodes(changes) | Event::Movies(changes) => self.put_items(changes, envelope, reader, out),
            Event::Series(changes) | Event::People(changes) | Event::Collections(changes) => {
                self.put_objects(changes, envelope, reader, out);
            }
            Event::Playlists(lists) => {
                for Change { action, object } in &lists.items {
                    let playlist = listing::playlist(object, &lists.user, place, accepted, reader);
                    out.event(by_action("playlist", *action), Some(&playlist));
                }
            }
            Event::ConvertProgress(told) => out.event("task_progress", Some(&task::progress(&told.media, told.progress))),
            Event::MediaProgress(told) => {
                out.event("user_item_progress_updated", Some(&playing::progress_updated(told, event, place, accepted)));
            }
            Event::Playback(playback) => out.event("user_stream_update", Some(&self.stream_update(playback, envelope))),
            Event::Transcode(transcode) => self.put_stream(transcode, event, out),
            Event::Scan(scan) => {
                let is_start = scan.state == ScanState::Started;
                let (name, older) = if is_start { ("task_started", "scan_start") } else { ("task_finished", "scan_complete") };
                out.event(name, Some(&task::scan(scan, event, place, accepted, self.full)));
                out.event(older, Some(&task::older_scan(scan, place, self.full)));
            }
            Event::Activity(activity) => match activity.state {
                ActivityState::Started => out.event("task_started", Some(&task::activity(activity, event, place, accepted))),
                ActivityState::Updated => {
                    let progress = task::progress(&task::subject(activity), activity.progress.unwrap_or_default());
                    out.event("task_progress", Some(&progress));
                }
                ActivityState::Ended => out.event("task_finished", Some(&task::activity(activity, event, place, accepted))),
            },
            Event::Log(line) => out.event("log", Some(&log::line(line, accepted))),
            Event::Message(message) => out.event("admin_message", Some(&quote(&message.text))),
            Event::User(change) => out.event(user_event(change.action), Some(&user::account(change, event, place))),
            Event::Notification(told) => out.event("notifications_updated", Some(&user::notifications(told, event))),
            Event::Presence(presence) => {
                let name = if presence.online { "user_online" } else { "user_offline" };
                out.event(name, Some(&present(presence, Value::of_compact(event.message()), place, accepted)));
            }
            Event::Raw(raw) => out.event(&raw.name, Some(&*raw.payload).filter(|payload| *payload != "null")),
            // Audiobookshelf has no event for these.
            Event::LibraryStatus(_)
            | Event::Tags(_)
            | Event::UploadProgress(_)
            | Event::Backups(_)
            | Event::BackupsFiles(_)
            | Event::MediaRating(_)
            | Event::Preference(_)
            | Event::Reachability(_)
            | Event::BackgroundQueue(_)
            | Event::Server(_)
            | Event::RemoteControl(_)
            | Event::Request(_)
            | Event::Stats(_) => {}
        }
    }

    /// Runs of one action are told together: one item by itself, several in a list; each that is gone by itself.
    fn put_items(&self, changes: &Changes, envelope: &Envelope, reader: Option<Reader<'_>>, out: &mut Out) {
        let library = self.place.library_id(&changes.library);
        let media_type = self.place.media_type(&changes.library);
        let mut run: (Action, Vec<String>) = (Action::Deleted, Vec::new());
        for Change { action, object } in self.items(changes) {
            if *action != run.0 {
                out.items(std::mem::replace(&mut run, (*action, Vec::new())));
            }
            let shape = item::item(object, &library, media_type.unwrap_or_else(|| item::media_type(object)), envelope.accepted);
            // Of what is gone often nothing is told but its id, which says nothing to whoever was never shown it.
            let is_bare = *action == Action::Deleted && object.field("tags").is_none() && object.field("explicit").is_none();
            if !is_bare && reader.is_some_and(|reader| !item::is_shown(&shape, reader)) {
                continue;
            }
            match action {
                Action::Deleted => out.event("item_removed", Some(&listing::removed(object, &library))),
                Action::Added | Action::Updated => run.1.push(shape),
            }
        }
        out.items(run);
    }

    fn put_objects(&self, changes: &Changes, envelope: &Envelope, reader: Option<Reader<'_>>, out: &mut Out) {
        let (library, accepted) = (self.place.library_id(&changes.library), envelope.accepted);
        for Change { action, object } in self.objects(changes) {
            let (name, shape) = match envelope.kind() {
                EventKind::Series => ("series", listing::series(object, *action, &library, accepted)),
                EventKind::People => ("author", listing::author(object, *action, &library, accepted)),
                _ => ("collection", listing::collection(object, &library, accepted, reader)),
            };
            out.event(by_action(name, *action), Some(&shape));
        }
    }

    /// A stream's course, for the one it is made for.
    fn put_stream(&self, transcode: &Transcode, event: &Event, out: &mut Out) {
        let id = playing::stream_id(transcode, event);
        match transcode.state {
            TranscodeState::Start => out.event("stream_open", Some(&playing::stream(transcode, event, self.place))),
            TranscodeState::Update => {
                out.event("stream_progress", Some(&playing::stream_progress(transcode, event)));
                if transcode.course.complete {
                    out.event("stream_ready", None);
                }
            }
            TranscodeState::End => {
                if let Some(error) = &transcode.course.error {
                    out.event("stream_error", Some(&format!(r#"{{"id":{id},"error":{}}}"#, quote(error))));
                }
                out.event("stream_closed", Some(&id));
            }
        }
    }

    /// The user with what he plays, or has just stopped playing.
    fn stream_update(&self, playback: &Playback, envelope: &Envelope) -> String {
        let session = playing::session(playback, &envelope.event, self.place, envelope.accepted);
        let object = playback.user.object.as_ref();
        let id = self.place.account_id(object, &playback.user.id);
        user::with(&id, object, &playback.user.id, self.place, |user| {
            let user = user::User { last_seen: user.last_seen.or(Some(envelope.accepted.0)), ..*user };
            user.public(&session, &playing::recent(playback, self.place, envelope.accepted), None)
        })
    }
}

/// Who came or went, as administrators see him. What he played last stands in `playback`, as it was published.
fn present(presence: &Presence, message: Value<'_>, place: &Place, accepted: Timestamp) -> String {
    let told = message.field("playback").and_then(|told| Event::parse(EventKind::Playback, told.text()).ok());
    let id = place.account_id(Some(&presence.object), &presence.user);
    user::with(&id, Some(&presence.object), &presence.user, place, |user| {
        let user = user::User { last_seen: user.last_seen.or(Some(accepted.0)), ..*user };
        public(&user, told.as_ref(), place, accepted, None)
    })
}

/// A user as administrators see who is online: with the session that goes on, and with what he played last.
pub(super) fn public(
    user: &user::User<'_>,
    playback: Option<&Event>,
    place: &Place,
    accepted: Timestamp,
    connections: Option<usize>,
) -> String {
    let (mut session, mut recent) = (None, None);
    if let Some((event, playback)) = playback.and_then(|event| if let Event::Playback(own) = event { Some((event, own)) } else { None }) {
        let goes_on = playback.state != PlaybackState::Stopped;
        session = goes_on.then(|| playing::session(playback, event, place, accepted));
        recent = Some(playing::recent(playback, place, accepted));
    }
    user.public(session.as_deref().unwrap_or("null"), recent.as_deref().unwrap_or("null"), connections)
}

/// The frames of one event.
#[derive(Default)]
struct Out(BytesMut);

impl Out {
    fn event(&mut self, name: &str, argument: Option<&str>) {
        let place = socketio::Place { namespace: "/", ack: None };
        self.0.extend_from_slice(&frame::event(place, name, argument.as_slice(), &[]));
    }

    fn items(&mut self, (action, items): (Action, Vec<String>)) {
        match (&items[..], action) {
            ([], _) | (_, Action::Deleted) => {}
            ([item], action) => self.event(by_action("item", action), Some(item)),
            (items, action) => self.event(by_action("items", action), Some(&format!("[{}]", items.join(",")))),
        }
    }
}

/// Whether it is a beginning or an end; of what lies between nobody is told.
///
/// Publishers tell of a playback again and again: the beginning is what says so, or stands at the beginning.
fn is_told(playback: &Playback, event: &Event) -> bool {
    let says_so = || Value::of_compact(event.message()).field(STARTED).is_some_and(|started| started.text() == "true");
    match playback.state {
        PlaybackState::Stopped => true,
        PlaybackState::Playing => playback.position_ms == 0 || says_so(),
        PlaybackState::Paused | PlaybackState::Buffering => false,
    }
}

fn user_event(action: Action) -> &'static str {
    match action {
        Action::Added => "user_added",
        Action::Updated => "user_updated",
        Action::Deleted => "user_removed",
    }
}

fn by_action(what: &str, action: Action) -> &'static str {
    let [added, updated, removed] = match what {
        "library" => ["library_added", "library_updated", "library_removed"],
        "item" => ["item_added", "item_updated", "item_removed"],
        "items" => ["items_added", "items_updated", "items_removed"],
        "series" => ["series_added", "series_updated", "series_removed"],
        "author" => ["author_added", "author_updated", "author_removed"],
        "playlist" => ["playlist_added", "playlist_updated", "playlist_removed"],
        _ => ["collection_added", "collection_updated", "collection_removed"],
    };
    match action {
        Action::Added => added,
        Action::Updated => updated,
        Action::Deleted => removed,
    }
}

#[cfg(test)]
mod tests;
