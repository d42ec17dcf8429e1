//! `[jwt]`: whose signed tokens are believed.
//!
//! Says where keys are; reading and judging them is `access`'s part.

use std::{fmt, path::PathBuf, time::Duration};

use serde::{Deserialize, Deserializer, de};

use super::{error::Invalid, range::between, secret::Secret, units};

/// The fewest bytes an HMAC secret must have: as many as SHA-256 gives (RFC 7518, section 3.2).
pub const MIN_HMAC_BYTES: usize = 32;
/// The most keys there may be: a token that names none is tried with all of its algorithm.
pub const MAX_JWT_KEYS: usize = 16;
/// The most leeway.
const MAX_LEEWAY: Duration = Duration::from_secs(60);

/// `[jwt]`: whose signed tokens are believed. Without keys none is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jwt {
    /// The keys tokens may be signed with, at most 16. Default none.
    pub keys: Vec<JwtKey>,
    /// A file with a JSON Web Key Set, read again when it changes; instead of `keys`. Default none.
    pub jwks_file: Option<PathBuf>,
    /// Who may have issued a token, as text or an array: its `iss` must be one of them. Default: whoever has a key.
    #[serde(deserialize_with = "one_or_more")]
    pub issuer: Vec<String>,
    /// Whom a token must be for, as text or an array: its `aud` must name one of them. Default none: then a token that
    /// names somebody is for somebody else, and refused.
    #[serde(deserialize_with = "one_or_more")]
    pub audience: Vec<String>,
    /// How much later a token ends, and how much earlier it begins, than it says. Default `0s`, at most `60s`.
    #[serde(deserialize_with = "units::duration")]
    pub leeway: Duration,
}

/// One of `jwt.keys`. It is good for its own algorithm only.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtKey {
    /// The name a token may pick it by (`kid`). Default none: it is tried whatever a token says.
    pub id: Option<String>,
    /// Required.
    pub algorithm: JwtAlgorithm,
    /// For HS256: the secret itself, at least 32 bytes.
    pub secret: Option<Secret>,
    /// For HS256: a file with the secret, which only its owner may read; a line break at its end does not count.
    pub secret_file: Option<PathBuf>,
    /// For all others: a PEM file with the public key, which only its owner may write.
    pub public_key_file: Option<PathBuf>,
}

/// How a token may be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// RSA PKCS #1 v1.5 with SHA-256, 2048 bits at least.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl JwtAlgorithm {
    const ALL: [Self; 4] = [Self::Hs256, Self::Rs256, Self::Es256, Self::EdDsa];

    /// The name in a token's `alg`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of that name; RFC 7515: names are case-sensitive.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

impl<'de> Deserialize<'de> for JwtAlgorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| de::Error::custom("must be \"HS256\", \"RS256\", \"ES256\" or \"EdDSA\""))
    }
}

impl Jwt {
    /// Whether any token is believed.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.keys.is_empty() || self.jwks_file.is_some()
    }

    pub(super) fn check(&self) -> Result<(), Invalid> {
        between("jwt.leeway", self.leeway, Duration::ZERO, MAX_LEEWAY)?;
        if self.jwks_file.is_some() && !self.keys.is_empty() {
            return Err(Invalid::new("jwt.jwks_file", "must not be given beside keys: one of them is enough"));
        }
        if !self.is_on() && (!self.issuer.is_empty() || !self.audience.is_empty()) {
            return Err(Invalid::new("jwt.keys", "is missing: keys or jwks_file is needed"));
        }
        if self.keys.len() > MAX_JWT_KEYS {
            return Err(Invalid::new("jwt.keys", format!("must be at most {MAX_JWT_KEYS} keys")));
        }
        for (index, key) in self.keys.iter().enumerate() {
            let name = format!("jwt.keys[{index}]");
            key.check(&name)?;
            let twin = |other: &&JwtKey| key.id.is_some() && other.id == key.id;
            if self.keys[..index].iter().any(|other| twin(&other)) {
                return Err(Invalid::new(format!("{name}.id"), "is already the id of another key"));
            }
        }
        Ok(())
    }
}

impl JwtKey {
    fn check(&self, name: &str) -> Result<(), Invalid> {
        let n_secrets = usize::from(self.secret.is_some()) + usize::from(self.secret_file.is_some());
        if self.algorithm == JwtAlgorithm::Hs256 {
            if self.public_key_file.is_some() {
                return Err(Invalid::new(format!("{name}.public_key_file"), "is not for HS256, which needs secret or secret_file"));
            }
            if n_secrets != 1 {
                return Err(Invalid::new(format!("{name}.secret"), "HS256 needs exactly one of secret and secret_file"));
            }
        } else {
            if n_secrets > 0 {
                let reason = format!("is for HS256 only: {} needs public_key_file", self.algorithm.name());
                return Err(Invalid::new(format!("{name}.secret"), reason));
            }
            if self.public_key_file.is_none() {
                return Err(Invalid::new(format!("{name}.public_key_file"), format!("is missing: {} needs it", self.algorithm.name())));
            }
        }
        if self.secret.as_ref().is_some_and(|secret| secret.expose().len() < MIN_HMAC_BYTES) {
            return Err(Invalid::new(format!("{name}.secret"), format!("must have at least {MIN_HMAC_BYTES} bytes")));
        }
        Ok(())
    }
}

/// A text, or an array of them.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let texts = deserializer.deserialize_any(OneOrMore)?;
    if texts.iter().any(String::is_empty) {
        return Err(de::Error::custom("must not be empty"));
    }
    Ok(texts)
}

struct OneOrMore;

impl<'de> de::Visitor<'de> for OneOrMore {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or an array of texts")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<String>, E> {
        Ok(vec![text.to_owned()])
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut texts: A) -> Result<Vec<String>, A::Error> {
        let mut all = Vec::new();
        while let Some(text) = texts.next_element()? {
            all.push(text);
        }
        if all.is_empty() { Err(de::Error::custom("must name somebody")) } else { Ok(all) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;

    fn refusal(text: &str) -> String {
        Settings::parse(text).expect_err("bad").to_string()
    }

    #[test]
    fn each_bad_key_is_refused_by_its_name_and_without_its_secret() {
        let short = "hunter2-hunter2-hunter2-hunter2"; // 31 bytes
        let hs = |rest: &str| format!("[[jwt.keys]]\nalgorithm = \"HS256\"\n{rest}");
        let table = [
            (hs(&format!("secret = \"{short}\"")), "jwt.keys[0].secret: must have at least 32 bytes"),
            (hs(""), "jwt.keys[0].secret: HS256 needs exactly one of secret and secret_file"),
            (hs("public_key_file = \"/x\""), "jwt.keys[0].public_key_file: is not for HS256, which needs secret or secret_file"),
            (
                format!("[[jwt.keys]]\nalgorithm = \"RS256\"\nsecret = \"{short}\""),
                "jwt.keys[0].secret: is for HS256 only: RS256 needs public_key_file",
            ),
            ("[[jwt.keys]]\nalgorithm = \"ES256\"".to_owned(), "jwt.keys[0].public_key_file: is missing: ES256 needs it"),
            (
                "[[jwt.keys]]\nalgorithm = \"none\"".to_owned(),
                "jwt.keys[0].algorithm: must be \"HS256\", \"RS256\", \"ES256\" or \"EdDSA\"",
            ),
            ("[jwt]\nleeway = \"61s\"\njwks_file = \"/x\"".to_owned(), "jwt.leeway: must be from 0ns to 60s"),
            ("[jwt]\nissuer = \"x\"".to_owned(), "jwt.keys: is missing: keys or jwks_file is needed"),
            ("[jwt]\njwks_file = \"/x\"\naudience = []".to_owned(), "jwt.audience: must name somebody"),
            ("[jwt]\njwks_file = \"/x\"\nissuer = \"\"".to_owned(), "jwt.issuer: must not be empty"),
            ("[jwt]\njwks_file = \"/x\"\nissuer = 1".to_owned(), "jwt.issuer: must be text or an array of texts, not a number"),
        ];
        for (text, expected) in table {
            let line = refusal(&text);
            assert!(line.ends_with(expected), "{text}: {line}");
            assert!(!line.contains("hunter2"), "{line}");
        }
    }

    #[test]
    fn keys_and_names_are_read_in_every_form() {
        let secret = "0123456789abcdef0123456789abcdef";
        let text = format!(
            "[jwt]\nissuer = \"a\"\naudience = [\"b\", \"c\"]\nkeys = [{{ id = \"k\", algorithm = \"HS256\", secret = \"{secret}\" }}]"
        );
        let jwt = Settings::parse(&text).expect("valid").jwt;
        assert_eq!((jwt.issuer, jwt.audience), (vec!["a".to_owned()], vec!["b".to_owned(), "c".to_owned()]));
        assert_eq!((jwt.keys.len(), jwt.leeway.as_secs()), (1, 0));
        assert!(!Settings::parse("").expect("valid").jwt.is_on());
    }
}
