//! The layers between a connection and an [`Application`]: Engine.IO's packets and heartbeat, Socket.IO's packets and namespaces.
//!
//! Which carrier a session has is not known here: what comes by POST arrives as what comes on a WebSocket does.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;

use super::{Application, Connect, Reactions, Said};
use crate::{
    access::{Caller, Principal},
    dialect::{Conversation, Effect, End, NotAuthenticated},
    engineio::{self, Beat, Heart, Settings, Sid},
    id::ConnectionId,
    socketio::{Broken, Packet, PacketKind, frame as packets},
    websocket::{CloseCode, codec::Message, frame},
};

/// An application's conversation, carried.
pub(super) struct Carried {
    application: Box<dyn Application>,
    heart: Heart,
    /// When it ends if the client has not connected any namespace by then.
    connect_by: Option<Instant>,
    /// The namespaces the client is connected to.
    namespaces: Vec<Box<str>>,
    /// A packet some of whose attachments have not come.
    incomplete: Option<Box<Incomplete>>,
    /// What all attachments of a packet may hold together, in bytes: of nobody and of somebody.
    payloads: [u32; 2],
    is_somebodys: bool,
}

struct Incomplete {
    text: Box<str>,
    missing: usize,
    attachments: Vec<Bytes>,
    bytes: usize,
}

impl Carried {
    pub(super) fn new(settings: &Settings, application: Box<dyn Application>) -> Self {
        let now = Instant::now();
        Self {
            application,
            heart: Heart::new(settings.ping_interval, settings.ping_timeout, now),
            connect_by: Some(now + settings.connect_timeout),
            namespaces: Vec::new(),
            incomplete: None,
            payloads: [false, true].map(|is_somebodys| u32::try_from(settings.payload(is_somebodys)).unwrap_or(u32::MAX)),
            is_somebodys: false,
        }
    }

    /// The text of a message: a packet, which may have to wait for its attachments.
    fn message(&mut self, text: &str) -> Result<Vec<Effect>, Broken> {
        if self.incomplete.is_some() {
            return Err(Broken("attachments are missing"));
        }
        let packet = Packet::parse(text)?;
        if packet.attachments == 0 {
            return self.packet(&packet, &[]);
        }
        self.incomplete = Some(Box::new(Incomplete { text: text.into(), missing: packet.attachments, attachments: Vec::new(), bytes: 0 }));
        Ok(Vec::new())
    }

    fn attachment(&mut self, bytes: &[u8]) -> Result<Vec<Effect>, Broken> {
        let incomplete = self.incomplete.as_mut().ok_or(Broken("no attachment is expected"))?;
        incomplete.bytes += bytes.len();
        if incomplete.bytes > self.payloads[usize::from(self.is_somebodys)] as usize {
            return Err(Broken("the attachments are too long"));
        }
        incomplete.attachments.push(Bytes::copy_from_slice(bytes));
        incomplete.missing -= 1;
        if incomplete.missing > 0 {
            return Ok(Vec::new());
        }
        let Some(whole) = self.incomplete.take() else { return Ok(Vec::new()) };
        self.packet(&Packet::parse(&whole.text)?, &whole.attachments)
    }

    fn packet(&mut self, packet: &Packet<'_>, attachments: &[Bytes]) -> Result<Vec<Effect>, Broken> {
        let namespace = packet.place.namespace;
        if let PacketKind::Connect(payload) = packet.kind {
            return self.connect(namespace, payload);
        }
        if !self.is_connected(namespace) {
            return Err(Broken("the namespace is not connected"));
        }
        Ok(match &packet.kind {
            PacketKind::Event(Some(name), arguments) => {
                let said = Said { namespace, name, arguments, attachments, ack: packet.place.ack };
                self.react(|application, reactions| application.event(&said, reactions))
            }
            PacketKind::Disconnect => {
                self.namespaces.retain(|connected| &**connected != namespace);
                self.react(|application, reactions| application.left(namespace, reactions))
            }
            // Nobody listens for numbers, and nobody here waits for an acknowledgement.
            PacketKind::Event(None, _) | PacketKind::Ack | PacketKind::Connect(_) => Vec::new(),
        })
    }

    fn connect(&mut self, namespace: &str, payload: &str) -> Result<Vec<Effect>, Broken> {
        if self.is_connected(namespace) {
            return Err(Broken("the namespace is connected already"));
        }
        let mut reactions = Reactions::default();
        let connected = self.application.connect(&Connect { namespace, payload }, &mut reactions);
        let answer = match connected {
            Ok(()) => {
                let sid = Sid::generate().ok_or(Broken("no name can be given"))?;
                self.namespaces.reserve_exact(1); // most clients have one
                self.namespaces.push(namespace.into());
                self.connect_by = None;
                packets::connected(namespace, sid.as_str())
            }
            Err(rejected) => packets::connect_error(namespace, &rejected.message),
        };
        reactions.effects.insert(0, Effect::Reply(answer));
        Ok(self.carry_out(reactions))
    }

    fn is_connected(&self, namespace: &str) -> bool {
        self.namespaces.iter().any(|connected| &**connected == namespace)
    }

    fn react(&mut self, act: impl FnOnce(&mut dyn Application, &mut Reactions)) -> Vec<Effect> {
        let mut reactions = Reactions::default();
        act(self.application.as_mut(), &mut reactions);
        self.carry_out(reactions)
    }

    fn carry_out(&mut self, reactions: Reactions) -> Vec<Effect> {
        let Reactions { effects, kicked } = reactions;
        if !kicked.is_empty() {
            self.namespaces.retain(|connected| !kicked.contains(connected));
        }
        effects
    }
}

impl Conversation for Carried {
    fn know(&mut self, principal: &Arc<Principal>) {
        self.is_somebodys = principal.is_somebody();
        self.application.know(principal);
    }

    fn begin(&mut self, connection: ConnectionId) -> Vec<Effect> {
        self.react(|application, reactions| application.begin(connection, reactions))
    }

    fn receive(&mut self, message: Message<'_>) -> Vec<Effect> {
        let now = Instant::now();
        self.heart.heard(now);
        let done = match message {
            Message::Binary(bytes) => self.attachment(bytes),
            Message::Text(text) => match engineio::Packet::parse(text) {
                Ok(engineio::Packet::Message(text)) => self.message(text),
                Ok(engineio::Packet::Close) => Ok(vec![Effect::Finish(End::Gone, frame::close_without_code())]),
                Ok(engineio::Packet::Pong) => Ok(self.heart.pong(now).map(Effect::Answered).into_iter().collect()),
                Ok(engineio::Packet::Idle) => Ok(Vec::new()),
                Err(engineio::Broken) => Err(Broken("no packet of a client")),
            },
        };
        done.unwrap_or_else(|Broken(reason)| vec![Effect::Close(CloseCode::PROTOCOL_ERROR, reason)])
    }

    fn authenticated(&mut self, answer: Result<Caller, NotAuthenticated>) -> Vec<Effect> {
        self.react(|application, reactions| application.authenticated(answer, reactions))
    }

    fn wake_at(&self) -> Option<Instant> {
        [Some(self.heart.due()), self.connect_by, self.application.wake_at()].into_iter().flatten().min()
    }

    fn wake(&mut self, now: Instant, reachable: bool) -> Vec<Effect> {
        if self.connect_by.is_some_and(|end| end <= now) {
            let last_word = frame::close(CloseCode::POLICY_VIOLATION, "no namespace was connected in time");
            return vec![Effect::Finish(End::Unidentified, last_word)];
        }
        let mut effects = Vec::new();
        if self.application.wake_at().is_some_and(|at| at <= now) {
            effects = self.react(|application, reactions| application.wake(now, reactions));
        }
        if !reachable {
            self.heart.excuse(now); // who takes nothing has another limit
        }
        match self.heart.beat(now) {
            Beat::Early => {}
            Beat::Ping => effects.extend([Effect::Reply(Bytes::from_static(PING)), Effect::Pinged]),
            Beat::Dead => effects.push(Effect::Finish(End::Silent, frame::close(CloseCode::TRY_AGAIN_LATER, "ping timeout"))),
        }
        effects
    }
}

/// A text frame with the one character of a ping.
const PING: &[u8] = b"\x81\x012";

#[cfg(test)]
mod tests;
