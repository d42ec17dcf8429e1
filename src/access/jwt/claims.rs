//! What stands in a signed token: its header, and its claims checked one by one.
//!
//! Strict: a key given twice, a claim of another type or padding that does not belong there rejects the token whole.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{Fingerprint, Verified};
use crate::{
    access::{Denied, credential::Grant, granted::Granted, strict::Strict},
    clock::Timestamp,
    config::{Jwt, JwtAlgorithm},
    id::UserId,
};

/// The end of the year 9999: nothing said about a time beyond it is meant.
const LAST_SECOND: u64 = 253_402_300_799;
/// The longest name of a key a token may give.
const MAX_KEY_ID: usize = 256;
/// The types of token that are meant for this use (RFC 8725, section 3.11); others, such as a logout token, are not.
const TYPES: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];

/// What a token says about its signature. Keys and addresses of keys it may bring along are not even read.
pub(super) struct Header {
    pub(super) algorithm: JwtAlgorithm,
    pub(super) key_id: Option<String>,
}

/// Base64url without padding, and without bits that say nothing.
pub(super) fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

/// Reads a header; `None` when it is none, or asks for what is not known here.
pub(super) fn header(part: &str) -> Option<Header> {
    let fields = object(part)?;
    // Extensions the token declares critical are none we know; RFC 7515, section 4.1.11, then refuses it.
    if fields.contains_key("crit") {
        return None;
    }
    if let Some(kind) = fields.get("typ") {
        let kind = kind.as_str()?;
        TYPES.iter().any(|known| kind.eq_ignore_ascii_case(known)).then_some(())?;
    }
    let key_id = text(&fields, "kid")?;
    if key_id.as_ref().is_some_and(|id| id.len() > MAX_KEY_ID) {
        return None;
    }
    Some(Header { algorithm: JwtAlgorithm::from_name(fields.get("alg")?.as_str()?)?, key_id })
}

/// Which claims are accepted.
#[derive(Debug)]
pub(super) struct Accepts {
    issuer: Vec<String>,
    audience: Vec<String>,
    leeway_ms: i64,
}

impl Accepts {
    pub(super) fn new(settings: &Jwt) -> Self {
        let leeway_ms = i64::try_from(settings.leeway.as_millis()).unwrap_or_default();
        Self { issuer: settings.issuer.clone(), audience: settings.audience.clone(), leeway_ms }
    }

    /// Checks the claims of a token whose signature is good.
    pub(super) fn claims(&self, payload: &str, key: Fingerprint, now: Timestamp) -> Result<Verified, Denied> {
        let verified = object(payload).and_then(|claims| self.read(&claims, key, now)).ok_or(Denied::Unknown)?;
        if verified.expires <= now { Err(Denied::Expired) } else { Ok(verified) }
    }

    fn read(&self, claims: &Map<String, Value>, key: Fingerprint, now: Timestamp) -> Option<Verified> {
        let expires = Timestamp(time(claims, "exp")??.0 + self.leeway_ms);
        let issued = time(claims, "iat")?;
        let begins = time(claims, "nbf")?;
        if begins.is_some_and(|begins| begins.0 - self.leeway_ms > now.0) {
            return None;
        }
        let issuer = text(claims, "iss")?;
        if !self.issuer.is_empty() && !self.issuer.contains(&issuer?) {
            return None;
        }
        self.is_for_us(claims.get("aud"))?;
        text(claims, "jti")?;
        let user = text(claims, "sub")?.map(|subject| UserId::parse(&subject)).transpose().ok()?;
        let rights = match claims.get("fanfare") {
            Some(claim) => Some(rights(claim)?),
            None => None,
        };
        let alone = rights.is_some();
        // Nobody, and no rights: such a token says nothing.
        (alone || user.is_some()).then_some(())?;
        let own = rights.map(Granted::into_principal).unwrap_or_default();
        Some(Verified { grant: Grant { user, name: None, own, alone }, key, issued, expires })
    }

    /// A text or an array of texts, of which one is ours. A token that names nobody is for us only if we are nobody.
    fn is_for_us(&self, audience: Option<&Value>) -> Option<()> {
        let named: Vec<&str> = match audience {
            None => return self.audience.is_empty().then_some(()),
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(all)) => all.iter().map(Value::as_str).collect::<Option<_>>()?,
            Some(_) => return None,
        };
        self.audience.iter().any(|own| named.contains(&own.as_str())).then_some(())
    }
}

/// The rights in the claim; serde alone would take an array for them, too.
fn rights(claim: &Value) -> Option<Granted> {
    claim.is_object().then(|| serde_json::from_value(claim.clone()).ok()).flatten()
}

/// A claim that is a text, if it is there; `None` when it is something else.
fn text(fields: &Map<String, Value>, name: &str) -> Option<Option<String>> {
    match fields.get(name) {
        None => Some(None),
        Some(Value::String(text)) => Some(Some(text.clone())),
        Some(_) => None,
    }
}

/// A claim that is a time in whole seconds, if it is there; `None` when it is anything else.
fn time(fields: &Map<String, Value>, name: &str) -> Option<Option<Timestamp>> {
    let Some(value) = fields.get(name) else { return Some(None) };
    let seconds = value.as_u64().filter(|seconds| *seconds <= LAST_SECOND)?;
    Some(Some(Timestamp(i64::try_from(seconds).ok()? * 1000)))
}

/// The JSON object in a part of a token.
fn object(part: &str) -> Option<Map<String, Value>> {
    match serde_json::from_slice(&decode(part)?).ok()? {
        Strict(Value::Object(fields)) => Some(fields),
        Strict(_) => None,
    }
}
