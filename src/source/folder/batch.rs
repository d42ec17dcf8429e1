//! Changes found but not announced yet: one `medias` message in the making, with what to record once it is accepted.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use super::{
    announce::{self, Action, Announcement},
    entry::Entry,
    in_flight::Corrections,
    store::Change,
};
use crate::id::LibraryId;

/// A message holds no more than this, unless one media alone is larger.
const MAX_BYTES: usize = 256 * 1024;
/// Changes that are recorded but not announced (a file's inode) are gathered up to this many.
const MAX_CHANGES: usize = 2_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Batch {
    items: Vec<String>,
    bytes: usize,
    pub(super) changes: Vec<Change>,
    /// Paths whose state in the store is out of date.
    touched: HashSet<PathBuf>,
    ids: HashSet<String>,
    pub(super) deletes: bool,
}

impl Batch {
    /// The file is new, or changed, or has the new name `path` instead of `old_path`.
    pub(super) fn announce(&mut self, action: Action, old_path: Option<PathBuf>, path: PathBuf, entry: Entry) {
        self.item(announce::media_item(action, &entry.media(&path)));
        self.ids.insert(entry.id.clone());
        self.touched.extend(old_path.clone());
        self.remember(old_path, path, entry);
    }

    /// The file is gone.
    pub(super) fn announce_deleted(&mut self, path: PathBuf, entry: &Entry) {
        self.item(announce::media_item(Action::Deleted, &entry.deleted_media(&path)));
        self.ids.insert(entry.id.clone());
        self.touched.insert(path.clone());
        self.changes.push(Change { forget: Some(path), deleted_id: Some(entry.id.clone()), remember: None });
        self.deletes = true;
    }

    /// Nothing that clients see has changed.
    pub(super) fn remember_silently(&mut self, path: PathBuf, entry: Entry) {
        self.remember(None, path, entry);
    }

    fn remember(&mut self, forget: Option<PathBuf>, path: PathBuf, entry: Entry) {
        self.touched.insert(path.clone());
        self.changes.push(Change { forget, deleted_id: None, remember: Some((path, entry)) });
    }

    fn item(&mut self, item: String) {
        self.bytes += item.len() + 1;
        self.items.push(item);
    }

    pub(super) fn is_full(&self, max_items: usize) -> bool {
        // The next item is at most a few KiB (a path has at most 4 KiB, six times that when escaped).
        self.items.len() >= max_items || self.bytes + 32 * 1024 > MAX_BYTES || self.changes.len() >= MAX_CHANGES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub(super) fn touches(&self, path: &Path) -> bool {
        self.touched.contains(path)
    }

    pub(super) fn has_id(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// The message, if there is anything to say.
    pub(super) fn message(&self, library: &LibraryId) -> Option<Announcement> {
        (!self.items.is_empty()).then(|| announce::medias(library, &self.items))
    }

    /// What pages must show while this is under way.
    pub(super) fn corrections(&self, library: &LibraryId) -> Corrections {
        let corrected = self.changes.iter().filter_map(|change| match (&change.remember, &change.deleted_id) {
            (Some((path, entry)), _) => Some((entry.id.clone(), Some(entry.media(path)))),
            (None, Some(id)) => Some((id.clone(), None)),
            (None, None) => None,
        });
        corrected.map(|(id, media)| ((library.clone(), id), media)).collect()
    }
}
