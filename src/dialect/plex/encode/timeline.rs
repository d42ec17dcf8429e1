//! `timeline`: the life of an item of a library (wire notes on Plex, section 6.2).

use super::{
    super::{message::Messages, sections::Sections, types::NoticeType},
    item::{LIBRARY, number, overlaid},
};
use crate::{
    config::LibraryKind,
    event::{
        Action, Change, Changes, Envelope, EventKind, Object, Playlists,
        json::{ObjectWriter, quote},
    },
};

/// How far an item is, as clients tell it apart: `state`, and `metadataState` where there is one.
const CREATED: (&str, Option<&str>) = ("0", Some("\"created\""));
/// Done, which clients know by the absence of every other state.
const PROCESSED: (&str, Option<&str>) = ("5", None);
const DELETED: (&str, Option<&str>) = ("9", Some("\"deleted\""));

/// What is in no library.
const NO_SECTION: &str = "-1";

/// One entry per change; something added is told as created, and then as done.
pub(super) fn write(envelope: &Envelope, changes: &Changes, sections: &Sections, out: &mut Messages) {
    let section = Place { key: &sections.key(&changes.library), kind: sections.kind(&changes.library) };
    write_items(envelope, &changes.items, &section, out);
}

/// The same for a user's playlists.
pub(super) fn write_playlists(envelope: &Envelope, playlists: &Playlists, out: &mut Messages) {
    write_items(envelope, &playlists.items, &Place { key: NO_SECTION, kind: LibraryKind::Other }, out);
}

/// Where items are.
struct Place<'a> {
    key: &'a str,
    kind: LibraryKind,
}

fn write_items(envelope: &Envelope, items: &[Change], place: &Place<'_>, out: &mut Messages) {
    for change in items {
        let states: &[_] = match change.action {
            Action::Added => &[CREATED, PROCESSED],
            Action::Updated => &[PROCESSED],
            Action::Deleted => &[DELETED],
        };
        for state in states {
            let entry = entry(envelope, change, place, *state);
            out.push(NoticeType::Timeline, &overlaid(entry, &envelope.event, Some(&change.object)));
        }
    }
}

fn entry(envelope: &Envelope, change: &Change, place: &Place<'_>, state: (&str, Option<&str>)) -> String {
    let Object { name, .. } = &change.object;
    let mut out = String::with_capacity(192);
    let mut entry = ObjectWriter::open(&mut out);
    entry.field("identifier", LIBRARY).field("sectionID", &quote(place.key));
    entry.field("itemID", &quote(&change.object.shown_id(super::DIALECT).text));
    let parent = |field: &str| change.object.field(field).and_then(|id| id.string()).map(|id| number(&id));
    if envelope.kind() == EventKind::Episodes
        && let Some(serie) = parent("serie")
    {
        entry.field("rootItemID", &serie);
    }
    entry.field("type", type_code(envelope.kind(), &change.object, place.kind));
    entry.field("title", &quote(name.as_deref().unwrap_or_default()));
    entry.field("state", state.0);
    if let Some(metadata_state) = state.1 {
        entry.field("metadataState", metadata_state);
    }
    entry.field("updatedAt", &(envelope.accepted.0 / 1000).to_string());
    entry.close();
    out
}

/// Plex's number for a type of item; `-1` for what it has none for.
fn type_code(kind: EventKind, object: &Object, library: LibraryKind) -> &'static str {
    match kind {
        EventKind::Movies => "1",
        EventKind::Series => "2",
        EventKind::Episodes => "4",
        EventKind::People => "7",
        EventKind::Playlists => "15",
        EventKind::Collections => "18",
        EventKind::Medias => media_code(object.kind.as_deref().unwrap_or_default(), library),
        _ => "-1",
    }
}

/// A publisher that knows the type of a media says it; `video` and `audio` mean what the library holds.
fn media_code(kind: &str, library: LibraryKind) -> &'static str {
    match (kind, library) {
        ("movie", _) | ("video", LibraryKind::Movies) => "1",
        ("show" | "serie" | "series", _) => "2",
        ("season", _) => "3",
        ("episode", _) | ("video", LibraryKind::Shows) => "4",
        ("trailer", _) => "5",
        ("comic", _) => "6",
        ("person", _) => "7",
        ("artist", _) => "8",
        ("album", _) => "9",
        ("track" | "song", _) | ("audio" | "music", LibraryKind::Music) => "10",
        ("picture", _) => "11",
        ("clip" | "video", _) => "12",
        ("photo" | "image", _) => "13",
        ("photoalbum", _) => "14",
        ("playlist", _) => "15",
        ("collection", _) => "18",
        _ => "-1",
    }
}
