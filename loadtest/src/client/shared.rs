//! What client threads are told and what they tell while they run.

use crate::dialect::Dialect;
use crate::spread::Spread;
use crate::tally::Tally;
use std::net::SocketAddrV4;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Value of [`Shared::end`] while events are still being published.
pub(crate) const NOT_OVER: u32 = u32::MAX;

/// What does not change during a run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The server.
    pub(crate) address: SocketAddrV4,
    /// Path of `/sse`, and of what is none of the known dialects.
    pub(crate) path: String,
    /// What the steady clients speak, by their number.
    pub(crate) dialects: Vec<Dialect>,
    /// Header lines more, each with its line end.
    pub(crate) more_headers: String,
    /// WebSocket subprotocol asked for.
    pub(crate) subprotocol: Option<String>,
    /// Whether every dialect has `raw` events of its own.
    pub(crate) raw_events: bool,
    /// Whether Socket.IO clients are live once they are connected, without `auth`.
    pub(crate) no_auth: bool,
    /// Bytes beyond which a WebSocket message is passed over unread.
    pub(crate) message_limit: usize,
    /// Client tokens, given out in turn; empty for none.
    pub(crate) tokens: Vec<String>,
    /// Token of strangers.
    pub(crate) strangers_token: String,
    /// The libraries, and which event is of which.
    pub(crate) spread: Spread,
    /// Libraries a client asks for; 0 for all without asking.
    pub(crate) client_libraries: u32,
    /// A delivery is timed when `(seq + client) & mask == 0`.
    pub(crate) sample_mask: u32,
    /// First event that is timed.
    pub(crate) measured_from: u32,
    /// First event that is not timed any more.
    pub(crate) measured_to: u32,
    /// Connections this thread opens a second.
    pub(crate) connect_rate: usize,
    /// Bytes a slow client reads a second.
    pub(crate) slow_bytes: usize,
    /// Churning clients this thread opens a second.
    pub(crate) churn: usize,
}

/// What changes.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Clients with a lower number are to connect now.
    pub(crate) wanted: AtomicUsize,
    /// Clients whose stream is open.
    pub(crate) live: AtomicU64,
    /// Clients that could not connect or were refused.
    pub(crate) failed: AtomicU64,
    /// Deliveries of all clients.
    pub(crate) received: AtomicU64,
    /// Steady clients that have seen everything, once `end` is known.
    pub(crate) complete: AtomicU64,
    /// The first sequence number that is not sent yet.
    pub(crate) sent: AtomicU32,
    /// The first sequence number never published, or [`NOT_OVER`].
    pub(crate) end: AtomicU32,
    /// Whether churning clients come and go now.
    pub(crate) churning: AtomicBool,
    /// Threads end when this is set.
    pub(crate) stop: AtomicBool,
    /// Coarse counts for whoever looks while the run goes on.
    pub(crate) tally: Tally,
    first_failure: OnceLock<String>,
}

impl Shared {
    /// Nothing connected, nothing published.
    pub(crate) fn new() -> Self {
        Self {
            wanted: AtomicUsize::new(0),
            live: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            received: AtomicU64::new(0),
            complete: AtomicU64::new(0),
            sent: AtomicU32::new(0),
            end: AtomicU32::new(NOT_OVER),
            churning: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            tally: Tally::default(),
            first_failure: OnceLock::new(),
        }
    }

    /// Counts a client that could not connect, and keeps the first reason.
    pub(crate) fn note_failure(&self, reason: &str) {
        self.failed.fetch_add(1, Relaxed);
        self.first_failure.get_or_init(|| reason.to_owned());
    }

    /// Why the first client that failed did.
    pub(crate) fn first_failure(&self) -> Option<String> {
        self.first_failure.get().cloned()
    }
}
