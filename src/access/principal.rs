//! The authenticated user or key behind a connection or a call, and what it may do.

use crate::{
    clock::Timestamp,
    config::{LibraryRights, PublishRights},
    event::Level,
    id::{LibraryId, UserId},
};

/// Who is behind a connection or a call.
///
/// Equal principals have equal rights: sessions that share one (and the same request and format) share a filter group,
/// and because the user is part of it a group never mixes users.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Principal {
    /// The user; an API key has none.
    pub user: Option<UserId>,
    /// Sees what every authenticated client sees: configured users, and API keys that may read something. Guests see only
    /// their own user's events, and tokens that only publish see `request` events.
    pub member: bool,
    /// Server admin: sees every library, and what only admins see; not other users' own events.
    pub admin: bool,
    /// What he may see in which library.
    pub libraries: LibraryRights,
    /// What he may publish.
    pub publish: PublishRights,
    /// When the credentials end.
    pub expires: Option<Timestamp>,
}

impl Principal {
    /// Whether the principal has at least that level in the library; server admins always have.
    #[must_use]
    pub fn has(&self, library: &LibraryId, level: Level) -> bool {
        self.admin || self.libraries.level(library).is_some_and(|own| own >= level)
    }
}
