//! What a hub tells of its connections to people who look, a page at a time.

use std::net::IpAddr;

use serde::Serialize;

use super::core::HubCore;
use crate::{
    clock::Timestamp,
    connection::{CloseReason, Counts},
    id::UserId,
};

/// One connection, as `/api/connections` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionReport {
    /// Its id: `audience: session:ID` reaches it.
    pub id: String,
    /// Its slot; pages are in their order.
    #[serde(skip)]
    pub slot: u32,
    /// Its dialect.
    pub dialect: &'static str,
    /// Its way out.
    pub outlet: &'static str,
    /// Whose it is; absent for an API key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// The client's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// What the client calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<Box<str>>,
    /// When it connected.
    pub opened: Timestamp,
    /// It takes nothing at the moment.
    pub blocked: bool,
    /// What became of what it was offered; it adds up.
    #[serde(flatten)]
    pub counts: Counts,
}

impl HubCore {
    /// At most `limit` connections, from a slot on, in the order of slots.
    #[must_use]
    pub fn report(&self, from_slot: u32, limit: usize) -> Vec<ConnectionReport> {
        let end = u32::try_from(self.members.capacity()).unwrap_or(u32::MAX);
        let slots = (from_slot..end).filter(|slot| self.members.contains(*slot as usize));
        slots.take(limit).map(|slot| self.report_one(slot)).collect()
    }

    fn report_one(&self, slot: u32) -> ConnectionReport {
        let member = &self.members[slot as usize];
        let connection = &member.connection;
        ConnectionReport {
            id: connection.id.to_string(),
            slot,
            dialect: connection.details.dialect,
            outlet: connection.outlet().kind().name(),
            user: self.groups[member.group as usize].key.filter.principal.user.clone(),
            address: connection.details.address,
            client: connection.details.client.clone(),
            opened: connection.details.opened,
            blocked: connection.blocked_since().is_some(),
            counts: self.counts(slot),
        }
    }

    /// Ends every connection with the dialect's last word.
    pub fn close_all(&mut self, reason: CloseReason) {
        let connections: Vec<_> = self.members.iter().map(|(_, member)| std::rc::Rc::clone(&member.connection)).collect();
        for connection in connections {
            self.close(&connection, reason);
        }
    }
}
