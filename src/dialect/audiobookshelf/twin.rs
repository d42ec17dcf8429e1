//! Which CONNECT is RedSeat's: one that carries credentials (event map, section 5).

use crate::access::Asked;

/// Who is asked about its clients' tokens: whoever is asked about those of its other streams.
pub(super) const ASKS: Asked = Asked::Callback;

/// What a CONNECT shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// No credentials.
    Nothing,
    /// A token, under one of its three names.
    Token(String),
    /// Something under such a name that is no token.
    NoToken,
}

impl Shown {
    /// Reads the text of a CONNECT's object.
    pub(super) fn read(payload: &str) -> Self {
        let Ok(payload) = serde_json::from_str::<serde_json::Value>(payload) else { return Self::Nothing };
        let shown: Vec<_> = ["token", "sharetoken", "key"].iter().filter_map(|name| payload.get(name)).collect();
        match shown.iter().find_map(|value| value.as_str()) {
            Some(token) => Self::Token(token.to_owned()),
            None if shown.is_empty() => Self::Nothing,
            None => Self::NoToken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connect_with_credentials_is_redseats_and_any_other_is_not() {
        let token = |token: &str| Shown::Token(token.to_owned());
        for (payload, expected) in [
            ("{}", Shown::Nothing),
            (r#"{"other":1}"#, Shown::Nothing),
            (r#"{"token":"t"}"#, token("t")),
            (r#"{"sharetoken":"s"}"#, token("s")),
            (r#"{"key":"k"}"#, token("k")),
            (r#"{"token":null,"key":"k"}"#, token("k")),
            (r#"{"token":7}"#, Shown::NoToken),
            (r#"{"token":null}"#, Shown::NoToken),
        ] {
            assert_eq!(Shown::read(payload), expected, "{payload}");
        }
    }
}
