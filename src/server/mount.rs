//! Endpoints become routes here, and only here: what the dialects and the engine offer, as one actix-web `App`.
//!
//! Names no dialect. The App serves what the front door passes on: publishing, administration, and streams that come as a
//! later request on a kept-alive connection.

use std::{
    convert::Infallible,
    future::ready,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    body::{BodySize, MessageBody},
    dev::{RequestHead, Service, ServiceRequest, ServiceResponse},
    guard::{self, GuardContext},
    http::{
        Method, StatusCode, Version,
        header::{HeaderName, HeaderValue, UPGRADE},
    },
    web,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::{
    Shared, api, caller, console,
    doorkeeper::{Admitted, Decision},
    endpoint, engine_io, opening, ops, paths, publish, start_page,
    worker::Worker,
};
use crate::{
    connection::{BodyOutlet, Connection, Outlet},
    dialect::{self, Answer, Refusal, Refused, Request},
    hub::HubHandle,
    metrics::Rejection,
    websocket::{
        frame,
        handshake::{self, Wanted},
    },
};

/// Every path: which of them is a stream the doorkeeper says.
const ANY_PATH: &str = "/{path:.*}";

/// Every route of the main listener.
pub(super) fn routes(config: &mut web::ServiceConfig, shared: &Arc<Shared>) {
    config
        .service(web::resource("/api/events").route(web::post().to(publish::events)).route(web::method(Method::OPTIONS).to(preflight)))
        .configure(api::routes)
        .configure(|config| streams(config, shared)) // before whatever else `/` may be
        .configure(|config| start_page::routes(config, &shared.doorkeeper))
        .configure(console::routes)
        .configure(ops::health_routes)
        .configure(|config| endpoint::routes(config, &shared.doorkeeper));
}

/// Nobody looks for what cannot be there.
pub(super) fn refuse_long_paths<S>(request: ServiceRequest, routes: &S) -> impl Future<Output = Result<ServiceResponse, S::Error>> + use<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse>,
{
    let found = if request.path().len() > paths::LONGEST {
        Err(request.into_response(HttpResponse::NotFound().finish()))
    } else {
        Ok(routes.call(request))
    };
    async move {
        match found {
            Ok(answer) => answer.await,
            Err(refused) => Ok(refused),
        }
    }
}

/// Every stream endpoint, wherever the front door finds it too.
fn streams(config: &mut web::ServiceConfig, shared: &Arc<Shared>) {
    let doorkeeper = Arc::clone(&shared.doorkeeper);
    let is_engine_io = move |context: &GuardContext<'_>| doorkeeper.engine_io_at(context.head().uri.path()).is_some();
    config.service(web::resource(ANY_PATH).guard(guard::fn_guard(is_engine_io)).route(web::route().to(engine_io::serve)));
    let doorkeeper = Arc::clone(&shared.doorkeeper);
    let is_stream = move |context: &GuardContext<'_>| {
        let head = context.head();
        doorkeeper.stream_at(head.uri.path(), wants_websocket(head)).is_some()
    };
    let open =
        |request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>| async move { stream(&request, payload, &shared).await };
    let preflighted = web::method(Method::OPTIONS).to(preflight);
    config.service(web::resource(ANY_PATH).guard(guard::fn_guard(is_stream)).route(web::get().to(open)).route(preflighted));
}

/// Whether a WebSocket is asked for, however badly.
pub(super) fn asks_for_websocket(http: &HttpRequest) -> bool {
    wants_websocket(http.head())
}

fn wants_websocket(head: &RequestHead) -> bool {
    let lists = |line: &HeaderValue| line.to_str().is_ok_and(|list| handshake::holds(list, "websocket"));
    head.method == Method::GET && head.version == Version::HTTP_11 && head.headers.get_all(UPGRADE).any(lists)
}

/// A stream through a response body: the same session, another outlet.
pub(super) async fn stream(http: &HttpRequest, payload: web::Payload, shared: &Shared) -> HttpResponse {
    let Some(worker) = Worker::current() else { return HttpResponse::ServiceUnavailable().finish() };
    let (came, doorkeeper) = (Instant::now(), &shared.doorkeeper);
    let header = |name: &str| header(http, name);
    let wanted = wanted(http);
    if let Some(answer) = opening::not_a_handshake(&wanted) {
        return plain(answer);
    }
    let accept = if let Wanted::WebSocket { accept } = wanted { Some(accept) } else { None };
    let Some((dialect, path)) = doorkeeper.stream_at(http.uri().path(), accept.is_some()) else {
        return HttpResponse::NotFound().finish(); // the guard has found it
    };
    let request = Request {
        path,
        websocket: accept.is_some(),
        query: http.query_string(),
        header: &header,
        peer: http.peer_addr(),
        address: caller::address(http, shared),
        secure: doorkeeper.is_secure(http.peer_addr(), header("x-forwarded-proto")),
    };
    let mut decision = doorkeeper.admit(dialect, &request, None);
    if let Decision::Ask(question) = &decision {
        let answer = doorkeeper.ask(question).await;
        decision = doorkeeper.admit(dialect, &request, Some(answer));
    }
    match decision {
        Decision::Admit(admitted) => {
            begin(Admitted { came, ..*admitted }, accept.as_deref(), payload, shared, &worker).unwrap_or_else(|| {
                let refused = doorkeeper.refuse(dialect, &request, Rejection::Unavailable, Refusal::Full);
                refuse(refused, accept.as_deref())
            })
        }
        Decision::Refuse(refused) | Decision::RefuseAgain(refused) => refuse(refused, accept.as_deref()),
        Decision::Ask(_) => HttpResponse::ServiceUnavailable().finish(), // an answer was given: it is not asked twice
    }
}

/// Whether a WebSocket is asked for, and how well.
pub(super) fn wanted(http: &HttpRequest) -> Wanted {
    if http.version() == Version::HTTP_11 {
        handshake::wanted(&|name| header(http, name), &|name, word| lists(http, name, word))
    } else {
        Wanted::Nothing
    }
}

/// `None`: the hub was lost over it.
fn begin(admitted: Admitted, accept: Option<&str>, payload: web::Payload, shared: &Shared, worker: &Worker) -> Option<HttpResponse> {
    let accept = accept.filter(|_| admitted.opening.transport == dialect::Transport::WebSocket);
    let (mut response, body) = match accept {
        Some(accept) => (switching(accept), BodyOutlet::with_inbound(Box::pin(said(payload)))),
        None => (HttpResponse::Ok(), BodyOutlet::default()),
    };
    for (name, value) in &admitted.opening.headers {
        response.insert_header((*name, value.as_str()));
    }
    let body = Rc::new(body);
    let (outlet, dialect) = (Outlet::body(Rc::clone(&body)), shared.doorkeeper.dialect(admitted.dialect));
    let connection = opening::begin(admitted, (outlet, Bytes::new()), dialect, worker.hub(), &shared.session_settings())?;
    Some(response.body(StreamBody { body, connection, hub: worker.hub().clone() }))
}

/// What a client says, until it is gone.
pub(super) fn said(payload: web::Payload) -> impl Stream<Item = Bytes> {
    payload.take_while(|bytes| ready(bytes.is_ok())).filter_map(|bytes| ready(bytes.ok()))
}

/// Says no: with an answer, or on a WebSocket that is closed as it opens.
fn refuse(refused: Refused, accept: Option<&str>) -> HttpResponse {
    match (refused, accept) {
        (Refused::Answer(answer), _) => plain(answer),
        (Refused::Close(code), Some(accept)) => {
            let close: Result<_, Infallible> = Ok(frame::close(code, ""));
            switching(accept).streaming(futures_util::stream::iter([close]))
        }
        (Refused::Close(_), None) => HttpResponse::ServiceUnavailable().finish(), // no dialect closes what was not asked for
    }
}

pub(super) fn switching(accept: &str) -> HttpResponseBuilder {
    let mut response = HttpResponse::SwitchingProtocols();
    response.upgrade("websocket");
    response.insert_header(("sec-websocket-accept", accept));
    response
}

/// The value of a header; one that is no text, or appears twice, counts as empty: it is there, and says nothing.
pub(super) fn header<'r>(request: &'r HttpRequest, name: &str) -> Option<&'r str> {
    let mut values = request.headers().get_all(name);
    let value = values.next()?;
    Some(if values.next().is_some() { "" } else { value.to_str().unwrap_or_default() })
}

pub(super) fn plain(answer: Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponseBuilder::new(status);
    for (name, value) in answer.headers {
        response.append_header((name, value));
    }
    response.body(answer.body)
}

/// Whether one of a header's lines, lists all of them, holds the word.
fn lists(request: &HttpRequest, name: &str, word: &str) -> bool {
    request.headers().get_all(name).filter_map(|line| line.to_str().ok()).any(|list| handshake::holds(list, word))
}

/// Browsers ask first when a request carries `Authorization` or `Last-Event-ID`.
pub(super) async fn preflight(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    let mut response = HttpResponse::NoContent();
    for (name, value) in shared.doorkeeper.preflight(header(&request, "origin")) {
        response.append_header((name, value));
    }
    response.finish()
}

/// An answer that pages of other origins may read.
pub(super) fn with_cors(mut response: HttpResponse, request: &HttpRequest, shared: &Shared) -> HttpResponse {
    for (name, value) in shared.doorkeeper.cors(header(request, "origin")) {
        // An origin is one of the settings, and was checked there.
        let Ok(value) = value.parse() else { continue };
        match name {
            "vary" => response.headers_mut().append(HeaderName::from_static(name), value), // beside what it has already
            _ => _ = response.headers_mut().insert(HeaderName::from_static(name), value),
        }
    }
    response
}

/// What the HTTP server pulls from a session's body outlet.
struct StreamBody {
    body: Rc<BodyOutlet>,
    connection: Rc<Connection>,
    hub: HubHandle,
}

impl MessageBody for StreamBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let chunk = std::task::ready!(self.body.poll_chunk(cx));
        if chunk.is_some() {
            self.hub.chunk_taken(&self.connection);
        }
        Poll::Ready(chunk.map(Ok))
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        self.body.close(); // the session's task sees it and leaves the hub
    }
}
