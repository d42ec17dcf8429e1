//! What was lately used, in two generations: bounded, and cheap to keep.

use std::{collections::HashMap, hash::Hash};

/// The latest values; at least as many as a generation holds, and at most twice as many.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    generation: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    pub(super) fn new(generation: usize) -> Self {
        Self { generation, young: HashMap::new(), old: HashMap::new() }
    }

    pub(super) fn put(&mut self, key: K, value: V) {
        if self.young.len() >= self.generation && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_kept_and_never_too_many() {
        let mut recent = Recent::new(10);
        for n in 0..100 {
            recent.put(n, n);
            assert_eq!(recent.get(&(n - n % 10)), Some(&(n - n % 10)), "of {n}");
        }
        assert!(recent.get(&95).is_some() && recent.get(&12).is_none());
        assert!(recent.young.len() + recent.old.len() <= 20);
    }
}
