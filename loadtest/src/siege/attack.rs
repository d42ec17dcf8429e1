//! All attackers together: their threads, their counts, and their end.

use super::{broken, flood, server::ADMIN, stalled};
use crate::args::SiegeArgs;
use crate::clock;
use crate::failure::Failure;
use crate::http;
use serde::Serialize;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{Builder, JoinHandle};

/// The thread that says when to begin.
const HERALD: &str = "herald";

/// What attackers share: where to go, when to stop, what they did.
pub(super) struct Field {
    /// The server.
    pub(super) address: SocketAddrV4,
    /// Set when all witnesses are in: a siege is of a server that serves.
    begun: AtomicBool,
    /// Set when it is over.
    pub(super) over: AtomicBool,
    pub(super) stalled_opened: AtomicU64,
    pub(super) stalled_cut: AtomicU64,
    pub(super) connected: AtomicU64,
    pub(super) connect_failed: AtomicU64,
    pub(super) published: AtomicU64,
    pub(super) publish_refused: AtomicU64,
    pub(super) broken_sent: AtomicU64,
    pub(super) broken_answered: AtomicU64,
}

/// What the attackers did.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Counts {
    /// Streams opened by readers that never read.
    stalled_opened: u64,
    /// Of them: seen to be reset. Most are cut unseen, because behind a shut window nothing arrives; the server's own count tells.
    stalled_cut: u64,
    /// Connections of the flood.
    connected: u64,
    /// Connections of the flood that the kernel or the server refused.
    connect_failed: u64,
    /// Events of the flooding publishers that were accepted.
    published: u64,
    /// Their batches that were refused, or broke off.
    publish_refused: u64,
    /// Broken requests.
    broken_sent: u64,
    /// Of them: answered with an error or closed at once.
    broken_answered: u64,
}

/// The attackers at work.
pub(super) struct Attack {
    field: Arc<Field>,
    threads: Vec<JoinHandle<()>>,
}

impl Attack {
    /// Sends them all out.
    pub(super) fn start(args: &SiegeArgs, address: SocketAddrV4) -> Result<Self, Failure> {
        let field = Arc::new(Field::new(address));
        let mut attack = Self { field, threads: Vec::new() };
        let (n_stalled, rate, open, per_second) = (args.stalled, args.stalled_rate, args.flood_open, args.connect_rate);
        let n_witnesses = args.mix().clients();
        attack.send(HERALD, move |field| field.begin_with(n_witnesses))?;
        attack.send("stalled", move |field| stalled::readers(field, n_stalled))?;
        attack.send("stalled-pub", move |field| flood::publish(field, Some(rate)))?;
        for _ in 0..args.publishers {
            attack.send("flood-pub", |field| flood::publish(field, None))?;
        }
        attack.send("flood-conn", move |field| flood::connect(field, open, per_second))?;
        attack.send("broken", broken::requests)?;
        Ok(attack)
    }

    /// A thread that does nothing before the herald has spoken.
    fn send(&mut self, name: &'static str, work: impl FnOnce(&Field) + Send + 'static) -> Result<(), Failure> {
        let field = Arc::clone(&self.field);
        let obey = move || {
            while name != HERALD && !field.begun.load(Relaxed) && !field.is_over() {
                clock::sleep_ms(20);
            }
            work(&field);
        };
        let thread = Builder::new().name(name.to_owned()).spawn(obey);
        self.threads.push(thread.map_err(|error| Failure::io("attacker thread", error))?);
        Ok(())
    }

    /// Calls them back.
    pub(super) fn finish(mut self) -> Counts {
        self.field.over.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            // An attacker that panicked has stopped, too; that it did nothing shows in the counts.
            let _ = thread.join();
        }
        self.field.counts()
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        self.field.over.store(true, Relaxed);
    }
}

impl Field {
    fn new(address: SocketAddrV4) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            address,
            begun: AtomicBool::new(false),
            over: AtomicBool::new(false),
            stalled_opened: zero(),
            stalled_cut: zero(),
            connected: zero(),
            connect_failed: zero(),
            published: zero(),
            publish_refused: zero(),
            broken_sent: zero(),
            broken_answered: zero(),
        }
    }

    /// Waits until so many clients are connected, then lets the attackers begin.
    fn begin_with(&self, n_witnesses: usize) {
        while !self.is_over() && self.connections() < n_witnesses {
            clock::sleep_ms(100);
        }
        self.begun.store(true, Relaxed);
    }

    fn connections(&self) -> usize {
        let answer = http::request(self.address, "GET", "/api/connections?limit=1000", Some(ADMIN));
        let listed = answer.ok().and_then(|(_, body)| serde_json::from_slice::<serde_json::Value>(&body).ok());
        listed.and_then(|listed| listed["connections"].as_array().map(Vec::len)).unwrap_or(0)
    }

    /// Whether it is over.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    fn counts(&self) -> Counts {
        Counts {
            stalled_opened: self.stalled_opened.load(Relaxed),
            stalled_cut: self.stalled_cut.load(Relaxed),
            connected: self.connected.load(Relaxed),
            connect_failed: self.connect_failed.load(Relaxed),
            published: self.published.load(Relaxed),
            publish_refused: self.publish_refused.load(Relaxed),
            broken_sent: self.broken_sent.load(Relaxed),
            broken_answered: self.broken_answered.load(Relaxed),
        }
    }
}

impl Counts {
    /// An attack that did not take place proves nothing.
    pub(super) fn must_have_happened(&self) -> [(&'static str, u64); 4] {
        [
            ("stalled reader was let in", self.stalled_opened),
            ("connection of the flood", self.connected),
            ("event of the flood was accepted", self.published),
            ("broken request was answered", self.broken_answered),
        ]
    }

    /// For people.
    pub(super) fn lines(&self) -> [(&'static str, String); 4] {
        [
            ("stalled readers", format!("{} opened, {} seen to be reset", self.stalled_opened, self.stalled_cut)),
            ("connect flood", format!("{} connections, {} refused or timed out", self.connected, self.connect_failed)),
            ("publish flood", format!("{} events accepted, {} batches refused or broken off", self.published, self.publish_refused)),
            ("broken input", format!("{} requests, {} answered or closed", self.broken_sent, self.broken_answered)),
        ]
    }
}
