//! The engine's heart, driven directly: no actor, no socket, no clock but the one handed in.

mod accounting;
mod feeds;
mod indexes;
mod losses;
mod memory;
mod own;
mod owners;
mod passes;
mod rights;
mod schedules;
mod silence;
mod topics;
mod world;
