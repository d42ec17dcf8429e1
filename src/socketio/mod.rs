//! Socket.IO 5: the packets in Engine.IO messages (wire notes on Socket.IO, sections 9 to 11).
//!
//! Text in, values out, and frames the other way: nothing here reads or writes a socket, keeps time, or knows a dialect.

pub mod frame;
pub mod packet;

pub use packet::{Broken, Packet, PacketKind, Place};

/// Event names that are never emitted and never accepted: clients close over them.
pub const RESERVED: [&str; 6] = ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];
