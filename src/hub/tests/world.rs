//! A hub in memory: people, formats, clients that read or do not, and events to publish.

use std::{
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{
    access::{ConnectionGuard, Credential, Directory, Filter, RawNames},
    connection::{BodyOutlet, Connection, Counts, Details, OutboxLimits, Outlet},
    event::{Audience, Envelope, Event, EventKind, FormatPair, FormatSlot, FrameFormat, KindSet, Who},
    frame::{Keepalive, Notices, sse_event},
    hub::{FeedLimits, HubCore, HubSettings, Join},
    metrics::WorkerCounters,
    shard::{Conflator, Credit},
    state::State,
};

const PEOPLE: &str = r#"
    [[users]]
    id = "bob"
    token = "bob-1"
    libraries = { films = "read" }
    [[users]]
    id = "ann"
    token = "ann-1"
    libraries = { films = "admin", music = "read" }
    [[users]]
    id = "kid"
    token = "kid-1"
    libraries = { films = "read" }
    tags = ["kids"]
    [[users]]
    id = "root"
    token = "root-1"
    admin = true
"#;

/// Writes `data: SHARD ORDER FORM` and the message behind it; an event whose message says so makes it panic.
pub(super) struct TestFormat {
    pub(super) slot: u8,
    pub(super) form: &'static str,
    pub(super) carries: KindSet,
}

pub(super) static ABRIDGED: TestFormat = TestFormat { slot: 0, form: "abridged", carries: KindSet::all() };
pub(super) static FULL: TestFormat = TestFormat { slot: 1, form: "full", carries: KindSet::all() };
pub(super) const FORMATS: FormatPair = FormatPair { abridged: &ABRIDGED, full: &FULL };

impl FrameFormat for TestFormat {
    fn slot(&self) -> FormatSlot {
        FormatSlot(self.slot)
    }

    fn dialect(&self) -> &'static str {
        crate::event::DIALECTS[0]
    }

    fn carries(&self) -> KindSet {
        self.carries
    }

    fn encode(&self, envelope: &Envelope) -> Option<Bytes> {
        let message = envelope.event.message();
        assert!(!message.contains("poison"), "an encoder that panics");
        let data = format!("{} {} {} {message}", envelope.shard, envelope.order, self.form);
        Some(sse_event(envelope.kind().name(), data.as_bytes()))
    }
}

/// One whole frame a client was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Received {
    /// Where it began among all the client's bytes.
    pub(super) at: usize,
    pub(super) name: String,
    pub(super) data: String,
}

impl Received {
    /// Shard and order of an event; `None` for a notice.
    pub(super) fn event(&self) -> Option<(u16, u64)> {
        EventKind::from_name(&self.name)?;
        let mut words = self.data.split(' ');
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    }

    /// How many events a gap notice says were missed.
    pub(super) fn gap(&self) -> Option<u64> {
        (self.name == "gap").then(|| self.data.parse().expect("a number"))
    }
}

/// A client at the other end of a response body.
pub(super) struct Client {
    pub(super) connection: Rc<Connection>,
    pub(super) body: Rc<BodyOutlet>,
    pub(super) bytes: Vec<u8>,
    frames: Vec<Received>,
    parsed: usize,
}

impl Client {
    /// Takes what stands in the chunk, without telling the hub.
    pub(super) fn pull(&mut self) {
        if let Poll::Ready(Some(chunk)) = self.body.poll_chunk(&mut Context::from_waker(Waker::noop())) {
            self.bytes.extend_from_slice(&chunk);
            self.parse();
        }
    }

    /// Every whole frame so far.
    pub(super) fn frames(&self) -> &[Received] {
        &self.frames
    }

    fn parse(&mut self) {
        while let Some(length) = self.bytes[self.parsed..].windows(2).position(|pair| pair == b"\n\n") {
            let frame = std::str::from_utf8(&self.bytes[self.parsed..self.parsed + length]).expect("UTF-8");
            let (name, data) = frame.split_once('\n').expect("two lines");
            let name = name.strip_prefix("event: ").expect("an event line");
            let data = data.strip_prefix("data: ").expect("a data line");
            self.frames.push(Received { at: self.parsed, name: name.to_owned(), data: data.to_owned() });
            self.parsed += length + 2;
        }
    }

    /// Shard and order of every event so far.
    pub(super) fn events(&self) -> Vec<(u16, u64)> {
        self.frames().iter().filter_map(Received::event).collect()
    }

    /// Everything it was told it missed.
    pub(super) fn told(&self) -> u64 {
        self.frames().iter().filter_map(Received::gap).sum()
    }
}

/// The bounds under which nothing is ever lost.
pub(super) fn roomy() -> HubSettings {
    HubSettings {
        worker: 0,
        feed: FeedLimits { entries: 100_000, bytes: 1 << 30, age: Duration::from_secs(3600) },
        feeds_bytes: 1 << 30,
        outbox: OutboxLimits { entries: 10_000, bytes: 1 << 30 },
        stall_limit: None,
        backlog: OutboxLimits { entries: 100_000, bytes: 1 << 30 },
        dialects: Arc::new(["test"]),
        libraries: Arc::default(),
        mailbox: 16,
    }
}

pub(super) struct World {
    pub(super) hub: HubCore,
    pub(super) directory: Arc<Directory>,
    pub(super) counters: Arc<WorkerCounters>,
    pub(super) credits: Vec<Arc<Credit>>,
    /// How clients that join are kept alive.
    pub(super) keepalive: Option<Arc<Keepalive>>,
    orders: [u64; 2],
    conflators: [Conflator; 2],
}

impl World {
    pub(super) fn new(settings: HubSettings) -> Self {
        let directory = Arc::new(Directory::of_people(PEOPLE));
        let credits: Vec<_> = (0..2).map(|_| Arc::new(Credit::new(100_000, Arc::default()))).collect();
        let counters = Arc::new(WorkerCounters::default());
        let hub = HubCore::new(settings, credits.clone(), Arc::clone(&directory), Arc::new(State::default()), Arc::clone(&counters));
        Self { hub, directory, counters, credits, keepalive: None, orders: [0; 2], conflators: <[Conflator; 2]>::default() }
    }

    /// The same world with what was made of its hub.
    pub(super) fn with_hub(self, change: impl FnOnce(HubCore) -> HubCore) -> Self {
        Self { hub: change(self.hub), ..self }
    }

    /// The filter of a user who asks for everything.
    pub(super) fn filter(&self, user: &str) -> (Filter, Credential) {
        let known = self.directory.authenticate(&format!("{user}-1")).expect("a known token");
        let filter = Filter {
            principal: known.principal,
            dialect: crate::event::DIALECTS[0],
            kinds: KindSet::all(),
            raw: RawNames::All,
            libraries: None,
            unscoped: true,
            connection: None,
        };
        (filter, known.credential)
    }

    pub(super) fn join(&mut self, user: &str) -> Client {
        self.join_with(user, FORMATS, |_| {})
    }

    pub(super) fn join_with(&mut self, user: &str, formats: FormatPair, narrow: impl FnOnce(&mut Filter)) -> Client {
        const GAP: Notices = Notices { gap: Some(|n| sse_event("gap", n.to_string().as_bytes())), expiring: None, goodbye: None };
        self.join_as(user, formats, &GAP, narrow)
    }

    pub(super) fn join_told(&mut self, user: &str, notices: &'static Notices) -> Client {
        self.join_as(user, FORMATS, notices, |_| {})
    }

    fn join_as(&mut self, user: &str, formats: FormatPair, notices: &'static Notices, narrow: impl FnOnce(&mut Filter)) -> Client {
        let (mut filter, credential) = self.filter(user);
        narrow(&mut filter);
        let admission = self.directory.admit(None, None).expect("not limited").guard;
        self.join_by(Join { notices, ..self.wish((filter, formats), credential, admission) })
    }

    /// A connection of nobody, which may stay so for that long.
    pub(super) fn join_as_nobody(&mut self, identify_within: Option<Duration>) -> Client {
        let credential = Credential::nobody();
        let principal = self.directory.current(&credential).expect("never refused");
        let filter = Filter { principal, ..self.filter("bob").0 };
        let admission = self.directory.admit_nobody(None).expect("few");
        self.join_by(Join { identify_within, ..self.wish((filter, FORMATS), credential, admission) })
    }

    fn wish(&self, (filter, formats): (Filter, FormatPair), credential: Credential, admission: ConnectionGuard) -> Join {
        Join {
            outlet: Outlet::body(Rc::default()),
            details: Details::new(None, None, None),
            dialect: 0,
            filter,
            formats,
            opening: Bytes::new(),
            keepalive: self.keepalive.clone(),
            notices: &Notices { gap: None, expiring: None, goodbye: None },
            credential,
            admission,
            came: Instant::now(),
            identify_within: None,
        }
    }

    fn join_by(&mut self, join: Join) -> Client {
        let body = Rc::new(BodyOutlet::default());
        let join = Join { outlet: Outlet::body(Rc::clone(&body)), ..join };
        let connection = self.hub.join(join, Instant::now()).expect("rights did not change");
        Client { connection, body, bytes: Vec::new(), frames: Vec::new(), parsed: 0 }
    }

    /// Stamps an event on its shard: library events on the first, everything else on the second.
    pub(super) fn stamp(&mut self, event: Event, audience: Audience) -> Arc<Envelope> {
        let shard = usize::from(event.library().is_none());
        self.orders[shard] += 1;
        let order = self.orders[shard];
        Arc::new(Envelope::new(event, audience, format!("{shard}-{order}").into(), u16::try_from(shard).expect("0 or 1"), order))
    }

    /// What a shard and the hub's handler do with one event.
    pub(super) fn publish(&mut self, event: Event, only: Vec<Who>) -> Arc<Envelope> {
        let audience = Audience { only, ..event.audience() };
        let envelope = self.stamp(event, audience);
        let shard = usize::from(envelope.shard);
        self.credits[shard].take(1);
        self.hub.offer(&envelope);
        self.hub.owe(envelope.shard, 1);
        self.conflators[shard].accept(&envelope);
        envelope
    }

    /// The client reads what is there, and could take more.
    pub(super) fn read(&mut self, client: &mut Client) {
        client.pull();
        self.hub.chunk_taken(&client.connection);
        client.connection.unblock();
        self.hub.make_ready(&client.connection);
    }

    /// Flushes and reads until nothing more comes.
    pub(super) fn drain(&mut self, clients: &mut [Client]) {
        loop {
            while self.hub.flush_at_most(1_000, Duration::from_secs(60)) {}
            let before: usize = clients.iter().map(|client| client.bytes.len()).sum();
            for client in clients.iter_mut() {
                self.read(client);
            }
            if before == clients.iter().map(|client| client.bytes.len()).sum::<usize>() {
                while self.hub.flush_at_most(1_000, Duration::from_secs(60)) {}
                return;
            }
        }
    }

    pub(super) fn counts(&self, client: &Client) -> Counts {
        self.hub.counts(client.connection.id.slot)
    }

    /// Bytes held by feeds.
    pub(super) fn held(&self) -> usize {
        self.hub.ledger.get()
    }
}

/// A `medias` event of a library, padded to about that many bytes.
pub(super) fn media(library: &str, n_bytes: usize) -> Event {
    let padding = "x".repeat(n_bytes);
    let data = format!(r#"{{"library":"{library}","medias":[{{"action":"Added","media":{{"id":"m","name":"{padding}"}}}}]}}"#);
    Event::parse(EventKind::Medias, &data).expect("valid")
}
