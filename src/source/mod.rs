//! Where events come from.

pub mod folder;
