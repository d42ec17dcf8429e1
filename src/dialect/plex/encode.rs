//! How each event is written: which notifications it becomes, and the items in them (event map, section 3; wire notes on
//! Plex, section 6).
//!
//! What a client wants is a set of types, and one event may be told as two of them: a scan is an `activity` for server
//! administrators and a `status` for readers. Which of the two a group is sent is decided by the cell it asks the envelope
//! for, so every form has three: for both (and for all other events), for the `status` alone, for the `activity` alone.

mod activity;
mod item;
mod playing;
mod server;
mod timeline;
mod transcode;

use bytes::Bytes;
use parking_lot::Mutex;

use super::{
    message::{Form, Messages},
    sections::Sections,
    types::{NoticeType, SHARING, TypeSet, kinds_of, types_in},
};
use crate::event::{Envelope, Event, EventKind, FormatPair, FormatSlot, FrameFormat, KindSet, Rule, ScanState, json::Value};
pub(super) use activity::shown_uuid;
pub(super) use playing::item as playing_item;
pub(super) use transcode::{item as transcode_item, notice as transcode_notice};

/// The dialect's name in `dialects.NAME` and in raw events.
pub(super) const DIALECT: &str = "plex";

/// The first of this dialect's cells: RedSeat has those below.
const FIRST_SLOT: u8 = 6;
/// Cells of each form.
const SLOTS: u8 = 3;
/// Choices among the types that share a kind.
const CHOICES: usize = 1 << SHARING.len();

static ADMINS: Rule = Rule::Admins;

/// What every format carries; the kinds a client wants are its filter's business.
const CARRIED: KindSet = kinds_of(TypeSet::of(&NoticeType::ALL)).with(EventKind::Raw);

/// The formats of one set of libraries: forms × choices × visibility classes.
#[derive(Debug)]
pub(super) struct Formats {
    pub(super) sections: &'static Sections,
    formats: Vec<Format>,
}

impl Formats {
    /// The formats of these libraries.
    ///
    /// They live as long as the process, because every envelope and group may point at them; the same libraries share them,
    /// however often an engine is started.
    pub(super) fn of(sections: Sections) -> &'static Self {
        static MADE: Mutex<Vec<&'static Formats>> = Mutex::new(Vec::new());
        let mut made = MADE.lock();
        made.iter().copied().find(|formats| *formats.sections == sections).unwrap_or_else(|| {
            let formats: &'static Self = Box::leak(Box::new(Self::new(Box::leak(Box::new(sections)))));
            made.push(formats);
            formats
        })
    }

    fn new(sections: &'static Sections) -> Self {
        let mut formats = Vec::with_capacity(2 * CHOICES * 2);
        for form in [Form::Sse, Form::WebSocket] {
            for choice in 0..CHOICES {
                let mut wanted = TypeSet::of(&NoticeType::ALL);
                for (bit, notice) in SHARING.into_iter().enumerate() {
                    if choice & (1 << bit) == 0 {
                        wanted = wanted.without(notice);
                    }
                }
                formats.extend([false, true].map(|admin| Format { sections, form, wanted, admin }));
            }
        }
        Self { sections, formats }
    }

    /// Those of a session that wants these types.
    pub(super) fn pair(&'static self, form: Form, wanted: TypeSet) -> FormatPair {
        let choice = SHARING.iter().enumerate().filter(|(_, notice)| wanted.contains(**notice)).map(|(bit, _)| 1 << bit).sum::<usize>();
        let at = 2 * (if form == Form::Sse { 0 } else { CHOICES } + choice);
        FormatPair { abridged: &self.formats[at], full: &self.formats[at + 1] }
    }
}

#[derive(Debug)]
struct Format {
    sections: &'static Sections,
    form: Form,
    /// The types its clients want, of those that share a kind; all others, which their filter narrows.
    wanted: TypeSet,
    /// For server administrators.
    admin: bool,
}

impl FrameFormat for Format {
    fn slot(&self) -> FormatSlot {
        let form = if self.form == Form::Sse { 0 } else { SLOTS };
        FormatSlot(FIRST_SLOT + form)
    }

    fn dialect(&self) -> &'static str {
        DIALECT
    }

    fn carries(&self) -> KindSet {
        CARRIED
    }

    fn cell(&self, event: &Event) -> Option<FormatSlot> {
        if matches!(event, Event::Raw(raw) if raw.dialect == DIALECT) {
            return Some(self.slot());
        }
        let told = self.told(event);
        let place = match event {
            Event::Scan(_) if !told.contains(NoticeType::Activity) => 1,
            Event::Scan(_) if !told.contains(NoticeType::Status) => 2,
            _ => 0,
        };
        (!told.is_empty()).then(|| FormatSlot(self.slot().0 + place))
    }

    fn full_rule<'r>(&self, event: &Event, _: Option<&'r Rule>) -> Option<&'r Rule> {
        // Everything else is written alike for all, because secrets are taken out for all: what is copied from the publisher
        // as it stands (the overlays, the objects of an activity) goes through `without_secrets`.
        matches!(event, Event::Scan(_) | Event::UploadProgress(_)).then_some(&ADMINS)
    }

    fn encode(&self, envelope: &Envelope) -> Option<Bytes> {
        let mut messages = Messages::new(self.form);
        self.write(envelope, &mut messages);
        messages.into_bytes()
    }
}

impl Format {
    fn told(&self, event: &Event) -> TypeSet {
        types_in(event, self.admin).intersection(self.wanted)
    }

    fn write(&self, envelope: &Envelope, out: &mut Messages) {
        let (event, sections) = (&envelope.event, self.sections);
        let overlaid = |item: String| item::overlaid(item, event, None);
        match event {
            Event::Medias(changes)
            | Event::Episodes(changes)
            | Event::Series(changes)
            | Event::Movies(changes)
            | Event::People(changes)
            | Event::Collections(changes) => timeline::write(envelope, changes, sections, out),
            Event::Playlists(playlists) => timeline::write_playlists(envelope, playlists, out),
            Event::Playback(playback) => out.push(NoticeType::Playing, &overlaid(playing::item(playback))),
            Event::Transcode(transcode) => out.push(transcode_notice(transcode.state), &overlaid(transcode::item(transcode))),
            Event::Activity(activity) => out.push(NoticeType::Activity, &overlaid(activity::of_published(activity, event))),
            Event::Preference(preference) => out.push(NoticeType::Preference, &overlaid(server::preference(preference))),
            Event::Reachability(state) => out.push(NoticeType::Reachability, &overlaid(server::reachability(state))),
            Event::BackgroundQueue(queue) => out.push(NoticeType::BackgroundProcessingQueue, &overlaid(server::background_queue(queue))),
            Event::Scan(scan) => {
                let told = self.told(event);
                if told.contains(NoticeType::Activity) {
                    out.push(NoticeType::Activity, &overlaid(activity::of_scan(scan, event, sections)));
                }
                if told.contains(NoticeType::Status) {
                    let status = server::status(scan.state == ScanState::Started, scan, sections);
                    out.push(NoticeType::Status, &item::overlaid_known(status, event));
                }
            }
            Event::UploadProgress(upload) => {
                out.push(NoticeType::Activity, &overlaid(activity::of_upload(upload, event, sections)));
            }
            Event::ConvertProgress(convert) => {
                let notice = if convert.is_over() { NoticeType::TranscodeEnd } else { NoticeType::TranscodeUpdate };
                out.push(notice, &overlaid(transcode::of_conversion(convert)));
            }
            Event::LibraryStatus(status) => out.push(NoticeType::Progress, &overlaid(server::progress(status))),
            Event::Server(server) => out.push(NoticeType::UpdateStateChange, &overlaid(server::update(server))),
            Event::User(change) => out.push(NoticeType::Account, &item::overlaid_user(server::account(change), event, change)),
            Event::Log(log) => out.push(NoticeType::Log, &overlaid(server::log(log, envelope.accepted))),
            Event::Raw(raw) => out.push_raw(&raw.name, Value::of_compact(&raw.payload)),
            // Plex has no notification for these.
            Event::Library(_)
            | Event::Tags(_)
            | Event::Backups(_)
            | Event::BackupsFiles(_)
            | Event::MediaProgress(_)
            | Event::MediaRating(_)
            | Event::Message(_)
            | Event::Notification(_)
            | Event::RemoteControl(_)
            | Event::Presence(_)
            | Event::Request(_)
            | Event::Stats(_) => {}
        }
    }
}

/// The activity an event tells of, as `GET /activities` shows it to an administrator or somebody else who may see it: an
/// object, as JSON text.
pub(super) fn activity_object(event: &Event, admin: bool, sections: &Sections) -> Option<String> {
    if !types_in(event, admin).contains(NoticeType::Activity) {
        return None;
    }
    let mut text = String::new();
    match event {
        Event::Scan(scan) => activity::with_scan(scan, event, sections, |activity| activity.write(&mut text)),
        Event::UploadProgress(upload) => activity::with_upload(upload, event, sections, |activity| activity.write(&mut text)),
        Event::Activity(published) => activity::with_published(published, event, |activity| activity.write(&mut text)),
        // `types_in` says that nothing else is an activity.
        Event::Library(_)
        | Event::LibraryStatus(_)
        | Event::Medias(_)
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
        | Event::Playback(_)
        | Event::Transcode(_)
        | Event::Preference(_)
        | Event::Reachability(_)
        | Event::BackgroundQueue(_)
        | Event::Log(_)
        | Event::Server(_)
        | Event::Message(_)
        | Event::User(_)
        | Event::Notification(_)
        | Event::RemoteControl(_)
        | Event::Presence(_)
        | Event::Request(_)
        | Event::Stats(_)
        | Event::Raw(_) => return None,
    }
    Some(text)
}

#[cfg(test)]
mod tests;
