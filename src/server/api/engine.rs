//! What administrators see of the engine: libraries, shards, workers, who is online, the settings; and reading these again.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    description::{Problem, Refused},
    error::ApiError,
    stopping,
};
use crate::{
    id::UserId,
    server::{
        Shared,
        administration::{LibraryReport, NotReloaded, Reloaded, ShardReport, WorkerReport},
        caller::administrator,
        publish::problem,
    },
};

/// Users on one page, unless asked for fewer; and as many at most.
const PAGE: usize = 200;
const LARGEST_PAGE: usize = 1_000;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/api/libraries").route(web::get().to(libraries)))
        .service(web::resource("/api/shards").route(web::get().to(shards)))
        .service(web::resource("/api/workers").route(web::get().to(workers)))
        .service(web::resource("/api/online").route(web::get().to(online)))
        .service(web::resource("/api/settings").route(web::get().to(settings)))
        .service(web::resource("/api/reload").route(web::post().to(reload)));
}

#[utoipa::path(
    get, path = "/api/libraries", tag = "engine", summary = "The libraries of the settings, and those that are being scanned",
    responses((status = 200, description = "All of them", body = LibrariesAnswer), Refused),
)]
async fn libraries(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    match administrator(&request, &shared).await {
        Ok(_) => HttpResponse::Ok().json(LibrariesAnswer { libraries: shared.administration.libraries() }),
        Err(denied) => denied.answer(),
    }
}

#[utoipa::path(
    get, path = "/api/shards", tag = "engine", summary = "The shards and what waits in them",
    responses((status = 200, description = "All of them", body = ShardsAnswer), Refused),
)]
async fn shards(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    match administrator(&request, &shared).await {
        Ok(_) => HttpResponse::Ok().json(ShardsAnswer { shards: shared.administration.shards() }),
        Err(denied) => denied.answer(),
    }
}

#[utoipa::path(
    get, path = "/api/workers", tag = "engine", summary = "The workers and what they hold",
    responses((status = 200, description = "All of them", body = WorkersAnswer), Refused),
)]
async fn workers(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    if let Err(denied) = administrator(&request, &shared).await {
        return denied.answer();
    }
    let administration = Arc::clone(&shared.administration);
    match web::block(move || administration.workers()).await {
        Ok(workers) => HttpResponse::Ok().json(WorkersAnswer { workers }),
        Err(_) => stopping(),
    }
}

/// All libraries.
#[derive(Serialize, ToSchema)]
pub(super) struct LibrariesAnswer {
    libraries: Vec<LibraryReport>,
}

/// All shards.
#[derive(Serialize, ToSchema)]
pub(super) struct ShardsAnswer {
    shards: Vec<ShardReport>,
}

/// All workers.
#[derive(Serialize, ToSchema)]
pub(super) struct WorkersAnswer {
    workers: Vec<WorkerReport>,
}

/// Users with connections.
#[derive(Serialize, ToSchema)]
pub(super) struct OnlineAnswer {
    users: Vec<OnlineUser>,
    /// What to ask for the next page with, as `after`; null when that was all.
    #[schema(value_type = Option<String>)]
    next: Option<UserId>,
}

#[derive(Debug, Deserialize)]
struct UsersPage {
    after: Option<String>,
    limit: Option<String>,
}

/// A user who has a connection.
#[derive(Debug, Serialize, ToSchema)]
struct OnlineUser {
    #[schema(value_type = String)]
    user: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    connections: usize,
}

/// Users with connections, in the order of their ids.
#[utoipa::path(
    get, path = "/api/online", tag = "engine", summary = "Users with connections, in the order of their ids",
    params(
        ("after" = Option<String>, Query, description = "The `next` of the page before"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "How many at most; 200 unless asked for"),
    ),
    responses((status = 200, description = "A page", body = OnlineAnswer), Refused),
)]
async fn online(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    if let Err(denied) = administrator(&request, &shared).await {
        return denied.answer();
    }
    let Ok(page) = web::Query::<UsersPage>::from_query(request.query_string()) else {
        return ApiError::Unreadable("the query cannot be read".into()).answer();
    };
    let limit = match page.limit.as_deref().map(str::parse::<usize>) {
        None => PAGE,
        Some(Ok(limit)) if (1..=LARGEST_PAGE).contains(&limit) => limit,
        Some(_) => return ApiError::field("limit", format!("must be a number from 1 to {LARGEST_PAGE}")).answer(),
    };
    let directory = shared.doorkeeper.directory();
    let mut users = directory.users_connected();
    users.retain(|user| page.after.as_deref().is_none_or(|after| user.as_str() > after));
    users.sort_unstable();
    let next = users.get(limit).is_some().then(|| users[limit - 1].clone());
    users.truncate(limit);
    let report = |user: UserId| {
        let (name, connections) = (shared.administration.name_of(&user), directory.connections_of(&user));
        OnlineUser { user, name, connections }
    };
    let users: Vec<_> = users.into_iter().map(report).filter(|user| user.connections > 0).collect();
    HttpResponse::Ok().json(OnlineAnswer { users, next })
}

#[utoipa::path(
    get, path = "/api/settings", tag = "settings", summary = "The settings in force, without secrets, and when they were last read",
    responses((status = 200, description = "Every key; a secret is `…`", body = serde_json::Value), Refused),
)]
async fn settings(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    match administrator(&request, &shared).await {
        Ok(_) => HttpResponse::Ok().json(shared.administration.settings()),
        Err(denied) => denied.answer(),
    }
}

/// Once it has begun it goes on, whether or not the caller waits for it.
#[utoipa::path(
    post, path = "/api/reload", tag = "settings", summary = "Reads the settings again; no client drops by it but those of removed users",
    responses(
        (status = 200, description = "What has changed, and what counts only after a restart", body = Reloaded),
        (status = 409, description = "This server was started without settings that can be read again", body = Problem),
        Refused,
    ),
)]
async fn reload(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    if let Err(denied) = administrator(&request, &shared).await {
        return denied.answer();
    }
    let administration = Arc::clone(&shared.administration);
    match web::block(move || administration.reload()).await {
        Ok(Ok(reloaded)) => HttpResponse::Ok().json(reloaded),
        Ok(Err(error @ NotReloaded::NoSource)) => HttpResponse::Conflict().json(problem(409, &error.to_string())),
        Ok(Err(error @ NotReloaded::Broken(_))) => HttpResponse::UnprocessableEntity().json(problem(422, &error.to_string())),
        Err(_) => stopping(),
    }
}
