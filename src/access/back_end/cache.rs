//! What the back end said of which token, and when that must be looked at again.
//!
//! Pure: times are handed in. Bounded in what nobody holds; what a session holds is bounded by the sessions.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Instant,
};

use super::{Hash, Landed};
use crate::{
    access::{Denied, credential::Held},
    config::Secret,
};

/// A token the back end knows.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) held: Arc<Held>,
    /// To ask again with.
    pub(super) token: Secret,
    /// Until then new connections get in without a question.
    pub(super) fresh_until: Instant,
    /// When the credential ends, if it does.
    pub(super) ends: Option<Instant>,
}

impl Known {
    /// Whether a session, or somebody about to open one, holds it.
    fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.held) > 1
    }
}

/// What was said.
#[derive(Debug)]
pub(super) enum Entry {
    /// It counts.
    Known(Known),
    /// It does not.
    Refused(Denied),
}

/// All that is remembered.
#[derive(Debug)]
pub(super) struct Cache {
    entries: HashMap<Hash, (Entry, Instant)>,
    /// Every entry once, by when it is due.
    due: BTreeSet<(Instant, Hash)>,
    /// The most entries in nobody's use.
    limit: usize,
    /// With so many entries it is time to look which are in use.
    sweep_at: usize,
}

impl Cache {
    pub(super) fn new(limit: usize) -> Self {
        Self { entries: HashMap::new(), due: BTreeSet::new(), limit, sweep_at: limit }
    }

    /// What counts at this moment; `None` when it must be asked.
    pub(super) fn find(&self, hash: &Hash, now: Instant) -> Option<Landed> {
        match self.entries.get(hash) {
            Some((Entry::Known(known), _)) if now < known.fresh_until => Some(Ok(Arc::clone(&known.held))),
            Some((Entry::Refused(denied), until)) if now < *until => Some(Err(*denied)),
            _ => None,
        }
    }

    /// What is known of a token, however long ago it was said.
    pub(super) fn known(&self, hash: &Hash) -> Option<&Known> {
        match self.entries.get(hash) {
            Some((Entry::Known(known), _)) => Some(known),
            _ => None,
        }
    }

    pub(super) fn held(&self, hash: &Hash) -> Option<Arc<Held>> {
        self.known(hash).map(|known| Arc::clone(&known.held))
    }

    pub(super) fn insert(&mut self, hash: Hash, entry: Entry, due: Instant) {
        self.remove(&hash);
        if self.entries.len() >= self.sweep_at {
            self.sweep();
        }
        self.due.insert((due, hash));
        self.entries.insert(hash, (entry, due));
    }

    pub(super) fn remove(&mut self, hash: &Hash) -> Option<Entry> {
        let (entry, due) = self.entries.remove(hash)?;
        self.due.remove(&(due, *hash));
        Some(entry)
    }

    /// The entries that are due. Those in nobody's use go; the others are due again then, which is after `now`, or when
    /// they end.
    pub(super) fn take_due(&mut self, now: Instant, again: Instant) -> Vec<Hash> {
        let mut in_use = Vec::new();
        while let Some((due, hash)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            self.due.remove(&(due, hash));
            match self.entries.get_mut(&hash) {
                Some((Entry::Known(known), due)) if known.is_in_use() => {
                    let next = known.ends.filter(|ends| *ends > now).map_or(again, |ends| again.min(ends));
                    *due = next;
                    self.due.insert((next, hash));
                    in_use.push(hash);
                }
                _ => drop(self.entries.remove(&hash)),
            }
        }
        in_use
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.entries.len(), self.due.len());
        self.entries.len()
    }

    /// Makes room: of what is in nobody's use the half that would go first goes now.
    fn sweep(&mut self) {
        let is_unused = |hash: &Hash| match self.entries.get(hash) {
            Some((Entry::Known(known), _)) => !known.is_in_use(),
            _ => true,
        };
        let unused: Vec<Hash> = self.due.iter().map(|(_, hash)| *hash).filter(is_unused).collect();
        let n_too_many = unused.len().saturating_sub(self.limit / 2);
        for hash in &unused[..n_too_many] {
            self.remove(hash);
        }
        self.sweep_at = self.entries.len() + (self.limit / 2).max(1);
    }
}
