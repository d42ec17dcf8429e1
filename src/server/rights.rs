//! Telling the hubs that somebody's rights have changed.

use super::Shared;
use crate::{hub::RightsChanged, id::UserId};

/// Tells every hub, and waits until all have acted: nothing accepted after it reaches the user (`None`: whoever has none)
/// against his rights. Whether all have answered.
pub(super) async fn tell_hubs(shared: &Shared, user: Option<UserId>) -> bool {
    // All are told before any answer is waited for: one that does not answer keeps the others from nothing.
    let told: Vec<_> = shared.hubs().iter().map(|hub| hub.rights.send(RightsChanged(user.clone()))).collect();
    futures_util::future::join_all(told).await.iter().all(Result::is_ok)
}
