//! How many connections each user and each address has: the limits, and who comes online or goes offline.
//!
//! Knows users by id only, not whether they may connect.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;

use super::{
    comings::ComingsAndGoings,
    tallies::{NOBODY, Tallies},
};
use crate::{config::Limits, id::UserId};

/// There are as many connections as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooManyConnections {
    /// The user has `limits.connections_per_user`.
    #[error("the user has {limit} connections, more are not allowed")]
    OfUser {
        /// The limit.
        limit: usize,
    },
    /// The address has `limits.connections_per_address`.
    #[error("the address has {limit} connections, more are not allowed")]
    OfAddress {
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

/// Counts one connection of a user and of an address until it is dropped. 16 bytes.
#[derive(Debug)]
pub struct ConnectionGuard {
    counts: Option<Arc<ConnectionCounts>>,
    user: u32,
    address: u32,
}

impl ConnectionGuard {
    /// It turned out whose the connection is: from now on it counts for that user, or as one of a key. Whether the user came
    /// online with it.
    ///
    /// # Errors
    /// [`TooManyConnections::OfUser`]; then nothing changes.
    pub fn count_for(&mut self, user: Option<&UserId>) -> Result<bool, TooManyConnections> {
        let Some(counts) = self.counts.clone() else { return Ok(false) };
        let (slot, came_online) = match user {
            Some(user) if counts.users.lock().is_at(user, self.user) => return Ok(false),
            Some(user) => counts.count_user(user)?,
            None => (NOBODY, false),
        };
        counts.release_user(std::mem::replace(&mut self.user, slot));
        Ok(came_online)
    }

    /// Ends the count; whether it was the user's last connection: the user went offline with it.
    #[must_use]
    pub fn leave(mut self) -> bool {
        self.release()
    }

    fn release(&mut self) -> bool {
        self.counts.take().is_some_and(|counts| counts.release(self.user, self.address))
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.release();
    }
}

/// The connections of everybody who has one.
#[derive(Debug)]
pub(super) struct ConnectionCounts {
    /// 0 is no limit, here and below.
    per_user: AtomicUsize,
    per_address: AtomicUsize,
    limit_in_all: AtomicUsize,
    n_in_all: AtomicUsize,
    users: Mutex<Tallies<UserId>>,
    addresses: Mutex<Tallies<IpAddr>>,
    unidentified: Mutex<Unidentified>,
    comings: ComingsAndGoings,
}

/// The connections of which nobody knows yet whose they are.
#[derive(Debug, Default)]
struct Unidentified {
    /// 0 is no limit.
    limit_in_all: usize,
    per_address: usize,
    n_in_all: usize,
    by_address: Tallies<Option<IpAddr>>,
}

/// Set in the slot of a connection of which nobody knows yet whose it is: the rest of it is its address's slot among those.
const UNIDENTIFIED: u32 = 1 << 31;

impl ConnectionCounts {
    /// Counts against the limits of the settings; how many there may be in all is told later.
    pub(super) fn with_limits(limits: &Limits) -> Self {
        let unidentified =
            Unidentified { limit_in_all: limits.unidentified, per_address: limits.unidentified_per_address, ..Unidentified::default() };
        Self { unidentified: Mutex::new(unidentified), ..Self::new(limits.connections_per_user, limits.connections_per_address) }
    }

    /// Counts against limits; 0 is no limit.
    pub(super) fn new(per_user: usize, per_address: usize) -> Self {
        Self {
            per_user: AtomicUsize::new(per_user),
            per_address: AtomicUsize::new(per_address),
            limit_in_all: AtomicUsize::new(usize::MAX),
            n_in_all: AtomicUsize::new(0),
            users: Mutex::default(),
            addresses: Mutex::default(),
            unidentified: Mutex::default(),
            comings: ComingsAndGoings::default(),
        }
    }

    /// Counts against other limits from now on; who is there stays. How many there may be in all is told beside this.
    pub(super) fn set_limits(&self, limits: &Limits) {
        self.per_user.store(limits.connections_per_user, Ordering::Relaxed);
        self.per_address.store(limits.connections_per_address, Ordering::Relaxed);
        let mut unidentified = self.unidentified.lock();
        (unidentified.limit_in_all, unidentified.per_address) = (limits.unidentified, limits.unidentified_per_address);
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

    /// Counts a connection. An API key has no user: it counts only among all and for its address, and nobody comes online.
    /// Addresses are counted only while they have a limit.
    pub(super) fn admit(self: &Arc<Self>, user: Option<&UserId>, address: Option<IpAddr>) -> Result<Admitted, TooManyConnections> {
        let mut guard = self.count(address)?;
        let Some(user) = user else { return Ok(Admitted { guard, came_online: false }) };
        let (slot, came_online) = self.count_user(user)?;
        guard.user = slot;
        Ok(Admitted { guard, came_online })
    }

    /// Counts a connection of which nobody knows yet whose it is. Of these there may be few: nobody answers for them.
    pub(super) fn admit_nobody(self: &Arc<Self>, address: Option<IpAddr>) -> Result<ConnectionGuard, TooManyConnections> {
        let mut guard = self.count(address)?;
        let mut unidentified = self.unidentified.lock();
        let Unidentified { limit_in_all, per_address, n_in_all, .. } = *unidentified;
        if limit_in_all > 0 && n_in_all >= limit_in_all {
            return Err(TooManyConnections::InAll { limit: limit_in_all });
        }
        let limit = if address.is_some_and(is_internal) { 0 } else { per_address };
        let counted = unidentified.by_address.count(&address, limit);
        guard.user = UNIDENTIFIED | counted.ok_or(TooManyConnections::OfAddress { limit: per_address })?.0;
        unidentified.n_in_all += 1;
        Ok(guard)
    }

    /// Counts a connection among all, and for its address.
    fn count(self: &Arc<Self>, address: Option<IpAddr>) -> Result<ConnectionGuard, TooManyConnections> {
        let limit = self.limit_in_all.load(Ordering::Relaxed);
        // From here on a return gives back what was counted so far.
        let mut guard = ConnectionGuard { counts: Some(Arc::clone(self)), user: NOBODY, address: NOBODY };
        if self.n_in_all.fetch_add(1, Ordering::Relaxed) >= limit {
            return Err(TooManyConnections::InAll { limit });
        }
        let per_address = self.per_address.load(Ordering::Relaxed);
        if let Some(address) = address.filter(|_| per_address > 0) {
            let counted = self.addresses.lock().count(&address, per_address);
            guard.address = counted.ok_or(TooManyConnections::OfAddress { limit: per_address })?.0;
        }
        Ok(guard)
    }

    /// The user's slot, and whether he came online.
    fn count_user(&self, user: &UserId) -> Result<(u32, bool), TooManyConnections> {
        let limit = self.per_user.load(Ordering::Relaxed);
        let counted = self.users.lock().count(user, limit);
        let (slot, n_connections) = counted.ok_or(TooManyConnections::OfUser { limit })?;
        let came_online = n_connections == 1;
        if came_online {
            self.comings.note(user);
        }
        Ok((slot, came_online))
    }

    /// How many connections the user has now.
    pub(super) fn of(&self, user: &UserId) -> usize {
        self.users.lock().of(user)
    }

    /// Who has a connection now.
    pub(super) fn users(&self) -> Vec<UserId> {
        self.users.lock().keys().cloned().collect()
    }

    /// Who comes online and goes offline.
    pub(super) fn comings(&self) -> &ComingsAndGoings {
        &self.comings
    }

    /// Whether that was the user's last connection.
    fn release(&self, user: u32, address: u32) -> bool {
        self.n_in_all.fetch_sub(1, Ordering::Relaxed);
        if address != NOBODY {
            self.addresses.lock().release(address);
        }
        self.release_user(user)
    }

    /// Whether that was the user's last connection.
    fn release_user(&self, slot: u32) -> bool {
        if slot != NOBODY && slot & UNIDENTIFIED != 0 {
            let mut unidentified = self.unidentified.lock();
            unidentified.n_in_all = unidentified.n_in_all.saturating_sub(1);
            unidentified.by_address.release(slot & !UNIDENTIFIED);
            return false;
        }
        let gone = if slot == NOBODY { None } else { self.users.lock().release(slot) };
        if let Some(user) = &gone {
            self.comings.note(user);
        }
        gone.is_some()
    }
}

/// Whether nobody comes from there over the Internet, unless through a proxy that is not trusted to say who: then everybody does,
/// and a few who say nothing must not keep all others from saying who they are.
fn is_internal(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
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
        let counts = Arc::new(ConnectionCounts::new(2, 0));
        let first = counts.admit(Some(&user("bob")), None).expect("first");
        let second = counts.admit(Some(&user("bob")), None).expect("second");
        assert!(first.came_online && !second.came_online);
        assert_eq!(counts.admit(Some(&user("bob")), None).expect_err("third"), TooManyConnections::OfUser { limit: 2 });
        assert!(counts.admit(Some(&user("eve")), None).expect("another user").came_online);
        assert_eq!(counts.of(&user("bob")), 2);
        assert!(!first.guard.leave());
        assert!(second.guard.leave());
        assert_eq!(counts.of(&user("bob")), 0);
        assert!(counts.admit(Some(&user("bob")), None).expect("again").came_online);
    }

    #[test]
    fn a_dropped_guard_gives_its_place_back() {
        let counts = Arc::new(ConnectionCounts::new(1, 0));
        for _ in 0..3 {
            let admitted = counts.admit(Some(&user("bob")), None).expect("place");
            assert!(admitted.came_online);
            drop(admitted);
        }
        assert!(counts.users.lock().keys().next().is_none());
        assert_eq!(counts.in_all(), 0);
    }

    #[test]
    fn an_api_key_is_not_counted_and_zero_is_no_limit() {
        let strict = Arc::new(ConnectionCounts::new(1, 0));
        let keys: Vec<_> = (0..3).map(|_| strict.admit(None, None).expect("no user")).collect();
        assert!(keys.iter().all(|admitted| !admitted.came_online));
        let open = Arc::new(ConnectionCounts::new(0, 0));
        let sessions: Vec<_> = (0..300).map(|_| open.admit(Some(&user("bob")), None).expect("no limit")).collect();
        assert_eq!(open.of(&user("bob")), sessions.len());
    }

    #[test]
    fn the_limit_of_an_address_holds_whoever_comes_from_it_and_frees_again() {
        let counts = Arc::new(ConnectionCounts::new(1, 2));
        let (here, there) = (Some(IpAddr::from([192, 0, 2, 1])), Some(IpAddr::from([192, 0, 2, 2])));
        let first = counts.admit(Some(&user("bob")), here).expect("first");
        let _key = counts.admit(None, here).expect("a key counts for its address");
        assert_eq!(counts.admit(Some(&user("eve")), here).expect_err("third"), TooManyConnections::OfAddress { limit: 2 });
        assert_eq!(counts.of(&user("eve")), 0, "who is refused is not counted anywhere");
        assert_eq!(counts.in_all(), 2);
        assert_eq!(counts.admit(Some(&user("bob")), there).expect_err("his second"), TooManyConnections::OfUser { limit: 1 });
        let _elsewhere = counts.admit(Some(&user("eve")), there).expect("another address");
        drop(first);
        let _again = counts.admit(Some(&user("bob")), here).expect("the place is free");
    }

    fn with(limits: Limits) -> Arc<ConnectionCounts> {
        let counts = ConnectionCounts::with_limits(&limits);
        counts.limit_in_all(usize::MAX);
        Arc::new(counts)
    }

    #[test]
    fn a_connection_of_nobody_counts_apart_until_it_turns_out_whose_it_is() {
        let counts = with(Limits { connections_per_user: 2, unidentified_per_address: 3, ..Limits::default() });
        let here = Some(IpAddr::from([192, 0, 2, 1]));
        let mut unidentified: Vec<_> = (0..3).map(|_| counts.admit_nobody(here).expect("room")).collect();
        let full = TooManyConnections::OfAddress { limit: 3 };
        assert_eq!(counts.admit_nobody(here).expect_err("one more"), full);
        let _elsewhere = counts.admit_nobody(None).expect("another address");
        let mut own = unidentified.pop().expect("one");
        assert_eq!(own.count_for(Some(&user("bob"))), Ok(true), "he comes online with it");
        assert_eq!(own.count_for(Some(&user("bob"))), Ok(false), "and counts once");
        assert_eq!(counts.of(&user("bob")), 1);
        let mut key = counts.admit_nobody(here).expect("his place among nobody's is free");
        assert_eq!(key.count_for(None), Ok(false));
        let _second = counts.admit(Some(&user("bob")), here).expect("second");
        let mut third = counts.admit_nobody(here).expect("free again");
        assert_eq!(third.count_for(Some(&user("bob"))), Err(TooManyConnections::OfUser { limit: 2 }));
        assert_eq!(own.count_for(Some(&user("eve"))), Ok(true), "it turns out to be another's");
        assert_eq!((counts.of(&user("bob")), counts.of(&user("eve"))), (1, 1));
        assert!(own.leave());
        drop((unidentified, key, third, _elsewhere, _second));
        assert_eq!((counts.in_all(), counts.unidentified.lock().n_in_all), (0, 0));
        assert!(counts.unidentified.lock().by_address.keys().next().is_none());
    }

    #[test]
    fn everybody_behind_a_proxy_that_is_not_trusted_may_wait_at_once() {
        let limits = Limits { unidentified: 20, unidentified_per_address: 1, ..Limits::default() };
        let internal =
            ["127.0.0.1", "10.0.0.1", "172.18.0.2", "192.168.1.1", "169.254.0.1", "::1", "fd00::1", "fe80::1", "::ffff:10.0.0.1"];
        for address in internal.map(|text| text.parse().ok()) {
            let counts = with(limits.clone());
            let _all: Vec<_> = (0..20).map(|_| counts.admit_nobody(address).expect("room")).collect();
            assert_eq!(counts.admit_nobody(address).expect_err("full"), TooManyConnections::InAll { limit: 20 });
        }
        for address in ["172.32.0.1", "8.8.8.8", "2001:db8::1", "::ffff:8.8.8.8"].map(|text| text.parse().ok()) {
            let counts = with(limits.clone());
            let _one = counts.admit_nobody(address).expect("room");
            assert_eq!(counts.admit_nobody(address).expect_err("full"), TooManyConnections::OfAddress { limit: 1 });
        }
    }

    #[test]
    fn there_are_only_so_many_connections_of_nobody_in_all() {
        let counts = with(Limits { unidentified: 40, ..Limits::default() });
        let address = |n: usize| Some(IpAddr::from(u32::try_from(n).expect("few").to_be_bytes()));
        let _all: Vec<_> = (0..40).map(|n| counts.admit_nobody(address(n)).expect("room")).collect();
        assert_eq!(counts.admit_nobody(address(9_999)).expect_err("full"), TooManyConnections::InAll { limit: 40 });
        assert_eq!(counts.in_all(), 40, "who is refused is not counted");
        let _known = counts.admit(Some(&user("bob")), None).expect("others come in all the same");
    }

    #[test]
    fn a_guard_is_small() {
        assert!(size_of::<ConnectionGuard>() <= 16);
    }
}
