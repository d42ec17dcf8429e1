//! Fanfare: a real-time event engine for media servers.

pub mod access;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connection;
pub mod dialect;
pub mod event;
pub mod frame;
pub mod hub;
pub mod id;
pub mod metrics;
pub mod server;
pub mod session;
pub mod shard;
pub mod source;
pub mod state;
