//! What the engine keeps in memory, by part, as far as it can be told without visiting every connection.
//!
//! Counted from the number and size of structures and from the room containers have taken. Left out on purpose: what the
//! allocator adds, the runtime's tasks, mailboxes, sockets and TLS, parsed events beside their frames, users with their tokens,
//! embedded stores, and the program itself.

use std::collections::HashMap;

/// A part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Part {
    /// What hubs keep of each connection, with the room for more.
    Connections,
    /// The actors of connections, with what their clients' conversations know of themselves.
    Sessions,
    /// Frames that feeds hold, shared ones once per worker, and the feeds' own room.
    Feeds,
    /// Replies, frames begun and backlogs of single connections; a frame that several hold counts for each.
    OwnQueues,
    /// Filter groups, their lists of members, and the index from rules to groups.
    Groups,
    /// Subscriptions to topics.
    Subscriptions,
    /// Keys of events that would be recognised if they came again.
    Idempotency,
    /// What goes on: messages of runs, log lines, items, devices, and events that wait for threads aside.
    State,
}

impl Part {
    /// Every part, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Connections,
        Self::Sessions,
        Self::Feeds,
        Self::OwnQueues,
        Self::Groups,
        Self::Subscriptions,
        Self::Idempotency,
        Self::State,
    ];
    /// Those that a worker counts: the first so many.
    pub(super) const OF_WORKERS: usize = 6;

    /// The label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Sessions => "sessions",
            Self::Feeds => "feeds",
            Self::OwnQueues => "own_queues",
            Self::Groups => "groups",
            Self::Subscriptions => "subscriptions",
            Self::Idempotency => "idempotency",
            Self::State => "state",
        }
    }
}

/// Bytes of a map's own room: of a power of two of places seven in eight may be taken, and each has a byte beside it.
#[must_use]
pub fn map_bytes<K, V>(map: &HashMap<K, V>) -> usize {
    if map.capacity() == 0 { 0 } else { (map.capacity() * 8 / 7).next_power_of_two() * (size_of::<(K, V)>() + 1) }
}

/// Bytes of that many things with two counts of references each, as `Rc` and `Arc` keep them.
#[must_use]
pub const fn shared_bytes<T>(n: usize) -> usize {
    let counts = 2 * size_of::<usize>();
    let before = if align_of::<T>() > counts { align_of::<T>() } else { counts };
    n * (before + size_of::<T>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_count_the_first_parts() {
        let places: Vec<_> = Part::ALL.iter().map(|part| *part as usize).collect();
        assert_eq!(places, (0..Part::ALL.len()).collect::<Vec<_>>());
        assert_eq!(Part::Idempotency as usize, Part::OF_WORKERS);
    }

    #[test]
    fn a_map_has_room_for_what_is_in_it_and_an_empty_one_has_none() {
        let mut map = HashMap::<u64, u64>::new();
        assert_eq!(map_bytes(&map), 0);
        map.extend((0..1000).map(|n| (n, n)));
        assert!(map_bytes(&map) >= 1000 * 17 && map_bytes(&map) < 4 * 1000 * 17, "{}", map_bytes(&map));
    }

    #[test]
    fn counts_of_references_are_as_wide_as_the_things_are_aligned() {
        #[repr(align(64))]
        struct Wide(#[allow(dead_code, reason = "only its size counts")] [u8; 64]);
        assert_eq!((shared_bytes::<u64>(2), shared_bytes::<Wide>(3)), (48, 384));
    }
}
