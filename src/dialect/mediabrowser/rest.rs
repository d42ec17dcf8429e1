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

static ROUTES: [(Endpoint, Handler); 36] = [
    (Endpoint { method: Method::Get, path: "/System/Info/Public", callers: Callers::Anybody }, info::public),
    (Endpoint { method: Method::Get, path: "/System/Info", callers: Callers::KnownOrNot }, info::system),
    (Endpoint { method: Method::Get, path: "/System/Ping", callers: Callers::Anybody }, info::ping),
    (Endpoint { method: Method::Post, path: "/System/Ping", callers: Callers::Anybody }, info::ping),
    (Endpoint { method: Method::Get, path: "/GetUTCTime", callers: Callers::Anybody }, info::time),
    (Endpoint { method: Method::Post, path: "/Users/AuthenticateByName", callers: Callers::Anybody }, account::log_in),
    (Endpoint { method: Method::Get, path: "/Users/Public", callers: Callers::Anybody }, account::public),
    (Endpoint { method: Method::Get, path: "/Users/Me", callers: Callers::Known }, account::me),
    (Endpoint { method: Method::Get, path: "/Users/{id}", callers: Callers::Known }, account::user),
    (Endpoint { method: Method::Post, path: "/Sessions/Logout", callers: Callers::Known }, account::log_out),
    (Endpoint { method: Method::Get, path: "/Sessions", callers: Callers::Known }, sessions::list),
    (Endpoint { method: Method::Post, path: "/Sessions/Capabilities", callers: Callers::Known }, sessions::capabilities),
    (Endpoint { method: Method::Post, path: "/Sessions/Capabilities/Full", callers: Callers::Known }, sessions::full_capabilities),
    (Endpoint { method: Method::Post, path: "/Sessions/Viewing", callers: Callers::Known }, sessions::own_viewing),
    (Endpoint { method: Method::Post, path: "/Sessions/Playing", callers: Callers::Known }, playing::started),
    (Endpoint { method: Method::Post, path: "/Sessions/Playing/Progress", callers: Callers::Known }, playing::progress),
    (Endpoint { method: Method::Post, path: "/Sessions/Playing/Stopped", callers: Callers::Known }, playing::stopped),
    (Endpoint { method: Method::Post, path: "/Sessions/Playing/Ping", callers: Callers::Known }, playing::still),
    (Endpoint { method: Method::Post, path: "/Users/{user}/PlayingItems/{item}", callers: Callers::Known }, playing::item_started),
    (
        Endpoint { method: Method::Post, path: "/Users/{user}/PlayingItems/{item}/Progress", callers: Callers::Known },
        playing::item_progress,
    ),
    (Endpoint { method: Method::Delete, path: "/Users/{user}/PlayingItems/{item}", callers: Callers::Known }, playing::item_stopped),
    (Endpoint { method: Method::Post, path: "/Users/{user}/PlayingItems/{item}/Delete", callers: Callers::Known }, playing::item_stopped),
    (Endpoint { method: Method::Post, path: "/Sessions/{id}/Viewing", callers: Callers::Known }, control::viewing),
    (Endpoint { method: Method::Post, path: "/Sessions/{id}/Playing", callers: Callers::Known }, control::play),
    (Endpoint { method: Method::Post, path: "/Sessions/{id}/Playing/{command}", callers: Callers::Known }, control::playstate),
    (Endpoint { method: Method::Post, path: "/Sessions/{id}/System/{command}", callers: Callers::Known }, control::named),
    (Endpoint { method: Method::Post, path: "/Sessions/{id}/Command", callers: Callers::Known }, control::command),
    (Endpoint { method: Method::Post, path: "/Sessions/{id}/Command/{command}", callers: Callers::Known }, control::named),
    (Endpoint { method: Method::Post, path: "/Sessions/{id}/Message", callers: Callers::Known }, control::message),
    (Endpoint { method: Method::Post, path: "/Sessions/{id}/User/{user}", callers: Callers::Known }, sessions::add_user),
    (Endpoint { method: Method::Post, path: "/Sessions/{id}/Users/{user}", callers: Callers::Known }, sessions::add_user),
    (Endpoint { method: Method::Delete, path: "/Sessions/{id}/User/{user}", callers: Callers::Known }, sessions::remove_user),
    (Endpoint { method: Method::Delete, path: "/Sessions/{id}/Users/{user}", callers: Callers::Known }, sessions::remove_user),
    (Endpoint { method: Method::Post, path: "/Sessions/{id}/User/{user}/Delete", callers: Callers::Known }, sessions::remove_user),
    (Endpoint { method: Method::Post, path: "/Sessions/{id}/Users/{user}/Delete", callers: Callers::Known }, sessions::remove_user),
    (Endpoint { method: Method::Get, path: "/Sessions/{id}", callers: Callers::Known }, sessions::one),
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
        (says_all && is_somebody(&caller.principal)).then(|| self.server.device(&self.shown, caller, self.call.request.address))
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
