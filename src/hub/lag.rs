//! What "behind" means, decided in one place.
//!
//! A feed is bounded. When its oldest envelope goes, a cursor that points before it jumps to the oldest still there:
//! the gap is a subtraction, exact, and counts only events this session was entitled to. The connection stays.

/// Where an overtaken cursor lands, and how many events it lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overtaken {
    /// The new cursor.
    pub(super) cursor: u64,
    /// Events skipped.
    pub(super) gap: u64,
}

/// Checks a cursor against the oldest position its feed still holds; `None` while it has not been overtaken.
#[must_use]
pub(super) fn check(cursor: u64, base: u64) -> Option<Overtaken> {
    (cursor < base).then(|| Overtaken { cursor: base, gap: base - cursor })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lagging_cursor_jumps_to_the_oldest_event_and_the_gap_is_exact() {
        assert_eq!(check(5, 5), None);
        assert_eq!(check(9, 5), None);
        assert_eq!(check(2, 5), Some(Overtaken { cursor: 5, gap: 3 }));
    }
}
