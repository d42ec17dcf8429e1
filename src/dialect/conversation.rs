//! What a dialect keeps of one WebSocket whose client has something to say, and what comes of it.

use std::{fmt, sync::Arc};

use bytes::Bytes;

use crate::{
    access::{Credential, Filter, Principal},
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
}

/// What comes of something a client said, in this order.
#[derive(Debug)]
pub enum Effect {
    /// The client is sent these bytes, one or more whole frames.
    Reply(Bytes),
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
