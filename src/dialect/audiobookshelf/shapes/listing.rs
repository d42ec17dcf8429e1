//! Libraries, authors, series, collections and playlists.

use super::{overlaid, overlaid_by_message, text, time};
use crate::{
    clock::Timestamp,
    dialect::audiobookshelf::{
        DIALECT,
        json::{merged, or_null},
        place::{MediaType, Place, SERVER_VERSION},
    },
    event::{
        Action, Event, LibraryChange, Object, Reader,
        json::{Value, quote},
    },
    id::UserId,
};

const SETTINGS: &str = r#"{"coverAspectRatio":1,"disableWatcher":false,"autoScanCronExpression":null,"skipMatchingMediaWithAsin":false,"skipMatchingMediaWithIsbn":false,"audiobooksOnly":false,"epubsAllowScriptedContent":false,"hideSingleBookSeries":false,"onlyShowLaterBooksInContinueSeries":false,"metadataPrecedence":[],"markAsFinishedPercentComplete":null,"markAsFinishedTimeRemaining":10}"#;

/// A library. Where it lies on the disk is told nobody.
pub(in super::super) fn library(change: &LibraryChange, event: &Event, place: &Place, accepted: Timestamp) -> String {
    let object = &change.object;
    let name = object.name.as_deref().unwrap_or_else(|| place.library_name(&change.library));
    let podcasts = media_type(change, place) == Some(MediaType::Podcast);
    let shape = format!(
        r#"{{"id":{id},"name":{name},"folders":[],"displayOrder":1,"icon":"{icon}","mediaType":"{kind}","provider":"{provider}","settings":{SETTINGS},"lastScan":null,"lastScanVersion":"{SERVER_VERSION}","createdAt":{created},"lastUpdate":{updated}}}"#,
        id = quote(&library_id(change, place)),
        name = quote(name),
        icon = if podcasts { "podcast" } else { "database" },
        kind = if podcasts { "podcast" } else { "book" },
        provider = if podcasts { "itunes" } else { "google" },
        created = time(object, &["createdAt", "created"], accepted),
        updated = time(object, &["lastUpdate", "modified", "updated"], accepted),
    );
    overlaid(overlaid_by_message(shape, event), object)
}

fn library_id(change: &LibraryChange, place: &Place) -> String {
    let given = change.object.given_id(DIALECT).filter(|given| crate::event::IdForm::Uuid.fits(given));
    given.map_or_else(|| place.library_id(&change.library), std::borrow::Cow::into_owned)
}

/// What a library that is told of holds: as the settings say, else as its publisher does.
pub(in super::super) fn media_type(change: &LibraryChange, place: &Place) -> Option<MediaType> {
    let told = match change.object.kind.as_deref() {
        Some("books" | "book") => Some(MediaType::Book),
        Some("podcasts" | "podcast") => Some(MediaType::Podcast),
        _ => None,
    };
    place.media_type(&change.library).or(told)
}

/// An author; how many books of his there are is told only of one that changed.
pub(in super::super) fn author(object: &Object, action: Action, library: &str, accepted: Timestamp) -> String {
    if action == Action::Deleted {
        return removed(object, library);
    }
    let (added, updated) = times(object, accepted);
    let shape = format!(
        r#"{{"id":{id},"asin":{asin},"name":{name},"description":{description},"imagePath":null,"libraryId":{library},"addedAt":{added},"updatedAt":{updated}}}"#,
        id = id(object),
        asin = text(object, "asin"),
        name = name(object),
        description = text(object, "description"),
        library = quote(library),
    );
    let n_books = object.field("numBooks").and_then(Value::number).map_or(0, |number| number as u64);
    let shape = if action == Action::Updated { merged(&shape, &format!(r#"{{"numBooks":{n_books}}}"#)) } else { shape };
    overlaid(shape, object)
}

/// A series.
pub(in super::super) fn series(object: &Object, action: Action, library: &str, accepted: Timestamp) -> String {
    if action == Action::Deleted {
        return removed(object, library);
    }
    let (added, updated) = times(object, accepted);
    let shape = format!(
        r#"{{"id":{id},"name":{name},"nameIgnorePrefix":{name},"description":{description},"addedAt":{added},"updatedAt":{updated},"libraryId":{library}}}"#,
        id = id(object),
        name = name(object),
        description = text(object, "description"),
        library = quote(library),
    );
    overlaid(shape, object)
}

/// A collection, with those of its books that the reader is shown.
pub(in super::super) fn collection(object: &Object, library: &str, accepted: Timestamp, reader: Option<Reader<'_>>) -> String {
    let (added, updated) = times(object, accepted);
    let shape = format!(
        r#"{{"id":{id},"libraryId":{library},"name":{name},"description":{description},"books":[],"lastUpdate":{updated},"createdAt":{added}}}"#,
        id = id(object),
        library = quote(library),
        name = name(object),
        description = text(object, "description"),
    );
    let shape = overlaid(shape, object);
    reader.map_or(shape.clone(), |reader| with_shown(&shape, "books", |book| super::item::is_shown(book.text(), reader)))
}

/// A user's playlist, with those of its items that he is shown.
pub(in super::super) fn playlist(object: &Object, user: &UserId, place: &Place, accepted: Timestamp, reader: Option<Reader<'_>>) -> String {
    let (added, updated) = times(object, accepted);
    let library = object.field("library").or_else(|| object.field("libraryId")).and_then(Value::string);
    let library = library.and_then(|library| crate::id::LibraryId::parse(&library).ok()).map(|library| place.library_id(&library));
    let shape = format!(
        r#"{{"id":{id},"name":{name},"libraryId":{library},"userId":{user},"description":{description},"lastUpdate":{updated},"createdAt":{added},"items":[]}}"#,
        id = id(object),
        name = name(object),
        library = quote(&library.unwrap_or_default()),
        user = quote(&place.user_id(user)),
        description = text(object, "description"),
    );
    let shape = overlaid(shape, object);
    let is_shown = |item: Value<'_>, reader| item.field("libraryItem").is_none_or(|item| super::item::is_shown(item.text(), reader));
    reader.map_or(shape.clone(), |reader| with_shown(&shape, "items", |item| is_shown(item, reader)))
}

/// What is left of something that is gone.
pub(in super::super) fn removed(object: &Object, library: &str) -> String {
    format!(r#"{{"id":{},"libraryId":{}}}"#, id(object), quote(library))
}

/// The object with only those items of a list that are shown.
fn with_shown(shape: &str, name: &str, is_shown: impl Fn(Value<'_>) -> bool) -> String {
    let all = Value::of_compact(shape).field(name);
    let shown: Vec<&str> = all.into_iter().flat_map(Value::items).filter(|item| is_shown(*item)).map(Value::text).collect();
    merged(shape, &format!(r#"{{"{name}":[{}]}}"#, shown.join(",")))
}

fn id(object: &Object) -> String {
    quote(&object.shown_id(DIALECT).text)
}

fn name(object: &Object) -> String {
    or_null(Some(object.name.as_deref().unwrap_or_default()))
}

fn times(object: &Object, accepted: Timestamp) -> (i64, i64) {
    let added = time(object, &["addedAt", "createdAt", "added", "created"], accepted);
    (added, time(object, &["updatedAt", "lastUpdate", "modified", "updated"], accepted))
}
