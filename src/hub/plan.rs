//! One stretch of a feed as the flush loop writes it, and what its writes came to.

use std::{io::IoSlice, time::Instant};

use arrayvec::ArrayVec;

use super::feed::Feed;
use crate::{
    connection::{Connection, MAX_SLICES, Offer, add},
    metrics::{DialectCounters, LatencyHistogram},
};

/// The slices of one stretch of a feed, used again for every session whose cursor stands at its beginning.
///
/// It also keeps what writes of the whole stretch came to until [`Plan::enter`]: the counters stand on a dozen cache lines, which
/// the kernel's work for a write drives out, so they are touched once for many writes.
pub(super) struct Plan<'a> {
    /// The cursor it is for.
    pub(super) from: u64,
    /// Just behind the last envelope planned.
    to: u64,
    pub(super) slices: ArrayVec<IoSlice<'a>, MAX_SLICES>,
    offers: ArrayVec<(u64, &'a Offer), MAX_SLICES>,
    /// Of all slices.
    pub(super) n_bytes: usize,
    /// Sessions that took all of it, not yet entered.
    n_whole: u64,
    /// Events these were delivered, by outlet.
    n_delivered: [u64; 4],
}

impl<'a> Plan<'a> {
    pub(super) fn new() -> Self {
        Self { from: u64::MAX, to: 0, slices: ArrayVec::new(), offers: ArrayVec::new(), n_bytes: 0, n_whole: 0, n_delivered: [0; 4] }
    }

    /// Plans what lies behind this cursor. What was planned before must have been entered.
    #[inline(never)]
    pub(super) fn prepare(&mut self, feed: &'a Feed, cursor: u64) {
        debug_assert_eq!(self.n_whole, 0, "entered before it is planned anew");
        self.slices.clear();
        self.offers.clear();
        (self.from, self.to, self.n_bytes) = (cursor, cursor, 0);
        for offer in feed.from(cursor) {
            if self.slices.is_full() {
                return;
            }
            // The mark is read once, here: what this plan leaves out stays left out for all who use it.
            if !offer.envelope.is_superseded() {
                self.slices.push(IoSlice::new(&offer.frame));
                self.offers.push((self.to, offer));
                self.n_bytes += offer.frame.len();
            }
            self.to += 1;
        }
    }

    /// Moves the cursor of a session that took all of it.
    #[inline]
    pub(super) fn advance(&mut self, connection: &Connection) {
        let n_conflated = self.n_conflated();
        if n_conflated > 0 {
            add(&connection.tally.conflated, n_conflated);
        }
        connection.cursor.set(self.to);
        self.n_delivered[connection.outlet().kind() as usize] += connection.delivered(self.offers.len() as u64);
        self.n_whole += 1;
    }

    /// Moves the cursor past what was taken and settles it; a frame begun becomes the torn one.
    #[inline(never)]
    pub(super) fn advance_in_part(&self, connection: &Connection, n_bytes: usize, counters: &DialectCounters, now: Instant) {
        let (taken, begun, cursor) = self.part(connection, n_bytes);
        let n_conflated = cursor - self.from - (taken + begun) as u64;
        connection.cursor.set(cursor);
        add(&connection.tally.conflated, n_conflated);
        counters.conflated.add(n_conflated);
        let n_events = connection.delivered(taken as u64);
        count(counters, connection, n_events, n_bytes);
        counters.partial_writes.add(begun as u64);
        counters.events_per_write.observe_power(taken as u64, 1);
        record_latency(&self.offers[..taken], 1, counters, now);
    }

    /// Writes into the counters what writes of the whole stretch came to since the last time.
    #[inline(never)]
    pub(super) fn enter(&mut self, counters: &DialectCounters, now: Instant) {
        let n_whole = std::mem::take(&mut self.n_whole);
        if n_whole == 0 {
            return;
        }
        counters.writes.add(if self.n_bytes > 0 { n_whole } else { 0 });
        counters.bytes.add(n_whole * self.n_bytes as u64);
        counters.conflated.add(n_whole * self.n_conflated());
        for (delivered, n_events) in counters.delivered.iter().zip(&mut self.n_delivered) {
            delivered.add(std::mem::take(n_events));
        }
        counters.events_per_write.observe_power(self.offers.len() as u64, n_whole);
        record_latency(&self.offers, n_whole, counters, now);
    }

    /// Envelopes of the stretch that later ones have replaced.
    fn n_conflated(&self) -> u64 {
        self.to - self.from - self.offers.len() as u64
    }

    /// A partial write: how many frames were taken whole and how many begun, and where the cursor stands after these.
    fn part(&self, connection: &Connection, mut n_bytes: usize) -> (usize, usize, u64) {
        for (taken, (position, offer)) in self.offers.iter().enumerate() {
            if n_bytes == 0 {
                return (taken, 0, *position);
            }
            if n_bytes < offer.frame.len() {
                connection.tear(offer.frame.slice(n_bytes..), offer.envelope.stamped);
                return (taken, 1, position + 1);
            }
            n_bytes -= offer.frame.len();
        }
        (self.offers.len(), 0, self.to)
    }
}

/// Counts each offer so many times. They stand in the order of their age, so all of one bucket stand together: one look per
/// bucket, not per event.
fn record_latency(mut offers: &[(u64, &Offer)], n_times: u64, counters: &DialectCounters, now: Instant) {
    let latency = |offer: &Offer| now.saturating_duration_since(offer.envelope.stamped);
    while let Some((_, oldest)) = offers.first() {
        let oldest = latency(oldest);
        let shortest = LatencyHistogram::shortest_beside(oldest);
        let together = match offers.last() {
            Some((_, newest)) if latency(newest) >= shortest => offers.len(),
            _ => offers.partition_point(|(_, offer)| latency(offer) >= shortest).max(1),
        };
        counters.latency.record_run(latency(offers[together - 1].1), oldest, together as u64 * n_times);
        offers = &offers[together..];
    }
}

/// Counts a write.
pub(super) fn count(counters: &DialectCounters, connection: &Connection, n_events: u64, n_bytes: usize) {
    counters.writes.add(u64::from(n_bytes > 0));
    counters.bytes.add(n_bytes as u64);
    counters.delivered[connection.outlet().kind() as usize].add(n_events);
}
