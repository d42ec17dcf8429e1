//! A dialect with plain endpoints of every kind, and a server that speaks it.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    sync::Arc,
};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, phc},
};
use bytes::Bytes;
use fanfare::{
    access::{Caller, Device, Filter, RawNames, Secret},
    app,
    config::Settings,
    dialect::{
        Answer, Call, Callers, Dialect, Endpoint, Joins, LogIn, Method, NotLoggedIn, Opening, Reaction, Refusal, Refused, Request,
        Transport,
    },
    event::{Envelope, EventKind, FormatPair, FormatSlot, FrameFormat, KindSet, Limits, MAX_FORMATS},
    frame::Notices,
    source::cloudevents::Draft,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::PATIENCE;

pub(crate) const ROOT: &str = "token-of-root-0123456789abcdef0123456789";

static LOG_IN: Endpoint = Endpoint { method: Method::Post, path: "/Log/In", callers: Callers::KnownOrNot };
static LOG_OUT: Endpoint = Endpoint { method: Method::Post, path: "/Log/Out", callers: Callers::Known };
static ME: Endpoint = Endpoint { method: Method::Get, path: "/Who/Me", callers: Callers::Known };
static WHO: Endpoint = Endpoint { method: Method::Get, path: "/Who/{id}", callers: Callers::KnownOrNot };
static FORGET: Endpoint = Endpoint { method: Method::Delete, path: "/Who/{id}", callers: Callers::Known };
static OPEN: Endpoint = Endpoint { method: Method::Get, path: "/Open", callers: Callers::Anybody };
static SAY: Endpoint = Endpoint { method: Method::Post, path: "/Say/{to}/Loud/{how}", callers: Callers::Known };
static ENDPOINTS: [&Endpoint; 7] = [&LOG_IN, &LOG_OUT, &ME, &WHO, &FORGET, &OPEN, &SAY];

pub(crate) struct Server {
    handle: app::Handle,
    folder: TempDir,
    more: String,
}

impl Server {
    pub(crate) fn start(more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let handle = spawn(&folder, more);
        Self { handle, folder, more: more.to_owned() }
    }

    pub(crate) fn restart(self) -> Self {
        let Self { handle, folder, more } = self;
        handle.stop();
        let handle = spawn(&folder, &more);
        Self { handle, folder, more }
    }

    /// Status, headers in lower case and body of the answer to a request with these headers (`Name: value`).
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.handle.address()).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a TCP option");
        let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        let head = headers.iter().fold(head, |head, line| head + line + "\r\n") + "\r\n";
        // A server that refuses a body early may close while it is written.
        let _refused_early = stream.write_all(&[head.as_bytes(), body].concat());
        let answer = std::io::read_to_string(stream).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, head.to_ascii_lowercase(), body.to_owned())
    }

    /// The answer to a call with a token.
    pub(crate) fn call(&self, method: &str, path: &str, token: &str) -> (u16, String) {
        let (status, _, body) = self.ask(method, path, &[&format!("Token: {token}")], b"");
        (status, body)
    }

    pub(crate) fn log_in(&self, name: &str, password: &str, device: &str) -> (u16, Value) {
        let body = json!({"name": name, "password": password, "device": device}).to_string();
        let (status, _, body) = self.ask("POST", "/log/IN", &["Content-Type: text/plain"], body.as_bytes());
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// An open stream of somebody, behind its head.
    pub(crate) fn hear(&self, token: &str) -> impl Iterator<Item = String> + use<> {
        let mut stream = TcpStream::connect(self.handle.address()).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a TCP option");
        stream.write_all(format!("GET /hear HTTP/1.1\r\nhost: x\r\ntoken: {token}\r\n\r\n").as_bytes()).expect("sent");
        let mut lines = BufReader::new(stream).lines().map(|line| line.expect("a line or the end"));
        let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        assert!(head[0].contains(" 200 "), "{head:?}");
        lines
    }
}

fn spawn(folder: &TempDir, more: &str) -> app::Handle {
    let data = folder.path().join("data");
    let server =
        format!("[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\ndrain_window = \"100ms\"\ndata_dir = {data:?}\n");
    let (bob, ann) = (hash("bob's"), hash("ann's"));
    let people = format!(
        "[[users]]\nid = \"root\"\nadmin = true\ntoken = \"{ROOT}\"\n\
         [[users]]\nid = \"bob\"\nname = \"Bob\"\nlibraries = \"read\"\npassword_hash = \"{bob}\"\n\
         [[users]]\nid = \"ann\"\nname = \"Ann\"\nlibraries = \"read\"\npassword_hash = \"{ann}\"\n"
    );
    let settings = Settings::parse(&format!("{server}{more}\n{people}")).expect("valid settings");
    app::spawn_speaking(settings, vec![Arc::new(Spoken)]).expect("it starts")
}

/// A hash that costs next to nothing.
fn hash(password: &str) -> String {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).expect("allowed"));
    let hash: phc::PasswordHash = argon2.hash_password_with_salt(password.as_bytes(), b"saltsalt").expect("made");
    hash.to_string()
}

struct Spoken;

impl Dialect for Spoken {
    fn name(&self) -> &'static str {
        "spoken"
    }

    fn stream_paths(&self) -> &'static [&'static str] {
        &["/hear"]
    }

    fn prefixes(&self) -> Option<&'static [&'static str]> {
        Some(&["/before"])
    }

    fn guide(&self) -> &'static str {
        ""
    }

    fn token(&self, request: &Request<'_>) -> Option<String> {
        (request.header)("token").map(str::to_owned)
    }

    fn open(&self, _: &Request<'_>, caller: &Caller) -> Result<Opening, Answer> {
        let filter = Filter {
            principal: Arc::clone(&caller.principal),
            dialect: "spoken",
            kinds: KindSet::of(&[EventKind::Message]),
            raw: RawNames::Only(Vec::new()),
            libraries: None,
            unscoped: true,
            connection: None,
        };
        Ok(Opening {
            transport: Transport::EventStream,
            filter,
            formats: FormatPair { abridged: &Lines, full: &Lines },
            headers: Vec::new(),
            greeting: Bytes::from_static(b"welcome\n"),
            keepalive: None,
            notices: &Notices { gap: None, expiring: None, goodbye: None },
            conversation: None,
            identify_within: None,
        })
    }

    fn refuse(&self, _: &Request<'_>, refusal: Refusal) -> Refused {
        let status = if matches!(refusal, Refusal::TooManyAttempts(_)) { 429 } else { 401 };
        Refused::Answer(answer(status, ""))
    }

    fn endpoints(&self) -> &'static [&'static Endpoint] {
        &ENDPOINTS
    }

    fn answer(&self, call: &Call<'_>, _: &mut Joins) -> Reaction {
        if *call.endpoint == LOG_IN {
            return log_in(call.body);
        }
        if *call.endpoint == LOG_OUT {
            return Reaction::LogOut(answer(204, ""));
        }
        if *call.endpoint == SAY {
            let text = format!("{} {}", call.parts[1], String::from_utf8_lossy(call.body));
            let event = json!({"type": "message", "data": {"text": text}, "audience": format!("user:{}", call.parts[0])}).to_string();
            let draft = Draft::parse(event.as_bytes(), &Limits::default()).expect("an event");
            return Reaction::Publish(vec![(draft.event, draft.audience)], answer(204, ""));
        }
        let user = call.caller.and_then(|caller| caller.principal.user.as_ref()).map(|user| user.as_str().to_owned());
        let device = call.caller.and_then(|caller| caller.device.as_deref());
        let said = json!({"at": call.request.path, "parts": call.parts, "user": user, "device": device, "bytes": call.body.len()});
        Reaction::Answer(answer(200, &said.to_string()))
    }
}

fn log_in(body: &[u8]) -> Reaction {
    let Ok(said) = serde_json::from_slice::<Value>(body) else { return Reaction::Answer(answer(400, "")) };
    let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
    let device = Device { client: "Player".to_owned(), id: text("device"), name: "TV".to_owned(), version: "1".to_owned() };
    let says = |outcome: Result<fanfare::dialect::LoggedIn, NotLoggedIn>| match outcome {
        Ok(logged_in) => {
            let user = logged_in.caller.principal.user.as_ref().map(|user| user.as_str().to_owned());
            answer(200, &json!({"token": logged_in.token.expose(), "name": logged_in.name, "user": user}).to_string())
        }
        Err(NotLoggedIn::Refused) => answer(401, ""),
        Err(NotLoggedIn::TooManyAttempts(_)) => answer(429, ""),
        Err(NotLoggedIn::Unavailable) => answer(503, ""),
    };
    Reaction::LogIn(Box::new(LogIn {
        name: text("name"),
        password: Secret::new(text("password")),
        device,
        says: Box::new(move |outcome| (says(outcome), Joins::new())),
    }))
}

fn answer(status: u16, body: &str) -> Answer {
    Answer { status, headers: Vec::new(), body: body.to_owned().into() }
}

/// Messages as lines.
struct Lines;

impl FrameFormat for Lines {
    fn slot(&self) -> FormatSlot {
        FormatSlot(u8::try_from(MAX_FORMATS - 1).expect("few"))
    }

    fn dialect(&self) -> &'static str {
        "spoken"
    }

    fn carries(&self) -> KindSet {
        KindSet::of(&[EventKind::Message])
    }

    fn encode(&self, envelope: &Envelope) -> Option<Bytes> {
        Some(format!("{}\n", envelope.event.message()).into())
    }
}
