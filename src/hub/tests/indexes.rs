//! Each rule finds exactly the groups it may concern, and a group that went is found no more.

use std::sync::Arc;

use crate::{
    access::{Filter, LibraryRights, Principal, RawNames},
    event::{EventKind, FormatPair, KindSet, Level, Rule},
    hub::{
        group::GroupKey,
        index::Index,
        tests::world::{FORMATS, TestFormat},
    },
    id::{LibraryId, UserId},
};

fn library(id: &str) -> LibraryId {
    LibraryId::parse(id).expect("id")
}

fn user(id: &str) -> UserId {
    UserId::parse(id).expect("id")
}

fn named(libraries: &[(&str, Level)]) -> LibraryRights {
    LibraryRights::Named(libraries.iter().map(|(id, level)| (library(id), *level)).collect())
}

fn filter(id: &str, admin: bool, libraries: LibraryRights, wanted: Option<&[&str]>) -> Filter {
    Filter {
        principal: Arc::new(Principal { user: Some(user(id)), member: true, admin, libraries, ..Principal::default() }),
        dialect: crate::event::DIALECTS[0],
        kinds: KindSet::all(),
        raw: RawNames::All,
        libraries: wanted.map(|wanted| wanted.iter().map(|id| library(id)).collect()),
        unscoped: true,
        connection: None,
    }
}

/// Groups 0 to 4: a reader of films, an admin of films who reads music, a server admin, a server admin who asks for
/// music only, and a reader of everything who asks for films only.
fn everybody() -> [Filter; 5] {
    [
        filter("bob", false, named(&[("films", Level::Read)]), None),
        filter("ann", false, named(&[("films", Level::Admin), ("music", Level::Read)]), None),
        filter("root", true, LibraryRights::default(), None),
        filter("root", true, LibraryRights::default(), Some(&["music"])),
        filter("all", false, LibraryRights::Every(Level::Read), Some(&["films"])),
    ]
}

fn found(index: &Index, rule: &Rule) -> Vec<(u32, Option<Level>)> {
    let mut groups = Vec::new();
    index.candidates(rule, |group, level| groups.push((group, level)));
    groups.sort();
    groups
}

fn filled() -> Index {
    let mut index = Index::default();
    for (group, filter) in (0..).zip(&everybody()) {
        index.insert(group, filter);
    }
    index
}

#[test]
fn each_rule_visits_each_group_it_may_concern_once_with_its_level() {
    let index = filled();
    let (read, admin) = (Some(Level::Read), Some(Level::Admin));
    let table = [
        (Rule::Everyone, vec![(0, None), (1, None), (2, None), (3, None), (4, None)]),
        (Rule::Admins, vec![(2, None), (3, None)]),
        (Rule::Library(library("films"), Level::Read), vec![(0, read), (1, admin), (2, admin), (4, read)]),
        (Rule::Library(library("music"), Level::Read), vec![(1, read), (2, admin), (3, admin)]),
        (Rule::Library(library("photos"), Level::Read), vec![(2, admin)]),
        (Rule::User(user("root")), vec![(2, None), (3, None)]),
        (Rule::UserOrAdmins(user("bob")), vec![(0, None), (2, None), (3, None)]),
        (Rule::UserOrAdmins(user("root")), vec![(2, None), (3, None)]),
        (Rule::User(user("nobody")), vec![]),
    ];
    for (rule, expected) in table {
        assert_eq!(found(&index, &rule), expected, "{rule:?}");
    }
    assert_eq!(index.of_user(&user("bob")), [0]);
}

#[test]
fn a_group_that_went_is_found_by_no_rule_and_the_others_still_are() {
    let everybody = everybody();
    let rules = || {
        let libraries = ["films", "music", "photos"].map(|id| Rule::Library(library(id), Level::Read));
        let users = ["bob", "ann", "root", "all"].into_iter().flat_map(|id| [Rule::User(user(id)), Rule::UserOrAdmins(user(id))]);
        [Rule::Everyone, Rule::Admins, Rule::Publishers(None)].into_iter().chain(libraries).chain(users)
    };
    for gone in 0..5 {
        let (mut index, full) = (filled(), filled());
        index.remove(gone, &everybody[gone as usize]);
        for rule in rules() {
            let expected: Vec<_> = found(&full, &rule).into_iter().filter(|(group, _)| *group != gone).collect();
            assert_eq!(found(&index, &rule), expected, "{rule:?} without {gone}");
        }
    }
}

#[test]
fn sessions_of_formats_that_only_share_their_cells_are_not_of_one_group() {
    static SCANS: TestFormat = TestFormat { slot: 0, form: "abridged", carries: KindSet::EMPTY.with(EventKind::Scan) };
    let bob = || filter("bob", false, named(&[("films", Level::Read)]), None);
    assert_eq!(GroupKey::new(bob(), &FORMATS), GroupKey::new(bob(), &FORMATS));
    assert_ne!(GroupKey::new(bob(), &FORMATS), GroupKey::new(bob(), &FormatPair { abridged: &SCANS, ..FORMATS }));
}
