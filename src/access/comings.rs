//! Users whose first connection came or whose last one went, for whoever tells of it.
//!
//! Says only who is to be looked at: how many connections a user has is counted elsewhere, and may have changed meanwhile.

use std::{collections::HashSet, time::Duration};

use parking_lot::{Condvar, Mutex};

use super::Directory;
use crate::id::UserId;

/// Users remembered by name; beyond that everybody is to be looked at.
const USERS: usize = 16_384;

/// Who came or went.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Comings {
    /// These users.
    pub users: HashSet<UserId>,
    /// More than could be remembered: anybody may have.
    pub anybody: bool,
}

impl Directory {
    /// The users who have a connection now.
    #[must_use]
    pub fn users_connected(&self) -> Vec<UserId> {
        self.counts.users()
    }

    /// From here on [`Directory::next_comings`] tells who comes and goes. There is one to be told.
    pub fn look_at_comings(&self) {
        self.counts.comings().begin();
    }

    /// Whose first connection came or whose last one went since this was last asked; waits for somebody, at most that long.
    /// `None` after [`Directory::look_away`].
    #[must_use]
    pub fn next_comings(&self, patience: Duration) -> Option<Comings> {
        self.counts.comings().next(patience)
    }

    /// Nobody wants to know any more, and who waits is woken.
    pub fn look_away(&self) {
        self.counts.comings().end();
    }
}

/// What is to be looked at. Nothing is remembered before somebody looks.
#[derive(Debug, Default)]
pub(super) struct ComingsAndGoings {
    waiting: Mutex<Waiting>,
    told: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    comings: Comings,
    is_looked_at: bool,
    is_over: bool,
}

impl ComingsAndGoings {
    /// The user came, or went.
    pub(super) fn note(&self, user: &UserId) {
        let mut waiting = self.waiting.lock();
        if !waiting.is_looked_at {
            return;
        }
        let comings = &mut waiting.comings;
        if comings.users.len() < USERS {
            comings.users.insert(user.clone());
        } else {
            comings.anybody |= !comings.users.contains(user);
        }
        self.told.notify_one();
    }

    /// Whoever looks from here on is told of what happens from here on.
    pub(super) fn begin(&self) {
        self.waiting.lock().is_looked_at = true;
    }

    /// Waits for somebody to come or go, at most that long. `None`: it is over.
    pub(super) fn next(&self, patience: Duration) -> Option<Comings> {
        let mut waiting = self.waiting.lock();
        let nothing = |waiting: &mut Waiting| !waiting.is_over && waiting.comings == Comings::default();
        let _ = self.told.wait_while_for(&mut waiting, nothing, patience);
        (!waiting.is_over).then(|| std::mem::take(&mut waiting.comings))
    }

    /// Nobody looks any more.
    pub(super) fn end(&self) {
        let mut waiting = self.waiting.lock();
        *waiting = Waiting { is_over: true, ..Waiting::default() };
        self.told.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: usize) -> UserId {
        UserId::parse(&id.to_string()).expect("an id")
    }

    #[test]
    fn who_came_or_went_is_told_once_and_only_while_somebody_looks() {
        let comings = ComingsAndGoings::default();
        comings.note(&user(1));
        comings.begin();
        assert_eq!(comings.next(Duration::ZERO), Some(Comings::default()));
        comings.note(&user(2));
        comings.note(&user(2));
        assert_eq!(comings.next(Duration::from_secs(60)), Some(Comings { users: HashSet::from([user(2)]), anybody: false }));
        comings.note(&user(3));
        comings.end();
        assert_eq!(comings.next(Duration::from_secs(60)), None);
    }

    #[test]
    fn when_too_many_come_at_once_everybody_is_looked_at() {
        let comings = ComingsAndGoings::default();
        comings.begin();
        for n in 0..=USERS {
            comings.note(&user(n));
        }
        let told = comings.next(Duration::ZERO).expect("not over");
        assert!(told.anybody && told.users.len() == USERS);
        assert_eq!(comings.next(Duration::ZERO), Some(Comings::default()));
    }
}
