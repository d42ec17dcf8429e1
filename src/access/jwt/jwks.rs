//! JSON Web Key Sets (RFC 7517): the keys of one that we can use.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

use super::keys::{Key, KeySet};
use crate::{
    access::strict::Strict,
    config::{JwtAlgorithm, MAX_JWT_KEYS},
};

#[derive(Deserialize)]
struct Document {
    keys: Vec<Entry>,
}

/// One key. What else it says is for others.
#[derive(Deserialize)]
struct Entry {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    k: Option<String>,
}

/// What a file holds.
pub(super) struct Jwks {
    pub(super) keys: KeySet,
    /// Keys that are not for us: for encryption, or for an algorithm that is not accepted.
    pub(super) n_skipped: usize,
    /// Whether one of the keys is a secret.
    pub(super) holds_secrets: bool,
}

/// Reads a set; the error names the key and holds nothing of it.
pub(super) fn parse(bytes: &[u8]) -> Result<Jwks, String> {
    let Strict(json) =
        serde_json::from_slice(bytes).map_err(|error| format!("is no JSON (line {}, column {})", error.line(), error.column()))?;
    // serde's own words may quote a value.
    let document: Document =
        serde_json::from_value(json).map_err(|_| "is no key set: {\"keys\": [{\"kty\": …}]} is expected".to_owned())?;
    let mut jwks = Jwks { keys: KeySet::default(), n_skipped: 0, holds_secrets: false };
    for (index, entry) in document.keys.into_iter().enumerate() {
        jwks.holds_secrets |= entry.kty == "oct";
        let Some(algorithm) = entry.algorithm() else {
            jwks.n_skipped += 1;
            continue;
        };
        let key = entry.key(algorithm).map_err(|reason| format!("keys[{index}] {reason}"))?;
        if key.id().is_some() && jwks.keys.0.iter().any(|other| other.id() == key.id()) {
            return Err(format!("keys[{index}] has the kid of another key"));
        }
        jwks.keys.0.push(key);
    }
    match jwks.keys.0.len() {
        0 => Err("holds no key for HS256, RS256, ES256 or EdDSA".to_owned()),
        n if n > MAX_JWT_KEYS => Err(format!("holds more than {MAX_JWT_KEYS} keys")),
        _ => Ok(jwks),
    }
}

impl Entry {
    /// The one algorithm the key's type allows, if the key is meant for signatures of that algorithm.
    fn algorithm(&self) -> Option<JwtAlgorithm> {
        let algorithm = match (self.kty.as_str(), self.crv.as_deref()) {
            ("oct", _) => JwtAlgorithm::Hs256,
            ("RSA", _) => JwtAlgorithm::Rs256,
            ("EC", Some("P-256")) => JwtAlgorithm::Es256,
            ("OKP", Some("Ed25519")) => JwtAlgorithm::EdDsa,
            _ => return None,
        };
        let is_meant = self.used_for.as_deref().is_none_or(|used_for| used_for == "sig")
            && self.alg.as_deref().is_none_or(|name| name == algorithm.name() || (name == "Ed25519" && algorithm == JwtAlgorithm::EdDsa));
        is_meant.then_some(algorithm)
    }

    fn key(self, algorithm: JwtAlgorithm) -> Result<Key, String> {
        match algorithm {
            JwtAlgorithm::Hs256 => Key::hmac(self.kid, &number(self.k, "k")?),
            JwtAlgorithm::Rs256 => Key::rsa(self.kid, &number(self.n, "n")?, &number(self.e, "e")?),
            JwtAlgorithm::Es256 => {
                let (x, y) = (number(self.x, "x")?, number(self.y, "y")?);
                if x.len() != 32 || y.len() != 32 {
                    return Err("must have `x` and `y` of 32 bytes".to_owned());
                }
                Key::p256(self.kid, [&[4], x.as_slice(), y.as_slice()].concat())
            }
            JwtAlgorithm::EdDsa => Key::ed25519(self.kid, number(self.x, "x")?),
        }
    }
}

fn number(text: Option<String>, name: &str) -> Result<Vec<u8>, String> {
    let text = text.ok_or_else(|| format!("has no `{name}`"))?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("has a `{name}` that is not base64url"))
}
