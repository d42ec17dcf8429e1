//! A real Plex server that is asked about its own clients' tokens, as a client of it (wire notes on Plex, sections 2.1 and 9).
//!
//! It tells which libraries a token opens and whether it is an administrator's. Whose it is it does not tell of a shared
//! user, and an id made from the token would be a user nobody publishes for, another one with every new token: so who comes
//! in by it has no user, sees his libraries, and no user's own events but as an administrator.

use std::{
    collections::HashMap,
    fmt,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde::Deserialize;

use super::question::{Said, agent, plain};
use crate::{
    access::{credential::Grant, principal::Principal, token},
    config::{LibraryRights, Settings},
    event::Level,
    id::LibraryId,
};

/// The longest answer read; that about settings is long.
const MAX_ANSWER_BYTES: u64 = 1024 * 1024;

/// A Plex server.
pub(super) struct PlexServer {
    agent: ureq::Agent,
    address: String,
    /// What each of its sections is called here.
    libraries: HashMap<String, Vec<LibraryId>>,
    /// For one question, however many calls it takes.
    timeout: Duration,
    /// How long it counts that the server tells tokens apart.
    believed_for: Duration,
    believed_until: Mutex<Option<Instant>>,
}

impl fmt::Debug for PlexServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlexServer(…)")
    }
}

/// What a path of the server answers to a token.
enum Answer {
    Yes(Container),
    No,
}

/// Why there is no answer.
type Unavailable = String;

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "MediaContainer")]
    container: Container,
}

#[derive(Deserialize)]
struct Container {
    #[serde(rename = "Directory", default)]
    sections: Vec<Section>,
}

#[derive(Deserialize)]
struct Section {
    key: String,
}

impl PlexServer {
    /// The server of these settings, if one is to be asked.
    pub(super) fn new(settings: &Settings) -> Option<Self> {
        let address = settings.dialects.plex.asked()?.trim_end_matches('/').to_owned();
        let mut libraries: HashMap<String, Vec<LibraryId>> = HashMap::new();
        for library in &settings.libraries {
            if let Some(key) = library.ids.get("plex") {
                libraries.entry(key.clone()).or_default().push(library.id.clone());
            }
        }
        let auth = &settings.auth;
        let (timeout, believed_for) = (auth.timeout, auth.cache);
        Some(Self { agent: agent(auth), address, libraries, timeout, believed_for, believed_until: Mutex::default() })
    }

    /// Shows the token and waits for the answers, at most `auth.timeout` in all.
    pub(super) fn ask(&self, token: &str) -> Said {
        // No header could carry it, so no client of that server ever has it.
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Said::Refused;
        }
        self.try_ask(token).unwrap_or_else(Said::Unavailable)
    }

    fn try_ask(&self, token: &str) -> Result<Said, Unavailable> {
        let deadline = Instant::now() + self.timeout;
        let Answer::Yes(container) = self.get("/library/sections", token, deadline)? else { return Ok(Said::Refused) };
        self.tells_tokens_apart(deadline)?;
        let admin = matches!(self.get("/:/prefs", token, deadline)?, Answer::Yes(_));
        let seen = container.sections.iter().filter_map(|section| self.libraries.get(&section.key)).flatten();
        let libraries = LibraryRights::Named(seen.map(|library| (library.clone(), Level::Read)).collect());
        let own = Principal { member: true, admin, libraries, ..Principal::default() };
        Ok(Said::Granted(Box::new(Grant { user: None, name: None, own, alone: true }), None))
    }

    /// A server can be set to let in whoever comes from its own network, whatever token he shows; we do, and our clients may
    /// not. So one that takes a token nobody has is not believed.
    fn tells_tokens_apart(&self, deadline: Instant) -> Result<(), Unavailable> {
        if self.believed_until.lock().is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        let nobodys = token::generate().map_err(|_| "no random token can be made to try it with")?;
        match self.get("/library/sections", nobodys.expose(), deadline)? {
            Answer::Yes(_) => Err("it lets in every token that comes from this machine, so its word says nothing".to_owned()),
            Answer::No => {
                *self.believed_until.lock() = Some(Instant::now() + self.believed_for);
                Ok(())
            }
        }
    }

    fn get(&self, path: &str, token: &str, deadline: Instant) -> Result<Answer, Unavailable> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err("it does not answer in time".to_owned());
        }
        let request = self.agent.get(format!("{}{path}", self.address)).header("x-plex-token", token).header("accept", "application/json");
        let mut answer = request.config().timeout_global(Some(left)).build().call().map_err(|error| plain(&error).to_owned())?;
        match answer.status().as_u16() {
            200 => {
                let bytes =
                    answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec().map_err(|error| plain(&error).to_owned())?;
                let document: Document =
                    serde_json::from_slice(&bytes).map_err(|_| format!("its answer at {path} is none of a Plex server"))?;
                Ok(Answer::Yes(document.container))
            }
            401 | 403 => Ok(Answer::No),
            status => Err(format!("it answers {status} at {path}")),
        }
    }
}
