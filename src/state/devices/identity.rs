//! What a client of a WebSocket says it is, without a token: which device's session it wants to join.

use super::SessionId;
use crate::access::{Caller, Device};

/// A client's word for what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The client's name.
    pub client: String,
    /// The device's id.
    pub device: String,
    /// The client's version.
    pub version: String,
}

impl Identity {
    /// Exactly these three, letter for letter (wire notes on MediaBrowser, section 3.4).
    pub(super) fn is_of(&self, device: &Device) -> bool {
        self.client == device.client && self.device == device.id && self.version == device.version
    }
}

/// A WebSocket found its session.
#[derive(Debug, Clone)]
pub struct Joined {
    /// The session it belongs to now.
    pub session: SessionId,
    /// Who made the session's latest authenticated request: the WebSocket is his.
    pub caller: Caller,
}
