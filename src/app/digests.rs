//! Joins the digests of changes to the engine, where a dialect tells them.

use std::{io, sync::Arc};

use crate::{
    config::Settings,
    digest::{DigestSettings, Digester},
    server::Shared,
    state::State,
};

/// The dialect whose clients are told of changes in digests.
const DIALECT: &str = "mediabrowser";

/// Sums up changes until the digester is stopped; none where nobody speaks the dialect.
pub(super) fn start(settings: &Settings, shared: &Shared, state: &Arc<State>) -> io::Result<Option<Digester>> {
    if !shared.doorkeeper.dialect_names().contains(&DIALECT) {
        return Ok(None);
    }
    let spoken = &settings.dialects.mediabrowser;
    let ids = settings.libraries.iter().filter_map(|library| Some((library.id.clone(), library.ids.get(DIALECT)?.clone())));
    let users = settings.users.iter().filter_map(|user| Some((user.id.clone(), user.ids.get(DIALECT)?.clone())));
    let watched = shared.catalogue.clone().map(|catalogue| (catalogue, shared.watched.iter().cloned().collect()));
    let digests = DigestSettings {
        quiet: spoken.library_quiet,
        cap: spoken.library_cap,
        library_ids: ids.collect(),
        user_ids: users.collect(),
        watched,
    };
    Digester::start(state, shared.publisher.clone(), digests).map(Some)
}
