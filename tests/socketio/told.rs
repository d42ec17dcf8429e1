//! A dialect over Socket.IO that tells messages to whoever shows a token: `auth`, then `message` events.

use std::sync::Arc;

use bytes::Bytes;
use fanfare::{
    access::{Asked, Caller, Filter, RawNames, Secret},
    dialect::{
        Answer, Dialect, Effect, NotAuthenticated, Opening, Refusal, Refused, Request, Standing,
        socketio::{self, Application, Connect, Reactions, Rejected, Said},
    },
    engineio,
    event::{Envelope, EventKind, FormatPair, FormatSlot, FrameFormat, KindSet, MAX_FORMATS},
    socketio::{Place, frame},
};

pub(crate) const PATH: &str = "/told.io/";

pub(crate) struct Told(pub(crate) engineio::Settings);

impl Dialect for Told {
    fn name(&self) -> &'static str {
        "told"
    }

    fn stream_paths(&self) -> &'static [&'static str] {
        &[PATH]
    }

    fn engine_io(&self) -> Option<engineio::Settings> {
        Some(self.0)
    }

    fn admits_nobody(&self, _: &Request<'_>) -> bool {
        true
    }

    fn guide(&self) -> &'static str {
        ""
    }

    fn token(&self, _: &Request<'_>) -> Option<String> {
        None
    }

    fn open(&self, request: &Request<'_>, caller: &Caller) -> Result<Opening, Answer> {
        let formats = FormatPair { abridged: &Texts, full: &Texts };
        socketio::open(&self.0, request, (socketio::nobody("told", caller), formats), Box::new(Listens))
    }

    fn refuse(&self, _: &Request<'_>, _: Refusal) -> Refused {
        Refused::Answer(Answer { status: 503, headers: Vec::new(), body: Bytes::new() })
    }
}

struct Listens;

impl Application for Listens {
    fn connect(&mut self, _: &Connect<'_>, _: &mut Reactions) -> Result<(), Rejected> {
        Ok(())
    }

    fn event(&mut self, event: &Said<'_>, reactions: &mut Reactions) {
        match (event.name, event.text()) {
            ("auth", Some(token)) => reactions.effect(Effect::Authenticate { token: Secret::new(token), asks: Asked::Callback }),
            _ => reactions.emit(event.namespace, "heard", &[]),
        }
    }

    fn authenticated(&mut self, answer: Result<Caller, NotAuthenticated>, reactions: &mut Reactions) {
        let caller = match answer {
            Ok(caller) => caller,
            Err(why) => return reactions.emit("/", "auth_failed", &[&format!("\"{why:?}\"")]),
        };
        let Some(credential) = caller.credential else { return };
        let filter = Filter {
            principal: caller.principal,
            dialect: "told",
            kinds: KindSet::of(&[EventKind::Message]),
            raw: RawNames::Only(Vec::new()),
            libraries: None,
            unscoped: true,
            connection: None,
        };
        let formats = FormatPair { abridged: &Texts, full: &Texts };
        reactions.effect(Effect::Become(Box::new(Standing { filter, formats, credential })));
        reactions.emit("/", "init", &[]);
    }
}

/// Messages as events.
struct Texts;

impl FrameFormat for Texts {
    fn slot(&self) -> FormatSlot {
        FormatSlot(u8::try_from(MAX_FORMATS - 1).expect("few"))
    }

    fn dialect(&self) -> &'static str {
        "told"
    }

    fn carries(&self) -> KindSet {
        KindSet::of(&[EventKind::Message])
    }

    fn encode(&self, envelope: &Envelope) -> Option<Bytes> {
        Some(frame::event(Place { namespace: "/", ack: None }, "message", &[envelope.event.message()], &[]))
    }
}

/// The same as an `Arc`, for a server.
pub(crate) fn told(settings: engineio::Settings) -> Vec<Arc<dyn Dialect>> {
    vec![Arc::new(Told(settings))]
}
