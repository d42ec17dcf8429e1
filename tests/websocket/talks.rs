//! A dialect whose clients do things by words, and may say later who they are.
//!
//! | a client says | and |
//! |---|---|
//! | `whoami` | is told its user, or `nobody` |
//! | `where` | is told the path it came to |
//! | `echo TEXT` | is told the text |
//! | `publish TEXT` | has a message published |
//! | `identity NAME` | is whoever called `GET /talks/as/NAME`, or becomes it when he calls |
//! | `count` | has a number go up |
//! | `watch FIRST INTERVAL` | is told that number after so many milliseconds, and when it changes |
//! | `follow FIRST INTERVAL` | is told it every interval |
//! | `unwatch` | is told no more |
//! | `leave` | is closed with 4001 |
//!
//! As it opens it is told the id of its connection. WebSockets are taken on any path.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use fanfare::{
    access::{Caller, Credential, Filter, Principal, RawNames},
    dialect::{
        Answer, Call, Callers, Conversation, Dialect, Effect, Endpoint, Joins, Method, Opening, Reaction, Refusal, Refused, Request,
        Standing, Transport, websocket_goodbye,
    },
    event::{Event, EventKind, FormatPair, KindSet},
    frame::Notices,
    id::ConnectionId,
    topic::{Subscription, Topic},
    websocket::{CloseCode, codec::Message, frame},
};
use parking_lot::Mutex;

use super::told::Texts;

const FORMATS: FormatPair = FormatPair { abridged: &Texts, full: &Texts };

/// What clients of nobody have shown so far, and who has called.
#[derive(Default)]
struct Identities {
    callers: HashMap<String, Caller>,
    waiting: Vec<(String, ConnectionId)>,
}

#[derive(Default)]
pub(crate) struct Talks {
    identities: Arc<Mutex<Identities>>,
    number: Arc<Number>,
}

/// Told to everybody but nobody.
#[derive(Default)]
struct Number {
    count: AtomicU64,
    made: Mutex<(u64, Bytes)>,
}

impl Topic for Number {
    fn name(&self) -> &'static str {
        "number"
    }

    fn version(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    fn frame(&self, principal: &Principal, number: u64, before: Option<&Bytes>, again: bool) -> Option<Bytes> {
        principal.user.as_ref()?;
        let mut made = self.made.lock();
        if made.0 != number || made.1.is_empty() {
            *made = (number, frame::text(&format!("number {number}")));
        }
        Some(if before.is_some() && again { frame::text(&format!("number {number}")) } else { made.1.clone() })
    }
}

impl Dialect for Talks {
    fn name(&self) -> &'static str {
        "talks"
    }

    fn stream_paths(&self) -> &'static [&'static str] {
        &["/talks", "/talks/nobody"]
    }

    fn prefixes(&self) -> Option<&'static [&'static str]> {
        Some(&["/emby", "/mediabrowser"])
    }

    fn takes_other_websockets(&self) -> bool {
        true
    }

    fn admits_nobody(&self, request: &Request<'_>) -> bool {
        request.path == "/talks/nobody"
    }

    fn guide(&self) -> &'static str {
        ""
    }

    fn token(&self, request: &Request<'_>) -> Option<String> {
        (request.header)("authorization").filter(|token| !token.is_empty()).map(str::to_owned)
    }

    fn open(&self, request: &Request<'_>, caller: &Caller) -> Result<Opening, Answer> {
        if !request.websocket {
            return Err(Answer { status: 400, headers: Vec::new(), body: Bytes::new() });
        }
        Ok(Opening {
            transport: Transport::WebSocket,
            filter: filter(&caller.principal),
            formats: FORMATS,
            headers: Vec::new(),
            greeting: frame::text("hello"),
            keepalive: None,
            notices: &Notices { gap: None, expiring: None, goodbye: Some(websocket_goodbye) },
            conversation: Some(Box::new(Talk {
                identities: Arc::clone(&self.identities),
                number: Arc::clone(&self.number),
                path: request.path.to_owned(),
                own: None,
                principal: None,
            })),
            identify_within: caller.credential.is_none().then_some(Duration::from_secs(1)),
        })
    }

    fn refuse(&self, _: &Request<'_>, _: Refusal) -> Refused {
        Refused::Answer(Answer { status: 403, headers: Vec::new(), body: Bytes::new() })
    }

    fn endpoints(&self) -> &'static [&'static Endpoint] {
        &[&Endpoint { method: Method::Get, path: "/talks/as/{name}", callers: Callers::Known }]
    }

    fn answer(&self, call: &Call<'_>, joins: &mut Joins) -> Reaction {
        let (Some(caller), Some(name)) = (call.caller, call.parts.first()) else { unreachable!("a known caller and a name") };
        let mut identities = self.identities.lock();
        identities.callers.insert(name.clone(), caller.clone());
        for (_, connection) in identities.waiting.extract_if(.., |(waiting, _)| waiting == name) {
            joins.push((connection, standing(caller)));
        }
        Reaction::Answer(Answer { status: 204, headers: Vec::new(), body: Bytes::new() })
    }
}

fn filter(principal: &Arc<Principal>) -> Filter {
    Filter {
        principal: Arc::clone(principal),
        dialect: "talks",
        kinds: KindSet::of(&[EventKind::Message]),
        raw: RawNames::Only(Vec::new()),
        libraries: None,
        unscoped: true,
        connection: None,
    }
}

fn standing(caller: &Caller) -> Standing {
    Standing {
        filter: filter(&caller.principal),
        formats: FORMATS,
        credential: caller.credential.clone().unwrap_or_else(Credential::nobody),
    }
}

struct Talk {
    identities: Arc<Mutex<Identities>>,
    number: Arc<Number>,
    path: String,
    own: Option<ConnectionId>,
    principal: Option<Arc<Principal>>,
}

impl Talk {
    fn identify(&self, name: &str) -> Effect {
        let mut identities = self.identities.lock();
        if let Some(caller) = identities.callers.get(name) {
            return Effect::Become(Box::new(standing(caller)));
        }
        identities.waiting.extend(self.own.map(|own| (name.to_owned(), own)));
        Effect::Become(Box::new(standing(&Caller::default()))) // it may wait as long as it likes
    }
}

impl Talk {
    fn subscription(&self, times: &str, always: bool) -> Effect {
        let (first, interval) = times.split_once(' ').expect("two times");
        let ms = |text: &str| Duration::from_millis(text.parse().expect("milliseconds"));
        let topic = Arc::clone(&self.number) as Arc<dyn Topic>;
        Effect::Subscribe(Subscription { topic, first: ms(first), interval: ms(interval), always })
    }
}

impl Conversation for Talk {
    fn know(&mut self, principal: &Arc<Principal>) {
        self.principal = Some(Arc::clone(principal));
    }

    fn begin(&mut self, connection: ConnectionId) -> Vec<Effect> {
        assert!(self.principal.is_some(), "it is told whose it is before it begins");
        self.own = Some(connection);
        vec![Effect::Reply(frame::text(&connection.to_string()))]
    }

    fn receive(&mut self, message: Message<'_>) -> Vec<Effect> {
        let Message::Text(text) = message else { return Vec::new() };
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        vec![match word {
            "whoami" => {
                let user = self.principal.as_ref().and_then(|principal| principal.user.as_ref());
                Effect::Reply(frame::text(user.map_or("nobody", |user| user.as_str())))
            }
            "where" => Effect::Reply(frame::text(&self.path)),
            "echo" => Effect::Reply(frame::text(rest)),
            "publish" => {
                let event = Event::parse(EventKind::Message, &format!(r#"{{"text":"{rest}"}}"#)).expect("a message");
                let audience = event.audience();
                Effect::Publish(vec![(event, audience)])
            }
            "identity" => self.identify(rest),
            "count" => {
                self.number.count.fetch_add(1, Ordering::Relaxed);
                return Vec::new();
            }
            "watch" => self.subscription(rest, false),
            "follow" => self.subscription(rest, true),
            "unwatch" => Effect::Unsubscribe("number"),
            "leave" => Effect::Close(CloseCode::new(4001).expect("a code"), "as you wish"),
            _ => return Vec::new(),
        }]
    }
}
