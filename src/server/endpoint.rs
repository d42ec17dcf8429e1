//! The dialects' plain endpoints as routes: who calls is found out here, what is answered is the dialect's business.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, http, web};

use super::{
    Doorkeeper, Shared, caller,
    doorkeeper::{Question, Unidentified},
    mount::{header, plain, preflight, with_cors},
};
use crate::{
    access::Principal,
    dialect::{Call, Cancelled, Endpoint, Method, Reaction, Refusal, Refused, Request},
    source::{RequestError, Taken},
};

/// Every endpoint of every dialect; those of one path are methods of one resource.
pub(super) fn routes(config: &mut web::ServiceConfig, doorkeeper: &Doorkeeper) {
    let endpoints: Vec<_> = doorkeeper.endpoints().collect();
    for (at, (_, first)) in endpoints.iter().enumerate() {
        let path = first.path;
        if endpoints[..at].iter().any(|(_, endpoint)| endpoint.path == path) {
            continue;
        }
        let mut resource = web::resource(path).route(web::method(http::Method::OPTIONS).to(preflight));
        for (dialect, endpoint) in endpoints[at..].iter().filter(|(_, endpoint)| endpoint.path == path).copied() {
            let route = match endpoint.method {
                Method::Get => web::get(),
                Method::Delete => web::delete(),
            };
            resource = resource.route(route.to(move |request: HttpRequest, shared: web::Data<Shared>| async move {
                let response = answer(&request, &shared, dialect, endpoint).await;
                with_cors(response, &request, &shared)
            }));
        }
        config.service(resource);
    }
}

async fn answer(http: &HttpRequest, shared: &Shared, number: usize, endpoint: &'static Endpoint) -> HttpResponse {
    let doorkeeper = &shared.doorkeeper;
    let dialect = doorkeeper.dialect(number);
    let header = |name: &str| header(http, name);
    let request = Request {
        path: endpoint.path,
        websocket: false,
        query: http.query_string(),
        header: &header,
        peer: http.peer_addr(),
        address: caller::address(http, shared),
        secure: doorkeeper.is_secure(http.peer_addr(), header("x-forwarded-proto")),
    };
    let caller = if endpoint.open {
        None
    } else {
        match identified(shared, number, &request).await {
            Ok(caller) => Some(caller),
            Err(Unidentified::Unknown) => return refused(dialect.refuse(&request, Refusal::Unauthorised)),
            Err(Unidentified::TooMany(wait)) => return refused(dialect.refuse(&request, Refusal::TooManyAttempts(wait))),
            Err(Unidentified::Unavailable | Unidentified::Ask(_)) => return HttpResponse::ServiceUnavailable().finish(),
        }
    };
    let id = http.match_info().get("id").unwrap_or_default();
    match (dialect.answer(&Call { endpoint, request: &request, id, caller: caller.as_deref(), state: &shared.state }), &caller) {
        (Reaction::Answer(answer), _) => plain(answer),
        (Reaction::Cancel(activity, says), Some(caller)) => plain(says(cancel(shared, &activity, caller).await)),
        (Reaction::Cancel(..), None) => HttpResponse::Unauthorized().finish(), // nobody is no reason to stop anything
    }
}

async fn cancel(shared: &Shared, activity: &str, caller: &Principal) -> Cancelled {
    match shared.requests.cancel_activity(activity, caller).await {
        Ok(Taken::Obeyed | Taken::PassedOn) => Cancelled::Taken,
        Err(RequestError::Unknown) => Cancelled::Unknown,
        Err(RequestError::NotAllowed) => Cancelled::NotAllowed,
        Err(RequestError::NotCancellable) => Cancelled::NotCancellable,
        Err(RequestError::Publish(_) | RequestError::Field(_)) => Cancelled::Busy,
    }
}

fn refused(refused: Refused) -> HttpResponse {
    match refused {
        Refused::Answer(answer) => plain(answer),
        Refused::Close(_) => HttpResponse::Unauthorized().finish(), // only a WebSocket is closed, and none was asked for
    }
}

/// Who calls, by the dialect's own credentials. Who may not open its streams learns nothing here either.
async fn identified(shared: &Shared, number: usize, request: &Request<'_>) -> Result<Arc<Principal>, Unidentified> {
    let doorkeeper = &shared.doorkeeper;
    let dialect = doorkeeper.dialect(number);
    let token = dialect.token(request);
    let shown = (token.as_deref(), dialect.asks());
    let mut identified = doorkeeper.identify(shown, request.address, None);
    if let (Err(Unidentified::Ask(asked)), Some(token)) = (&identified, &token) {
        let answer = doorkeeper.ask(&Question::new(token, *asked)).await;
        identified = doorkeeper.identify(shown, request.address, Some(answer));
    }
    let principal = identified?.principal;
    if principal.may_open_streams() { Ok(principal) } else { Err(Unidentified::Unknown) }
}
