//! Engine.IO's requests: sessions begun by polling, their GETs and POSTs, and the WebSockets that take over.
//!
//! A request may arrive at any worker. The name it shows leads to the session, on the worker where that began; what the request
//! brings is passed there, and answered from there (wire notes on Socket.IO, sections 2 to 6).

mod homes;

use std::{
    convert::Infallible,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode, header::HeaderName},
    web,
};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::oneshot;

pub(super) use homes::{Home, Homes};

use super::{
    Shared, caller,
    doorkeeper::{Admitted, Decision, Doorkeeper},
    mount::{self, header, plain, with_cors},
    opening,
    publish::read_body,
    worker::Worker,
};
use crate::{
    connection::{Moving, PollAnswer, PostAnswer, RelayEnds},
    dialect::{Answer, Refused, Request, Transport},
    engineio::{Asked, Carrier, Fault, Settings, Sid, asked, payload},
    metrics::Rejection,
    session::Carry,
    websocket::handshake::Wanted,
};

/// How Engine.IO is spoken at a path, and the number of its dialect.
pub(super) type Spoken<'p> = (usize, Settings, &'p str);

/// Answers a request to an Engine.IO path, whatever its method.
pub(super) async fn serve(http: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    if http.method() == Method::OPTIONS {
        return mount::preflight(http, shared).await;
    }
    let is_websocket = mount::asks_for_websocket(&http);
    let Some((number, settings, path)) = shared.doorkeeper.engine_io_at(http.path()) else {
        return HttpResponse::NotFound().finish(); // the guard has found it
    };
    let answer = match asked(http.query_string(), http.method() == Method::GET, is_websocket) {
        Err(fault) => refused(fault),
        Ok(Asked::Open(Carrier::WebSocket)) => return mount::stream(&http, payload, &shared).await,
        Ok(Asked::Open(Carrier::Polling)) => return open(&http, &shared, (number, settings, path)).await,
        Ok(Asked::Session(sid, Carrier::Polling)) => match shared.doorkeeper.homes().find(sid) {
            None => refused(Fault::UnknownSid),
            Some(home) if http.method() == Method::GET => poll(&home).await,
            Some(home) if http.method() == Method::POST => post(&http, payload, &shared, (home, settings)).await,
            Some(_) => refused(Fault::BadRequest),
        },
        Ok(Asked::Session(sid, Carrier::WebSocket)) => match shared.doorkeeper.homes().find(sid) {
            None => refused(Fault::UnknownSid),
            Some(home) => return take_over(&http, payload, &home).await,
        },
    };
    with_cors(answer, &http, &shared)
}

/// Begins a session; this request is its first GET.
async fn open(http: &HttpRequest, shared: &web::Data<Shared>, (number, settings, path): Spoken<'_>) -> HttpResponse {
    let Some(worker) = Worker::current() else { return HttpResponse::ServiceUnavailable().finish() };
    let (came, doorkeeper) = (Instant::now(), &shared.doorkeeper);
    let header = |name: &str| header(http, name);
    let request = Request {
        path,
        websocket: false,
        query: http.query_string(),
        header: &header,
        peer: http.peer_addr(),
        address: caller::address(http, shared),
        secure: doorkeeper.is_secure(http.peer_addr(), header("x-forwarded-proto")),
    };
    let mut decision = doorkeeper.admit(number, &request, None);
    if let Decision::Ask(question) = &decision {
        let answer = doorkeeper.ask(question).await;
        decision = doorkeeper.admit(number, &request, Some(answer));
    }
    match decision {
        Decision::Admit(admitted) => begin(Admitted { came, ..*admitted }, shared, &worker, &settings).await,
        Decision::Refuse(Refused::Answer(answer)) | Decision::RefuseAgain(Refused::Answer(answer)) => plain(answer),
        Decision::Refuse(Refused::Close(_)) | Decision::RefuseAgain(Refused::Close(_)) | Decision::Ask(_) => {
            HttpResponse::ServiceUnavailable().finish()
        }
    }
}

async fn begin(mut admitted: Admitted, shared: &Shared, worker: &Worker, settings: &Settings) -> HttpResponse {
    let Transport::Polling(sid) = admitted.opening.transport else {
        return HttpResponse::ServiceUnavailable().finish(); // a dialect that begins something else cannot be polled
    };
    // Its requests come on many sockets; none of them is the client's.
    admitted.details = admitted.details.without_peer();
    let headers = std::mem::take(&mut admitted.opening.headers);
    let dialect = shared.doorkeeper.dialect(admitted.dialect);
    let (homes, timeout) = (Arc::clone(shared.doorkeeper.homes()), settings.upgrade_timeout);
    let is_somebodys = Arc::<AtomicBool>::default();
    let polled = opening::Polled { keeps: homes.keep(sid), upgrade_timeout: timeout, is_somebodys: Arc::clone(&is_somebodys) };
    let begun = opening::begin_polled(admitted, dialect, worker.hub(), (&shared.session_settings(), polled));
    let Some(carry) = begun else { return HttpResponse::ServiceUnavailable().finish() };
    let home = homes.insert(sid, carry, is_somebodys);
    let mut response = poll(&home).await;
    for (name, value) in headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}

/// A GET: answered when there is something to say.
async fn poll(home: &Home) -> HttpResponse {
    let (answer, answered) = oneshot::channel::<PollAnswer>();
    if !home.send(Carry::Poll(answer)).await {
        return refused(Fault::UnknownSid);
    }
    match answered.await {
        Ok(Ok(packets)) => said("text/plain; charset=UTF-8", packets),
        Ok(Err(fault)) => refused(fault),
        Err(_) => refused(Fault::UnknownSid), // the session has gone meanwhile
    }
}

/// A POST: answered when its packets have been read.
async fn post(http: &HttpRequest, body: web::Payload, shared: &Shared, (home, settings): (Home, Settings)) -> HttpResponse {
    let Some(_posting) = home.begin_post() else {
        return break_off(&home, "two POSTs at a time").await;
    };
    if header(http, "content-type").is_some_and(|kind| kind.starts_with("application/octet-stream")) {
        return break_off(&home, "a body of bytes").await;
    }
    let body = match read_body(body, settings.payload(home.is_somebodys()), shared.limits().body_deadline).await {
        Ok(body) => body,
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => return HttpResponse::PayloadTooLarge().finish(),
        Err(error) => return error,
    };
    let mut frames = Vec::with_capacity(body.len() + 16);
    if payload::frames_of(&body, &mut frames).is_err() {
        return break_off(&home, "no packets in a POST").await;
    }
    let (answer, answered) = oneshot::channel::<PostAnswer>();
    if !home.send(Carry::Post(frames, answer)).await {
        return refused(Fault::UnknownSid);
    }
    match answered.await {
        Ok(Ok(())) => said("text/html", Bytes::from_static(b"ok")),
        Ok(Err(fault)) => refused(fault),
        Err(_) => refused(Fault::UnknownSid), // the session has gone meanwhile
    }
}

/// A WebSocket on a connection that has had requests before, as one of aiohttp's has. Its socket stays with the HTTP server;
/// what is said either way is passed on.
async fn take_over(http: &HttpRequest, payload: web::Payload, home: &Home) -> HttpResponse {
    let wanted = mount::wanted(http);
    if let Some(answer) = opening::not_a_handshake(&wanted) {
        return plain(answer);
    }
    let Wanted::WebSocket { accept } = wanted else { return refused(Fault::BadRequest) };
    let (moving, RelayEnds { to_client, from_client }) = Moving::relay();
    if !home.send(Carry::TakeOver(Box::new(moving))).await {
        return refused(Fault::UnknownSid);
    }
    actix_rt::spawn(async move {
        let mut said = std::pin::pin!(mount::said(payload));
        while let Some(bytes) = said.next().await {
            if from_client.send(bytes).await.is_err() {
                return; // the session has gone
            }
        }
    });
    let told = futures_util::stream::unfold(to_client, |mut to_client| async move {
        let bytes = to_client.recv().await?;
        Some((Ok::<_, Infallible>(bytes), to_client))
    });
    mount::switching(&accept).insert_header(("access-control-allow-origin", "*")).streaming(told)
}

async fn break_off(home: &Home, reason: &'static str) -> HttpResponse {
    home.send(Carry::Break(reason)).await;
    refused(Fault::BadRequest)
}

fn said(kind: &'static str, body: Bytes) -> HttpResponse {
    HttpResponse::Ok().insert_header(("content-type", kind)).insert_header(("cache-control", "no-store")).body(body)
}

fn refused(fault: Fault) -> HttpResponse {
    plain(Answer { status: fault.status(), headers: vec![("content-type", "application/json".to_owned())], body: fault.body().into() })
}

/// How a request for a WebSocket is refused that the front door has read.
pub(super) fn refused_websocket(doorkeeper: &Doorkeeper, number: usize, request: &Request<'_>, fault: Fault) -> Refused {
    let headers = vec![("content-type", "text/html".to_owned())];
    let answer = Answer { status: fault.status(), headers, body: Bytes::from_static(fault.message().as_bytes()) };
    doorkeeper.say_no(number, request, Rejection::Malformed, Refused::Answer(answer))
}

/// What the front door does with a GET to an Engine.IO path.
pub(super) enum AtTheDoor {
    /// A WebSocket begins a session.
    Open,
    /// A WebSocket wants to take over that session.
    TakeOver(Sid),
    /// It makes no sense.
    Refuse(Fault),
    /// Not the door's.
    Other,
}

/// Looks at a GET to an Engine.IO path.
pub(super) fn at_the_door(query: &str, is_websocket: bool) -> AtTheDoor {
    match asked(query, true, is_websocket) {
        _ if !is_websocket => AtTheDoor::Other,
        Ok(Asked::Session(sid, _)) => AtTheDoor::TakeOver(sid),
        Ok(Asked::Open(_)) => AtTheDoor::Open,
        Err(fault) => AtTheDoor::Refuse(fault),
    }
}
