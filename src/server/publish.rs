//! `POST /api/events`: the HTTP side of publishing. What a body means is decided in `source`.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    body::{BodySize, MessageBody},
    http::StatusCode,
    web,
};
use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, StreamExt};
use tokio::{sync::mpsc, time::timeout};

use super::{
    Shared,
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

/// Publishes what the body holds.
pub(super) async fn events(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let response = accept(&request, payload, &shared).await;
    with_cors(response, &request, &shared)
}

async fn accept(request: &HttpRequest, payload: web::Payload, shared: &Shared) -> HttpResponse {
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
        shared.event_limits,
        shared.batch_events,
    );
    let content_type = header(request, "content-type");
    match Publishing::reads_lines(content_type, headers(request).iter().copied()) {
        Err(answer) => respond(answer),
        Ok(true) => lines(publishing, payload, shared.body_deadline),
        Ok(false) => whole(&publishing, request, payload, shared).await,
    }
}

fn headers(request: &HttpRequest) -> Vec<(&str, &str)> {
    request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect()
}

async fn whole(publishing: &Publishing, request: &HttpRequest, payload: web::Payload, shared: &Shared) -> HttpResponse {
    match read_body(payload, shared.body_bytes, shared.body_deadline).await {
        Ok(body) => respond(publishing.whole(&body, header(request, "content-type"), headers(request).iter().copied()).await),
        Err(answer) => {
            if answer.status() == StatusCode::PAYLOAD_TOO_LARGE {
                shared.publish_metrics.refused(PublishRefusal::TooLarge, 1);
            }
            answer
        }
    }
}

/// A body that comes this fast, in bytes a second, may take longer than its deadline.
const SLOWEST_BODY: u64 = 64 << 10;

/// Reads a whole body, no further than allowed. The deadline is for all of it, and grows only with what came: a client
/// that sends a byte now and then does not hold a connection for ever.
pub(super) async fn read_body(mut payload: web::Payload, limit: usize, deadline: Duration) -> Result<Bytes, HttpResponse> {
    let mut body = BytesMut::new();
    let began = Instant::now();
    loop {
        let earned = Duration::from_secs(body.len() as u64 / SLOWEST_BODY);
        let left = (deadline + earned).saturating_sub(began.elapsed());
        match timeout(left, payload.next()).await {
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

/// Answers while it reads: a task reads the body, and goes only as far ahead as the client takes the answers.
fn lines(publishing: Publishing, mut payload: web::Payload, deadline: Duration) -> HttpResponse {
    let (sender, answers) = mpsc::channel(LINES_AHEAD);
    actix_rt::spawn(async move {
        let mut lines = publishing.lines();
        loop {
            let chunk = match timeout(deadline, payload.next()).await {
                Ok(Some(Ok(chunk))) => chunk,
                Ok(None) => break,
                Ok(Some(Err(_))) => return, // the connection failed: nobody reads an answer
                Err(_) => {
                    send(&sender, format!("{}\n", problem(408, "the body did not go on in time"))).await;
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
            if !send(&sender, lines.publish().await).await {
                return; // the publisher is gone; what was accepted stays accepted
            }
        }
        send(&sender, lines.finish().await).await;
    });
    HttpResponse::Ok().content_type("application/x-ndjson").body(AnswerLines(answers))
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
