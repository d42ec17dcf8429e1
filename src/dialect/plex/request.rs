//! What a request asks for: `filters=` with its four meanings, the token, and what the client says of itself.

use std::{borrow::Cow, sync::Arc};

use super::{
    Query, Request,
    encode::DIALECT,
    types::{NoticeType, TypeSet, kinds_of},
};
use crate::{
    access::{Filter, Principal, RawNames},
    event::EventKind,
};

/// Types that one request may name; what comes behind counts as unknown, which matches nothing.
const MAX_NAMED: usize = 1_000;

/// The headers its clients set (wire notes on Plex, sections 2.1 and 2.2).
pub(super) const HEADERS: [&str; 15] = [
    "x-plex-token",
    "x-plex-client-identifier",
    "x-plex-product",
    "x-plex-version",
    "x-plex-platform",
    "x-plex-platform-version",
    "x-plex-device",
    "x-plex-device-name",
    "x-plex-device-vendor",
    "x-plex-model",
    "x-plex-marketplace",
    "x-plex-provides",
    "x-plex-language",
    "x-plex-features",
    "accepts",
];

/// The longest value of an `X-Plex-` field that is kept, in characters.
const MAX_VALUE: usize = 40;

/// The notifications a request wants (wire notes, section 2.3): absent, `a,b`, `-a,b`, or empty for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) types: TypeSet,
    /// The same for the names of `raw` events, which may be anything.
    raw: RawNames,
}

impl Wanted {
    pub(super) fn read(query: Query<'_>) -> Self {
        // Official clients write `filters`; the generated ones `filter`, which counts when the other is absent.
        let given = |name| query.all(name).reduce(|list, more| Cow::Owned(format!("{list},{more}")));
        match given("filters").or_else(|| given("filter")) {
            None => Self::except(&["log"]),
            Some(list) if list.is_empty() => Self { types: TypeSet::of(&NoticeType::ALL), raw: RawNames::All },
            Some(list) => match list.strip_prefix('-') {
                Some(list) => Self::except(&names(list)),
                None => Self::only(&names(&list)),
            },
        }
    }

    fn only(names: &[&str]) -> Self {
        let types = types(|notice| names.contains(&notice.name()));
        Self { types, raw: RawNames::Only(names.iter().map(|name| (*name).to_owned()).collect()) }
    }

    fn except(names: &[&str]) -> Self {
        let types = types(|notice| !names.contains(&notice.name()));
        Self { types, raw: RawNames::Except(names.iter().map(|name| (*name).to_owned()).collect()) }
    }

    pub(super) fn into_filter(self, principal: Arc<Principal>) -> Filter {
        Filter {
            principal,
            dialect: DIALECT,
            kinds: kinds_of(self.types).with(EventKind::Raw),
            raw: self.raw,
            libraries: None,
            unscoped: true,
            connection: None,
        }
    }
}

fn types(wanted: impl Fn(NoticeType) -> bool) -> TypeSet {
    NoticeType::ALL.into_iter().filter(|notice| wanted(*notice)).fold(TypeSet::EMPTY, TypeSet::with)
}

/// The names of a list, in one order whatever the request's was, so that equal wishes share a group. A further `-` is no
/// sign, but the first character of a name that matches nothing.
fn names(list: &str) -> Vec<&str> {
    let mut names: Vec<&str> = list.split(',').take(MAX_NAMED).filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The token: the header wins over the query. Clients write the parameter's name as they like.
pub(super) fn token(request: &Request<'_>) -> Option<String> {
    field(request, "X-Plex-Token").map(Cow::into_owned).filter(|token| !token.is_empty())
}

/// What the client says of itself, from headers or query: `Product 1.2 (Platform 3, Device name)`. `None`: it says nothing.
pub(super) fn client(request: &Request<'_>) -> Option<String> {
    let said = |name: &str| field(request, name).map(|value| shown(&value)).filter(|value| !value.is_empty());
    let pair = |name: &str, version: &str| {
        said(name).map(|name| said(version).map_or_else(|| name.clone(), |version| format!("{name} {version}")))
    };
    let product = pair("X-Plex-Product", "X-Plex-Version");
    let place: Vec<String> = [
        pair("X-Plex-Platform", "X-Plex-Platform-Version"),
        said("X-Plex-Device-Name").or_else(|| said("X-Plex-Device")),
        said("X-Plex-Client-Identifier"),
    ]
    .into_iter()
    .flatten()
    .collect();
    match (product, place.is_empty()) {
        (None, true) => None,
        (Some(product), true) => Some(product),
        (product, false) => Some(format!("{} ({})", product.as_deref().unwrap_or("Plex client"), place.join(", "))),
    }
}

fn field<'r>(request: &Request<'r>, name: &str) -> Option<Cow<'r, str>> {
    let header = (request.header)(&name.to_ascii_lowercase()).map(Cow::Borrowed);
    header.or_else(|| Query(request.query).get_any_case(name))
}

/// Bounded, and without characters that end a line somewhere or steer a terminal.
fn shown(value: &str) -> String {
    let odd = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    value.trim().chars().filter(|c| !odd(*c)).take(MAX_VALUE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(query: &str) -> Vec<&'static str> {
        let types = Wanted::read(Query(query)).types;
        NoticeType::ALL.into_iter().filter(|notice| types.contains(*notice)).map(NoticeType::name).collect()
    }

    fn all_but(names: &[&str]) -> Vec<&'static str> {
        NoticeType::ALL.map(NoticeType::name).into_iter().filter(|name| !names.contains(name)).collect()
    }

    #[test]
    fn filters_mean_what_the_notes_say() {
        for (query, expected) in [
            ("", all_but(&["log"])),
            ("filters=", all_but(&[])),
            ("filters", all_but(&[])),
            ("filters=playing,log", vec!["playing", "log"]),
            ("filters=log%2Cplaying", vec!["playing", "log"]),
            ("filters=-playing,timeline", all_but(&["playing", "timeline"])),
            ("filters=-log", all_but(&["log"])),
            ("filters=%2Dlog", all_but(&["log"])),
            ("filters=transcodeSession", vec![]),
            ("filters=Playing,unknown,-timeline", vec![]),
            ("filters=transcodeSession.end", vec!["transcodeSession.end"]),
            // The alias, in every form that was seen (wire notes, section 2.3).
            ("filter=playing&filter=timeline", vec!["playing", "timeline"]),
            ("filter=playing%2Ctimeline", vec!["playing", "timeline"]),
            ("filter=-log&filter=playing", all_but(&["log", "playing"])),
            ("filter=", all_but(&[])),
            ("filter=playing&filters=timeline", vec!["timeline"]),
            ("filters=playing&filters=log", vec!["playing", "log"]),
        ] {
            assert_eq!(wanted(query), expected, "{query}");
        }
    }

    #[test]
    fn raw_names_follow_the_same_list_and_equal_wishes_are_equal() {
        assert_eq!(Wanted::read(Query("")).raw, RawNames::Except(vec!["log".into()]));
        assert_eq!(Wanted::read(Query("filters=")).raw, RawNames::All);
        assert_eq!(Wanted::read(Query("filters=b,a,b")), Wanted::read(Query("filter=a&filter=b")));
    }

    fn request<'a>(query: &'a str, header: &'a dyn Fn(&str) -> Option<&'a str>) -> Request<'a> {
        Request { path: "", query, header, peer: None, address: None, secure: false, websocket: false }
    }

    #[test]
    fn the_token_is_in_the_header_or_in_the_query_and_the_header_wins() {
        let header = |name: &str| (name == "x-plex-token").then_some("of the header");
        let none = |_: &str| None;
        assert_eq!(token(&request("X-Plex-Token=q", &header)).as_deref(), Some("of the header"));
        assert_eq!(token(&request("a=b&X-Plex-Token=q%2B", &none)).as_deref(), Some("q+"));
        assert_eq!(token(&request("x-plex-token=q", &none)).as_deref(), Some("q"));
        assert_eq!(token(&request("X-Plex-Token=", &none)), None);
        assert_eq!(token(&request("token=q", &none)), None);
    }

    #[test]
    fn a_client_is_named_by_what_it_says_bounded_and_without_control_characters() {
        let none = |_: &str| None;
        assert_eq!(client(&request("", &none)), None);
        let query = "X-Plex-Product=Plex%0AWeb&X-Plex-Version=4.1&X-Plex-Platform=Chrome&X-Plex-Device-Name=Den%1b%5b2J";
        assert_eq!(client(&request(query, &none)).as_deref(), Some("PlexWeb 4.1 (Chrome, Den[2J)"));
        let long = format!("X-Plex-Client-Identifier={}", "a".repeat(500));
        assert_eq!(client(&request(&long, &none)), Some(format!("Plex client ({})", "a".repeat(MAX_VALUE))));
    }
}
