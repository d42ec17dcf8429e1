//! Plex: server-sent events and WebSockets under `/:/` (documents 000 and 001, and the wire notes on Plex).
//!
//! ```text
//! client                                                    Fanfare
//!   GET /:/eventsource/notifications  X-Plex-Token  ──────►  who is it?  no: 401, 91 bytes
//!                                                   ◄──────  200 text/event-stream (or octets, by Accept)
//!                                                   ◄──────  event: ping / data: {}  at once and every 10 s
//!                                                   ◄──────  event: playing / data: {"PlaySessionStateNotification":{…}}
//! ```

mod container;
mod encode;
mod message;
mod refusal;
mod request;
mod rest;
mod sections;
mod types;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    About, Answer, Dialect, Opening, Query, Refusal, Request,
    endpoint::{self, Call, Endpoint, Reaction},
    retry,
};
use crate::{
    access::Principal,
    clock::Timestamp,
    config,
    frame::{Goodbye, Keepalive, Notices, sse_comment},
};
use message::Form;
use rest::Identity;
use sections::{Section, Sections};

/// What clients that count pings wait for; a comment would not do (wire notes, section 5).
const SSE_PING: &[u8] = b"event: ping\ndata: {}\n\n";

/// The dialect, as the settings have it.
#[derive(Debug)]
pub struct Plex {
    ping_interval: Duration,
    rest: bool,
    identity: Identity,
    sections: Sections,
}

impl Plex {
    /// The dialect of these settings.
    #[must_use]
    pub fn new(settings: &config::Plex, about: &About<'_>) -> Self {
        let sections = about.libraries.iter().map(Section::of).collect();
        Self {
            ping_interval: settings.ping_interval,
            rest: settings.rest,
            identity: Identity { name: about.name.to_owned(), machine: about.id.to_owned(), started: Timestamp::now().0 / 1000 },
            sections: Sections(sections),
        }
    }
}

impl Dialect for Plex {
    fn name(&self) -> &'static str {
        encode::DIALECT
    }

    fn stream_paths(&self) -> &'static [&'static str] {
        &["/:/eventsource/notifications"]
    }

    fn guide(&self) -> &'static str {
        include_str!("guide.html")
    }

    fn token(&self, request: &Request<'_>) -> Option<String> {
        request::token(request)
    }

    fn client(&self, request: &Request<'_>) -> Option<String> {
        request::client(request).or_else(|| (request.header)("user-agent").map(str::to_owned))
    }

    fn open(&self, request: &Request<'_>, principal: Arc<Principal>) -> Opening {
        let wanted = request::Wanted::read(Query(request.query));
        Opening {
            formats: encode::formats(&self.sections, Form::Sse, wanted.types),
            filter: wanted.into_filter(principal),
            headers: refusal::stream_headers(request),
            keepalive: Some(Keepalive { interval: self.ping_interval, frame: Bytes::from_static(SSE_PING) }),
            // Opens proxies that hold the first bytes back.
            greeting: Bytes::from_static(SSE_PING),
            notices: Notices { gap: Some(gap), expiring: None, goodbye: Some(goodbye) },
        }
    }

    fn refuse(&self, request: &Request<'_>, refusal: Refusal) -> Answer {
        refusal::answer(request, refusal)
    }

    fn endpoints(&self) -> &'static [&'static Endpoint] {
        if self.rest { &rest::ENDPOINTS } else { &[] }
    }

    fn answer(&self, call: &Call<'_>) -> Reaction {
        rest::answer(call, &self.identity, &self.sections)
    }
}

/// The protocol has no word for it; a comment is ignored by every reader and seen by people.
fn gap(n_missed: u64) -> Bytes {
    sse_comment(&format!(" gap {n_missed}"))
}

/// A client that shall come back is told when, so that not all come at once.
fn goodbye(goodbye: Goodbye) -> Option<Bytes> {
    match goodbye {
        Goodbye::ComeBack => Some(retry::hint()),
        Goodbye::NotWithThese => None,
    }
}
