//! Log-in, log-out, and who somebody is.

use super::{
    super::{
        super::{LogIn, LoggedIn, NotLoggedIn},
        server::seen,
        session_info,
        user_dto::{Rights, UserDto},
    },
    Answer, Asked, Reaction, empty, field, json, status,
};
use crate::{
    access::{Caller, Device, LibraryRights, Principal, Secret},
    event::json::quote,
    id::UserId,
    state::devices::Moment,
};

/// `POST /Users/AuthenticateByName`. Whatever token the request shows is of no interest.
pub(super) fn log_in(asked: &Asked<'_, '_>) -> Reaction {
    let body = asked.body();
    let text = |name: &str| field(&body, name).and_then(serde_json::Value::as_str).map(str::to_owned);
    let Some(name) = text("Username").or_else(|| text("Name")).filter(|name| !name.is_empty()) else { return status(400) };
    let password = Secret::new(text("Pw").unwrap_or_default());
    let device = asked.server.device(&asked.shown, &Caller::default(), asked.call.request.address);
    let (address, Some(server)) = (asked.call.request.address, asked.server.share()) else { return status(503) };
    let start = SessionStart { server, device: device.clone() };
    let says = move |outcome: Result<LoggedIn, NotLoggedIn>| match outcome {
        Ok(logged_in) => start.answer(&logged_in, address),
        Err(NotLoggedIn::Refused) => empty(401),
        Err(NotLoggedIn::TooManyAttempts(_)) => empty(403),
        Err(NotLoggedIn::Unavailable) => empty(503),
    };
    Reaction::LogIn(Box::new(LogIn { name, password, device, says: Box::new(says) }))
}

/// What an answer to a log-in is made of, once it is known what came of it.
struct SessionStart {
    server: std::sync::Arc<super::super::server::Server>,
    device: Device,
}

impl SessionStart {
    fn answer(&self, logged_in: &LoggedIn, address: Option<std::net::IpAddr>) -> Answer {
        let (server, now) = (&self.server, Moment::now());
        let touched = server.devices().seen(&seen(&logged_in.caller, &self.device, address), now);
        let session = server.devices().find(touched.session, now).map(|session| session_info::of_device(&session, server));
        let principal = logged_in.caller.principal.as_ref();
        let user = principal.user.as_ref().map(|id| user_dto(id, &logged_in.name, Some(principal), server));
        let body = format!(
            "{{\"User\":{},\"SessionInfo\":{},\"AccessToken\":{},\"ServerId\":{}}}",
            user.as_deref().unwrap_or("null"),
            session.as_deref().unwrap_or("null"),
            quote(logged_in.token.expose()),
            quote(&server.place().server)
        );
        match json(body) {
            Reaction::Answer(answer) => answer,
            _ => empty(500), // `json` answers
        }
    }
}

/// `POST /Sessions/Logout`.
pub(super) fn log_out(asked: &Asked<'_, '_>) -> Reaction {
    if let Some(session) = asked.session {
        asked.server.devices().log_out(session);
    }
    Reaction::LogOut(empty(204))
}

/// `GET /Users/Public`: nobody is told who has an account here.
pub(super) fn public(_: &Asked<'_, '_>) -> Reaction {
    json("[]".to_owned())
}

/// `GET /Users/Me`. A key is no user.
pub(super) fn me(asked: &Asked<'_, '_>) -> Reaction {
    let Some(principal) = asked.caller().map(|caller| caller.principal.as_ref()) else { return status(401) };
    let Some(user) = &principal.user else { return status(400) };
    json(user_dto(user, asked.server.place().user_name(user), Some(principal), asked.server))
}

/// `GET /Users/{id}`: oneself; administrators see the name of everybody the settings know.
pub(super) fn user(asked: &Asked<'_, '_>) -> Reaction {
    let Some(principal) = asked.caller().map(|caller| caller.principal.as_ref()) else { return status(401) };
    let id = asked.part(0);
    if principal.user.as_ref().is_some_and(|own| asked.server.place().is_user(id, own)) {
        return me(asked);
    }
    match asked.server.place().user(id).filter(|_| principal.admin) {
        Some(named) => json(user_dto(&named.id, &named.name, None, asked.server)),
        None => status(404),
    }
}

fn user_dto(user: &UserId, name: &str, principal: Option<&Principal>, server: &super::super::server::Server) -> String {
    let rights = principal.map(|principal| Rights {
        admin: principal.admin,
        disabled: false,
        folders: match &principal.libraries {
            _ if principal.admin => None,
            LibraryRights::Every(_) => None,
            LibraryRights::Named(named) => Some(named.keys().map(|library| server.place().library_id(library)).collect()),
        },
    });
    UserDto { id: server.place().user_id(user), name, server: &server.place().server, rights }.json()
}
