//! Exact accounting of one client: which sequence numbers it should have had, which came, twice or late, and which never did.
//!
//! Order is promised within a library and not between libraries, so an event is late only when a later one of its own library came before it.
//! It knows nothing of sockets or time. A client's subscription is a run of libraries; which event is of which library says the run's spread.

use crate::spread::Spread;
use std::collections::HashSet;

/// The libraries a client gets: `width` of all, from `first` on, around the end.
#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    spread: Spread,
    first: u32,
    width: u32,
}

/// The numbers of the libraries that user number `user` may read, where clients have `width` libraries each: those of client `user`, since
/// client `n` shows the token of user `n` modulo the number of users. 0, or as many as there are, means all.
pub(crate) fn libraries_of_user(user: usize, libraries: u32, width: u32) -> Vec<u32> {
    Subscription::of_client(user, libraries, width).names().unwrap_or_else(|| (0..libraries.max(1)).collect())
}

impl Subscription {
    /// The subscription of client number `client`, which asked for `width` libraries; 0 or more than there are means all.
    pub(crate) fn of_client(client: usize, spread: impl Into<Spread>, width: u32) -> Self {
        let spread = spread.into();
        let libraries = spread.libraries();
        if width == 0 || width >= libraries {
            return Self { spread, first: 0, width: libraries };
        }
        let first = u32::try_from(client as u64 * u64::from(width) % u64::from(libraries)).unwrap_or(0);
        Self { spread, first, width }
    }

    /// The subscription of a client that is to get nothing.
    pub(crate) fn none() -> Self {
        Self { spread: Spread::even(1), first: 0, width: 0 }
    }

    /// The numbers of its libraries, or none when it has all.
    pub(crate) fn names(&self) -> Option<Vec<u32>> {
        let libraries = self.spread.libraries();
        (!self.has_all()).then(|| (0..self.width).map(|offset| (self.first + offset) % libraries).collect())
    }

    /// Whether event `seq` is for this client.
    #[inline]
    pub(crate) fn contains(&self, seq: u32) -> bool {
        self.has(self.spread.library(seq))
    }

    /// How many events from `from` on and below `end` are for this client.
    pub(crate) fn members(&self, from: u32, end: u32) -> u64 {
        if self.has_all() {
            return u64::from(end.saturating_sub(from));
        }
        if !self.spread.is_even() {
            return (from..end.max(from)).filter(|seq| self.contains(*seq)).count() as u64;
        }
        let (libraries, width) = (u64::from(self.spread.libraries()), u64::from(self.width));
        let upto = |shifted: u64| shifted / libraries * width + (shifted % libraries).min(width);
        let shift = libraries - u64::from(self.first);
        upto(u64::from(end.max(from)) + shift) - upto(u64::from(from) + shift)
    }

    /// The first event for this client at or after `seq`.
    #[inline]
    pub(crate) fn at_or_after(&self, seq: u32) -> u32 {
        if self.has_all() {
            return seq;
        }
        if self.width == 0 {
            return u32::MAX;
        }
        let libraries = self.spread.libraries();
        if !self.spread.is_even() {
            return self.spread.first_from(seq, |library| self.has(library));
        }
        let place = (u64::from(seq) + u64::from(libraries - self.first)) % u64::from(libraries);
        if place < u64::from(self.width) { seq } else { seq.saturating_add(u32::try_from(u64::from(libraries) - place).unwrap_or(0)) }
    }

    /// Whether no event is for others alone.
    #[inline]
    fn has_all(&self) -> bool {
        self.width == self.spread.libraries()
    }

    fn has(&self, library: u32) -> bool {
        let place = if library >= self.first { library - self.first } else { library + (self.spread.libraries() - self.first) };
        place < self.width
    }
}

/// What one client has seen so far.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    subscription: Subscription,
    next: u32,
    from: u32,
    joined_late: bool,
    /// Deliveries that count: each sequence number once.
    pub(crate) received: u64,
    /// Deliveries of a sequence number that had come before.
    pub(crate) duplicated: u64,
    /// Deliveries of a sequence number after a higher one of the same library.
    pub(crate) reordered: u64,
    /// Deliveries of libraries the client did not ask for.
    pub(crate) foreign: u64,
    /// Skips told by comments.
    pub(crate) gap_comments: u64,
    /// Skips told by gap events.
    pub(crate) gap_events: u64,
    /// Passed over and not come so far, in order. Below `from` they may come, from there on they must.
    missing: Vec<(u32, u32)>,
}

/// How a client's account closes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    /// Accepted events the client should have had while subscribed.
    pub(crate) expected: u64,
    /// Accepted events it did not get.
    pub(crate) missing: u64,
    /// Of the missing: told by a gap notice.
    pub(crate) announced: u64,
    /// Of the missing: not told in the stream.
    pub(crate) unannounced: u64,
    /// Events it got although the server had refused them.
    pub(crate) unaccepted: u64,
    /// Skips told beyond what is missing.
    pub(crate) overannounced: u64,
}

impl Ledger {
    /// An account that opens before the first event.
    pub(crate) fn new(subscription: Subscription) -> Self {
        let next = subscription.at_or_after(0);
        Self {
            subscription,
            next,
            from: 0,
            joined_late: false,
            received: 0,
            duplicated: 0,
            reordered: 0,
            foreign: 0,
            gap_comments: 0,
            gap_events: 0,
            missing: Vec::new(),
        }
    }

    /// Opens the account in mid-run: events from `seq` on must come, earlier ones may. Once one has come it is open, and stays as it is.
    pub(crate) fn join_at(&mut self, seq: u32) {
        if self.received > 0 {
            return;
        }
        self.next = self.subscription.at_or_after(seq);
        self.from = seq;
        self.joined_late = true;
        // Of one library all must come that follow the first; of several each may begin at another place.
        self.missing = if self.subscription.width > 1 { vec![(self.subscription.at_or_after(0), seq)] } else { Vec::new() };
        self.missing.retain(|range| range.0 < range.1);
    }

    /// Counts one delivery.
    #[inline]
    pub(crate) fn observe(&mut self, seq: u32) {
        if seq == self.next {
            self.received += 1;
            self.next = self.subscription.at_or_after(seq + 1);
        } else {
            self.observe_out_of_turn(seq);
        }
    }

    /// Bytes held outside of itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.missing.capacity() * size_of::<(u32, u32)>()
    }

    /// Whether every event below `end` has come, or will never come: what one library passes over, another one's events may still be.
    pub(crate) fn is_complete(&self, end: u32) -> bool {
        self.next >= end && (self.subscription.width == 1 || self.missing.is_empty())
    }

    /// Closes the account. `end` is the first sequence number never published, `refused` the sorted numbers the server did not accept;
    /// `open_end` is for clients that left, or are still behind on purpose: what would have come after their last delivery of a library is not
    /// expected.
    pub(crate) fn close(&self, end: u32, refused: &[u32], open_end: bool) -> Outcome {
        let end = if open_end { end.min(self.next) } else { end };
        let tail = (self.next < end).then_some((self.next, end));
        let absent = || self.missing.iter().map(|range| (range.0.max(self.from), range.1)).filter(|range| range.0 < range.1).chain(tail);
        let missing: u64 = absent().map(|range| self.accepted(range, refused)).sum();
        let refused_missing: u64 = absent().map(|range| self.refused(range, refused)).sum();
        let open = if open_end { self.behind_the_last(refused) } else { 0 };
        let missing = missing - open;
        let told = if self.gap_events > 0 { self.gap_events } else { self.gap_comments };
        Outcome {
            expected: self.accepted((self.from, end), refused) - open + self.early(),
            missing,
            announced: missing.min(told),
            unannounced: missing.saturating_sub(told),
            unaccepted: self.refused((self.from, end), refused) - refused_missing,
            overannounced: told.saturating_sub(missing),
        }
    }

    /// Deliveries that came before they had to.
    fn early(&self) -> u64 {
        if !self.joined_late || self.subscription.width == 1 {
            return 0;
        }
        let not_come = self.missing.iter().map(|range| self.subscription.members(range.0.min(self.from), range.1.min(self.from)));
        self.subscription.members(0, self.from) - not_come.sum::<u64>()
    }

    /// Accepted events that are missing, but follow all that came of their library.
    fn behind_the_last(&self, refused: &[u32]) -> u64 {
        let first = self.missing.first().map_or(self.next, |range| range.0.max(self.from));
        let (mut seen, mut open) = (HashSet::new(), 0);
        let mut ranges = self.missing.iter().rev().peekable();
        for seq in (first..self.next).rev().filter(|seq| self.subscription.contains(*seq)) {
            while ranges.next_if(|range| range.0 > seq).is_some() {}
            let library = self.subscription.spread.library(seq);
            if ranges.peek().is_none_or(|range| range.1 <= seq) {
                seen.insert(library);
                if seen.len() == self.subscription.width as usize {
                    break;
                }
            } else if !seen.contains(&library) && refused.binary_search(&seq).is_err() {
                open += 1;
            }
        }
        open
    }

    #[cold]
    fn observe_out_of_turn(&mut self, seq: u32) {
        if !self.subscription.contains(seq) {
            self.foreign += 1;
        } else if seq > self.next {
            self.missing.push((self.next, seq));
            self.received += 1;
            self.next = self.subscription.at_or_after(seq + 1);
        } else if self.joined_late && self.received == 0 && self.subscription.width == 1 {
            self.from = seq;
            self.received += 1;
            self.next = self.subscription.at_or_after(seq + 1);
        } else if self.take_missing(seq) {
            self.received += 1;
            self.reordered += u64::from(self.overtaken(seq));
        } else {
            self.duplicated += 1;
        }
    }

    /// Whether a later event of the same library has come.
    fn overtaken(&self, seq: u32) -> bool {
        let spread = &self.subscription.spread;
        let library = spread.library(seq);
        let mut ranges = self.missing.iter().skip_while(|range| range.1 <= seq).peekable();
        let mut later = spread.next_of(library, seq + 1);
        while later < self.next {
            while ranges.next_if(|range| range.1 <= later).is_some() {}
            match ranges.peek().filter(|range| range.0 <= later) {
                Some(range) => later = spread.next_of(library, range.1),
                None => return true,
            }
        }
        false
    }

    /// Takes one sequence number out of the missing ranges; false when it was not missing.
    fn take_missing(&mut self, seq: u32) -> bool {
        let Some(at) = self.missing.iter().rposition(|range| range.0 <= seq && seq < range.1) else { return false };
        let (from, to) = self.missing[at];
        // A range begins with an event for this client, so that one without any is empty.
        let rest = (self.subscription.at_or_after(seq + 1), to);
        self.missing.splice(at..=at, [(from, seq), rest].into_iter().filter(|range| range.0 < range.1));
        true
    }

    fn accepted(&self, range: (u32, u32), refused: &[u32]) -> u64 {
        self.subscription.members(range.0, range.1) - self.refused(range, refused)
    }

    fn refused(&self, range: (u32, u32), refused: &[u32]) -> u64 {
        let from = refused.partition_point(|seq| *seq < range.0);
        let to = refused.partition_point(|seq| *seq < range.1);
        refused[from..to.max(from)].iter().filter(|seq| self.subscription.contains(**seq)).count() as u64
    }
}

#[cfg(test)]
mod tests;
