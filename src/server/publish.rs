//! `POST /api/events`: the HTTP side of publishing. What a body means is decided in `source`.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    body::{BodySize, MessageBody},
    http::StatusCode,
    web,
};
use bytes::{Bytes, BytesMut};
use futures_util::{
    FutureExt, StreamExt,
    future::{Either, select},
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};

use super::{
    Shared,
    api::{EventForm, NothingPublished, Problem, Refused},
    caller::caller,
    mount::{header, with_cors},
};
use crate::{
    access::{Authenticated, PublishRights},
    metrics::PublishRefusal,
    source::{Answer, Publishing},
};

/// Answer lines that may wait for the client to read them; then its body is not read on.
const LINES_AHEAD: usize = 8;
/// Seconds after which a publisher may ask a stopping server again: by then its successor may run.
const STOPPING_RETRY: &str = "5";

/// Bytes a second a body must arrive at in the long run; slower than the slowest modem.
const SLOWEST: usize = 1024;

/// Publishes what the body holds.
#[utoipa::path(
    post, path = "/api/events", tag = "events", summary = "Publishes: one event, a batch, or lines",
    request_body(
        content((EventForm = "application/json"), (EventForm = "application/cloudevents+json"), (Vec<EventForm> = "application/cloudevents-batch+json"), (String = "application/x-ndjson")),
        description = "CloudEvents 1.0; in everyday use only `type` and `data`",
    ),
    responses(
        (status = 200, description = "Accepted: id and order; of a batch or lines, an answer for each"),
        (status = 207, description = "Some of a batch were accepted"),
        (status = 400, description = "It cannot be parsed", body = Problem),
        (status = 413, description = "Too large", body = Problem),
        (status = 415, description = "Another content type, or an encoded body", body = Problem),
        Refused,
        (status = 422, description = "A field is wrong: `path` names it; of a batch, nothing was accepted", body = inline(NothingPublished)),
    ),
)]
pub(super) async fn events(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let response = accept(&request, payload, &shared).await;
    with_cors(response, &request, &shared)
}

async fn accept(request: &HttpRequest, payload: web::Payload, shared: &web::Data<Shared>) -> HttpResponse {
    let Some(_under_way) = shared.drain.enter() else { return stopping() };
    let Authenticated { principal, credential, .. } = match caller(request, shared).await {
        Ok(caller) => caller,
        Err(denied) => {
            shared.publish_metrics.refused(PublishRefusal::Unauthorised, 1);
            return denied.answer();
        }
    };
    if principal.publish == PublishRights::Nothing {
        shared.publish_metrics.refused(PublishRefusal::Forbidden, 1);
        return HttpResponse::Forbidden().json(problem(403, "this token may not publish"));
    }
    if header(request, "content-encoding").is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        shared.publish_metrics.refused(PublishRefusal::ContentType, 1);
        return HttpResponse::UnsupportedMediaType().json(problem(415, "an encoded body is not accepted"));
    }
    let publishing = Publishing::new(
        shared.publisher.clone(),
        Arc::clone(shared.doorkeeper.directory()),
        credential,
        shared.limits().event,
        shared.limits().batch_events,
    );
    let content_type = header(request, "content-type");
    match Publishing::reads_lines(content_type, headers(request).iter().copied()) {
        Err(answer) => respond(answer),
        Ok(true) => lines(publishing, payload, shared),
        Ok(false) => whole(&publishing, request, payload, shared).await,
    }
}

fn headers(request: &HttpRequest) -> Vec<(&str, &str)> {
    request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect()
}

async fn whole(publishing: &Publishing, request: &HttpRequest, payload: web::Payload, shared: &Shared) -> HttpResponse {
    match read_body(payload, shared.limits().body_bytes, shared.limits().body_deadline).await {
        Ok(body) => respond(publishing.whole(&body, header(request, "content-type"), headers(request).iter().copied()).await),
        Err(answer) => {
            if answer.status() == StatusCode::PAYLOAD_TOO_LARGE {
                shared.publish_metrics.refused(PublishRefusal::TooLarge, 1);
            }
            answer
        }
    }
}

/// Reads a whole body, no further than allowed. The deadline is for each part of it, and for the whole but for a second
/// per [`SLOWEST`] bytes: a body that drips is not waited for, however steadily it does.
pub(super) async fn read_body(mut payload: web::Payload, limit: usize, deadline: Duration) -> Result<Bytes, HttpResponse> {
    let mut body = BytesMut::new();
    let began = Instant::now();
    loop {
        let whole = began + deadline + Duration::from_secs((body.len() / SLOWEST) as u64);
        match timeout_at(whole.min(Instant::now() + deadline), payload.next()).await {
            Err(_) => return Err(HttpResponse::RequestTimeout().json(problem(408, "the body did not arrive in time"))),
            Ok(None) => return Ok(body.freeze()),
            Ok(Some(Err(_))) => return Err(HttpResponse::BadRequest().json(problem(400, "the body cannot be read"))),
            Ok(Some(Ok(chunk))) if body.len() + chunk.len() > limit => {
                return Err(HttpResponse::PayloadTooLarge().json(problem(413, &format!("a body must be at most {limit} bytes"))));
            }
            Ok(Some(Ok(chunk))) => body.extend_from_slice(&chunk),
        }
    }
}

/// The server stops: the publisher shall come back later, on another connection.
fn stopping() -> HttpResponse {
    let mut response = HttpResponse::ServiceUnavailable();
    response.insert_header(("retry-after", STOPPING_RETRY)).force_close().json(problem(503, "stopping"))
}

/// Answers while it reads: a task reads the body, and goes only as far ahead as the client takes the answers.
fn lines(publishing: Publishing, payload: web::Payload, shared: &web::Data<Shared>) -> HttpResponse {
    let (sender, answers) = mpsc::channel(LINES_AHEAD);
    let shared = shared.clone();
    actix_rt::spawn(async move {
        // Should the stop have begun just now, what was read is answered all the same.
        let _under_way = shared.drain.enter();
        answer_lines(publishing, payload, &sender, &shared).await;
    });
    HttpResponse::Ok().content_type("application/x-ndjson").body(AnswerLines(answers))
}

/// Reads until the body ends or the server stops. What was read by then is answered; what comes after it is not kept.
async fn answer_lines(publishing: Publishing, mut payload: web::Payload, sender: &mpsc::Sender<Bytes>, shared: &Shared) {
    let mut stop = pin!(shared.drain.begun());
    let mut lines = publishing.lines();
    loop {
        let chunk = match select(stop.as_mut(), pin!(timeout(shared.limits().body_deadline, payload.next()))).await {
            Either::Left(((), _)) => {
                send(sender, format!("{}\n", problem(503, "stopping"))).await;
                return;
            }
            Either::Right((Ok(Some(Ok(chunk))), _)) => chunk,
            Either::Right((Ok(None), _)) => break,
            Either::Right((Ok(Some(Err(_))), _)) => return, // the connection failed: nobody reads an answer
            Either::Right((Err(_), _)) => {
                send(sender, format!("{}\n", problem(408, "the body did not go on in time"))).await;
                break;
            }
        };
        lines.take(&chunk);
        // A publisher may send a chunk for every line: what is here already goes to the shards together.
        while let Some(Some(Ok(chunk))) = payload.next().now_or_never() {
            lines.take(&chunk);
            if lines.has_enough() {
                break;
            }
        }
        if !send(sender, lines.publish().await).await {
            return; // the publisher is gone; what was accepted stays accepted
        }
    }
    send(sender, lines.finish().await).await;
}

async fn send(sender: &mpsc::Sender<Bytes>, lines: String) -> bool {
    lines.is_empty() || sender.send(lines.into()).await.is_ok()
}

struct AnswerLines(mpsc::Receiver<Bytes>);

impl MessageBody for AnswerLines {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.0.poll_recv(cx).map(|lines| lines.map(Ok))
    }
}

fn respond(answer: Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponseBuilder::new(status);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.insert_header(("retry-after", "1"));
    }
    response.content_type("application/json").body(answer.body)
}

pub(super) fn problem(status: u16, error: &str) -> serde_json::Value {
    serde_json::json!({"status": status, "error": error})
}
