//! What a request to `/sse` asks for: `libraries=`, `events=`, `spelling=`.

use std::sync::Arc;

use super::{Query, Spelling, encode};
use crate::{
    access::{Filter, Principal, RawNames},
    event::{EventKind, KindSet},
    id::LibraryId,
};

/// The 14 event names of document 002.
const DOCUMENT_KINDS: [EventKind; 14] = [
    EventKind::Library,
    EventKind::LibraryStatus,
    EventKind::Medias,
    EventKind::UploadProgress,
    EventKind::ConvertProgress,
    EventKind::Episodes,
    EventKind::Series,
    EventKind::Movies,
    EventKind::People,
    EventKind::Tags,
    EventKind::Backups,
    EventKind::BackupsFiles,
    EventKind::MediaProgress,
    EventKind::MediaRating,
];

/// Libraries, and events, that one request may name; what comes behind counts as unknown.
const MAX_NAMED: usize = 1_000;

/// A request, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) spelling: Spelling,
    /// Scans come as `event: scan`; otherwise as `library-status`.
    pub(super) scan_named: bool,
    pub(super) gap_event: bool,
    pub(super) expiring_event: bool,
    kinds: KindSet,
    raw: RawNames,
    libraries: Option<Vec<LibraryId>>,
}

impl Wanted {
    pub(super) fn read(query: Query<'_>, default_spelling: Spelling) -> Self {
        let spelling = match query.get("spelling").as_deref() {
            Some("server") => Spelling::Server,
            Some("document") => Spelling::Document,
            _ => default_spelling,
        };
        let libraries = query.get("libraries").map(|list| libraries(&list));
        match query.get("events") {
            None => Self::default_events(spelling, libraries),
            Some(names) => Self::named_events(&names, spelling, libraries),
        }
    }

    /// Without `events=`: exactly the 14 names. A raw event that carries one of them counts as such.
    fn default_events(spelling: Spelling, libraries: Option<Vec<LibraryId>>) -> Self {
        let names = DOCUMENT_KINDS.iter().map(|kind| kind.name().to_owned()).collect();
        Self {
            spelling,
            scan_named: false,
            gap_event: false,
            expiring_event: false,
            kinds: encode::DEFAULT_KINDS,
            raw: RawNames::Only(names),
            libraries,
        }
    }

    /// With `events=`: exactly the named ones. A name that is no family selects raw events of that name.
    fn named_events(names: &str, spelling: Spelling, libraries: Option<Vec<LibraryId>>) -> Self {
        let mut wanted = Self {
            spelling,
            scan_named: false,
            gap_event: false,
            expiring_event: false,
            kinds: KindSet::EMPTY,
            raw: RawNames::All,
            libraries,
        };
        let mut raw_names = Vec::new();
        for name in names.split(',').take(MAX_NAMED).map(str::trim).filter(|name| !name.is_empty()) {
            match EventKind::from_name(name) {
                Some(kind) => wanted.kinds = wanted.kinds.with(kind),
                None if name == "gap" => wanted.gap_event = true,
                None if name == "expiring" => wanted.expiring_event = true,
                None => {}
            }
            raw_names.push(name.to_owned());
        }
        wanted.scan_named = wanted.kinds.contains(EventKind::Scan);
        if wanted.kinds.contains(EventKind::LibraryStatus) {
            wanted.kinds = wanted.kinds.with(EventKind::Scan);
        }
        if !wanted.kinds.contains(EventKind::Raw) {
            raw_names.sort_unstable();
            raw_names.dedup();
            wanted.raw = RawNames::Only(raw_names);
        }
        wanted
    }

    pub(super) fn into_filter(self, principal: Arc<Principal>) -> Filter {
        Filter {
            principal,
            dialect: encode::DIALECT,
            kinds: self.kinds,
            raw: self.raw,
            libraries: self.libraries,
            // Document 002 drops events without a library under `libraries=`; the real server lets them pass.
            unscoped: self.spelling == Spelling::Server,
            connection: None,
        }
    }
}

/// The ids of a `libraries=` list. What is no id matches nothing, as an unknown id does, and is no error.
fn libraries(list: &str) -> Vec<LibraryId> {
    let mut ids: Vec<LibraryId> = list.split(',').take(MAX_NAMED).filter_map(|id| LibraryId::parse(id.trim()).ok()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Wanted {
        Wanted::read(Query(query), Spelling::Document)
    }

    #[test]
    fn without_events_the_fourteen_names_are_wanted_and_scans_come_as_status() {
        let wanted = read("");
        assert!(DOCUMENT_KINDS.iter().all(|kind| wanted.kinds.contains(*kind)));
        assert!(!wanted.kinds.contains(EventKind::Log));
        assert!(!wanted.scan_named);
        assert_eq!(wanted.libraries, None);
    }

    #[test]
    fn named_events_are_exactly_those() {
        let wanted = read("events=scan,gap,%20books");
        assert!(wanted.scan_named && wanted.gap_event && !wanted.expiring_event);
        assert_eq!(wanted.kinds, KindSet::of(&[EventKind::Scan]));
        assert_eq!(wanted.raw, RawNames::Only(vec!["books".into(), "gap".into(), "scan".into()]));
        assert_eq!(read("events=raw").raw, RawNames::All);
    }

    #[test]
    fn an_empty_list_of_libraries_matches_nothing_and_a_list_is_sorted() {
        assert_eq!(read("libraries=").libraries, Some(vec![]));
        let ids: Vec<_> = read("libraries=b,%20a,b").libraries.expect("a list").iter().map(ToString::to_string).collect();
        assert_eq!(ids, ["a", "b"]);
    }
}
