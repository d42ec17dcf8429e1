//! What becomes of a hub whose code has panicked: all it knew is suspect, so it is replaced whole.
//!
//! Its sessions end with a reason and their dialect's last word, what the shards lent it is given back, and a hub without
//! connections goes on behind the same handle and the same mailbox. So nobody who knows the hub has to be told, and no event
//! can fall between the old one and the new.

use std::{
    any::Any,
    io::IoSlice,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

use super::core::{HubCore, Member};
use crate::{
    connection::{CloseReason, Control},
    metrics::Counter,
};

impl HubCore {
    /// A hub without connections in the place of this one. Generations go on, so that no id is ever given twice.
    pub(super) fn successor(&self) -> Self {
        let mut successor = Self::new(
            self.settings.clone(),
            self.credits.clone(),
            std::sync::Arc::clone(&self.directory),
            std::sync::Arc::clone(&self.state),
            std::sync::Arc::clone(&self.counters),
        );
        successor.go_on_after(self);
        successor
    }

    /// Ends everything this hub had. Whatever of it panics again costs only what it concerns.
    pub(super) fn lose(mut self, panic: &(dyn Any + Send)) {
        let what = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let n_sessions = self.members.len();
        tracing::error!(
            worker = self.settings.worker,
            sessions = n_sessions,
            panic = what,
            "a hub panicked and begins anew without its sessions"
        );
        let slots: Vec<usize> = self.members.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            // What still waits is counted where the counts can still be read.
            let waiting = caught(|| self.counts(u32::try_from(slot).unwrap_or(u32::MAX)).waiting).unwrap_or_default();
            let member = caught(|| self.members.try_remove(slot)).flatten();
            let _ = caught(|| member.map(|member| self.lose_one(&member, waiting)));
        }
        self.give_back_everything();
        let counters = std::sync::Arc::clone(&self.counters);
        for dialect in &counters.dialects {
            dialect.connections.iter().chain([&dialect.lagging]).for_each(|gauge| gauge.set(0));
        }
        for gauge in [&counters.groups, &counters.stats_groups, &counters.feed_bytes, &counters.feed_entries, &counters.oldest_micros] {
            Counter::set(gauge, 0);
        }
        counters.restarts.add(1);
        let _ = caught(move || drop(self));
    }

    fn lose_one(&self, member: &Member, waiting: u64) {
        let connection = &member.connection;
        if connection.ended.replace(true) {
            return;
        }
        let counters = &self.counters.dialects[member.dialect()];
        counters.abandoned.add(waiting);
        counters.closed[CloseReason::HubLost as usize].add(1);
        // In the middle of a frame a last word would only spoil it.
        let last_word = member.notices.goodbye.filter(|_| !connection.is_mid_frame()).and_then(|say| say(CloseReason::HubLost.goodbye()));
        if let Some(last_word) = last_word {
            // Written if the client takes it now; the connection ends either way.
            let _ = connection.write(&[IoSlice::new(&last_word)], Instant::now());
        }
        connection.outlet().close(CloseReason::HubLost);
        connection.tell(Control::Ended(CloseReason::HubLost));
    }
}

/// `None`: it panicked, and said so itself.
fn caught<T>(act: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(act)).ok()
}
