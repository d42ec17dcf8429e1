//! How long actors take for what they handle, by what it is: nothing else runs on their thread meanwhile.

/// What an actor handles in one go, and which kind of actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Work {
    /// A hub: one message of its mailbox, a second's upkeep, or a round of topics.
    Hub,
    /// A hub: one chunk of what it writes, after which others have their turn.
    HubFlush,
    /// A session whose client may talk: one turn of reading and answering.
    Session,
    /// A shard: one batch.
    Shard,
}

impl Work {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Hub, Self::HubFlush, Self::Session, Self::Shard];
    /// Those that a worker counts: the first so many.
    pub(super) const OF_WORKERS: usize = 3;

    /// The label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hub => "hub",
            Self::HubFlush => "hub_flush",
            Self::Session => "session",
            Self::Shard => "shard",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_shards_work_is_not_counted_by_workers() {
        let places: Vec<_> = Work::ALL.iter().map(|work| *work as usize).collect();
        assert_eq!(places, [0, 1, 2, 3]);
        assert_eq!(Work::Shard as usize, Work::OF_WORKERS);
    }
}
