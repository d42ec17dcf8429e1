//! The open-loop schedule: when each event is due, fixed before the first one is sent and never moved by what happens later.

use crate::clock::SECOND;

/// Events at a constant rate from a start time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    start_ns: u64,
    rate: u64,
    total: u32,
}

impl Schedule {
    /// `rate` events a second for `seconds`, the first due at `start_ns`. The total is capped at what a 32-bit sequence number can name.
    pub(crate) fn new(start_ns: u64, rate: u64, seconds: u64) -> Self {
        let total = u32::try_from(rate.saturating_mul(seconds)).unwrap_or(u32::MAX - 1);
        Self { start_ns, rate, total }
    }

    /// How many events the whole schedule has.
    pub(crate) fn total(&self) -> u32 {
        self.total
    }

    /// When event `seq` is due. Computed from the start each time, so that rounding does not add up.
    pub(crate) fn due_ns(&self, seq: u32) -> u64 {
        let offset = u128::from(seq) * u128::from(SECOND) / u128::from(self.rate.max(1));
        self.start_ns + u64::try_from(offset).unwrap_or(u64::MAX / 2)
    }

    /// How many events are due at `now_ns`, the first `seq` not due yet.
    pub(crate) fn due_count(&self, now_ns: u64) -> u32 {
        if self.total == 0 || now_ns < self.start_ns {
            return 0;
        }
        let elapsed = u128::from(now_ns - self.start_ns);
        let guess = u32::try_from(elapsed * u128::from(self.rate) / u128::from(SECOND) + 1).unwrap_or(u32::MAX);
        // The division above rounds down and `due_ns` does too: the guess may be one short.
        let exact = if guess < self.total && self.due_ns(guess) <= now_ns { guess + 1 } else { guess };
        exact.min(self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_counted_as_due_exactly_at_its_due_time() {
        for rate in [1, 3, 7, 20, 999, 5000, 333_333] {
            let schedule = Schedule::new(1_000, rate, 2);
            for seq in 0..schedule.total() {
                let due = schedule.due_ns(seq);
                assert_eq!(schedule.due_count(due), seq + 1, "rate {rate}");
                assert_eq!(schedule.due_count(due - 1), seq, "rate {rate}");
            }
        }
    }

    #[test]
    fn a_late_publisher_does_not_move_the_schedule() {
        let schedule = Schedule::new(0, 1000, 10);
        assert_eq!(schedule.due_count(5 * SECOND), 5001);
        assert_eq!(schedule.due_ns(5001), 5 * SECOND + 1_000_000);
        assert_eq!(schedule.due_count(60 * SECOND), schedule.total());
    }

    #[test]
    fn a_rate_of_zero_publishes_nothing() {
        assert_eq!(Schedule::new(0, 0, 10).due_count(SECOND), 0);
    }
}
