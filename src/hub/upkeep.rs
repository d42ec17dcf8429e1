//! Once a second: keepalives, stall limits, the ends of credentials, and feeds that grew old.

use std::{
    collections::HashSet,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use super::core::{HubCore, Member};
use crate::{
    clock::Timestamp,
    connection::{CloseReason, Connection},
    metrics::{CALL_BOUNDS_MICROS, micros},
    websocket::{CloseCode, frame},
};

/// The wheel's step.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// A tick that comes so long after the one before comes after a standstill: of this worker, or of the whole machine.
const STANDSTILL: Duration = Duration::from_secs(4);
/// How long before its credentials end a client is told.
const WARNING: Duration = Duration::from_secs(60);
/// How often a connection of nobody is looked at.
const UNOWNED: Duration = Duration::from_secs(5);

/// Room for so many connections is kept whether or not they are there.
const ROOM_KEPT: usize = 1024;
/// A block, in bytes, that has a page of the allocator to itself. The allocator looks for memory to give back to the kernel only
/// when such a page goes, which in a server that has become quiet never happens; so one comes and goes, untouched.
const PAGE_OF_ITS_OWN: usize = 1 << 20;

impl HubCore {
    /// Does what the passing of time asks for.
    pub fn tick(&mut self, now: Instant) {
        self.counters.beats.add(1); // first: a hub whose upkeep panics still moves
        if now.saturating_duration_since(self.last_tick) > STANDSTILL {
            self.awake_since = now; // what clients said meanwhile lies unread
        }
        self.last_tick = now;
        while let Some(due) = self.wheel.tick(now) {
            for (slot, generation) in due {
                self.look_at(slot, generation, now);
                if self.members.get(slot as usize).is_some_and(|member| member.connection.id.generation == generation) {
                    self.check_rights(slot); // a change is told at once; this is the net below
                }
            }
        }
        self.age_feeds(now);
        self.survey(now);
        self.give_back_room();
    }

    /// Lets go of the room that clients needed who have left.
    fn give_back_room(&mut self) {
        if self.members.capacity() > ROOM_KEPT.max(4 * self.members.len()) {
            self.members.shrink_to_fit();
        }
        self.ready.shrink_to(ROOM_KEPT);
        self.leaving.shrink_to(ROOM_KEPT);
        drop(std::hint::black_box(Vec::<u8>::with_capacity(PAGE_OF_ITS_OWN)));
    }

    /// A timer of this worker ran so much later than wanted.
    pub(super) fn late(&self, delay: Duration) {
        self.counters.delays.observe(&CALL_BOUNDS_MICROS, micros(delay));
    }

    /// A client has answered the ping it was sent last.
    pub(super) fn ponged(&self, connection: &Connection, now: Instant) {
        if connection.ended.get() {
            return;
        }
        let member = &self.members[connection.id.slot as usize];
        if let Some(keepalive) = member.keepalive.as_ref().filter(|_| member.pinged.take()) {
            let took = (now + keepalive.interval).saturating_duration_since(member.next_ping.get().into());
            let round_trips = &self.counters.dialects[member.dialect()].round_trips;
            round_trips.observe(&CALL_BOUNDS_MICROS, micros(took));
        }
    }

    /// A client was sent a ping of its protocol's own, which is not due here.
    pub(super) fn pinged(&self, connection: &Connection) {
        if !connection.ended.get() {
            self.counters.dialects[self.members[connection.id.slot as usize].dialect()].pings.add(1);
        }
    }

    /// It has answered it, so long after.
    pub(super) fn answered(&self, connection: &Connection, took: Duration) {
        if !connection.ended.get() {
            let member = &self.members[connection.id.slot as usize];
            self.counters.dialects[member.dialect()].round_trips.observe(&CALL_BOUNDS_MICROS, micros(took));
        }
    }

    /// Lets go of the clients at these addresses, in the form the kernel's list has them.
    pub(super) fn peers_gone(&mut self, peers: &HashSet<SocketAddr>) {
        let canonical = |peer: SocketAddr| SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let is_gone = |member: &Member| member.connection.details.peer.is_some_and(|peer| peers.contains(&canonical(peer)));
        let gone: Vec<_> =
            self.members.iter().filter(|(_, member)| is_gone(member)).map(|(_, member)| Rc::clone(&member.connection)).collect();
        for connection in gone {
            self.leave(&connection, CloseReason::Gone);
        }
    }

    /// One connection's turn on the wheel; its first comes as it joins.
    pub(super) fn look_at(&mut self, slot: u32, generation: u32, now: Instant) {
        let Some(member) = self.members.get(slot as usize).filter(|member| member.connection.id.generation == generation) else { return };
        let connection = Rc::clone(&member.connection);
        if stalled(member, self.settings.stall_limit, now) {
            self.counters.time_outs.add(1);
            self.leave(&connection, CloseReason::Stalled);
            return;
        }
        if silent_at(member, self.awake_since).is_some_and(|end| end <= now) {
            self.close(&connection, CloseReason::Silent);
            return;
        }
        if self.members[slot as usize].identify_by.is_some_and(|end| Instant::from(end) <= now) {
            let last_word = frame::close(CloseCode::POLICY_VIOLATION, "nobody has said whose connection this is");
            self.close_with(&connection, CloseReason::Unidentified, Some(last_word));
            return;
        }
        let left = self.time_left(slot);
        if left.is_some_and(|left| left.is_zero()) {
            self.close(&connection, CloseReason::Expired);
            return;
        }
        self.warn_of_end(slot, left);
        self.ping(slot, now);
        let member = &self.members[slot as usize];
        let silent = silent_at(member, self.awake_since);
        self.wheel.schedule((slot, generation), next_look(member, silent, self.settings.stall_limit, left, now));
    }

    /// How long the credentials still count; `None`: for ever.
    fn time_left(&self, slot: u32) -> Option<Duration> {
        let expires = self.members[slot as usize].credential.expires()?;
        let left = expires.0.saturating_sub(Timestamp::now().0);
        Some(Duration::from_millis(u64::try_from(left).unwrap_or_default()))
    }

    fn warn_of_end(&mut self, slot: u32, left: Option<Duration>) {
        let member = &self.members[slot as usize];
        let Some((left, notice)) = left.zip(member.notices.expiring) else { return };
        if left > WARNING {
            member.warned.set(false); // whoever knows the credentials has prolonged them
        } else if !member.warned.replace(true) {
            let connection = Rc::clone(&member.connection);
            let ends = Timestamp(Timestamp::now().0.saturating_add(i64::try_from(left.as_millis()).unwrap_or(i64::MAX)));
            self.reply(&connection, notice(left, ends));
        }
    }

    /// A ping when one is due. A blocked client gets none: it would only wait behind what it does not take.
    fn ping(&mut self, slot: u32, now: Instant) {
        let member = &self.members[slot as usize];
        let Some(keepalive) = &member.keepalive else { return };
        if Instant::from(member.next_ping.get()) > now {
            return;
        }
        member.next_ping.set((now + keepalive.interval).into());
        let connection = Rc::clone(&member.connection);
        if connection.blocked_since().is_none() && !connection.has_replies() {
            let frame = keepalive.frame.clone();
            self.counters.dialects[member.dialect()].pings.add(1);
            member.pinged.set(true);
            self.reply(&connection, frame);
        }
    }
}

fn stalled(member: &Member, limit: Option<Duration>, now: Instant) -> bool {
    let (Some(limit), Some(since)) = (limit, member.connection.blocked_since()) else { return false };
    now.saturating_duration_since(since) >= limit
}

/// When it will have neither said nor taken anything for its dialect's limit, while the worker was awake to hear it. One that
/// takes nothing may have no chance to say anything either: that is the stall limit's business. The ping it has to answer may have
/// been late by a tick.
fn silent_at(member: &Member, awake_since: Instant) -> Option<Instant> {
    let limit = member.keepalive.as_ref()?.silence?;
    member.connection.blocked_since().is_none().then(|| member.connection.heard().max(awake_since) + limit + TICK)
}

/// When a connection must be looked at again: for its next ping, the end of its silence, its stall limit, the warning or the
/// end of its credentials, or the end of the time it has to say whose it is.
fn next_look(member: &Member, silent: Option<Instant>, stall_limit: Option<Duration>, left: Option<Duration>, now: Instant) -> Instant {
    let ping = member.keepalive.as_ref().map(|_| member.next_ping.get().into());
    let stall = stall_limit.map(|limit| match member.connection.blocked_since() {
        Some(since) => since + limit,
        None => now + (limit / 2).max(TICK), // should it become blocked right now, it is seen well before its limit
    });
    let end = left.map(|left| now + left.checked_sub(WARNING).filter(|wait| !wait.is_zero()).unwrap_or(left));
    // Whoever it will be given to may have credentials that end soon.
    let owner = member.credential.is_nobody().then(|| member.identify_by.map_or(now + UNOWNED, Instant::from).min(now + UNOWNED));
    [ping, silent, stall, end, owner].into_iter().flatten().min().unwrap_or(now + WARNING)
}
