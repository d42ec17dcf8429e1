//! Which kind of token may do what, all of it: kinds must not run into each other.

use std::sync::Arc;

use super::{Directory, Filter, Principal, RawNames};
use crate::{
    event::{EventKind, KindSet, Level, Rule},
    id::{LibraryId, UserId},
};

const TOKENS: &str = r#"
    [[users]]
    id = "bob"
    token = "of-a-user"
    libraries = { films = "read" }
    [[users]]
    id = "root"
    token = "of-an-admin"
    admin = true
    [[tokens]]
    token = "reads"
    read = { films = "read" }
    [[tokens]]
    token = "publishes"
    publish = { libraries = ["films"] }
    [[tokens]]
    token = "publishes-for-bob"
    user = "bob"
    publish = true
    [[tokens]]
    token = "administers"
    admin = true
    [[tokens]]
    token = "metrics"
    metrics = true
"#;

/// What a principal may do: one letter per column of [`COLUMNS`], or `-`.
fn row(principal: &Principal) -> String {
    let (films, bob) = (LibraryId::parse("films").expect("id"), UserId::parse("bob").expect("id"));
    let filter = Filter {
        principal: Arc::new(principal.clone()),
        dialect: "redseat",
        kinds: KindSet::all(),
        raw: RawNames::All,
        libraries: None,
        unscoped: true,
        connection: None,
    };
    let meets = |rule: Rule| filter.meets(&rule, None);
    let can = [
        ('s', principal.may_open_streams()),
        ('e', meets(Rule::Everyone)),
        ('l', meets(Rule::Library(films.clone(), Level::Read))),
        ('w', meets(Rule::Library(films.clone(), Level::Write))),
        ('u', meets(Rule::User(bob.clone())) || (meets(Rule::UserOrAdmins(bob)) && !principal.admin)),
        ('A', meets(Rule::Admins)),
        ('r', meets(Rule::Publishers(Some(films.clone())))),
        ('p', principal.publish.allows(EventKind::Medias, Some(&films))),
        ('P', principal.publish.allows(EventKind::Medias, None)),
        ('R', principal.publish.allows(EventKind::Raw, Some(&films))),
        ('a', principal.admin),
        ('m', principal.metrics),
    ];
    can.iter().map(|(letter, can)| if *can { *letter } else { '-' }).collect()
}

/// Streams, events for everyone, of the library, for its writers, of user bob, for admins, `request` events; publishing
/// for the library, without one, a reserved type; administration; metrics.
const COLUMNS: &str = "selwuArpPRam";

#[test]
fn each_kind_of_token_does_what_it_is_for_and_nothing_else() {
    let directory = Directory::of_people(TOKENS);
    let table = [
        ("of-a-user", "sel-u-------"),
        ("of-an-admin", "selw-A----a-"),
        ("reads", "sel---------"),
        ("publishes", "s-----rp----"),
        ("publishes-for-bob", "sel-u-rpP---"),
        ("administers", "selw-A----a-"),
        ("metrics", "-----------m"),
    ];
    for (token, expected) in table {
        assert_eq!(expected.len(), COLUMNS.len());
        assert_eq!(row(&directory.authenticate(token).expect("known").principal), expected, "{token}");
    }
}

#[test]
fn a_grant_of_publishing_alone_reads_nothing_even_for_its_user() {
    let bob = Some(UserId::parse("bob").expect("id"));
    let granted = |json: &str| {
        let granted: super::granted::Granted = serde_json::from_str(json).expect("valid");
        Principal { user: bob.clone(), ..granted.into_principal() }
    };
    let table = [
        (r#"{"publish": true}"#, "s-----rpP---"),
        (r#"{"publish": {"libraries": ["films"], "types": ["raw"]}}"#, "s-----r--R--"),
        (r#"{"publish": true, "libraries": {}}"#, "se--u-rpP---"),
        (r#"{"libraries": {"films": "write"}}"#, "selwu-------"),
        (r#"{"admin": true}"#, "selwuA----a-"),
        ("{}", "s---u-------"),
    ];
    for (json, expected) in table {
        assert_eq!(row(&granted(json)), expected, "{json}");
    }
}
