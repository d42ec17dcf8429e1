//! The hub's timer wheel: keepalives, stall limits and the ends of credentials, without a timer per connection.
//!
//! Pure: ticks of one second are handed in.

use std::time::{Duration, Instant};

/// Slots of the wheel, one second each; a longer wait goes round and is asked again.
const SLOTS: usize = 64;

/// A hashed wheel of things to look at.
#[derive(Debug)]
pub(super) struct Wheel<T> {
    slots: Vec<Vec<T>>,
    started: Instant,
    /// Whole seconds already handed out.
    ticks: u64,
}

impl<T> Wheel<T> {
    /// An empty wheel that starts now.
    #[must_use]
    pub(super) fn new(now: Instant) -> Self {
        Self { slots: (0..SLOTS).map(|_| Vec::new()).collect(), started: now, ticks: 0 }
    }

    /// Hands the thing out again at that time, rounded up to a second; at the latest after a turn of the wheel.
    pub(super) fn schedule(&mut self, thing: T, due: Instant) {
        let wait = due.saturating_duration_since(self.started);
        let second = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).clamp(self.ticks + 1, self.ticks + SLOTS as u64 - 1);
        self.slots[usize::try_from(second % SLOTS as u64).unwrap_or_default()].push(thing);
    }

    /// Takes the next second's things, if that second has come; call it until it returns `None`.
    pub(super) fn tick(&mut self, now: Instant) -> Option<Vec<T>> {
        if now.saturating_duration_since(self.started) < Duration::from_secs(self.ticks + 1) {
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
    fn things_come_out_in_the_second_they_are_due_never_before() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
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
