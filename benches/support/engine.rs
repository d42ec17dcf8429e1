//! A hub on this thread, without its actor: who listens, and one event to offer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use fanfare::{
    access::{Directory, Filter, PrincipalStore, RawNames},
    config::Settings,
    connection::{Connection, Details, OutboxLimits, Outlet},
    dialect::redseat::{Spelling, formats},
    event::{Envelope, EventKind, KindSet, samples::sample_event},
    frame::Notices,
    hub::{FeedLimits, HubCore, HubSettings, Join},
    id::LibraryId,
    metrics::WorkerCounters,
    shard::Credit,
    state::State,
};

const PEOPLE: &str = "[[users]]\nid = \"bob\"\ntoken = \"bob-1\"\nlibraries = \"read\"\n";

/// A hub and the people who join it.
pub(crate) struct Engine {
    pub(crate) hub: HubCore,
    directory: Arc<Directory>,
}

impl Engine {
    /// A hub whose feeds hold that many events.
    pub(crate) fn new(feed_entries: usize) -> Self {
        let people = Settings::parse(PEOPLE).expect("valid settings");
        let directory = Arc::new(Directory::open(&people, PrincipalStore::in_memory()).expect("opens").0);
        let outbox = OutboxLimits { entries: 64, bytes: 1 << 20 };
        let settings = HubSettings {
            worker: 0,
            feed: FeedLimits { entries: feed_entries, bytes: 8 << 20, age: Duration::from_secs(10) },
            feeds_bytes: 64 << 20,
            outbox,
            stall_limit: None,
            backlog: outbox,
            dialects: Arc::new(["redseat"]),
            libraries: Arc::default(),
            mailbox: 1024,
        };
        let credit = Arc::new(Credit::new(4096, Arc::default()));
        let hub =
            HubCore::new(settings, vec![credit], Arc::clone(&directory), Arc::new(State::default()), Arc::new(WorkerCounters::default()));
        Self { hub, directory }
    }

    /// A filter that admits the sample event. Filters of different groups ask for different raw events.
    pub(crate) fn filter(&self, group: usize) -> Filter {
        Filter {
            principal: self.directory.authenticate("bob-1").expect("a known token").principal,
            dialect: "redseat",
            kinds: KindSet::all(),
            raw: RawNames::Only(vec![format!("group-{group}")]),
            libraries: None,
            unscoped: true,
            connection: None,
        }
    }

    /// A filter to whose groups the sample event is nothing.
    pub(crate) fn unrelated(&self, group: usize) -> Filter {
        Filter { libraries: Some(vec![LibraryId::parse("elsewhere").expect("an id")]), ..self.filter(group) }
    }

    /// Somebody joins with that filter.
    pub(crate) fn join(&mut self, outlet: Outlet, filter: Filter) -> std::rc::Rc<Connection> {
        let join = Join {
            outlet,
            details: Details::new(None, None, None),
            dialect: 0,
            filter,
            formats: formats(Spelling::Document, false),
            opening: Bytes::new(),
            keepalive: None,
            notices: &Notices { gap: None, expiring: None, goodbye: None },
            credential: self.directory.authenticate("bob-1").expect("a known token").credential,
            admission: self.directory.admit(None, None).expect("not limited").guard,
            came: Instant::now(),
            identify_within: None,
        };
        self.hub.join(join, Instant::now()).expect("rights do not change")
    }

    /// That many groups of one session each, to which the sample event is nothing.
    pub(crate) fn join_unrelated(&mut self, n_groups: usize) {
        for group in 0..n_groups {
            let filter = self.unrelated(group);
            self.join(Outlet::body(std::rc::Rc::default()), filter);
        }
    }
}

/// The event everybody is sent: a `medias` event whose frame has 267 bytes.
pub(crate) fn event() -> Arc<Envelope> {
    let event = sample_event(EventKind::Medias);
    let audience = event.audience();
    Arc::new(Envelope::new(event, audience, "e1".into(), 0, 1))
}
