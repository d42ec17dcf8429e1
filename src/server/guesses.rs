//! Passwords that were tried, counted by address and by name: after so many wrong ones in a minute further ones must wait.
//!
//! Unlike a bad token, a wrong password is counted before it is compared, or many tried at once would all be compared; a
//! right one is taken back. The name is counted too, so that many addresses together try no more than one; whoever logged in
//! from an address lately is not shut out there by strangers who try his name.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::{address::network, per_minute::PerMinute};

/// The window in which tries are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// How long an address from which somebody logged in is his.
const HOME: Duration = Duration::from_secs(7 * 24 * 3600);
/// Addresses and names remembered at once. Whoever comes beyond them shares one count with the others who do.
const MAX_KEYS: usize = 16_384;

/// Counts tries.
#[derive(Debug)]
pub(super) struct Guesses {
    /// In one window; without a limit nothing is counted.
    limit: PerMinute,
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    windows: HashMap<Key, (Instant, u32)>,
    /// Who logged in from where, and when.
    homes: HashMap<(NameHash, IpAddr), Instant>,
}

type NameHash = [u8; 32];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    Name(NameHash),
    EverybodyElse,
}

impl Guesses {
    /// Allows so many.
    pub(super) fn new(limit: PerMinute) -> Self {
        Self { limit, counted: Mutex::default() }
    }

    /// Counts a try before it is made; `Err` is how long to wait first.
    pub(super) fn begin(&self, name: &str, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let Some(limit) = self.limit.limit() else { return Ok(()) };
        let mut counted = self.counted.lock();
        let keys = counted.keys(name, address, now);
        let wait = keys.iter().filter_map(|key| {
            let (began, n_tries) = *counted.windows.get(key)?;
            (n_tries >= limit).then(|| WINDOW.saturating_sub(now.saturating_duration_since(began)))
        });
        if let Some(wait) = wait.max() {
            return Err(wait);
        }
        for key in keys {
            counted.windows.entry(key).or_insert((now, 0)).1 += 1;
        }
        Ok(())
    }

    /// The password was right: the try takes nothing away from those after it, and the address is his from now on.
    pub(super) fn was_right(&self, name: &str, address: Option<IpAddr>, now: Instant) {
        if self.limit.limit().is_none() {
            return;
        }
        let mut counted = self.counted.lock();
        for key in counted.keys(name, address, now) {
            if let Some((_, n_tries)) = counted.windows.get_mut(&key) {
                *n_tries = n_tries.saturating_sub(1);
            }
        }
        if let Some(address) = address
            && (counted.homes.len() < MAX_KEYS || counted.homes.contains_key(&home(name, address)))
        {
            counted.homes.insert(home(name, address), now);
        }
    }
}

impl Counted {
    /// Under which keys a try counts.
    fn keys(&mut self, name: &str, address: Option<IpAddr>, now: Instant) -> Vec<Key> {
        self.forget(now);
        let is_home = address.is_some_and(|address| self.homes.contains_key(&home(name, address)));
        let by_name = (!is_home).then(|| Key::Name(hash(name)));
        let keys = address.map(|address| Key::Address(network(address))).into_iter().chain(by_name);
        let is_full = self.windows.len() >= MAX_KEYS;
        keys.map(|key| if is_full && !self.windows.contains_key(&key) { Key::EverybodyElse } else { key }).collect()
    }

    /// Windows that are over go: those of this try's keys, and all when there are many.
    fn forget(&mut self, now: Instant) {
        self.windows.retain(|_, (began, _)| now.saturating_duration_since(*began) < WINDOW);
        if self.homes.len() >= MAX_KEYS {
            self.homes.retain(|_, since| now.saturating_duration_since(*since) < HOME);
        }
    }
}

/// A name in any case is one name. Its hash, because it may be as long as a body.
fn hash(name: &str) -> NameHash {
    Sha256::digest(name.to_lowercase().as_bytes()).into()
}

fn home(name: &str, address: IpAddr) -> (NameHash, IpAddr) {
    (hash(name), network(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn the_eleventh_wrong_password_of_a_minute_waits_by_address_and_by_name() {
        let (guesses, now) = (Guesses::new(PerMinute::new(10)), Instant::now());
        for number in 0..10 {
            assert_eq!(guesses.begin(&format!("user{number}"), v4(1), now), Ok(()));
        }
        let later = now + Duration::from_secs(20);
        assert_eq!(guesses.begin("another", v4(1), later), Err(Duration::from_secs(40)));
        assert_eq!(guesses.begin("another", v4(2), later), Ok(()));
        for last in 10..20 {
            assert_eq!(guesses.begin("Bob", v4(last), later), Ok(()));
        }
        assert_eq!(guesses.begin("bob", v4(99), later), Err(WINDOW), "in any case it is the same name");
        assert_eq!(guesses.begin("bob", v4(99), later + WINDOW), Ok(()), "a minute later all is forgotten");
    }

    #[test]
    fn right_passwords_take_nothing_away_and_strangers_shut_nobody_out_at_home() {
        let (guesses, now) = (Guesses::new(PerMinute::new(2)), Instant::now());
        for _ in 0..100 {
            assert_eq!(guesses.begin("bob", v4(1), now), Ok(()));
            guesses.was_right("bob", v4(1), now);
        }
        assert_eq!((guesses.begin("bob", v4(2), now), guesses.begin("bob", v4(3), now)), (Ok(()), Ok(())));
        assert!(guesses.begin("bob", v4(4), now).is_err(), "his name was tried too often");
        assert_eq!(guesses.begin("bob", v4(1), now), Ok(()), "but he is at home there");
    }

    #[test]
    fn more_than_are_remembered_share_one_count_and_zero_is_no_limit() {
        let (guesses, now) = (Guesses::new(PerMinute::new(1)), Instant::now());
        let full = (0..20).find(|number| guesses.begin(&format!("user{number}"), v4(1), now).is_err());
        assert_eq!(full, Some(1));
        {
            let mut counted = guesses.counted.lock();
            for number in 0..u32::try_from(MAX_KEYS).expect("small") {
                counted.windows.insert(Key::Address(IpAddr::V4(number.into())), (now, 1));
            }
        }
        assert_eq!(guesses.begin("somebody", v4(7), now), Ok(()));
        assert!(guesses.begin("somebody else", v4(8), now).is_err());
        let unlimited = Guesses::new(PerMinute::new(0));
        assert!((0..1_000).all(|_| unlimited.begin("bob", v4(1), now).is_ok()));
        assert!(unlimited.counted.lock().windows.is_empty());
    }
}
