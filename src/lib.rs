//! Fanfare: a real-time event engine for media servers.

pub mod access;
pub mod cli;
pub mod clock;
pub mod event;
pub mod frame;
pub mod id;
