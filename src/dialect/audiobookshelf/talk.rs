//! What a client says, and what comes of it (wire notes on Audiobookshelf, sections 2 and 3).

use std::{sync::Arc, time::Instant};

use super::{
    IDENTIFY_WITHIN,
    encode::NO_LOGS,
    server::Server,
    twin::{self, Shown},
};
use crate::{
    access::{Caller, Credential, Principal, Secret},
    dialect::{
        Effect, End, NotAuthenticated, Standing,
        socketio::{Application, Connect, Reactions, Rejected, Said, nobody},
    },
    event::{Event, EventKind, json::quote},
    websocket::{CloseCode, frame},
};

/// The only namespace there is.
const NAMESPACE: &str = "/";

/// Why an `auth` fails.
const INVALID_TOKEN: &str = "Invalid token";
/// The same, of a user who is disabled.
const INVALID_USER: &str = "Invalid user";

/// The gravest level a listener may name.
const LEVELS: u8 = 6;

/// One client's side.
pub(super) struct Talk {
    server: Arc<Server>,
    /// Whose it is, with the rights of this moment.
    principal: Arc<Principal>,
    /// How its rights are asked for again; `None`: it has not shown whose it is.
    credential: Option<Credential>,
    /// It came with credentials in its CONNECT: it is RedSeat's.
    is_twin: bool,
    /// The level from which on it is sent log lines.
    logs: u8,
    /// It has been somebody's and is nobody's again: when it ends unless it shows whose it is.
    show_by: Option<Instant>,
}

impl Talk {
    pub(super) fn new(server: &Arc<Server>) -> Self {
        Self { server: Arc::clone(server), principal: Arc::default(), credential: None, is_twin: false, logs: NO_LOGS, show_by: None }
    }

    fn ask(&self, token: String, reactions: &mut Reactions) {
        let asks = if self.is_twin { twin::ASKS } else { self.server.asks() };
        reactions.effect(Effect::Authenticate { token: Secret::new(token), asks });
    }

    fn fail(reactions: &mut Reactions, why: &str) {
        // Clients of either generation pass over the other's word (event map, section 7).
        reactions.emit(NAMESPACE, "auth_failed", &[&format!(r#"{{"message":{}}}"#, quote(why))]);
        reactions.emit(NAMESPACE, "invalid_token", &[]);
    }

    /// It has shown whose it is.
    fn welcome(&mut self, caller: Caller, reactions: &mut Reactions) {
        let (Some(credential), Some(user)) = (caller.credential, &caller.principal.user) else {
            return Self::fail(reactions, INVALID_TOKEN);
        };
        if caller.principal.only_publishes || !caller.principal.may_open_streams() {
            return Self::fail(reactions, INVALID_TOKEN);
        }
        let before = std::mem::replace(&mut self.principal, Arc::clone(&caller.principal));
        if !self.principal.admin {
            self.logs = NO_LOGS;
        }
        (self.credential, self.show_by) = (Some(credential), None);
        self.stand(reactions);
        let init = self.server.init(&self.principal, user, before.user.as_ref());
        if self.principal.admin {
            // Administrators see themselves come before they are told so (wire notes, section 2).
            reactions.emit(NAMESPACE, "user_online", &[&self.server.public_user(user)]);
        }
        reactions.emit(NAMESPACE, "init", &[&init]);
    }

    /// From now on it is sent what its rights and its wishes are.
    fn stand(&self, reactions: &mut Reactions) {
        let Some(credential) = self.credential.clone() else { return };
        let filter = Server::filter(Arc::clone(&self.principal), self.logs);
        let standing = Standing { filter, formats: self.server.formats.pair(self.logs), credential };
        reactions.effect(Effect::Become(Box::new(standing)));
    }

    fn listen(&mut self, level: u8, reactions: &mut Reactions) {
        if self.logs != level {
            self.logs = level;
            self.stand(reactions);
        }
    }

    fn cancel_scan(&self, said: &Said<'_>, reactions: &mut Reactions) {
        if let Some(activity) = said.text().and_then(|library| self.server.scan_of(&library)) {
            reactions.effect(Effect::Cancel(activity));
        }
    }

    fn message_all_users(&self, said: &Said<'_>, reactions: &mut Reactions) {
        #[derive(serde::Deserialize)]
        struct Message {
            #[serde(default)]
            message: String,
        }
        let message = said.arguments.first().and_then(|argument| serde_json::from_str::<Message>(argument.get()).ok());
        let text = message.unwrap_or(Message { message: String::new() }).message;
        if let Ok(event) = Event::from_value(EventKind::Message, &serde_json::json!({ "text": text })) {
            let audience = event.audience();
            reactions.effect(Effect::Publish(vec![(event, audience)]));
        }
    }

    /// There are no covers here, and nobody who finds any: who asks is told so instead of being left waiting.
    fn search_covers(&self, said: &Said<'_>, reactions: &mut Reactions) {
        #[derive(serde::Deserialize)]
        struct Search {
            #[serde(rename = "requestId")]
            request_id: Option<String>,
            title: Option<String>,
        }
        let search = said.arguments.first().and_then(|argument| serde_json::from_str::<Search>(argument.get()).ok());
        let Search { request_id, title } = search.unwrap_or(Search { request_id: None, title: None });
        let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let error = match self.credential {
            None => "Unauthorized",
            Some(_) if !given(&request_id) || !given(&title) => "Invalid request parameters",
            Some(_) => "Cover search is not available",
        };
        let id = request_id.map_or_else(String::new, |id| format!(r#""requestId":{},"#, quote(&id)));
        reactions.emit(NAMESPACE, "cover_search_error", &[&format!(r#"{{{id}"error":{}}}"#, quote(error))]);
    }

    /// The twin's client is who it says, or is put out: its clients do not come back from that by themselves.
    fn answer_twin(&mut self, answer: Result<Caller, NotAuthenticated>, reactions: &mut Reactions) {
        let Some(twin) = &self.server.twin else { return };
        match answer {
            Ok(Caller { principal, credential: Some(credential), .. }) if principal.may_open_streams() => {
                let connected = twin.connected(&principal);
                let (filter, formats) = twin.stream(Arc::clone(&principal));
                (self.principal, self.credential, self.show_by) = (principal, Some(credential.clone()), None);
                reactions.effect(Effect::Become(Box::new(Standing { filter, formats, credential })));
                reactions.emit(NAMESPACE, "auth", &[&connected]);
            }
            Ok(_) | Err(NotAuthenticated::Refused | NotAuthenticated::Disabled | NotAuthenticated::TooManyAttempts(_)) => {
                reactions.kick(NAMESPACE)
            }
            Err(NotAuthenticated::Unavailable) => reactions.close(CloseCode::TRY_AGAIN_LATER, "come back"),
        }
    }
}

impl Application for Talk {
    fn know(&mut self, principal: &Arc<Principal>) {
        self.principal = Arc::clone(principal);
    }

    fn connect(&mut self, connect: &Connect<'_>, reactions: &mut Reactions) -> Result<(), Rejected> {
        if connect.namespace != NAMESPACE {
            return Err(Rejected::invalid_namespace());
        }
        match self.server.twin.as_ref().map_or(Shown::Nothing, |_| Shown::read(connect.payload)) {
            Shown::Nothing => self.is_twin = false,
            Shown::Token(token) => {
                self.is_twin = true;
                self.ask(token, reactions);
            }
            Shown::NoToken => {
                self.is_twin = true;
                reactions.kick(NAMESPACE);
            }
        }
        Ok(())
    }

    fn event(&mut self, said: &Said<'_>, reactions: &mut Reactions) {
        if self.is_twin {
            return; // its clients only listen
        }
        let is_admin = self.credential.is_some() && self.principal.admin;
        match said.name {
            "ping" => reactions.emit(NAMESPACE, "pong", &[]),
            "auth" => match said.text() {
                Some(token) => self.ask(token, reactions),
                None => Self::fail(reactions, INVALID_TOKEN),
            },
            // Who may, those decide who do it: administrators of the server and of the library.
            "cancel_scan" if self.credential.is_some() => self.cancel_scan(said, reactions),
            "set_log_listener" if is_admin => {
                let level = said.arguments.first().and_then(|level| serde_json::from_str::<u8>(level.get()).ok());
                if let Some(level) = level.filter(|level| *level <= LEVELS) {
                    self.listen(level, reactions);
                }
            }
            "remove_log_listener" => self.listen(NO_LOGS, reactions),
            "fetch_daily_logs" if is_admin => reactions.emit(NAMESPACE, "daily_logs", &[&self.server.daily_logs(&self.principal)]),
            "message_all_users" if is_admin => self.message_all_users(said, reactions),
            "search_covers" => self.search_covers(said, reactions),
            _ => {} // what is not known, or not allowed, is passed over
        }
    }

    /// A client that connects the namespace anew says anew who it is, and has as long for it as at first: what is nobody's counts
    /// for no user's connections, and is not to stay.
    fn left(&mut self, _: &str, reactions: &mut Reactions) {
        (self.is_twin, self.logs, self.principal) = (false, NO_LOGS, Arc::default());
        if self.credential.take().is_some() {
            let filter = nobody(super::DIALECT, &Caller::default());
            let standing = Standing { filter, formats: self.server.formats.pair(NO_LOGS), credential: Credential::nobody() };
            reactions.effect(Effect::Become(Box::new(standing)));
            self.show_by = Some(Instant::now() + IDENTIFY_WITHIN);
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        self.show_by
    }

    fn wake(&mut self, now: Instant, reactions: &mut Reactions) {
        if self.show_by.is_some_and(|end| end <= now) {
            let last_word = frame::close(CloseCode::POLICY_VIOLATION, "nobody has said whose connection this is");
            reactions.effect(Effect::Finish(End::Unidentified, last_word));
        }
    }

    fn authenticated(&mut self, answer: Result<Caller, NotAuthenticated>, reactions: &mut Reactions) {
        if self.is_twin {
            return self.answer_twin(answer, reactions);
        }
        match answer {
            Ok(caller) => self.welcome(caller, reactions),
            Err(NotAuthenticated::Refused) => Self::fail(reactions, INVALID_TOKEN),
            Err(NotAuthenticated::Disabled) => Self::fail(reactions, INVALID_USER),
            Err(NotAuthenticated::TooManyAttempts(_)) => {
                Self::fail(reactions, INVALID_TOKEN);
                reactions.close(CloseCode::POLICY_VIOLATION, "too many attempts");
            }
            Err(NotAuthenticated::Unavailable) => reactions.close(CloseCode::TRY_AGAIN_LATER, "come back"),
        }
    }
}
