//! Bad attempts to authenticate, counted by address: after so many in a minute further ones are told to wait.
//!
//! Only tokens that were shown and did not count are counted, so a client with good credentials is never told to wait for a
//! bad neighbour behind the same address. Where somebody else must be asked whether they are good, addresses that must wait
//! have a few questions of their own: so they neither shut their neighbours out nor keep the other one busy. The rate
//! limiters of the crates count whatever they are asked about; here a good token takes nothing away. Knows no token, only
//! who failed.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{address::network, per_minute::PerMinute};

/// The window in which attempts are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses remembered at once. Whoever comes beyond them shares one count with the others who do.
const MAX_ADDRESSES: usize = 16_384;
/// What an address that must wait may have asked in [`QUESTIONS_WINDOW`] about tokens that do not turn out good.
const QUESTIONS: u32 = 2;
/// The window in which questions are counted.
const QUESTIONS_WINDOW: Duration = Duration::from_secs(1);
/// The least time between looks for what may be forgotten: with a full table each would find nothing.
const SWEEP: Duration = Duration::from_secs(1);
/// The count of those who are too many to be told apart.
const EVERYBODY_ELSE: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Counts bad attempts by address.
#[derive(Debug)]
pub(super) struct BadAttempts {
    /// In one window; without a limit nothing is counted.
    limit: PerMinute,
    windows: Mutex<Windows>,
}

#[derive(Debug, Default)]
struct Windows {
    all: HashMap<IpAddr, Window>,
    swept: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    began: Instant,
    n_attempts: u32,
    /// Questions in the window that began then. They count once the address must wait.
    n_questions: u32,
    questions_began: Instant,
}

impl BadAttempts {
    /// Allows so many.
    pub(super) fn new(limit: PerMinute) -> Self {
        Self { limit, windows: Mutex::default() }
    }

    /// Whether somebody else may be asked now about a token the address shows. Addresses too many to be told apart may ask,
    /// or a few that fill the table would shut out all others.
    pub(super) fn may_ask(&self, address: IpAddr, now: Instant) -> bool {
        let Some(limit) = self.limit.limit() else { return true };
        let mut windows = self.windows.lock();
        windows.all.get_mut(&network(address)).is_none_or(|window| window.wait(limit, now).is_none() || window.ask(now))
    }

    /// The token asked about was good: the question takes nothing away from those after it.
    pub(super) fn was_good(&self, address: IpAddr) {
        if self.limit.limit().is_some()
            && let Some(window) = self.windows.lock().all.get_mut(&network(address))
        {
            window.n_questions = window.n_questions.saturating_sub(1);
        }
    }

    /// Counts a bad attempt; `Some` is how long the address must wait, because it was one too many.
    pub(super) fn failed(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let limit = self.limit.limit()?;
        let mut windows = self.windows.lock();
        let mut key = network(address);
        if !windows.all.contains_key(&key) && !windows.has_room(now) {
            key = EVERYBODY_ELSE;
        }
        let window = windows.all.entry(key).or_insert_with(|| Window::new(now));
        if window.is_over(now) {
            *window = Window::new(now);
        }
        let wait = window.wait(limit, now);
        window.n_attempts = window.n_attempts.saturating_add(1);
        wait
    }
}

impl Windows {
    /// Whether another address can be remembered; what is over is forgotten for it.
    fn has_room(&mut self, now: Instant) -> bool {
        if self.all.len() >= MAX_ADDRESSES && self.swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP) {
            self.swept = Some(now);
            self.all.retain(|_, window| !window.is_over(now));
        }
        self.all.len() < MAX_ADDRESSES
    }
}

impl Window {
    fn new(now: Instant) -> Self {
        Self { began: now, n_attempts: 0, n_questions: 0, questions_began: now }
    }

    /// Takes a question, if one is left.
    fn ask(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.questions_began) >= QUESTIONS_WINDOW {
            (self.n_questions, self.questions_began) = (0, now);
        }
        let is_left = self.n_questions < QUESTIONS;
        self.n_questions += u32::from(is_left);
        is_left
    }

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

    fn fill(attempts: &BadAttempts, now: Instant) {
        for number in 0..u32::try_from(MAX_ADDRESSES).expect("small") {
            assert_eq!(attempts.failed(IpAddr::V4(number.into()), now), None);
        }
    }

    #[test]
    fn the_eleventh_bad_attempt_of_a_minute_must_wait_and_other_addresses_need_not() {
        let (attempts, began) = (BadAttempts::new(PerMinute::new(10)), Instant::now());
        for _ in 0..10 {
            assert_eq!(attempts.failed(v4(1), began), None);
        }
        let later = began + Duration::from_secs(20);
        assert_eq!(attempts.failed(v4(1), later), Some(Duration::from_secs(40)));
        assert_eq!(attempts.failed(v4(2), later), None);
        assert_eq!(attempts.failed(v4(1), began + WINDOW), None, "a minute later all is forgotten");
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_count_together_and_mapped_ones_as_ipv4() {
        let (attempts, now) = (BadAttempts::new(PerMinute::new(1)), Instant::now());
        let v6 = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert_eq!(attempts.failed(v6("2001:db8::1"), now), None);
        assert!(attempts.failed(v6("2001:db8::2"), now).is_some());
        assert_eq!(attempts.failed(v6("2001:db8:0:1::1"), now), None);
        assert_eq!(attempts.failed(v6("::ffff:192.0.2.7"), now), None);
        assert!(attempts.failed(v4(7), now).is_some());
    }

    #[test]
    fn an_address_that_must_wait_may_have_few_bad_tokens_asked_about_and_any_good_ones() {
        let (attempts, now) = (BadAttempts::new(PerMinute::new(1)), Instant::now());
        assert!((0..100).all(|_| attempts.may_ask(v4(1), now)), "nobody failed yet");
        attempts.failed(v4(1), now);
        for _ in 0..100 {
            assert!(attempts.may_ask(v4(1), now));
            attempts.was_good(v4(1));
        }
        let asked = |at| (0..100).filter(|_| attempts.may_ask(v4(1), at)).count();
        assert_eq!(asked(now), 2);
        assert_eq!(asked(now + QUESTIONS_WINDOW), 2, "and again a while later");
        assert!((0..100).all(|_| attempts.may_ask(v4(2), now)));
        assert_eq!(asked(now + WINDOW), 100);
    }

    #[test]
    fn more_addresses_than_are_remembered_share_one_count() {
        let (attempts, now) = (BadAttempts::new(PerMinute::new(2)), Instant::now());
        fill(&attempts, now);
        assert_eq!(attempts.failed(v4(1), now), None);
        assert_eq!(attempts.failed(v4(2), now), None);
        assert!(attempts.failed(v4(3), now).is_some());
        assert!((0..100).all(|_| attempts.may_ask(v4(3), now)), "a full table shuts out nobody's good tokens");
        assert!(attempts.windows.lock().all.len() <= MAX_ADDRESSES + 1);
        let later = now + WINDOW;
        assert_eq!(attempts.failed(v4(4), later), None);
        assert_eq!(attempts.windows.lock().all.len(), 1, "what is over is forgotten when room is needed");
    }

    #[test]
    fn a_full_table_is_swept_once_a_second_at_most() {
        let (attempts, now) = (BadAttempts::new(PerMinute::new(10)), Instant::now());
        fill(&attempts, now);
        for millis in 0..1_500 {
            attempts.failed(v4(1), now + WINDOW - Duration::from_millis(1_600 - millis));
        }
        assert_eq!(attempts.windows.lock().swept, Some(now + WINDOW - Duration::from_millis(600)));
    }

    #[test]
    fn zero_is_no_limit() {
        let (attempts, now) = (BadAttempts::new(PerMinute::new(0)), Instant::now());
        assert!((0..1_000).all(|_| attempts.failed(v4(1), now).is_none()));
        assert!(attempts.windows.lock().all.is_empty());
    }
}
