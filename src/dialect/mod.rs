//! The client protocols we speak, one folder each, and what they have in common.
//!
//! A dialect holds no actor and no socket: it names its endpoints, says how a request opens a stream, how events are
//! written, how it keeps a connection alive and how it says no. Adding one is a folder and a line in [`all`].

pub mod audiobookshelf;
mod conversation;
mod discovery;
mod endpoint;
pub mod mediabrowser;
pub mod plex;
mod query;
pub mod redseat;
mod retry;
pub mod socketio;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;

pub use conversation::{Conversation, Effect, End, NotAuthenticated, Standing};
pub use discovery::Discoverable;
pub use endpoint::{
    Call, Callers, Cancelled, Endpoint, Joins, LogIn, LogInForPair, LoggedIn, Method, NotLoggedIn, NotRenewed, Reaction, Renew,
};
pub use query::Query;

use crate::{
    access::{Asked, Caller, Directory, Filter},
    config::{Dialects, Library, User},
    engineio::{self, Sid},
    event::FormatPair,
    frame::{Goodbye, Keepalive, Notices},
    state::State,
    websocket::{CloseCode, frame},
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
    if settings.mediabrowser.enabled {
        dialects.push(Arc::new(mediabrowser::MediaBrowser::new(&settings.mediabrowser, about)));
    }
    if settings.audiobookshelf.enabled {
        dialects.push(Arc::new(audiobookshelf::Audiobookshelf::new(&settings.audiobookshelf, about)));
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
    /// The configured users.
    pub users: &'a [User],
    /// The port clients come in on.
    pub port: u16,
    /// What is going on, for what is told without a call: conversations and topics.
    pub state: &'a Arc<State>,
    /// Who is who, for who is online.
    pub directory: &'a Arc<Directory>,
}

/// What a dialect learns of a request.
pub struct Request<'a> {
    /// The path as the dialect names it, whatever stands before it and however it is spelled.
    pub path: &'a str,
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
    /// Whether a WebSocket is asked for, in a handshake that is whole and valid.
    pub websocket: bool,
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

/// How a client is told no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// With a plain answer.
    Answer(Answer),
    /// The WebSocket it asked for is opened, and closed at once with this code: some clients never come back from a
    /// refused handshake. Only where [`Request::websocket`].
    Close(CloseCode),
}

/// What carries a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// The body of an HTTP response, written as it comes.
    EventStream,
    /// A WebSocket. Only where [`Request::websocket`].
    WebSocket,
    /// The GETs and POSTs of an Engine.IO session of that name, until a WebSocket takes over. Only on paths of a dialect with
    /// [`Dialect::engine_io`].
    Polling(Sid),
}

/// How a stream begins and goes on.
pub struct Opening {
    /// What carries it.
    pub transport: Transport,
    /// What the session may see and asked for.
    pub filter: Filter,
    /// How it is written to.
    pub formats: FormatPair,
    /// The headers of the response, beside those of a WebSocket's handshake.
    pub headers: Vec<(&'static str, String)>,
    /// What is sent before anything else.
    pub greeting: Bytes,
    /// How it is kept alive.
    pub keepalive: Option<Arc<Keepalive>>,
    /// What it can be told.
    pub notices: &'static Notices,
    /// The dialect's side of a WebSocket; `None`: what the client says is ignored.
    pub conversation: Option<Box<dyn Conversation>>,
    /// It is closed with 1008 unless the client has shown within that time who it is ([`Effect::Become`]); `None`: it has.
    pub identify_within: Option<Duration>,
}

/// A client protocol.
pub trait Dialect: Send + Sync {
    /// Its name in metrics, settings and `dialects.NAME`.
    fn name(&self) -> &'static str;

    /// The paths of its streams. One that begins with `/:/` is also found behind any prefix (`/plex/:/…`), and its colons
    /// with an escape (`%3A`).
    fn stream_paths(&self) -> &'static [&'static str];

    /// What may stand before its paths, as `/emby`. Its streams and endpoints are then also found in any case. `None`: its
    /// paths are exact.
    fn prefixes(&self) -> Option<&'static [&'static str]> {
        None
    }

    /// The setting that says where its paths are, by its whole name; `None`: they are where they are.
    fn paths_setting(&self) -> Option<&'static str> {
        None
    }

    /// How its streams are carried by Engine.IO; `None`: they are not. Its `open` is then asked for new sessions only, by a
    /// request that is right; [`socketio::open`] does what there is to do.
    fn engine_io(&self) -> Option<engineio::Settings> {
        None
    }

    /// Whether it takes every WebSocket that is asked for on a path nobody owns. Its `open` sees the path as it came.
    fn takes_other_websockets(&self) -> bool {
        false
    }

    /// Whether a request that shows no token opens a stream all the same, for nobody. Such a client sees nothing before it
    /// has shown who it is.
    fn admits_nobody(&self, request: &Request<'_>) -> bool {
        let _ = request; // unless its protocol says otherwise, whoever comes says who he is
        false
    }

    /// How to use it, for the start page: HTML of our own, with nothing in it that depends on settings or users.
    fn guide(&self) -> &'static str;

    /// The token a request shows, if it shows one.
    fn token(&self, request: &Request<'_>) -> Option<String>;

    /// Headers of its own that its clients set, in lower case: pages of other origins may set them too.
    fn request_headers(&self) -> &'static [&'static str] {
        &[]
    }

    /// The longest message of a client it listens to, in bytes; the settings may allow less.
    fn inbound_bytes(&self) -> usize {
        usize::MAX
    }

    /// Who is asked about its clients' tokens that are not known here.
    fn asks(&self) -> Asked {
        Asked::Callback
    }

    /// Whether a request that shows no token may have it in a cookie. Where it counts is the server's business (event map,
    /// section 7).
    fn takes_cookies(&self) -> bool {
        false
    }

    /// What the client calls itself, for lists and logs; the server bounds it.
    fn client(&self, request: &Request<'_>) -> Option<String> {
        (request.header)("user-agent").map(str::to_owned)
    }

    /// Opens a stream for somebody. A request can only narrow what he may see.
    ///
    /// # Errors
    /// The answer to a request that opens none: a WebSocket's path asked for without one, for example.
    fn open(&self, request: &Request<'_>, caller: &Caller) -> Result<Opening, Answer>;

    /// Says no.
    fn refuse(&self, request: &Request<'_>, refusal: Refusal) -> Refused;

    /// Its plain endpoints.
    fn endpoints(&self) -> &'static [&'static Endpoint] {
        &[]
    }

    /// Answers a call to one of them. Connections that can be told by it whose they are go into `joins`.
    fn answer(&self, call: &Call<'_>, joins: &mut Joins) -> Reaction {
        let _ = (call, joins); // a dialect without endpoints is never called
        Reaction::Answer(Answer { status: 404, headers: Vec::new(), body: Bytes::new() })
    }
}

/// The last word on a WebSocket, for [`Notices::goodbye`]: a close frame.
#[must_use]
pub fn websocket_goodbye(goodbye: Goodbye) -> Option<Bytes> {
    Some(match goodbye {
        Goodbye::Stopping => frame::close(CloseCode::GOING_AWAY, "the server stops"),
        Goodbye::ComeBack => frame::close(CloseCode::TRY_AGAIN_LATER, "come back"),
        Goodbye::NotWithThese => frame::close(CloseCode::POLICY_VIOLATION, "these credentials have ended"),
    })
}
