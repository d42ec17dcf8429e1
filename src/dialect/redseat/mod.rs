//! RedSeat: server-sent events on `/sse` (document 002, and the wire notes on RedSeat).

mod encode;
mod wire;

pub use encode::{DEFAULT_KINDS, Spelling, formats};
