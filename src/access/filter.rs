//! What one filter group may see: the principal's rights, narrowed by what the request asked for.
//!
//! Checked once per event and group. A filter can only narrow.

use std::sync::Arc;

use crate::{
    access::Principal,
    event::{Audience, Envelope, Event, EventKind, KindSet, Level, Rule, Who},
    id::{ConnectionId, LibraryId},
};

/// Which `raw` events of its dialect a request wants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RawNames {
    /// Every name.
    All,
    /// Only these names.
    Only(Vec<String>),
}

/// Rights and request together; equal filters (with equal frame formats) form one filter group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Who.
    pub principal: Arc<Principal>,
    /// The dialect whose raw events count.
    pub dialect: &'static str,
    /// The kinds asked for and carried by the format.
    pub kinds: KindSet,
    /// Which raw events.
    pub raw: RawNames,
    /// The libraries asked for; `None` is no narrowing. Sorted.
    pub libraries: Option<Vec<LibraryId>>,
    /// Whether events without a library pass a `libraries` narrowing.
    pub unscoped: bool,
    /// The one connection of a private group: only there do events for one session pass.
    pub connection: Option<ConnectionId>,
}

impl Filter {
    /// Whether this group may see the event and asked for it.
    #[must_use]
    pub fn admits(&self, envelope: &Envelope) -> bool {
        self.wants(envelope) && self.in_audience(&envelope.audience)
    }

    fn wants(&self, envelope: &Envelope) -> bool {
        let event = &envelope.event;
        let asked_for = if event.kind() == EventKind::Raw { self.wants_raw(event) } else { self.kinds.contains(event.kind()) };
        asked_for && self.wants_library(envelope.library())
    }

    fn wants_raw(&self, event: &Event) -> bool {
        let Event::Raw(raw) = event else { return false };
        let named = match &self.raw {
            RawNames::All => true,
            RawNames::Only(names) => names.iter().any(|name| raw.name == **name),
        };
        named && raw.dialect == self.dialect
    }

    fn wants_library(&self, library: Option<&LibraryId>) -> bool {
        match (&self.libraries, library) {
            (None, _) => true,
            (Some(_), None) => self.unscoped,
            (Some(wanted), Some(library)) => wanted.binary_search(library).is_ok(),
        }
    }

    fn in_audience(&self, audience: &Audience) -> bool {
        self.by_rule(&audience.rule) && (audience.only.is_empty() || audience.only.iter().any(|who| self.is(who)))
    }

    fn by_rule(&self, rule: &Rule) -> bool {
        let principal = &self.principal;
        match rule {
            Rule::Everyone => true,
            Rule::Admins => principal.admin,
            Rule::Library(library, level) => principal.has(library, *level),
            Rule::User(user) => principal.user.as_ref() == Some(user),
            Rule::UserOrAdmins(user) => principal.admin || principal.user.as_ref() == Some(user),
            Rule::Publishers(library) => principal.publish.covers(library.as_ref()),
        }
    }

    fn is(&self, who: &Who) -> bool {
        let principal = &self.principal;
        match who {
            Who::All => true,
            Who::Admin => principal.admin,
            Who::Library(library) => principal.has(library, Level::Read),
            Who::LibraryAdmin(library) => principal.has(library, Level::Admin),
            Who::User(user) => principal.user.as_ref() == Some(user),
            Who::Session(connection) => self.connection == Some(*connection),
        }
    }
}
