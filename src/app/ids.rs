//! Joins the store of derived ids to the engine, where a dialect derives some.

use std::sync::Arc;

use super::StartError;
use crate::{
    config::Settings,
    server::Shared,
    state::{DerivedIds, IdKeeper, State},
};

/// Keeps the ids in the data directory until the keeper is dropped; none when every dialect shows ids as they are.
pub(super) fn keep(settings: &Settings, shared: &Shared, state: &State) -> Result<Option<IdKeeper>, StartError> {
    let dialects = shared.doorkeeper.dialect_names();
    if !IdKeeper::is_needed_by(&dialects) {
        return Ok(None);
    }
    let ids = Arc::new(DerivedIds::open(&settings.server.data_dir.join("ids.redb"))?);
    Ok(Some(state.keep_ids(ids, &dialects)?))
}
