//! How many connections each user has: the limit, and who comes online or goes offline.
//!
//! Knows users by id only, not whether they may connect.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use slab::Slab;

use crate::id::UserId;

/// There are as many connections as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooManyConnections {
    /// The user has `limits.connections_per_user`.
    #[error("the user has {limit} connections, more are not allowed")]
    OfUser {
        /// The limit.
        limit: usize,
    },
    /// The server has `limits.connections`.
    #[error("the server has {limit} connections, more are not allowed")]
    InAll {
        /// The limit.
        limit: usize,
    },
}

/// A connection that was let in.
#[derive(Debug)]
pub struct Admitted {
    /// Keeps the connection counted until it is dropped.
    pub guard: ConnectionGuard,
    /// Whether it is the user's first: the user came online with it.
    pub came_online: bool,
}

/// Counts one connection of a user until it is dropped. 16 bytes.
#[derive(Debug)]
pub struct ConnectionGuard {
    counts: Option<Arc<ConnectionCounts>>,
    slot: u32,
}

impl ConnectionGuard {
    /// Ends the count; whether it was the user's last connection: the user went offline with it.
    #[must_use]
    pub fn leave(mut self) -> bool {
        self.release()
    }

    fn release(&mut self) -> bool {
        self.counts.take().is_some_and(|counts| counts.release(self.slot))
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.release();
    }
}

/// The connections of every user who has one.
#[derive(Debug)]
pub(super) struct ConnectionCounts {
    limit: usize,
    limit_in_all: AtomicUsize,
    n_in_all: AtomicUsize,
    online: Mutex<Online>,
}

/// The slot of connections that belong to no user.
const NOBODY: u32 = u32::MAX;

#[derive(Debug, Default)]
struct Online {
    slots: HashMap<UserId, u32>,
    users: Slab<(UserId, usize)>,
}

impl ConnectionCounts {
    /// Counts against a limit; 0 is no limit.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, limit_in_all: AtomicUsize::new(usize::MAX), n_in_all: AtomicUsize::new(0), online: Mutex::default() }
    }

    /// Limits all connections together.
    pub(super) fn limit_in_all(&self, limit: usize) {
        self.limit_in_all.store(limit, Ordering::Relaxed);
    }

    pub(super) fn limit_of_all(&self) -> usize {
        self.limit_in_all.load(Ordering::Relaxed)
    }

    /// All connections counted now.
    pub(super) fn in_all(&self) -> usize {
        self.n_in_all.load(Ordering::Relaxed)
    }

    /// Counts a connection. An API key has no user: it counts only among all, and nobody comes online.
    pub(super) fn admit(self: &Arc<Self>, user: Option<&UserId>) -> Result<Admitted, TooManyConnections> {
        let limit = self.limit_in_all.load(Ordering::Relaxed);
        if self.n_in_all.fetch_add(1, Ordering::Relaxed) >= limit {
            self.n_in_all.fetch_sub(1, Ordering::Relaxed);
            return Err(TooManyConnections::InAll { limit });
        }
        let counted = user.map_or(Ok((NOBODY, 0)), |user| self.count(user));
        let (slot, n_connections) = counted.inspect_err(|_| {
            self.n_in_all.fetch_sub(1, Ordering::Relaxed);
        })?;
        Ok(Admitted { guard: ConnectionGuard { counts: Some(Arc::clone(self)), slot }, came_online: n_connections == 1 })
    }

    /// How many connections the user has now.
    pub(super) fn of(&self, user: &UserId) -> usize {
        let online = self.online.lock();
        online.slots.get(user).and_then(|slot| online.users.get(*slot as usize)).map_or(0, |(_, count)| *count)
    }

    /// The user's slot and how many connections there are with the new one.
    fn count(&self, user: &UserId) -> Result<(u32, usize), TooManyConnections> {
        let mut guard = self.online.lock();
        let online = &mut *guard;
        if let Some(slot) = online.slots.get(user) {
            let (_, count) = &mut online.users[*slot as usize];
            if self.limit > 0 && *count >= self.limit {
                return Err(TooManyConnections::OfUser { limit: self.limit });
            }
            *count += 1;
            return Ok((*slot, *count));
        }
        // More users than 2^32 cannot be online: each holds a descriptor.
        let slot = u32::try_from(online.users.insert((user.clone(), 1))).unwrap_or(u32::MAX);
        online.slots.insert(user.clone(), slot);
        Ok((slot, 1))
    }

    /// Whether that was the user's last connection.
    fn release(&self, slot: u32) -> bool {
        self.n_in_all.fetch_sub(1, Ordering::Relaxed);
        let mut online = self.online.lock();
        let Some((_, count)) = online.users.get_mut(slot as usize) else { return false };
        *count -= 1;
        if *count > 0 {
            return false;
        }
        let (user, _) = online.users.remove(slot as usize);
        online.slots.remove(&user);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        UserId::parse(id).expect("id")
    }

    #[test]
    fn the_first_connection_comes_online_and_the_last_goes_offline() {
        let counts = Arc::new(ConnectionCounts::new(2));
        let first = counts.admit(Some(&user("bob"))).expect("first");
        let second = counts.admit(Some(&user("bob"))).expect("second");
        assert!(first.came_online && !second.came_online);
        assert_eq!(counts.admit(Some(&user("bob"))).expect_err("third"), TooManyConnections::OfUser { limit: 2 });
        assert!(counts.admit(Some(&user("eve"))).expect("another user").came_online);
        assert_eq!(counts.of(&user("bob")), 2);
        assert!(!first.guard.leave());
        assert!(second.guard.leave());
        assert_eq!(counts.of(&user("bob")), 0);
        assert!(counts.admit(Some(&user("bob"))).expect("again").came_online);
    }

    #[test]
    fn a_dropped_guard_gives_its_place_back() {
        let counts = Arc::new(ConnectionCounts::new(1));
        for _ in 0..3 {
            let admitted = counts.admit(Some(&user("bob"))).expect("place");
            assert!(admitted.came_online);
            drop(admitted);
        }
        assert!(counts.online.lock().slots.is_empty());
    }

    #[test]
    fn an_api_key_is_not_counted_and_zero_is_no_limit() {
        let strict = Arc::new(ConnectionCounts::new(1));
        let keys: Vec<_> = (0..3).map(|_| strict.admit(None).expect("no user")).collect();
        assert!(keys.iter().all(|admitted| !admitted.came_online));
        let open = Arc::new(ConnectionCounts::new(0));
        let sessions: Vec<_> = (0..300).map(|_| open.admit(Some(&user("bob"))).expect("no limit")).collect();
        assert_eq!(open.of(&user("bob")), sessions.len());
    }

    #[test]
    fn a_guard_is_small() {
        assert!(size_of::<ConnectionGuard>() <= 16);
    }
}
