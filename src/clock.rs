//! Time as the engine sees it: wall-clock milliseconds for stamps and expiries, monotonic instants for everything else.

use std::{
    num::NonZeroU64,
    sync::LazyLock,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The wall clock now. Use `std::time::Instant` for intervals: this clock may jump.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// Whole seconds from here to a later time; 0 where the wall clock was set back.
    #[must_use]
    pub fn seconds_until(self, later: Self) -> u64 {
        u64::try_from(later.0.saturating_sub(self.0)).unwrap_or_default() / 1000
    }
}

/// What compact instants count from: about when the process began.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
/// The number of the epoch itself, so that there are numbers before it.
const AT_EPOCH: NonZeroU64 = NonZeroU64::new(1 << 62).unwrap();

/// A monotonic instant in eight bytes, also where there may be none: for what is kept once per connection. Nanoseconds; exact for 146
/// years around the beginning of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CompactInstant(NonZeroU64);

impl From<Instant> for CompactInstant {
    fn from(instant: Instant) -> Self {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let number = match instant.checked_duration_since(*EPOCH) {
            Some(after) => AT_EPOCH.get().saturating_add(nanos(after)),
            None => AT_EPOCH.get().saturating_sub(nanos(EPOCH.saturating_duration_since(instant))),
        };
        Self(NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN))
    }
}

impl From<CompactInstant> for Instant {
    fn from(CompactInstant(number): CompactInstant) -> Self {
        let after = Duration::from_nanos(number.get().saturating_sub(AT_EPOCH.get()));
        let before = Duration::from_nanos(AT_EPOCH.get().saturating_sub(number.get()));
        *EPOCH + after - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_the_same_after_it_was_compact_on_either_side_of_the_beginning() {
        let now = Instant::now();
        for instant in [now, now + Duration::new(86_400, 123_456_789), now - Duration::from_millis(1)] {
            assert_eq!(Instant::from(CompactInstant::from(instant)), instant);
        }
        assert!(CompactInstant::from(now) < CompactInstant::from(now + Duration::from_nanos(1)));
        assert_eq!(size_of::<Option<CompactInstant>>(), 8);
    }
}
