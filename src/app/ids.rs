//! Joins the store of derived ids to the engine, where a dialect derives some.

use std::sync::Arc;

use super::StartError;
use crate::{
    config::Settings,
    server::Shared,
    state::{DerivedIds, IdKeeper, State},
};

/// The file in the data directory.
const FILE: &str = "ids.redb";

/// Keeps the ids in the data directory until the keeper is dropped; none when every dialect shows ids as they are.
///
/// A store that cannot be used keeps nobody from getting events: ids are derived anew, to the same ones.
pub(super) fn keep(settings: &Settings, shared: &Shared, state: &State) -> Result<Option<IdKeeper>, StartError> {
    let dialects = shared.doorkeeper.dialect_names();
    if !IdKeeper::is_needed_by(&dialects) {
        return Ok(None);
    }
    match DerivedIds::open(&settings.server.data_dir.join(FILE)) {
        Ok(ids) => Ok(Some(state.keep_ids(Arc::new(ids), &dialects)?)),
        Err(error) => {
            tracing::warn!(%error, "what derived ids stand for is not remembered; a damaged file may be removed, it is made anew");
            Ok(None)
        }
    }
}
