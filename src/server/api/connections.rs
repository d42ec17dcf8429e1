//! `/api/connections`: who is connected, a page at a time or as lines, the slowest of them, and ending some.
//!
//! Nothing here holds all connections at once: hubs are asked for a part, one after the other.

use std::{
    cmp::Reverse,
    convert::Infallible,
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, MessageBody},
    web,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use utoipa::ToSchema;

use super::{
    description::{Problem, Refused},
    error::ApiError,
    forms::{Address, ConnectionName, Id},
};
use crate::{
    access::TokenHash,
    hub::{ConnectionReport, Disconnect, ListConnections, Wanted, Whose},
    id::{ConnectionId, UserId},
    server::{Shared, caller::administrator, mount::header, publish::problem},
};

/// Connections on one page, unless asked for fewer; and as many at most.
const PAGE: usize = 200;
const LARGEST_PAGE: usize = 1_000;
/// Answers of hubs for one page: with filters many connections are looked at for few that are found.
const PARTS: usize = 16;
/// How many of the slowest are told, unless asked for fewer or more; and as many at most.
const SLOWEST: usize = 10;
const MOST_SLOWEST: usize = 100;
/// Parts that may wait for the client to read them.
const PARTS_AHEAD: usize = 2;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/api/connections").route(web::get().to(list)).route(web::delete().to(disconnect_many)))
        .service(web::resource("/api/connections/slowest").route(web::get().to(slowest)))
        .service(web::resource("/api/connections/{id}").route(web::delete().to(disconnect_one)));
}

/// Connections in the order of their ids.
#[derive(Serialize, ToSchema)]
pub(super) struct ConnectionsAnswer {
    connections: Vec<ConnectionReport>,
    /// What to ask for the next page with, as `after`; null when that was all.
    next: Option<String>,
}

/// The slowest connections.
#[derive(Serialize, ToSchema)]
pub(super) struct SlowestAnswer {
    connections: Vec<ConnectionReport>,
}

/// How many connections were ended.
#[derive(Serialize, ToSchema)]
pub(super) struct ClosedAnswer {
    closed: usize,
}

/// What can be asked for; read as text, so that what is wrong is named.
#[derive(Debug, Default, Deserialize)]
struct Query {
    after: Option<String>,
    limit: Option<String>,
    user: Option<String>,
    dialect: Option<String>,
    address: Option<String>,
    lagging: Option<String>,
    token_sha256: Option<String>,
}

impl Query {
    fn read(request: &HttpRequest) -> Result<Self, ApiError> {
        let query = web::Query::<Self>::from_query(request.query_string());
        query.map(web::Query::into_inner).map_err(|_| ApiError::Unreadable("the query cannot be read".into()))
    }

    fn limit(&self, usual: usize, most: usize) -> Result<usize, ApiError> {
        let Some(limit) = &self.limit else { return Ok(usual) };
        let limit = limit.parse().ok().filter(|limit| (1..=most).contains(limit));
        limit.ok_or_else(|| ApiError::field("limit", format!("must be a number from 1 to {most}")))
    }

    fn user(&self) -> Result<Option<UserId>, ApiError> {
        self.user.as_deref().map(UserId::parse).transpose().map_err(|error| ApiError::field("user", error.to_string()))
    }

    fn wanted(&self) -> Result<Wanted, ApiError> {
        let address = self.address.as_deref().map(str::parse::<IpAddr>).transpose();
        let lagging = match self.lagging.as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(ApiError::field("lagging", "must be true or false")),
        };
        Ok(Wanted {
            user: self.user()?,
            dialect: self.dialect.as_deref().map(Into::into),
            address: address.map_err(|_| ApiError::field("address", "must be an IP address"))?,
            lagging,
            waiting: false,
        })
    }

    fn start(&self) -> Result<Position, ApiError> {
        let Some(after) = &self.after else { return Ok(Position::default()) };
        let last: ConnectionId = after.parse().map_err(|()| ApiError::field("after", "must be the `next` of an earlier page"))?;
        Ok(Position { worker: last.worker, slot: last.slot.saturating_add(1) })
    }
}

/// Where to go on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Position {
    worker: u16,
    slot: u32,
}

impl Position {
    /// As `next` of a page says it: an id, whether or not there is a connection of it.
    fn next(self) -> String {
        // Behind the last slot of a worker comes the next worker, so a slot to go on at is never the first.
        ConnectionId { worker: self.worker, slot: self.slot.saturating_sub(1), generation: 0 }.to_string()
    }
}

/// The next part from there on, of one worker, and where the one after it begins.
async fn part(
    shared: &Shared,
    from: Position,
    limit: usize,
    wanted: &Wanted,
) -> Result<(Vec<ConnectionReport>, Option<Position>), ApiError> {
    let mut hubs = shared.hubs().iter().filter(|hub| hub.worker >= from.worker);
    let Some(hub) = hubs.next() else { return Ok((Vec::new(), None)) };
    let from_slot = if hub.worker == from.worker { from.slot } else { 0 };
    let page =
        hub.connections.send(ListConnections { from_slot, limit, wanted: wanted.clone() }).await.map_err(|_| ApiError::no_answer())?;
    let next = match page.next_slot {
        Some(slot) => Some(Position { worker: hub.worker, slot }),
        None => hubs.next().map(|hub| Position { worker: hub.worker, slot: 0 }),
    };
    Ok((page.connections, next))
}

#[utoipa::path(
    get, path = "/api/connections", tag = "connections", summary = "Who is connected, a page at a time or as lines",
    params(
        ("after" = inline(Option<ConnectionName>), Query, description = "The `next` of the page before"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "How many at most; 200 unless asked for"),
        ("user" = inline(Option<Id>), Query, description = "Those of this user"),
        ("dialect" = Option<String>, Query, description = "Those of this dialect"),
        ("address" = inline(Option<Address>), Query, description = "Those from this IP address"),
        ("lagging" = Option<bool>, Query, description = "Only those for which something has waited for longer than a second"),
    ),
    responses((status = 200, description = "A page", content((ConnectionsAnswer = "application/json"), (String = "application/x-ndjson"))), Refused),
)]
async fn list(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    if let Err(denied) = administrator(&request, &shared).await {
        return denied.answer();
    }
    listed(&request, &shared).await.unwrap_or_else(|error| error.answer())
}

async fn listed(request: &HttpRequest, shared: &web::Data<Shared>) -> Result<HttpResponse, ApiError> {
    let query = Query::read(request)?;
    let (wanted, start, limit) = (query.wanted()?, query.start()?, query.limit(PAGE, LARGEST_PAGE)?);
    if header(request, "accept").is_some_and(|accept| accept.contains("application/x-ndjson")) {
        return Ok(lines(shared.clone(), start, wanted));
    }
    let (mut connections, mut at) = (Vec::new(), Some(start));
    for _ in 0..PARTS {
        let Some(from) = at.filter(|_| connections.len() < limit) else { break };
        let (more, next) = part(shared, from, limit - connections.len(), &wanted).await?;
        connections.extend(more);
        // The first slot of a worker has no id before it: such a place is told by the last connection of the worker before.
        at = next;
    }
    let next = at.map(|at| next_of(at, shared));
    Ok(HttpResponse::Ok().json(ConnectionsAnswer { connections, next }))
}

/// The `next` for a place; before the first slot of a worker there is only the end of the one before.
fn next_of(at: Position, shared: &Shared) -> String {
    let before = shared.hubs().iter().map(|hub| hub.worker).filter(|worker| *worker < at.worker).max();
    match before {
        Some(worker) if at.slot == 0 => Position { worker, slot: u32::MAX }.next(),
        _ => at.next(),
    }
}

/// All of them as lines, as fast as the client reads.
fn lines(shared: web::Data<Shared>, start: Position, wanted: Wanted) -> HttpResponse {
    let (sender, parts) = mpsc::channel(PARTS_AHEAD);
    actix_rt::spawn(async move {
        let mut at = Some(start);
        while let Some(from) = at {
            let (text, next) = match part(&shared, from, PAGE, &wanted).await {
                Ok((connections, next)) => (text_of(&connections), next),
                Err(error) => (format!("{}\n", error.problem()), None),
            };
            if sender.send(text.into()).await.is_err() {
                return; // whoever asked has gone
            }
            at = next;
        }
    });
    HttpResponse::Ok().content_type("application/x-ndjson").body(Lines(parts))
}

fn text_of(connections: &[ConnectionReport]) -> String {
    let lines = connections.iter().filter_map(|connection| serde_json::to_string(connection).ok());
    lines.flat_map(|line| [line, "\n".to_owned()]).collect()
}

struct Lines(mpsc::Receiver<Bytes>);

impl MessageBody for Lines {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.0.poll_recv(cx).map(|part| part.map(Ok))
    }
}

/// Those for whom most waits, out of all.
#[utoipa::path(
    get, path = "/api/connections/slowest", tag = "connections", summary = "Those for whom most waits",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "How many at most; 10 unless asked for")),
    responses((status = 200, description = "Most waiting first", body = SlowestAnswer), Refused),
)]
async fn slowest(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    if let Err(denied) = administrator(&request, &shared).await {
        return denied.answer();
    }
    match Query::read(&request).and_then(|query| query.limit(SLOWEST, MOST_SLOWEST)) {
        Ok(limit) => slowest_of(&shared, limit).await.unwrap_or_else(|error| error.answer()),
        Err(error) => error.answer(),
    }
}

async fn slowest_of(shared: &Shared, limit: usize) -> Result<HttpResponse, ApiError> {
    let wanted = Wanted { waiting: true, ..Wanted::default() };
    let (mut found, mut at) = (Vec::new(), Some(Position::default()));
    while let Some(from) = at {
        let (more, next) = part(shared, from, usize::MAX, &wanted).await?;
        found.extend(more);
        found.sort_by_key(|connection: &ConnectionReport| Reverse(connection.counts.waiting));
        found.truncate(limit);
        at = next;
    }
    Ok(HttpResponse::Ok().json(SlowestAnswer { connections: found }))
}

#[utoipa::path(
    delete, path = "/api/connections/{id}", tag = "connections", summary = "Ends one connection; its client may come back",
    params(("id" = inline(ConnectionName), Path, description = "Its id")),
    responses((status = 200, description = "It has been ended", body = ClosedAnswer), (status = 404, description = "There is none of that id", body = Problem), Refused),
)]
async fn disconnect_one(request: HttpRequest, id: web::Path<String>, shared: web::Data<Shared>) -> HttpResponse {
    if let Err(denied) = administrator(&request, &shared).await {
        return denied.answer();
    }
    let Ok(id) = id.parse::<ConnectionId>() else {
        return ApiError::field("id", "must be the `id` of a connection").answer();
    };
    match disconnect(&shared, Whose::Connection(id)).await {
        Ok(0) => HttpResponse::NotFound().json(problem(404, "no connection of that id")),
        Ok(n_closed) => closed(n_closed),
        Err(error) => error.answer(),
    }
}

#[utoipa::path(
    delete, path = "/api/connections", tag = "connections", summary = "Ends all connections of a user, or of a token",
    params(
        ("user" = inline(Option<Id>), Query, description = "The user; this or `token_sha256`"),
        ("token_sha256" = Option<String>, Query, pattern = "^[0-9a-f]{64}$", description = "The SHA-256 of the token in hexadecimal digits"),
    ),
    responses((status = 200, description = "How many were ended", body = ClosedAnswer), Refused),
)]
async fn disconnect_many(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    if let Err(denied) = administrator(&request, &shared).await {
        return denied.answer();
    }
    let whose = match Query::read(&request).and_then(|query| whose(&query)) {
        Ok(whose) => whose,
        Err(error) => return error.answer(),
    };
    disconnect(&shared, whose).await.map_or_else(|error| error.answer(), closed)
}

/// Exactly one of the two: what ends everybody's connections is a stop, not this.
fn whose(query: &Query) -> Result<Whose, ApiError> {
    match (query.user()?, query.token_sha256.as_deref()) {
        (Some(user), None) => Ok(Whose::User(user)),
        (None, Some(hash)) => {
            let hash = TokenHash::from_hex(hash).map(Whose::Token);
            hash.ok_or_else(|| ApiError::field("token_sha256", "must be 64 hexadecimal digits"))
        }
        _ => Err(ApiError::field("user", "or `token_sha256` must be given, and not both")),
    }
}

async fn disconnect(shared: &Shared, whose: Whose) -> Result<usize, ApiError> {
    let concerned = shared.hubs().iter().filter(|hub| match &whose {
        Whose::Connection(id) => id.worker == hub.worker,
        Whose::User(_) | Whose::Token(_) => true,
    });
    let asked: Vec<_> = concerned.map(|hub| hub.disconnect.send(Disconnect(whose.clone()))).collect();
    let answers = futures_util::future::join_all(asked).await;
    answers.into_iter().try_fold(0, |sum, answer| answer.map(|n_closed| sum + n_closed).map_err(|_| ApiError::no_answer()))
}

fn closed(n_closed: usize) -> HttpResponse {
    HttpResponse::Ok().json(ClosedAnswer { closed: n_closed })
}
