//! The ids that dialects show: a publisher's id is any text, but some clients parse ids and want a certain form (event map,
//! section 2).
//!
//! Pure. What was derived is remembered in `state`, so that an id a client sends back finds its object.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// What a dialect's clients take for an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdForm {
    /// Any text.
    Text,
    /// A decimal number below 2^52, which every client's number type holds (Plex).
    Integer,
    /// 32 lower-case hexadecimal digits (MediaBrowser, Emby, Jellyfin).
    Hex32,
    /// A UUID with its hyphens (Audiobookshelf).
    Uuid,
}

/// An id as one dialect shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownId<'a> {
    /// The text.
    pub text: Cow<'a, str>,
    /// It was derived, and must be remembered to be understood when it comes back.
    pub derived: bool,
}

impl IdForm {
    /// The form of a dialect by its name.
    #[must_use]
    pub fn of(dialect: &str) -> Self {
        match dialect {
            "plex" => Self::Integer,
            "mediabrowser" => Self::Hex32,
            "audiobookshelf" => Self::Uuid,
            _ => Self::Text,
        }
    }

    /// The id to show: the one given for the dialect, else the publisher's, whichever first has the form, else one derived
    /// from the publisher's. A given id without the form is nothing its clients could read.
    #[must_use]
    pub fn show<'a>(self, given: Option<Cow<'a, str>>, id: &'a str) -> ShownId<'a> {
        if let Some(text) = given.filter(|given| self.fits(given)) {
            return ShownId { text, derived: false };
        }
        if self.fits(id) {
            return ShownId { text: Cow::Borrowed(id), derived: false };
        }
        ShownId { text: Cow::Owned(self.derive(id)), derived: true }
    }

    /// Whether an id has the form.
    #[must_use]
    pub fn fits(self, id: &str) -> bool {
        let is_lower_hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
        match self {
            Self::Text => true,
            Self::Integer => id.parse::<u64>().is_ok_and(|number| number < 1 << 52 && number.to_string() == id),
            Self::Hex32 => id.len() == 32 && id.as_bytes().iter().all(is_lower_hex),
            Self::Uuid => {
                let hyphens = [8, 13, 18, 23];
                id.len() == 36
                    && id.bytes().enumerate().all(|(place, byte)| if hyphens.contains(&place) { byte == b'-' } else { is_lower_hex(&byte) })
            }
        }
    }

    /// What has this form, in words that follow "must be".
    #[must_use]
    pub const fn described(self) -> &'static str {
        match self {
            Self::Text => "a text that is not empty",
            Self::Integer => "a decimal number below 2^52",
            Self::Hex32 => "32 lower-case hexadecimal digits",
            Self::Uuid => "a UUID in lower case",
        }
    }

    /// An id of the form, from the SHA-256 of the publisher's: the same on every run and every node.
    #[must_use]
    pub fn derive(self, id: &str) -> String {
        let digest = Sha256::digest(id.as_bytes());
        let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        match self {
            Self::Text => id.to_owned(),
            Self::Integer => {
                let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
                (number & ((1 << 52) - 1)).to_string()
            }
            Self::Hex32 => hex,
            Self::Uuid => format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DERIVING: [IdForm; 3] = [IdForm::Integer, IdForm::Hex32, IdForm::Uuid];

    #[test]
    fn a_derived_id_has_its_form_and_is_always_the_same() {
        for form in DERIVING {
            let shown = form.show(None, "film:the-third-man");
            assert!(shown.derived && form.fits(&shown.text), "{form:?}: {}", shown.text);
            assert_eq!(shown, form.show(None, "film:the-third-man"));
            assert_ne!(shown.text, form.show(None, "film:the-third-men").text);
        }
        // Fixed for ever: clients keep these ids.
        let begins = Sha256::digest(b"m1").iter().take(4).map(|byte| format!("{byte:02x}")).collect::<String>();
        assert!(IdForm::Hex32.derive("m1").starts_with(&begins));
        assert!(IdForm::Uuid.derive("m1").starts_with(&begins));
    }

    #[test]
    fn an_id_that_fits_is_shown_as_it_is_and_a_given_one_before_it() {
        assert_eq!(IdForm::Integer.show(None, "4503599627370495").text, "4503599627370495");
        assert!(IdForm::Integer.show(None, "4503599627370496").derived, "2^52 is too large");
        assert!(IdForm::Integer.show(None, "007").derived, "clients would show it as 7");
        assert!(!IdForm::Text.show(None, "anything at all").derived);
        let given = IdForm::Integer.show(Some("12".into()), "film");
        assert_eq!((given.text.as_ref(), given.derived), ("12", false));
    }

    #[test]
    fn a_given_id_without_the_form_is_not_shown() {
        for given in ["abc", "007", "-1", "4503599627370496", ""] {
            assert_eq!(IdForm::Integer.show(Some(given.into()), "5").text, "5", "the publisher's fits");
            assert_eq!(IdForm::Integer.show(Some(given.into()), "film"), IdForm::Integer.show(None, "film"), "{given}");
        }
        assert_eq!(IdForm::Text.show(Some("abc".into()), "5").text, "abc");
    }

    #[test]
    fn each_form_refuses_what_is_nearly_it() {
        assert!(!IdForm::Hex32.fits("0123456789ABCDEF0123456789abcdef"));
        assert!(!IdForm::Hex32.fits("0123456789abcdef"));
        assert!(IdForm::Uuid.fits("01234567-89ab-cdef-0123-456789abcdef"));
        assert!(!IdForm::Uuid.fits("0123456789ab-cdef-0123-456789abcdef-"));
    }
}
