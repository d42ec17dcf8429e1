//! What administrators see of the engine: libraries, shards, workers, who is online, the settings; and reading these again.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::field;
use crate::{
    id::UserId,
    server::{Shared, administration::NotReloaded, caller::administrator, publish::problem},
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

async fn libraries(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    match administrator(&request, &shared).await {
        Ok(_) => HttpResponse::Ok().json(json!({"libraries": shared.administration.libraries()})),
        Err(denied) => denied.answer(),
    }
}

async fn shards(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    match administrator(&request, &shared).await {
        Ok(_) => HttpResponse::Ok().json(json!({"shards": shared.administration.shards()})),
        Err(denied) => denied.answer(),
    }
}

async fn workers(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    if let Err(denied) = administrator(&request, &shared).await {
        return denied.answer();
    }
    let administration = Arc::clone(&shared.administration);
    match web::block(move || administration.workers()).await {
        Ok(workers) => HttpResponse::Ok().json(json!({"workers": workers})),
        Err(_) => stopping(),
    }
}

#[derive(Debug, Deserialize)]
struct UsersPage {
    after: Option<String>,
    limit: Option<String>,
}

/// A user who has a connection.
#[derive(Debug, Serialize)]
struct OnlineUser {
    user: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    connections: usize,
}

/// Users with connections, in the order of their ids.
async fn online(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    if let Err(denied) = administrator(&request, &shared).await {
        return denied.answer();
    }
    let Ok(page) = web::Query::<UsersPage>::from_query(request.query_string()) else {
        return HttpResponse::BadRequest().json(problem(400, "the query cannot be read"));
    };
    let limit = match page.limit.as_deref().map(str::parse::<usize>) {
        None => PAGE,
        Some(Ok(limit)) if (1..=LARGEST_PAGE).contains(&limit) => limit,
        Some(_) => return field("limit", &format!("must be a number from 1 to {LARGEST_PAGE}")),
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
    HttpResponse::Ok().json(json!({"users": users, "next": next}))
}

async fn settings(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    match administrator(&request, &shared).await {
        Ok(_) => HttpResponse::Ok().json(shared.administration.settings()),
        Err(denied) => denied.answer(),
    }
}

/// Once it has begun it goes on, whether or not the caller waits for it.
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

fn stopping() -> HttpResponse {
    HttpResponse::ServiceUnavailable().json(problem(503, "the server is stopping"))
}
