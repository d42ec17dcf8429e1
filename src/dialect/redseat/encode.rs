//! How each event is written on `/sse`: an `event:` line, and one `data:` line with the message in its wrapper.
//!
//! Two spellings (document 002, and the real server's), two visibility classes, and two ways to tell of a scan: as
//! `event: scan` to those who name it, as `library-status` text to everybody else who may see a library's status.
//! That makes six formats, yet three cells for each spelling, because most events look the same in all of them.

use std::borrow::Cow;

use bytes::Bytes;

use super::wire;
use crate::{
    event::{Envelope, Event, EventKind, FormatPair, FormatSlot, FrameFormat, KindSet, Scan, ScanState, Visibility},
    frame::sse_event,
};

/// The dialect's name in `dialects.NAME` and in raw events.
pub(super) const DIALECT: &str = "redseat";

/// The kinds to ask for without `events=`: the 14 names of document 002, raw events, and scans, which the formats of
/// [`formats`] with `scan_named = false` tell as `library-status` to those who may see the whole of a scan.
pub const DEFAULT_KINDS: KindSet = KindSet::of(&[
    EventKind::Library,
    EventKind::LibraryStatus,
    EventKind::Medias,
    EventKind::UploadProgress,
    EventKind::ConvertProgress,
    EventKind::Episodes,
    EventKind::Series,
    EventKind::Movies,
    EventKind::People,
    EventKind::Tags,
    EventKind::Backups,
    EventKind::BackupsFiles,
    EventKind::MediaProgress,
    EventKind::MediaRating,
    EventKind::Scan,
    EventKind::Raw,
]);

/// Whose words are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spelling {
    /// Document 002: `{"Medias":…}`, `Added`.
    Document,
    /// The real server: `{"medias":…}`, `added` (wire notes on RedSeat, section 5).
    Server,
}

/// The formats of a session: whose spelling, and whether it named `scan` in `events=`.
///
/// A session that did not, but wants `library-status`, asks for `scan` as well (see [`DEFAULT_KINDS`]): the pair
/// carries it in its full format only, so that readers who are not admins of the library are not offered it.
#[must_use]
pub fn formats(spelling: Spelling, scan_named: bool) -> FormatPair {
    let [abridged, without_scan, full, scan_as_status]: [&'static Sse; 4] = match spelling {
        Spelling::Document => [&DOCUMENT_ABRIDGED, &DOCUMENT_WITHOUT_SCAN, &DOCUMENT_FULL, &DOCUMENT_SCAN_AS_STATUS],
        Spelling::Server => [&SERVER_ABRIDGED, &SERVER_WITHOUT_SCAN, &SERVER_FULL, &SERVER_SCAN_AS_STATUS],
    };
    if scan_named { FormatPair { abridged, full } } else { FormatPair { abridged: without_scan, full: scan_as_status } }
}

static DOCUMENT_ABRIDGED: Sse = Sse { slot: 0, spelling: Spelling::Document, visibility: Visibility::Abridged, scan: ScanAs::Named };
static DOCUMENT_WITHOUT_SCAN: Sse = Sse { scan: ScanAs::Nothing, ..DOCUMENT_ABRIDGED };
static DOCUMENT_FULL: Sse = Sse { slot: 1, visibility: Visibility::Full, ..DOCUMENT_ABRIDGED };
static DOCUMENT_SCAN_AS_STATUS: Sse = Sse { slot: 2, scan: ScanAs::Status, ..DOCUMENT_FULL };
static SERVER_ABRIDGED: Sse = Sse { slot: 3, spelling: Spelling::Server, ..DOCUMENT_ABRIDGED };
static SERVER_WITHOUT_SCAN: Sse = Sse { scan: ScanAs::Nothing, ..SERVER_ABRIDGED };
static SERVER_FULL: Sse = Sse { slot: 4, visibility: Visibility::Full, ..SERVER_ABRIDGED };
static SERVER_SCAN_AS_STATUS: Sse = Sse { slot: 5, scan: ScanAs::Status, ..SERVER_FULL };

#[derive(Clone, Copy, PartialEq, Eq)]
enum ScanAs {
    Named,
    Status,
    Nothing,
}

struct Sse {
    slot: u8,
    spelling: Spelling,
    visibility: Visibility,
    scan: ScanAs,
}

impl FrameFormat for Sse {
    fn slot(&self) -> FormatSlot {
        FormatSlot(self.slot)
    }

    fn dialect(&self) -> &'static str {
        DIALECT
    }

    fn carries(&self) -> KindSet {
        match self.scan {
            ScanAs::Named | ScanAs::Status => KindSet::all(),
            ScanAs::Nothing => ALL_BUT_SCAN,
        }
    }

    fn encode(&self, envelope: &Envelope) -> Option<Bytes> {
        let event = &envelope.event;
        match event {
            Event::Raw(raw) if raw.dialect == DIALECT => Some(sse_event(&raw.name, raw.payload.as_bytes())),
            Event::Raw(_) => None,
            Event::Scan(scan) if self.scan == ScanAs::Status => Some(self.write(EventKind::LibraryStatus, &status_of(scan, self.spelling))),
            Event::Scan(_) if self.scan == ScanAs::Nothing => None,
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
            | Event::Playback(_)
            | Event::Transcode(_)
            | Event::Scan(_)
            | Event::Activity(_)
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
            | Event::Stats(_) => Some(self.write(event.kind(), &self.message(event))),
        }
    }
}

impl Sse {
    fn message<'e>(&self, event: &'e Event) -> Cow<'e, str> {
        let message = event.dialect_message(DIALECT, self.visibility);
        match self.spelling {
            Spelling::Document => message,
            Spelling::Server => Cow::Owned(wire::server_message(event, &message)),
        }
    }

    /// Messages are on one line (their reader saw to that), so the frame is put together without looking for line ends.
    fn write(&self, kind: EventKind, message: &str) -> Bytes {
        let (name, wrapper) = (kind.name(), kind.wrapper());
        let mut out = String::with_capacity(name.len() + wrapper.len() + message.len() + 22);
        out.push_str("event: ");
        out.push_str(name);
        out.push_str("\ndata: {\"");
        match self.spelling {
            Spelling::Document => out.push_str(wrapper),
            Spelling::Server => wire::push_camel_case(wrapper, &mut out),
        }
        out.push_str("\":");
        out.push_str(message);
        out.push_str("}\n\n");
        Bytes::from(out)
    }
}

pub(super) const ALL_BUT_SCAN: KindSet = {
    let mut kinds = KindSet::EMPTY;
    let mut index = 0;
    while index < EventKind::ALL.len() {
        if EventKind::ALL[index] as u8 != EventKind::Scan as u8 {
            kinds = kinds.with(EventKind::ALL[index]);
        }
        index += 1;
    }
    kinds
};

/// A scan told as the library's status: a text for each state (event map, section 3).
pub(super) fn status_of(scan: &Scan, spelling: Spelling) -> String {
    let state = match scan.state {
        ScanState::Started => "scan started",
        ScanState::Progress => "scan",
        ScanState::Finished => "scan finished",
        ScanState::Cancelled => "scan cancelled",
        ScanState::Failed => "scan failed",
    };
    let text = match (scan.state, scan.progress, &scan.error) {
        (ScanState::Progress, Some(progress), _) => format!("{state} {progress:.0}%"),
        (ScanState::Failed, _, Some(error)) => format!("{state}: {error}"),
        _ => state.to_owned(),
    };
    wire::library_status(&text, &scan.library, scan.progress.filter(|_| spelling == Spelling::Document))
}

#[cfg(test)]
mod tests;
