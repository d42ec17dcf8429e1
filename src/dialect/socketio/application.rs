//! What a dialect over Socket.IO is told, and what it may do about it. It knows neither packets nor transports.

use std::{borrow::Cow, sync::Arc, time::Instant};

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::{
    access::{Caller, Principal},
    dialect::{Effect, NotAuthenticated},
    id::ConnectionId,
    socketio::{Place, frame},
    websocket::CloseCode,
};

/// One client's conversation with a dialect over Socket.IO. It lives with its session, on one thread.
///
/// Every method writes what it wants into [`Reactions`]; that is carried out in its order, and before anything else the client
/// says is looked at. [`Effect::Publish`] and [`Effect::Authenticate`] hold up what stands behind them.
pub trait Application {
    /// Whose the connection is, with the rights of this moment; see [`Conversation::know`](crate::dialect::Conversation::know).
    fn know(&mut self, principal: &Arc<Principal>) {
        let _ = principal; // of no interest to an application whose clients only listen
    }

    /// The connection has joined its hub under that id. No namespace is connected yet, so nothing can be emitted.
    fn begin(&mut self, connection: ConnectionId, reactions: &mut Reactions) {
        let _ = (connection, reactions); // of no interest to an application that answers only
    }

    /// A client wants to connect a namespace it is not connected to. What is emitted here follows the answer to it.
    fn connect(&mut self, connect: &Connect<'_>, reactions: &mut Reactions) -> Result<(), Rejected>;

    /// An event of a client, in a namespace it is connected to.
    fn event(&mut self, event: &Said<'_>, reactions: &mut Reactions);

    /// The client has left a namespace. Not told when the whole connection ends: then the application is dropped.
    fn left(&mut self, namespace: &str, reactions: &mut Reactions) {
        let _ = (namespace, reactions);
    }

    /// The answer to [`Effect::Authenticate`].
    fn authenticated(&mut self, answer: Result<Caller, NotAuthenticated>, reactions: &mut Reactions) {
        let _ = (answer, reactions); // an application that never asks is never answered
    }

    /// When it wants [`Application::wake`] next; asked after everything else.
    fn wake_at(&self) -> Option<Instant> {
        None
    }

    /// Its time has come.
    fn wake(&mut self, now: Instant, reactions: &mut Reactions) {
        let _ = (now, reactions);
    }
}

/// A client's wish to connect a namespace.
#[derive(Debug)]
pub struct Connect<'p> {
    /// Which; `/` is the main one.
    pub namespace: &'p str,
    /// What it says with it: the text of a JSON object, `{}` if it says nothing.
    pub payload: &'p str,
}

/// Why a namespace cannot be connected: the client is told, and the connection stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// For the client's `connect_error`.
    pub message: Cow<'static, str>,
}

impl Rejected {
    /// There is no such namespace.
    #[must_use]
    pub const fn invalid_namespace() -> Self {
        Self { message: Cow::Borrowed("Invalid namespace") }
    }
}

/// An event of a client.
#[derive(Debug)]
pub struct Said<'p> {
    /// In which namespace.
    pub namespace: &'p str,
    /// Its name.
    pub name: &'p str,
    /// Its arguments as JSON, without the name. Where bytes stood there is a placeholder, `{"_placeholder":true,"num":i}`.
    pub arguments: &'p [&'p RawValue],
    /// The bytes of the placeholders.
    pub attachments: &'p [Bytes],
    /// The client waits for an acknowledgement under this number.
    pub ack: Option<u64>,
}

impl Said<'_> {
    /// The first argument, if it is text.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        serde_json::from_str(self.arguments.first()?.get()).ok()
    }
}

/// What an application wants done, in this order.
#[derive(Debug, Default)]
pub struct Reactions {
    pub(super) effects: Vec<Effect>,
    pub(super) kicked: Vec<Box<str>>,
}

impl Reactions {
    /// Emits an event to this client: each argument is JSON. Only in a namespace that is connected.
    pub fn emit(&mut self, namespace: &str, name: &str, arguments: &[&str]) {
        self.effects.push(Effect::Reply(frame::event(Place { namespace, ack: None }, name, arguments, &[])));
    }

    /// The same, with bytes: the arguments hold placeholders for the attachments.
    pub fn emit_with(&mut self, namespace: &str, name: &str, arguments: &[&str], attachments: &[Bytes]) {
        self.effects.push(Effect::Reply(frame::event(Place { namespace, ack: None }, name, arguments, attachments)));
    }

    /// Acknowledges an event that waits for it; any other is not acknowledged.
    pub fn ack(&mut self, event: &Said<'_>, arguments: &[&str], attachments: &[Bytes]) {
        if event.ack.is_some() {
            let place = Place { namespace: event.namespace, ack: event.ack };
            self.effects.push(Effect::Reply(frame::ack(place, arguments, attachments)));
        }
    }

    /// Puts the client out of a namespace. JavaScript clients do not come back from that by themselves.
    pub fn kick(&mut self, namespace: &str) {
        self.effects.push(Effect::Reply(frame::disconnect(namespace)));
        self.kicked.push(namespace.into());
    }

    /// Ends the connection. Clients come back from that by themselves.
    pub fn close(&mut self, code: CloseCode, reason: &'static str) {
        self.effects.push(Effect::Close(code, reason));
    }

    /// Anything else: [`Effect::Authenticate`], [`Effect::Become`], [`Effect::Subscribe`], [`Effect::Publish`] …
    pub fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }
}
