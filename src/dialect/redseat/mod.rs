//! RedSeat: server-sent events on `/sse` (document 002, and the wire notes on RedSeat).
//!
//! ```text
//! client                                   Fanfare
//!   GET /sse?libraries=a,b   ─────────────►  who is it?  no: 401 JSON
//!                            ◄─────────────  200 text/event-stream
//!                            ◄─────────────  event: medias / data: {"Medias":…}
//!                            ◄─────────────  :ping  every 30 s, whether or not events flow
//! ```

mod encode;
mod refusal;
mod request;
mod twin;
mod wire;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

pub use encode::{DEFAULT_KINDS, Spelling, formats};
pub(crate) use twin::Twin;

use super::{Answer, Dialect, Opening, Query, Refusal, Refused, Request, Transport, retry};
use crate::{
    access::Caller,
    clock::Timestamp,
    config,
    frame::{Goodbye, Keepalive, Notices, sse_comment, sse_event},
};

/// The dialect, as the settings have it.
#[derive(Debug)]
pub struct RedSeat {
    spelling: Spelling,
    keepalive: Arc<Keepalive>,
}

impl RedSeat {
    /// The dialect of these settings.
    #[must_use]
    pub fn new(settings: &config::RedSeat) -> Self {
        let spelling = match settings.spelling {
            config::Spelling::Document => Spelling::Document,
            config::Spelling::Server => Spelling::Server,
        };
        let keepalive = Keepalive { interval: settings.ping_interval, frame: Bytes::from_static(b":ping\n"), silence: None };
        Self { spelling, keepalive: Arc::new(keepalive) }
    }
}

impl Dialect for RedSeat {
    fn name(&self) -> &'static str {
        encode::DIALECT
    }

    fn stream_paths(&self) -> &'static [&'static str] {
        &["/sse"]
    }

    fn guide(&self) -> &'static str {
        include_str!("guide.html")
    }

    /// `Authorization: Bearer` wins over `?token=`, as on the real server (wire notes, section 2).
    fn token(&self, request: &Request<'_>) -> Option<String> {
        if let Some(header) = (request.header)("authorization") {
            let (scheme, token) = header.split_once(' ')?;
            return scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned());
        }
        Query(request.query).get("token").map(std::borrow::Cow::into_owned)
    }

    fn takes_cookies(&self) -> bool {
        true
    }

    fn open(&self, request: &Request<'_>, caller: &Caller) -> Result<Opening, Answer> {
        let principal = Arc::clone(&caller.principal);
        let wanted = request::Wanted::read(Query(request.query), self.spelling);
        Ok(Opening {
            transport: Transport::EventStream,
            formats: formats(wanted.spelling, wanted.scan_named),
            notices: &NOTICES[usize::from(wanted.gap_event)][usize::from(wanted.expiring_event)],
            filter: wanted.into_filter(principal),
            headers: refusal::stream_headers(),
            greeting: Bytes::new(),
            keepalive: Some(Arc::clone(&self.keepalive)),
            conversation: None,
            identify_within: None,
        })
    }

    fn refuse(&self, _: &Request<'_>, refusal: Refusal) -> Refused {
        Refused::Answer(refusal::answer(refusal))
    }
}

/// A gap, for clients that did not open `gap`: a comment, which every parser ignores.
/// What a client can be told: by whether it opened `gap`, then by whether it opened `expiring`.
static NOTICES: [[Notices; 2]; 2] = {
    const COMMENT: Notices = Notices { gap: Some(gap_comment), expiring: None, goodbye: Some(goodbye) };
    const EVENT: Notices = Notices { gap: Some(gap_event), ..COMMENT };
    [[COMMENT, Notices { expiring: Some(expiring), ..COMMENT }], [EVENT, Notices { expiring: Some(expiring), ..EVENT }]]
};

fn gap_comment(n_missed: u64) -> Bytes {
    sse_comment(&format!(" gap {n_missed}"))
}

fn gap_event(n_missed: u64) -> Bytes {
    let mut bytes = gap_comment(n_missed).to_vec();
    bytes.extend_from_slice(&sse_event("gap", format!("{{\"missed\":{n_missed}}}").as_bytes()));
    bytes.into()
}

fn expiring(left: Duration, ends: Timestamp) -> Bytes {
    sse_event("expiring", format!("{{\"seconds\":{},\"expires\":{}}}", left.as_secs(), ends.0).as_bytes())
}

/// A client that shall come back is told when, so that not all come at once; with refused credentials it is told nothing.
fn goodbye(goodbye: Goodbye) -> Option<Bytes> {
    match goodbye {
        Goodbye::Stopping | Goodbye::ComeBack => Some(retry::hint()),
        Goodbye::NotWithThese => None,
    }
}
