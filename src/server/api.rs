//! Administration and reading under `/api/`: rights here, connections and the engine in files of their own, and what a library
//! holds.

mod connections;
mod description;
mod engine;
mod error;
mod forms;
mod test_event;

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::Value;

pub(super) use description::{Problem, Refused};
pub(super) use forms::{EventForm, NothingPublished};

use self::error::ApiError;
use super::{
    Shared,
    caller::{administrator, caller},
    mount::{preflight, with_cors},
    publish::{problem, read_body},
    rights::tell_hubs,
};
use crate::{
    access::{Directory, LibraryRights, Principal, PrincipalChange, RightsChanged, StoreError, UserReport},
    event::Level,
    id::{IdError, LibraryId, UserId},
};

/// Medias on one page, unless asked for fewer.
const PAGE: usize = 200;
/// Bytes of a principal's description.
const PRINCIPAL_BYTES: usize = 256 << 10;
/// What `libraries` may be.
const LEVELS: &str = "must be a level for all libraries, or an object with a level for each; levels are read, write, admin";

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/api/principals/{user}")
                .route(web::get().to(get_principal))
                .route(web::put().to(put_principal))
                .route(web::delete().to(delete_principal)),
        )
        .configure(connections::routes)
        .configure(engine::routes)
        .configure(description::routes)
        .configure(test_event::routes)
        .service(
            web::resource("/api/libraries/{id}/medias")
                .route(web::get().to(medias))
                .route(web::method(actix_web::http::Method::OPTIONS).to(preflight)),
        );
}

/// Reads the body of `PUT /api/principals/{user}`; what is absent stays as it is.
fn principal_change(body: &[u8]) -> Result<PrincipalChange, ApiError> {
    let body = serde_json::from_slice::<Value>(body).map_err(|_| ApiError::Unreadable("the body is not valid JSON".into()))?;
    let Value::Object(fields) = body else { return Err(ApiError::field("$", "must be an object")) };
    let mut change = PrincipalChange::default();
    for (name, value) in fields {
        let flag = || value.as_bool().ok_or_else(|| ApiError::field(name.clone(), "must be true or false"));
        match name.as_str() {
            "admin" => change.admin = Some(flag()?),
            "disabled" => change.disabled = Some(flag()?),
            "revoke_tokens" => change.revoke_tokens = flag()?,
            "libraries" => change.libraries = Some(LibraryRights::deserialize(value).map_err(|_| ApiError::field(name, LEVELS))?),
            _ => return Err(ApiError::field(name, "is unknown; allowed are admin, libraries, disabled, revoke_tokens")),
        }
    }
    Ok(change)
}

fn not_a_user_id(error: &IdError) -> HttpResponse {
    ApiError::field("user", error.to_string()).answer()
}

/// A user's rights as they stand, and whether the settings file alone decides them.
#[utoipa::path(
    get, path = "/api/principals/{user}", tag = "principals", summary = "A user's rights as they stand",
    params(("user" = inline(forms::Id), Path, description = "The user's id")),
    responses((status = 200, description = "His rights", body = UserReport), (status = 404, description = "Nobody names that user", body = Problem), Refused),
)]
async fn get_principal(request: HttpRequest, user: web::Path<String>, shared: web::Data<Shared>) -> HttpResponse {
    if let Err(denied) = administrator(&request, &shared).await {
        return denied.answer();
    }
    let user = match UserId::parse(&user) {
        Ok(user) => user,
        Err(error) => return not_a_user_id(&error),
    };
    let directory = Arc::clone(shared.doorkeeper.directory());
    match web::block(move || directory.report(&user)).await {
        Ok(Some(report)) => HttpResponse::Ok().json(report),
        Ok(None) => HttpResponse::NotFound().json(problem(404, "no user of that id")),
        Err(_) => stopping(),
    }
}

#[utoipa::path(
    put, path = "/api/principals/{user}", tag = "principals", summary = "Changes a user's rights, or makes a user; in force for open streams when it answers",
    params(("user" = inline(forms::Id), Path, description = "The user's id")),
    request_body(content = inline(forms::RightsForm), description = "`admin`, `libraries`, `disabled`, `revoke_tokens`; what is absent stays as it is"),
    responses(
        (status = 200, description = "The rights epoch from which it holds", body = serde_json::Value),
        (status = 400, description = "The body cannot be read", body = Problem),
        (status = 413, description = "The body is too large", body = Problem),
        Refused,
    ),
)]
async fn put_principal(request: HttpRequest, user: web::Path<String>, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    if let Err(denied) = administrator(&request, &shared).await {
        return denied.answer();
    }
    let user = match UserId::parse(&user) {
        Ok(user) => user,
        Err(error) => return not_a_user_id(&error),
    };
    // Read only now: somebody without credentials is not listened to any further.
    let body = match read_body(payload, PRINCIPAL_BYTES, shared.limits().body_deadline).await {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    let change = match principal_change(&body) {
        Ok(change) => change,
        Err(error) => return error.answer(),
    };
    change_rights(shared, user, move |directory, user| directory.put_principal(user, change)).await
}

#[utoipa::path(
    delete, path = "/api/principals/{user}", tag = "principals", summary = "Refuses a user until the next PUT",
    params(("user" = inline(forms::Id), Path, description = "The user's id")),
    responses((status = 200, description = "The rights epoch from which it holds", body = serde_json::Value), Refused),
)]
async fn delete_principal(request: HttpRequest, user: web::Path<String>, shared: web::Data<Shared>) -> HttpResponse {
    if let Err(denied) = administrator(&request, &shared).await {
        return denied.answer();
    }
    let user = match UserId::parse(&user) {
        Ok(user) => user,
        Err(error) => return not_a_user_id(&error),
    };
    change_rights(shared, user, |directory, user| directory.delete_principal(user)).await
}

/// Makes a change and tells the hubs of it, in a task of its own: a caller that hangs up half-way must not leave a change
/// that open sessions never hear of.
async fn change_rights(
    shared: web::Data<Shared>,
    user: UserId,
    change: impl FnOnce(&Directory, &UserId) -> Result<RightsChanged, StoreError> + Send + 'static,
) -> HttpResponse {
    let task = actix_rt::spawn(async move {
        let directory = Arc::clone(shared.doorkeeper.directory());
        let name = user.clone();
        let changed = web::block(move || change(&directory, &name)).await;
        rights_changed(&shared, &user, changed).await
    });
    task.await.unwrap_or_else(|_| HttpResponse::InternalServerError().json(problem(500, "the change failed half-way; make it again")))
}

/// Answers only when every hub has acted: nothing accepted after the answer reaches the user against his rights.
async fn rights_changed(
    shared: &Shared,
    user: &UserId,
    changed: Result<Result<RightsChanged, StoreError>, actix_web::error::BlockingError>,
) -> HttpResponse {
    match changed {
        Ok(Ok(changed)) => {
            if !tell_hubs(shared, Some(user.clone())).await {
                return ApiError::no_answer().answer();
            }
            HttpResponse::Ok().json(serde_json::json!({"user": changed.user, "epoch": changed.epoch}))
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "a change of rights could not be kept");
            HttpResponse::ServiceUnavailable().json(problem(503, "the change could not be kept, and was not made"))
        }
        Err(_) => stopping(),
    }
}

#[derive(Debug, Deserialize)]
struct MediasPage {
    after: Option<String>,
    limit: Option<usize>,
}

/// What a client syncs from after a gap: the same objects, and the same rights, as the events.
#[utoipa::path(
    get, path = "/api/libraries/{id}/medias", tag = "libraries", summary = "What a watched folder holds, for whoever may read the library",
    params(
        ("id" = inline(forms::Id), Path, description = "The library's id"),
        ("after" = Option<String>, Query, description = "The `next` of the page before"),
        ("limit" = Option<u32>, Query, description = "How many at most; 200 unless asked for"),
    ),
    responses(
        (status = 200, description = "A page", body = serde_json::Value),
        (status = 400, description = "The query cannot be read", body = Problem),
        (status = 404, description = "No folder of that library is watched", body = Problem),
        Refused,
    ),
)]
async fn medias(request: HttpRequest, id: web::Path<String>, shared: web::Data<Shared>) -> HttpResponse {
    let page = web::Query::<MediasPage>::from_query(request.query_string());
    let response = match (caller(&request, &shared).await, page) {
        (Ok(caller), Ok(page)) => medias_of(&id, page.into_inner(), &caller.principal, &shared).await,
        (Ok(_), Err(_)) => ApiError::Unreadable("the query cannot be read: `limit` must be a number".into()).answer(),
        (Err(denied), _) => denied.answer(),
    };
    with_cors(response, &request, &shared)
}

async fn medias_of(id: &str, page: MediasPage, principal: &Principal, shared: &Shared) -> HttpResponse {
    let library = match LibraryId::parse(id) {
        Ok(library) => library,
        Err(error) => return ApiError::field("library", error.to_string()).answer(),
    };
    if !principal.has(&library, Level::Read) {
        return HttpResponse::Forbidden().json(problem(403, "this token may not read the library"));
    }
    let Some(catalogue) = shared.catalogue.clone().filter(|_| shared.watched.contains(&library)) else {
        return HttpResponse::NotFound().json(problem(404, "no watched folder of that library"));
    };
    let limit = page.limit.unwrap_or(PAGE);
    match web::block(move || catalogue.page(&library, page.after.as_deref(), limit)).await {
        Ok(Ok(page)) => {
            let next = serde_json::to_string(&page.next).unwrap_or_else(|_| "null".to_owned());
            let body = format!("{{\"medias\":[{}],\"next\":{next}}}", page.medias.join(","));
            HttpResponse::Ok().content_type("application/json").body(body)
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "the store of medias cannot be read");
            HttpResponse::ServiceUnavailable().json(problem(503, "the store cannot be read"))
        }
        Err(_) => stopping(),
    }
}

fn stopping() -> HttpResponse {
    ApiError::Unavailable("the server is stopping").answer()
}
