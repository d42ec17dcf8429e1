//! What real servers call the users whose tokens they were asked about, for those that the settings do not name.
//!
//! A name is kept while a session or the cache holds a token of its user, and until others need the room.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use super::{Directory, credential::Held};
use crate::id::UserId;

/// Longer names are none that people read, and are not kept.
const MAX_BYTES: usize = 256;

/// Beyond so many, names of users who have gone are forgotten.
const SWEEP: usize = 64;

impl Directory {
    /// What the server that knows the user's token calls him. The settings may have another name for him.
    #[must_use]
    pub fn name_told(&self, user: &UserId) -> Option<Arc<str>> {
        self.people.lock().names.of(user)
    }
}

/// Names by user.
#[derive(Debug, Default)]
pub(super) struct Names {
    told: HashMap<UserId, (Arc<str>, Weak<Held>)>,
    sweep_at: usize,
}

impl Names {
    /// Keeps the name that came with a token, if one did.
    pub(super) fn note(&mut self, held: &Arc<Held>) {
        let grant = held.grant();
        let Some((user, name)) = grant.user.as_ref().zip(grant.name.as_ref()) else { return };
        if name.is_empty() || name.len() > MAX_BYTES {
            return;
        }
        if self.told.len() >= self.sweep_at {
            self.told.retain(|_, (_, held)| held.strong_count() > 0);
            self.sweep_at = 2 * self.told.len() + SWEEP;
        }
        self.told.insert(user.clone(), (Arc::clone(name), Arc::downgrade(held)));
    }

    fn of(&self, user: &UserId) -> Option<Arc<str>> {
        self.told.get(user).map(|(name, _)| Arc::clone(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{
        Principal, TokenHash,
        credential::{Grant, Origin},
    };

    fn user(id: usize) -> UserId {
        UserId::parse(&id.to_string()).expect("an id")
    }

    fn held(id: usize, name: &str) -> Arc<Held> {
        let grant = Grant { user: Some(user(id)), name: Some(name.into()), own: Principal::default(), alone: true };
        Arc::new(Held::new(TokenHash::of(name), Origin::Configured, None, grant, Ok(Arc::default())))
    }

    #[test]
    fn names_are_bounded_in_length_and_in_number() {
        let (mut names, kept) = (Names::default(), held(0, "kept"));
        names.note(&kept);
        for gone in 1..1000 {
            names.note(&held(gone, "gone"));
        }
        assert!(names.told.len() <= 2 * SWEEP, "{}", names.told.len());
        assert_eq!(names.of(&user(0)).as_deref(), Some("kept"));
        names.note(&held(0, "renamed"));
        for none in [String::new(), "x".repeat(MAX_BYTES + 1)] {
            names.note(&held(0, &none));
        }
        assert_eq!(names.of(&user(0)).as_deref(), Some("renamed"));
    }
}
