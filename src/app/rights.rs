//! Carries changes of rights that no call made to the hubs.

use crate::{access::Directory, hub::RightsChanged, server::HubAddress};

/// Tells every hub of each change, for as long as the system runs.
pub(super) fn forward(directory: &Directory, hubs: Vec<HubAddress>) {
    let mut changes = directory.changes();
    actix_rt::spawn(async move {
        loop {
            let user = changes.next().await;
            for hub in &hubs {
                #[expect(clippy::disallowed_methods, reason = "a change must not be lost, and one per user at most waits here")]
                hub.rights.do_send(RightsChanged(user.clone()));
            }
        }
    });
}
