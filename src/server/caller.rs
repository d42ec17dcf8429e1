//! Who makes a call under `/api/`: by `Authorization: Bearer` alone, so that no page can have a browser make one.

use std::{net::IpAddr, sync::Arc, time::Duration};

use actix_web::{HttpRequest, HttpResponse};

use super::{
    Shared,
    doorkeeper::{Question, Unidentified},
    mount::header,
    publish::problem,
};
use crate::access::{Asked, Authenticated, Principal};

/// Why a call is refused before it is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Denied {
    /// No credentials that count.
    Unknown,
    /// The address has shown too many bad tokens, and must wait so long.
    TooMany(Duration),
    /// Whoever may know the token cannot be asked.
    Unavailable,
    /// Somebody who is no administrator.
    NoAdministrator,
}

impl Denied {
    pub(super) fn answer(&self) -> HttpResponse {
        match self {
            // One wording for all of them: it must not tell which tokens there are.
            Self::Unknown => HttpResponse::Unauthorized()
                .insert_header(("www-authenticate", "Bearer"))
                .json(problem(401, "a token is needed; this one is missing, unknown, expired or revoked")),
            Self::TooMany(wait) => HttpResponse::TooManyRequests()
                .insert_header(("retry-after", wait.as_secs().max(1).to_string()))
                .json(problem(429, "too many bad tokens from this address; wait and use a good one")),
            Self::Unavailable => HttpResponse::ServiceUnavailable()
                .insert_header(("retry-after", "1"))
                .json(problem(503, "whoever knows this token cannot be asked now")),
            Self::NoAdministrator => HttpResponse::Forbidden().json(problem(403, "only for administrators")),
        }
    }
}

/// Who calls.
pub(super) async fn caller(request: &HttpRequest, shared: &Shared) -> Result<Authenticated, Denied> {
    let doorkeeper = &shared.doorkeeper;
    let (token, address) = (bearer(request), address(request, shared));
    let shown = (token, Asked::Callback);
    let mut identified = doorkeeper.identify(shown, address, None);
    if let (Err(Unidentified::Ask(asked)), Some(token)) = (&identified, token) {
        let answer = doorkeeper.ask(&Question::new(token, *asked)).await;
        identified = doorkeeper.identify(shown, address, Some(answer));
    }
    identified.map_err(|why| match why {
        Unidentified::Unknown | Unidentified::Disabled => Denied::Unknown,
        Unidentified::TooMany(wait) => Denied::TooMany(wait),
        Unidentified::Unavailable | Unidentified::Ask(_) => Denied::Unavailable,
    })
}

/// The principal who calls, who must be an administrator.
pub(super) async fn administrator(request: &HttpRequest, shared: &Shared) -> Result<Arc<Principal>, Denied> {
    let Authenticated { principal, .. } = caller(request, shared).await?;
    if principal.admin { Ok(principal) } else { Err(Denied::NoAdministrator) }
}

/// The client's address, through the proxies that are believed.
pub(super) fn address(request: &HttpRequest, shared: &Shared) -> Option<IpAddr> {
    let lines: Vec<&[u8]> = request.headers().get_all("x-forwarded-for").map(|line| line.as_bytes()).collect();
    shared.doorkeeper.address(request.peer_addr(), lines.into_iter())
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    let (scheme, token) = header(request, "authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
