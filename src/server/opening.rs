//! How a stream opens, whichever way its client came in: what it is asked, what it is answered, and its session.

use std::{
    any::Any,
    rc::Rc,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use actix::{Actor, Recipient};
use bytes::Bytes;

use super::doorkeeper::Admitted;
use crate::{
    connection::{Connection, Outlet},
    dialect::{Answer, Dialect, Transport},
    hub::{HubHandle, Join},
    session::{Carry, Inbound, Listening, Session},
    websocket::handshake::{self, Wanted},
};

/// What sessions are set up with.
#[derive(Clone)]
pub(super) struct SessionSettings {
    /// Messages a session's mailbox holds.
    pub(super) mailbox: usize,
    /// What those have in common whose clients say something.
    pub(super) listening: Rc<Listening>,
}

/// What a session that polls needs beside that.
pub(super) struct Polled {
    /// Is dropped with it.
    pub(super) keeps: Box<dyn Any>,
    /// How long a WebSocket may take to take over.
    pub(super) upgrade_timeout: Duration,
    /// Is kept at whether somebody has shown whose it is.
    pub(super) is_somebodys: Arc<AtomicBool>,
}

/// What a request for a WebSocket is told that is not whole or not of our version, in any dialect.
pub(super) fn not_a_handshake(wanted: &Wanted) -> Option<Answer> {
    let (status, headers) = match wanted {
        Wanted::OtherVersion => (426, vec![("upgrade", "websocket".to_owned()), ("sec-websocket-version", handshake::VERSION.to_owned())]),
        Wanted::Malformed => (400, Vec::new()),
        Wanted::Nothing | Wanted::WebSocket { .. } => return None,
    };
    Some(Answer { status, headers, body: Bytes::new() })
}

/// The client joins its hub and gets a session; `None`: its rights have ended meanwhile.
pub(super) fn begin(
    mut admitted: Admitted,
    (outlet, head): (Outlet, Bytes),
    dialect: &Arc<dyn Dialect>,
    hub: &HubHandle,
    settings: &SessionSettings,
) -> Option<Rc<Connection>> {
    let (transport, conversation) = (admitted.opening.transport, admitted.opening.conversation.take());
    let connection = hub.join(join(admitted, outlet, head))?;
    let (own, hub) = (Rc::clone(&connection), hub.clone());
    match transport {
        Transport::EventStream => Session::new(own, hub, settings.mailbox).start(),
        Transport::WebSocket | Transport::Polling(_) => {
            let inbound = Inbound::new(dialect.as_ref(), conversation, &settings.listening);
            Session::websocket(own, hub, settings.mailbox, inbound).start()
        }
    };
    Some(connection)
}

/// The same for a client that polls; the way to its session.
pub(super) fn begin_polled(
    mut admitted: Admitted,
    dialect: &Arc<dyn Dialect>,
    hub: &HubHandle,
    (settings, polled): (&SessionSettings, Polled),
) -> Option<Recipient<Carry>> {
    let conversation = admitted.opening.conversation.take();
    let connection = hub.join(join(admitted, Outlet::polling(), Bytes::new()))?;
    let inbound = Inbound::new(dialect.as_ref(), conversation, &settings.listening);
    let session = Session::websocket(connection, hub.clone(), settings.mailbox, inbound);
    Some(session.polled(polled.upgrade_timeout, polled.is_somebodys, polled.keeps).start().recipient())
}

/// `head` is what the outlet is sent before the dialect's own greeting.
fn join(admitted: Admitted, outlet: Outlet, head: Bytes) -> Join {
    let Admitted { dialect, opening: wanted, credential, guard, details, came } = admitted;
    let opening = if wanted.greeting.is_empty() { head } else { [head, wanted.greeting].concat().into() };
    Join {
        outlet,
        details,
        dialect,
        filter: wanted.filter,
        formats: wanted.formats,
        opening,
        keepalive: wanted.keepalive,
        notices: wanted.notices,
        credential,
        admission: guard,
        came,
        identify_within: wanted.identify_within.filter(|_| wanted.transport != Transport::EventStream),
    }
}
