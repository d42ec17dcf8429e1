//! Bad attempts to authenticate, counted by address: after so many in a minute further ones are told to wait.
//!
//! Only tokens that were shown and did not count are counted: a client with good credentials is never slowed by a bad
//! neighbour behind the same address. The rate limiters of the crates count whatever they are asked about; here one must
//! be able to ask without counting, before somebody else is bothered with a token. Knows no token, only who failed.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::address::network;

/// The window in which attempts are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses remembered at once. Whoever comes beyond them shares one count with the others who do.
const MAX_ADDRESSES: usize = 16_384;
/// The count of those who are too many to be told apart.
const EVERYBODY_ELSE: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Counts bad attempts by address.
#[derive(Debug)]
pub(super) struct BadAttempts {
    /// In one window; `None`: not counted.
    limit: Option<u32>,
    windows: Mutex<HashMap<IpAddr, Window>>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    began: Instant,
    n_attempts: u32,
}

impl BadAttempts {
    /// Allows so many in a minute; 0 is no limit.
    pub(super) fn new(limit: u32) -> Self {
        Self { limit: (limit > 0).then_some(limit), windows: Mutex::default() }
    }

    /// How long the address must wait before another bad attempt is looked at; `None`: it need not.
    pub(super) fn must_wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let limit = self.limit?;
        let windows = self.windows.lock();
        let window = windows.get(&network(address)).or_else(|| windows.get(&EVERYBODY_ELSE))?;
        window.wait(limit, now)
    }

    /// Counts a bad attempt; `Some` is how long the address must wait, because it was one too many.
    pub(super) fn failed(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let limit = self.limit?;
        let mut windows = self.windows.lock();
        let mut key = network(address);
        if windows.len() >= MAX_ADDRESSES && !windows.contains_key(&key) {
            windows.retain(|_, window| !window.is_over(now));
            if windows.len() >= MAX_ADDRESSES {
                key = EVERYBODY_ELSE;
            }
        }
        let window = windows.entry(key).or_insert(Window { began: now, n_attempts: 0 });
        if window.is_over(now) {
            *window = Window { began: now, n_attempts: 0 };
        }
        let wait = window.wait(limit, now);
        window.n_attempts = window.n_attempts.saturating_add(1);
        wait
    }
}

impl Window {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) >= WINDOW
    }

    fn wait(&self, limit: u32, now: Instant) -> Option<Duration> {
        (!self.is_over(now) && self.n_attempts >= limit).then(|| WINDOW.saturating_sub(now.saturating_duration_since(self.began)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn the_eleventh_bad_attempt_of_a_minute_must_wait_and_other_addresses_need_not() {
        let (attempts, began) = (BadAttempts::new(10), Instant::now());
        for _ in 0..10 {
            assert_eq!(attempts.failed(v4(1), began), None);
        }
        let later = began + Duration::from_secs(20);
        assert_eq!(attempts.failed(v4(1), later), Some(Duration::from_secs(40)));
        assert_eq!(attempts.must_wait(v4(1), later), Some(Duration::from_secs(40)));
        assert_eq!(attempts.must_wait(v4(2), later), None);
        assert_eq!(attempts.failed(v4(2), later), None);
        assert_eq!(attempts.must_wait(v4(1), began + WINDOW), None, "a minute later all is forgotten");
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_count_together_and_mapped_ones_as_ipv4() {
        let (attempts, now) = (BadAttempts::new(1), Instant::now());
        let v6 = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert_eq!(attempts.failed(v6("2001:db8::1"), now), None);
        assert!(attempts.failed(v6("2001:db8::2"), now).is_some());
        assert_eq!(attempts.failed(v6("2001:db8:0:1::1"), now), None);
        assert_eq!(attempts.failed(v6("::ffff:192.0.2.7"), now), None);
        assert!(attempts.must_wait(v4(7), now).is_some());
    }

    #[test]
    fn more_addresses_than_are_remembered_share_one_count() {
        let (attempts, now) = (BadAttempts::new(2), Instant::now());
        for number in 0..u32::try_from(MAX_ADDRESSES).expect("small") {
            assert_eq!(attempts.failed(IpAddr::V4(number.into()), now), None);
        }
        assert_eq!(attempts.failed(v4(1), now), None);
        assert_eq!(attempts.failed(v4(2), now), None);
        assert!(attempts.failed(v4(3), now).is_some());
        assert!(attempts.windows.lock().len() <= MAX_ADDRESSES + 1);
        let later = now + WINDOW;
        assert_eq!(attempts.failed(v4(4), later), None);
        assert_eq!(attempts.windows.lock().len(), 1, "what is over is forgotten when room is needed");
    }

    #[test]
    fn zero_is_no_limit() {
        let (attempts, now) = (BadAttempts::new(0), Instant::now());
        assert!((0..1_000).all(|_| attempts.failed(v4(1), now).is_none()));
        assert!(attempts.windows.lock().is_empty());
    }
}
