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
mod server;
mod shapes;
mod talk;
mod twin;

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::{About, Answer, Dialect, Opening, Refusal, Refused, Request, redseat, socketio};
use crate::{access::Caller, config, engineio};
use encode::{Formats, NO_LOGS};
use place::Place;
use server::Server;
use talk::Talk;

/// The dialect's name in `dialects.NAME` and in raw events.
const DIALECT: &str = "audiobookshelf";

/// How long a client may take to say who it is (event map, section 6).
const IDENTIFY_WITHIN: Duration = Duration::from_secs(10);

/// The dialect, as the settings have it.
pub struct Audiobookshelf {
    server: Arc<Server>,
    paths: &'static [&'static str],
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
            paths: paths(&settings.base),
            carrier: engineio::Settings { ping_interval, ping_timeout, ..engineio::Settings::default() },
        }
    }
}

impl Dialect for Audiobookshelf {
    fn name(&self) -> &'static str {
        DIALECT
    }

    fn stream_paths(&self) -> &'static [&'static str] {
        self.paths
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

    fn token(&self, _: &Request<'_>) -> Option<String> {
        None
    }

    fn open(&self, request: &Request<'_>, caller: &Caller) -> Result<Opening, Answer> {
        let nothing = (socketio::nobody(DIALECT, caller), self.server.formats.pair(NO_LOGS));
        let opening = socketio::open(&self.carrier, request, nothing, Box::new(Talk::new(&self.server)))?;
        Ok(Opening { identify_within: Some(IDENTIFY_WITHIN), ..opening })
    }

    /// *Full* and *draining* are a 503 at the handshake, after which its clients come back (event map, section 6).
    fn refuse(&self, _: &Request<'_>, refusal: Refusal) -> Refused {
        let status = match refusal {
            Refusal::Unauthorised => 401,
            Refusal::TooManyAttempts(_) => 429,
            Refusal::Full | Refusal::Draining => 503,
        };
        let headers = vec![("access-control-allow-origin", "*".to_owned())];
        Refused::Answer(Answer { status, headers, body: bytes::Bytes::new() })
    }
}

/// The endpoint, with and without the base path. They live as long as the process, because routes are made of them; the same
/// base shares them, however often an engine is started.
fn paths(base: &str) -> &'static [&'static str] {
    static MADE: Mutex<Vec<(String, &'static [&'static str])>> = Mutex::new(Vec::new());
    let mut made = MADE.lock();
    if let Some((_, paths)) = made.iter().find(|(of, _)| of == base) {
        return paths;
    }
    let mut paths: Vec<&'static str> = vec!["/socket.io/", "/socket.io"];
    if !base.is_empty() {
        paths.extend(["/socket.io/", "/socket.io"].map(|path| &*Box::leak(format!("{base}{path}").into_boxed_str())));
    }
    let paths: &'static [&'static str] = Box::leak(paths.into_boxed_slice());
    made.push((base.to_owned(), paths));
    paths
}
