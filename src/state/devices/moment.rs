//! A moment on both clocks: one for intervals, one for people.

use std::time::{Duration, Instant};

use crate::{clock::Timestamp, event::Envelope};

/// A moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// For intervals.
    pub instant: Instant,
    /// For people.
    pub wall: Timestamp,
}

impl Moment {
    /// This one.
    #[must_use]
    pub fn now() -> Self {
        Self { instant: Instant::now(), wall: Timestamp::now() }
    }

    /// When that event was accepted.
    #[must_use]
    pub fn of(envelope: &Envelope) -> Self {
        Self { instant: envelope.stamped, wall: envelope.accepted }
    }

    /// The one that much later.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Self { instant: self.instant + time, wall: Timestamp(self.wall.0.saturating_add(millis)) }
    }

    /// How long that is ago.
    #[must_use]
    pub fn since(self, earlier: Instant) -> Duration {
        self.instant.saturating_duration_since(earlier)
    }
}
