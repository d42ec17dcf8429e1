//! Carries to the hubs whose connections of nobody turned out to be.

use super::Shared;
use crate::{
    dialect::{Joins, Standing},
    hub::{Identified, Owner},
};

/// Hands every join to the hub that has the connection. Whatever is accepted after this has returned finds the connection
/// with its new owner; one that has gone, or is somebody's meanwhile, stays as it is.
pub(super) fn hand_joins(shared: &Shared, joins: Joins) {
    for (connection, standing) in joins {
        let Some(hub) = shared.hubs().iter().find(|hub| hub.worker == connection.worker) else { continue };
        let Standing { filter, formats, credential } = standing;
        #[expect(clippy::disallowed_methods, reason = "a join must not be lost, and connections of nobody are few")]
        hub.identities.do_send(Identified { connection, owner: Owner { filter, formats, credential } });
    }
}
