//! The dialects' plain endpoints as routes: who calls is found out here, what is answered is the dialect's business.

use std::{rc::Rc, time::Duration};

use actix_web::{HttpMessage, HttpRequest, HttpResponse, guard, http, web};
use bytes::Bytes;

use super::{
    Doorkeeper, Shared, caller,
    doorkeeper::{Question, Unidentified},
    joins::hand_joins,
    log_in,
    matcher::{Found, Matcher, allowed, name},
    mount::{header, plain, preflight, with_cors},
    publish::{problem, read_body},
};
use crate::{
    access::{Caller, Principal},
    dialect::{Call, Callers, Cancelled, Endpoint, Joins, Method, Reaction, Refusal, Refused, Request},
    event::{Audience, Event},
    shard::Submission,
    source::{RequestError, Taken},
};

/// Every path: which of them is an endpoint's the matcher says.
const ANY_PATH: &str = "/{path:.*}";
/// The longest body of somebody who has not shown who he is.
const STRANGERS_BYTES: usize = 64 << 10;
/// How long there may be no room for what a call publishes.
const PATIENCE: Duration = Duration::from_secs(1);

/// Every endpoint of every dialect. What else is routed must be routed before.
pub(super) fn routes(config: &mut web::ServiceConfig, doorkeeper: &Doorkeeper) {
    let matcher = Rc::new(Matcher::new(doorkeeper.dialects()));
    let is_found = guard::fn_guard(move |context| {
        let found = matcher.find(context.head().uri.path());
        let is_found = !found.is_empty();
        if is_found {
            context.req_data_mut().insert(found);
        }
        is_found
    });
    config.service(web::resource(ANY_PATH).guard(is_found).route(web::route().to(call)));
}

/// Answers a call of whatever method.
async fn call(http: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let found = http.extensions_mut().remove::<Vec<Found>>().unwrap_or_default();
    if http.method() == http::Method::OPTIONS {
        return preflight(http, shared).await;
    }
    match found.iter().find(|found| name(found.endpoint.method) == http.method().as_str()) {
        Some(found) => with_cors(answer(&http, payload, &shared, found).await, &http, &shared),
        None => HttpResponse::MethodNotAllowed().insert_header(("allow", allowed(&found))).finish(),
    }
}

async fn answer(http: &HttpRequest, payload: web::Payload, shared: &web::Data<Shared>, found: &Found) -> HttpResponse {
    let Found { dialect: number, endpoint, parts } = found;
    let dialect = shared.doorkeeper.dialect(*number);
    let secure = shared.doorkeeper.is_secure(http.peer_addr(), header(http, "x-forwarded-proto"));
    let cookies_count = shared.doorkeeper.cookies_count(|name| header(http, name), secure);
    let header = |name: &str| header(http, name).filter(|_| cookies_count || name != "cookie");
    let request = Request {
        path: endpoint.path,
        websocket: false,
        query: http.query_string(),
        header: &header,
        peer: http.peer_addr(),
        address: caller::address(http, shared),
        secure,
    };
    let caller = match identified(shared, *number, &request, endpoint.callers).await {
        Ok(caller) => caller,
        Err(Unidentified::Unknown | Unidentified::Disabled) => return refused(dialect.refuse(&request, Refusal::Unauthorised)),
        Err(Unidentified::TooMany(wait)) => return refused(dialect.refuse(&request, Refusal::TooManyAttempts(wait))),
        Err(Unidentified::Unavailable | Unidentified::Ask(_)) => return HttpResponse::ServiceUnavailable().finish(),
    };
    // Read only now: somebody with a bad token is not listened to any further.
    let body = match body(http, payload, shared, (endpoint, caller.is_some())).await {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    let mut joins = Joins::new();
    let call = Call { endpoint, request: &request, parts, body: &body, cookies_count, caller: caller.as_ref(), state: &shared.state };
    let reaction = dialect.answer(&call, &mut joins);
    hand_joins(shared, joins);
    match (reaction, &caller) {
        (Reaction::Answer(answer), _) => plain(answer),
        (Reaction::Publish(events, answer), _) => publish(shared, events).await.map_or_else(|busy| busy, |()| plain(answer)),
        (Reaction::Cancel(activity, says), Some(caller)) => plain(says(cancel(shared, &activity, &caller.principal).await)),
        (Reaction::LogIn(log_in), _) => plain(log_in::log_in(shared, *log_in, request.address).await),
        (Reaction::LogOut(answer), caller) => {
            log_in::log_out(shared, caller.as_ref()).await;
            plain(answer)
        }
        (Reaction::LogInForPair(log_in), _) => plain(log_in::log_in_for_pair(shared, *log_in, request.address).await),
        (Reaction::Renew(renew), _) => plain(log_in::renew(shared, *renew, request.address).await),
        (Reaction::EndLogIns(tokens, answer), _) => {
            log_in::end_log_ins(shared, tokens).await;
            plain(answer)
        }
        (Reaction::Cancel(..), None) => HttpResponse::Unauthorized().finish(), // nobody is no reason to stop anything
    }
}

/// Who calls, by the dialect's own credentials; `None` where the endpoint does not need to know. Who may not open its
/// streams learns nothing here either.
async fn identified(shared: &Shared, number: usize, request: &Request<'_>, callers: Callers) -> Result<Option<Caller>, Unidentified> {
    let doorkeeper = &shared.doorkeeper;
    let dialect = doorkeeper.dialect(number);
    let token = match callers {
        Callers::Anybody => return Ok(None),
        Callers::KnownOrNot | Callers::Known => dialect.token(request),
    };
    if token.is_none() && callers == Callers::KnownOrNot {
        return Ok(None);
    }
    let shown = (token.as_deref(), dialect.asks());
    let mut identified = doorkeeper.identify(shown, request.address, None);
    if let (Err(Unidentified::Ask(asked)), Some(token)) = (&identified, &token) {
        let answer = doorkeeper.ask(&Question::new(token, *asked)).await;
        identified = doorkeeper.identify(shown, request.address, Some(answer));
    }
    let authenticated = identified?;
    if authenticated.principal.may_open_streams() { Ok(Some(authenticated.into_caller())) } else { Err(Unidentified::Unknown) }
}

/// The body of a call that has one.
async fn body(
    http: &HttpRequest,
    payload: web::Payload,
    shared: &Shared,
    (endpoint, is_known): (&Endpoint, bool),
) -> Result<Bytes, HttpResponse> {
    if endpoint.method != Method::Post {
        return Ok(Bytes::new());
    }
    if header(http, "content-encoding").is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(HttpResponse::UnsupportedMediaType().json(problem(415, "an encoded body is not accepted")));
    }
    let limit = if is_known { shared.limits().body_bytes } else { shared.limits().body_bytes.min(STRANGERS_BYTES) };
    read_body(payload, limit, shared.limits().body_deadline).await
}

/// Publishes what a call leads to: all of it, or the answer says that there was no room.
async fn publish(shared: &Shared, events: Vec<(Event, Audience)>) -> Result<(), HttpResponse> {
    let busy = || HttpResponse::ServiceUnavailable().insert_header(("retry-after", "1")).finish();
    let _under_way = shared.drain.enter().ok_or_else(busy)?;
    let submission = |(event, audience)| Submission { event, audience, id: None, source: None };
    let answers = shared.publisher.publish_patiently(events.into_iter().map(submission).collect(), PATIENCE).await;
    if answers.iter().all(Result::is_ok) { Ok(()) } else { Err(busy()) }
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
