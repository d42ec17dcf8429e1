//! The fan-out loop: for each marked group, each writable session gets what lies between its cursor and the head.
//!
//! Handlers only mark; this runs when the hub's mailbox is empty, in chunks, and yields for real between them. One
//! vectored write of shared bytes per session and visit; no allocation, no lock and no log line per delivery.

use std::{
    io::IoSlice,
    time::{Duration, Instant},
};

use arrayvec::ArrayVec;
use slab::Slab;

use super::{
    core::{HubCore, Member, settle},
    feed::Feed,
    group::{Group, Seat},
    index::GroupId,
};
use crate::{
    connection::{CloseReason, Connection, MAX_SLICES, Offer, OutboxLimits, Wrote, add},
    event::Encoded,
    metrics::{DialectCounters, LatencyHistogram},
    state::State,
};

/// What one chunk may cost before the worker's other tasks have their turn.
const CHUNK_WRITES: u32 = 256;
const CHUNK_TIME: Duration = Duration::from_millis(1);
/// Connections with something of their own that come before the groups in a chunk: many slow readers, each writable a
/// little at a time, must not hold up those who keep up. They have half of the chunk's time at most, because what a connection has
/// of its own may be large.
const READY_FIRST: u32 = 64;
/// Writes one session may have in a row, so that a fast reader of a long backlog does not hold up the others.
const WRITES_PER_VISIT: u32 = 4;

/// After how many writes the clock is read, and what they came to written into the counters.
const WRITES_PER_LOOK: u32 = 8;
/// How many connections are looked at together before they are visited.
const LOOK_AHEAD: usize = 8;

/// What is left of a chunk.
struct Budget {
    writes: u32,
    until: Instant,
    now: Instant,
}

impl Budget {
    fn spent(&self) -> bool {
        self.writes == 0 || self.now >= self.until
    }

    /// The clock is read for every eighth write: what it says is old by seven at most, some 40 µs. Says whether it was.
    fn one_write(&mut self) -> bool {
        self.writes = self.writes.saturating_sub(1);
        let is_read = self.writes.is_multiple_of(WRITES_PER_LOOK);
        if is_read {
            self.now = Instant::now();
        }
        is_read
    }
}

impl HubCore {
    /// Flushes one chunk; `true` when there is more to do.
    pub fn flush_chunk(&mut self) -> bool {
        #[cfg(test)]
        assert!(!self.panics_in_flush, "a bug in the flush loop");
        self.flush_at_most(CHUNK_WRITES, CHUNK_TIME)
    }

    /// Flushes until there is nothing left to do, or so many writes or so much time are spent.
    pub(super) fn flush_at_most(&mut self, n_writes: u32, time: Duration) -> bool {
        let now = Instant::now();
        let mut budget = Budget { writes: n_writes, until: now + time, now };
        let ready_until = now + time / 2;
        let mut n_ready = READY_FIRST;
        while !budget.spent() {
            if (n_ready > 0 && budget.now < ready_until || self.queue.is_empty())
                && let Some((slot, generation)) = self.ready.pop_front()
            {
                n_ready = n_ready.saturating_sub(1);
                self.flush_ready(slot, generation, &mut budget);
                continue;
            }
            if self.round_left == 0 {
                self.turn_round();
            }
            let Some(group) = self.queue.pop_front() else {
                if self.owes() {
                    continue;
                }
                return false;
            };
            self.flush_group(group, &mut budget);
        }
        true
    }

    /// One connection that has something of its own to write, or could write again.
    fn flush_ready(&mut self, slot: u32, generation: u32, budget: &mut Budget) {
        let Some(member) = self.members.get(slot as usize).filter(|member| member.connection.id.generation == generation) else { return };
        let group = &mut self.groups[member.group as usize];
        let held_back = group.is_held_at(member.connection.cursor.get());
        let look = Look {
            counters: &self.counters.dialects[member.dialect],
            outbox: self.settings.outbox,
            state: &self.state,
            members: &self.members,
        };
        let mut plan = Plan::new();
        match visit(&member.connection, group, &look, &mut plan, budget) {
            Visited::Done => {}
            Visited::Behind => self.ready.push_back((slot, generation)),
            Visited::Leaving(reason) => self.leaving.push((slot, reason)),
        }
        plan.enter(look.counters, budget.now);
        drop(plan);
        if held_back && !group.is_held_at(member.connection.cursor.get()) {
            group.mark(member.group, &mut self.queue); // nobody may be behind any more: a pass lets go of what it held
        }
        self.let_leave();
    }

    /// A group's next members, as far as the budget goes; the pass goes on in the next chunk.
    fn flush_group(&mut self, group_id: GroupId, budget: &mut Budget) {
        let Some(group) = self.groups.get_mut(group_id as usize) else {
            self.round_left = self.round_left.saturating_sub(1); // its last member left while it was queued
            return;
        };
        if group.pass.left == 0 {
            group.begin_pass(budget.now);
        }
        self.visit_members(group_id, budget);
        self.let_leave();
        let Some(group) = self.groups.get_mut(group_id as usize) else {
            self.round_left = self.round_left.saturating_sub(1);
            return;
        };
        if group.pass.left > 0 {
            self.queue.push_front(group_id);
            return;
        }
        self.round_left = self.round_left.saturating_sub(1);
        if let Some((began, n_members)) = group.pass.measured.take() {
            budget.now = Instant::now();
            self.counters.passed(n_members, budget.now.saturating_duration_since(began));
        }
        group.pass.queued = group.end_pass();
        if group.pass.queued {
            self.queue.push_back(group_id);
        }
    }

    fn visit_members(&mut self, group_id: GroupId, budget: &mut Budget) {
        let Self { members, groups, counters, leaving, settings, state, .. } = self;
        let group = &mut groups[group_id as usize];
        let look = Look { counters: &counters.dialects[group.dialect], outbox: settings.outbox, state, members };
        let mut pass = std::mem::take(&mut group.pass);
        let group = &*group;
        let mut plan = Plan::new();
        let mut n_looked_at = 0;
        while pass.left > 0 && !budget.spent() {
            if n_looked_at == 0 {
                look_ahead(&group.members, pass.next);
                n_looked_at = LOOK_AHEAD;
            }
            n_looked_at -= 1;
            pass.left -= 1;
            let Some(Seat { slot, connection }) = group.members.get(pass.next) else { break };
            pass.next = if pass.next + 1 < group.members.len() { pass.next + 1 } else { 0 };
            match visit(connection, group, &look, &mut plan, budget) {
                Visited::Done => {}
                Visited::Behind => pass.again = true,
                Visited::Leaving(reason) => leaving.push((*slot, reason)),
            }
            pass.keep_from(connection.cursor.get());
        }
        plan.enter(look.counters, budget.now);
        drop(plan);
        groups[group_id as usize].pass = pass;
    }

    /// Removals wait until no pass is looking at the lists they change.
    fn let_leave(&mut self) {
        while let Some((slot, reason)) = self.leaving.pop() {
            if let Some(member) = self.members.get(slot as usize) {
                let connection = std::rc::Rc::clone(&member.connection);
                self.leave(&connection, reason);
            }
        }
    }
}

/// Reads something of the next connections, so that the waits for their cache lines overlap: of many thousand connections
/// none is near, and the kernel's work for one write drives out what was.
fn look_ahead(members: &[Seat], from: usize) {
    let next = members.iter().skip(from).take(LOOK_AHEAD);
    std::hint::black_box(next.fold(0, |sum: u64, seat| sum.wrapping_add(seat.connection.cursor.get())));
}

/// What a visit came to.
#[derive(Debug, PartialEq, Eq)]
enum Visited {
    /// Up to date, or blocked: nothing more to do for now.
    Done,
    /// It took everything it was given, and there is more.
    Behind,
    /// It must be let go.
    Leaving(CloseReason),
}

/// What every visit of a chunk needs.
struct Look<'a> {
    counters: &'a DialectCounters,
    outbox: OutboxLimits,
    state: &'a State,
    members: &'a Slab<Member>,
}

/// Gives one session what it lacks, as far as its outlet takes it.
fn visit<'a>(connection: &Connection, group: &'a Group, look: &Look<'_>, plan: &mut Plan<'a>, budget: &mut Budget) -> Visited {
    if connection.wants_attention() && connection.blocked_since().is_some() {
        // Its session's task waits for the socket. A last word waits for nobody.
        return connection.closing().map_or(Visited::Done, Visited::Leaving);
    }
    settle(connection, group, look.counters);
    if connection.wants_attention()
        && let Some(visited) = attend(connection, group, look, budget)
    {
        return visited;
    }
    for _ in 0..WRITES_PER_VISIT {
        if connection.cursor.get() == group.feed.head() {
            return Visited::Done;
        }
        if plan.from != connection.cursor.get() {
            plan.enter(look.counters, budget.now);
            plan.prepare(&group.feed, connection.cursor.get());
        }
        let wrote = if plan.slices.is_empty() { Ok(0) } else { connection.write(&plan.slices, budget.now) };
        let is_time = budget.one_write();
        match wrote {
            Ok(n_bytes) if n_bytes == plan.n_bytes => plan.advance(connection),
            Ok(n_bytes) => plan.advance_in_part(connection, n_bytes, look.counters, budget.now),
            Err(Wrote::Gone) => return Visited::Leaving(CloseReason::Gone),
            Err(_) => return blocked(look),
        }
        if is_time {
            plan.enter(look.counters, budget.now);
        }
        if connection.wants_attention() {
            // A torn frame: the next visit finishes it, or finds the socket full; unless TLS knows that it is.
            return if connection.blocked_since().is_some() { blocked(look) } else { Visited::Behind };
        }
    }
    Visited::Behind
}

/// What stands before the feed; `None` when nothing is left of it.
fn attend(connection: &Connection, group: &Group, look: &Look<'_>, budget: &mut Budget) -> Option<Visited> {
    if !tell_gap(connection, group, look) {
        return Some(Visited::Leaving(CloseReason::OutboxFull));
    }
    if connection.has_own_queue() || connection.closing().is_some() {
        let finished = |accepted| {
            let took = budget.now.saturating_duration_since(accepted);
            look.counters.latency.record_run(took, took, 1);
        };
        let (wrote, n_events, n_bytes) = connection.write_own_queue(budget.now, finished);
        budget.one_write();
        count(look.counters, connection, n_events, n_bytes);
        match (wrote, connection.closing()) {
            (Wrote::Gone, _) => return Some(Visited::Leaving(CloseReason::Gone)),
            (_, Some(reason)) => return Some(Visited::Leaving(reason)),
            (Wrote::Blocked, None) => return Some(blocked(look)),
            (Wrote::All, None) => {}
        }
    }
    connection.attended();
    None
}

fn blocked(look: &Look<'_>) -> Visited {
    look.counters.would_block.add(1);
    Visited::Done
}

/// Tells the gap where the dialect can, and in any case the present state of what the session may have missed the end of.
/// `false` when the outbox cannot take it.
fn tell_gap(connection: &Connection, group: &Group, look: &Look<'_>) -> bool {
    let n_missed = connection.take_gap();
    if n_missed == 0 {
        return true;
    }
    let notice = look.members.get(connection.id.slot as usize).and_then(|member| member.notices.gap);
    if let Some(notice) = notice
        && !connection.reply(notice(n_missed), look.outbox)
    {
        return false;
    }
    let filter = &group.key.filter;
    let present = look.state.present(filter.kinds, |envelope| filter.admits(envelope, None)).into_iter().filter_map(|envelope| {
        let format = group.formats.pick(&envelope.event, |rule| filter.meets(rule, None));
        match envelope.frame_for(format, filter.reader()) {
            Encoded::Frame(frame) => Some(frame),
            _ => None,
        }
    });
    // As much of it as the outbox has room for: telling the state must not be what ends a connection.
    let room = OutboxLimits { entries: look.outbox.entries / 2, bytes: look.outbox.bytes / 2 };
    let _ = present.take_while(|frame| connection.tell_state(frame.clone(), room)).count();
    true
}

fn count(counters: &DialectCounters, connection: &Connection, n_events: u64, n_bytes: usize) {
    counters.writes.add(u64::from(n_bytes > 0));
    counters.bytes.add(n_bytes as u64);
    counters.delivered[connection.outlet().kind() as usize].add(n_events);
}

/// The slices of one stretch of a feed, used again for every session whose cursor stands at its beginning.
///
/// It also keeps what writes of the whole stretch came to until [`Plan::enter`]: the counters stand on a dozen cache lines, which
/// the kernel's work for a write drives out, so they are touched once for many writes.
struct Plan<'a> {
    from: u64,
    /// Just behind the last envelope planned.
    to: u64,
    slices: ArrayVec<IoSlice<'a>, MAX_SLICES>,
    offers: ArrayVec<(u64, &'a Offer), MAX_SLICES>,
    n_bytes: usize,
    /// Sessions that took all of it, not yet entered.
    n_whole: u64,
    /// Events these were delivered, by outlet.
    n_delivered: [u64; 4],
}

impl<'a> Plan<'a> {
    fn new() -> Self {
        Self { from: u64::MAX, to: 0, slices: ArrayVec::new(), offers: ArrayVec::new(), n_bytes: 0, n_whole: 0, n_delivered: [0; 4] }
    }

    /// Plans what lies behind this cursor. What was planned before must have been entered.
    fn prepare(&mut self, feed: &'a Feed, cursor: u64) {
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
    fn advance(&mut self, connection: &Connection) {
        let n_conflated = self.n_conflated();
        if n_conflated > 0 {
            add(&connection.tally.conflated, n_conflated);
        }
        connection.cursor.set(self.to);
        self.n_delivered[connection.outlet().kind() as usize] += connection.delivered(self.offers.len() as u64);
        self.n_whole += 1;
    }

    /// Moves the cursor past what was taken and settles it; a frame begun becomes the torn one.
    fn advance_in_part(&self, connection: &Connection, n_bytes: usize, counters: &DialectCounters, now: Instant) {
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
    fn enter(&mut self, counters: &DialectCounters, now: Instant) {
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
