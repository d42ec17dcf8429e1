//! Who may see an event: one rule per event type, decided here and used by every dialect.
//!
//! The rule comes from the type (`Rule`); a publisher may narrow it (`Who`, any of them), never widen it.

use std::fmt;

use crate::id::{ConnectionId, LibraryId, UserId};

/// What a user may do in a library; each level includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// May see the library's events.
    Read,
    /// May change the library's content.
    Write,
    /// May administer the library: also sees its status and backups.
    Admin,
}

/// The rule of an event's type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Every authenticated client.
    Everyone,
    /// Server admins.
    Admins,
    /// Whoever has at least this level in the library; server admins always.
    Library(LibraryId, Level),
    /// That user only; admins are no exception.
    User(UserId),
    /// That user, and server admins.
    UserOrAdmins(UserId),
    /// Tokens that may publish for the library, or for everything when there is none.
    Publishers(Option<LibraryId>),
}

/// One part of a publisher's narrowing; several mean "any of them".
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Who {
    /// Every authenticated client.
    All,
    /// Server admins.
    Admin,
    /// Readers of the library.
    Library(LibraryId),
    /// Admins of the library.
    LibraryAdmin(LibraryId),
    /// One user.
    User(UserId),
    /// One connection.
    Session(ConnectionId),
}

/// Who may see one event: the rule, narrowed by what the publisher asked for (empty: not narrowed).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Audience {
    /// The rule of the event's type.
    pub rule: Rule,
    /// Any of these must hold as well; empty means no narrowing.
    pub only: Vec<Who>,
}

impl From<Rule> for Audience {
    fn from(rule: Rule) -> Self {
        Self { rule, only: Vec::new() }
    }
}

/// Why an `audience` text is refused: the number of the first part that is not allowed. Its text is not repeated, because
/// what is pasted into the wrong place may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "part {0} is not an audience: allowed are all, admin, library:ID, library-admin:ID, user:ID, session:ID, separated by commas, at most 32"
)]
pub struct AudienceError(usize);

/// Every group an event may concern looks at every part.
const MAX_PARTS: usize = 32;

impl Who {
    /// Parses a publisher's `audience` text: parts separated by commas.
    ///
    /// # Errors
    /// [`AudienceError`] tells which part is not an audience, or is one too many.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, AudienceError> {
        let mut parts = Vec::new();
        for (number, part) in (1..).zip(text.split(',').map(str::trim)) {
            let who = Self::parse(part).ok_or(AudienceError(number))?;
            if parts.contains(&who) {
                continue;
            }
            if parts.len() == MAX_PARTS {
                return Err(AudienceError(number));
            }
            parts.push(who);
        }
        Ok(parts)
    }

    fn parse(part: &str) -> Option<Self> {
        match part.split_once(':') {
            None if part == "all" => Some(Self::All),
            None if part == "admin" => Some(Self::Admin),
            Some(("library", id)) => LibraryId::parse(id).map(Self::Library).ok(),
            Some(("library-admin", id)) => LibraryId::parse(id).map(Self::LibraryAdmin).ok(),
            Some(("user", id)) => UserId::parse(id).map(Self::User).ok(),
            Some(("session", id)) => id.parse().map(Self::Session).ok(),
            _ => None,
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Admin => f.write_str("admin"),
            Self::Library(id) => write!(f, "library:{id}"),
            Self::LibraryAdmin(id) => write!(f, "library-admin:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Session(id) => write!(f, "session:{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_text_is_parsed_part_by_part_and_a_bad_part_is_named() {
        let parts = Who::parse_list("library:lib1, user:bob,admin").expect("valid");
        assert_eq!(parts.iter().map(ToString::to_string).collect::<Vec<_>>(), ["library:lib1", "user:bob", "admin"]);
        let error = Who::parse_list("all,group:x").expect_err("group is no audience");
        assert!(error.to_string().starts_with("part 2 is not an audience"), "{error}");
    }
}
