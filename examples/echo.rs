//! A dialect of a program's own, and the one that conformance tests of WebSocket need: it says back what it is told.
//!
//! ```text
//! cargo run --example echo                      listens on a free port and says which, until Enter is pressed
//! cargo run --example echo -- 127.0.0.1:9001    listens there
//! ```
//!
//! `ws://ADDRESS/echo` needs no credentials: this dialect shows a token of its own for everybody. Clients may say as much
//! as they like, which no server for strangers should allow.
#![allow(clippy::print_stdout, reason = "an example's output")]

use std::{error::Error, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use fanfare::{
    access::{Caller, Filter, RawNames},
    app,
    config::Settings,
    dialect::{Answer, Conversation, Dialect, Effect, Opening, Refusal, Refused, Request, Transport, websocket_goodbye},
    event::{Envelope, FormatPair, FormatSlot, FrameFormat, KindSet, MAX_FORMATS},
    frame::{Keepalive, Notices},
    websocket::{CloseCode, codec::Message, frame},
};

/// Bounds far above the defaults: conformance tests send messages of 16 MiB, and others in 65,536 pieces.
const SETTINGS: &str = r#"
[server]
listen = "127.0.0.1:0"
metrics_listen = "127.0.0.1:0"

[engine]
outbox_bytes = "64MiB"

[limits]
connections_per_user = 0
inbound_bytes = "64MiB"
inbound_fragments = 1_000_000
inbound_per_minute = 0

[[users]]
id = "echo"
token = "token-of-the-echo-example"
"#;
const TOKEN: &str = "token-of-the-echo-example";

fn main() -> Result<(), Box<dyn Error>> {
    let mut settings = Settings::parse(SETTINGS)?;
    if let Some(listen) = std::env::args().nth(1) {
        settings.server.listen = listen.parse::<SocketAddr>()?;
    }
    settings.server.data_dir = std::env::temp_dir().join(format!("fanfare-echo-{}", std::process::id()));
    let data_dir = settings.server.data_dir.clone();
    let server = app::spawn_speaking(settings, vec![Arc::new(Echo)])?;
    println!("listening on ws://{}/echo", server.address());
    println!("press Enter to stop");
    std::io::stdin().read_line(&mut String::new())?;
    server.stop();
    std::fs::remove_dir_all(data_dir)?;
    Ok(())
}

/// The dialect: no events, and every message back as it came.
struct Echo;

impl Dialect for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn stream_paths(&self) -> &'static [&'static str] {
        &["/echo"]
    }

    fn guide(&self) -> &'static str {
        "<h2>Echo</h2><p>A WebSocket at <code>/echo</code> says back what it is told.</p>"
    }

    fn token(&self, _: &Request<'_>) -> Option<String> {
        Some(TOKEN.to_owned())
    }

    fn open(&self, request: &Request<'_>, caller: &Caller) -> Result<Opening, Answer> {
        let principal = Arc::clone(&caller.principal);
        if !request.websocket {
            return Err(Answer { status: 400, headers: Vec::new(), body: Bytes::from_static(b"a WebSocket is spoken here\n") });
        }
        let filter = Filter {
            principal,
            dialect: "echo",
            kinds: KindSet::EMPTY,
            raw: RawNames::Only(Vec::new()),
            libraries: None,
            unscoped: false,
            connection: None,
        };
        Ok(Opening {
            transport: Transport::WebSocket,
            filter,
            formats: FormatPair { abridged: &Nothing, full: &Nothing },
            headers: Vec::new(),
            greeting: Bytes::new(),
            keepalive: Some(Arc::new(Keepalive {
                interval: Duration::from_secs(30),
                frame: frame::ping(b""),
                silence: Some(Duration::from_secs(60)),
            })),
            notices: &Notices { gap: None, expiring: None, goodbye: Some(websocket_goodbye) },
            conversation: Some(Box::new(Echo)),
            identify_within: None,
        })
    }

    fn refuse(&self, request: &Request<'_>, refusal: Refusal) -> Refused {
        match refusal {
            _ if !request.websocket => Refused::Answer(Answer { status: 503, headers: Vec::new(), body: Bytes::new() }),
            Refusal::Draining => Refused::Close(CloseCode::GOING_AWAY),
            Refusal::Unauthorised | Refusal::Full | Refusal::TooManyAttempts(_) => Refused::Close(CloseCode::TRY_AGAIN_LATER),
        }
    }
}

impl Conversation for Echo {
    fn receive(&mut self, message: Message<'_>) -> Vec<Effect> {
        vec![Effect::Reply(match message {
            Message::Text(text) => frame::text(text),
            Message::Binary(bytes) => frame::binary(bytes),
        })]
    }
}

/// A format that carries no event.
struct Nothing;

impl FrameFormat for Nothing {
    fn slot(&self) -> FormatSlot {
        FormatSlot(u8::try_from(MAX_FORMATS - 1).unwrap_or_default())
    }

    fn dialect(&self) -> &'static str {
        "echo"
    }

    fn carries(&self) -> KindSet {
        KindSet::EMPTY
    }

    fn encode(&self, _: &Envelope) -> Option<Bytes> {
        None
    }
}
