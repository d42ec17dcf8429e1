//! What one filter group may see: the principal's rights, narrowed by what the request asked for.
//!
//! Checked once per event and group. A filter can only narrow.

use std::sync::Arc;

use crate::{
    access::Principal,
    event::{Audience, Envelope, Event, EventKind, KindSet, Level, Reader, Rule},
    id::{ConnectionId, LibraryId},
};

/// Which `raw` events of its dialect a request wants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RawNames {
    /// Every name.
    All,
    /// Only these names.
    Only(Vec<String>),
    /// Every name but these.
    Except(Vec<String>),
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
    /// Whether this group may see the event and asked for it. `level` is its level in the event's library where the
    /// caller knows it; `None` looks it up.
    #[must_use]
    pub fn admits(&self, envelope: &Envelope, level: Option<Level>) -> bool {
        self.wants(envelope) && self.in_audience(&envelope.audience, level)
    }

    /// Whether this group satisfies a rule: who may see all of an event is asked with it. `known` as for [`Filter::admits`].
    #[must_use]
    pub fn meets(&self, rule: &Rule, known: Option<Level>) -> bool {
        self.principal.meets(rule, known)
    }

    /// Whether `stats` events are made for it.
    #[must_use]
    pub fn listens_to_stats(&self) -> bool {
        self.kinds.contains(EventKind::Stats) && self.principal.admin
    }

    /// Who reads, as far as formats may look at it.
    #[must_use]
    pub fn reader(&self) -> Reader<'_> {
        let principal = &self.principal;
        let user = principal.user.as_ref().filter(|_| !principal.only_publishes);
        Reader { user, admin: principal.admin, explicit: principal.explicit, tags: principal.tags.as_deref() }
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
            RawNames::Except(names) => !names.iter().any(|name| raw.name == **name),
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

    fn in_audience(&self, audience: &Audience, level: Option<Level>) -> bool {
        self.principal.is_in(audience, level, self.connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        access::{LibraryRights, PublishRights},
        event::Who,
        id::UserId,
    };

    fn library(id: &str) -> LibraryId {
        LibraryId::parse(id).expect("id")
    }

    fn user(id: &str) -> UserId {
        UserId::parse(id).expect("id")
    }

    fn filter(principal: Principal) -> Filter {
        Filter {
            principal: Arc::new(principal),
            dialect: "redseat",
            kinds: KindSet::all(),
            raw: RawNames::All,
            libraries: None,
            unscoped: true,
            connection: None,
        }
    }

    fn member(id: &str, libraries: LibraryRights) -> Principal {
        Principal { user: Some(user(id)), member: true, libraries, ..Principal::default() }
    }

    fn films(level: Level) -> LibraryRights {
        LibraryRights::Named([(library("films"), level)].into())
    }

    /// The columns of the truth table.
    fn everybody() -> [Filter; 9] {
        let in_films = PublishRights::Some { kinds: KindSet::all(), libraries: Some(vec![library("films")]) };
        [
            Principal { admin: true, ..member("root", LibraryRights::default()) },
            member("bob", films(Level::Read)),
            member("eve", films(Level::Write)),
            member("ann", films(Level::Admin)),
            member("all", LibraryRights::Every(Level::Read)),
            member("new", LibraryRights::default()),
            Principal { user: Some(user("guest")), ..Principal::default() },
            Principal { publish: in_films, ..Principal::default() },
            Principal { publish: PublishRights::everything(), ..Principal::default() },
        ]
        .map(filter)
    }

    /// One letter per column: `x` sees it, `-` does not.
    fn row(audience: &Audience) -> String {
        everybody().iter().map(|filter| if filter.in_audience(audience, None) { 'x' } else { '-' }).collect()
    }

    #[test]
    fn each_rule_admits_exactly_those_it_is_for() {
        let films = || library("films");
        let table = [
            // server admin, reader, writer, library admin, reader of all, user without libraries, guest,
            // publisher of films, publisher of everything
            (Rule::Everyone, "xxxxxx---"),
            (Rule::Admins, "x--------"),
            (Rule::Library(films(), Level::Read), "xxxxx----"),
            (Rule::Library(films(), Level::Write), "x-xx-----"),
            (Rule::Library(films(), Level::Admin), "x--x-----"),
            (Rule::Library(library("music"), Level::Read), "x---x----"),
            (Rule::User(user("bob")), "-x-------"),
            (Rule::User(user("guest")), "------x--"),
            (Rule::User(user("nobody")), "---------"),
            (Rule::UserOrAdmins(user("bob")), "xx-------"),
            (Rule::UserOrAdmins(user("guest")), "x-----x--"),
            (Rule::Publishers(Some(films())), "-------xx"),
            (Rule::Publishers(Some(library("music"))), "--------x"),
            (Rule::Publishers(None), "--------x"),
        ];
        for (rule, expected) in table {
            assert_eq!(row(&Audience::from(rule.clone())), expected, "{rule:?}");
        }
    }

    #[test]
    fn a_narrowing_admits_any_of_its_parts_and_never_more_than_the_rule() {
        let of_films = || Rule::Library(library("films"), Level::Read);
        let table = [
            (of_films(), vec![Who::All], "xxxxx----"),
            (of_films(), vec![Who::Admin], "x--------"),
            (of_films(), vec![Who::LibraryAdmin(library("films"))], "x--x-----"),
            (of_films(), vec![Who::Library(library("music"))], "x---x----"),
            (of_films(), vec![Who::User(user("bob")), Who::Admin], "xx-------"),
            (of_films(), vec![Who::User(user("guest"))], "---------"),
            (Rule::User(user("bob")), vec![Who::All], "-x-------"),
            (Rule::User(user("bob")), vec![Who::Admin], "---------"),
            (Rule::Everyone, vec![Who::All], "xxxxxx---"),
        ];
        for (rule, only, expected) in table {
            let audience = Audience { rule, only };
            assert_eq!(row(&audience), expected, "{audience:?}");
        }
    }

    #[test]
    fn an_event_for_one_session_passes_only_in_that_sessions_group() {
        let connection = ConnectionId { worker: 0, slot: 7, generation: 1 };
        let audience = Audience { rule: Rule::Everyone, only: vec![Who::Session(connection)] };
        assert_eq!(row(&audience), "---------");
        let mut private = filter(member("bob", LibraryRights::default()));
        private.connection = Some(connection);
        assert!(private.in_audience(&audience, None));
        private.connection = Some(ConnectionId { generation: 2, ..connection });
        assert!(!private.in_audience(&audience, None), "a later connection in the same slot is another one");
    }

    #[test]
    fn a_library_narrowing_drops_other_libraries_and_says_whether_events_without_one_pass() {
        let mut narrowed = filter(member("all", LibraryRights::Every(Level::Read)));
        narrowed.libraries = Some(vec![library("films"), library("music")]);
        assert!(narrowed.wants_library(Some(&library("music"))));
        assert!(!narrowed.wants_library(Some(&library("photos"))));
        assert!(narrowed.wants_library(None));
        narrowed.unscoped = false;
        assert!(!narrowed.wants_library(None));
        narrowed.libraries = Some(Vec::new());
        assert!(!narrowed.wants_library(Some(&library("films"))), "an empty list is a narrowing to nothing");
    }

    #[test]
    fn equal_rights_and_requests_are_one_group_and_users_never_mix() {
        let bob = || filter(member("bob", films(Level::Read)));
        assert_eq!(bob(), bob());
        assert_ne!(bob(), filter(member("eve", films(Level::Read))));
        assert_ne!(bob(), filter(member("bob", films(Level::Write))));
    }
}
