//! The key that signs what log-ins here are given, kept in `signing-key.json` of the data directory, and the tokens it signs:
//! JWTs by HS256, as Audiobookshelf's clients expect them (wire notes on Audiobookshelf, section 2).
//!
//! They are told from everybody else's by the `kid` of their header, and have no `sub`: so none of `[jwt]`'s keys could ever
//! make one of them count, whoever shares those. Knows no user and no log-in that ended.

use std::{
    path::PathBuf,
    sync::{Arc, LazyLock},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use parking_lot::RwLock;
use ring::{digest, hmac};
use serde::{Deserialize, Serialize};

use super::families::FamilyId;
use crate::{
    access::{
        StoreError, file,
        token::{self, NoRandomness},
    },
    config::Secret,
};

const FILE_NAME: &str = "signing-key.json";
const VERSION: u32 = 1;
/// What the headers of these tokens begin with. Its length is a multiple of three, so its base64 is a beginning, too.
const BEGINNING: &str = r#"{"alg":"HS256","typ":"JWT","kid":"fanfare-issued"#;

static ENCODED_BEGINNING: LazyLock<String> = LazyLock::new(|| URL_SAFE_NO_PAD.encode(BEGINNING));

/// Whether a token is of a log-in here or at another Fanfare. Such a token is nobody else's to judge, nor to see.
pub(in crate::access) fn is_of_a_log_in(token: &str) -> bool {
    token.starts_with(ENCODED_BEGINNING.as_str())
}

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Use {
    /// To come in, for a short time.
    Access,
    /// To come in as long as the log-in counts, for clients that cannot refresh.
    Lasting,
    /// For a new pair.
    Refresh,
}

/// What stands in a token. Times are in seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claims {
    #[serde(rename = "userId")]
    pub(super) user_id: String,
    pub(super) username: String,
    pub(super) sid: FamilyId,
    pub(super) jti: String,
    #[serde(rename = "type")]
    pub(super) good_for: Use,
    pub(super) iat: i64,
    pub(super) exp: i64,
    /// Which refresh token of its family this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) turn: Option<u64>,
}

/// Signs, and checks signatures.
#[derive(Debug)]
pub(super) struct Signer {
    directory: Option<PathBuf>,
    /// `None` until the first log-in there ever was: without a key nothing counts.
    key: RwLock<Option<Arc<Key>>>,
}

struct Key {
    /// The header of every token, encoded, with its dot.
    header: String,
    secret: hmac::Key,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Why nothing can be signed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    #[error("the token cannot be written")]
    Unwritable,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    /// 64 hexadecimal digits, which are the key as they stand there.
    key: String,
}

impl Signer {
    /// With the key of this directory, if there is one; `None`: nothing is kept.
    pub(super) fn open(directory: Option<PathBuf>) -> Result<Self, StoreError> {
        let document = directory.as_deref().map(|directory| file::load::<Document>(directory, FILE_NAME)).transpose()?.flatten();
        let key = match (document, &directory) {
            (Some(document), Some(directory)) => {
                let damaged = |reason: &str| StoreError::Damaged { path: directory.join(FILE_NAME), reason: reason.to_owned() };
                if document.version != VERSION {
                    return Err(damaged("it is of another version"));
                }
                let is_whole = document.key.len() == 64 && document.key.bytes().all(|byte| byte.is_ascii_hexdigit());
                if !is_whole {
                    return Err(damaged("the key is not 64 hexadecimal digits"));
                }
                if file::others_may_read(directory, FILE_NAME) {
                    return Err(damaged("others than its owner may read it: whoever has, can make tokens"));
                }
                Some(Arc::new(Key::new(&document.key)))
            }
            _ => None,
        };
        Ok(Self { directory, key: RwLock::new(key) })
    }

    /// A token that says so. Makes the key, and keeps it, if there is none yet: then it blocks.
    pub(super) fn sign(&self, claims: &Claims) -> Result<Secret, SignError> {
        let key = self.key_or_new()?;
        let payload = serde_json::to_vec(claims).map_err(|_| SignError::Unwritable)?;
        let mut token = format!("{}{}", key.header, URL_SAFE_NO_PAD.encode(payload));
        let signature = hmac::sign(&key.secret, token.as_bytes());
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(Secret::new(token))
    }

    /// What a token says that was signed here, whether or not it has ended.
    pub(super) fn read(&self, token: &str) -> Option<Claims> {
        let key = self.key.read().clone()?;
        let (message, signature) = token.rsplit_once('.')?;
        let payload = message.strip_prefix(key.header.as_str())?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        hmac::verify(&key.secret, message.as_bytes(), &signature).ok()?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }

    fn key_or_new(&self) -> Result<Arc<Key>, SignError> {
        if let Some(key) = self.key.read().clone() {
            return Ok(key);
        }
        let mut place = self.key.write();
        if let Some(key) = place.clone() {
            return Ok(key); // another log-in was quicker
        }
        let text = token::generate()?;
        if let Some(directory) = &self.directory {
            let document = Document { version: VERSION, key: text.expose().to_owned() };
            let in_file = |source| StoreError::Io { path: directory.join(FILE_NAME), action: "written", source };
            file::replace(directory, FILE_NAME, &document).map_err(in_file)?;
        }
        let key = Arc::new(Key::new(text.expose()));
        *place = Some(Arc::clone(&key));
        Ok(key)
    }
}

impl Key {
    fn new(text: &str) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"the name of a signing key: ");
        context.update(text.as_bytes());
        let name: String = context.finish().as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let header = format!("{}.", URL_SAFE_NO_PAD.encode(format!("{BEGINNING}-{name}\"}}")));
        Self { header, secret: hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn claims(good_for: Use) -> Claims {
        Claims {
            user_id: "u".to_owned(),
            username: "bob".to_owned(),
            sid: FamilyId::new().expect("random"),
            jti: "j".to_owned(),
            good_for,
            iat: 1,
            exp: 2,
            turn: None,
        }
    }

    #[test]
    fn what_is_signed_is_a_jwt_of_three_parts_that_reads_back_and_that_others_can_be_told_from() {
        let signer = Signer::open(None).expect("opens");
        let said = claims(Use::Access);
        let token = signer.sign(&said).expect("signed");
        assert_eq!(signer.read(token.expose()), Some(said));
        assert!(is_of_a_log_in(token.expose()) && crate::access::jwt::looks_signed(token.expose()));
        let [header, payload, _] = token.expose().split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
        let decoded =
            |part: &str| -> serde_json::Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON") };
        assert_eq!((&decoded(header)["alg"], &decoded(header)["typ"]), (&"HS256".into(), &"JWT".into()));
        assert_eq!((&decoded(payload)["type"], decoded(payload).get("sub")), (&"access".into(), None));
        let other = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT","kid":"fanfare"}"#);
        assert!(!is_of_a_log_in(&format!("{other}.e30.AA")));
    }

    #[test]
    fn nothing_that_was_changed_or_that_another_key_has_signed_is_read() {
        let (signer, other) = (Signer::open(None).expect("opens"), Signer::open(None).expect("opens"));
        let token = signer.sign(&claims(Use::Access)).expect("signed");
        assert_eq!(other.read(token.expose()), None, "it has no key yet");
        other.sign(&claims(Use::Access)).expect("it has one now");
        assert_eq!(other.read(token.expose()), None);
        assert!(is_of_a_log_in(token.expose()), "but it is known for what it is");
        let refresh = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims(Use::Refresh)).expect("JSON"));
        let parts: Vec<&str> = token.expose().split('.').collect();
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        for bad in [
            format!("{}.{refresh}.{}", parts[0], parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}", parts[0], parts[1]),
            format!("{none}.{}.", parts[1]),
            format!("{none}.{}.{}", parts[1], parts[2]),
            format!("{}=", token.expose()),
            format!(" {}", token.expose()),
        ] {
            assert_eq!(signer.read(&bad), None, "{bad}");
        }
    }

    #[test]
    fn the_key_survives_is_its_owners_alone_and_is_made_only_when_it_is_needed() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || Signer::open(Some(folder.path().to_owned()));
        let path = folder.path().join(FILE_NAME);
        let signer = open().expect("opens");
        assert!(!path.exists());
        let token = signer.sign(&claims(Use::Refresh)).expect("signed");
        assert!(open().expect("opens").read(token.expose()).is_some());
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("ours");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        mode(0o640);
        let refused = open().expect_err("readable by others").to_string();
        assert!(refused.contains("others than its owner may read it"), "{refused}");
        mode(0o600);
        for damaged in ["{", r#"{"version":1,"key":"abc"}"#, r#"{"version":2,"key":"abc"}"#] {
            std::fs::write(&path, damaged).expect("written");
            let refused = open().expect_err("damaged").to_string();
            assert!(refused.contains("is damaged") && !refused.contains("abc"), "{refused}");
        }
    }
}
