//! Log-in, log-out, and tokens that go on.
//!
//! Clients of two generations come: those that know refresh tokens, which ask for them or keep them in a cookie, and those of
//! document 003, which keep `user.token` for as long as it counts.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{
    super::{
        super::{Answer, Call, LogInForPair, NotLoggedIn, NotRenewed, Query, Reaction, Renew, Request},
        server::Server,
    },
    body::{Tokens, login_body},
    json, refused, text, token, too_many,
};
use crate::{
    access::{Pair, Paired, Secret},
    dialect::Refusal,
};

/// Who sends it with `true` is told his refresh token.
pub(super) const RETURN_TOKENS: &str = "x-return-tokens";
/// In it a refresh token is shown.
pub(super) const REFRESH_TOKEN: &str = "x-refresh-token";
/// Where browsers keep it.
const COOKIE: &str = "refresh_token";

/// How a client is given its refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeps {
    /// In the body: it keeps it itself.
    Itself,
    /// In a cookie that no script reads.
    InCookie {
        /// The cookie is for TLS only.
        secure: bool,
    },
    /// Not at all: a page of another site asks, and a cookie it had set would be somebody else's log-in in this browser.
    Nowhere,
}

impl Keeps {
    fn of(call: &Call<'_>, is_told: bool) -> Self {
        match (is_told, call.cookies_count) {
            (true, _) => Self::Itself,
            (false, true) => Self::InCookie { secure: call.request.secure },
            (false, false) => Self::Nowhere,
        }
    }
}

/// `POST /login`. Whatever token the request shows is of no interest.
///
/// A page of another site may log in by what its browser asks about first, and is given no cookie. A form, which any page can
/// send in its visitor's name, is refused.
pub(super) fn log_in(call: &Call<'_>, server: &Arc<Server>) -> Reaction {
    let returned = (call.request.header)(RETURN_TOKENS).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let keeps = Keeps::of(call, returned);
    if keeps == Keeps::Nowhere && !is_json(call.request) {
        return Reaction::Answer(text(403, "Forbidden"));
    }
    let Some((name, password)) = typed(call.body) else { return Reaction::Answer(text(400, "Bad Request")) };
    let server = Arc::clone(server);
    let says = move |outcome: Result<Paired, NotLoggedIn>| match outcome {
        Ok(paired) => welcome(&paired, keeps, &server),
        Err(NotLoggedIn::Refused) => text(401, "Unauthorized"),
        Err(NotLoggedIn::TooManyAttempts(wait)) => too_many(wait),
        Err(NotLoggedIn::Unavailable) => refused(Refusal::Full),
    };
    Reaction::LogInForPair(Box::new(LogInForPair { name, password, says: Box::new(says) }))
}

/// `POST /auth/refresh`. A token in the header wins over a cookie, which may be that of another client in the same jar.
pub(super) fn refresh(call: &Call<'_>, server: &Arc<Server>) -> Reaction {
    let in_header = (call.request.header)(REFRESH_TOKEN).filter(|token| !token.is_empty());
    let keeps = Keeps::of(call, in_header.is_some());
    let Some(shown) = in_header.or_else(|| cookie(call.request)) else {
        return Reaction::Answer(error("No refresh token provided"));
    };
    let token = Secret::new(shown.to_owned());
    let server = Arc::clone(server);
    let says = move |outcome: Result<Paired, NotRenewed>| match outcome {
        Ok(paired) => welcome(&paired, keeps, &server),
        Err(NotRenewed::Unknown) => error("Invalid refresh token"),
        Err(NotRenewed::Expired) => error("Refresh token expired"),
        Err(NotRenewed::TooManyAttempts(wait)) => too_many(wait),
        Err(NotRenewed::Unavailable) => refused(Refusal::Full),
    };
    Reaction::Renew(Box::new(Renew { token, says: Box::new(says) }))
}

/// `POST /api/authorize`: who shows this token. No new ones are made: whoever has a token for a short time keeps his own.
pub(super) fn authorize(call: &Call<'_>, server: &Arc<Server>) -> Reaction {
    let unauthorised = || Reaction::Answer(refused(Refusal::Unauthorised));
    let (Some(caller), Some(shown)) = (call.caller, token(call.request)) else { return unauthorised() };
    let principal = &caller.principal;
    // A key is no user, and these clients need one.
    let Some(user) = principal.user.as_ref().filter(|_| !principal.only_publishes) else { return unauthorised() };
    let tokens = if is_for_a_short_time(&shown) {
        Tokens { token: None, access: Some(&shown), refresh: None }
    } else {
        Tokens { token: Some(&shown), access: None, refresh: None }
    };
    Reaction::Answer(json(200, login_body((user, &server.user_name(user)), principal, tokens, server.place())))
}

/// `POST /logout`: of whichever tokens are shown.
pub(super) fn log_out(call: &Call<'_>, _: &Arc<Server>) -> Reaction {
    let in_header = (call.request.header)(REFRESH_TOKEN).filter(|token| !token.is_empty());
    let refresh = in_header.or_else(|| cookie(call.request)).map(str::to_owned);
    let tokens = refresh.into_iter().chain(token(call.request)).map(Secret::new).collect();
    let mut answer = json(200, r#"{"redirect_url":null}"#);
    if call.cookies_count {
        answer.headers.push(("set-cookie", set_cookie("", Duration::ZERO, call.request.secure)));
    }
    Reaction::EndLogIns(tokens, answer)
}

/// The answer to somebody who has new tokens.
fn welcome(paired: &Paired, keeps: Keeps, server: &Server) -> Answer {
    let Paired { pair: Pair { access, lasting, refresh, refresh_lasts }, caller, name, .. } = paired;
    let Some(user) = &caller.principal.user else { return refused(Refusal::Unauthorised) };
    let tokens = match keeps {
        Keeps::Itself => Tokens { token: Some(access.expose()), access: Some(access.expose()), refresh: Some(refresh.expose()) },
        // Among these may be one that knows nothing but `token`.
        Keeps::InCookie { .. } | Keeps::Nowhere => Tokens { token: Some(lasting.expose()), access: Some(access.expose()), refresh: None },
    };
    let mut answer = json(200, login_body((user, name), &caller.principal, tokens, server.place()));
    if let Keeps::InCookie { secure } = keeps {
        answer.headers.push(("set-cookie", set_cookie(refresh.expose(), *refresh_lasts, secure)));
    }
    answer
}

/// The name and the password of a log-in, as JSON or as a form; `None`: there is no name.
fn typed(body: &[u8]) -> Option<(String, Secret)> {
    let (name, password) = if let Ok(fields) = serde_json::from_slice::<Value>(body) {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        (text("username"), text("password"))
    } else {
        let form = Query(std::str::from_utf8(body).ok()?);
        let text = |name: &str| form.get(name).map(std::borrow::Cow::into_owned);
        (text("username"), text("password"))
    };
    let name = name.filter(|name| !name.is_empty())?;
    Some((name, Secret::new(password.unwrap_or_default())))
}

/// Whether the body is called JSON: then a browser asks before it sends it for a page of another site.
fn is_json(request: &Request<'_>) -> bool {
    let kind = (request.header)("content-type").and_then(|kind| kind.split(';').next()).unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

fn cookie<'a>(request: &Request<'a>) -> Option<&'a str> {
    let cookies = (request.header)("cookie")?;
    let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(name, value)| (name == COOKIE && !value.is_empty()).then_some(value))
}

fn set_cookie(token: &str, lasts: Duration, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={token}; Max-Age={}; Path=/; HttpOnly; SameSite=Lax{secure}", lasts.as_secs())
}

fn error(words: &str) -> Answer {
    json(401, format!(r#"{{"error":"{words}"}}"#))
}

/// Whether a token that counts is an access token, whoever has made it. Its client has a refresh token, and would forget it
/// for a `token` of the older kind.
fn is_for_a_short_time(token: &str) -> bool {
    let payload = token.split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
    let claims: Option<Value> = payload.and_then(|payload| serde_json::from_slice(&payload).ok());
    claims.is_some_and(|claims| claims["type"] == "access")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Option<(String, String)> {
        typed(body.as_bytes()).map(|(name, password)| (name, password.expose().to_owned()))
    }

    #[test]
    fn a_log_in_is_read_as_json_or_as_a_form() {
        let both = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
        assert_eq!(read(r#"{"username":"bob","password":"p","more":[]}"#), both("bob", "p"));
        assert_eq!(read("username=b%20b&password=p%26+w"), both("b b", "p& w"));
        assert_eq!(read(r#"{"username":"bob"}"#), both("bob", ""), "it is tried, and refused");
        for none in ["", "{}", "[]", "null", r#"{"username":7,"password":"p"}"#, r#"{"username":"","password":"p"}"#, "password=p"] {
            assert_eq!(read(none), None, "{none}");
        }
        assert!(typed(b"\xff").is_none());
    }

    #[test]
    fn a_cookie_is_found_among_others_and_set_for_no_script() {
        let cookie_in = |cookies: Option<&'static str>| {
            let header = |name: &str| cookies.filter(|_| name == "cookie");
            cookie(&Request { path: "", query: "", header: &header, peer: None, address: None, secure: false, websocket: false })
                .map(str::to_owned)
        };
        assert_eq!(cookie_in(Some("a=1; refresh_token=x.y.z; b=2")).as_deref(), Some("x.y.z"));
        for none in [None, Some(""), Some("refresh_token="), Some("my_refresh_token=x"), Some("refresh_token")] {
            assert_eq!(cookie_in(none), None, "{none:?}");
        }
        let kept = set_cookie("x", Duration::from_secs(60), true);
        assert_eq!(kept, "refresh_token=x; Max-Age=60; Path=/; HttpOnly; SameSite=Lax; Secure");
    }

    #[test]
    fn an_access_token_is_told_from_all_others() {
        let of = |payload: &str| format!("e30.{}.AA", URL_SAFE_NO_PAD.encode(payload));
        assert!(is_for_a_short_time(&of(r#"{"type":"access"}"#)));
        for other in [&of(r#"{"type":"lasting"}"#), &of("{}"), "token-of-reader", "a.b.c", ""] {
            assert!(!is_for_a_short_time(other), "{other}");
        }
    }
}
