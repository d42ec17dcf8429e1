//! Fanfare: a real-time event engine for media servers. An event is published once and delivered to every client that may
//! see it, in the protocol that client speaks; a slow client skips and never slows the others.
//!
//! This is the library behind the `fanfare` program. A media server that embeds it needs [`app::spawn`], [`Engine`] and
//! [`config::Settings`]; `examples/embed.rs` is a whole program. The other modules are public for tests and benches.
//!
//! # The data's way
//!
//! ```text
//! source ──► Publisher ──► shard ──────────► hub ───────────────► session ──► dialect's frame ──► socket
//! HTTP       the only      one dispatcher    one per worker:      one per     encoded once,
//! folder     way in        per shard:        groups, feeds,       client      shared by all
//! Engine                   order, credit     the flush loop
//! ```
//!
//! The modules, in that order:
//!
//! - [`event`]: what media servers announce, who may see it, and the [`event::Envelope`] that everybody shares
//! - [`source`]: where events come from, and [`source::Publisher`], the only way in
//! - [`shard`]: keeps order, gives credit, hands accepted events to every hub
//! - [`state`]: what is going on now, folded from events
//! - [`digest`]: sums up events for clients that are told of changes in digests
//! - [`hub`]: one worker's clients, and the loop that writes to them
//! - [`connection`], [`session`]: one client; what hub and session share, and the actor that reads and waits
//! - [`dialect`]: client protocols, a folder each
//! - [`topic`]: states that a dialect tells as a whole, and the hub when it is time
//! - [`access`]: who is who, and what they may see
//! - [`server`]: listeners, the front door, routes
//! - [`app`]: joins the parts; start and stop
//! - [`config`], [`cli`]: settings, the command line
//! - [`websocket`]: WebSocket as a way to carry any dialect: handshake, frames in and out
//! - [`engineio`], [`socketio`]: Engine.IO and Socket.IO as ways to carry a dialect: packets, heartbeats, polling's bodies
//! - [`id`], [`clock`], [`frame`], [`metrics`]: value types and counters, free to all
//!
//! Which module may import which is written down, and checked, in `tests/layering/rules.rs`.

pub mod access;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connection;
pub mod dialect;
pub mod digest;
pub mod engineio;
pub mod event;
pub mod frame;
pub mod hub;
pub mod id;
pub mod metrics;
pub mod server;
pub mod session;
pub mod shard;
pub mod socketio;
pub mod source;
pub mod state;
pub mod topic;
pub mod websocket;

pub use app::Engine;
