//! Filter groups: the sessions of one worker with equal rights, request and format, and the feed they share.
//!
//! An event is checked and kept once per group, not per session.

use std::{cell::Cell, collections::VecDeque, rc::Rc, time::Instant};

use super::{feed::Feed, index::GroupId};
use crate::{
    access::Filter,
    connection::Connection,
    event::{FormatPair, FormatSlot, FrameFormat},
};

/// What makes two sessions' groups the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct GroupKey {
    /// Rights and request; the user is part of the rights, so a group never mixes users.
    pub(super) filter: Filter,
    slots: [FormatSlot; 2],
    /// Where the formats are: some that carry different events fill the same cells.
    formats: [usize; 2],
}

impl GroupKey {
    /// The key of a filter and its formats.
    #[must_use]
    pub(super) fn new(filter: Filter, formats: &FormatPair) -> Self {
        let formats = [formats.abridged, formats.full];
        Self { filter, slots: formats.map(FrameFormat::slot), formats: formats.map(|format| std::ptr::from_ref(format).addr()) }
    }
}

/// One filter group.
pub(super) struct Group {
    /// What it may see; shared with the map that finds the group.
    pub(super) key: Rc<GroupKey>,
    /// How it is written to.
    pub(super) formats: FormatPair,
    /// Its formats look at who reads, so it may be sent something of its own.
    pub(super) is_looked_at: bool,
    /// The dialect's number in the counters.
    pub(super) dialect: usize,
    /// Its members.
    pub(super) members: Vec<Seat>,
    /// What they are offered.
    pub(super) feed: Feed,
    /// Events its hub missed while it stood still; every member lost them.
    pub(super) lost: u64,
    /// The pass of the flush loop over its members.
    pub(super) pass: Pass,
}

/// One member, where the flush loop finds it without a look elsewhere.
pub(super) struct Seat {
    /// Its slot in the hub.
    pub(super) slot: u32,
    /// The connection.
    pub(super) connection: Rc<Connection>,
}

/// How far the flush loop has come with a group.
#[derive(Debug, Default)]
pub(super) struct Pass {
    /// The group stands in the hub's queue.
    pub(super) queued: bool,
    /// Members still to be visited in this pass; zero between passes.
    pub(super) left: usize,
    /// The member the next visit goes to. Each pass begins one further, so that the same client is not always last.
    pub(super) next: usize,
    /// The smallest cursor seen in this pass: everything before it has been passed by all.
    pub(super) smallest_cursor: u64,
    /// Something happened that this pass may not have seen: another one follows.
    pub(super) again: bool,
    /// When it began, and over how many members, where there are several and was something to write.
    pub(super) measured: Option<(Instant, usize)>,
}

impl Pass {
    /// A member stands at this cursor: what comes from there on must not go when the pass ends.
    pub(super) fn keep_from(&mut self, cursor: u64) {
        self.smallest_cursor = self.smallest_cursor.min(cursor);
    }
}

impl Group {
    /// An empty group, whose feed enters what it holds in the worker's ledger.
    #[must_use]
    pub(super) fn new(key: Rc<GroupKey>, formats: FormatPair, dialect: usize, ledger: &Rc<Cell<usize>>) -> Self {
        let is_looked_at = formats.looks_at(key.filter.reader());
        Self {
            key,
            formats,
            is_looked_at,
            dialect,
            members: Vec::new(),
            feed: Feed::new(Rc::clone(ledger)),
            lost: 0,
            pass: Pass::default(),
        }
    }

    /// Queues the group for the flush loop; if it stands there already, a pass under way is followed by another.
    pub(super) fn mark(&mut self, own_id: GroupId, queue: &mut VecDeque<GroupId>) {
        self.pass.again = true;
        if !self.pass.queued {
            self.pass.queued = true;
            queue.push_back(own_id);
        }
    }

    /// Whether a member at this cursor is (one of those) for whom the oldest of the feed is kept, or will be once the pass
    /// under way has let go of what is before it: should the member move on before that, the pass knows only where it was.
    #[must_use]
    pub(super) fn is_held_at(&self, cursor: u64) -> bool {
        (cursor <= self.feed.base() || cursor == self.pass.smallest_cursor) && cursor < self.feed.head()
    }

    /// Begins a pass over all members.
    pub(super) fn begin_pass(&mut self, now: Instant) {
        let n_members = self.members.len();
        let start = if n_members == 0 { 0 } else { (self.pass.next + 1) % n_members };
        let measured = (n_members > 1 && self.feed.base() < self.feed.head()).then_some((now, n_members));
        self.pass = Pass { queued: true, left: n_members, next: start, smallest_cursor: self.feed.head(), again: false, measured };
    }

    /// Ends a pass: what every member has passed is let go. Says whether another pass must follow.
    pub(super) fn end_pass(&mut self) -> bool {
        self.feed.trim_to(self.pass.smallest_cursor);
        self.pass.again
    }

    /// Puts a member at the end. A pass under way goes round by way of it, so it has one more to visit.
    pub(super) fn add_member(&mut self, seat: Seat) -> usize {
        if self.pass.left > 0 {
            self.pass.left += 1;
        }
        self.members.push(seat);
        self.members.len() - 1
    }

    /// Takes the member at that place out and returns the one that moved there.
    ///
    /// A pass under way may then miss the moved one: another follows, and what the moved one has yet to get is kept.
    pub(super) fn remove_member(&mut self, place: usize) -> Option<u32> {
        self.members.swap_remove(place);
        let n_members = self.members.len();
        self.pass.left = self.pass.left.min(n_members);
        if self.pass.next >= n_members {
            self.pass.next = 0;
        }
        self.pass.again = true;
        let moved = self.members.get(place)?;
        self.pass.keep_from(moved.connection.cursor.get());
        Some(moved.slot)
    }
}
