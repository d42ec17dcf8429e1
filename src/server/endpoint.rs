//! The dialects' plain endpoints as routes: who calls is found out here, what is answered is the dialect's business.

use actix_web::{HttpRequest, HttpResponse, http, web};

use super::{
    Doorkeeper, Shared, caller,
    doorkeeper::{Question, Unidentified},
    joins::hand_joins,
    mount::{header, plain, preflight, with_cors},
};
use crate::{
    access::{Authenticated, Caller},
    dialect::{Call, Callers, Cancelled, Endpoint, Method, Reaction, Refusal, Refused, Request},
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
                Method::Post => web::post(),
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
    let caller = if endpoint.callers == Callers::Anybody {
        None
    } else {
        match identified(shared, number, &request).await {
            Ok(caller) => Some(caller),
            Err(Unidentified::Unknown) => return refused(dialect.refuse(&request, Refusal::Unauthorised)),
            Err(Unidentified::TooMany(wait)) => return refused(dialect.refuse(&request, Refusal::TooManyAttempts(wait))),
            Err(Unidentified::Unavailable | Unidentified::Ask(_)) => return HttpResponse::ServiceUnavailable().finish(),
        }
    };
    let parts: Vec<String> = http.match_info().iter().map(|(_, part)| part.to_owned()).collect();
    let call = Call { endpoint, request: &request, parts: &parts, body: &[], caller: caller.as_ref(), state: &shared.state };
    let mut joins = Vec::new();
    let reaction = dialect.answer(&call, &mut joins);
    hand_joins(shared, joins);
    match (reaction, &caller) {
        (Reaction::Answer(answer), _) => plain(answer),
        (Reaction::Cancel(activity, says), Some(caller)) => plain(says(cancel(shared, &activity, &caller.principal).await)),
        (Reaction::Publish(..) | Reaction::LogIn(_) | Reaction::LogOut(_), _) => HttpResponse::NotImplemented().finish(),
        (Reaction::Cancel(..), None) => HttpResponse::Unauthorized().finish(), // nobody is no reason to stop anything
    }
}

async fn cancel(shared: &Shared, activity: &str, caller: &crate::access::Principal) -> Cancelled {
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
async fn identified(shared: &Shared, number: usize, request: &Request<'_>) -> Result<Caller, Unidentified> {
    let doorkeeper = &shared.doorkeeper;
    let dialect = doorkeeper.dialect(number);
    let token = dialect.token(request);
    let shown = (token.as_deref(), dialect.asks());
    let mut identified = doorkeeper.identify(shown, request.address, None);
    if let (Err(Unidentified::Ask(asked)), Some(token)) = (&identified, &token) {
        let answer = doorkeeper.ask(&Question::new(token, *asked)).await;
        identified = doorkeeper.identify(shown, request.address, Some(answer));
    }
    let Authenticated { principal, credential, .. } = identified?;
    if principal.may_open_streams() {
        Ok(Caller { principal, credential: Some(credential), device: None })
    } else {
        Err(Unidentified::Unknown)
    }
}
