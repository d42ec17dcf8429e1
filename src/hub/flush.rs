//! The fan-out loop: for each marked group, each writable session gets what lies between its cursor and the head.
//!
//! Handlers only mark; this runs when the hub's mailbox is empty, in chunks, and yields for real between them. One
//! vectored write of shared bytes per session and visit; no allocation, no lock and no log line per delivery.

use std::time::{Duration, Instant};

use slab::Slab;

use super::{
    core::{HubCore, Member, settle},
    group::{Group, Seat},
    index::GroupId,
    plan::{Plan, count},
};
use crate::{
    connection::{CloseReason, Connection, OutboxLimits, Wrote},
    event::Encoded,
    metrics::{DialectCounters, Work},
    state::State,
};

/// What one chunk may cost before the worker's other tasks have their turn.
const CHUNK_WRITES: u32 = 512;
const CHUNK_TIME: Duration = Duration::from_millis(2);
/// Connections with something of their own that come before the groups in a chunk: many slow readers, each writable a
/// little at a time, must not hold up those who keep up. They have half of the chunk's time at most, because what a connection has
/// of its own may be large.
const READY_FIRST: u32 = 128;
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
        if self.queue.is_empty() && self.ready.is_empty() && !self.owes() {
            return false; // woken for something else: not even the clock is read
        }
        let began = Instant::now();
        let mut budget = Budget { writes: n_writes, until: began + time, now: began };
        let more = self.flush_within(&mut budget, began + time / 2);
        let ended = if more { budget.now } else { Instant::now() }; // what was spent was seen to be by a look at the clock
        self.counters.handled(Work::HubFlush, ended.saturating_duration_since(began));
        more
    }

    fn flush_within(&mut self, budget: &mut Budget, ready_until: Instant) -> bool {
        let mut n_ready = READY_FIRST;
        while !budget.spent() {
            if (n_ready > 0 && budget.now < ready_until || self.queue.is_empty())
                && let Some((slot, generation)) = self.ready.pop_front()
            {
                n_ready = n_ready.saturating_sub(1);
                self.flush_ready(slot, generation, budget);
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
            self.flush_group(group, budget);
        }
        true
    }

    /// One connection that has something of its own to write, or could write again.
    fn flush_ready(&mut self, slot: u32, generation: u32, budget: &mut Budget) {
        let Some(member) = self.members.get(slot as usize).filter(|member| member.connection.id.generation == generation) else { return };
        let group = &mut self.groups[member.group as usize];
        let held_back = group.is_held_at(member.connection.cursor.get());
        let look = Look {
            counters: &self.counters.dialects[member.dialect()],
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
#[expect(clippy::inline_always, reason = "see `Connection::write`")]
#[inline(always)]
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

/// What stands before the feed; `None` when nothing is left of it. Out of line: few visits need it, and the kernel's work for each
/// write drives code out of the first cache as well.
#[inline(never)]
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
