//! Audiobookshelf: its events over Socket.IO (document 003, and the wire notes on Audiobookshelf), and RedSeat's twin on the
//! same endpoint.
//!
//! ```text
//! client                                             Fanfare
//!   Socket.IO on /socket.io/, CONNECT          ────►  nobody yet, and sent nothing; 10 s to say who it is
//!   42["auth","<token>"]                       ────►  who is it?  42["auth_failed",…] and 42["invalid_token"]
//!                                              ◄────  42["init",{"userId":…,"username":…}]
//!                                              ◄────  42["item_added",{…}]
//!
//!   CONNECT with {"token":"<token>"}           ────►  RedSeat's twin
//!                                              ◄────  42["auth",{"server":…}], 42["medias",{"library":…}]
//! ```

mod encode;
mod json;
mod place;
mod rest;
mod server;
mod shapes;
mod talk;
mod twin;

use std::{sync::Arc, time::Duration};

use super::{About, Answer, Call, Dialect, Endpoint, Joins, Opening, Reaction, Refusal, Refused, Request, redseat, socketio};
use crate::{
    access::{Asked, Caller},
    config, engineio,
};
use encode::{Formats, NO_LOGS};
use place::Place;
use server::Server;
use talk::Talk;

/// The dialect's name in `dialects.NAME` and in raw events.
const DIALECT: &str = "audiobookshelf";

/// The most a client may say at once before that, in bytes: a token, and what little it says beside it. The real server takes as
/// much as of anybody, and a thousand strangers could have it keep a gigabyte.
const STRANGERS_PAYLOAD: usize = 16 * 1024;

/// How long a client may take to say who it is (event map, section 6).
const IDENTIFY_WITHIN: Duration = Duration::from_secs(10);

/// The dialect, as the settings have it.
pub struct Audiobookshelf {
    server: Arc<Server>,
    prefixes: &'static [&'static str],
    carrier: engineio::Settings,
}

impl Audiobookshelf {
    /// The dialect of these settings.
    #[must_use]
    pub fn new(settings: &config::Audiobookshelf, about: &About<'_>) -> Self {
        let twin = settings.twin.then(|| Arc::new(redseat::Twin::new(about.libraries, about.users)));
        let (ping_interval, ping_timeout) = (settings.ping_interval, settings.ping_timeout);
        let server = Server {
            settings: settings.clone(),
            formats: Formats::of(Place::new(about.libraries, about.users)),
            state: Arc::clone(about.state),
            directory: Arc::clone(about.directory),
            twin,
        };
        Self {
            server: Arc::new(server),
            prefixes: rest::prefixes(&settings.base),
            carrier: engineio::Settings {
                ping_interval,
                ping_timeout,
                strangers_payload: STRANGERS_PAYLOAD,
                ..engineio::Settings::default()
            },
        }
    }
}

impl Dialect for Audiobookshelf {
    fn name(&self) -> &'static str {
        DIALECT
    }

    fn stream_paths(&self) -> &'static [&'static str] {
        &["/socket.io/", "/socket.io"]
    }

    fn prefixes(&self) -> Option<&'static [&'static str]> {
        Some(self.prefixes)
    }

    fn paths_setting(&self) -> Option<&'static str> {
        Some("dialects.audiobookshelf.base")
    }

    fn engine_io(&self) -> Option<engineio::Settings> {
        Some(self.carrier)
    }

    /// Whoever comes says on the connection who he is.
    fn admits_nobody(&self, _: &Request<'_>) -> bool {
        true
    }

    fn guide(&self) -> &'static str {
        include_str!("guide.html")
    }

    /// On its connections a client says later who it is.
    fn token(&self, request: &Request<'_>) -> Option<String> {
        if rest::is_one(request.path) { rest::token(request) } else { None }
    }

    fn asks(&self) -> Asked {
        self.server.asks()
    }

    fn request_headers(&self) -> &'static [&'static str] {
        &rest::HEADERS
    }

    fn open(&self, request: &Request<'_>, caller: &Caller) -> Result<Opening, Answer> {
        let nothing = (socketio::nobody(DIALECT, caller), self.server.formats.pair(NO_LOGS));
        let opening = socketio::open(&self.carrier, request, nothing, Box::new(Talk::new(&self.server)))?;
        Ok(Opening { identify_within: Some(IDENTIFY_WITHIN), ..opening })
    }

    /// *Full* and *draining* are a 503 at the handshake, after which its clients come back (event map, section 6).
    fn refuse(&self, request: &Request<'_>, refusal: Refusal) -> Refused {
        if rest::is_one(request.path) {
            return Refused::Answer(rest::refused(refusal));
        }
        let status = match refusal {
            Refusal::Unauthorised => 401,
            Refusal::TooManyAttempts(_) => 429,
            Refusal::Full | Refusal::Draining => 503,
        };
        let headers = vec![("access-control-allow-origin", "*".to_owned())];
        Refused::Answer(Answer { status, headers, body: bytes::Bytes::new() })
    }

    fn endpoints(&self) -> &'static [&'static Endpoint] {
        if self.server.settings.rest { rest::endpoints() } else { &[] }
    }

    fn answer(&self, call: &Call<'_>, _: &mut Joins) -> Reaction {
        rest::answer(call, &self.server)
    }
}
