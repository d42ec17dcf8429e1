//! What a dialect keeps of one WebSocket whose client has something to say, and what comes of it.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{
    access::{Asked, Caller, Credential, Filter, Principal, Secret},
    event::{Audience, Event, FormatPair},
    id::ConnectionId,
    topic::Subscription,
    websocket::{CloseCode, codec::Message},
};

/// The dialect's side of one WebSocket. It lives with its session, on one thread, and is dropped with it.
pub trait Conversation {
    /// Whose the connection is, with the rights of this moment. Told before anything else, and again before the client's next
    /// words when that has changed: by a change of rights, or because it turned out whose it is, here or elsewhere.
    fn know(&mut self, principal: &Arc<Principal>) {
        let _ = principal; // of no interest to a dialect whose clients only listen
    }

    /// The connection has joined its hub under that id.
    fn begin(&mut self, connection: ConnectionId) -> Vec<Effect> {
        let _ = connection; // of no interest to a dialect that answers only
        Vec::new()
    }

    /// The client has said something. Pings and closes are answered without it.
    fn receive(&mut self, message: Message<'_>) -> Vec<Effect>;

    /// The answer to [`Effect::Authenticate`].
    fn authenticated(&mut self, answer: Result<Caller, NotAuthenticated>) -> Vec<Effect> {
        let _ = answer; // who never asks is never answered
        Vec::new()
    }

    /// When it wants [`Conversation::wake`] next; asked after everything else.
    fn wake_at(&self) -> Option<Instant> {
        None
    }

    /// Its time has come. `reachable` is false while the client takes nothing that is written to it.
    fn wake(&mut self, now: Instant, reachable: bool) -> Vec<Effect> {
        let _ = (now, reachable);
        Vec::new()
    }
}

/// Why a token shown in a conversation is nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAuthenticated {
    /// It does not count.
    Refused,
    /// It is that of a user who may not come in.
    Disabled,
    /// The address has shown too many bad ones, and must wait so long.
    TooManyAttempts(Duration),
    /// Whoever may know it cannot be asked now.
    Unavailable,
}

/// How a connection ends of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The client has ended it.
    Gone,
    /// The client does not answer any more.
    Silent,
    /// The client has not said in time what it wants.
    Unidentified,
}

/// What comes of something a client said, in this order.
#[derive(Debug)]
pub enum Effect {
    /// The client is sent these bytes, one or more whole frames.
    Reply(Bytes),
    /// What it was sent before was a ping of the protocol's own.
    Pinged,
    /// It has answered such a ping, so long after.
    Answered(Duration),
    /// The connection ends with that code; the reason is for people.
    Close(CloseCode, &'static str),
    /// The client has shown who it is: from now on the connection is that one's.
    Become(Box<Standing>),
    /// The client is told the present state of something, now and again. Takes the place of a subscription to the same topic.
    Subscribe(Subscription),
    /// No longer.
    Unsubscribe(&'static str),
    /// These are published. Nothing more is read before they are accepted.
    Publish(Vec<(Event, Audience)>),
    /// Somebody is asked whose token this is; counted against the client's address like any other attempt. Nothing more is read
    /// before [`Conversation::authenticated`] has the answer; the connection stays whose it was until [`Effect::Become`].
    Authenticate {
        /// The token.
        token: Secret,
        /// Who may know it, beside us.
        asks: Asked,
    },
    /// The activity of that id ([`Event::activity_id`]) is to be cancelled for whose the connection is, if he may. Nobody answers;
    /// nothing more is read before it has been asked for.
    Cancel(String),
    /// The connection ends, and nobody did anything wrong; the last bytes, whole frames. A close frame without a code says that
    /// the client has ended it.
    Finish(End, Bytes),
}

/// Who a connection belongs to, and how it is written to.
#[derive(Clone)]
pub struct Standing {
    /// What the session may see and asked for.
    pub filter: Filter,
    /// How it is written to.
    pub formats: FormatPair,
    /// How its rights are asked for again.
    pub credential: Credential,
}

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standing").field("filter", &self.filter).finish_non_exhaustive()
    }
}
