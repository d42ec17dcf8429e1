//! The folder's own thread: waits for the root, watches, scans, goes on watching, and starts again when the root was lost.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Announce, FolderSettings, Store,
    announce::{Results, ScanMessage, ScanState},
    batch::Batch,
    disk::Root,
    inbox::Shared,
    reconcile::{self, Folder, FolderError, Halt},
    settling::Settling,
    watch::Watch,
};

/// How often the root is looked at while nothing happens: an unmounted disk makes no sound.
const ROOT_CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// What the thread runs on.
pub(super) struct Worker {
    pub(super) settings: Arc<FolderSettings>,
    pub(super) store: Arc<Store>,
    pub(super) announce: Arc<dyn Announce>,
    pub(super) shared: Arc<Shared>,
}

impl Worker {
    /// Works until stopped.
    pub(super) fn run(self) {
        let mut pause = self.settings.retry_first;
        let mut told = None;
        loop {
            let mut scanned = false;
            let Err(error) = self.work_while_there(&mut scanned) else { return };
            if scanned {
                (pause, told) = (self.settings.retry_first, None);
            }
            let error = error.to_string();
            if told.as_ref() != Some(&error) {
                tracing::warn!(library = %self.settings.library, error, "a watched folder cannot be worked on, trying again");
                if self.say_failed(&error).is_err() {
                    return;
                }
                told = Some(error);
            }
            if !self.shared.rest_until(Instant::now() + pause) {
                return;
            }
            pause = (pause * 2).min(self.settings.retry_longest);
        }
    }

    /// Scans and watches. Returns when stopped; an error is a reason to try again. `scanned` tells that a scan came to its end.
    fn work_while_there(&self, scanned: &mut bool) -> Result<(), FolderError> {
        match self.work(scanned) {
            Ok(()) | Err(Halt::Stopped | Halt::Cancelled) => Ok(()),
            Err(Halt::Failed(error)) => Err(error),
        }
    }

    fn work(&self, scanned: &mut bool) -> Result<(), Halt> {
        let mut folder = self.find()?;
        // Watching begins before the scan, so that nothing falls between them.
        self.shared.take();
        let _watch = self.watch(&mut folder);
        folder.scan(true)?;
        *scanned = true;
        let mut next_rescan = Instant::now() + self.settings.rescan_every;
        loop {
            folder.tick()?;
            if std::mem::take(&mut folder.rescan) {
                folder.scan(true)?;
            } else if folder.blind.is_some() && Instant::now() >= next_rescan {
                folder.scan(false)?;
                next_rescan = Instant::now() + self.settings.rescan_every;
            }
            folder.check_root()?;
            let rescan = folder.blind.is_some().then_some(next_rescan);
            let events = [folder.settling.next_due(), rescan, Some(Instant::now() + ROOT_CHECK_INTERVAL)];
            let Some(wake) = events.into_iter().flatten().min() else { continue };
            self.shared.wait_until(wake);
        }
    }

    fn find(&self) -> Result<Folder, Halt> {
        let gone = |reason| Halt::Failed(FolderError::Gone { path: self.settings.path.clone(), reason });
        Ok(Folder {
            settings: Arc::clone(&self.settings),
            store: Arc::clone(&self.store),
            announce: Arc::clone(&self.announce),
            shared: Arc::clone(&self.shared),
            root: Root::find(&self.settings.path).map_err(gone)?,
            batch: Batch::default(),
            settling: Settling::new(self.settings.quiet, self.settings.longest_wait),
            results: Results::default(),
            rescan: false,
            blind: None,
        })
    }

    fn watch(&self, folder: &mut Folder) -> Option<Watch> {
        if !self.settings.watch {
            folder.blind = Some("watching is switched off".into());
            return None;
        }
        let (watch, blind) = match Watch::start(&folder.root.path, &self.shared) {
            Ok((watch, blind)) => (Some(watch), blind),
            Err(error) => (None, Some(error.to_string())),
        };
        if let Some(reason) = &blind {
            tracing::warn!(library = %self.settings.library, reason, "cannot watch everything, rescanning from time to time");
        }
        folder.blind = blind;
        watch
    }

    fn say_failed(&self, error: &str) -> Result<(), Halt> {
        let FolderSettings { library, name, .. } = &*self.settings;
        let (id, results) = (&self.shared.run(), Results::default());
        let message = ScanMessage { library, id, name, state: ScanState::Failed, progress: 0, results, error: Some(error) };
        match reconcile::tell(&*self.announce, &self.shared, message.announcement()) {
            // An engine that rejects this, too, is told nothing more.
            Ok(()) | Err(Halt::Failed(_)) => Ok(()),
            Err(halt) => Err(halt),
        }
    }
}
