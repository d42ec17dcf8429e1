//! WebSockets of nobody that have said what they are, and wait for an authenticated request from their address.

use std::{collections::HashMap, net::IpAddr};

use super::{Identity, Seen};
use crate::id::ConnectionId;

/// Those who wait.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    at: HashMap<IpAddr, Vec<(ConnectionId, Identity)>>,
}

impl Waiting {
    pub(super) fn put(&mut self, address: IpAddr, connection: ConnectionId, identity: Identity) {
        self.at.entry(address).or_default().push((connection, identity));
    }

    /// Those who said they were of that device, from that very address.
    pub(super) fn take(&mut self, seen: &Seen<'_>) -> Vec<ConnectionId> {
        let Some(address) = seen.address else { return Vec::new() };
        let Some(waiting) = self.at.get_mut(&address) else { return Vec::new() };
        let fits = waiting.extract_if(.., |(_, identity)| identity.is_of(seen.device)).map(|(connection, _)| connection).collect();
        if waiting.is_empty() {
            self.at.remove(&address);
        }
        fits
    }

    pub(super) fn forget(&mut self, connection: ConnectionId) {
        if self.at.is_empty() {
            return;
        }
        self.at.retain(|_, waiting| {
            waiting.retain(|(own, _)| *own != connection);
            !waiting.is_empty()
        });
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.at.is_empty()
    }
}
