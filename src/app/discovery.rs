//! Joins questions for a server on the local network to what is told of this one.

use super::StartError;
use crate::{config::Settings, dialect::Discoverable, server::Questions};

/// Where they come, if they are to be answered.
pub(super) fn open(settings: &Settings, server_id: &str) -> Result<Option<Questions>, StartError> {
    let mediabrowser = &settings.dialects.mediabrowser;
    let Some(address) = mediabrowser.discovery.filter(|_| mediabrowser.enabled) else { return Ok(None) };
    let server = Discoverable::new(&settings.server.name, server_id, settings.tls.pair().is_some());
    Ok(Some(Questions::at(address, server)?))
}
