//! Dialects over Socket.IO: an [`Application`] is told of namespaces and events, and all below them is done here.

mod application;
mod conversation;

use std::sync::Arc;

use bytes::Bytes;

pub use application::{Application, Connect, Reactions, Rejected, Said};
use conversation::Carried;

use super::{Answer, Conversation, Opening, Request, Transport, websocket_goodbye};
use crate::{
    access::{Caller, Filter, RawNames},
    engineio::{self, Carrier, Sid},
    event::{FormatPair, KindSet},
    frame::Notices,
    websocket::frame,
};

/// What a session begins with: nobody's, who sees nothing. [`Effect::Become`](super::Effect::Become) gives it to somebody.
#[must_use]
pub fn nobody(dialect: &'static str, caller: &Caller) -> Filter {
    Filter {
        principal: Arc::clone(&caller.principal),
        dialect,
        kinds: KindSet::EMPTY,
        raw: RawNames::Only(Vec::new()),
        libraries: None,
        unscoped: false,
        connection: None,
    }
}

/// Opens a session for that application, over the carrier that the request asks for.
///
/// # Errors
/// 503: the system gives no random bytes, and there is no safe name for the session.
pub fn open(
    settings: &engineio::Settings,
    request: &Request<'_>,
    seen: (Filter, FormatPair),
    application: Box<dyn Application>,
) -> Result<Opening, Answer> {
    carry(settings, request, seen, Box::new(Carried::new(settings, application)))
}

/// Opens a session whose conversation speaks Engine.IO itself: it is told whole packets, as text and as bytes, and keeps the
/// heartbeat.
///
/// # Errors
/// As [`open`].
pub fn carry(
    settings: &engineio::Settings,
    request: &Request<'_>,
    (filter, formats): (Filter, FormatPair),
    conversation: Box<dyn Conversation>,
) -> Result<Opening, Answer> {
    let sid = Sid::generate().ok_or(Answer { status: 503, headers: Vec::new(), body: Bytes::new() })?;
    let (transport, carrier) = match request.websocket {
        true => (Transport::WebSocket, Carrier::WebSocket),
        false => (Transport::Polling(sid), Carrier::Polling),
    };
    Ok(Opening {
        transport,
        filter,
        formats,
        headers: Vec::new(),
        greeting: frame::text(&engineio::open_packet(sid, carrier, settings)),
        keepalive: None,
        notices: &Notices { gap: None, expiring: None, goodbye: Some(websocket_goodbye) },
        conversation: Some(conversation),
        identify_within: None,
    })
}
