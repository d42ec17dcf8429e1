//! The session of an Engine.IO client: its GETs and POSTs, and a WebSocket that wants to take over from them.
//!
//! The requests come from whichever worker they arrived at, through the session's mailbox; the WebSocket itself is moved here, to
//! where the session's feed is, so nothing can be lost, doubled or put into another order by it.

use std::{
    any::Any,
    future::Future,
    io::IoSlice,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use actix::{Handler, Message};
use tokio::{
    sync::oneshot,
    time::{Sleep, sleep},
};

use super::Session;
use crate::{
    connection::{self, CloseReason, Moving, Outlet, PollAnswer, PollOutlet, PostAnswer},
    engineio::{Probe, Probed},
    websocket::{CloseCode, frame},
};

/// How long a GET is held while a WebSocket is about to take over; then it is answered with nothing, or the client waits for it
/// and the WebSocket for the client.
const HOLD: Duration = Duration::from_millis(100);

/// What one read of a probing WebSocket may bring.
const SCRATCH: usize = 1024;

/// What other workers hand to a session that polls.
#[derive(Message)]
#[rtype(result = "()")]
pub enum Carry {
    /// A GET.
    Poll(oneshot::Sender<PollAnswer>),
    /// A POST, as the frames of a client; and who waits for it to be read.
    Post(Vec<u8>, oneshot::Sender<PostAnswer>),
    /// A WebSocket that wants to take over.
    TakeOver(Box<Moving>),
    /// The client has broken the protocol of polling: the session ends.
    Break(&'static str),
}

/// What a session needs that began with polling.
pub(super) struct Polled {
    /// A WebSocket that wants to take over.
    probing: Option<Probing>,
    /// How long one may take.
    upgrade_timeout: Duration,
    /// Whether somebody has shown whose the session is, for those who read its POSTs.
    is_somebodys: Arc<AtomicBool>,
    _keeps: Box<dyn Any>,
}

impl Polled {
    pub(super) fn new(upgrade_timeout: Duration, is_somebodys: Arc<AtomicBool>, keeps: Box<dyn Any>) -> Self {
        Self { probing: None, upgrade_timeout, is_somebodys, _keeps: keeps }
    }

    /// Tells those who read its POSTs.
    pub(super) fn tell(&self, is_somebodys: bool) {
        self.is_somebodys.store(is_somebodys, Ordering::Relaxed);
    }
}

/// A WebSocket that wants to take over, and has not yet.
struct Probing {
    socket: Outlet,
    probe: Probe,
    /// When it must have.
    deadline: Pin<Box<Sleep>>,
    /// Until when a GET is held meanwhile.
    hold: Option<Pin<Box<Sleep>>>,
}

/// What became of a WebSocket that probes.
enum Turn {
    Waits,
    Fails,
    /// With what the client has said behind its last probe.
    TakesOver(Vec<u8>),
}

impl Handler<Carry> for Session {
    type Result = ();

    fn handle(&mut self, carry: Carry, _: &mut Self::Context) {
        if let Some(inbound) = &mut self.inbound {
            inbound.check_time(&self.connection, &self.hub); // a client whose time is over is not answered as if it were not
        }
        let Some(polls) = self.connection.outlet().as_polling() else { return };
        match carry {
            // Its end is decided. A client that has ended it itself is answered as the reference does, when that is carried out, and
            // one that is still told something is told it then.
            Carry::Poll(answer) if self.connection.closing().is_some_and(is_told_nothing) => {
                self.hub.gone(&self.connection);
                polls.poll(answer);
            }
            Carry::Poll(answer) => match polls.poll(answer) {
                connection::Polled::Answered => self.hub.chunk_taken(&self.connection),
                connection::Polled::Held => {}
                connection::Polled::Twice => self.break_off("two GETs at a time"),
            },
            Carry::Post(frames, answer) => polls.post(frames, answer),
            Carry::TakeOver(moving) => self.probe(*moving),
            Carry::Break(reason) if polls.is_polling() => self.break_off(reason),
            Carry::Break(_) => {} // what was polled before a WebSocket took over is of no interest any more
        }
    }
}

impl Session {
    fn break_off(&self, reason: &'static str) {
        self.hub.close(&self.connection, CloseReason::Misbehaved, frame::close(CloseCode::PROTOCOL_ERROR, reason));
    }

    /// Only one at a time, and only once: any other is closed, and the session does not notice.
    fn probe(&mut self, moving: Moving) {
        let Ok(socket) = moving.land() else { return };
        let is_open = self.connection.closing().is_none() && !self.connection.ended.get();
        let is_polling = self.connection.outlet().as_polling().is_some_and(PollOutlet::is_polling);
        match &mut self.polled {
            Some(polled) if polled.probing.is_none() && is_polling && is_open => {
                let deadline = Box::pin(sleep(polled.upgrade_timeout));
                polled.probing = Some(Probing { socket, probe: Probe::default(), deadline, hold: None });
            }
            _ => close(&socket),
        }
    }

    /// Goes on with a WebSocket that wants to take over.
    pub(super) fn poll_probing(&mut self, task: &mut TaskContext<'_>) {
        let Some(polled) = &mut self.polled else { return };
        let Some((polls, probing)) = self.connection.outlet().as_polling().zip(polled.probing.as_mut()) else { return };
        let turn = probing.turn(polls, task);
        if matches!(turn, Turn::Waits) {
            return;
        }
        let Some(probing) = polled.probing.take() else { return };
        match turn {
            Turn::TakesOver(said) => {
                polls.take_over(probing.socket, said);
                self.hub.took_over(&self.connection);
            }
            Turn::Waits | Turn::Fails => close(&probing.socket),
        }
    }
}

impl Probing {
    fn turn(&mut self, polls: &PollOutlet, task: &mut TaskContext<'_>) -> Turn {
        let mut scratch = [0; SCRATCH];
        loop {
            let Self { socket, probe, .. } = self;
            let read = socket.poll_read(task, &mut scratch, |bytes| Self::receive(probe, socket, bytes));
            match read {
                Poll::Ready(Some(Turn::Waits)) => {}
                Poll::Ready(Some(turn)) => return turn,
                Poll::Ready(None) => return Turn::Fails,
                Poll::Pending => break,
            }
        }
        if self.deadline.as_mut().poll(task).is_ready() {
            return Turn::Fails;
        }
        self.let_go(polls, task);
        Turn::Waits
    }

    fn receive(probe: &mut Probe, socket: &Outlet, mut bytes: &mut [u8]) -> Turn {
        loop {
            match probe.receive(bytes) {
                Probed::Nothing => return Turn::Waits,
                Probed::Fails => return Turn::Fails,
                Probed::TakesOver(read) => return Turn::TakesOver(bytes[read..].to_vec()),
                Probed::Answer(read) => {
                    let answer = frame::text("3probe");
                    // The first few bytes on a socket: one that does not take them is of no use.
                    if !socket.try_write(&[IoSlice::new(&answer)]).is_ok_and(|n| n == answer.len()) {
                        return Turn::Fails;
                    }
                    bytes = &mut bytes[read..];
                }
            }
        }
    }

    /// A GET that is there while it takes over is held for a moment only: until it has, or the client would wait for the GET.
    fn let_go(&mut self, polls: &PollOutlet, task: &mut TaskContext<'_>) {
        if !self.probe.has_probed() || !polls.holds_get() {
            self.hold = None;
        } else if self.hold.get_or_insert_with(|| Box::pin(sleep(HOLD))).as_mut().poll(task).is_ready() {
            self.hold = None;
            polls.noop();
        }
    }
}

fn is_told_nothing(reason: CloseReason) -> bool {
    reason != CloseReason::Gone && !reason.is_told_later()
}

/// Ends a WebSocket that takes nothing over.
fn close(socket: &Outlet) {
    // One that takes no last word finds out by the end of the connection.
    let _ = socket.try_write(&[IoSlice::new(&frame::close_without_code())]);
    socket.close(CloseReason::Misbehaved);
    socket.finish();
}
