//! Looking at everything: a walk over the disk, then a walk over what is known for what is no longer there.
//!
//! Neither holds more than one batch of files. Between files the watcher's news is taken in, so that a change made during a
//! long scan is announced as quickly as at any other time.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{
    FolderSettings,
    announce::{Action, Results, ScanMessage, ScanState},
    disk::Found,
    reconcile::{Folder, FolderError, Halt},
};

/// The least time between two `progress` messages; also how long a found file may wait for its message to fill.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(300);
/// How many files are looked at between two looks into the inbox.
const FILES_PER_TICK: u64 = 32;

/// One scan under way.
struct Progress {
    announced: bool,
    expected: u64,
    seen: u64,
    last: Instant,
    first_unreadable: Option<String>,
}

impl Folder {
    /// Scans the folder. A silent scan (where watching is not possible) announces what it finds, but not itself.
    pub(super) fn scan(&mut self, announced: bool) -> Result<(), Halt> {
        self.results = Results::default();
        self.shared.begin_scan();
        let mut progress = Progress { announced, expected: 0, seen: 0, last: Instant::now(), first_unreadable: None };
        let outcome = self.scan_all(&mut progress);
        self.shared.end_scan();
        match outcome {
            Ok(()) => {
                self.remember_device()?;
                let error = self.complaints(&progress);
                self.say(&progress, ScanState::Finished, 100, error.as_deref())
            }
            Err(Halt::Cancelled) => {
                self.flush()?;
                self.say(&progress, ScanState::Cancelled, progress.percent(), None)
            }
            Err(Halt::Stopped) => {
                // Best effort, so that nobody waits for the end of a scan that was stopped: the engine may be closed already.
                drop(self.say(&progress, ScanState::Cancelled, progress.percent(), Some("the source was stopped")));
                Err(Halt::Stopped)
            }
            Err(failed @ Halt::Failed(_)) => Err(failed),
        }
    }

    fn scan_all(&mut self, progress: &mut Progress) -> Result<(), Halt> {
        self.check_mounted()?;
        self.say(progress, ScanState::Started, 0, None)?;
        progress.expected = self.expected()?;
        for found in self.root.walk(Path::new("")) {
            self.scan_one(found, progress)?;
            progress.seen += 1;
            self.between_files(progress)?;
        }
        self.check_root()?;
        self.results.deleted += self.sweep(Path::new(""))?;
        self.flush()
    }

    fn scan_one(&mut self, found: Found, progress: &mut Progress) -> Result<(), Halt> {
        let (path, metadata) = match found {
            Found::File(path, metadata) => (path, metadata),
            Found::Unreadable(path) => {
                self.results.unreadable += 1;
                progress.first_unreadable.get_or_insert_with(|| path.to_string_lossy().into_owned());
                return Ok(());
            }
        };
        if self.settling.contains(&path) {
            // Being written at this moment: announced when quiet.
            return Ok(());
        }
        let text = path.to_string_lossy().into_owned();
        let outcome = self.examine(path, &metadata)?;
        match outcome.action {
            Some(Action::Added) => self.results.added += 1,
            Some(Action::Updated) => self.results.updated += 1,
            Some(Action::Deleted) => self.results.deleted += 1,
            None => self.results.unchanged += 1,
        }
        if outcome.unreadable {
            self.results.unreadable += 1;
            progress.first_unreadable.get_or_insert(text);
        }
        Ok(())
    }

    fn between_files(&mut self, progress: &mut Progress) -> Result<(), Halt> {
        self.go_on_scanning()?;
        if progress.seen.is_multiple_of(FILES_PER_TICK) {
            self.tick()?;
        }
        if progress.last.elapsed() >= PROGRESS_INTERVAL {
            progress.last = Instant::now();
            self.flush()?;
            self.say(progress, ScanState::Progress, progress.percent(), None)?;
        }
        Ok(())
    }

    fn go_on_scanning(&self) -> Result<(), Halt> {
        self.go_on()?;
        if self.shared.take_cancel() { Err(Halt::Cancelled) } else { Ok(()) }
    }

    /// How many files this will be: as many as are known, else a count of names, which costs little beside looking at them.
    fn expected(&self) -> Result<u64, Halt> {
        let known = self.store.count(&self.settings.library)?;
        if known > 0 {
            return Ok(known);
        }
        let mut files = 0;
        for _found in self.root.walk(Path::new("")) {
            files += 1;
            self.go_on_scanning()?;
        }
        Ok(files)
    }

    /// An empty folder on another device than at the last scan, where files were known, is a mount point without its disk.
    fn check_mounted(&self) -> Result<(), Halt> {
        let gone = |reason| Halt::Failed(FolderError::Gone { path: self.settings.path.clone(), reason });
        let moved = self.store.device(&self.settings.library)?.is_some_and(|device| device != self.root.device);
        if moved && self.root.is_empty().map_err(gone)? && self.store.count(&self.settings.library)? > 0 {
            return Err(Halt::Failed(FolderError::NotMounted { path: self.settings.path.clone() }));
        }
        Ok(())
    }

    fn remember_device(&self) -> Result<(), Halt> {
        let library = &self.settings.library;
        if self.store.device(library)? != Some(self.root.device) {
            self.store.set_device(library, self.root.device)?;
        }
        Ok(())
    }

    /// What a finished scan has to say to the library's admins.
    fn complaints(&self, progress: &Progress) -> Option<String> {
        let unreadable = progress
            .first_unreadable
            .as_ref()
            .map(|first| format!("{} files or folders cannot be read, the first of them {first}", self.results.unreadable));
        let blind = self.blind.as_ref().map(|reason| format!("cannot watch everything: {reason}"));
        let complaints: Vec<String> = [unreadable, blind].into_iter().flatten().collect();
        (!complaints.is_empty()).then(|| complaints.join("; "))
    }

    fn say(&self, progress: &Progress, state: ScanState, percent: u8, error: Option<&str>) -> Result<(), Halt> {
        if !progress.announced {
            return Ok(());
        }
        let FolderSettings { library, name, .. } = &*self.settings;
        let id = &self.shared.run();
        self.tell(ScanMessage { library, id, name, state, progress: percent, results: self.results, error }.announcement())
    }
}

impl Progress {
    /// 100 is said by the end alone.
    fn percent(&self) -> u8 {
        let percent = self.seen.saturating_mul(100) / self.expected.max(1);
        u8::try_from(percent.min(99)).unwrap_or(99)
    }
}
