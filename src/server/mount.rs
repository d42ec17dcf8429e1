//! Endpoints become routes here, and only here: what the dialects and the engine offer, as one actix-web `App`.
//!
//! Names no dialect. The App serves what the front door passes on: publishing, administration, and streams that come as a
//! later request on a kept-alive connection.

use std::{
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use actix::Actor;
use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    body::{BodySize, MessageBody},
    http::{StatusCode, header::HeaderName},
    web,
};
use bytes::Bytes;

use super::{Shared, api, caller, doorkeeper::Decision, endpoint, ops, publish, start_page, worker::Worker};
use crate::{
    connection::{BodyOutlet, Connection, Outlet},
    dialect::{Answer, Request},
    hub::{HubHandle, Join},
    session::Session,
};

/// Every route of the main listener.
pub(super) fn routes(config: &mut web::ServiceConfig, shared: &Arc<Shared>) {
    for (dialect, path) in shared.doorkeeper.stream_paths() {
        config.service(
            web::resource(path)
                .route(
                    web::get()
                        .to(move |request: HttpRequest, shared: web::Data<Shared>| async move { stream(&request, &shared, dialect).await }),
                )
                .route(web::method(actix_web::http::Method::OPTIONS).to(preflight)),
        );
    }
    config
        .service(
            web::resource("/api/events")
                .route(web::post().to(publish::events))
                .route(web::method(actix_web::http::Method::OPTIONS).to(preflight)),
        )
        .configure(api::routes)
        .configure(|config| start_page::routes(config, &shared.doorkeeper))
        .configure(|config| endpoint::routes(config, &shared.doorkeeper))
        .configure(ops::health_routes);
}

/// A stream through a response body: the same session, another outlet.
async fn stream(http: &HttpRequest, shared: &Shared, dialect: usize) -> HttpResponse {
    let Some(worker) = Worker::current() else { return HttpResponse::ServiceUnavailable().finish() };
    let doorkeeper = &shared.doorkeeper;
    let header = |name: &str| header(http, name);
    let request = Request {
        query: http.query_string(),
        header: &header,
        peer: http.peer_addr(),
        address: caller::address(http, shared),
        secure: doorkeeper.is_secure(http.peer_addr(), header("x-forwarded-proto")),
    };
    let mut decision = doorkeeper.admit(dialect, &request, None);
    if let Decision::Ask(token) = decision {
        let answer = doorkeeper.ask(&token).await;
        decision = doorkeeper.admit(dialect, &request, Some(answer));
    }
    let admitted = match decision {
        Decision::Admit(admitted) => *admitted,
        Decision::Refuse(answer) => return plain(answer),
        Decision::Ask(_) => return HttpResponse::ServiceUnavailable().finish(), // an answer was given: it is not asked twice
    };
    let mut response = HttpResponse::Ok();
    for (name, value) in &admitted.opening.headers {
        response.insert_header((*name, value.as_str()));
    }
    let body = Rc::new(BodyOutlet::default());
    let join = Join::from_admitted(admitted, Outlet::body(Rc::clone(&body)), Bytes::new());
    let Some(connection) = worker.hub().join(join) else { return HttpResponse::Unauthorized().finish() };
    Session::new(Rc::clone(&connection), worker.hub().clone(), shared.session_mailbox).start();
    response.body(StreamBody { body, connection, hub: worker.hub().clone() })
}

/// A header that appears once and is text.
pub(super) fn header<'r>(request: &'r HttpRequest, name: &str) -> Option<&'r str> {
    let mut values = request.headers().get_all(name);
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    value.to_str().ok()
}

pub(super) fn plain(answer: Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponseBuilder::new(status);
    for (name, value) in answer.headers {
        response.append_header((name, value));
    }
    response.body(answer.body)
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
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(HeaderName::from_static(name), value);
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
    type Error = std::convert::Infallible;

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
