//! One WebSocket's place among the sessions, kept by whoever speaks with it.

use std::{net::IpAddr, sync::Arc};

use super::{Devices, Identity, Joined, Moment, Seen, SessionId};
use crate::id::ConnectionId;

/// A WebSocket. Its session has it as long as this lives; the session ends with its last one.
#[derive(Debug)]
pub struct Socket {
    devices: Arc<Devices>,
    connection: ConnectionId,
    address: Option<IpAddr>,
}

impl Socket {
    pub(super) fn new(devices: Arc<Devices>, connection: ConnectionId, address: Option<IpAddr>) -> Self {
        Self { devices, connection, address }
    }

    /// Its connection.
    #[must_use]
    pub fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// It was opened with a token: it belongs to that caller's session on that device, which begins if there is none.
    pub fn attach(&self, seen: &Seen<'_>, now: Moment) -> SessionId {
        self.devices.change(|table| table.attach(self.connection, seen, now))
    }

    /// Its client says what it is. `Some`: an authenticated request of the same, from the same address, was made within the
    /// last five minutes, and the WebSocket has joined that session. `None`: it waits for one ([`Devices::seen`] tells of it).
    /// What was said before counts no more, unless it has led to a session: then that stays.
    pub fn identify(&self, identity: Identity, now: Moment) -> Option<Joined> {
        self.devices.change(|table| table.identify((self.connection, self.address), identity, now))
    }

    /// Something came in on it.
    pub fn heard(&self, now: Moment) {
        self.devices.change(|table| table.heard(self.connection, now));
    }

    /// The session it belongs to.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        self.devices.table.lock().session_of(self.connection)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.devices.change(|table| table.detach(self.connection, Moment::now()));
    }
}
