//! How each event is written: which messages it becomes for which generation (event map, section 3; wire notes on
//! MediaBrowser, sections 5 and 5.8).
//!
//! Generations share a cell for what they read alike; what only clients that say `Identity` read so has one of its own.
//! Changes of libraries and of a user's data are collected before they are told, and come here as `raw` events.

mod control;
mod overlay;
mod people;
mod playback;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;

use super::{
    generation::Generation,
    message::put,
    place::Place,
    task::{Task, TaskState},
};
use crate::event::{Action, Envelope, Event, EventKind, FormatPair, FormatSlot, FrameFormat, KindSet, Rule, ServerState, json::quote};
pub(super) use control::known_command as is_general_command;
pub(super) use playback::CHECK_IN;

/// The dialect's name in `dialects.NAME` and in raw events.
pub(super) const DIALECT: &str = "mediabrowser";

/// What all read alike; the slots before are RedSeat's and Plex's.
const SHARED: FormatSlot = FormatSlot(12);
/// What clients that say `Identity` read in their own way.
const OWN: FormatSlot = FormatSlot(13);

static ADMINS: Rule = Rule::Admins;

const CARRIED: KindSet = KindSet::of(&[
    EventKind::Server,
    EventKind::User,
    EventKind::Message,
    EventKind::Notification,
    EventKind::RemoteControl,
    EventKind::Scan,
    EventKind::Activity,
    EventKind::Playback,
    EventKind::Raw,
]);

/// The formats of one server.
#[derive(Debug)]
pub(super) struct Formats {
    pub(super) place: &'static Place,
    formats: Vec<Format>,
}

#[derive(Debug)]
struct Format {
    place: &'static Place,
    generation: Generation,
    /// For server administrators.
    admin: bool,
}

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
            let generations = [Generation::Identity, Generation::Emby, Generation::Jellyfin];
            let formats = generations.into_iter().flat_map(|generation| [false, true].map(|admin| Format { place, generation, admin }));
            let formats: &'static Self = Box::leak(Box::new(Self { place, formats: formats.collect() }));
            made.push(formats);
            formats
        })
    }

    /// Those of a client of that generation.
    pub(super) fn pair(&'static self, generation: Generation) -> FormatPair {
        let at = match generation {
            Generation::Identity => 0,
            Generation::Emby => 2,
            Generation::Jellyfin => 4,
        };
        FormatPair { abridged: &self.formats[at], full: &self.formats[at + 1] }
    }
}

impl FrameFormat for Format {
    fn slot(&self) -> FormatSlot {
        if self.generation == Generation::Identity { OWN } else { SHARED }
    }

    fn dialect(&self) -> &'static str {
        DIALECT
    }

    fn carries(&self) -> KindSet {
        CARRIED
    }

    fn cell(&self, event: &Event) -> Option<FormatSlot> {
        let of_identity = (self.generation == Generation::Identity).then_some(OWN);
        match event {
            Event::Server(server) => (server.state != ServerState::Update).then_some(SHARED),
            // Nobody has a message for somebody new.
            Event::User(change) => (change.action != Action::Added).then_some(SHARED),
            Event::Message(_) => Some(self.slot()),
            Event::Notification(_) => (self.generation != Generation::Jellyfin).then_some(SHARED),
            Event::RemoteControl(control) => control::is_known(control, self.generation).then(|| self.slot()),
            Event::Scan(_) | Event::Activity(_) => self.task_cell(event),
            Event::Playback(playback) => of_identity.filter(|_| playback::is_told(playback, event)),
            Event::Raw(raw) => (raw.dialect == DIALECT).then_some(SHARED),
            Event::Library(_)
            | Event::LibraryStatus(_)
            | Event::Medias(_)
            | Event::UploadProgress(_)
            | Event::ConvertProgress(_)
            | Event::Episodes(_)
            | Event::Series(_)
            | Event::Movies(_)
            | Event::People(_)
            | Event::Tags(_)
            | Event::Collections(_)
            | Event::Playlists(_)
            | Event::Backups(_)
            | Event::BackupsFiles(_)
            | Event::MediaProgress(_)
            | Event::MediaRating(_)
            | Event::Transcode(_)
            | Event::Preference(_)
            | Event::Reachability(_)
            | Event::BackgroundQueue(_)
            | Event::Log(_)
            | Event::Presence(_)
            | Event::Request(_)
            | Event::Stats(_) => None,
        }
    }

    fn full_rule<'r>(&self, event: &Event, _: Option<&'r Rule>) -> Option<&'r Rule> {
        // Tasks are the administrators' business; all else is written alike for everybody, without anybody's secrets.
        matches!(event, Event::Scan(_) | Event::Activity(_)).then_some(&ADMINS)
    }

    fn encode(&self, envelope: &Envelope) -> Option<Bytes> {
        let mut out = BytesMut::new();
        self.write(envelope, &mut out);
        (!out.is_empty()).then(|| out.freeze())
    }
}

impl Format {
    fn task_cell(&self, event: &Event) -> Option<FormatSlot> {
        let task = Task::of(event, self.place).filter(|_| self.admin)?;
        match task.state() {
            TaskState::Ended(_) => Some(SHARED),
            TaskState::Running { begins: true } if self.generation == Generation::Identity => Some(OWN),
            TaskState::Running { .. } => None,
        }
    }

    fn write(&self, envelope: &Envelope, out: &mut BytesMut) {
        let event = &envelope.event;
        match event {
            Event::Server(server) => match server.state {
                ServerState::RestartRequired => put(out, "RestartRequired", Some("\"\"")),
                ServerState::Restarting => put(out, "ServerRestarting", Some("\"\"")),
                ServerState::ShuttingDown => put(out, "ServerShuttingDown", Some("\"\"")),
                ServerState::Update => {}
            },
            Event::User(change) => people::put_user(change, event, self.place, out),
            Event::Message(message) => control::put_message(message, event, self.generation, out),
            Event::Notification(notification) => people::put_notifications(notification, self.place, out),
            Event::RemoteControl(control) => control::put_control(control, event, (self.generation, self.place), out),
            Event::Scan(_) | Event::Activity(_) => self.put_task(envelope, out),
            Event::Playback(playback) => playback::put_playback(playback, envelope, self.place, out),
            Event::Raw(raw) => put(out, &raw.name, Some(&raw.payload)),
            // `LibraryChanged`, `UserDataChanged` and `RefreshProgress` sum several of these up, and come as raw events.
            Event::Library(_)
            | Event::LibraryStatus(_)
            | Event::Medias(_)
            | Event::Episodes(_)
            | Event::Series(_)
            | Event::Movies(_)
            | Event::People(_)
            | Event::Collections(_)
            | Event::Playlists(_)
            | Event::MediaProgress(_)
            | Event::MediaRating(_) => {}
            // Told as `Sessions` and `ActivityLogEntry` to those who asked for them.
            Event::Presence(_) | Event::Log(_) => {}
            // This family has no message for these.
            Event::Tags(_)
            | Event::UploadProgress(_)
            | Event::ConvertProgress(_)
            | Event::Backups(_)
            | Event::BackupsFiles(_)
            | Event::Transcode(_)
            | Event::Preference(_)
            | Event::Reachability(_)
            | Event::BackgroundQueue(_)
            | Event::Request(_)
            | Event::Stats(_) => {}
        }
    }

    fn put_task(&self, envelope: &Envelope, out: &mut BytesMut) {
        let Some(task) = Task::of(&envelope.event, self.place) else { return };
        match task.result(envelope.accepted, envelope.accepted) {
            Some(result) => put(out, "ScheduledTaskEnded", Some(&overlay::overlaid(result, &envelope.event))),
            None => put(out, "ScheduledTaskStarted", Some(&quote(task.name()))),
        }
    }
}

#[cfg(test)]
mod tests;
