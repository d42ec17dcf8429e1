//! What one worker's hub knows: its connections, their groups, and who listens to what.
//!
//! Everything here happens on one thread and without waiting. Names no dialect; touches no socket.

use std::{
    cell::Cell,
    collections::{HashMap, VecDeque},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use slab::Slab;

use super::{
    feed::FeedLimits,
    goodbye::Leavers,
    group::{Group, GroupKey, Seat},
    index::{GroupId, Index},
    survey::Survey,
    topics::{Subscriptions, Topics},
    upkeep::TICK,
    wheel::Wheel,
};
use crate::{
    access::{ConnectionGuard, Credential, Directory, Filter},
    clock::{CompactInstant, Timestamp},
    connection::{CloseReason, Connection, Control, Counts, Details, OutboxLimits, Outlet, OutletKind, SkipReason, add},
    event::FormatPair,
    frame::{Keepalive, Notices},
    id::{ConnectionId, LibraryId},
    metrics::{CALL_BOUNDS_MICROS, DialectCounters, LIFE_BOUNDS_SECONDS, WorkerCounters, micros},
    shard::Credit,
    state::State,
};

/// The bounds of one hub. Every one is a setting.
#[derive(Debug, Clone)]
pub struct HubSettings {
    /// Its worker's number.
    pub worker: u16,
    /// Per group.
    pub feed: FeedLimits,
    /// Bytes of frames all feeds of the worker may hold together; the oldest go first.
    pub feeds_bytes: usize,
    /// Per connection.
    pub outbox: OutboxLimits,
    /// A client that takes nothing for that long while something waits is closed; `None`: never.
    pub stall_limit: Option<Duration>,
    /// Entries and bytes a connection may keep from before a change of its rights.
    pub backlog: OutboxLimits,
    /// The dialects' names, by their numbers.
    pub dialects: Arc<[&'static str]>,
    /// Libraries whose offers are counted by name.
    pub libraries: Arc<[LibraryId]>,
    /// Messages its mailbox must hold: all credit, and room for what it missed.
    pub mailbox: usize,
}

/// A client that wants to join.
pub struct Join {
    /// Its way out.
    pub outlet: Outlet,
    /// Who it is, for people.
    pub details: Details,
    /// The dialect's number in the counters.
    pub dialect: usize,
    /// What it may see and asked for.
    pub filter: Filter,
    /// How it is written to.
    pub formats: FormatPair,
    /// The first bytes, sent before any event.
    pub opening: bytes::Bytes,
    /// How often it is pinged.
    pub keepalive: Option<Arc<Keepalive>>,
    /// What it can be told.
    pub notices: &'static Notices,
    /// How its rights are asked for again.
    pub credential: Credential,
    /// Its place in the counts of connections, freed when it leaves.
    pub admission: ConnectionGuard,
    /// When it began to come in.
    pub came: Instant,
    /// A WebSocket of nobody: it is closed (1008) unless it is given an owner within that time.
    pub identify_within: Option<Duration>,
}

/// One connection, as its hub keeps it.
pub(super) struct Member {
    pub(super) connection: Rc<Connection>,
    pub(super) group: GroupId,
    /// Its place among the group's members.
    place: u32,
    /// The feed's head, and the group's losses, when it joined the group.
    pub(super) joined_at: u64,
    dialect: u8,
    pub(super) keepalive: Option<Arc<Keepalive>>,
    pub(super) next_ping: Cell<CompactInstant>,
    pub(super) notices: &'static Notices,
    /// It has not answered the ping it was sent last.
    pub(super) pinged: Cell<bool>,
    pub(super) warned: Cell<bool>,
    pub(super) credential: Credential,
    pub(super) admission: ConnectionGuard,
    /// When it is closed if it has no owner by then.
    pub(super) identify_by: Option<CompactInstant>,
    /// What it is told of now and again; `None`: it never wanted anything.
    pub(super) subscriptions: Option<Box<Subscriptions>>,
}

impl Member {
    /// Its dialect's number.
    pub(super) fn dialect(&self) -> usize {
        usize::from(self.dialect)
    }
}

/// There is one per connection, and room for up to twice as many.
const _: () = assert!(size_of::<Option<Member>>() <= 96);

/// A hub's whole state.
pub struct HubCore {
    pub(super) settings: HubSettings,
    pub(super) members: Slab<Member>,
    pub(super) groups: Slab<Group>,
    pub(super) by_key: HashMap<Rc<GroupKey>, GroupId>,
    pub(super) index: Index,
    /// Groups whose feeds moved, in the order they are flushed.
    pub(super) queue: VecDeque<GroupId>,
    /// Groups of the queue that belong to the round under way.
    pub(super) round_left: usize,
    /// Connections with something of their own to write.
    pub(super) ready: VecDeque<(u32, u32)>,
    /// Removals asked for during a flush.
    pub(super) leaving: Vec<(u32, CloseReason)>,
    pub(super) wheel: Wheel<(u32, u32)>,
    /// What clients are told of now and again.
    pub(super) topics: Topics,
    /// Who is behind.
    pub(super) survey: Survey,
    pub(super) last_tick: Instant,
    /// The end of the last standstill, or the beginning.
    pub(super) awake_since: Instant,
    /// Who still has to be sent away, once the server stops.
    pub(super) leavers: Leavers,
    /// Bytes held by all feeds, shared frames once.
    pub(super) ledger: Rc<Cell<usize>>,
    pub(super) credits: Vec<Arc<Credit>>,
    /// Events taken from each shard whose flush has not passed: in the round under way, and since.
    pub(super) owed: [Vec<usize>; 2],
    pub(super) counters: Arc<WorkerCounters>,
    pub(super) directory: Arc<Directory>,
    pub(super) state: Arc<State>,
    generation: u32,
    /// A bug in the flush loop, for tests.
    #[cfg(test)]
    pub(super) panics_in_flush: bool,
}

impl HubCore {
    /// A hub without connections.
    #[must_use]
    pub fn new(
        settings: HubSettings,
        credits: Vec<Arc<Credit>>,
        directory: Arc<Directory>,
        state: Arc<State>,
        counters: Arc<WorkerCounters>,
    ) -> Self {
        let n_shards = credits.len();
        Self {
            settings,
            members: Slab::new(),
            groups: Slab::new(),
            by_key: HashMap::new(),
            index: Index::default(),
            queue: VecDeque::new(),
            round_left: 0,
            ready: VecDeque::new(),
            leaving: Vec::new(),
            wheel: Wheel::new(Instant::now(), TICK),
            topics: Topics::new(Instant::now()),
            survey: Survey::default(),
            last_tick: Instant::now(),
            awake_since: Instant::now(),
            leavers: Leavers::default(),
            ledger: Rc::default(),
            credits,
            owed: [vec![0; n_shards], vec![0; n_shards]],
            counters,
            directory,
            state,
            generation: 0,
            #[cfg(test)]
            panics_in_flush: false,
        }
    }

    /// It takes the place of another: no id is given twice.
    pub(super) fn go_on_after(&mut self, before: &Self) {
        self.generation = before.generation;
    }

    /// Admits a client: from here on it is offered what its filter admits.
    ///
    /// The rights it was authenticated with are checked again after it stands in the index, so that a change between
    /// the two cannot be missed; `None` means that they have ended meanwhile.
    pub fn join(&mut self, join: Join, now: Instant) -> Option<Rc<Connection>> {
        self.generation = self.generation.wrapping_add(1);
        let slot = u32::try_from(self.members.vacant_key()).unwrap_or(u32::MAX);
        let id = ConnectionId { worker: self.settings.worker, slot, generation: self.generation };
        let connection = Rc::new(Connection::new(id, join.details, join.outlet));
        let interval = join.keepalive.as_ref().map_or(Duration::from_secs(30), |keepalive| keepalive.interval);
        let member = Member {
            connection: Rc::clone(&connection),
            group: GroupId::MAX,
            place: 0,
            joined_at: 0,
            dialect: u8::try_from(join.dialect).unwrap_or(u8::MAX),
            keepalive: join.keepalive,
            next_ping: Cell::new((now + interval).into()),
            pinged: Cell::new(false),
            notices: join.notices,
            warned: Cell::new(false),
            credential: join.credential,
            admission: join.admission,
            identify_by: join.identify_within.map(|time| (now + time).into()),
            subscriptions: None,
        };
        self.members.insert(member);
        let counters = &self.counters.dialects[join.dialect];
        counters.opened.add(1);
        counters.handshakes.observe(&CALL_BOUNDS_MICROS, micros(now.saturating_duration_since(join.came)));
        counters.connections[connection.outlet().kind() as usize].add(1);
        self.enter_group(slot, join.filter, join.formats);
        if !join.opening.is_empty() {
            self.reply(&connection, join.opening);
        }
        self.look_at(slot, id.generation, now);
        self.check_rights(slot);
        (!connection.ended.get()).then_some(connection)
    }

    /// Puts a member into the group of that filter, creating it if need be, at the feed's head.
    pub(super) fn enter_group(&mut self, slot: u32, filter: Filter, formats: FormatPair) {
        let dialect = self.members[slot as usize].dialect();
        let key = Rc::new(GroupKey::new(filter, &formats));
        let group = match self.by_key.get(&key) {
            Some(group) => *group,
            None => {
                let group =
                    u32::try_from(self.groups.insert(Group::new(Rc::clone(&key), formats, dialect, &self.ledger))).unwrap_or(u32::MAX);
                self.index.insert(group, &key.filter);
                self.by_key.insert(key, group);
                self.counters.groups.set(self.groups.len() as u64);
                self.counters.stats_groups.add(u64::from(self.groups[group as usize].key.filter.listens_to_stats()));
                group
            }
        };
        let entered = &mut self.groups[group as usize];
        let member = &mut self.members[slot as usize];
        member.group = group;
        let place = entered.add_member(Seat { slot, connection: Rc::clone(&member.connection) });
        member.place = u32::try_from(place).unwrap_or(u32::MAX);
        member.joined_at = entered.feed.head();
        member.connection.lost_before.set(entered.lost);
        member.connection.cursor.set(member.joined_at);
    }

    /// Takes a member out of its group, with what it was offered there; an empty group goes.
    pub(super) fn leave_group(&mut self, slot: u32) {
        self.settle(slot);
        self.release_feed(slot);
        let member = &self.members[slot as usize];
        let (group_id, place) = (member.group, member.place);
        let group = &mut self.groups[group_id as usize];
        add(&member.connection.tally.offered_before, group.feed.head() - member.joined_at);
        if let Some(moved) = group.remove_member(place as usize) {
            self.members[moved as usize].place = place;
        }
        if group.members.is_empty() {
            self.index.remove(group_id, &group.key.filter);
            self.counters.stats_groups.sub(u64::from(group.key.filter.listens_to_stats()));
            self.by_key.remove(&group.key);
            self.groups.remove(group_id as usize);
            self.counters.groups.set(self.groups.len() as u64);
        }
    }

    /// The member is about to stop holding its group's feed back: if it was the one, the next pass lets go of what it held.
    pub(super) fn release_feed(&mut self, slot: u32) {
        let member = &self.members[slot as usize];
        let group = &mut self.groups[member.group as usize];
        if group.is_held_at(member.connection.cursor.get()) {
            group.mark(member.group, &mut self.queue);
        }
    }

    /// Brings a member's counts up to date: an overtaken cursor jumps, and what the hub missed is charged.
    pub(super) fn settle(&self, slot: u32) {
        let member = &self.members[slot as usize];
        let group = &self.groups[member.group as usize];
        settle(&member.connection, group, &self.counters.dialects[member.dialect()]);
    }

    /// A member's counts at this instant.
    pub(super) fn counts(&self, slot: u32) -> Counts {
        self.settle(slot);
        let member = &self.members[slot as usize];
        let (tally, feed) = (&member.connection.tally, &self.groups[member.group as usize].feed);
        Counts {
            offered: tally.offered_before.get() + feed.head() - member.joined_at,
            delivered: tally.delivered.get(),
            conflated: tally.conflated.get(),
            filtered: tally.filtered.get(),
            skipped: tally.skipped(SkipReason::Lag) + tally.skipped(SkipReason::Hub),
            skipped_lag: tally.skipped(SkipReason::Lag),
            skipped_hub: tally.skipped(SkipReason::Hub),
            waiting: feed.head() - member.connection.cursor.get() + member.connection.in_hand(),
        }
    }

    /// The counters of a connection's dialect.
    pub(super) fn dialect_counters(&self, slot: u32) -> &DialectCounters {
        &self.counters.dialects[self.members[slot as usize].dialect()]
    }

    /// Lets go of a connection for good. Its session is told; its socket closes with the last reference.
    pub fn leave(&mut self, connection: &Connection, reason: CloseReason) {
        if connection.ended.get() {
            return;
        }
        let slot = connection.id.slot;
        let counts = self.counts(slot);
        debug_assert!(counts.add_up(), "{counts:?}");
        connection.ended.set(true);
        self.leave_group(slot);
        let counters = self.dialect_counters(slot);
        counters.abandoned.add(counts.waiting);
        counters.closed[reason as usize].add(1);
        counters.lives.observe(&LIFE_BOUNDS_SECONDS, connection.details.opened.seconds_until(Timestamp::now()));
        counters.connections[connection.outlet().kind() as usize].sub(1);
        connection.outlet().close(reason);
        if let Some(subscriptions) = self.members.remove(slot as usize).subscriptions {
            self.forget_subscriptions(*subscriptions);
        }
        connection.tell(Control::Ended(reason));
        let (id, client) = (connection.id, &connection.details.client);
        tracing::debug!(connection = %id, ?client, reason = reason.name(), delivered = counts.delivered, abandoned = counts.waiting, "connection closed");
    }

    /// The connection of that id, if this hub still has it.
    #[must_use]
    pub fn connection(&self, id: ConnectionId) -> Option<Rc<Connection>> {
        let member = self.members.get(id.slot as usize)?;
        (member.connection.id == id).then(|| Rc::clone(&member.connection))
    }

    /// Ends a connection with the dialect's last word: what was begun and its replies are written if the client takes
    /// them now, events are not.
    pub fn close(&mut self, connection: &Rc<Connection>, reason: CloseReason) {
        if !connection.ended.get() {
            let goodbye = self.members[connection.id.slot as usize].notices.goodbye;
            self.close_with(connection, reason, goodbye.and_then(|goodbye| goodbye(reason.goodbye())));
        }
    }

    /// As [`HubCore::close`], with this last word.
    pub fn close_with(&mut self, connection: &Rc<Connection>, reason: CloseReason, last_word: Option<bytes::Bytes>) {
        if connection.ended.get() || connection.closing().is_some() {
            return;
        }
        if let Some(last_word) = last_word {
            // A full outbox loses the last word; the connection ends all the same.
            let _ = connection.reply(last_word, self.settings.outbox);
        }
        let _ = connection.drop_state(); // nobody is told anything any more
        connection.end_for(reason);
        self.make_ready(connection);
    }

    /// Queues a reply. A full outbox ends the connection: a reply must not vanish.
    pub fn reply(&mut self, connection: &Rc<Connection>, reply: bytes::Bytes) {
        if connection.reply(reply, self.settings.outbox) {
            self.make_ready(connection);
        } else {
            connection.end_for(CloseReason::OutboxFull);
            self.make_ready(connection);
        }
    }

    /// Has the flush loop look at the connection by itself.
    pub fn make_ready(&mut self, connection: &Connection) {
        self.ready.push_back((connection.id.slot, connection.id.generation));
    }

    /// A WebSocket has taken over from polling: what had waited for a GET is its now.
    pub(super) fn took_over(&mut self, connection: &Connection) {
        if connection.ended.get() {
            return;
        }
        let n_events = connection.chunk_taken();
        let (now, counters) = (connection.outlet().kind() as usize, self.dialect_counters(connection.id.slot));
        counters.delivered[now].add(n_events);
        counters.connections[OutletKind::Poll as usize].sub(1);
        counters.connections[now].add(1);
        connection.took_over();
        self.make_ready(connection);
    }

    /// The HTTP server has pulled a body's chunk, or a GET what had waited for one.
    pub fn chunk_taken(&mut self, connection: &Connection) {
        if !connection.ended.get() {
            let n_events = connection.chunk_taken();
            self.dialect_counters(connection.id.slot).delivered[connection.outlet().kind() as usize].add(n_events);
        }
    }
}

/// See [`HubCore::settle`].
pub(super) fn settle(connection: &Connection, group: &Group, counters: &DialectCounters) {
    if let Some(overtaken) = super::lag::check(connection.cursor.get(), group.feed.base()) {
        connection.cursor.set(overtaken.cursor);
        let first = connection.lose(SkipReason::Lag, overtaken.gap);
        counters.lag_episodes.add(u64::from(first)); // one until it is told
        counters.skipped[SkipReason::Lag as usize].add(overtaken.gap);
    }
    let lost = group.lost - connection.lost_before.replace(group.lost);
    if lost > 0 {
        add(&connection.tally.offered_before, lost);
        connection.lose(SkipReason::Hub, lost);
        counters.offered.add(lost);
        counters.skipped[SkipReason::Hub as usize].add(lost);
    }
}
