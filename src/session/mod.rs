//! The session: one client's connection as an actor.
//!
//! It owns the reading side and the waiting: its task wakes for input, for a socket that takes bytes again, and for what
//! its hub tells it through its bounded mailbox. It never writes; the hub's flush loop does, on the same thread.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context as TaskContext, Poll},
};

use actix::{Actor, ActorContext, ActorFuture, AsyncContext, Context, Handler};

use crate::{
    connection::{Connection, Control},
    hub::HubHandle,
};

/// One client. Holds no buffer while idle.
pub struct Session {
    connection: Rc<Connection>,
    hub: HubHandle,
    mailbox: usize,
}

impl Session {
    /// A session of a connection that has joined its hub.
    #[must_use]
    pub fn new(connection: Rc<Connection>, hub: HubHandle, mailbox: usize) -> Self {
        Self { connection, hub, mailbox }
    }
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.mailbox);
        self.connection.attach(ctx.address().recipient());
        ctx.spawn(Pump);
    }
}

impl Handler<Control> for Session {
    type Result = ();

    fn handle(&mut self, control: Control, ctx: &mut Self::Context) {
        match control {
            Control::Ended(_) => ctx.stop(),
        }
    }
}

/// Polled whenever the session's task wakes.
struct Pump;

impl ActorFuture<Session> for Pump {
    type Output = ();

    fn poll(self: Pin<&mut Self>, session: &mut Session, ctx: &mut Context<Session>, task: &mut TaskContext<'_>) -> Poll<()> {
        let connection = &session.connection;
        if connection.ended.get() {
            ctx.stop();
            return Poll::Ready(());
        }
        connection.register(task.waker());
        if connection.outlet().poll_gone(task).is_ready() {
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
