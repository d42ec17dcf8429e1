//! Who is who, and what they may see.
//!
//! `principal` is who someone is; `filter` is what he may see narrowed by what he asked for; the rest is how we know.

mod filter;
mod principal;

pub use crate::config::{LibraryRights, PublishRights};
pub use filter::{Filter, RawNames};
pub use principal::Principal;
