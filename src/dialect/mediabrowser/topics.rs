//! What clients may subscribe to: the sessions, the tasks, and a nudge for every line of the log (wire notes on MediaBrowser,
//! section 6.2). Each state is written once for all who have the same rights, and shared until what it says changes.

mod log;
mod sessions;
mod shared;
mod tasks;

use std::sync::Arc;

use super::server::Server;
use crate::topic::Topic;
pub(super) use sessions::visible;

/// The topics of one server.
pub(super) struct Topics([Arc<dyn Topic>; 3]);

impl Topics {
    pub(super) fn new(server: &Arc<Server>) -> Self {
        Self([
            Arc::new(sessions::Sessions::new(Arc::clone(server))),
            Arc::new(tasks::Tasks::new(Arc::clone(server))),
            Arc::new(log::LogEntries::new(Arc::clone(server))),
        ])
    }

    /// The topic of that name, in any case.
    pub(super) fn get(&self, name: &str) -> Option<Arc<dyn Topic>> {
        self.0.iter().find(|topic| topic.name().eq_ignore_ascii_case(name)).map(Arc::clone)
    }
}

#[cfg(test)]
mod tests;
