//! The HTTP that stands beside the socket: who the server is, log-in, sessions, check-ins and remote control (wire notes on
//! MediaBrowser, sections 2 and 7).

mod account;
mod control;
mod info;
mod playing;
mod sessions;

use std::sync::LazyLock;

use serde_json::Value;

use super::{
    super::{Answer, Call, Callers, Endpoint, Joins, Method, Query, Reaction},
    credentials::Shown,
    refusal::empty,
    server::{Server, is_somebody, seen},
    values,
};
use crate::{
    access::{Caller, Device},
    state::devices::{Moment, SessionId},
};

/// Who answers at an endpoint.
type Handler = fn(&Asked<'_, '_>) -> Reaction;

/// A call, and what is known of it.
struct Asked<'a, 'c> {
    call: &'a Call<'c>,
    server: &'a Server,
    shown: Shown,
    /// The caller's session, where he says on which device he is.
    session: Option<SessionId>,
    now: Moment,
}

const fn endpoint(method: Method, path: &'static str, callers: Callers) -> Endpoint {
    Endpoint { method, path, callers }
}

const fn get(path: &'static str, callers: Callers) -> Endpoint {
    endpoint(Method::Get, path, callers)
}

const fn post(path: &'static str) -> Endpoint {
    endpoint(Method::Post, path, Callers::Known)
}

const fn delete(path: &'static str) -> Endpoint {
    endpoint(Method::Delete, path, Callers::Known)
}

static ROUTES: [(Endpoint, Handler); 36] = [
    (get("/System/Info/Public", Callers::Anybody), info::public),
    (get("/System/Info", Callers::KnownOrNot), info::system),
    (get("/System/Ping", Callers::Anybody), info::ping),
    (endpoint(Method::Post, "/System/Ping", Callers::Anybody), info::ping),
    (get("/GetUTCTime", Callers::Anybody), info::time),
    (endpoint(Method::Post, "/Users/AuthenticateByName", Callers::Anybody), account::log_in),
    (get("/Users/Public", Callers::Anybody), account::public),
    (get("/Users/Me", Callers::Known), account::me),
    (get("/Users/{id}", Callers::Known), account::user),
    (post("/Sessions/Logout"), account::log_out),
    (get("/Sessions", Callers::Known), sessions::list),
    (post("/Sessions/Capabilities"), sessions::capabilities),
    (post("/Sessions/Capabilities/Full"), sessions::full_capabilities),
    (post("/Sessions/Viewing"), sessions::own_viewing),
    (post("/Sessions/Playing"), playing::started),
    (post("/Sessions/Playing/Progress"), playing::progress),
    (post("/Sessions/Playing/Stopped"), playing::stopped),
    (post("/Sessions/Playing/Ping"), playing::still),
    (post("/Users/{user}/PlayingItems/{item}"), playing::item_started),
    (post("/Users/{user}/PlayingItems/{item}/Progress"), playing::item_progress),
    (delete("/Users/{user}/PlayingItems/{item}"), playing::item_stopped),
    (post("/Users/{user}/PlayingItems/{item}/Delete"), playing::item_stopped),
    (post("/Sessions/{id}/Viewing"), control::viewing),
    (post("/Sessions/{id}/Playing"), control::play),
    (post("/Sessions/{id}/Playing/{command}"), control::playstate),
    (post("/Sessions/{id}/System/{command}"), control::named),
    (post("/Sessions/{id}/Command"), control::command),
    (post("/Sessions/{id}/Command/{command}"), control::named),
    (post("/Sessions/{id}/Message"), control::message),
    (post("/Sessions/{id}/User/{user}"), sessions::add_user),
    (post("/Sessions/{id}/Users/{user}"), sessions::add_user),
    (delete("/Sessions/{id}/User/{user}"), sessions::remove_user),
    (delete("/Sessions/{id}/Users/{user}"), sessions::remove_user),
    (post("/Sessions/{id}/User/{user}/Delete"), sessions::remove_user),
    (post("/Sessions/{id}/Users/{user}/Delete"), sessions::remove_user),
    (endpoint(Method::Get, "/Sessions/{id}", Callers::Known), sessions::one),
];

/// Every endpoint.
pub(super) fn endpoints() -> &'static [&'static Endpoint] {
    static ALL: LazyLock<Vec<&'static Endpoint>> = LazyLock::new(|| ROUTES.iter().map(|(endpoint, _)| endpoint).collect());
    &ALL
}

/// Answers a call. A caller who says on which device he is begins or touches a session there, and WebSockets of that device that
/// wait for such a call from that address are his from now on.
pub(super) fn answer(call: &Call<'_>, server: &Server, joins: &mut Joins) -> Reaction {
    let Some((_, handler)) = ROUTES.iter().find(|(endpoint, _)| std::ptr::eq(endpoint, call.endpoint)) else {
        return Reaction::Answer(empty(404));
    };
    let shown = Shown::read(call.request, server.settings.legacy_credentials);
    let now = Moment::now();
    let mut asked = Asked { call, server, shown, session: None, now };
    if let Some((caller, device)) = call.caller.and_then(|caller| asked.device(caller).map(|device| (caller, device))) {
        let touched = server.devices().seen(&seen(caller, &device, call.request.address), now);
        asked.session = Some(touched.session);
        let standing = server.standing(caller).filter(|_| server.settings.identity);
        joins.extend(touched.joined.into_iter().filter_map(|connection| Some((connection, standing.clone()?))));
    }
    handler(&asked)
}

impl<'a, 'c> Asked<'a, 'c> {
    /// The caller's device, if he or his token says which: only then is there a session (wire notes, section 3.2).
    fn device(&self, caller: &Caller) -> Option<Device> {
        let issued = caller.device.as_deref();
        let says = |own: &str, known: Option<&String>| !own.is_empty() || known.is_some_and(|known| !known.is_empty());
        let says_all = says(&self.shown.device.id, issued.map(|device| &device.id));
        (says_all && is_somebody(&caller.principal)).then(|| self.server.device(&self.shown, caller))
    }

    fn caller(&self) -> Option<&'a Caller> {
        self.call.caller
    }

    /// What stands in the path's braces.
    fn part(&self, at: usize) -> &'a str {
        self.call.parts.get(at).map_or("", String::as_str)
    }

    /// A parameter of the query, in any case; an empty one is none.
    fn parameter(&self, name: &str) -> Option<String> {
        Query(self.call.request.query).get_any_case(name).map(std::borrow::Cow::into_owned).filter(|value| !value.is_empty())
    }

    /// A list in the query: some repeat the name, others put commas between.
    fn list(&self, name: &str) -> Vec<String> {
        let values = Query(self.call.request.query).all_any_case(name);
        values.flat_map(|value| parts(&value)).collect()
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.parameter(name).map(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The body as JSON, whatever it calls itself; one that is no object is an empty one.
    fn body(&self) -> Value {
        let body: Value = serde_json::from_slice(self.call.body).unwrap_or_default();
        if body.is_object() { body } else { Value::Object(serde_json::Map::new()) }
    }
}

/// The parts of a list with commas.
fn parts(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// A field of a body, whatever case its name is written in.
fn field<'v>(body: &'v Value, name: &str) -> Option<&'v Value> {
    let fields = body.as_object()?;
    let found = fields.get(name).or_else(|| fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value));
    found.filter(|value| !value.is_null())
}

/// JSON, as plain as its readers want it.
fn json(body: String) -> Reaction {
    let headers = vec![("content-type", "application/json; charset=utf-8".to_owned()), ("cache-control", "no-store".to_owned())];
    Reaction::Answer(Answer { status: 200, headers, body: body.into() })
}

/// An answer without a body.
fn status(status: u16) -> Reaction {
    Reaction::Answer(empty(status))
}

/// It was done.
fn done() -> Reaction {
    status(204)
}
