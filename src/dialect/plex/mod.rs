//! Plex: server-sent events and WebSockets under `/:/` (documents 000 and 001, and the wire notes on Plex).
//!
//! ```text
//! client                                                    Fanfare
//!   GET /:/eventsource/notifications  X-Plex-Token  ──────►  who is it?  no: 401, 91 bytes
//!                                                   ◄──────  200 text/event-stream (or octets, by Accept)
//!                                                   ◄──────  event: ping / data: {}  at once and every 10 s
//!                                                   ◄──────  event: playing / data: {"PlaySessionStateNotification":{…}}
//!
//!   GET /:/websockets/notifications?X-Plex-Token=…  ──────►  no: 401 before the upgrade; full: 101, close 1013
//!   Upgrade: websocket                              ◄──────  101, and a WebSocket ping every 10 s
//!                                                   ◄──────  {"NotificationContainer":{"type":"playing","size":1,…:[{…}]}}
//! ```

mod container;
mod encode;
mod message;
mod refusal;
mod request;
mod rest;
mod sections;
mod types;

use std::sync::Arc;

use bytes::Bytes;

use super::{
    About, Answer, Dialect, Opening, Query, Refusal, Refused, Request, Transport,
    endpoint::{self, Call, Endpoint, Joins, Reaction},
    retry, websocket_goodbye,
};
use crate::{
    access::{Asked, Caller},
    clock::Timestamp,
    config,
    frame::{Goodbye, Keepalive, Notices, sse_comment},
    websocket,
};
use encode::Formats;
use message::Form;
use rest::Identity;
use sections::{Section, Sections};

/// The path of the event stream; the others are those of the WebSocket: the one every client asks for, and the documented one.
const EVENT_SOURCE: &str = "/:/eventsource/notifications";

/// What clients that count pings wait for; a comment would not do (wire notes, section 5).
const SSE_PING: &[u8] = b"event: ping\ndata: {}\n\n";

/// What a ping carries; whatever comes back is life.
const WEBSOCKET_PING: &[u8] = b"fanfare";

/// The dialect, as the settings have it.
#[derive(Debug)]
pub struct Plex {
    sse_keepalive: Arc<Keepalive>,
    websocket_keepalive: Arc<Keepalive>,
    rest: bool,
    asks: Asked,
    identity: Identity,
    /// How events are written to its sessions, and the libraries they are written for.
    formats: &'static Formats,
}

impl Plex {
    /// The dialect of these settings.
    #[must_use]
    pub fn new(settings: &config::Plex, about: &About<'_>) -> Self {
        let interval = settings.ping_interval;
        let sections = about.libraries.iter().map(Section::of).collect();
        Self {
            sse_keepalive: Arc::new(Keepalive { interval, frame: Bytes::from_static(SSE_PING), silence: None }),
            websocket_keepalive: Arc::new(Keepalive {
                interval,
                frame: websocket::frame::ping(WEBSOCKET_PING),
                silence: Some(2 * interval),
            }),
            rest: settings.rest,
            asks: if settings.server.is_some() { Asked::PlexServer } else { Asked::Callback },
            identity: Identity { name: about.name.to_owned(), machine: about.id.to_owned(), started: Timestamp::now().0 / 1000 },
            formats: Formats::of(Sections(sections)),
        }
    }
}

impl Dialect for Plex {
    fn name(&self) -> &'static str {
        encode::DIALECT
    }

    fn stream_paths(&self) -> &'static [&'static str] {
        &["/:/eventsource/notifications", "/:/websockets/notifications", "/:/websocket/notifications"]
    }

    fn guide(&self) -> &'static str {
        include_str!("guide.html")
    }

    fn token(&self, request: &Request<'_>) -> Option<String> {
        request::token(request)
    }

    fn request_headers(&self) -> &'static [&'static str] {
        &request::HEADERS
    }

    /// What clients say is ignored, so nobody needs to say much.
    fn inbound_bytes(&self) -> usize {
        4096
    }

    fn asks(&self) -> Asked {
        self.asks
    }

    fn client(&self, request: &Request<'_>) -> Option<String> {
        request::client(request).or_else(|| (request.header)("user-agent").map(str::to_owned))
    }

    fn open(&self, request: &Request<'_>, caller: &Caller) -> Result<Opening, Answer> {
        let principal = Arc::clone(&caller.principal);
        // Generated clients ask for the stream with a plain request to a WebSocket's path (wire notes, section 2).
        if !request.websocket && request.path != EVENT_SOURCE && refusal::named_stream_type(request).is_none() {
            return Err(refusal::no_websocket());
        }
        let form = if request.websocket && request.path != EVENT_SOURCE { Form::WebSocket } else { Form::Sse };
        let wanted = request::Wanted::read(Query(request.query));
        let (formats, filter) = (self.formats.pair(form, wanted.types), wanted.into_filter(principal));
        Ok(match form {
            Form::Sse => Opening {
                transport: Transport::EventStream,
                filter,
                formats,
                headers: refusal::stream_headers(request),
                // Opens proxies that hold the first bytes back.
                greeting: Bytes::from_static(SSE_PING),
                keepalive: Some(Arc::clone(&self.sse_keepalive)),
                notices: &Notices { gap: Some(gap), expiring: None, goodbye: Some(goodbye) },
                conversation: None,
                identify_within: None,
            },
            Form::WebSocket => Opening {
                transport: Transport::WebSocket,
                filter,
                formats,
                headers: Vec::new(),
                greeting: Bytes::new(),
                keepalive: Some(Arc::clone(&self.websocket_keepalive)),
                // Every message is a notification to these clients, and some stop at one they do not know.
                notices: &Notices { gap: None, expiring: None, goodbye: Some(websocket_goodbye) },
                conversation: None,
                identify_within: None,
            },
        })
    }

    fn refuse(&self, request: &Request<'_>, refusal: Refusal) -> Refused {
        refusal::refused(request, refusal)
    }

    fn endpoints(&self) -> &'static [&'static Endpoint] {
        if self.rest { &rest::ENDPOINTS } else { &[] }
    }

    fn answer(&self, call: &Call<'_>, _: &mut Joins) -> Reaction {
        rest::answer(call, &self.identity, self.formats.sections)
    }
}

/// The protocol has no word for it; a comment is ignored by every reader and seen by people.
fn gap(n_missed: u64) -> Bytes {
    sse_comment(&format!(" gap {n_missed}"))
}

/// A client that shall come back is told when, so that not all come at once.
fn goodbye(goodbye: Goodbye) -> Option<Bytes> {
    match goodbye {
        Goodbye::Stopping | Goodbye::ComeBack => Some(retry::hint()),
        Goodbye::NotWithThese => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_one_dialect_share_its_formats_and_the_bytes_of_its_ping() {
        let plex = Plex::new(
            &config::Plex::default(),
            &About {
                name: "n",
                id: "i",
                libraries: &[],
                users: &[],
                port: 0,
                state: &Arc::default(),
                directory: &Arc::new(crate::access::Directory::of_people("")),
            },
        );
        let header = |_: &str| None;
        let path = "/:/websockets/notifications";
        let request = Request { path, query: "", header: &header, peer: None, address: None, secure: false, websocket: true };
        let [one, other] = [(), ()].map(|()| plex.open(&request, &Caller::default()).unwrap_or_else(|answer| panic!("{answer:?}")));
        let ping = |opening: &Opening| opening.keepalive.as_ref().expect("a ping").frame.as_ptr();
        assert_eq!(ping(&one), ping(&other));
        assert!(std::ptr::addr_eq(one.formats.full, other.formats.full) && std::ptr::addr_eq(one.formats.abridged, other.formats.abridged));
    }
}
