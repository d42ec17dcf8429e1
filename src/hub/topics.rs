//! Topics: the present state of something, told now and again to the clients of this worker that asked for it.
//!
//! A subscription is in one of three places: on a wheel of its own until its time comes, in the queue of those to be looked
//! at, or with its topic until that moves. So one that has been told the present costs nothing. What is told goes the way of
//! replies, one state at a time: whoever has not taken the last one is looked at again later, and misses states, never the
//! latest.

use std::{
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{core::HubCore, wheel::Wheel};
use crate::{
    connection::{Connection, OutboxLimits},
    topic::{Subscription, Topic},
};

/// How often it is looked whether there is something to tell.
pub(super) const STEP: Duration = Duration::from_millis(100);
/// When a client that could not be told is looked at again.
const RETRY: Duration = Duration::from_millis(500);
/// No wait is longer: clients may ask for any.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// What one go may cost before the worker's other tasks have their turn: subscriptions looked at, bytes told, and time, of which the
/// longest look does not count, because those who share what was built in it are told along.
const AT_ONCE: usize = 256;
const BYTES: usize = 1 << 20;
const TIME: Duration = Duration::from_millis(1);

/// A subscription: its client's slot and generation, and its own number.
type Key = (u32, u32, u32);

/// One client's subscriptions.
#[derive(Default)]
pub(super) struct Subscriptions(Vec<Told>);

/// A subscription, and what has been told because of it.
struct Told {
    subscription: Subscription,
    serial: u32,
    /// `false`: the client wants no more. What it was told is kept, because it must not be told the same bytes again.
    is_active: bool,
    /// The last frame it was sent.
    before: Option<Bytes>,
    /// The topic's version of that time; `None`: it is asked in any case.
    version: Option<u64>,
    /// It is told even if nothing has changed, in other bytes.
    again: bool,
    /// Not told before.
    due: Instant,
}

/// A topic that somebody of this worker is subscribed to.
struct Watched {
    topic: Arc<dyn Topic>,
    /// As it was looked at last.
    version: u64,
    n_subscriptions: usize,
    /// Those who have been told the present and whose interval is over.
    waiting: Vec<Key>,
}

/// The topics of one worker.
pub(super) struct Topics {
    wheel: Wheel<Key>,
    watched: Vec<Watched>,
    /// To be looked at.
    queue: VecDeque<Key>,
    last_serial: u32,
}

impl Topics {
    pub(super) fn new(now: Instant) -> Self {
        Self { wheel: Wheel::new(now, STEP), watched: Vec::new(), queue: VecDeque::new(), last_serial: 0 }
    }

    /// Whether anybody is subscribed to anything.
    pub(super) fn are_wanted(&self) -> bool {
        !self.watched.is_empty()
    }

    /// Subscriptions in all their places, those that are over included.
    #[cfg(test)]
    pub(super) fn n_kept(&self) -> usize {
        self.queue.len() + self.watched.iter().map(|watched| watched.waiting.len()).sum::<usize>()
    }

    /// Bytes of subscriptions and of the places where they stand. The states that were told are shared, and not among them.
    pub(super) fn n_bytes(&self) -> usize {
        let n_subscriptions: usize = self.watched.iter().map(|watched| watched.n_subscriptions).sum();
        let waiting: usize = self.watched.iter().map(|watched| watched.waiting.capacity()).sum();
        let places = (self.queue.capacity() + waiting) * size_of::<Key>() + self.wheel.n_bytes();
        n_subscriptions * (size_of::<Subscriptions>() + size_of::<Told>()) + places
    }

    fn next_serial(&mut self) -> u32 {
        self.last_serial = self.last_serial.wrapping_add(1);
        self.last_serial
    }

    fn watched(&mut self, topic: &Arc<dyn Topic>) -> Option<&mut Watched> {
        self.watched.iter_mut().find(|watched| is_same(&watched.topic, topic))
    }

    fn watch(&mut self, topic: &Arc<dyn Topic>, now: Instant) {
        if self.watched.is_empty() {
            // Nobody has looked at the clock since the last one went; whatever is left is of the past.
            (self.wheel, self.queue) = (Wheel::new(now, STEP), VecDeque::new());
        }
        match self.watched(topic) {
            Some(watched) => watched.n_subscriptions += 1,
            None => {
                let watched = Watched { topic: Arc::clone(topic), version: topic.version(), n_subscriptions: 1, waiting: Vec::new() };
                self.watched.push(watched);
            }
        }
    }

    fn unwatch(&mut self, topic: &Arc<dyn Topic>) {
        if let Some(watched) = self.watched(topic) {
            watched.n_subscriptions -= 1;
        }
        self.watched.retain(|watched| watched.n_subscriptions > 0);
    }

    /// Queues whatever may have something to be told.
    fn collect(&mut self, now: Instant) {
        while let Some(due) = self.wheel.tick(now) {
            self.queue.extend(due);
        }
        for watched in &mut self.watched {
            let version = watched.topic.version();
            if version != watched.version {
                watched.version = version;
                self.queue.extend(watched.waiting.drain(..));
            }
        }
    }
}

impl HubCore {
    /// A client wants to be told of a topic, instead of what it wanted of that before.
    pub fn subscribe(&mut self, connection: &Connection, subscription: Subscription, now: Instant) {
        if connection.ended.get() || connection.closing().is_some() {
            return;
        }
        let (slot, generation) = (connection.id.slot, connection.id.generation);
        let before = self.unsubscribe(connection, subscription.topic.name());
        self.topics.watch(&subscription.topic, now);
        let (serial, due) = (self.topics.next_serial(), now + subscription.first.min(LONGEST));
        let again = before.is_some();
        let told = Told { subscription, serial, is_active: true, before, version: None, again, due };
        let own = &mut self.members[slot as usize].subscriptions.get_or_insert_default().0;
        own.retain(|other| other.is_active || other.subscription.topic.name() != told.subscription.topic.name());
        own.reserve_exact(1); // most have one
        own.push(told);
        self.topics.queue.push_back((slot, generation, serial));
    }

    /// A client does not want to be told of that topic any more; what it was told last.
    pub fn unsubscribe(&mut self, connection: &Connection, topic: &str) -> Option<Bytes> {
        if connection.ended.get() {
            return None;
        }
        let own = self.members[connection.id.slot as usize].subscriptions.as_mut()?;
        let told = own.0.iter_mut().find(|told| told.subscription.topic.name() == topic)?;
        if std::mem::replace(&mut told.is_active, false) {
            self.topics.unwatch(&told.subscription.topic);
        }
        told.before.clone()
    }

    /// Tells who is to be told at that time; `true` when there is more to do.
    pub fn tell_topics(&mut self, now: Instant) -> bool {
        self.topics.collect(now);
        let (mut n_bytes, mut spent, mut longest) = (0, Duration::ZERO, Duration::ZERO);
        let mut began = Instant::now();
        for _ in 0..AT_ONCE {
            let Some(key) = self.topics.queue.pop_front() else { return false };
            n_bytes += self.look_at_subscription(key, now);
            let ended = Instant::now();
            let look = ended.saturating_duration_since(std::mem::replace(&mut began, ended));
            (spent, longest) = (spent + look, longest.max(look));
            if n_bytes >= BYTES || spent.saturating_sub(longest) >= TIME {
                break;
            }
        }
        !self.topics.queue.is_empty()
    }

    /// The client's rights are others, or a state that waited was dropped: it is asked again what it may be told.
    pub(super) fn ask_topics_again(&mut self, slot: u32, is_dropped: bool) {
        let Self { members, topics, .. } = self;
        let member = &mut members[slot as usize];
        for told in member.subscriptions.iter_mut().flat_map(|own| &mut own.0).filter(|told| told.is_active) {
            told.version = None;
            told.again |= is_dropped && told.before.is_some();
            told.serial = topics.next_serial(); // wherever it stood, it stands there no more
            topics.queue.push_back((slot, member.connection.id.generation, told.serial));
        }
    }

    /// A client has gone, and its subscriptions with it.
    pub(super) fn forget_subscriptions(&mut self, gone: Subscriptions) {
        for told in gone.0.iter().filter(|told| told.is_active) {
            self.topics.unwatch(&told.subscription.topic);
        }
    }

    /// How many bytes were told.
    fn look_at_subscription(&mut self, key: Key, now: Instant) -> usize {
        let Self { members, groups, topics, settings, .. } = self;
        let Some(member) = members.get_mut(key.0 as usize).filter(|member| member.connection.id.generation == key.1) else { return 0 };
        let connection = Rc::clone(&member.connection);
        let Some(told) = member.subscriptions.as_mut().and_then(|own| own.get_mut(key.2)) else { return 0 };
        if connection.closing().is_some() {
            return 0;
        }
        let wait = if told.due > now { Some(told.due) } else { connection.is_busy().then(|| now + RETRY) };
        if let Some(until) = wait {
            topics.wheel.schedule(key, until);
            return 0;
        }
        let Subscription { topic, interval, always, .. } = told.subscription.clone();
        // As this go found it: what has come since is looked at in the next, and nothing is built twice in one.
        let Some(version) = topics.watched(&topic).map(|watched| watched.version) else { return 0 };
        let again = told.again || always && told.before.is_some();
        if !again && told.version == Some(version) {
            self.wait_for_change(key, &topic);
            return 0;
        }
        (told.version, told.again) = (Some(version), false);
        let principal = &groups[member.group as usize].key.filter.principal;
        let news = topic.frame(principal, version, told.before.as_ref(), again).filter(|frame| !told.is_before(frame));
        let n_bytes = news.as_ref().map_or(0, Bytes::len);
        let is_told = news.is_some_and(|frame| told.tell(&connection, frame, settings.outbox));
        if is_told || again && always {
            // What is told always keeps its pace, though it is looked at some time after it is due.
            let is_in_time = always && now.saturating_duration_since(told.due) < 2 * STEP;
            told.due = if is_in_time { told.due } else { now } + interval.min(LONGEST);
            topics.wheel.schedule(key, told.due);
        } else {
            self.wait_for_change(key, &topic);
        }
        if is_told {
            self.make_ready(&connection);
        }
        if is_told { n_bytes } else { 0 }
    }

    /// It is looked at again when the topic has moved.
    fn wait_for_change(&mut self, key: Key, topic: &Arc<dyn Topic>) {
        let Self { members, topics, .. } = self;
        let Some(watched) = topics.watched(topic) else { return };
        if watched.waiting.len() > 2 * watched.n_subscriptions {
            watched.waiting.retain(|(slot, generation, serial)| {
                let member = members.get_mut(*slot as usize).filter(|member| member.connection.id.generation == *generation);
                member.and_then(|member| member.subscriptions.as_mut()?.get_mut(*serial)).is_some()
            });
        }
        watched.waiting.push(key);
    }
}

impl Subscriptions {
    fn get_mut(&mut self, serial: u32) -> Option<&mut Told> {
        self.0.iter_mut().find(|told| told.serial == serial && told.is_active)
    }
}

impl Told {
    fn is_before(&self, frame: &Bytes) -> bool {
        self.before.as_ref().is_some_and(|before| before.as_ptr() == frame.as_ptr() && before.len() == frame.len())
    }

    /// `false`: there is no room. Bytes are no bound to one that waits alone: all its readers share them.
    fn tell(&mut self, connection: &Connection, frame: Bytes, limits: OutboxLimits) -> bool {
        let is_told = connection.tell_state(frame.clone(), OutboxLimits { bytes: limits.bytes.max(frame.len()), ..limits });
        if is_told {
            self.before = Some(frame);
        }
        is_told
    }
}

fn is_same(one: &Arc<dyn Topic>, other: &Arc<dyn Topic>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}
