//! Signed tokens (JWS in compact form, RFC 7515 and 7519): whether one counts, and what it grants.
//!
//! By the rules of RFC 8725: a key is good for one algorithm, the token never brings its own key, and a claim that is not
//! as it must be rejects the whole token. Knows no user: who a subject is, the directory knows.

mod claims;
mod der;
mod jwks;
#[cfg(test)]
mod key_tests;
mod keys;
mod load;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use parking_lot::RwLock;

use super::{Denied, credential::Grant};
use crate::{clock::Timestamp, config::Jwt};
use claims::{Accepts, header};
pub use load::KeyError;

use keys::KeySet;

/// What a good token says.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) grant: Grant,
    pub(super) issued: Option<Timestamp>,
    pub(super) expires: Timestamp,
}

/// Checks signed tokens.
#[derive(Debug)]
pub(super) struct Verifier {
    keys: Arc<RwLock<Arc<KeySet>>>,
    accepts: Accepts,
}

/// Whether a token has the form of a signed one: three parts, of which the first is the beginning of a JSON object.
pub(super) fn looks_signed(token: &str) -> bool {
    token.starts_with("eyJ") && token.bytes().filter(|byte| *byte == b'.').count() == 2
}

impl Verifier {
    /// Reads the keys. A key file is looked at again every second, away from whoever authenticates.
    pub(super) fn open(settings: &Jwt) -> Result<Self, KeyError> {
        let seen = settings.jwks_file.as_deref().and_then(load::version);
        let keys = Arc::new(RwLock::new(Arc::new(load::keys(settings)?)));
        if let Some(path) = &settings.jwks_file {
            load::watch(path.clone(), seen, &keys)?;
        }
        Ok(Self { keys, accepts: Accepts::new(settings) })
    }

    /// What a token grants, if a known key has signed it and every claim is in order.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Result<Verified, Denied> {
        let (message, signature) = token.rsplit_once('.').ok_or(Denied::Unknown)?;
        let (head, payload) = message.split_once('.').ok_or(Denied::Unknown)?;
        let header = header(head).ok_or(Denied::Unknown)?;
        let signature = claims::decode(signature).ok_or(Denied::Unknown)?;
        let keys = Arc::clone(&self.keys.read());
        if !keys.verify(header.algorithm, header.key_id.as_deref(), message.as_bytes(), &signature) {
            return Err(Denied::Unknown);
        }
        self.accepts.claims(payload, now)
    }
}
