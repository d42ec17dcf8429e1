//! The client protocols we speak, one folder each, and what they have in common.
//!
//! A dialect holds no actor and no socket: it names its endpoints, says how a request opens a stream, how events are
//! written, how it keeps a connection alive and how it says no. Adding one is a folder and a line in [`all`].

mod endpoint;
pub mod plex;
mod query;
pub mod redseat;
mod retry;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;

pub use endpoint::{Call, Cancel, Endpoint, Method, Reaction};
pub use query::Query;

use crate::{
    access::{Filter, Principal},
    config::{Dialects, Library},
    event::FormatPair,
    frame::{Keepalive, Notices},
};

/// Every dialect that is switched on, in a fixed order: a dialect's place is its number in the counters.
#[must_use]
pub fn all(settings: &Dialects, about: &About<'_>) -> Vec<Arc<dyn Dialect>> {
    let mut dialects: Vec<Arc<dyn Dialect>> = Vec::new();
    if settings.redseat.enabled {
        dialects.push(Arc::new(redseat::RedSeat::new(&settings.redseat)));
    }
    if settings.plex.enabled {
        dialects.push(Arc::new(plex::Plex::new(&settings.plex, about)));
    }
    dialects
}

/// What dialects tell their clients of the server.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The name people read (`server.name`).
    pub name: &'a str,
    /// What tells this server from any other: 40 hexadecimal digits, the same for ever.
    pub id: &'a str,
    /// The configured libraries.
    pub libraries: &'a [Library],
}

/// What a dialect learns of a request.
pub struct Request<'a> {
    /// The query, undecoded, without the question mark.
    pub query: &'a str,
    /// The value of a header, by its lower-case name.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The other end of its socket.
    pub peer: Option<SocketAddr>,
    /// The client's address; behind a trusted proxy the one the proxy names.
    pub address: Option<IpAddr>,
    /// Whether the client came over TLS, ours or that of a trusted proxy.
    pub secure: bool,
}

/// A plain answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Headers, beside those that every answer has.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

/// Why a client is not let in. Each dialect has its own words for it (event map, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No credentials, or none that count.
    Unauthorised,
    /// The server, the user or the address has as many connections as it may have, or whoever knows the credentials cannot
    /// be asked.
    Full,
    /// The address has shown too many bad tokens, and must wait so long.
    TooManyAttempts(Duration),
    /// The server drains.
    Draining,
}

/// How a stream begins and goes on.
pub struct Opening {
    /// What the session may see and asked for.
    pub filter: Filter,
    /// How it is written to.
    pub formats: FormatPair,
    /// The headers of the response.
    pub headers: Vec<(&'static str, String)>,
    /// What is sent before anything else.
    pub greeting: Bytes,
    /// How it is kept alive.
    pub keepalive: Option<Keepalive>,
    /// What it can be told.
    pub notices: Notices,
}

/// A client protocol.
pub trait Dialect: Send + Sync {
    /// Its name in metrics, settings and `dialects.NAME`.
    fn name(&self) -> &'static str;

    /// The paths of its event streams.
    fn stream_paths(&self) -> &'static [&'static str];

    /// How to use it, for the start page: HTML of our own, with nothing in it that depends on settings or users.
    fn guide(&self) -> &'static str;

    /// The token a request shows, if it shows one.
    fn token(&self, request: &Request<'_>) -> Option<String>;

    /// Whether a request that shows no token may have it in a cookie. Where it counts is the server's business (event map,
    /// section 7).
    fn takes_cookies(&self) -> bool {
        false
    }

    /// What the client calls itself, for lists and logs; the server bounds it.
    fn client(&self, request: &Request<'_>) -> Option<String> {
        (request.header)("user-agent").map(str::to_owned)
    }

    /// Opens a stream for a principal. A request can only narrow what he may see.
    fn open(&self, request: &Request<'_>, principal: Arc<Principal>) -> Opening;

    /// Says no.
    fn refuse(&self, request: &Request<'_>, refusal: Refusal) -> Answer;

    /// Its plain endpoints.
    fn endpoints(&self) -> &'static [&'static Endpoint] {
        &[]
    }

    /// Answers a call to one of them.
    fn answer(&self, call: &Call<'_>) -> Reaction {
        let _ = call; // a dialect without endpoints is never called
        Reaction::Answer(Answer { status: 404, headers: Vec::new(), body: Bytes::new() })
    }
}
