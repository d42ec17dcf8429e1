//! What is remembered of items that events told of, so that an id a client sends back finds library, name and the publisher's id.
//!
//! In memory, the latest; what an id was derived from is kept longer, see [`DerivedIds`](super::DerivedIds).

use std::{collections::HashMap, sync::Arc};

use parking_lot::RwLock;

use crate::{event::IdForm, id::LibraryId, metrics::map_bytes};

/// Items remembered; the oldest go first.
const ITEMS: usize = 100_000;
/// Bytes of their texts.
const BYTES: usize = 24 << 20;
/// Publishers choose ids, so items of several libraries may have the same: so many are kept apart.
const NAMESAKES: usize = 4;

/// An item that an event told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The publisher's id.
    pub id: Box<str>,
    /// The library it is in.
    pub library: LibraryId,
    /// Its name, if it was told.
    pub name: Option<Box<str>>,
    /// Its type, if it was told.
    pub kind: Option<Box<str>>,
}

/// The items.
#[derive(Debug, Default)]
pub struct Items {
    table: RwLock<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// By what is shown: 32 hexadecimal digits, as a number.
    items: HashMap<u128, Remembered>,
    next_place: u64,
    n_bytes: usize,
}

#[derive(Debug)]
struct Remembered {
    /// Its place in the order of telling.
    place: u64,
    namesakes: Vec<Arc<Item>>,
}

impl Items {
    /// The item that MediaBrowser clients are shown under that id, the first that is wanted: several libraries may have one.
    #[must_use]
    pub fn find(&self, shown: &str, wanted: impl Fn(&Item) -> bool) -> Option<Arc<Item>> {
        let shown = key(shown)?;
        self.table.read().items.get(&shown)?.namesakes.iter().rfind(|item| wanted(item)).map(Arc::clone)
    }

    /// Remembers an item that is shown under that id.
    pub fn remember(&self, shown: &str, item: Item) {
        let Some(shown) = key(shown) else { return };
        self.table.write().put(shown, item);
    }

    /// Remembers only where an item is, unless more is known.
    pub fn remember_place(&self, shown: &str, id: &str, library: &LibraryId) {
        let Some(key) = key(shown) else { return };
        let is_known = |remembered: &Remembered| remembered.namesakes.iter().any(|item| item.library == *library);
        let mut table = self.table.write();
        if !table.items.get(&key).is_some_and(is_known) {
            table.put(key, Item { id: id.into(), library: library.clone(), name: None, kind: None });
        }
    }

    /// Bytes of what is remembered.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        let table = self.table.read();
        table.n_bytes + map_bytes(&table.items)
    }

    /// Forgets the one of that library.
    pub fn forget(&self, shown: &str, library: &LibraryId) {
        let Some(shown) = key(shown) else { return };
        self.table.write().take(shown, library);
    }
}

fn key(shown: &str) -> Option<u128> {
    IdForm::Hex32.fits(shown).then(|| u128::from_str_radix(shown, 16).ok()).flatten()
}

impl Table {
    fn put(&mut self, shown: u128, item: Item) {
        self.take(shown, &item.library);
        self.n_bytes += item.n_bytes();
        self.next_place += 1;
        let remembered = self.items.entry(shown).or_insert_with(|| Remembered { place: 0, namesakes: Vec::new() });
        remembered.place = self.next_place;
        if remembered.namesakes.len() >= NAMESAKES {
            self.n_bytes -= remembered.namesakes.remove(0).n_bytes();
        }
        remembered.namesakes.push(Arc::new(item));
        if self.items.len() > ITEMS || self.n_bytes > BYTES {
            self.forget_an_eighth();
        }
    }

    fn take(&mut self, shown: u128, library: &LibraryId) {
        let Some(remembered) = self.items.get_mut(&shown) else { return };
        let n_bytes = &mut self.n_bytes;
        remembered.namesakes.retain(|item| {
            let stays = item.library != *library;
            if !stays {
                *n_bytes -= item.n_bytes();
            }
            stays
        });
        if remembered.namesakes.is_empty() {
            self.items.remove(&shown);
        }
    }

    /// Many at once, so that looking for the oldest costs each new one little.
    fn forget_an_eighth(&mut self) {
        let mut places: Vec<u64> = self.items.values().map(|remembered| remembered.place).collect();
        let (_, limit, _) = places.select_nth_unstable(self.items.len() / 8);
        let limit = *limit;
        self.items.retain(|_, remembered| remembered.place > limit);
        self.n_bytes = self.items.values().flat_map(|remembered| &remembered.namesakes).map(|item| item.n_bytes()).sum();
    }
}

impl Item {
    fn n_bytes(&self) -> usize {
        let texts = [Some(&self.id), self.name.as_ref(), self.kind.as_ref()];
        texts.into_iter().flatten().map(|text| text.len()).sum::<usize>() + size_of::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: &str, library: &str) -> Item {
        Item { id: id.into(), library: LibraryId::parse(library).expect("an id"), name: Some("Film".into()), kind: None }
    }

    #[test]
    fn an_item_is_found_by_what_is_shown_in_a_library_the_asker_wants() {
        let items = Items::default();
        let shown = IdForm::Hex32.derive("f1");
        items.remember(&shown, item("f1", "films"));
        items.remember(&shown, item("f1", "secret"));
        let find = |library: &str| items.find(&shown, |item| item.library.as_str() == library).map(|item| item.library.to_string());
        assert_eq!((find("films").as_deref(), find("secret").as_deref(), find("shows")), (Some("films"), Some("secret"), None));
        items.forget(&shown, &LibraryId::parse("films").expect("an id"));
        assert_eq!((find("films"), find("secret").as_deref()), (None, Some("secret")));
        assert!(items.find("no id", |_| true).is_none());
    }

    #[test]
    fn the_oldest_are_forgotten_and_what_is_told_of_again_is_young() {
        let items = Items::default();
        let shown = |n: usize| format!("{n:032x}");
        for n in 0..ITEMS {
            items.remember(&shown(n), item(&n.to_string(), "films"));
        }
        items.remember(&shown(0), item("0", "films"));
        items.remember(&shown(ITEMS), item("new", "films"));
        let has = |n: usize| items.find(&shown(n), |_| true).is_some();
        assert!(has(0) && has(ITEMS) && has(ITEMS - 1) && !has(1));
        let table = items.table.read();
        assert!(table.items.len() <= ITEMS && table.n_bytes <= BYTES);
    }
}
