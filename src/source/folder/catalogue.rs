//! Reading what is known: the pages a client syncs from after a gap. Rights are checked by the caller.

use std::{collections::BTreeMap, sync::Arc};

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
        let after = after.unwrap_or("");
        let corrections = self.store.in_flight.snapshot();
        let rows = self.store.by_id(library, after, limit + 1)?;
        // What is in flight belongs to this page as far as the rows reach, or as far as it likes when they reach the end.
        let reach = if rows.len() > limit { rows.last().map(|(_, entry)| entry.id.clone()) } else { None };
        let on_this_page = |id: &str| id > after && reach.as_deref().is_none_or(|reach| id <= reach);
        let mut medias: BTreeMap<String, Option<String>> = BTreeMap::new();
        medias.extend(rows.into_iter().map(|(path, entry)| (entry.id.clone(), Some(entry.media(&path)))));
        let corrected = corrections.into_iter().filter(|((of, id), _)| of == library && on_this_page(id));
        medias.extend(corrected.map(|((_, id), media)| (id, media)));
        let next = if medias.len() > limit { medias.keys().nth(limit - 1).cloned() } else { None };
        Ok(Page { medias: medias.into_values().take(limit).flatten().collect(), next })
    }

    /// How many medias the library has.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn count(&self, library: &LibraryId) -> Result<u64, StoreError> {
        self.store.count(library)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, path::PathBuf};

    use super::*;
    use crate::source::folder::{
        entry::{Entry, Facts},
        media_type::Kind,
        store::Change,
    };

    fn entry(id: &str) -> Entry {
        let facts = Facts { size: 1, modified_ns: 1, created: 1, device: 1, inode: 1 };
        Entry { id: id.into(), kind: Kind::Photo, mimetype: "image/jpeg".into(), added: 1, unreadable: false, facts }
    }

    #[test]
    fn a_page_shows_what_is_being_announced_and_not_what_is_recorded() {
        let temporary = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&temporary.path().join("media.redb")).unwrap());
        let library = LibraryId::parse("films").unwrap();
        let change = |id: &str| Change { forget: None, deleted_id: None, remember: Some((PathBuf::from(id), entry(id))) };
        store.commit(&library, &[change("a"), change("c"), change("e")]).unwrap();
        let corrections = [("a", None), ("b", Some("new b")), ("e", Some("new e")), ("f", Some("new f"))];
        let key = |id: &str| (library.clone(), id.to_owned());
        let corrections: HashMap<_, _> = corrections.into_iter().map(|(id, media)| (key(id), media.map(String::from))).collect();

        let in_flight = store.in_flight.mark(corrections);
        let catalogue = Catalogue::new(Arc::clone(&store));
        for limit in 1..9 {
            let (mut all, mut after) = (Vec::new(), None);
            loop {
                let page = catalogue.page(&library, after.as_deref(), limit).unwrap();
                all.extend(page.medias);
                let Some(next) = page.next else { break };
                after = Some(next);
            }
            assert_eq!(all, ["new b".to_owned(), entry("c").media("c".as_ref()), "new e".into(), "new f".into()]);
        }
        drop(in_flight);
        assert_eq!(catalogue.page(&library, None, 9).unwrap().medias.len(), 3);
    }
}
