//! The hub's timer wheels: keepalives, stall limits and the ends of credentials, and topics, without a timer per connection.
//!
//! Pure: ticks of a fixed length are handed in.

use std::time::{Duration, Instant};

/// Slots of the wheel, one step each; a longer wait goes round and is asked again.
const SLOTS: usize = 64;

/// A hashed wheel of things to look at.
#[derive(Debug)]
pub(super) struct Wheel<T> {
    slots: Vec<Vec<T>>,
    step: Duration,
    started: Instant,
    /// Whole steps already handed out.
    ticks: u64,
}

impl<T> Wheel<T> {
    /// An empty wheel that starts now and goes in steps of that length.
    #[must_use]
    pub(super) fn new(now: Instant, step: Duration) -> Self {
        Self { slots: (0..SLOTS).map(|_| Vec::new()).collect(), step, started: now, ticks: 0 }
    }

    /// Hands the thing out again at that time, rounded up to a step; at the latest after a turn of the wheel.
    pub(super) fn schedule(&mut self, thing: T, due: Instant) {
        let wait = due.saturating_duration_since(self.started).as_nanos().div_ceil(self.step.as_nanos().max(1));
        let tick = u64::try_from(wait).unwrap_or(u64::MAX).clamp(self.ticks + 1, self.ticks + SLOTS as u64 - 1);
        self.slots[usize::try_from(tick % SLOTS as u64).unwrap_or_default()].push(thing);
    }

    /// Bytes of the room it has taken.
    #[must_use]
    pub(super) fn n_bytes(&self) -> usize {
        let room: usize = self.slots.iter().map(Vec::capacity).sum();
        self.slots.capacity() * size_of::<Vec<T>>() + room * size_of::<T>()
    }

    /// Takes the next step's things, if that step has come; call it until it returns `None`.
    pub(super) fn tick(&mut self, now: Instant) -> Option<Vec<T>> {
        let passed = now.saturating_duration_since(self.started).as_nanos() / self.step.as_nanos().max(1);
        if passed < u128::from(self.ticks + 1) {
            return None;
        }
        self.ticks += 1;
        Some(std::mem::take(&mut self.slots[usize::try_from(self.ticks % SLOTS as u64).unwrap_or_default()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_come_out_in_the_step_they_are_due_never_before() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start, Duration::from_secs(1));
        wheel.schedule("soon", start + Duration::from_millis(1_200));
        wheel.schedule("past", start);
        wheel.schedule("far", start + Duration::from_secs(500));
        assert!(wheel.tick(start + Duration::from_millis(999)).is_none());
        assert_eq!(wheel.tick(start + Duration::from_secs(3)), Some(vec!["past"]));
        assert_eq!(wheel.tick(start + Duration::from_secs(3)), Some(vec!["soon"]));
        assert_eq!(wheel.tick(start + Duration::from_secs(3)), Some(vec![]));
        assert!(wheel.tick(start + Duration::from_secs(3)).is_none());
        let later: Vec<_> = std::iter::from_fn(|| wheel.tick(start + Duration::from_secs(63))).flatten().collect();
        assert_eq!(later, ["far"], "a longer wait is handed out after a turn, to be asked again");
    }
}
