//! What tells whether something has changed, for everybody and for each user.

use std::collections::HashMap;

use crate::id::UserId;

/// Users told apart; beyond that everybody's version changes once.
const USERS: usize = 65_536;

/// The versions.
#[derive(Debug, Default)]
pub(super) struct Versions {
    latest: u64,
    /// What counts for users who are not in the map.
    others: u64,
    of_user: HashMap<UserId, u64>,
}

impl Versions {
    pub(super) fn latest(&self) -> u64 {
        self.latest
    }

    pub(super) fn of(&self, user: &UserId) -> u64 {
        self.of_user.get(user).copied().unwrap_or(self.others)
    }

    /// Something has changed for everybody who sees all, and for these.
    pub(super) fn rise_for<'u>(&mut self, users: impl IntoIterator<Item = &'u UserId>) {
        self.latest += 1;
        for user in users {
            match self.of_user.get_mut(user) {
                Some(version) => *version = self.latest,
                None => self.note(user),
            }
        }
    }

    fn note(&mut self, user: &UserId) {
        if self.of_user.len() >= USERS {
            self.of_user.clear();
            self.others = self.latest;
        }
        self.of_user.insert(user.clone(), self.latest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_for_everybody_it_is_about_and_for_those_who_see_all() {
        let mut versions = Versions::default();
        let [bob, eve] = ["bob", "eve"].map(|user| UserId::parse(user).expect("an id"));
        let before = (versions.latest(), versions.of(&bob), versions.of(&eve));
        versions.rise_for([&bob]);
        assert!(versions.latest() > before.0 && versions.of(&bob) != before.1);
        assert_eq!(versions.of(&eve), before.2);
    }

    #[test]
    fn with_too_many_users_everybody_has_changed() {
        let mut versions = Versions::default();
        let user = |n: usize| UserId::parse(&n.to_string()).expect("an id");
        for n in 0..USERS {
            versions.rise_for([&user(n)]);
        }
        let before = (versions.of(&user(3)), versions.of(&user(USERS + 1)));
        versions.rise_for([&user(USERS)]);
        assert!(versions.of(&user(3)) != before.0 && versions.of(&user(USERS + 1)) != before.1);
        assert!(versions.of_user.len() <= USERS);
    }
}
