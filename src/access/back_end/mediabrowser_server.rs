//! A real Emby or Jellyfin server that is asked about its own clients' tokens, as a client of it: `GET /Users/Me` with the
//! token (wire notes on MediaBrowser, section 3.2).
//!
//! It tells whose the token is and, in `Policy`, what its owner may. Nothing of a device is sent along: such a server would
//! take it for the token's own, and rename that.

use std::fmt;

use serde::Deserialize;

use super::{
    known::Known,
    question::{Said, agent, plain},
};
use crate::{
    access::{credential::Grant, principal::Principal},
    config::{LibraryRights, Settings},
    event::{IdForm, Level},
};

/// The longest answer read; a policy lists folders, devices and channels.
const MAX_ANSWER_BYTES: u64 = 1024 * 1024;

/// An Emby or Jellyfin server.
pub(super) struct MediaBrowserServer {
    agent: ureq::Agent,
    address: String,
    known: Known,
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
        Some(Self { agent: agent(&settings.auth), address, known: Known::new(settings, "mediabrowser", IdForm::Hex32) })
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
        let Some(user) = self.known.user(&id, &name) else {
            return Said::Unavailable("its answer at /Users/Me names nobody".to_owned());
        };
        let libraries = if policy.enable_all_folders && policy.blocked_media_folders.is_empty() {
            LibraryRights::Every(Level::Read)
        } else {
            let seen = self.known.libraries(&policy.enabled_folders);
            LibraryRights::Named(seen.map(|library| (library.clone(), Level::Read)).collect())
        };
        let own = Principal { member: true, admin: policy.is_administrator, libraries, ..Principal::default() };
        Said::Granted(Box::new(Grant { user: Some(user), name: Some(name.into()), own, alone: true }), None)
    }
}
