//! A real Audiobookshelf that is asked about its own clients' tokens, as a client of it: `POST /api/authorize` with the token
//! (wire notes on Audiobookshelf, section 8).
//!
//! It tells whose the token is and what its owner may (section 4). Its tokens are JWTs that say nothing of a subject, so that
//! they are told from those of `[jwt]`; what ended there is never shown to it.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    known::Known,
    question::{Said, agent, plain},
};
use crate::{
    access::{credential::Grant, principal::Principal},
    clock::Timestamp,
    config::{LibraryRights, Settings},
    event::{IdForm, Level},
};

/// The longest answer read; it lists a user's progress in every book.
const MAX_ANSWER_BYTES: u64 = 16 * 1024 * 1024;

/// An Audiobookshelf.
pub(super) struct AudiobookshelfServer {
    agent: ureq::Agent,
    address: String,
    known: Known,
}

impl fmt::Debug for AudiobookshelfServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AudiobookshelfServer(…)")
    }
}

#[derive(Deserialize)]
struct Authorised {
    user: Account,
}

/// A user as the server has him; what it says beside this is not needed. What is absent is not granted.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    id: String,
    #[serde(default)]
    username: String,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    is_active: bool,
    permissions: Permissions,
    #[serde(default)]
    libraries_accessible: Vec<String>,
    #[serde(default)]
    item_tags_selected: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Permissions {
    access_all_libraries: bool,
    access_all_tags: bool,
    access_explicit_content: bool,
    /// The tags are those that are not shown.
    selected_tags_not_accessible: bool,
}

impl AudiobookshelfServer {
    /// The server of these settings, if one is to be asked.
    pub(super) fn new(settings: &Settings) -> Option<Self> {
        let address = settings.dialects.audiobookshelf.asked()?.trim_end_matches('/').to_owned();
        Some(Self { agent: agent(&settings.auth), address, known: Known::new(settings, "audiobookshelf", IdForm::Uuid) })
    }

    /// Whether a token may be one that such a server has made: a JWT without subject and rights, of which `[jwt]` could make
    /// nothing.
    pub(super) fn has_made(token: &str) -> bool {
        claims(token).is_some_and(|claims| !["sub", "iss", "aud", "fanfare"].iter().any(|name| claims.contains_key(*name)))
    }

    /// Shows the token and waits for the answer, at most `auth.timeout`.
    pub(super) fn ask(&self, token: &str) -> Said {
        let claims = claims(token).filter(|_| token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)));
        // The real server takes its refresh tokens for good over HTTP, though it does not on its socket.
        let Some(claims) = claims.filter(|claims| claims.get("type").is_none_or(|kind| kind != "refresh")) else {
            return Said::Refused;
        };
        let request = self.agent.post(format!("{}/api/authorize", self.address)).header("accept", "application/json");
        let mut answer = match request.header("authorization", format!("Bearer {token}")).send_empty() {
            Ok(answer) => answer,
            Err(error) => return Said::Unavailable(plain(&error).to_owned()),
        };
        match answer.status().as_u16() {
            200 => match answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec() {
                Ok(bytes) => self.read(&bytes, expires(&claims)),
                Err(error) => Said::Unavailable(plain(&error).to_owned()),
            },
            401 | 403 => Said::Refused,
            status => Said::Unavailable(format!("it answers {status} at /api/authorize")),
        }
    }

    fn read(&self, bytes: &[u8], expires: Option<Timestamp>) -> Said {
        let Ok(Authorised { user: account }) = serde_json::from_slice::<Authorised>(bytes) else {
            return Said::Unavailable("its answer at /api/authorize is none of an Audiobookshelf".to_owned());
        };
        if !account.is_active {
            return Said::Refused;
        }
        let Some(user) = self.known.user(&account.id, &account.username) else {
            return Said::Unavailable("its answer at /api/authorize names nobody".to_owned());
        };
        let libraries = if account.permissions.access_all_libraries {
            LibraryRights::Every(Level::Read)
        } else {
            let seen = self.known.libraries(&account.libraries_accessible);
            LibraryRights::Named(seen.map(|library| (library.clone(), Level::Read)).collect())
        };
        let own = Principal {
            member: true,
            admin: matches!(account.kind.as_str(), "root" | "admin"),
            libraries,
            explicit: Some(account.permissions.access_explicit_content),
            tags: tags(&account),
            ..Principal::default()
        };
        Said::Granted(Box::new(Grant { user: Some(user), name: Some(account.username.into()), own, alone: true }), expires)
    }
}

/// The tags one of which an item must have. A right that keeps items of certain tags away is none we have: such a user is shown
/// no item rather than too many.
fn tags(account: &Account) -> Option<Vec<String>> {
    let permissions = &account.permissions;
    match (permissions.access_all_tags, permissions.selected_tags_not_accessible) {
        (true, _) => None,
        (false, false) => Some(account.item_tags_selected.clone()),
        (false, true) => Some(Vec::new()),
    }
}

/// What a token says of itself. Nothing of it is believed but what narrows.
fn claims(token: &str) -> Option<Map<String, Value>> {
    let mut parts = token.split('.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// When a token ends, if it does.
fn expires(claims: &Map<String, Value>) -> Option<Timestamp> {
    let seconds = claims.get("exp")?.as_i64()?;
    Some(Timestamp(seconds.saturating_mul(1000)))
}
