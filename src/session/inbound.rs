//! What a client says on a WebSocket: read, taken apart, answered.
//!
//! Pings and closes are answered here; messages are the dialect's. Nothing is kept but the rest of a frame or message that
//! has not come whole, and what waits for something that is being published.

use std::{
    cell::RefCell,
    collections::VecDeque,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::RwLock;
use tokio::time::{Sleep, sleep_until};

use super::talk::{Authenticate, Talk};
use crate::{
    clock::CompactInstant,
    connection::{CloseReason, Connection, PollOutlet},
    dialect::{Conversation, Dialect, Effect, End, Standing},
    hub::{HubHandle, Owner},
    source::{Publisher, Requests},
    websocket::{
        CloseCode,
        codec::{Limits, Message, Receiver, Said, Violation},
        frame,
    },
};

/// What one read may bring.
const SCRATCH: usize = 16 * 1024;

/// Reads in one turn of a client that keeps talking.
const READS_PER_TURN: usize = 8;

/// How often a dialect's side is woken in one turn.
const WAKES_PER_TURN: usize = 4;

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

/// What sessions that listen have in common.
#[derive(Clone)]
pub struct Listening {
    /// What their clients may say; each is held to what counted when it came.
    pub limits: Arc<RwLock<InboundLimits>>,
    /// Where what they say is published.
    pub publisher: Publisher,
    /// Where what they ask the media server to do goes.
    pub requests: Arc<Requests>,
    /// Who is asked whose the tokens are that they show.
    pub authenticate: Authenticate,
}

/// The receiving side of one WebSocket.
pub struct Inbound {
    receiver: Receiver,
    /// The dialect's side; `None`: what the client says is ignored.
    talk: Option<Box<Talk>>,
    /// The most one message may hold, in bytes: of somebody, and while the connection is nobody's.
    message_bytes: (u32, u32),
    per_minute: u32,
    minute: CompactInstant,
    n_messages: u32,
    n_controls: u32,
    /// When the dialect's side wants to be woken; made when it first does.
    alarm: Option<Pin<Box<Sleep>>>,
}

/// There is one per WebSocket.
const _: () = assert!(size_of::<Inbound>() <= 64);

/// Something to be done because of what a client said.
pub(super) enum Step {
    /// Answers, one after the other.
    Reply(Vec<Bytes>),
    /// What the dialect wants.
    Effect(Effect),
    /// The connection ends so.
    End(CloseReason, Bytes),
    /// The client said this behind something that must be over first.
    Said(Later),
}

/// A message that waits.
pub(super) enum Later {
    Text(String),
    Binary(Vec<u8>),
}

/// What came of one read, in its order.
#[derive(Default)]
pub(super) struct Outcome {
    steps: Vec<Step>,
    /// It ends with the last step: nothing comes behind it.
    ends: bool,
    /// A ping was answered.
    ponged: bool,
    /// One of the steps takes its time: what was said behind it is not looked at yet.
    waits: bool,
}

impl Inbound {
    /// The receiving side of a WebSocket of that dialect.
    #[must_use]
    pub fn new(dialect: &dyn Dialect, conversation: Option<Box<dyn Conversation>>, listening: &Rc<Listening>) -> Self {
        let limits = *listening.limits.read();
        // What Engine.IO announces must be taken.
        let announced = dialect.engine_io().map(|settings| (settings.payload(true), settings.payload(false)));
        let set = limits.message.message_bytes.min(dialect.inbound_bytes());
        let message_bytes = announced.unwrap_or((set, set));
        let narrow = |bytes| u32::try_from(bytes).unwrap_or(u32::MAX);
        let receiver = Receiver::new(Limits { message_bytes: message_bytes.1, ..limits.message });
        let talk = conversation.map(|conversation| Box::new(Talk::new(conversation, Rc::clone(listening))));
        let (per_minute, minute) = (limits.per_minute, Instant::now().into());
        let message_bytes = (narrow(message_bytes.0), narrow(message_bytes.1));
        Self { receiver, talk, message_bytes, per_minute, minute, n_messages: 0, n_controls: 0, alarm: None }
    }

    /// Whether somebody has shown whose the connection is.
    pub(super) fn is_somebodys(&self) -> bool {
        self.talk.as_ref().is_some_and(|talk| talk.is_somebodys())
    }

    /// Bytes of its own and of the dialect's side, without what that points at.
    pub(super) fn n_bytes(&self) -> usize {
        size_of::<Self>() + self.talk.as_ref().map_or(0, |talk| talk.n_bytes()) + self.alarm.as_ref().map_or(0, |_| size_of::<Sleep>())
    }

    /// The connection has joined its hub.
    pub(super) fn begin(&mut self, connection: &Rc<Connection>, hub: &HubHandle) {
        if let Some(talk) = &mut self.talk {
            let effects = talk.begin(connection, hub);
            self.act_on(effects, connection, hub);
        }
    }

    /// Reads what has come, unless something said before is still being published, or replies still wait for the client to
    /// take them: whoever does not take them is not asked for more. Ready when the client has gone.
    pub(super) fn turn(&mut self, connection: &Rc<Connection>, hub: &HubHandle, task: &mut TaskContext<'_>) -> Poll<()> {
        self.wake(connection, hub, task);
        let done = self.read(connection, hub, task);
        // What was said may have brought the dialect's next time nearer than the alarm is set to.
        let wanted = self.talk.as_ref().and_then(|talk| talk.wake_at());
        if wanted.is_some_and(|at| self.alarm.as_ref().is_none_or(|alarm| tokio::time::Instant::from(at) < alarm.deadline())) {
            self.wake(connection, hub, task);
        }
        done
    }

    fn read(&mut self, connection: &Rc<Connection>, hub: &HubHandle, task: &mut TaskContext<'_>) -> Poll<()> {
        for _ in 0..READS_PER_TURN {
            if !self.is_through(connection, hub, task) || connection.closing().is_some() {
                return Poll::Pending; // for its end: nothing more is read
            }
            if connection.has_replies() {
                connection.await_replies();
                return Poll::Pending;
            }
            if let Some(talk) = &mut self.talk {
                talk.know(connection, hub);
            }
            let read = SCRATCH_BUFFER
                .with_borrow_mut(|scratch| connection.outlet().poll_read(task, scratch, |bytes| self.receive(bytes, Instant::now())));
            let outcome = match read {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Ready(Some(outcome)) => outcome,
            };
            connection.hear(Instant::now());
            if outcome.ponged {
                hub.ponged(connection);
            }
            self.carry_out(outcome.steps, connection, hub);
        }
        task.waker().wake_by_ref(); // there may be more, after everybody else's turn
        Poll::Pending
    }

    fn receive(&mut self, bytes: &mut [u8], now: Instant) -> Outcome {
        let (of_somebody, of_nobody) = self.message_bytes;
        let message_bytes = if self.is_somebodys() { of_somebody } else { of_nobody };
        self.receiver.limit(message_bytes as usize);
        let Self { receiver, talk, per_minute, minute, n_messages, n_controls, .. } = self;
        if now.saturating_duration_since((*minute).into()) >= MINUTE {
            (*minute, *n_messages, *n_controls) = (now.into(), 0, 0);
        }
        let mut outcome = Outcome::default();
        let result = receiver.receive(bytes, &mut |said| {
            let count = if matches!(said, Said::Message(_)) { &mut *n_messages } else { &mut *n_controls };
            *count = count.saturating_add(1);
            if *per_minute > 0 && *count > *per_minute {
                outcome.end(CloseReason::Misbehaved, frame::close(CloseCode::POLICY_VIOLATION, "too many messages in a minute"));
            }
            if !outcome.ends {
                outcome.take(said, talk.as_deref_mut());
            }
        });
        if let Err(Violation { code, reason }) = result {
            outcome.end(CloseReason::Misbehaved, frame::close(code, reason));
        }
        outcome
    }

    /// Wakes the dialect's side when its time has come.
    fn wake(&mut self, connection: &Rc<Connection>, hub: &HubHandle, task: &mut TaskContext<'_>) {
        for _ in 0..WAKES_PER_TURN {
            let Some(at) = self.talk.as_ref().and_then(|talk| talk.wake_at()).filter(|_| connection.closing().is_none()) else { return };
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(at.into())));
            if alarm.deadline() != at.into() {
                alarm.as_mut().reset(at.into());
            }
            if alarm.as_mut().poll(task).is_pending() {
                return;
            }
            self.check_time(connection, hub);
        }
        task.waker().wake_by_ref(); // whoever wants to be woken that often lets others have their turn
    }

    /// Has what is due done: a timer may be a little late.
    pub(super) fn check_time(&mut self, connection: &Rc<Connection>, hub: &HubHandle) {
        let Some(talk) = &mut self.talk else { return };
        let now = Instant::now();
        if talk.wake_at().is_some_and(|at| at <= now) && connection.closing().is_none() {
            // A poll is the client's to send; what it does not take of a socket is the stall limit's business.
            let is_polling = connection.outlet().as_polling().is_some_and(PollOutlet::is_polling);
            let reachable = is_polling || !(connection.blocked_since().is_some() || connection.has_replies());
            let effects = talk.wake(now, reachable);
            self.act_on(effects, connection, hub);
        }
    }

    fn act_on(&mut self, effects: Vec<Effect>, connection: &Rc<Connection>, hub: &HubHandle) {
        let mut outcome = Outcome::default();
        effects.into_iter().for_each(|effect| outcome.effect(effect));
        self.carry_out(outcome.steps, connection, hub);
    }

    /// Whether nothing is under way any more; then what waited for it has been done as well.
    fn is_through(&mut self, connection: &Rc<Connection>, hub: &HubHandle, task: &mut TaskContext<'_>) -> bool {
        while let Some(talk) = &mut self.talk
            && talk.is_waiting()
        {
            let Poll::Ready((effects, waited)) = talk.poll_over(task) else { return false };
            connection.hear(Instant::now()); // what it said meanwhile lies unread
            let mut outcome = Outcome::default();
            effects.into_iter().for_each(|effect| outcome.effect(effect));
            outcome.steps.extend(waited);
            self.carry_out(outcome.steps, connection, hub);
        }
        true
    }

    /// Takes the steps in their order, up to one that takes its time: the others wait for that.
    fn carry_out(&mut self, steps: Vec<Step>, connection: &Rc<Connection>, hub: &HubHandle) {
        let mut steps = VecDeque::from(steps);
        while let Some(step) = steps.pop_front() {
            if let (Step::Effect(Effect::Publish(_) | Effect::Authenticate { .. } | Effect::Cancel(_)), Some(talk)) =
                (&step, &mut self.talk)
                && talk.is_waiting()
            {
                steps.push_front(step);
                return talk.wait_too(steps.into());
            }
            match step {
                // All replies in a row are one, so that a client that says much at once does not fill its outbox by their
                // number.
                Step::Reply(replies) => match <[Bytes; 1]>::try_from(replies) {
                    Ok([reply]) => hub.reply(connection, reply),
                    Err(replies) => hub.reply(connection, replies.concat().into()),
                },
                Step::End(reason, last_word) => return hub.close(connection, reason, last_word),
                Step::Effect(Effect::Publish(events)) => {
                    if let Some(talk) = &mut self.talk {
                        talk.publish(connection.id, events, steps.into());
                    }
                    return;
                }
                Step::Effect(Effect::Authenticate { token, asks }) => {
                    if let Some(talk) = &mut self.talk {
                        talk.authenticate((token, asks), connection.details.address(), steps.into());
                    }
                    return;
                }
                Step::Effect(Effect::Cancel(activity)) => {
                    if let Some(talk) = &mut self.talk {
                        talk.cancel(connection.id, activity, steps.into());
                    }
                    return;
                }
                Step::Said(later) => {
                    let mut outcome = Outcome::default();
                    outcome.take(Said::Message(later.message()), self.talk.as_deref_mut());
                    outcome.steps.into_iter().rev().for_each(|step| steps.push_front(step));
                }
                Step::Effect(effect) => act(effect, connection, hub),
            }
        }
    }
}

fn act(effect: Effect, connection: &Rc<Connection>, hub: &HubHandle) {
    match effect {
        Effect::Become(standing) => {
            let Standing { filter, formats, credential } = *standing;
            hub.give(connection, Owner { filter, formats, credential });
        }
        Effect::Subscribe(subscription) => hub.subscribe(connection, subscription),
        Effect::Unsubscribe(topic) => hub.unsubscribe(connection, topic),
        Effect::Pinged => hub.pinged(connection),
        Effect::Answered(took) => hub.answered(connection, took),
        // Are steps of their own.
        Effect::Reply(_)
        | Effect::Close(..)
        | Effect::Publish(_)
        | Effect::Authenticate { .. }
        | Effect::Cancel(_)
        | Effect::Finish(..) => {}
    }
}

impl Outcome {
    fn take(&mut self, said: Said<'_>, talk: Option<&mut Talk>) {
        match said {
            Said::Ping(payload) => self.reply(frame::pong(payload)),
            Said::Pong(_) => self.ponged = true, // any sign of life counts, whatever it carries
            Said::Close(code) => {
                self.end(CloseReason::Gone, code.map_or_else(frame::close_without_code, |code| frame::close(code, "")));
            }
            Said::Message(message) if self.waits => self.steps.push(Step::Said(Later::keep(message))),
            Said::Message(message) => {
                for effect in talk.map(|talk| talk.receive(message)).unwrap_or_default() {
                    self.effect(effect);
                }
            }
        }
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Reply(frames) => self.reply(frames),
            Effect::Close(code, reason) => self.end(CloseReason::Misbehaved, frame::close(code, reason)),
            Effect::Finish(end, last_word) => self.end(reason(end), last_word),
            effect if !self.ends => {
                self.waits |= matches!(effect, Effect::Authenticate { .. });
                self.steps.push(Step::Effect(effect));
            }
            _ => {}
        }
    }

    fn reply(&mut self, frames: Bytes) {
        match self.steps.last_mut() {
            _ if self.ends => {}
            Some(Step::Reply(replies)) => replies.push(frames),
            _ => self.steps.push(Step::Reply(vec![frames])),
        }
    }

    /// The first reason counts.
    fn end(&mut self, reason: CloseReason, last_word: Bytes) {
        if !std::mem::replace(&mut self.ends, true) {
            self.steps.push(Step::End(reason, last_word));
        }
    }
}

impl Later {
    fn keep(message: Message<'_>) -> Self {
        match message {
            Message::Text(text) => Self::Text(text.to_owned()),
            Message::Binary(bytes) => Self::Binary(bytes.to_vec()),
        }
    }

    fn message(&self) -> Message<'_> {
        match self {
            Self::Text(text) => Message::Text(text),
            Self::Binary(bytes) => Message::Binary(bytes),
        }
    }
}

fn reason(end: End) -> CloseReason {
    match end {
        End::Gone => CloseReason::Gone,
        End::Silent => CloseReason::Silent,
        End::Unidentified => CloseReason::Unidentified,
    }
}
