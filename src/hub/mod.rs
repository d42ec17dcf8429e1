//! The hub: the actor of one worker thread, between the shards and the connections of that worker.
//!
//! Thin: messages in, marks; one future flushes when the mailbox is empty. Everything it knows is in `core`; sessions
//! of the same thread reach it through a [`HubHandle`].

mod core;
mod feed;
mod flush;
mod goodbye;
mod group;
mod index;
mod lag;
mod loss;
mod memory;
mod offers;
mod owner;
mod plan;
mod report;
mod rights;
mod survey;
mod topics;
mod upkeep;
mod wheel;

#[cfg(test)]
mod tests;

use std::{
    any::Any,
    cell::RefCell,
    collections::HashSet,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll, Waker},
    time::{Duration, Instant},
};

use actix::{Actor, ActorFuture, AsyncContext, Context, Handler, Message, MessageResult};
use bytes::Bytes;
use tokio::time::{Sleep, sleep};

pub use self::core::{HubCore, HubSettings, Join};
pub use feed::FeedLimits;
pub use owner::Owner;
pub use report::{ConnectionReport, ConnectionsPage, Wanted, Whose};

use crate::{
    access::Principal,
    connection::{CloseReason, Connection},
    id::{ConnectionId, UserId},
    metrics::{Work, WorkerCounters},
    shard::FromShard,
    topic::Subscription,
};

/// A hub as the sessions of its thread reach it.
#[derive(Clone)]
pub struct HubHandle(Rc<Shared>);

struct Shared {
    core: RefCell<HubCore>,
    /// Those of the worker.
    counters: Arc<WorkerCounters>,
    /// The flush future, when it has nothing to do.
    idle: RefCell<Option<Waker>>,
}

impl HubHandle {
    /// Wraps a core; the actor is started from it.
    #[must_use]
    pub fn new(core: HubCore) -> Self {
        let counters = Arc::clone(&core.counters);
        Self(Rc::new(Shared { core: RefCell::new(core), counters, idle: RefCell::new(None) }))
    }

    /// Does something with the core, and has the flush future look at what was marked. `None`: it panicked, and a hub
    /// without connections has taken the core's place.
    pub fn with<T>(&self, act: impl FnOnce(&mut HubCore) -> T) -> Option<T> {
        let result = self.guarded(act);
        if let Some(waker) = self.0.idle.borrow_mut().take() {
            waker.wake();
        }
        result
    }

    /// As [`HubHandle::with`], for what the hub's own actor handles: how long it takes is counted.
    fn timed<T>(&self, act: impl FnOnce(&mut HubCore) -> T) -> Option<T> {
        let began = Instant::now();
        let result = self.with(act);
        self.0.counters.handled(Work::Hub, began.elapsed());
        result
    }

    /// The counters of the worker, for the sessions of its thread.
    #[must_use]
    pub fn counters(&self) -> &WorkerCounters {
        &self.0.counters
    }

    /// The one place that reaches into the core. A panic ends neither the worker nor the actor, whose mailbox the shards
    /// know: it costs the sessions, because what they were based on can no longer be trusted.
    fn guarded<T>(&self, act: impl FnOnce(&mut HubCore) -> T) -> Option<T> {
        catch_unwind(AssertUnwindSafe(|| act(&mut self.0.core.borrow_mut()))).map_err(|panic| self.replace_core(&*panic)).ok()
    }

    fn replace_core(&self, panic: &(dyn Any + Send)) {
        let lost = {
            let mut core = self.0.core.borrow_mut(); // free again: unwinding let go of it
            let successor = core.successor();
            std::mem::replace(&mut *core, successor)
        };
        lost.lose(panic);
    }

    /// The core alone, for tests.
    #[cfg(test)]
    fn into_core(self) -> HubCore {
        Rc::into_inner(self.0).expect("the only handle").core.into_inner()
    }

    /// Admits a client. `None`: its rights have ended meanwhile, or the hub was lost over it.
    #[must_use]
    pub fn join(&self, join: Join) -> Option<Rc<Connection>> {
        self.with(|core| core.join(join, Instant::now())).flatten()
    }

    /// The connection's outlet could take bytes again.
    pub fn writable(&self, connection: &Connection) {
        connection.unblock();
        let _ = self.with(|core| core.make_ready(connection));
    }

    /// The client has gone.
    pub fn gone(&self, connection: &Connection) {
        let _ = self.with(|core| core.leave(connection, CloseReason::Gone));
    }

    /// Sends a client something beside its events.
    pub fn reply(&self, connection: &Rc<Connection>, reply: Bytes) {
        let _ = self.with(|core| {
            // What it asked for just before its end goes with it.
            if !connection.ended.get() && connection.closing().is_none() {
                core.reply(connection, reply);
            }
        });
    }

    /// Ends a connection with this last word.
    pub fn close(&self, connection: &Rc<Connection>, reason: CloseReason, last_word: Bytes) {
        let _ = self.with(|core| core.close_with(connection, reason, Some(last_word)));
    }

    /// The client has shown who it is: from now on the connection is that one's.
    pub fn give(&self, connection: &Rc<Connection>, owner: Owner) {
        let _ = self.with(|core| core.give(connection, owner));
    }

    /// The client wants to be told of a topic, instead of what it wanted of that before.
    pub fn subscribe(&self, connection: &Connection, subscription: Subscription) {
        let _ = self.with(|core| core.subscribe(connection, subscription, Instant::now()));
    }

    /// The client does not want to be told of that topic any more.
    pub fn unsubscribe(&self, connection: &Connection, topic: &str) {
        let _ = self.with(|core| core.unsubscribe(connection, topic));
    }

    /// Whose a connection is, with the rights it has now; `None` once the hub has let go of it.
    #[must_use]
    pub fn principal(&self, connection: &Connection) -> Option<Arc<Principal>> {
        self.guarded(|core| core.principal(connection)).flatten()
    }

    /// The client has answered a ping.
    pub fn ponged(&self, connection: &Connection) {
        let _ = self.guarded(|core| core.ponged(connection, Instant::now()));
    }

    /// The client was sent a ping of its protocol's own.
    pub fn pinged(&self, connection: &Connection) {
        let _ = self.guarded(|core| core.pinged(connection));
    }

    /// The client has answered such a ping, so long after.
    pub fn answered(&self, connection: &Connection, took: Duration) {
        let _ = self.guarded(|core| core.answered(connection, took));
    }

    /// A WebSocket has taken over from polling.
    pub fn took_over(&self, connection: &Connection) {
        let _ = self.with(|core| core.took_over(connection));
    }

    /// The HTTP server has pulled a body's chunk, or a GET what had waited for one.
    pub fn chunk_taken(&self, connection: &Connection) {
        let _ = self.with(|core| core.chunk_taken(connection));
    }
}

/// How often it is looked at how late a worker's timers are.
const DELAY_CHECK: Duration = Duration::from_millis(250);

/// The actor of one worker.
pub struct Hub {
    handle: HubHandle,
    mailbox: usize,
}

impl Hub {
    /// The actor of a core.
    #[must_use]
    pub fn new(handle: HubHandle, mailbox: usize) -> Self {
        Self { handle, mailbox }
    }
}

impl Actor for Hub {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.mailbox);
        ctx.spawn(FlushLoop { pause: None });
        ctx.spawn(TopicClock { next: None });
        ctx.run_interval(Duration::from_secs(1), |hub, _| {
            let _ = hub.handle.timed(|core| core.tick(Instant::now()));
        });
        let mut due = Instant::now() + DELAY_CHECK;
        ctx.run_interval(DELAY_CHECK, move |hub, _| {
            let now = Instant::now();
            hub.handle.0.core.borrow().late(now.saturating_duration_since(due));
            due = now + DELAY_CHECK;
        });
    }
}

impl Handler<FromShard> for Hub {
    type Result = ();

    fn handle(&mut self, message: FromShard, _: &mut Self::Context) {
        let _ = self.handle.timed(|core| match message {
            FromShard::Deliver { shard, envelopes } => {
                core.owe(shard, envelopes.len()); // first: should an offer panic, the credit is not lost
                for envelope in envelopes.iter() {
                    core.offer(envelope);
                }
            }
            FromShard::Missed(missed) => core.missed(&missed),
        });
    }
}

/// A user's rights changed, or, without a user, those of a key: answered when the sessions of this worker have followed.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct RightsChanged(pub Option<UserId>);

impl Handler<RightsChanged> for Hub {
    type Result = ();

    fn handle(&mut self, RightsChanged(user): RightsChanged, _: &mut Self::Context) {
        // A hub lost over it has no session left that could keep old rights.
        let _ = self.handle.timed(|core| match &user {
            Some(user) => core.rights_changed(user),
            None => core.keys_changed(),
        });
    }
}

/// A connection of nobody turned out to be somebody's. It stays as it is if it is somebody's meanwhile.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct Identified {
    /// Which.
    pub connection: ConnectionId,
    /// Whose.
    pub owner: Owner,
}

impl Handler<Identified> for Hub {
    type Result = ();

    fn handle(&mut self, Identified { connection, owner }: Identified, _: &mut Self::Context) {
        let _ = self.handle.timed(|core| core.identify(connection, owner));
    }
}

/// Asks for some of this worker's connections, from a slot on.
#[derive(Debug, Clone)]
pub struct ListConnections {
    /// The first slot of interest.
    pub from_slot: u32,
    /// The most to list.
    pub limit: usize,
    /// Which.
    pub wanted: Wanted,
}

impl Message for ListConnections {
    type Result = ConnectionsPage;
}

impl Handler<ListConnections> for Hub {
    type Result = MessageResult<ListConnections>;

    fn handle(&mut self, page: ListConnections, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.handle.timed(|core| core.report(page.from_slot, page.limit, &page.wanted)).unwrap_or_default())
    }
}

/// Ends connections because an administrator wants it; answered with how many.
#[derive(Debug, Clone, Message)]
#[rtype(result = "usize")]
pub struct Disconnect(pub Whose);

impl Handler<Disconnect> for Hub {
    type Result = usize;

    fn handle(&mut self, Disconnect(whose): Disconnect, _: &mut Self::Context) -> usize {
        self.handle.timed(|core| core.disconnect(&whose)).unwrap_or_default()
    }
}

/// Ends some connections with the dialect's last word; answered with how many are left to be sent away.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "usize")]
pub struct SayGoodbye {
    /// The most to end.
    pub at_most: usize,
    /// Why.
    pub reason: CloseReason,
    /// Decides in which order they leave.
    pub seed: u64,
}

impl Handler<SayGoodbye> for Hub {
    type Result = usize;

    fn handle(&mut self, SayGoodbye { at_most, reason, seed }: SayGoodbye, _: &mut Self::Context) -> usize {
        self.handle.timed(|core| core.say_goodbye(at_most, reason, seed)).unwrap_or_default()
    }
}

/// These clients have died without a word: what they were sent is not acknowledged.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct PeersGone(pub Arc<HashSet<SocketAddr>>);

impl Handler<PeersGone> for Hub {
    type Result = ();

    fn handle(&mut self, PeersGone(peers): PeersGone, _: &mut Self::Context) {
        let _ = self.handle.timed(|core| core.peers_gone(&peers));
    }
}

/// Something that must not happen, for tests.
#[cfg(test)]
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub enum Trouble {
    /// A handler panics.
    Panic,
    /// The flush loop panics.
    PanicInFlush,
    /// The worker's thread stands still for so long.
    StandStill(Duration),
}

#[cfg(test)]
impl Handler<Trouble> for Hub {
    type Result = ();

    fn handle(&mut self, trouble: Trouble, _: &mut Self::Context) {
        let _ = self.handle.timed(|core| match trouble {
            Trouble::Panic => panic!("a bug in a handler"),
            Trouble::PanicInFlush => core.panics_in_flush = true,
            Trouble::StandStill(time) => {
                let until = Instant::now() + time;
                while Instant::now() < until {
                    std::thread::park_timeout(until.saturating_duration_since(Instant::now()));
                }
            }
        });
    }
}

/// The one future that writes. Polled after the mailbox was emptied.
struct FlushLoop {
    /// A real yield between chunks: the worker's other tasks, and its sockets, have their turn.
    pause: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl ActorFuture<Hub> for FlushLoop {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, hub: &mut Hub, _: &mut Context<Hub>, task: &mut TaskContext<'_>) -> Poll<()> {
        if let Some(pause) = &mut self.pause {
            if pause.as_mut().poll(task).is_pending() {
                return Poll::Pending;
            }
            self.pause = None;
        }
        let more = hub.handle.guarded(HubCore::flush_chunk).unwrap_or_default();
        if more {
            let mut pause: Pin<Box<dyn Future<Output = ()>>> = Box::pin(tokio::task::yield_now());
            if pause.as_mut().poll(task).is_pending() {
                self.pause = Some(pause);
                return Poll::Pending;
            }
        }
        *hub.handle.0.idle.borrow_mut() = Some(task.waker().clone());
        Poll::Pending
    }
}

/// How soon topics are looked at when somebody is subscribed for the first time, and when there was more than could be told
/// at once: what else the worker has to do comes in between.
const SOON: Duration = Duration::from_millis(1);

/// Has topics told, while anybody is subscribed to one.
struct TopicClock {
    next: Option<Pin<Box<Sleep>>>,
}

impl ActorFuture<Hub> for TopicClock {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, hub: &mut Hub, _: &mut Context<Hub>, task: &mut TaskContext<'_>) -> Poll<()> {
        // It is polled whenever the hub is, so also when somebody subscribes.
        while hub.handle.0.core.borrow().topics.are_wanted() {
            if self.next.get_or_insert_with(|| Box::pin(sleep(SOON))).as_mut().poll(task).is_pending() {
                return Poll::Pending;
            }
            let began = Instant::now();
            let more = hub.handle.timed(|core| core.tell_topics(began)).unwrap_or_default();
            // However much there is to tell, half of the worker's time is for everything else.
            self.next = Some(Box::pin(sleep(if more { SOON.max(began.elapsed()) } else { topics::STEP })));
        }
        self.next = None;
        Poll::Pending
    }
}
