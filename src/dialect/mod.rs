//! The client protocols we speak, one folder each.

pub mod redseat;
