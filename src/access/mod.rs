//! Who is who, and what they may see.
//!
//! `principal` is who someone is; `filter` is what he may see narrowed by what he asked for; the rest is how we know, and how rights
//! change.

mod back_end;
mod caller;
mod changes;
mod comings;
mod configured;
mod connections;
mod credential;
mod denied;
mod directory;
#[cfg(test)]
mod directory_tests;
mod file;
mod filter;
mod granted;
mod issued;
mod jwt;
mod log_in;
#[cfg(test)]
mod matrix_tests;
mod names;
mod pairs;
mod people;
mod principal;
mod reload;
mod rights;
mod store;
mod strict;
mod tallies;
pub mod token;

pub use crate::config::{LibraryRights, PublishRights, Secret};
pub use back_end::Asked;
pub use caller::{Caller, Device};
pub use changes::Changes;
pub use comings::Comings;
pub use connections::{Admitted, ConnectionGuard, TooManyConnections};
pub use credential::Credential;
pub use denied::Denied;
pub use directory::{Authenticated, Directory, OpenError};
pub use filter::{Filter, RawNames};
pub use jwt::KeyError;
pub use log_in::{LoggedIn, NotLoggedIn};
pub use pairs::{NotRenewed, Pair, Paired};
pub use principal::Principal;
pub use rights::{PrincipalChange, RightsChanged, UserReport, UserRights};
pub use store::{PrincipalStore, StoreError};
pub use token::TokenHash;
