//! Whose a connection is, where that turns out only after it has joined.
//!
//! Who it is was found out by its dialect; here it is counted, regrouped, and its rights are asked for again as when it
//! joined.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use super::core::HubCore;
use crate::{
    access::{Credential, Filter, Principal},
    connection::{CloseReason, Connection},
    event::FormatPair,
    id::ConnectionId,
};

/// How long a connection may stay whose client has taken back who it is.
const NOBODY_AGAIN: Duration = Duration::from_secs(10);

/// Whose a connection turned out to be.
#[derive(Clone)]
pub struct Owner {
    /// What it may see and asked for.
    pub filter: Filter,
    /// How it is written to.
    pub formats: FormatPair,
    /// How its rights are asked for again. That of nobody leaves it nobody's, and lets it stay.
    pub credential: Credential,
}

impl HubCore {
    /// From here on the connection is that one's: it counts for its user, and is offered what its filter admits.
    pub fn give(&mut self, connection: &Rc<Connection>, owner: Owner) {
        if connection.ended.get() || connection.closing().is_some() {
            return;
        }
        let slot = connection.id.slot;
        let Owner { filter, formats, credential } = owner;
        let member = &mut self.members[slot as usize];
        let is_nobody_still = credential.is_nobody() && member.credential.is_nobody();
        if !is_nobody_still && let Err(full) = member.admission.count_for(filter.principal.user.as_ref()) {
            tracing::debug!(connection = %connection.id, %full, "connection refused to its owner");
            self.close(connection, CloseReason::Full);
            return;
        }
        // Nobody again: it counts for no user, so it may not stay.
        member.identify_by = (credential.is_nobody() && !is_nobody_still).then(|| (Instant::now() + NOBODY_AGAIN).into());
        member.credential = credential;
        member.warned.set(false);
        let private = self.groups[member.group as usize].key.filter.connection;
        let filter = Filter { connection: filter.connection.or(private), ..filter };
        self.regroup(connection, filter, formats);
        self.check_rights(slot);
    }

    /// As [`HubCore::give`], for a connection that is nobody's; one that is somebody's stays his.
    pub fn identify(&mut self, id: ConnectionId, owner: Owner) {
        let Some(connection) = self.connection(id) else { return };
        if self.members[id.slot as usize].credential.is_nobody() {
            self.give(&connection, owner);
        }
    }

    /// Whose a connection is, with the rights it has now.
    #[must_use]
    pub fn principal(&self, connection: &Connection) -> Option<Arc<Principal>> {
        let member = self.members.get(connection.id.slot as usize).filter(|member| member.connection.id == connection.id)?;
        Some(Arc::clone(&self.groups[member.group as usize].key.filter.principal))
    }
}
