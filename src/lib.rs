//! Fanfare: a real-time event engine for media servers.

pub mod access;
pub mod clock;
pub mod dialect;
pub mod event;
pub mod frame;
pub mod id;
pub mod source;
