//! What a hub keeps in memory, by part: told once a second from sizes and the room that containers have taken.
//!
//! No connection is visited for it: what single ones hold comes from the survey's round, which visits them anyway, and what
//! groups hold from the walk that ages their feeds. Texts of clients' names and what outlets have taken are not told.

use super::{
    core::{HubCore, Member},
    group::{Group, GroupKey, Seat},
    index::GroupId,
};
use crate::{
    connection::Connection,
    metrics::{Part, map_bytes, shared_bytes},
};

/// What all groups together have room for.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    /// Bytes, in their feeds; the frames are not among them.
    feeds: usize,
    /// Members.
    members: usize,
}

impl Rooms {
    /// Adds those of one group.
    pub(super) fn add(&mut self, group: &Group) {
        self.feeds += group.feed.room_bytes();
        self.members += group.members.capacity();
    }
}

impl HubCore {
    /// Tells all parts but those the survey tells.
    pub(super) fn weigh(&self, rooms: &Rooms) {
        let keeps = |part, n_bytes| self.counters.keeps(part, n_bytes);
        keeps(Part::Connections, self.connection_bytes());
        keeps(Part::Feeds, self.ledger.get() + rooms.feeds);
        keeps(Part::Groups, self.group_bytes() + rooms.members * size_of::<Seat>());
        keeps(Part::Subscriptions, self.topics.n_bytes());
    }

    fn connection_bytes(&self) -> usize {
        let places = self.members.capacity() * size_of::<Option<Member>>();
        let queues = self.ready.capacity() * size_of::<(u32, u32)>() + self.wheel.n_bytes();
        places + shared_bytes::<Connection>(self.members.len()) + queues
    }

    fn group_bytes(&self) -> usize {
        let places = self.groups.capacity() * size_of::<Option<Group>>();
        let keys = shared_bytes::<GroupKey>(self.groups.len()) + map_bytes(&self.by_key);
        places + keys + self.index.n_bytes() + self.queue.capacity() * size_of::<GroupId>()
    }
}
