//! A dialect that tells messages as text frames and says back what it is told, and a server that speaks it.

use std::{net::TcpStream, sync::Arc, time::Duration};

use bytes::Bytes;
use fanfare::{
    access::{Caller, Filter, RawNames},
    app::{self, Publish},
    config::Settings,
    dialect::{Answer, Conversation, Dialect, Effect, Opening, Refusal, Refused, Request, Transport, websocket_goodbye},
    event::{Envelope, EventKind, FormatPair, FormatSlot, FrameFormat, KindSet, MAX_FORMATS},
    frame::{Keepalive, Notices},
    websocket::{CloseCode, codec::Message, frame},
};
use serde_json::json;
use tempfile::TempDir;

use super::{
    PATIENCE,
    client::Way,
    tls::{Certificate, Wire},
};

pub(crate) const TOKEN: &str = "token-of-somebody-who-is-told";

/// How often clients are pinged, and how long they may be silent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) ping: Duration,
    pub(crate) silence: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { ping: Duration::from_secs(60), silence: Duration::from_secs(120) }
    }
}

pub(crate) struct Server {
    handle: app::Handle,
    certificate: Option<Certificate>,
    _folder: TempDir,
}

impl Server {
    pub(crate) fn start(way: Way, settings: &str, pace: Pace) -> Self {
        Self::speaking(way, settings, Arc::new(Told(pace)))
    }

    /// A server that speaks that dialect beside its own.
    pub(crate) fn speaking(way: Way, settings: &str, dialect: Arc<dyn Dialect>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let certificate = (way == Way::Tls).then(|| Certificate::make(folder.path(), "told"));
        let tls = certificate.as_ref().map(|made| format!("[tls]\ncert = {:?}\nkey = {:?}\n", made.cert, made.key)).unwrap_or_default();
        let server = format!("[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\ndata_dir = {data:?}\n");
        let user = format!("[[users]]\nid = \"bob\"\ntoken = \"{TOKEN}\"\nlibraries = \"read\"\n");
        let settings = Settings::parse(&format!("{server}{tls}{settings}\n{user}")).expect("valid settings");
        let handle = app::spawn_speaking(settings, vec![dialect]).expect("it starts");
        Self { handle, certificate, _folder: folder }
    }

    pub(crate) fn connect(&self) -> Wire {
        let socket = TcpStream::connect(self.handle.address()).expect("it listens");
        socket.set_nodelay(true).expect("a socket option");
        match &self.certificate {
            Some(certificate) => Wire::tls(socket, certificate.client()),
            None => socket.into(),
        }
    }

    pub(crate) fn publish(&self, text: &str) {
        let message = Publish::new(EventKind::Message, &json!({ "text": text })).expect("valid");
        self.handle.engine().publish_blocking(message, PATIENCE).expect("accepted");
    }

    pub(crate) fn metrics(&self) -> String {
        let url = format!("http://{}/metrics", self.handle.metrics_address());
        ureq::get(url).call().expect("metrics").body_mut().read_to_string().expect("text")
    }

    pub(crate) fn stop(self) {
        self.handle.stop();
    }
}

struct Told(Pace);

impl Dialect for Told {
    fn name(&self) -> &'static str {
        "told"
    }

    fn stream_paths(&self) -> &'static [&'static str] {
        &["/:/told/notifications"]
    }

    fn guide(&self) -> &'static str {
        ""
    }

    fn token(&self, request: &Request<'_>) -> Option<String> {
        (request.header)("authorization").map(str::to_owned)
    }

    fn open(&self, request: &Request<'_>, caller: &Caller) -> Result<Opening, Answer> {
        let principal = Arc::clone(&caller.principal);
        assert_eq!(request.path, "/:/told/notifications");
        if !request.websocket {
            let why = vec![("why", "a WebSocket is spoken here".to_owned())];
            return Err(Answer { status: 400, headers: why, body: Bytes::new() });
        }
        let filter = Filter {
            principal,
            dialect: "told",
            kinds: KindSet::of(&[EventKind::Message]),
            raw: RawNames::Only(Vec::new()),
            libraries: None,
            unscoped: true,
            connection: None,
        };
        Ok(Opening {
            transport: Transport::WebSocket,
            filter,
            formats: FormatPair { abridged: &Texts, full: &Texts },
            headers: Vec::new(),
            greeting: bytes::Bytes::new(),
            keepalive: Some(Arc::new(Keepalive { interval: self.0.ping, frame: frame::ping(b""), silence: Some(self.0.silence) })),
            notices: &Notices { gap: None, expiring: None, goodbye: Some(websocket_goodbye) },
            conversation: Some(Box::new(Listens)),
            identify_within: None,
        })
    }

    fn refuse(&self, request: &Request<'_>, refusal: Refusal) -> Refused {
        match refusal {
            Refusal::Full if request.websocket => Refused::Close(CloseCode::TRY_AGAIN_LATER),
            _ => Refused::Answer(Answer { status: 401, headers: Vec::new(), body: Bytes::new() }),
        }
    }
}

struct Listens;

impl Conversation for Listens {
    fn receive(&mut self, message: Message<'_>) -> Vec<Effect> {
        match message {
            Message::Text(text) => vec![Effect::Reply(frame::text(&format!("you said {text}")))],
            Message::Binary(_) => Vec::new(),
        }
    }
}

/// Messages as text frames.
pub(crate) struct Texts;

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
        Some(frame::text(envelope.event.message()))
    }
}
