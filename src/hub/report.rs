//! What a hub tells of its connections to people who look, a page at a time; and which of them such people end.

use std::{net::IpAddr, rc::Rc, time::Instant};

use serde::Serialize;
use utoipa::ToSchema;

use super::core::{HubCore, Member};
use crate::{
    access::TokenHash,
    clock::Timestamp,
    connection::{CloseReason, Connection, Counts},
    id::{ConnectionId, UserId},
};

/// Connections looked at for one answer; whoever wants more asks again, so that events have their turn in between.
const AT_ONCE: usize = 4096;

/// Which connections are wanted; those of which every part is true that is there.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Those of this user.
    pub user: Option<UserId>,
    /// Those of the dialect of this name.
    pub dialect: Option<Box<str>>,
    /// Those whose client has this address.
    pub address: Option<IpAddr>,
    /// Only those that are lagging.
    pub lagging: bool,
    /// Only those for which something waits.
    pub waiting: bool,
}

/// Some of a worker's connections.
#[derive(Debug, Clone, Default)]
pub struct ConnectionsPage {
    /// Those found, in the order of slots.
    pub connections: Vec<ConnectionReport>,
    /// The slot to go on at; `None`: that was all.
    pub next_slot: Option<u32>,
}

/// Whose connections an administrator ends.
#[derive(Debug, Clone)]
pub enum Whose {
    /// This one.
    Connection(ConnectionId),
    /// All of a user.
    User(UserId),
    /// All that came with a token, by its hash.
    Token(TokenHash),
}

/// One connection, as `/api/connections` shows it.
#[derive(Debug, Clone, Serialize, ToSchema)]
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
    #[schema(value_type = Option<String>)]
    pub user: Option<UserId>,
    /// The client's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// The client's port; absent where a proxy speaks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// What the client calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub client: Option<Box<str>>,
    /// When it connected.
    #[schema(value_type = i64)]
    pub opened: Timestamp,
    /// It takes nothing at the moment.
    pub blocked: bool,
    /// Something has waited for it for longer than a second.
    pub lagging: bool,
    /// What became of what it was offered; it adds up.
    #[serde(flatten)]
    pub counts: Counts,
}

impl HubCore {
    /// At most `limit` of the wanted connections, from a slot on. It looks at so many that nobody waits for long.
    #[must_use]
    pub fn report(&self, from_slot: u32, limit: usize, wanted: &Wanted) -> ConnectionsPage {
        let (now, end) = (Instant::now(), u32::try_from(self.members.capacity()).unwrap_or(u32::MAX));
        let mut page = ConnectionsPage::default();
        let mut n_looked_at = 0;
        for slot in from_slot..end {
            let Some(member) = self.members.get(slot as usize) else { continue };
            if n_looked_at == AT_ONCE || page.connections.len() == limit {
                page.next_slot = Some(slot);
                break;
            }
            n_looked_at += 1;
            if self.is_wanted(slot, member, wanted, now) {
                page.connections.push(self.report_one(slot, now));
            }
        }
        page
    }

    fn is_wanted(&self, slot: u32, member: &Member, wanted: &Wanted, now: Instant) -> bool {
        let details = &member.connection.details;
        let user = &self.groups[member.group as usize].key.filter.principal.user;
        wanted.user.as_ref().is_none_or(|wanted| user.as_ref() == Some(wanted))
            && wanted.dialect.as_deref().is_none_or(|dialect| dialect == self.settings.dialects[member.dialect()])
            && wanted.address.is_none_or(|address| details.address().map(|address| address.to_canonical()) == Some(address.to_canonical()))
            && (!wanted.lagging || self.lag_of(member, now).1)
            && (!wanted.waiting || self.counts(slot).waiting > 0)
    }

    fn report_one(&self, slot: u32, now: Instant) -> ConnectionReport {
        let member = &self.members[slot as usize];
        let connection = &member.connection;
        let details = &connection.details;
        ConnectionReport {
            id: connection.id.to_string(),
            slot,
            dialect: self.settings.dialects[member.dialect()],
            outlet: connection.outlet().kind().name(),
            user: self.groups[member.group as usize].key.filter.principal.user.clone(),
            address: details.address(),
            port: details.port(),
            client: details.client.clone(),
            opened: details.opened,
            blocked: connection.blocked_since().is_some(),
            lagging: self.lag_of(member, now).1,
            counts: self.counts(slot),
        }
    }
}

impl HubCore {
    /// Ends the connections with the dialect's last word; how many. They may come back: whoever may not is refused by his rights.
    pub fn disconnect(&mut self, whose: &Whose) -> usize {
        let found = self.connections_of(whose);
        let staying: Vec<_> = found.into_iter().filter(|connection| connection.closing().is_none()).collect();
        for connection in &staying {
            self.close(connection, CloseReason::Disconnected);
        }
        staying.len()
    }

    fn connections_of(&self, whose: &Whose) -> Vec<Rc<Connection>> {
        let of_slot = |slot: u32| self.members.get(slot as usize).map(|member| Rc::clone(&member.connection));
        match whose {
            Whose::Connection(id) => of_slot(id.slot).filter(|connection| connection.id == *id).into_iter().collect(),
            Whose::User(user) => {
                let groups = self.index.of_user(user);
                groups.iter().flat_map(|group| &self.groups[*group as usize].members).filter_map(|seat| of_slot(seat.slot)).collect()
            }
            Whose::Token(hash) => {
                let of_token = self.members.iter().filter(|(_, member)| member.credential.is_of(hash));
                of_token.map(|(_, member)| Rc::clone(&member.connection)).collect()
            }
        }
    }
}
