//! What a client says on a WebSocket: read, taken apart, answered.
//!
//! Pings and closes are answered here; messages are the dialect's. Nothing is kept but the rest of a frame or message that
//! has not come whole.

use std::{
    cell::RefCell,
    rc::Rc,
    task::{Context as TaskContext, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{
    connection::{CloseReason, Connection},
    dialect::{Conversation, Dialect, Effect},
    hub::HubHandle,
    websocket::{
        CloseCode,
        codec::{Limits, Receiver, Said, Violation},
        frame,
    },
};

/// What one read may bring.
const SCRATCH: usize = 16 * 1024;

/// Reads in one turn of a client that keeps talking.
const READS_PER_TURN: usize = 8;

/// For how long messages are counted together.
const MINUTE: Duration = Duration::from_secs(60);

thread_local! {
    /// One buffer per worker: a connection that says nothing holds none.
    static SCRATCH_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into());
}

/// What clients may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboundLimits {
    /// One message.
    pub message: Limits,
    /// Messages in a minute, and as many pings and pongs; 0: no limit.
    pub per_minute: u32,
}

/// The receiving side of one WebSocket.
pub struct Inbound {
    receiver: Receiver,
    /// The dialect's side; `None`: what the client says is ignored.
    conversation: Option<Box<dyn Conversation>>,
    per_minute: u32,
    minute: Instant,
    n_messages: u32,
    n_controls: u32,
}

/// What came of one read.
#[derive(Default)]
struct Outcome {
    replies: Vec<Bytes>,
    /// The connection ends so.
    end: Option<(CloseReason, Bytes)>,
}

impl Inbound {
    /// The receiving side of a WebSocket of that dialect.
    #[must_use]
    pub fn new(dialect: &dyn Dialect, conversation: Option<Box<dyn Conversation>>, limits: InboundLimits) -> Self {
        let message_bytes = limits.message.message_bytes.min(dialect.inbound_bytes());
        let receiver = Receiver::new(Limits { message_bytes, ..limits.message });
        Self { receiver, conversation, per_minute: limits.per_minute, minute: Instant::now(), n_messages: 0, n_controls: 0 }
    }

    /// Reads what has come, unless replies still wait for the client to take them: whoever does not take them is not asked
    /// for more. Ready when the client has gone.
    pub(super) fn turn(&mut self, connection: &Rc<Connection>, hub: &HubHandle, task: &mut TaskContext<'_>) -> Poll<()> {
        for _ in 0..READS_PER_TURN {
            if connection.closing().is_some() {
                return Poll::Pending; // for its end: nothing more is read
            }
            if connection.has_replies() {
                connection.await_replies();
                return Poll::Pending;
            }
            let read = SCRATCH_BUFFER
                .with_borrow_mut(|scratch| connection.outlet().poll_read(task, scratch, |bytes| self.receive(bytes, Instant::now())));
            let outcome = match read {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Ready(Some(outcome)) => outcome,
            };
            connection.hear(Instant::now());
            outcome.carry_out(connection, hub);
        }
        task.waker().wake_by_ref(); // there may be more, after everybody else's turn
        Poll::Pending
    }

    fn receive(&mut self, bytes: &mut [u8], now: Instant) -> Outcome {
        let Self { receiver, conversation, per_minute, minute, n_messages, n_controls } = self;
        if now.saturating_duration_since(*minute) >= MINUTE {
            (*minute, *n_messages, *n_controls) = (now, 0, 0);
        }
        let mut outcome = Outcome::default();
        let result = receiver.receive(bytes, &mut |said| {
            let count = if matches!(said, Said::Message(_)) { &mut *n_messages } else { &mut *n_controls };
            *count = count.saturating_add(1);
            if *per_minute > 0 && *count > *per_minute {
                outcome.end(CloseReason::Misbehaved, frame::close(CloseCode::POLICY_VIOLATION, "too many messages in a minute"));
            }
            if outcome.end.is_none() {
                outcome.take(said, conversation.as_deref_mut());
            }
        });
        if let Err(Violation { code, reason }) = result {
            outcome.end(CloseReason::Misbehaved, frame::close(code, reason));
        }
        outcome
    }
}

impl Outcome {
    fn take(&mut self, said: Said<'_>, conversation: Option<&mut (dyn Conversation + 'static)>) {
        match said {
            Said::Ping(payload) => self.replies.push(frame::pong(payload)),
            Said::Pong(_) => {} // any sign of life counts, whatever it carries
            Said::Close(code) => {
                self.end(CloseReason::Gone, code.map_or_else(frame::close_without_code, |code| frame::close(code, "")));
            }
            Said::Message(message) => {
                for effect in conversation.map(|conversation| conversation.receive(message)).unwrap_or_default() {
                    self.effect(effect);
                }
            }
        }
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Reply(frames) => self.replies.push(frames),
            Effect::Close(code, reason) => self.end(CloseReason::Misbehaved, frame::close(code, reason)),
            Effect::Become(_) | Effect::Subscribe(_) | Effect::Unsubscribe(_) | Effect::Publish(_) => {}
        }
    }

    /// The first reason counts.
    fn end(&mut self, reason: CloseReason, last_word: Bytes) {
        self.end.get_or_insert((reason, last_word));
    }

    /// All replies to one read are one, so that a client that says much at once does not fill its outbox by their number.
    fn carry_out(self, connection: &Rc<Connection>, hub: &HubHandle) {
        match <[Bytes; 1]>::try_from(self.replies) {
            Ok([reply]) => hub.reply(connection, reply),
            Err(replies) if replies.is_empty() => {}
            Err(replies) => hub.reply(connection, replies.concat().into()),
        }
        if let Some((reason, last_word)) = self.end {
            hub.close(connection, reason, last_word);
        }
    }
}
