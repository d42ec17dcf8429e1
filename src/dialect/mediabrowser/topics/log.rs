//! `ActivityLogEntry`: a nudge to administrators that there is something new in the log, and nothing of it.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    super::{message::NUDGE, server::Server},
    shared::Frames,
};
use crate::{access::Principal, topic::Topic};

pub(super) struct LogEntries {
    server: Arc<Server>,
    /// By version: each line is a nudge of its own.
    frames: Frames<()>,
}

impl LogEntries {
    pub(super) fn new(server: Arc<Server>) -> Self {
        Self { server, frames: Frames::new("ActivityLogEntry") }
    }
}

impl Topic for LogEntries {
    fn name(&self) -> &'static str {
        "ActivityLogEntry"
    }

    fn version(&self) -> u64 {
        self.server.state.log_version()
    }

    fn frame(&self, principal: &Principal, version: u64, before: Option<&Bytes>, again: bool) -> Option<Bytes> {
        principal.admin.then(|| self.frames.frame_of_version((), version, (before, again), NUDGE))
    }
}
