//! The session: one client's connection as an actor.
//!
//! It owns the reading side and the waiting: its task wakes for input, for a socket that takes bytes again, and for what
//! its hub tells it through its bounded mailbox. It never writes; the hub's flush loop does, on the same thread.

mod inbound;
mod polled;
mod talk;

use std::{
    any::Any,
    pin::Pin,
    rc::Rc,
    sync::{Arc, atomic::AtomicBool},
    task::{Context as TaskContext, Poll},
    time::{Duration, Instant},
};

use actix::{Actor, ActorContext, ActorFuture, AsyncContext, Context, Handler, dev::ContextFut};
use tokio::time::{Sleep, sleep};

pub use inbound::{Inbound, InboundLimits, Listening};
pub use polled::Carry;
use polled::Polled;
pub use talk::Authenticate;

use crate::{
    connection::{Connection, Control},
    hub::HubHandle,
    metrics::{Part, Work},
};

/// How long a client may take to close its side of a WebSocket after ours is closed.
const LAST_READS: Duration = Duration::from_secs(2);

/// One client. Holds no buffer while idle.
pub struct Session {
    connection: Rc<Connection>,
    hub: HubHandle,
    mailbox: usize,
    /// What it says; `None`: it has nothing to say.
    inbound: Option<Box<Inbound>>,
    finishing: bool,
    /// Bytes it keeps, as counted when it began.
    n_bytes: u32,
    /// What it needs as long as it polls; `None`: it never has.
    polled: Option<Box<Polled>>,
}

impl Session {
    /// A session of a connection that has joined its hub, whose client has nothing to say.
    #[must_use]
    pub fn new(connection: Rc<Connection>, hub: HubHandle, mailbox: usize) -> Self {
        Self { connection, hub, mailbox, inbound: None, finishing: false, n_bytes: 0, polled: None }
    }

    /// A session whose client speaks WebSocket.
    #[must_use]
    pub fn websocket(connection: Rc<Connection>, hub: HubHandle, mailbox: usize, inbound: Inbound) -> Self {
        let mut session = Self::new(connection, hub, mailbox);
        session.inbound = Some(Box::new(inbound));
        session
    }

    /// The same for a client that polls: a WebSocket may take over within that time, `is_somebodys` is kept at whether somebody has
    /// shown whose it is, and `keeps` is dropped with the session.
    #[must_use]
    pub fn polled(mut self, upgrade_timeout: Duration, is_somebodys: Arc<AtomicBool>, keeps: Box<dyn Any>) -> Self {
        self.polled = Some(Box::new(Polled::new(upgrade_timeout, is_somebodys, keeps)));
        self
    }

    /// Enters what it keeps among what its worker does, until it is dropped.
    fn weigh(&mut self) {
        let said = self.inbound.as_ref().map_or(0, |inbound| inbound.n_bytes());
        let polled = self.polled.as_ref().map_or(0, |polled| size_of_val(&**polled));
        let actor = size_of::<ContextFut<Self, Context<Self>>>();
        self.n_bytes = u32::try_from(actor + said + polled).unwrap_or(u32::MAX);
        self.hub.counters().memory[Part::Sessions as usize].add(u64::from(self.n_bytes));
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.hub.counters().memory[Part::Sessions as usize].sub(u64::from(self.n_bytes));
    }
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.mailbox);
        self.connection.attach(ctx.address().downgrade().recipient());
        if let Some(inbound) = &mut self.inbound {
            inbound.begin(&self.connection, &self.hub);
        }
        ctx.spawn(Pump);
        self.weigh();
    }
}

impl Handler<Control> for Session {
    type Result = ();

    fn handle(&mut self, control: Control, ctx: &mut Self::Context) {
        match control {
            Control::Ended(_) => self.finish(ctx),
        }
    }
}

impl Session {
    /// The hub has let go of the connection. On a WebSocket the last word must not be lost over what the client still
    /// sends, so that is read away first.
    fn finish(&mut self, ctx: &mut Context<Self>) {
        if self.inbound.take().is_none() {
            if !self.finishing {
                ctx.stop();
            }
            return;
        }
        self.finishing = true;
        self.connection.outlet().finish();
        ctx.spawn(LastReads(Box::pin(sleep(LAST_READS))));
    }
}

/// Polled whenever the session's task wakes.
struct Pump;

impl ActorFuture<Session> for Pump {
    type Output = ();

    fn poll(self: Pin<&mut Self>, session: &mut Session, ctx: &mut Context<Session>, task: &mut TaskContext<'_>) -> Poll<()> {
        let connection = &session.connection;
        if connection.ended.get() {
            session.finish(ctx); // its mailbox says so too, unless it ended before it began
            return Poll::Ready(());
        }
        connection.register(task.waker());
        session.poll_probing(task);
        let connection = &session.connection;
        let gone = match &mut session.inbound {
            Some(inbound) => {
                let began = Instant::now();
                let gone = inbound.turn(connection, &session.hub, task).is_ready();
                session.hub.counters().handled(Work::Session, began.elapsed());
                if let Some(polled) = &session.polled {
                    polled.tell(inbound.is_somebodys());
                }
                gone
            }
            None => connection.outlet().poll_gone(task).is_ready(),
        };
        if gone {
            session.hub.gone(connection);
            ctx.stop();
            return Poll::Ready(());
        }
        if connection.blocked_since().is_some() && connection.poll_writable(task).is_ready() {
            session.hub.writable(connection);
        }
        Poll::Pending
    }
}

/// Reads away what a client says after the end, until it closes too or its time is over.
struct LastReads(Pin<Box<Sleep>>);

impl ActorFuture<Session> for LastReads {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, session: &mut Session, ctx: &mut Context<Session>, task: &mut TaskContext<'_>) -> Poll<()> {
        if session.connection.outlet().poll_gone(task).is_ready() || self.0.as_mut().poll(task).is_ready() {
            ctx.stop();
            return Poll::Ready(());
        }
        Poll::Pending
    }
}
