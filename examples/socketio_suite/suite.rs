//! The two applications, as dialects.

use std::time::{Duration, Instant};

use bytes::Bytes;
use fanfare::{
    access::Caller,
    dialect::{
        Answer, Conversation, Dialect, Effect, End, Opening, Refusal, Refused, Request,
        socketio::{self, Application, Connect, Reactions, Rejected, Said},
    },
    engineio::{self, Beat, Heart, Packet},
    event::{Envelope, FormatPair, FormatSlot, FrameFormat, KindSet, MAX_FORMATS},
    websocket::{CloseCode, codec::Message, frame},
};

/// Engine.IO alone.
pub(crate) struct EngineSuite(pub(crate) engineio::Settings);

/// Socket.IO over it.
pub(crate) struct SocketSuite(pub(crate) engineio::Settings);

impl Dialect for EngineSuite {
    fn name(&self) -> &'static str {
        "engine_suite"
    }

    fn stream_paths(&self) -> &'static [&'static str] {
        &["/engine.io/"]
    }

    fn engine_io(&self) -> Option<engineio::Settings> {
        Some(self.0)
    }

    fn admits_nobody(&self, _: &Request<'_>) -> bool {
        true
    }

    fn guide(&self) -> &'static str {
        "<h2>Engine.IO</h2><p><code>/engine.io/</code> says back what it is told.</p>"
    }

    fn token(&self, _: &Request<'_>) -> Option<String> {
        None
    }

    fn open(&self, request: &Request<'_>, caller: &Caller) -> Result<Opening, Answer> {
        let heart = Heart::new(self.0.ping_interval, self.0.ping_timeout, Instant::now());
        socketio::carry(&self.0, request, (socketio::nobody(self.name(), caller), NOTHING), Box::new(Echo(heart)))
    }

    fn refuse(&self, _: &Request<'_>, _: Refusal) -> Refused {
        unavailable()
    }
}

impl Dialect for SocketSuite {
    fn name(&self) -> &'static str {
        "socket_suite"
    }

    fn stream_paths(&self) -> &'static [&'static str] {
        &["/socket.io/"]
    }

    fn engine_io(&self) -> Option<engineio::Settings> {
        Some(self.0)
    }

    fn admits_nobody(&self, _: &Request<'_>) -> bool {
        true
    }

    fn guide(&self) -> &'static str {
        "<h2>Socket.IO</h2><p><code>/socket.io/</code> has the namespaces <code>/</code> and <code>/custom</code>.</p>"
    }

    fn token(&self, _: &Request<'_>) -> Option<String> {
        None
    }

    fn open(&self, request: &Request<'_>, caller: &Caller) -> Result<Opening, Answer> {
        socketio::open(&self.0, request, (socketio::nobody(self.name(), caller), NOTHING), Box::<Suite>::default())
    }

    fn refuse(&self, _: &Request<'_>, _: Refusal) -> Refused {
        unavailable()
    }
}

fn unavailable() -> Refused {
    Refused::Answer(Answer { status: 503, headers: Vec::new(), body: Bytes::new() })
}

/// The suite's application of Engine.IO.
struct Echo(Heart);

impl Conversation for Echo {
    fn receive(&mut self, message: Message<'_>) -> Vec<Effect> {
        self.0.heard(Instant::now());
        match message {
            Message::Binary(bytes) => vec![Effect::Reply(frame::binary(bytes))],
            Message::Text(text) => match Packet::parse(text) {
                Ok(Packet::Message(said)) => vec![Effect::Reply(frame::text(&format!("4{said}")))],
                Ok(Packet::Close) => vec![Effect::Finish(End::Gone, frame::close_without_code())],
                Ok(Packet::Pong) => {
                    self.0.pong(Instant::now());
                    Vec::new()
                }
                Ok(Packet::Idle) => Vec::new(),
                Err(_) => vec![Effect::Close(CloseCode::PROTOCOL_ERROR, "no packet of a client")],
            },
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        Some(self.0.due())
    }

    fn wake(&mut self, now: Instant, _: bool) -> Vec<Effect> {
        match self.0.beat(now) {
            Beat::Early => Vec::new(),
            Beat::Ping => vec![Effect::Reply(frame::text("2"))],
            Beat::Dead => vec![Effect::Finish(End::Silent, frame::close(CloseCode::TRY_AGAIN_LATER, "ping timeout"))],
        }
    }
}

/// The suite's application of Socket.IO.
#[derive(Default)]
struct Suite {
    /// Who is told what it connected with, what that is, and when.
    to_tell: Vec<(String, String, Instant)>,
}

/// How long after the answer to its connecting a client is told what it connected with: the suite's own client loses a message
/// that it reads together with another one.
const APART: Duration = Duration::from_millis(15);

impl Application for Suite {
    fn connect(&mut self, connect: &Connect<'_>, _: &mut Reactions) -> Result<(), Rejected> {
        if !["/", "/custom"].contains(&connect.namespace) {
            return Err(Rejected::invalid_namespace());
        }
        self.to_tell.push((connect.namespace.to_owned(), connect.payload.to_owned(), Instant::now() + APART));
        Ok(())
    }

    fn wake_at(&self) -> Option<Instant> {
        self.to_tell.first().map(|(_, _, at)| *at)
    }

    fn wake(&mut self, _: Instant, reactions: &mut Reactions) {
        let (namespace, payload, _) = self.to_tell.remove(0);
        reactions.emit(&namespace, "auth", &[&payload]);
    }

    fn event(&mut self, event: &Said<'_>, reactions: &mut Reactions) {
        let arguments: Vec<_> = event.arguments.iter().map(|argument| argument.get()).collect();
        match event.name {
            "message" => reactions.emit_with(event.namespace, "message-back", &arguments, event.attachments),
            "message-with-ack" => reactions.ack(event, &arguments, event.attachments),
            _ => {}
        }
    }
}

/// No events are told here.
const NOTHING: FormatPair = FormatPair { abridged: &Nothing, full: &Nothing };

struct Nothing;

impl FrameFormat for Nothing {
    fn slot(&self) -> FormatSlot {
        FormatSlot(u8::try_from(MAX_FORMATS - 1).unwrap_or_default())
    }

    fn dialect(&self) -> &'static str {
        "socket_suite"
    }

    fn carries(&self) -> KindSet {
        KindSet::EMPTY
    }

    fn encode(&self, _: &Envelope) -> Option<Bytes> {
        None
    }
}
