//! Tokens: made from the system's randomness, kept as SHA-256, found in constant time.
//!
//! Knows nothing of whose token it is. Nothing here prints one.

use std::collections::HashMap;

use crate::config::Secret;
pub use crate::config::TokenHash;

/// The system could not give random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

/// Makes a token of 256 random bits, as 64 hexadecimal digits.
///
/// # Errors
/// [`NoRandomness`]: then there is no safe token, and the caller must do without.
pub fn generate() -> Result<Secret, NoRandomness> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    Ok(Secret::new(digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()))
}

/// What belongs to each token, found by the token as a client presents it.
///
/// The map is keyed by the hash, so the time a look-up takes says nothing about the token itself, and what it finds is
/// confirmed in constant time.
#[derive(Debug, Clone)]
pub(super) struct TokenTable<T> {
    entries: HashMap<[u8; 32], (TokenHash, T)>,
}

impl<T> Default for TokenTable<T> {
    fn default() -> Self {
        Self { entries: HashMap::new() }
    }
}

impl<T> TokenTable<T> {
    pub(super) fn insert(&mut self, hash: TokenHash, value: T) {
        self.entries.insert(*hash.as_bytes(), (hash, value));
    }

    pub(super) fn find(&self, token: &str) -> Option<&T> {
        let presented = TokenHash::of(token);
        let (known, value) = self.entries.get(presented.as_bytes())?;
        (*known == presented).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_whole_and_not_by_its_beginning() {
        let mut table = TokenTable::default();
        table.insert(TokenHash::of("secret-one"), 1);
        table.insert(TokenHash::of("secret-two"), 2);
        assert_eq!(table.find("secret-one"), Some(&1));
        assert_eq!(table.find("secret-two"), Some(&2));
        for wrong in ["", "secret", "secret-one ", "SECRET-ONE"] {
            assert_eq!(table.find(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn generated_tokens_are_long_and_differ() {
        let (first, second) = (generate().expect("random"), generate().expect("random"));
        assert_eq!(first.expose().len(), 64);
        assert!(first.expose().bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(first.expose(), second.expose());
    }
}
