//! Names of sessions: whoever knows one may speak for its client, so they cannot be guessed.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// Random bytes of a name.
const BYTES: usize = 15;
/// Characters of a name: the random bytes in base64.
const LENGTH: usize = 20;

/// The name of a session: 120 bits from the system, as 20 characters that need no escape in a query.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sid([u8; LENGTH]);

impl Sid {
    /// A new one; `None`: the system gives no random bytes, and there is no safe name.
    #[must_use]
    pub fn generate() -> Option<Self> {
        let mut random = [0; BYTES];
        getrandom::fill(&mut random).ok()?;
        let mut text = [0; LENGTH];
        URL_SAFE_NO_PAD.encode_slice(random, &mut text).ok()?;
        Some(Self(text))
    }

    /// The name a client shows; `None`: it cannot be one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_ours = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        <[u8; LENGTH]>::try_from(text.as_bytes()).ok().filter(|bytes| bytes.iter().all(is_ours)).map(Self)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default() // it is made of ASCII only
    }
}

/// It is as good as a token: it is not shown.
impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sid(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_again_by_its_text_and_no_two_are_alike() {
        let (one, two) = (Sid::generate().expect("random"), Sid::generate().expect("random"));
        assert_ne!(one, two);
        assert_eq!(one.as_str().len(), 20);
        assert_eq!(Sid::parse(one.as_str()), Some(one));
        for wrong in ["", "short", "aaaaaaaaaaaaaaaaaaa=", "aaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaa%20"] {
            assert_eq!(Sid::parse(wrong), None, "{wrong}");
        }
        assert!(!format!("{one:?}").contains(one.as_str()));
    }
}
