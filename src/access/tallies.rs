//! Counting by key, where whoever is counted keeps four bytes to know his key by.

use std::{collections::HashMap, hash::Hash};

use slab::Slab;

/// The slot of what is counted for no key.
pub(super) const NOBODY: u32 = u32::MAX;

/// How many each of those has who have any. A slot names one as long as it has.
#[derive(Debug)]
pub(super) struct Tallies<K> {
    slots: HashMap<K, u32>,
    counts: Slab<(K, usize)>,
}

impl<K> Default for Tallies<K> {
    fn default() -> Self {
        Self { slots: HashMap::new(), counts: Slab::new() }
    }
}

impl<K: Clone + Eq + Hash> Tallies<K> {
    /// The slot, and how many there are with the new one; `None` at the limit (0: no limit).
    pub(super) fn count(&mut self, key: &K, limit: usize) -> Option<(u32, usize)> {
        if let Some(slot) = self.slots.get(key) {
            let (_, count) = &mut self.counts[*slot as usize];
            if limit > 0 && *count >= limit {
                return None;
            }
            *count += 1;
            return Some((*slot, *count));
        }
        // More than 2^31 cannot have a connection: each holds a descriptor.
        let slot = u32::try_from(self.counts.insert((key.clone(), 1))).unwrap_or(NOBODY);
        self.slots.insert(key.clone(), slot);
        Some((slot, 1))
    }

    /// Whether that slot is the key's.
    pub(super) fn is_at(&self, key: &K, slot: u32) -> bool {
        self.slots.get(key) == Some(&slot)
    }

    pub(super) fn of(&self, key: &K) -> usize {
        self.slots.get(key).and_then(|slot| self.counts.get(*slot as usize)).map_or(0, |(_, count)| *count)
    }

    /// All that have any.
    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.slots.keys()
    }

    /// Whose the last was, if that was the last.
    pub(super) fn release(&mut self, slot: u32) -> Option<K> {
        let (_, count) = self.counts.get_mut(slot as usize)?;
        *count -= 1;
        if *count > 0 {
            return None;
        }
        let (key, _) = self.counts.remove(slot as usize);
        self.slots.remove(&key);
        Some(key)
    }
}
