//! The authenticated user or key behind a connection or a call, and what it may do.

use std::collections::BTreeMap;

use crate::{
    clock::Timestamp,
    event::{EventKind, KindSet, Level},
    id::{LibraryId, UserId},
};

/// What a principal may do in which library; deny by default.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LibraryRights {
    /// The same level in every library, also those not yet known.
    Every(Level),
    /// Only in these libraries.
    Named(BTreeMap<LibraryId, Level>),
}

impl Default for LibraryRights {
    fn default() -> Self {
        Self::Named(BTreeMap::new())
    }
}

impl LibraryRights {
    /// The level in one library; `None` is no access at all.
    #[must_use]
    pub fn level(&self, library: &LibraryId) -> Option<Level> {
        match self {
            Self::Every(level) => Some(*level),
            Self::Named(levels) => levels.get(library).copied(),
        }
    }
}

/// What a token may publish.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum PublishRights {
    /// Nothing.
    #[default]
    Nothing,
    /// These kinds, in these libraries (`None`: everywhere, events without a library included).
    Some {
        /// The kinds it may publish.
        kinds: KindSet,
        /// The libraries it may publish for; an event without a library needs `None` here.
        libraries: Option<Vec<LibraryId>>,
    },
}

impl PublishRights {
    /// Whether an event of this kind and library may be published.
    #[must_use]
    pub fn allows(&self, kind: EventKind, library: Option<&LibraryId>) -> bool {
        match self {
            Self::Nothing => false,
            Self::Some { kinds, libraries } => kinds.contains(kind) && Self::in_libraries(libraries.as_deref(), library),
        }
    }

    /// Whether the token publishes for the library (or for everything, when `library` is `None`), whatever the kind:
    /// the audience of `request` events.
    #[must_use]
    pub fn covers(&self, library: Option<&LibraryId>) -> bool {
        match self {
            Self::Nothing => false,
            Self::Some { libraries, .. } => Self::in_libraries(libraries.as_deref(), library),
        }
    }

    fn in_libraries(allowed: Option<&[LibraryId]>, library: Option<&LibraryId>) -> bool {
        match (allowed, library) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(allowed), Some(library)) => allowed.contains(library),
        }
    }
}

/// Who is behind a connection or a call.
///
/// Equal principals have equal rights: sessions that share one (and the same request and format) share a filter group,
/// and because the user is part of it a group never mixes users.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Principal {
    /// The user; an API key has none.
    pub user: Option<UserId>,
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
