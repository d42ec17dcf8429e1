//! The API and the streams, described for programs: OpenAPI of `/api/`, AsyncAPI of `/sse`. For whoever has a token.

use std::sync::OnceLock;

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value, json};
use utoipa::{
    IntoResponses, Modify, OpenApi, ToSchema,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};

use super::{connections, engine, test_event};
use crate::{
    event::{EventKind, samples::sample, schema},
    server::{Shared, caller::caller, publish},
};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/api/openapi.json").route(web::get().to(openapi)))
        .service(web::resource("/api/asyncapi.json").route(web::get().to(asyncapi)));
}

/// Why a request was refused.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what `problem` puts together")]
pub(in crate::server) struct Problem {
    status: u16,
    error: String,
    /// The field that is wrong, where it is one.
    path: Option<String>,
}

/// What any call may be answered instead.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "they describe answers that are given elsewhere")]
pub(in crate::server) enum Refused {
    /// The query cannot be read
    #[response(status = 400)]
    Unreadable(Problem),
    /// No token, or none that counts
    #[response(status = 401)]
    Unknown(Problem),
    /// This token may not
    #[response(status = 403)]
    Forbidden(Problem),
    /// The body did not arrive in time
    #[response(status = 408)]
    TooSlow(Problem),
    /// A field is wrong: `path` names it
    #[response(status = 422)]
    Field(Problem),
    /// Too many bad tokens from this address
    #[response(status = 429)]
    TooMany(Problem),
    /// There is no room, a worker does not answer, or the server stops
    #[response(status = 503)]
    Unavailable(Problem),
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Fanfare", description = "Publishing and administration. Times are milliseconds since the epoch."),
    paths(
        publish::events,
        super::get_principal,
        super::put_principal,
        super::delete_principal,
        super::medias,
        connections::list,
        connections::slowest,
        connections::disconnect_one,
        connections::disconnect_many,
        engine::libraries,
        engine::shards,
        engine::workers,
        engine::online,
        engine::settings,
        engine::reload,
        test_event::test_event,
        openapi,
        asyncapi,
    ),
    modifiers(&Bearer),
    security(("bearer" = [])),
)]
struct Description;

/// Tokens come as `Authorization: Bearer` alone.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        openapi.components.get_or_insert_default().add_security_scheme("bearer", scheme);
    }
}

#[utoipa::path(
    get, path = "/api/openapi.json", tag = "descriptions", summary = "This description",
    responses((status = 200, description = "OpenAPI", body = Value), Refused),
)]
async fn openapi(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    static TEXT: OnceLock<String> = OnceLock::new();
    match caller(&request, &shared).await {
        Ok(_) => described(TEXT.get_or_init(|| serde_json::to_string(&Description::openapi()).unwrap_or_default())),
        Err(denied) => denied.answer(),
    }
}

#[utoipa::path(
    get, path = "/api/asyncapi.json", tag = "descriptions", summary = "The description of the event streams",
    responses((status = 200, description = "AsyncAPI 3", body = Value), Refused),
)]
async fn asyncapi(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    static TEXT: OnceLock<String> = OnceLock::new();
    match caller(&request, &shared).await {
        Ok(_) => described(TEXT.get_or_init(|| streams().to_string())),
        Err(denied) => denied.answer(),
    }
}

fn described(text: &'static str) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(text)
}

/// AsyncAPI 3 of `/sse`: a message for each kind of event, its name under `event:`, and under `data:` an object of one field.
fn streams() -> Value {
    let (mut messages, mut references) = (Map::new(), Map::new());
    for kind in EventKind::ALL.iter().filter(|kind| **kind != EventKind::Raw) {
        let mut payload = json!({"type": "object", "properties": {}, "required": [kind.wrapper()], "additionalProperties": false});
        payload["properties"][kind.wrapper()] = schema(*kind);
        let mut example = json!({});
        example[kind.wrapper()] = serde_json::from_str(sample(*kind)).unwrap_or_default();
        messages.insert(kind.name().to_owned(), json!({"name": kind.name(), "payload": payload, "examples": [{"payload": example}]}));
    }
    // What a stream says of itself, to those who ask for it by name; these have no wrapper.
    for (name, fields) in [("gap", json!({"missed": 12})), ("expiring", json!({"seconds": 60, "expires": 1_768_600_000_000_i64}))] {
        let names: Vec<&String> = fields.as_object().into_iter().flat_map(Map::keys).collect();
        let properties: Map<String, Value> = names.iter().map(|name| ((*name).clone(), json!({"type": "number"}))).collect();
        let payload = json!({"type": "object", "properties": properties, "required": names, "additionalProperties": false});
        messages.insert(name.to_owned(), json!({"name": name, "payload": payload, "examples": [{"payload": fields}]}));
    }
    for name in messages.keys() {
        references.insert(name.clone(), json!({"$ref": format!("#/components/messages/{name}")}));
    }
    let all: Vec<Value> = references.keys().map(|name| json!({"$ref": format!("#/channels/sse/messages/{name}")})).collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Fanfare's event stream",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Server-sent events of GET /sse. `?events=a,b` gives exactly the named kinds, `?libraries=a,b` only those of these libraries. Fields beside the described ones are kept as they were published. `raw` events come under a name of their own, with their payload as data.",
        },
        "channels": {"sse": {"address": "/sse", "messages": references}},
        "operations": {"receive": {"action": "send", "channel": {"$ref": "#/channels/sse"}, "messages": all}},
        "components": {"messages": messages},
    })
}
