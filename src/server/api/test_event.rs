//! `POST /api/test-event`: an event to oneself, to see whether and how it arrives.
//!
//! It goes the way of all events and is marked: `data.test` is true. Nobody but the caller, or the one connection named, gets it.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::{
    description::{Problem, Refused},
    error::ApiError,
    forms::TestEventForm,
};
use crate::{
    access::Principal,
    id::ConnectionId,
    server::{Shared, caller::administrator, publish::read_body},
    source::{
        PublishError,
        cloudevents::{Draft, DraftError},
    },
};

/// What is said where nothing else is asked for.
const TEXT: &str = "This is a test event.";
const HEADER: &str = "Fanfare test event";
/// The fields of the body.
const FIELDS: [&str; 5] = ["text", "session", "dialect", "name", "payload"];

/// What became of it.
#[derive(Serialize, ToSchema)]
pub(super) struct TestEventAnswer {
    /// The event's id.
    id: String,
    /// Its place in its shard's order.
    order: u64,
    /// Who gets it.
    audience: String,
}

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/api/test-event").route(web::post().to(test_event)));
}

#[utoipa::path(
    post, path = "/api/test-event", tag = "events", summary = "Sends an event to oneself, or to one connection, marked as a test",
    request_body(content = inline(Option<TestEventForm>), description = "Nothing, or an object of `text`, `session`, and for a raw event `dialect`, `name`, `payload`"),
    responses(
        (status = 200, description = "It was accepted", body = TestEventAnswer),
        (status = 400, description = "The body cannot be read", body = Problem),
        (status = 413, description = "The body is too large", body = Problem),
        Refused,
    ),
)]
async fn test_event(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let caller = match administrator(&request, &shared).await {
        Ok(caller) => caller,
        Err(denied) => return denied.answer(),
    };
    let body = match read_body(payload, shared.limits().body_bytes, shared.limits().body_deadline).await {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    publish(&body, &caller, &shared).await.unwrap_or_else(|error| error.answer())
}

async fn publish(body: &[u8], caller: &Principal, shared: &Shared) -> Result<HttpResponse, ApiError> {
    let Some(_under_way) = shared.drain.enter() else {
        return Err(ApiError::Unavailable("stopping"));
    };
    let wish = read(body)?;
    let audience = audience(&wish, caller)?;
    let data = data(&wish, &audience)?;
    // A message says itself whom it is for; a raw event must be told.
    let event = match wish.contains_key("dialect") {
        true => json!({"type": "raw", "audience": audience, "data": data}),
        false => json!({"type": "message", "data": data}),
    };
    let draft = Draft::parse(event.to_string().as_bytes(), &shared.limits().event).map_err(|error| refused(&error))?;
    match shared.publisher.publish(vec![draft.into()]).await.into_iter().next() {
        Some(Ok(receipt)) => Ok(HttpResponse::Ok().json(TestEventAnswer { id: receipt.id.into(), order: receipt.order, audience })),
        Some(Err(error @ PublishError::Busy)) => Err(ApiError::Busy(error.to_string())),
        Some(Err(PublishError::Stopped)) | None => Err(ApiError::Unavailable("stopping")),
    }
}

/// No body at all is a wish for the usual event.
fn read(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    let body = serde_json::from_slice::<Value>(body);
    let body = body.map_err(|_| ApiError::Unreadable("the body is not valid JSON".into()))?;
    let wish = match body {
        Value::Null => Map::new(),
        Value::Object(wish) => wish,
        _ => return Err(ApiError::field("$", "must be an object")),
    };
    match wish.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        Some(unknown) => Err(ApiError::field(unknown.as_str(), format!("is unknown; allowed are {}", FIELDS.join(", ")))),
        None => Ok(wish),
    }
}

fn audience(wish: &Map<String, Value>, caller: &Principal) -> Result<String, ApiError> {
    match (wish.get("session"), &caller.user) {
        (Some(session), _) => {
            let id = session.as_str().and_then(|session| session.parse::<ConnectionId>().ok());
            let id = id.ok_or_else(|| ApiError::field("session", "must be the `id` of a connection, as text"))?;
            Ok(format!("session:{id}"))
        }
        // A comma would make two of one.
        (None, Some(user)) if !user.as_str().contains(',') => Ok(format!("user:{}", user.as_str())),
        (None, Some(_)) => Err(ApiError::field("session", "is required, because this user's id holds a comma")),
        (None, None) => Err(ApiError::field("session", "is required, because this token is no user's")),
    }
}

fn data(wish: &Map<String, Value>, audience: &str) -> Result<Value, ApiError> {
    let text = match wish.get("text") {
        None => TEXT,
        Some(text) => text.as_str().ok_or_else(|| ApiError::field("text", "must be text"))?,
    };
    let Some(dialect) = wish.get("dialect") else {
        if let Some(stray) = ["name", "payload"].into_iter().find(|name| wish.contains_key(*name)) {
            return Err(ApiError::field(stray, "is allowed with `dialect` only"));
        }
        return Ok(json!({"text": text, "header": HEADER, "to": audience, "test": true}));
    };
    let name = wish.get("name").cloned().unwrap_or_else(|| "test".into());
    let payload = wish.get("payload").cloned().unwrap_or_else(|| json!({"text": text, "test": true}));
    Ok(json!({"dialect": dialect, "name": name, "payload": payload, "test": true}))
}

fn refused(error: &DraftError) -> ApiError {
    match error {
        DraftError::Field(error) => {
            let path = error.path.strip_prefix("data.").unwrap_or(&error.path);
            ApiError::field(path, error.message.to_string())
        }
        DraftError::TooLarge { .. } => ApiError::TooLarge(error.to_string()),
        _ => ApiError::Unreadable(error.to_string().into()),
    }
}
