//! Reading what is known: the pages a client syncs from after a gap. Rights are checked by the caller.

use std::sync::Arc;

use super::store::{Store, StoreError};
use crate::id::LibraryId;

/// The longest page.
pub const MAX_PAGE: usize = 1000;

/// Reads the medias of watched libraries. Cheap to clone; blocks on the disk, so not for an async worker thread.
#[derive(Debug, Clone)]
pub struct Catalogue {
    store: Arc<Store>,
}

/// A run of medias in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Each media as JSON text, the same text as in the `medias` events.
    pub medias: Vec<String>,
    /// What to pass as `after` for the next page; `None` at the end.
    pub next: Option<String>,
}

impl Catalogue {
    /// A reader of this store.
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// The medias after the cursor `after`, at most `limit` (1 to [`MAX_PAGE`]; other values are brought into that range).
    ///
    /// A page never shows an older state than the events announced before the call. While it pages, a client keeps
    /// the events that arrive and applies them after the pages. An unknown library has no medias.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn page(&self, library: &LibraryId, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let corrections = self.store.in_flight.snapshot();
        let mut rows = self.store.by_id(library, after.unwrap_or(""), limit + 1)?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(|(_, entry)| entry.id.clone()) } else { None };
        let medias = rows.into_iter().filter_map(|(path, entry)| {
            let media = entry.media(&path);
            corrections.get(&(library.clone(), entry.id)).map_or(Some(media), Clone::clone)
        });
        Ok(Page { medias: medias.collect(), next })
    }

    /// How many medias the library has.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn count(&self, library: &LibraryId) -> Result<u64, StoreError> {
        self.store.count(library)
    }
}
