//! How long to wait before trying again: doubling, jittered, never less than what the server asked for.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// The waits between attempts.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    n_failures: u32,
    asked: Option<Duration>,
}

impl Backoff {
    /// The server asks for this delay (`retry:` or `Retry-After`); it stays in force.
    pub(super) fn ask(&mut self, delay: Duration) {
        self.asked = Some(delay);
    }

    /// The server works: the next failure is the first one again.
    pub(super) fn reset(&mut self) {
        self.n_failures = 0;
    }

    /// The next wait; `chance` is uniform in `0.0..1.0`.
    ///
    /// Between one and one and a half times the delay, so that many clients of a restarted server come back spread out.
    pub(super) fn next(&mut self, chance: f64) -> Duration {
        let first = self.asked.unwrap_or(FIRST);
        // A server may ask for more than our longest wait, but for no more than an hour.
        let longest = LONGEST.max(first).min(Duration::from_secs(3600));
        let delay = first.saturating_mul(1 << self.n_failures.min(16)).min(longest);
        self.n_failures = self.n_failures.saturating_add(1);
        delay + delay.mul_f64(chance.clamp(0.0, 1.0) / 2.0)
    }
}

/// A number in `0.0..1.0`; one half where the system has no randomness, which is no reason not to reconnect.
pub(super) fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / (f64::from(u32::MAX) + 1.0))
}

/// Waits. These subcommands are one thread that has nothing else to do.
#[expect(clippy::disallowed_methods, reason = "the clients run outside any runtime, on a thread of their own")]
pub(super) fn wait(delay: Duration) {
    std::thread::sleep(delay);
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn waits_double_up_to_the_longest_and_begin_again_after_a_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..7).map(|_| backoff.next(0.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        backoff.reset();
        assert_eq!(backoff.next(0.0), millis(1000));
    }

    #[test]
    fn a_wait_is_never_shorter_than_asked_and_at_most_half_longer() {
        let mut backoff = Backoff::default();
        backoff.ask(millis(200));
        assert_eq!(backoff.next(0.0), millis(200));
        assert_eq!(backoff.next(1.0), millis(600));
        backoff.ask(Duration::from_secs(120));
        assert_eq!(backoff.next(0.0), Duration::from_secs(120));
        backoff.ask(Duration::MAX);
        assert_eq!(backoff.next(0.0), Duration::from_secs(3600));
    }
}
