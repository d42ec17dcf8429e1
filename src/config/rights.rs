//! What settings and the administration interface can grant: levels in libraries, and what may be published.
//!
//! Knows no user and no token; deny by default.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, value::MapAccessDeserializer},
};

use crate::{
    event::{EventKind, KindSet, Level},
    id::LibraryId,
};

/// Kinds that `publish = true` leaves out: they must be named in `types`.
const RESERVED: KindSet = KindSet::of(&[EventKind::User, EventKind::Server, EventKind::Raw]);

/// Kinds that only the engine makes; nobody publishes them.
const ENGINE_MADE: KindSet = KindSet::of(&[EventKind::Presence, EventKind::Request, EventKind::Stats]);

/// What a principal may do in which library; deny by default.
///
/// Written as a level for every library (`"read"`), or as a table of levels (`{ films = "read", music = "admin" }`).
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

impl Serialize for LibraryRights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Every(level) => level.serialize(serializer),
            Self::Named(levels) => levels.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for LibraryRights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LibraryRightsVisitor)
    }
}

/// What a token may publish.
///
/// Written as `true` (every kind but the reserved `user`, `server` and `raw`, everywhere), `false`, or a table of
/// `libraries` (absent: everywhere) and `types` (absent: as with `true`; reserved kinds must be named here).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum PublishRights {
    /// Nothing.
    #[default]
    Nothing,
    /// These kinds, in these libraries (`None`: everywhere, events without a library included).
    Some {
        /// The kinds it may publish.
        kinds: KindSet,
        /// The libraries it may publish for, sorted; an event without a library needs `None` here.
        libraries: Option<Vec<LibraryId>>,
    },
}

impl PublishRights {
    /// Every kind but the reserved ones, everywhere: `publish = true`.
    #[must_use]
    pub fn unreserved() -> Self {
        Self::Some { kinds: without(without(KindSet::all(), ENGINE_MADE), RESERVED), libraries: None }
    }

    /// Every kind that can be published, the reserved ones too, everywhere.
    #[must_use]
    pub fn everything() -> Self {
        Self::Some { kinds: without(KindSet::all(), ENGINE_MADE), libraries: None }
    }

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

impl<'de> Deserialize<'de> for PublishRights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PublishRightsVisitor)
    }
}

/// The kinds of `kinds` that are not in `removed`.
fn without(kinds: KindSet, removed: KindSet) -> KindSet {
    let kept: Vec<EventKind> = EventKind::ALL.iter().copied().filter(|kind| kinds.contains(*kind) && !removed.contains(*kind)).collect();
    KindSet::of(&kept)
}

struct LibraryRightsVisitor;

impl<'de> de::Visitor<'de> for LibraryRightsVisitor {
    type Value = LibraryRights;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"read\", \"write\" or \"admin\" for every library, or a table such as { films = \"read\" }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<LibraryRights, E> {
        level(text).map(LibraryRights::Every).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<LibraryRights, A::Error> {
        let mut levels = BTreeMap::new();
        while let Some((library, NamedLevel(level))) = map.next_entry::<LibraryId, NamedLevel>()? {
            levels.insert(library, level);
        }
        Ok(LibraryRights::Named(levels))
    }
}

/// A level by its name. The derived reading of enums would let numbers pass in a settings file.
struct NamedLevel(Level);

impl<'de> Deserialize<'de> for NamedLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        level(&text).map(Self).ok_or_else(|| de::Error::custom("must be \"read\", \"write\" or \"admin\""))
    }
}

fn level(text: &str) -> Option<Level> {
    match text {
        "read" => Some(Level::Read),
        "write" => Some(Level::Write),
        "admin" => Some(Level::Admin),
        _ => None,
    }
}

struct PublishRightsVisitor;

impl<'de> de::Visitor<'de> for PublishRightsVisitor {
    type Value = PublishRights;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false, or a table of libraries and types")
    }

    fn visit_bool<E: de::Error>(self, everything: bool) -> Result<PublishRights, E> {
        Ok(if everything { PublishRights::unreserved() } else { PublishRights::Nothing })
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<PublishRights, A::Error> {
        let table = PublishTable::deserialize(MapAccessDeserializer::new(map))?;
        let PublishRights::Some { kinds: unreserved, .. } = PublishRights::unreserved() else { return Ok(PublishRights::Nothing) };
        let kinds = table.types.map_or(unreserved, |types| types.iter().fold(KindSet::EMPTY, |set, kind| set.with(kind.0)));
        let libraries = table.libraries.map(|mut libraries| {
            libraries.sort();
            libraries.dedup();
            libraries
        });
        Ok(PublishRights::Some { kinds, libraries })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublishTable {
    libraries: Option<Vec<LibraryId>>,
    types: Option<Vec<PublishableKind>>,
}

/// An event type somebody may be allowed to publish.
struct PublishableKind(EventKind);

impl<'de> Deserialize<'de> for PublishableKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let publishable = |kind: &EventKind| !ENGINE_MADE.contains(*kind);
        EventKind::from_name(&name).filter(publishable).map(Self).ok_or_else(|| {
            let allowed: Vec<&str> = EventKind::ALL.iter().filter(|kind| publishable(kind)).map(|kind| kind.name()).collect();
            de::Error::custom(format!("must be a type that can be published: {}", allowed.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(json: &str) -> Result<PublishRights, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn publish_true_is_everything_but_reserved_and_engine_made_kinds() {
        let rights = publish("true").expect("valid");
        for kind in EventKind::ALL {
            let reserved = [EventKind::User, EventKind::Server, EventKind::Raw];
            let expected = !reserved.contains(kind) && !ENGINE_MADE.contains(*kind);
            assert_eq!(rights.allows(*kind, None), expected, "{kind}");
        }
        assert_eq!(publish("{}").expect("valid"), rights);
        assert_eq!(publish("false").expect("valid"), PublishRights::Nothing);
    }

    #[test]
    fn a_reserved_kind_is_published_only_when_it_is_named() {
        let rights = publish(r#"{"types":["raw","medias"],"libraries":["b","a","b"]}"#).expect("valid");
        let (a, c) = (LibraryId::parse("a").expect("id"), LibraryId::parse("c").expect("id"));
        assert!(rights.allows(EventKind::Raw, Some(&a)));
        assert!(!rights.allows(EventKind::Scan, Some(&a)));
        assert!(!rights.allows(EventKind::Raw, Some(&c)));
        assert!(!rights.allows(EventKind::Raw, None), "an event without a library needs a token for everything");
        for refused in ["presence", "request", "gap", "stats", "nonsense"] {
            assert!(publish(&format!(r#"{{"types":["{refused}"]}}"#)).is_err(), "{refused}");
        }
        assert!(publish(r#"{"kinds":[]}"#).is_err(), "an unknown key is an error");
    }

    #[test]
    fn library_rights_survive_their_text() {
        for text in [r#""write""#, r#"{"films":"read","music":"admin"}"#, "{}"] {
            let rights: LibraryRights = serde_json::from_str(text).expect("valid");
            assert_eq!(serde_json::to_string(&rights).expect("serializes"), text);
        }
        for bad in ["\"none\"", "1", r#"{"films":1}"#, r#"{"films":"all"}"#, r#"{"":"read"}"#] {
            assert!(serde_json::from_str::<LibraryRights>(bad).is_err(), "{bad}");
        }
    }
}
