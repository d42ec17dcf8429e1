//! `LibraryChanged`: what changed in a library, told once it rests, or after a while if it does not (wire notes on MediaBrowser,
//! section 5.1).

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use super::{DIALECT, Digest, array, number};
use crate::{
    event::{Action, Audience, Change, Changes, IdForm, Object, json::Value},
    id::LibraryId,
    source::folder::Catalogue,
    state::{Item, Items},
};

/// Ids in one message.
const IDS: usize = 2000;
/// Changes that wait, of one library and audience; then they are told before it rests.
const CHANGES: usize = 20_000;
/// Medias of a watched library remembered at the start, and read at a time.
const KNOWN: usize = 50_000;
const PAGE: usize = 500;
/// Libraries and audiences of which changes wait; then all are told at once.
const PENDING: usize = 4096;

/// Whose changes go together: one library's (none: those of playlists) for one audience.
type Key = (Option<LibraryId>, Audience);

/// What changed, and is not told yet.
#[derive(Debug)]
pub(super) struct Libraries {
    quiet: Duration,
    cap: Duration,
    pending: HashMap<Key, Pending>,
    /// Told at the next look, because there is too much.
    is_full: bool,
}

/// The changes of one library for one audience.
#[derive(Debug)]
pub(super) struct Pending {
    first: Instant,
    last: Instant,
    /// The library's id as clients are shown it; empty where there is none.
    library: String,
    /// Something happened to the library itself.
    library_changed: bool,
    /// By id as clients are shown it.
    items: HashMap<u128, Action>,
}

impl Libraries {
    pub(super) fn new(quiet: Duration, cap: Duration) -> Self {
        Self { quiet, cap, pending: HashMap::new(), is_full: false }
    }

    /// Where a change goes that was made now.
    pub(super) fn of(&mut self, (library, audience): (Option<&LibraryId>, &Audience), shown: &str, now: Instant) -> &mut Pending {
        self.is_full |= self.pending.len() >= PENDING;
        let key = (library.cloned(), audience.clone());
        let pending = self.pending.entry(key).or_insert_with(|| Pending::new(shown, now));
        pending.last = now;
        pending
    }

    pub(super) fn due(&mut self, now: Instant) -> Vec<Digest> {
        if std::mem::take(&mut self.is_full) {
            return self.all();
        }
        let (quiet, cap) = (self.quiet, self.cap);
        self.tell(|pending| now >= (pending.last + quiet).min(pending.first + cap) || pending.items.len() >= CHANGES)
    }

    pub(super) fn all(&mut self) -> Vec<Digest> {
        self.tell(|_| true)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    fn tell(&mut self, is_due: impl Fn(&Pending) -> bool) -> Vec<Digest> {
        let told = self.pending.extract_if(|_, pending| is_due(pending));
        told.flat_map(|((library, audience), pending)| pending.digests(library.as_ref(), &audience)).collect()
    }
}

impl Pending {
    fn new(library: &str, now: Instant) -> Self {
        Self { first: now, last: now, library: library.to_owned(), library_changed: false, items: HashMap::new() }
    }

    /// Something happened to the library itself.
    pub(super) fn library(&mut self, shown: &str, action: Action) {
        self.library_changed = true;
        shown.clone_into(&mut self.library);
        self.put(shown, action);
    }

    pub(super) fn items(&mut self, changes: &[Change]) {
        for Change { action, object } in changes {
            self.put(&object.shown_id(DIALECT).text, *action);
        }
    }

    /// The last word counts: what is there is told as there, and what is gone as gone, also what was added only just now, for a
    /// client may have asked for it meanwhile. Only what is new stays new when it changes.
    fn put(&mut self, shown: &str, action: Action) {
        let Some(id) = number(shown) else { return };
        let known = self.items.entry(id).or_insert(action);
        if !(*known == Action::Added && action == Action::Updated) {
            *known = action;
        }
    }

    fn digests(self, library: Option<&LibraryId>, audience: &Audience) -> Vec<Digest> {
        let mut items: Vec<(u128, Action)> = self.items.iter().map(|(id, action)| (*id, *action)).collect();
        items.sort_unstable_by_key(|(id, action)| (*action as u8, *id));
        items.chunks(IDS).filter_map(|part| Digest::new("LibraryChanged", &self.payload(part), library, audience)).collect()
    }

    /// All seven fields, none of them ever absent.
    fn payload(&self, items: &[(u128, Action)]) -> String {
        let of = |wanted: Action| items.iter().filter(move |(_, action)| *action == wanted).map(|(id, _)| format!("{id:032x}"));
        // The library is the one folder that is known to hold them; it is no child of itself.
        let holds = |wanted: Action| of(wanted).any(|id| id != self.library);
        let folder = |is_told: bool| array((is_told && !self.library.is_empty()).then_some(self.library.as_str()));
        let has_moved = items.iter().any(|(_, action)| *action != Action::Updated);
        format!(
            r#"{{"FoldersAddedTo":{},"FoldersRemovedFrom":{},"ItemsAdded":{},"ItemsRemoved":{},"ItemsUpdated":{},"CollectionFolders":{},"IsEmpty":false}}"#,
            folder(holds(Action::Added)),
            folder(holds(Action::Deleted)),
            array(of(Action::Added)),
            array(of(Action::Deleted)),
            array(of(Action::Updated)),
            folder(has_moved || self.library_changed),
        )
    }
}

/// Remembers the items that were told of.
pub(super) fn remember(items: &Items, changes: &Changes) {
    for Change { action, object } in &changes.items {
        let shown = object.shown_id(DIALECT).text;
        if *action == Action::Deleted {
            items.forget(&shown, &changes.library);
        } else {
            items.remember(&shown, item(object, &changes.library));
        }
    }
}

/// Remembers the medias of a watched library that were known before this start, as far as there is room.
pub(super) fn remember_known(items: &Items, catalogue: &Catalogue, library: &LibraryId, stopped: &AtomicBool) {
    let (mut after, mut n_items) = (None::<String>, 0);
    while n_items < KNOWN && !stopped.load(Ordering::Acquire) {
        let page = match catalogue.page(library, after.as_deref(), PAGE) {
            Ok(page) => page,
            Err(error) => return tracing::warn!(%error, %library, "what clients check in of it may not be understood"),
        };
        n_items += page.medias.len();
        for media in page.medias.iter().filter_map(|media| known(media, library)) {
            let shown = IdForm::of(DIALECT).show(None, &media.id).text.into_owned();
            items.remember(&shown, media);
        }
        after = page.next;
        if after.is_none() {
            return;
        }
    }
}

fn known(media: &str, library: &LibraryId) -> Option<Item> {
    let media = Value::of_compact(media);
    let text = |name| media.field(name).and_then(Value::string).map(|text| text.as_ref().into());
    Some(Item { id: text("id")?, library: library.clone(), name: text("name"), kind: text("type") })
}

fn item(object: &Object, library: &LibraryId) -> Item {
    let text = |text: &Option<crate::event::json::Text>| text.as_ref().map(|text| text.as_str().into());
    Item { id: object.id.as_str().into(), library: library.clone(), name: text(&object.name), kind: text(&object.kind) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::folder::Store;

    #[test]
    fn a_media_of_a_watched_folder_is_known_by_its_text() {
        let library = LibraryId::parse("photos").expect("an id");
        let item = known(r#"{"id":"m1","name":"a.jpg","type":"photo","size":3}"#, &library).expect("it has an id");
        assert_eq!((&*item.id, item.name.as_deref(), item.kind.as_deref()), ("m1", Some("a.jpg"), Some("photo")));
        assert_eq!(known(r#"{"name":"a.jpg"}"#, &library), None);
    }

    #[test]
    fn a_library_that_holds_nothing_is_read_to_its_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("media.redb")).expect("opens");
        let (items, library) = (Items::default(), LibraryId::parse("photos").expect("an id"));
        remember_known(&items, &Catalogue::new(store.into()), &library, &AtomicBool::new(false));
        assert!(items.find(&"0".repeat(32), |_| true).is_none());
    }
}
