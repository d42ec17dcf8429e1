//! The HTTP that clients ask before their socket: whether this is an Audiobookshelf, log-in, and tokens that go on (wire notes
//! on Audiobookshelf, section 8).

mod account;
mod body;

use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;

use super::{
    super::{Answer, Call, Callers, Endpoint, Method, Query, Reaction, Refusal, Request},
    place::SERVER_VERSION,
    server::Server,
};

/// Headers of its own that its clients set.
pub(super) const HEADERS: [&str; 2] = [account::RETURN_TOKENS, account::REFRESH_TOKEN];

/// Who answers at an endpoint.
type Handler = fn(&Call<'_>, &Arc<Server>) -> Reaction;

static ROUTES: [(Endpoint, Handler); 7] = [
    (Endpoint { method: Method::Get, path: "/ping", callers: Callers::Anybody }, ping),
    (Endpoint { method: Method::Get, path: "/healthcheck", callers: Callers::Anybody }, healthcheck),
    (Endpoint { method: Method::Get, path: "/status", callers: Callers::Anybody }, status),
    (Endpoint { method: Method::Post, path: "/login", callers: Callers::Anybody }, account::log_in),
    (Endpoint { method: Method::Post, path: "/api/authorize", callers: Callers::Known }, account::authorize),
    (Endpoint { method: Method::Post, path: "/auth/refresh", callers: Callers::Anybody }, account::refresh),
    (Endpoint { method: Method::Post, path: "/logout", callers: Callers::Anybody }, account::log_out),
];

/// Every endpoint.
pub(super) fn endpoints() -> &'static [&'static Endpoint] {
    static ALL: LazyLock<Vec<&'static Endpoint>> = LazyLock::new(|| ROUTES.iter().map(|(endpoint, _)| endpoint).collect());
    &ALL
}

/// Whether a request's path is that of one of them.
pub(super) fn is_one(path: &str) -> bool {
    ROUTES.iter().any(|(endpoint, _)| endpoint.path == path)
}

/// Answers a call.
pub(super) fn answer(call: &Call<'_>, server: &Arc<Server>) -> Reaction {
    match ROUTES.iter().find(|(endpoint, _)| std::ptr::eq(endpoint, call.endpoint)) {
        Some((_, handler)) => handler(call, server),
        None => Reaction::Answer(text(404, "Not Found")),
    }
}

/// The token a call shows.
pub(super) fn token(request: &Request<'_>) -> Option<String> {
    let bearer = (request.header)("authorization").and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
    });
    bearer.or_else(|| Query(request.query).get("token").map(std::borrow::Cow::into_owned)).filter(|token| !token.is_empty())
}

/// Says no to a call.
pub(super) fn refused(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::Unauthorised => text(401, "Unauthorized"),
        Refusal::TooManyAttempts(wait) => too_many(wait),
        Refusal::Full | Refusal::Draining => text(503, "Service Unavailable"),
    }
}

/// What may stand before every path. It lives as long as the process, because routes are made of it; the same base is made
/// once, however often an engine is started.
pub(super) fn prefixes(base: &str) -> &'static [&'static str] {
    static MADE: Mutex<Vec<&'static [&'static str]>> = Mutex::new(Vec::new());
    if base.is_empty() {
        return &[];
    }
    let mut made = MADE.lock();
    if let Some(known) = made.iter().find(|known| **known == [base]) {
        return known;
    }
    let base: &'static str = Box::leak(base.to_owned().into_boxed_str());
    let new: &'static [&'static str] = Box::leak(Box::new([base]));
    made.push(new);
    new
}

/// `GET /ping`: in the words of both protocols that have it (event map, section 5).
fn ping(_: &Call<'_>, _: &Arc<Server>) -> Reaction {
    Reaction::Answer(json(200, r#"{"success":true,"result":{"success":true}}"#))
}

fn healthcheck(_: &Call<'_>, _: &Arc<Server>) -> Reaction {
    Reaction::Answer(text(200, "OK"))
}

/// `GET /status`: how one may log in.
fn status(_: &Call<'_>, _: &Arc<Server>) -> Reaction {
    let body = format!(
        r#"{{"app":"audiobookshelf","serverVersion":"{SERVER_VERSION}","isInit":true,"language":"en-us","authMethods":["local"],"authFormData":{{"authLoginCustomMessage":""}}}}"#
    );
    Reaction::Answer(json(200, body))
}

fn too_many(wait: std::time::Duration) -> Answer {
    let mut answer = json(429, r#"{"error":"Too many authentication requests"}"#);
    answer.headers.push(("retry-after", wait.as_secs().max(1).to_string()));
    answer
}

/// JSON that nobody keeps.
fn json(status: u16, body: impl Into<bytes::Bytes>) -> Answer {
    let headers = vec![("content-type", "application/json; charset=utf-8".to_owned()), ("cache-control", "no-store".to_owned())];
    Answer { status, headers, body: body.into() }
}

fn text(status: u16, body: &'static str) -> Answer {
    Answer { status, headers: vec![("content-type", "text/plain; charset=utf-8".to_owned())], body: body.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_shown_as_bearer_or_in_the_query() {
        let token_of = |query: &str, authorization: Option<&'static str>| {
            let header = |name: &str| authorization.filter(|_| name == "authorization");
            token(&Request { path: "", query, header: &header, peer: None, address: None, secure: false, websocket: false })
        };
        assert_eq!(token_of("", Some("Bearer a.b.c")).as_deref(), Some("a.b.c"));
        assert_eq!(token_of("token=x", Some("bearer y")).as_deref(), Some("y"));
        assert_eq!(token_of("a=1&token=x%2By", None).as_deref(), Some("x+y"));
        for (query, authorization) in [("", None), ("token=", None), ("", Some("Basic eA==")), ("", Some("Bearer ")), ("", Some("x"))] {
            assert_eq!(token_of(query, authorization), None, "{query} {authorization:?}");
        }
    }

    #[test]
    fn a_base_is_made_once() {
        assert!(std::ptr::eq(prefixes("/a/b"), prefixes("/a/b")));
        assert_eq!((prefixes("/a/b"), prefixes("")), (["/a/b"].as_slice(), [].as_slice()));
    }
}
