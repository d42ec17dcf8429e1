//! Changes of a library's content: medias, episodes, series, movies, people, tags and collections share one shape.

use super::{
    EventKind,
    body::{Abridgement, Body},
    field::{FieldError, Source, library, pick},
    json::Value,
    object::{Action, Object},
    redact::Scope,
};
use crate::id::LibraryId;

/// One change of one object.
#[derive(Debug, Clone)]
pub struct Change {
    /// What happened.
    pub action: Action,
    /// The media, episode, serie, movie, person, tag, collection or playlist.
    pub object: Object,
}

/// `{library, medias:[{action, media:{…}}]}` and its six sisters. Readers of the library see it.
#[derive(Debug, Clone)]
pub struct Changes {
    /// The library all of them are in.
    pub library: LibraryId,
    /// In the order they were published; at most as many as the limit on items.
    pub items: Vec<Change>,
    pub(super) body: Body,
}

/// The names of a family's array and of the object in each of its items (document 002).
pub(crate) const fn names(kind: EventKind) -> Option<(&'static str, &'static str)> {
    match kind {
        EventKind::Medias => Some(("medias", "media")),
        EventKind::Episodes => Some(("episodes", "episode")),
        EventKind::Series => Some(("series", "serie")),
        EventKind::Movies => Some(("movies", "movie")),
        EventKind::People => Some(("people", "person")),
        EventKind::Tags => Some(("tags", "tag")),
        EventKind::Collections => Some(("collections", "collection")),
        EventKind::Playlists => Some(("playlists", "playlist")),
        _ => None,
    }
}

impl Changes {
    pub(super) fn read(source: Source<'_>, value: Value<'_>, kind: EventKind) -> Result<Self, FieldError> {
        let (array, element) = names(kind).unwrap_or(("items", "item"));
        let [own, changes] = pick(value, ["library", array])?;
        let library = library(own, "library")?;
        let items = read_changes(source, changes, kind, (array, element), Some(&library))?;
        Ok(Self { library, items, body: Body::read(source, value, Abridgement::Secrets)? })
    }
}

/// The changes of a family's array; in a library, no object may say that it is in another one.
pub(super) fn read_changes(
    source: Source<'_>,
    changes: Option<Value<'_>>,
    kind: EventKind,
    (array, element): (&'static str, &'static str),
    library: Option<&LibraryId>,
) -> Result<Vec<Change>, FieldError> {
    let mut items = Vec::new();
    for (index, change) in source.items(changes, array)?.enumerate() {
        let change = read_change(source, change, kind, element, library);
        items.push(change.map_err(|error| error.inside(&format!("{array}[{index}]")))?);
    }
    Ok(items)
}

fn read_change(
    source: Source<'_>,
    value: Value<'_>,
    kind: EventKind,
    element: &'static str,
    library: Option<&LibraryId>,
) -> Result<Change, FieldError> {
    let [action, object] = pick(value, ["action", element])?;
    let action = Action::read(action)?;
    let object = object.ok_or_else(|| FieldError::new(element, "is required and must be an object"))?;
    if let Some(library) = library {
        same_library(object, library).map_err(|error| error.inside(element))?;
    }
    let object = match kind {
        EventKind::Episodes => Object::read_episode(source, object),
        _ => Object::read(source, object, Scope::Outside),
    };
    Ok(Change { action, object: object.map_err(|error| error.inside(element))? })
}

/// An event names one library: an object that says it is in another one would be shown to the wrong people.
pub(super) fn same_library(object: Value<'_>, library: &LibraryId) -> Result<(), FieldError> {
    for field in object.fields().filter(|field| matches!(&*field.name, "library" | "libraryId" | "library_id")) {
        if field.value.string().is_some_and(|named| named != library.as_str()) {
            return Err(FieldError::new(field.name, "must be the library of the event: an event names one library"));
        }
    }
    Ok(())
}
