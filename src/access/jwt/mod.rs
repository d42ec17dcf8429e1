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

use std::{path::PathBuf, sync::Arc};

use parking_lot::RwLock;

use super::{Denied, credential::Grant};
use crate::{clock::Timestamp, config::Jwt};
use claims::{Accepts, header};
pub use load::KeyError;

pub(super) use keys::Fingerprint;
use keys::KeySet;

/// What a good token says.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) grant: Grant,
    /// The key that has signed it.
    pub(super) key: Fingerprint,
    pub(super) issued: Option<Timestamp>,
    pub(super) expires: Timestamp,
}

/// Checks signed tokens.
#[derive(Debug)]
pub(super) struct Verifier {
    /// The key set's file, in a version that is surely not newer than the keys.
    jwks_file: Option<(PathBuf, Option<load::Version>)>,
    keys: Arc<RwLock<Arc<KeySet>>>,
    accepts: Accepts,
}

/// Whether a token has the form of a signed one: three parts, of which the first is the beginning of a JSON object.
pub(super) fn looks_signed(token: &str) -> bool {
    token.starts_with("eyJ") && token.bytes().filter(|byte| *byte == b'.').count() == 2
}

impl Verifier {
    /// Reads the keys.
    pub(super) fn open(settings: &Jwt) -> Result<Self, KeyError> {
        let jwks_file = settings.jwks_file.clone().map(|path| {
            let seen = load::version(&path);
            (path, seen)
        });
        let keys = Arc::new(RwLock::new(Arc::new(load::keys(settings)?)));
        Ok(Self { jwks_file, keys, accepts: Accepts::new(settings) })
    }

    /// Looks at a key set's file every second, away from whoever authenticates. After it was read again, `reloaded` is told
    /// which keys count from now on.
    pub(super) fn watch(&self, reloaded: impl Fn(&KeySet) + Send + 'static) -> Result<(), KeyError> {
        self.jwks_file.clone().map_or(Ok(()), |(path, seen)| load::watch(path, seen, &self.keys, reloaded))
    }

    /// Whether tokens of that key still count.
    pub(super) fn trusts(&self, key: Fingerprint) -> bool {
        self.keys.read().holds(key)
    }

    /// What a token grants, if a known key has signed it and every claim is in order.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Result<Verified, Denied> {
        let (message, signature) = token.rsplit_once('.').ok_or(Denied::Unknown)?;
        let (head, payload) = message.split_once('.').ok_or(Denied::Unknown)?;
        let header = header(head).ok_or(Denied::Unknown)?;
        let signature = claims::decode(signature).ok_or(Denied::Unknown)?;
        let keys = Arc::clone(&self.keys.read());
        let key = keys.verify(header.algorithm, header.key_id.as_deref(), message.as_bytes(), &signature).ok_or(Denied::Unknown)?;
        self.accepts.claims(payload, key, now)
    }
}
