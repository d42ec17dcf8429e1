//! Newtypes for the ids that publishers and settings hand us, parsed once at the edge.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize};

/// The longest id we accept, in bytes.
pub const MAX_ID_BYTES: usize = 128;

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty.
    #[error("must not be empty")]
    Empty,
    /// The text is longer than [`MAX_ID_BYTES`].
    #[error("must be at most 128 bytes")]
    TooLong,
    /// The text holds a control character.
    #[error("must not contain control characters")]
    ControlCharacter,
}

fn check(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > MAX_ID_BYTES {
        return Err(IdError::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(IdError::ControlCharacter);
    }
    Ok(())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses an id: 1 to 128 bytes, no control characters.
            ///
            /// # Errors
            /// [`IdError`] says which rule the text breaks.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                check(text)?;
                Ok(Self(text.into()))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

id! {
    /// A library: the unit of permission for media events.
    LibraryId
}
id! {
    /// A user, as the settings, a token or a publisher names him.
    UserId
}

/// One connection, unique for the life of the process: worker, slot and generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    /// The worker whose hub owns the connection.
    pub worker: u16,
    /// The slot in that hub.
    pub slot: u32,
    /// How often connections were opened on that hub before this one.
    pub generation: u32,
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}-{:x}", self.worker, self.slot, self.generation)
    }
}

impl std::str::FromStr for ConnectionId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, '-');
        let mut part = || u32::from_str_radix(parts.next().ok_or(())?, 16).map_err(|_| ());
        let worker = u16::try_from(part()?).map_err(|_| ())?;
        Ok(Self { worker, slot: part()?, generation: part()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_id_is_refused_with_the_rule_it_breaks() {
        assert_eq!(LibraryId::parse(""), Err(IdError::Empty));
        assert_eq!(LibraryId::parse(&"x".repeat(129)), Err(IdError::TooLong));
        assert_eq!(LibraryId::parse("a\nb"), Err(IdError::ControlCharacter));
        assert!(LibraryId::parse(&"x".repeat(128)).is_ok());
    }

    #[test]
    fn a_connection_id_survives_its_text() {
        let id = ConnectionId { worker: 1, slot: 77, generation: 4096 };
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("1-2".parse::<ConnectionId>().is_err());
    }
}
