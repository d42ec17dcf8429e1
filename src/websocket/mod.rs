//! WebSocket (RFC 6455) as a way to carry any dialect: the handshake, frames in and frames out.
//!
//! Bytes in, values out: nothing here reads or writes a socket, knows a dialect or keeps time. There is no
//! `permessage-deflate` (it multiplies the memory of each client, and is a way to make a server inflate bombs) and no
//! subprotocol: both are declined by not being answered.

pub mod codec;
pub mod frame;
pub mod handshake;
mod utf8;

/// The number that says why a connection ends: in a close frame, or for an end that the other side is to be told.
///
/// Only numbers that may stand in a close frame can be made (RFC 6455, section 7.4, and its registry).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The connection has done what it was for.
    pub const NORMAL: Self = Self(1000);
    /// The server stops.
    pub const GOING_AWAY: Self = Self(1001);
    /// The other side broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// Text that is not UTF-8.
    pub const INVALID_DATA: Self = Self(1007);
    /// The other side may not do what it does, or may not be here any more.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// A message larger than allowed.
    pub const TOO_BIG: Self = Self(1009);
    /// The server cannot go on.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// Not now: come back a little later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);

    /// A code that may stand in a close frame; `None` for those that are reserved, never sent, or out of range.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}
