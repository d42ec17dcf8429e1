//! What became of everything offered to one session, counted so that it adds up at every instant:
//! `offered = delivered + conflated + filtered + skipped + waiting`; at close `waiting` becomes `abandoned`.

use std::cell::Cell;

/// Why an event was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum SkipReason {
    /// The session's cursor was overtaken by its feed.
    Lag,
    /// The session's hub stood still and lost its say.
    Hub,
}

impl SkipReason {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Lag, Self::Hub];

    /// The label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lag => "lag",
            Self::Hub => "hub",
        }
    }
}

/// One session's running counts; single-threaded, like the connection it belongs to.
#[derive(Debug, Default)]
#[repr(C)] // what every delivery counts stands first: on the connection's first cache line
pub struct Tally {
    /// Its last byte was taken.
    pub delivered: Cell<u64>,
    /// Passed over because a later event of the same key replaced it.
    pub conflated: Cell<u64>,
    /// Refused by the check at delivery, after rights changed.
    pub filtered: Cell<u64>,
    skipped: [Cell<u64>; 2],
    /// What earlier groups of this session offered it.
    pub offered_before: Cell<u64>,
}

impl Tally {
    /// Counts events lost to the session.
    pub fn skip(&self, reason: SkipReason, n_events: u64) {
        add(&self.skipped[reason as usize], n_events);
    }

    /// Events lost for that reason.
    #[must_use]
    pub fn skipped(&self, reason: SkipReason) -> u64 {
        self.skipped[reason as usize].get()
    }

    /// Everything that is settled: no longer waiting.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.delivered.get() + self.conflated.get() + self.filtered.get() + self.skipped.iter().map(Cell::get).sum::<u64>()
    }
}

/// Adds to a counter cell.
pub fn add(cell: &Cell<u64>, n: u64) {
    cell.set(cell.get() + n);
}

/// A session's counts at one instant, for `/api/connections` and for tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, utoipa::ToSchema)]
pub struct Counts {
    /// Admitted by its group's filter since it joined.
    pub offered: u64,
    /// Taken by the socket, to the last byte.
    pub delivered: u64,
    /// Replaced by a later event of the same key.
    pub conflated: u64,
    /// Refused after rights changed.
    pub filtered: u64,
    /// Lost, for either reason.
    pub skipped: u64,
    /// Lost because the client was too slow.
    pub skipped_lag: u64,
    /// Lost because the hub stood still.
    pub skipped_hub: u64,
    /// Not yet any of these.
    pub waiting: u64,
}

impl Counts {
    /// Whether the accounting identity holds.
    #[must_use]
    pub fn add_up(&self) -> bool {
        self.offered == self.delivered + self.conflated + self.filtered + self.skipped + self.waiting
    }
}
