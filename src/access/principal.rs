//! The authenticated user or key behind a connection or a call, and what it may do.

use crate::{
    config::{LibraryRights, PublishRights},
    event::{Audience, Level, Rule, Who},
    id::{ConnectionId, LibraryId, UserId},
};

/// Who is behind a connection or a call.
///
/// Equal principals have equal rights: sessions that share one (and the same request and format) share a filter group,
/// and because the user is part of it a group never mixes users. When the credentials end is theirs alone, so that a
/// user's many tokens make one group: [`Credential::expires`](super::Credential::expires).
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
    /// May publish and reads nothing, not even what is meant for its user: a token of a publisher that names one.
    pub only_publishes: bool,
    /// May read metrics, and does nothing else.
    pub metrics: bool,
    /// Whether items marked explicit are shown, for dialects that know such a right; `None` is left to the dialect.
    pub explicit: Option<bool>,
    /// Only items with one of these tags are shown, for dialects that know such a right; `None` is all.
    pub tags: Option<Vec<String>>,
}

impl Principal {
    /// Whether it is anybody's who has shown who he is; who has not is and may nothing.
    #[must_use]
    pub fn is_somebody(&self) -> bool {
        *self != Self::default()
    }

    /// Whether the principal has at least that level in the library; server admins always have.
    #[must_use]
    pub fn has(&self, library: &LibraryId, level: Level) -> bool {
        self.admin || self.libraries.level(library).is_some_and(|own| own >= level)
    }

    /// Whether it is that user, to read what is meant for him.
    #[must_use]
    pub fn reads_as(&self, user: &UserId) -> bool {
        !self.only_publishes && self.user.as_ref() == Some(user)
    }

    /// Whether it satisfies a rule. `known` is its level in the rule's library where the caller knows it.
    #[must_use]
    pub fn meets(&self, rule: &Rule, known: Option<Level>) -> bool {
        match rule {
            Rule::Everyone => self.member,
            Rule::Admins => self.admin,
            Rule::Library(library, needed) => known.map_or_else(|| self.has(library, *needed), |level| level >= *needed),
            Rule::User(user) => self.reads_as(user),
            Rule::UserOrAdmins(user) => self.admin || self.reads_as(user),
            Rule::Publishers(library) => self.publish.covers(library.as_ref()),
        }
    }

    /// Whether it belongs to an audience. Events for one session are for that `connection` only; a call has none.
    #[must_use]
    pub fn is_in(&self, audience: &Audience, known: Option<Level>, connection: Option<ConnectionId>) -> bool {
        self.meets(&audience.rule, known) && (audience.only.is_empty() || audience.only.iter().any(|who| self.is(who, connection)))
    }

    fn is(&self, who: &Who, connection: Option<ConnectionId>) -> bool {
        match who {
            Who::All => true,
            Who::Admin => self.admin,
            Who::Library(library) => self.has(library, Level::Read),
            Who::LibraryAdmin(library) => self.has(library, Level::Admin),
            Who::User(user) => self.reads_as(user),
            Who::Session(session) => connection == Some(*session),
        }
    }

    /// Whether it may hold a stream open; a token for metrics may not.
    #[must_use]
    pub fn may_open_streams(&self) -> bool {
        !self.metrics
    }
}
