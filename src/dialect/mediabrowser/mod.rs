//! MediaBrowser, Emby and Jellyfin: one dialect for three generations of clients (document 004, and the wire notes on
//! MediaBrowser).
//!
//! ```text
//! client                                                       Fanfare
//!   POST /Users/AuthenticateByName {"Username","Pw"}   ─────►  a user?  no: 401
//!                                                      ◄─────  {"AccessToken":…,"User":…,"ServerId":…}
//!   GET /socket  Authorization: MediaBrowser Token="…" ─────►  who is it?  no: 403 before the upgrade
//!                                                      ◄─────  101, {"MessageType":"ForceKeepAlive","Data":60}
//!   {"MessageType":"KeepAlive"}                        ─────►
//!                                                      ◄─────  {"MessageType":"KeepAlive","MessageId":"…"}
//!   {"MessageType":"SessionsStart","Data":"0,1000"}    ─────►
//!                                                      ◄─────  {"MessageType":"Sessions","Data":[…]}
//!
//!   GET /mediabrowser, no token                        ─────►  101: nobody yet, and sent nothing
//!   {"MessageType":"Identity","Data":"client|device|version"} ─►  whose device is that? it becomes his
//! ```

mod check_in;
mod conversation;
mod credentials;
mod encode;
mod generation;
mod item;
mod message;
mod place;
mod refusal;
mod report;
mod rest;
mod server;
mod session_info;
mod task;
mod topics;
mod user_dto;
mod values;

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};

use super::{About, Answer, Call, Conversation, Dialect, Endpoint, Joins, Opening, Reaction, Refusal, Refused, Request, Transport};
use crate::{
    access::{Asked, Caller},
    config,
    frame::{Goodbye, Keepalive, Notices},
    websocket::{CloseCode, frame},
};
use conversation::Talk;
use credentials::Shown;
use encode::DIALECT;
use generation::Generation;
use server::Server;
use topics::Topics;

/// The path where clients may come without a token, as document 004 has it.
const WITHOUT_TOKEN: &str = "/mediabrowser";

/// What a ping carries; whatever comes back is life.
const PING: &[u8] = b"fanfare";

/// How long after a ping a client may say nothing at all before it is closed (event map, section 7).
const SILENCE: Duration = Duration::from_secs(20);

/// How long a client that came without a token may take to say who it is (event map, section 6).
const IDENTIFY_WITHIN: Duration = Duration::from_secs(10);

/// The longest message that is listened to, in bytes: a check-in may carry a queue of items.
const INBOUND_BYTES: usize = 256 * 1024;

/// The dialect, as the settings have it.
pub struct MediaBrowser {
    server: Arc<Server>,
    topics: Arc<Topics>,
    /// What all sockets share.
    keepalive: Arc<Keepalive>,
}

impl MediaBrowser {
    /// The dialect of these settings.
    #[must_use]
    pub fn new(settings: &config::MediaBrowser, about: &About<'_>) -> Self {
        let server = Server::new(settings, about);
        let interval = server.settings.ping_interval;
        let keepalive = Arc::new(Keepalive { interval, frame: frame::ping(PING), silence: Some(interval + SILENCE) });
        Self { topics: Arc::new(Topics::new(&server)), server, keepalive }
    }

    fn shown(&self, request: &Request<'_>) -> Shown {
        Shown::read(request, self.server.settings.legacy_credentials)
    }

    fn shown_token(&self, request: &Request<'_>) -> Option<String> {
        credentials::token(request, self.server.settings.legacy_credentials)
    }

    /// Which generation asks for a socket there.
    fn generation(&self, request: &Request<'_>) -> Generation {
        let path = request.path.trim_end_matches('/');
        let last = path.rsplit('/').next().unwrap_or_default();
        if last.eq_ignore_ascii_case("socket") {
            Generation::Jellyfin
        } else if last.eq_ignore_ascii_case("mediabrowser") && self.shown_token(request).is_none() {
            Generation::Identity
        } else {
            Generation::Emby
        }
    }
}

impl Dialect for MediaBrowser {
    fn name(&self) -> &'static str {
        DIALECT
    }

    fn stream_paths(&self) -> &'static [&'static str] {
        &[WITHOUT_TOKEN, "/embywebsocket", "/socket"]
    }

    fn prefixes(&self) -> Option<&'static [&'static str]> {
        Some(&["/emby", "/mediabrowser"])
    }

    fn takes_other_websockets(&self) -> bool {
        true
    }

    fn admits_nobody(&self, request: &Request<'_>) -> bool {
        let path = request.path.trim_end_matches('/');
        self.server.settings.identity
            && request.websocket
            && path.eq_ignore_ascii_case(WITHOUT_TOKEN)
            && self.shown_token(request).is_none()
    }

    fn guide(&self) -> &'static str {
        include_str!("guide.html")
    }

    fn token(&self, request: &Request<'_>) -> Option<String> {
        self.shown_token(request)
    }

    fn request_headers(&self) -> &'static [&'static str] {
        &credentials::HEADERS
    }

    fn inbound_bytes(&self) -> usize {
        INBOUND_BYTES
    }

    fn asks(&self) -> Asked {
        if self.server.settings.server.is_some() { Asked::MediaBrowserServer } else { Asked::Callback }
    }

    fn client(&self, request: &Request<'_>) -> Option<String> {
        let device = self.shown(request).device;
        if device.client.is_empty() {
            return (request.header)("user-agent").map(str::to_owned);
        }
        let name = if device.name.is_empty() { device.id } else { device.name };
        Some(format!("{} {} ({name})", device.client, device.version))
    }

    fn open(&self, request: &Request<'_>, caller: &Caller) -> Result<Opening, Answer> {
        if !request.websocket {
            return Err(refusal::no_websocket());
        }
        let generation = self.generation(request);
        let is_nobody = generation == Generation::Identity;
        let principal = Arc::clone(&caller.principal);
        let filter = if is_nobody { Generation::nothing(principal) } else { generation.filter(principal) };
        let opened = (!is_nobody).then(|| (caller.clone(), self.server.device(&self.shown(request), caller, request.address)));
        let conversation: Box<dyn Conversation> = Box::new(Talk::new((&self.server, &self.topics), generation, request.address, opened));
        Ok(Opening {
            transport: Transport::WebSocket,
            filter,
            formats: self.server.formats.pair(generation),
            headers: Vec::new(),
            // Some clients ask for nothing before they have been told something; those of document 004 do not know it.
            greeting: if is_nobody { Bytes::new() } else { message::message("ForceKeepAlive", Some(message::KEEP_ALIVE_SECONDS)) },
            keepalive: Some(Arc::clone(&self.keepalive)),
            notices: &Notices { gap: None, expiring: None, goodbye: Some(goodbye) },
            conversation: Some(conversation),
            identify_within: is_nobody.then_some(IDENTIFY_WITHIN),
        })
    }

    fn refuse(&self, request: &Request<'_>, refusal: Refusal) -> Refused {
        refusal::refused(request, refusal)
    }

    fn endpoints(&self) -> &'static [&'static Endpoint] {
        if self.server.settings.rest { rest::endpoints() } else { &[] }
    }

    fn answer(&self, call: &Call<'_>, joins: &mut Joins) -> Reaction {
        rest::answer(call, &self.server, joins)
    }
}

/// The last word: what the protocol has for a server that goes, and the close its clients expect (event map, section 6).
fn goodbye(goodbye: Goodbye) -> Option<Bytes> {
    let (code, reason) = match goodbye {
        Goodbye::Stopping => {
            let mut out = BytesMut::new();
            message::put(&mut out, "ServerShuttingDown", Some("\"\""));
            out.extend_from_slice(&frame::close(CloseCode::NORMAL, "System Shutdown"));
            return Some(out.freeze());
        }
        Goodbye::ComeBack => (CloseCode::TRY_AGAIN_LATER, "come back"),
        Goodbye::NotWithThese => (CloseCode::POLICY_VIOLATION, "these credentials have ended"),
    };
    Some(frame::close(code, reason))
}
