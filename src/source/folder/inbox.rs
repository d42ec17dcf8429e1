//! What the watcher and the handle leave for the folder's thread: changed paths, renames, requests. Bounded: beyond the bound
//! single paths are given up and one rescan takes their place.

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use parking_lot::{Condvar, Mutex};

use crate::clock::Timestamp;

/// More changed paths than this at once are not kept singly.
const MAX_PATHS: usize = 10_000;

/// What has come in since the last look.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// Changed paths, absolute.
    pub(super) changed: HashSet<PathBuf>,
    /// Old and new name, absolute, in the order they happened.
    pub(super) renamed: Vec<(PathBuf, PathBuf)>,
    /// Changes were lost or asked for: look at everything.
    pub(super) rescan: bool,
    /// The watcher said that it cannot see everything (any more).
    pub(super) watch_error: Option<String>,
}

impl Inbox {
    fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.renamed.is_empty() && !self.rescan && self.watch_error.is_none()
    }

    fn bound(&mut self) {
        if self.changed.len() + self.renamed.len() > MAX_PATHS {
            self.changed = HashSet::new();
            self.renamed = Vec::new();
            self.rescan = true;
        }
    }
}

/// Shared by the handle, the watcher and the folder's thread.
#[derive(Debug, Default)]
pub(super) struct Shared {
    inbox: Mutex<Inbox>,
    arrived: Condvar,
    stopped: AtomicBool,
    scanning: AtomicBool,
    cancelled: AtomicBool,
    /// The id of the scan under way, or of the latest one: the same from its start to its end.
    run: Mutex<String>,
}

impl Shared {
    pub(super) fn leave(&self, change: impl FnOnce(&mut Inbox)) {
        let mut inbox = self.inbox.lock();
        change(&mut inbox);
        inbox.bound();
        self.arrived.notify_all();
    }

    pub(super) fn take(&self) -> Inbox {
        std::mem::take(&mut *self.inbox.lock())
    }

    /// Waits until something has come in, the source is stopped, or the time has come.
    pub(super) fn wait_until(&self, deadline: Instant) {
        let mut inbox = self.inbox.lock();
        while inbox.is_empty() && !self.is_stopped() && !self.arrived.wait_until(&mut inbox, deadline).timed_out() {}
    }

    /// Waits for the time alone; false when the source was stopped meanwhile.
    pub(super) fn rest_until(&self, deadline: Instant) -> bool {
        let mut inbox = self.inbox.lock();
        while !self.is_stopped() && !self.arrived.wait_until(&mut inbox, deadline).timed_out() {}
        !self.is_stopped()
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        // Under the lock, so that nobody who has just looked at the flag goes to sleep on it.
        let _inbox = self.inbox.lock();
        self.arrived.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    pub(super) fn begin_scan(&self) {
        // Held, so that who cancels a run by its id cannot meet the next one.
        let mut run = self.run.lock();
        *run = run_id();
        // A request that came too late for the scan before does not concern this one.
        self.cancelled.store(false, Ordering::Release);
        self.scanning.store(true, Ordering::Release);
    }

    pub(super) fn end_scan(&self) {
        self.scanning.store(false, Ordering::Release);
    }

    pub(super) fn is_scanning(&self) -> bool {
        self.scanning.load(Ordering::Acquire)
    }

    /// Asks for the end of the scan under way; false when there is none.
    pub(super) fn cancel(&self) -> bool {
        let scanning = self.scanning.load(Ordering::Acquire);
        self.cancelled.store(scanning, Ordering::Release);
        scanning
    }

    /// The same for the scan of that id only.
    pub(super) fn cancel_run(&self, id: &str) -> bool {
        let run = self.run.lock();
        *run == id && self.cancel()
    }

    /// The id of the scan under way, or of the latest one; a new one before the first.
    pub(super) fn run(&self) -> String {
        let mut run = self.run.lock();
        if run.is_empty() {
            *run = run_id();
        }
        run.clone()
    }

    /// Whether a scan was to be cancelled; asking takes the request away.
    pub(super) fn take_cancel(&self) -> bool {
        self.cancelled.swap(false, Ordering::AcqRel)
    }
}

/// A random UUID (version 4); on a system without random bytes one made of the time.
fn run_id() -> String {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&Timestamp::now().0.to_be_bytes());
    let _ = getrandom::fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_is_cancelled_by_its_own_id_only() {
        let shared = Shared::default();
        shared.begin_scan();
        let first = shared.run();
        assert!(!shared.cancel_run("another") && shared.cancel_run(&first));
        shared.end_scan();
        assert!(!shared.cancel_run(&first), "it is over");
        shared.begin_scan();
        assert!(!shared.cancel_run(&first) && shared.cancel_run(&shared.run()), "the next one is another");
        assert_eq!((first.len(), first.as_bytes()[14]), (36, b'4'));
    }

    #[test]
    fn too_many_changed_paths_become_one_rescan() {
        let shared = Shared::default();
        for n in 0..=MAX_PATHS {
            shared.leave(|inbox| {
                inbox.changed.insert(PathBuf::from(n.to_string()));
            });
        }
        let inbox = shared.take();
        assert!(inbox.rescan && inbox.changed.is_empty());
    }
}
