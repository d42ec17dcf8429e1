//! Who is behind right now: a look at every connection once a second, for the metrics.
//!
//! It is bounded, because a look at one of very many connections costs a wait for memory: of more than [`AT_ONCE`] each tick
//! looks at the next so many, and what was found is told when the round is complete. A client that takes nothing is visited by
//! nobody else, so what it loses is charged here: its loss shows while it happens, not when it ends.

use std::time::{Duration, Instant};

use super::core::{HubCore, Member};
use crate::metrics::{LAG_BOUNDS_EVENTS, MAX_DIALECTS, Part};

/// Connections looked at in one tick.
const AT_ONCE: usize = 4096;
/// For whom something has waited for longer is lagging.
const LAGGING: Duration = Duration::from_secs(1);

/// How far the round has come.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// The slot to go on at.
    next: usize,
    /// Connections found to be behind, by dialect.
    lagging: [u64; MAX_DIALECTS],
    /// Bytes that single connections hold before their feeds.
    own_bytes: usize,
}

impl HubCore {
    /// Looks at the next connections.
    pub(super) fn survey(&mut self, now: Instant) {
        let end = self.members.capacity();
        let until = (self.survey.next + AT_ONCE).min(end);
        for slot in self.survey.next..until {
            let Some(member) = self.members.get(slot) else { continue };
            self.settle(member.connection.id.slot);
            let (n_events, is_lagging) = self.lag_of(member, now);
            self.counters.dialects[member.dialect()].lag.observe(&LAG_BOUNDS_EVENTS, n_events);
            self.survey.lagging[member.dialect()] += u64::from(is_lagging);
            self.survey.own_bytes += member.connection.own_bytes();
        }
        self.survey.next = until;
        if until == end {
            let found = std::mem::take(&mut self.survey);
            self.counters.keeps(Part::OwnQueues, found.own_bytes);
            for (dialect, n_lagging) in self.counters.dialects.iter().zip(found.lagging) {
                dialect.lagging.set(n_lagging);
            }
        }
    }

    /// How many events a connection is behind its group, and whether the first of them, or the rest of one, has waited too long.
    pub(super) fn lag_of(&self, member: &Member, now: Instant) -> (u64, bool) {
        let (connection, feed) = (&member.connection, &self.groups[member.group as usize].feed);
        let is_long_ago = |since: Instant| now.saturating_duration_since(since) > LAGGING;
        let cursor = connection.cursor.get();
        let waits = feed.stamped_at(cursor).is_some_and(is_long_ago);
        let is_torn = connection.is_mid_frame() && connection.blocked_since().is_some_and(is_long_ago);
        (feed.head() - cursor, waits || is_torn)
    }
}
