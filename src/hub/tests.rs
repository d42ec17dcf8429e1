//! The engine's heart, driven directly: no actor, no socket, no clock but the one handed in.

mod passes;
mod rights;
mod world;
