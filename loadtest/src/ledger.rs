//! Exact accounting of one client: which sequence numbers it should have had, which came, twice or late, and which never did.
//!
//! It knows nothing of sockets or time. A client's subscription is a run of libraries; which event is of which library says the run's spread.

use crate::spread::Spread;

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
            return Self { spread: Spread::even(1), first: 0, width: 1 };
        }
        let first = u32::try_from(client as u64 * u64::from(width) % u64::from(libraries)).unwrap_or(0);
        Self { spread, first, width }
    }

    /// The numbers of its libraries, or none when it has all.
    pub(crate) fn names(&self) -> Option<Vec<u32>> {
        let libraries = self.spread.libraries();
        (libraries > 1).then(|| (0..self.width).map(|offset| (self.first + offset) % libraries).collect())
    }

    /// Whether event `seq` is for this client.
    #[inline]
    pub(crate) fn contains(&self, seq: u32) -> bool {
        self.has(self.spread.library(seq))
    }

    /// How many events from `from` on and below `end` are for this client.
    pub(crate) fn members(&self, from: u32, end: u32) -> u64 {
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
        let libraries = self.spread.libraries();
        if libraries == 1 {
            return seq;
        }
        if !self.spread.is_even() {
            return self.spread.first_from(seq, |library| self.has(library));
        }
        let place = (u64::from(seq) + u64::from(libraries - self.first)) % u64::from(libraries);
        if place < u64::from(self.width) { seq } else { seq.saturating_add(u32::try_from(u64::from(libraries) - place).unwrap_or(0)) }
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
    /// Deliveries of a sequence number after a higher one.
    pub(crate) reordered: u64,
    /// Deliveries of libraries the client did not ask for.
    pub(crate) foreign: u64,
    /// Skips told by comments.
    pub(crate) gap_comments: u64,
    /// Skips told by gap events.
    pub(crate) gap_events: u64,
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

    /// Opens the account in mid-run: events from `seq` on must come, earlier ones may.
    pub(crate) fn join_at(&mut self, seq: u32) {
        self.next = self.subscription.at_or_after(seq);
        self.from = seq;
        self.joined_late = true;
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

    /// Whether every event below `end` has come or been passed over.
    pub(crate) fn is_complete(&self, end: u32) -> bool {
        self.next >= end
    }

    /// Closes the account. `end` is the first sequence number never published, `refused` the sorted numbers the server did not accept;
    /// `open_end` is for clients that left, or are still behind on purpose: what would have come after their last delivery is not expected.
    pub(crate) fn close(&self, end: u32, refused: &[u32], open_end: bool) -> Outcome {
        let end = if open_end { end.min(self.next) } else { end };
        let mut missing: u64 = self.missing.iter().map(|range| self.accepted(*range, refused)).sum();
        if self.next < end {
            missing += self.accepted((self.next, end), refused);
        }
        let refused_within = self.refused((self.from, end), refused);
        let refused_missing: u64 = self.missing.iter().map(|range| self.refused(*range, refused)).sum::<u64>()
            + if self.next < end { self.refused((self.next, end), refused) } else { 0 };
        let told = if self.gap_events > 0 { self.gap_events } else { self.gap_comments };
        Outcome {
            expected: self.accepted((self.from, end), refused),
            missing,
            announced: missing.min(told),
            unannounced: missing.saturating_sub(told),
            unaccepted: refused_within - refused_missing,
            overannounced: told.saturating_sub(missing),
        }
    }

    #[cold]
    fn observe_out_of_turn(&mut self, seq: u32) {
        if !self.subscription.contains(seq) {
            self.foreign += 1;
        } else if seq > self.next {
            self.missing.push((self.next, seq));
            self.received += 1;
            self.next = self.subscription.at_or_after(seq + 1);
        } else if self.joined_late && self.received == 0 {
            self.from = seq;
            self.received += 1;
            self.next = self.subscription.at_or_after(seq + 1);
        } else if self.take_missing(seq) {
            self.received += 1;
            self.reordered += 1;
        } else {
            self.duplicated += 1;
        }
    }

    /// Takes one sequence number out of the missing ranges; false when it was not missing.
    fn take_missing(&mut self, seq: u32) -> bool {
        let Some(at) = self.missing.iter().rposition(|range| range.0 <= seq && seq < range.1) else { return false };
        let (from, to) = self.missing[at];
        self.missing.splice(at..=at, [(from, seq), (seq + 1, to)].into_iter().filter(|range| range.0 < range.1));
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
mod tests {
    use super::*;

    fn everything() -> Ledger {
        Ledger::new(Subscription::of_client(0, 1, 0))
    }

    fn outcome(expected: u64, missing: u64, announced: u64) -> Outcome {
        Outcome { expected, missing, announced, unannounced: missing - announced, ..Outcome::default() }
    }

    #[test]
    fn a_whole_stream_closes_with_nothing_missing() {
        let mut ledger = everything();
        (0..100).for_each(|seq| ledger.observe(seq));
        assert!(ledger.is_complete(100));
        assert_eq!(ledger.close(100, &[], false), outcome(100, 0, 0));
    }

    #[test]
    fn planted_losses_in_the_middle_and_at_the_end_are_counted() {
        let mut ledger = everything();
        (0..100).filter(|seq| ![0, 17, 18, 50, 99].contains(seq)).for_each(|seq| ledger.observe(seq));
        assert!(!ledger.is_complete(100));
        assert_eq!(ledger.close(100, &[], false), outcome(100, 5, 0));
        assert_eq!(ledger.received, 95);
    }

    #[test]
    fn duplicates_and_late_ones_are_told_apart() {
        let mut ledger = everything();
        [0, 1, 1, 4, 3, 2, 3, 5].into_iter().for_each(|seq| ledger.observe(seq));
        assert_eq!((ledger.received, ledger.duplicated, ledger.reordered), (6, 2, 2));
        assert_eq!(ledger.close(6, &[], false), outcome(6, 0, 0));
    }

    #[test]
    fn announced_gaps_are_not_silent_and_announcing_too_many_is_seen() {
        let mut ledger = everything();
        [0, 1, 5, 6].into_iter().for_each(|seq| ledger.observe(seq));
        ledger.gap_comments = 3;
        assert_eq!(ledger.close(7, &[], false), outcome(7, 3, 3));
        ledger.gap_comments = 2;
        assert_eq!(ledger.close(7, &[], false).unannounced, 1);
        ledger.gap_comments = 4;
        assert_eq!(ledger.close(7, &[], false).overannounced, 1);
    }

    #[test]
    fn a_gap_told_by_comment_and_event_counts_once() {
        let mut ledger = everything();
        [0, 3].into_iter().for_each(|seq| ledger.observe(seq));
        (ledger.gap_comments, ledger.gap_events) = (2, 2);
        assert_eq!(ledger.close(4, &[], false), outcome(4, 2, 2));
    }

    #[test]
    fn refused_events_are_not_expected_and_are_noticed_when_they_come_all_the_same() {
        let mut ledger = everything();
        (0..10).filter(|seq| *seq != 4).for_each(|seq| ledger.observe(seq));
        let closed = ledger.close(10, &[4, 6], false);
        assert_eq!((closed.expected, closed.missing, closed.unaccepted), (8, 0, 1));
    }

    #[test]
    fn a_filtered_client_expects_only_its_libraries() {
        for client in 0..10 {
            let subscription = Subscription::of_client(client, 10, 3);
            let names = subscription.names().unwrap();
            let mut ledger = Ledger::new(subscription.clone());
            let members: Vec<u32> = (0..1000).filter(|seq| names.contains(&(seq % 10))).collect();
            assert!(members.iter().all(|seq| subscription.contains(*seq)));
            members.iter().for_each(|seq| ledger.observe(*seq));
            assert_eq!(ledger.close(1000, &[], false), outcome(300, 0, 0));
            ledger.observe((0..10).find(|seq| !names.contains(seq)).unwrap());
            assert_eq!(ledger.foreign, 1);
        }
    }

    #[test]
    fn a_filtered_client_that_misses_one_shows_exactly_one() {
        let subscription = Subscription::of_client(3, 10, 4);
        let mut ledger = Ledger::new(subscription.clone());
        let lost = (500..).find(|seq| subscription.contains(*seq)).unwrap();
        (0..1000).filter(|seq| subscription.contains(*seq) && *seq != lost).for_each(|seq| ledger.observe(seq));
        assert_eq!(ledger.close(1000, &[], false), outcome(400, 1, 0));
    }

    #[test]
    fn a_client_that_joined_late_and_left_early_expects_only_what_lies_between() {
        let mut ledger = everything();
        ledger.join_at(50);
        [48, 49, 50, 52].into_iter().for_each(|seq| ledger.observe(seq));
        assert_eq!(ledger.close(1000, &[], true), outcome(5, 1, 0));
        let mut later = everything();
        later.join_at(50);
        later.observe(53);
        assert_eq!(later.close(1000, &[], true), outcome(4, 3, 0));
    }

    #[test]
    fn under_a_skewed_load_a_client_expects_exactly_the_events_drawn_for_its_libraries() {
        let spread = Spread::new(50, 1.1).unwrap();
        for client in 0..20 {
            let subscription = Subscription::of_client(client, spread.clone(), 3);
            let names = subscription.names().unwrap();
            let members: Vec<u32> = (0..4000).filter(|seq| names.contains(&spread.library(*seq))).collect();
            let mut ledger = Ledger::new(subscription.clone());
            let lost = members[members.len() / 2];
            members.iter().filter(|seq| **seq != lost).for_each(|seq| ledger.observe(*seq));
            assert_eq!(ledger.close(4000, &[], false), outcome(members.len() as u64, 1, 0), "client {client}");
            let stranger = (0..).find(|seq| !names.contains(&spread.library(*seq))).unwrap();
            ledger.observe(stranger);
            assert_eq!(ledger.foreign, 1);
            assert_eq!(subscription.members(1000, 3000), members.iter().filter(|seq| (1000..3000).contains(*seq)).count() as u64);
        }
    }

    #[test]
    fn a_user_may_read_what_the_client_of_the_same_number_expects() {
        assert_eq!(libraries_of_user(3, 10, 4), [2, 3, 4, 5]);
        assert_eq!(libraries_of_user(2, 10, 4), [8, 9, 0, 1]);
        assert_eq!(libraries_of_user(7, 3, 0), [0, 1, 2]);
    }
}
