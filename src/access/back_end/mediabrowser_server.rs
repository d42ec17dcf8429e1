//! A real Emby or Jellyfin server that is asked about its own clients' tokens, as a client of it: `GET /Users/Me` with the
//! token (wire notes on MediaBrowser, section 3.2).
//!
//! It tells whose the token is and, in `Policy`, what its owner may. Nothing of a device is sent along: such a server would
//! take it for the token's own, and rename that.

use std::{collections::HashMap, fmt};

use serde::Deserialize;

use super::question::{Said, agent, plain};
use crate::{
    access::{credential::Grant, principal::Principal},
    config::{LibraryRights, Settings, User},
    event::{IdForm, Level},
    id::{LibraryId, UserId},
};

/// The longest answer read; a policy lists folders, devices and channels.
const MAX_ANSWER_BYTES: u64 = 1024 * 1024;
/// The dialect whose ids these are.
const DIALECT: &str = "mediabrowser";

/// An Emby or Jellyfin server.
pub(super) struct MediaBrowserServer {
    agent: ureq::Agent,
    address: String,
    /// What each of its folders is called here.
    libraries: HashMap<String, Vec<LibraryId>>,
    /// What each of its users is called here, by his id there.
    by_id: HashMap<String, UserId>,
    /// The same by name, in lower case, for those whose id there is not set; `None`: several have the name.
    by_name: HashMap<String, Option<UserId>>,
}

impl fmt::Debug for MediaBrowserServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MediaBrowserServer(…)")
    }
}

/// A user as the server has him; what it says beside this is not needed.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Me {
    id: String,
    #[serde(default)]
    name: String,
    policy: Policy,
}

/// What is absent is not granted.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Policy {
    is_administrator: bool,
    is_disabled: bool,
    enable_all_folders: bool,
    enabled_folders: Vec<String>,
    /// Older servers list what is kept from a user; what these ids and names mean here is not known, so with any of them not
    /// every folder is granted.
    blocked_media_folders: Vec<serde_json::Value>,
}

impl Default for Policy {
    fn default() -> Self {
        // A server that does not say so lets nobody in.
        Self {
            is_administrator: false,
            is_disabled: true,
            enable_all_folders: false,
            enabled_folders: Vec::new(),
            blocked_media_folders: Vec::new(),
        }
    }
}

impl MediaBrowserServer {
    /// The server of these settings, if one is to be asked.
    pub(super) fn new(settings: &Settings) -> Option<Self> {
        let address = settings.dialects.mediabrowser.asked()?.trim_end_matches('/').to_owned();
        let mut libraries: HashMap<String, Vec<LibraryId>> = HashMap::new();
        for library in &settings.libraries {
            let id = shown(library.ids.get(DIALECT), library.id.as_str());
            libraries.entry(id).or_default().push(library.id.clone());
        }
        let (by_id, by_name) = users(&settings.users);
        Some(Self { agent: agent(&settings.auth), address, libraries, by_id, by_name })
    }

    /// Shows the token and waits for the answer, at most `auth.timeout`.
    pub(super) fn ask(&self, token: &str) -> Said {
        // Theirs are hexadecimal. Others might mean something else where the header's values are unescaped, as they do.
        if !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            return Said::Refused;
        }
        let request = self.agent.get(format!("{}/Users/Me", self.address)).header("accept", "application/json");
        let mut answer = match request.header("authorization", format!("MediaBrowser Token=\"{token}\"")).call() {
            Ok(answer) => answer,
            Err(error) => return Said::Unavailable(plain(&error).to_owned()),
        };
        match answer.status().as_u16() {
            200 => match answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec() {
                Ok(bytes) => self.read(&bytes),
                Err(error) => Said::Unavailable(plain(&error).to_owned()),
            },
            // 400 is what a key without a user gets: who it is cannot be told.
            400 | 401 | 403 => Said::Refused,
            status => Said::Unavailable(format!("it answers {status} at /Users/Me")),
        }
    }

    fn read(&self, bytes: &[u8]) -> Said {
        let Ok(Me { id, name, policy }) = serde_json::from_slice::<Me>(bytes) else {
            return Said::Unavailable("its answer at /Users/Me is none of an Emby or Jellyfin server".to_owned());
        };
        if policy.is_disabled {
            return Said::Refused;
        }
        let Some(user) = self.user(&normal(&id), &name) else {
            return Said::Unavailable("its answer at /Users/Me names nobody".to_owned());
        };
        let libraries = if policy.enable_all_folders && policy.blocked_media_folders.is_empty() {
            LibraryRights::Every(Level::Read)
        } else {
            let seen = policy.enabled_folders.iter().filter_map(|folder| self.libraries.get(&normal(folder))).flatten();
            LibraryRights::Named(seen.map(|library| (library.clone(), Level::Read)).collect())
        };
        let own = Principal { member: true, admin: policy.is_administrator, libraries, ..Principal::default() };
        Said::Granted(Box::new(Grant { user: Some(user), own, alone: true }), None)
    }

    /// What a user of the server is called here.
    fn user(&self, id: &str, name: &str) -> Option<UserId> {
        let by_name = || self.by_name.get(&name.to_lowercase()).cloned().flatten();
        self.by_id.get(id).cloned().or_else(by_name).or_else(|| UserId::parse(id).ok())
    }
}

/// The configured users by their ids and by their names there.
fn users(users: &[User]) -> (HashMap<String, UserId>, HashMap<String, Option<UserId>>) {
    let mut by_id = HashMap::new();
    let mut by_name: HashMap<String, Option<UserId>> = HashMap::new();
    for user in users {
        let given = user.ids.get(DIALECT);
        by_id.insert(shown(given, user.id.as_str()), user.id.clone());
        if given.is_none() {
            let mut names = vec![user.name.to_lowercase(), user.id.as_str().to_lowercase()];
            names.dedup();
            for name in names {
                by_name.entry(name).and_modify(|known| *known = None).or_insert_with(|| Some(user.id.clone()));
            }
        }
    }
    (by_id, by_name)
}

/// The id that the dialect shows.
fn shown(given: Option<&String>, id: &str) -> String {
    IdForm::Hex32.show(given.map(|given| given.as_str().into()), id).text.into_owned()
}

/// An id as it is written here: some servers put hyphens in.
fn normal(id: &str) -> String {
    let plain = id.replace('-', "").to_ascii_lowercase();
    if IdForm::Hex32.fits(&plain) { plain } else { id.to_owned() }
}
