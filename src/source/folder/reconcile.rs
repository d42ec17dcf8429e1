//! Comparing the disk with what is known, path by path, and announcing the difference. First scan, later scans and live
//! watching all come through here, so that they agree.

use std::{
    fs::Metadata,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Announce, FolderSettings, Refused, Store, StoreError,
    announce::{Action, Announcement, Results},
    batch::Batch,
    disk::{Presence, Root},
    entry::{Entry, Facts},
    inbox::Shared,
    media_type, names,
    settling::Settling,
};
use crate::clock::Timestamp;

/// How many known files are read from the store at a time.
const RUN: usize = 500;
/// The pause before a busy engine is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(50);

/// Why the work on a folder does not go on.
#[derive(Debug)]
pub(super) enum Halt {
    /// The source is stopped, or the engine is closed.
    Stopped,
    /// The scan is cancelled; watching goes on.
    Cancelled,
    /// Not at the moment; worth another try.
    Failed(FolderError),
}

/// Why a folder cannot be worked on.
#[derive(Debug, thiserror::Error)]
pub(super) enum FolderError {
    #[error("the folder {} is not there: {reason}", path.display())]
    Gone { path: PathBuf, reason: std::io::Error },
    #[error("the folder {} is empty and on another device than before: it is taken for not mounted", path.display())]
    NotMounted { path: PathBuf },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the engine rejected a message: {0}")]
    Rejected(String),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// What a look at one file found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) action: Option<Action>,
    pub(super) unreadable: bool,
}

/// A watched folder while its root is there.
pub(super) struct Folder {
    pub(super) settings: Arc<FolderSettings>,
    pub(super) store: Arc<Store>,
    pub(super) announce: Arc<dyn Announce>,
    pub(super) shared: Arc<Shared>,
    pub(super) root: Root,
    pub(super) batch: Batch,
    pub(super) settling: Settling,
    pub(super) results: Results,
    /// A look at everything is due.
    pub(super) rescan: bool,
    /// Why the watcher cannot see everything.
    pub(super) blind: Option<String>,
}

impl Folder {
    /// Compares one file with what is known of it.
    pub(super) fn examine(&mut self, path: PathBuf, metadata: &Metadata) -> Result<Outcome, Halt> {
        self.flush_if_touched(&path)?;
        let facts = Facts::of(metadata);
        match self.store.entry(&self.settings.library, &path)? {
            Some(known) if known.facts.same_content(&facts) => self.unchanged(path, known, facts),
            Some(known) => {
                let entry = self.described(&path, known.id, known.added, facts);
                self.found(Action::Updated, None, path, entry)
            }
            None => self.appeared(path, facts),
        }
    }

    fn unchanged(&mut self, path: PathBuf, known: Entry, facts: Facts) -> Result<Outcome, Halt> {
        if known.unreadable {
            let entry = self.described(&path, known.id.clone(), known.added, facts);
            if !entry.unreadable {
                return self.found(Action::Updated, None, path, entry);
            }
        }
        let unreadable = known.unreadable;
        if !known.facts.same_file(&facts) {
            // The same content in another file, as after a restore: only how to know it again has changed.
            self.batch.remember_silently(path, Entry { facts: Facts { created: known.facts.created, ..facts }, ..known });
            self.flush_if_full()?;
        }
        Ok(Outcome { action: None, unreadable })
    }

    fn appeared(&mut self, path: PathBuf, facts: Facts) -> Result<Outcome, Halt> {
        if let Some((old_path, known)) = self.moved_from(&path, &facts)? {
            let entry = self.described(&path, known.id, known.added, facts);
            return self.found(Action::Updated, Some(old_path), path, entry);
        }
        let id = self.fresh_id(&path)?;
        let entry = self.described(&path, id, Timestamp::now().0, facts);
        self.found(Action::Added, None, path, entry)
    }

    fn found(&mut self, action: Action, old_path: Option<PathBuf>, path: PathBuf, entry: Entry) -> Result<Outcome, Halt> {
        let unreadable = entry.unreadable;
        self.batch.announce(action, old_path, path, entry);
        self.flush_if_full()?;
        Ok(Outcome { action: Some(action), unreadable })
    }

    /// A known file that is gone from its path and is this one: the same inode, size and modification time.
    fn moved_from(&mut self, path: &Path, facts: &Facts) -> Result<Option<(PathBuf, Entry)>, Halt> {
        let candidates = self.store.paths_of(&self.settings.library, facts)?;
        for old_path in candidates {
            self.flush_if_touched(&old_path)?;
            let Some(known) = self.store.entry(&self.settings.library, &old_path)? else { continue };
            let same = known.facts.same_file(facts) && known.facts.same_content(facts);
            if same && old_path != path && self.root.presence().of(&old_path) == Presence::Gone {
                return Ok(Some((old_path, known)));
            }
        }
        Ok(None)
    }

    /// A rename the system told about: every known file at or below the old name gets its new one, whatever else changed in it.
    pub(super) fn renamed(&mut self, from: &Path, to: &Path) -> Result<(), Halt> {
        self.renamed_file(from, to)?;
        let prefix = below(from);
        let mut last = None;
        loop {
            self.flush()?;
            let known = self.store.run(&self.settings.library, &prefix, last.as_deref(), RUN)?;
            let Some((path, _)) = known.last() else { return Ok(()) };
            last = Some(path.clone());
            for (path, _) in known {
                let rest = path.strip_prefix(from).unwrap_or(&path);
                self.renamed_file(&path, &to.join(rest))?;
            }
        }
    }

    fn renamed_file(&mut self, from: &Path, to: &Path) -> Result<(), Halt> {
        self.flush_if_touched(from)?;
        self.flush_if_touched(to)?;
        let Some(known) = self.store.entry(&self.settings.library, from)? else { return Ok(()) };
        let Ok(metadata) = self.root.metadata(to) else { return Ok(()) };
        let facts = Facts::of(&metadata);
        let is_it = metadata.is_file() && known.facts.same_file(&facts);
        let is_new_name = self.store.entry(&self.settings.library, to)?.is_none();
        if !is_it || !is_new_name || self.root.presence().of(from) != Presence::Gone {
            // Overwritten, renamed on, or something else by now: the look at both paths once they are quiet will tell.
            return Ok(());
        }
        let entry = self.described(to, known.id, known.added, facts);
        self.found(Action::Updated, Some(from.into()), to.into(), entry)?;
        Ok(())
    }

    /// Announces as deleted what is known at or below a path (empty: everything) and is not there; returns how many.
    pub(super) fn sweep(&mut self, top: &Path) -> Result<u64, Halt> {
        self.flush()?;
        let mut deleted = 0;
        if let Some(known) = self.store.entry(&self.settings.library, top)? {
            deleted += self.delete_missing(vec![(top.to_path_buf(), known)])?;
        }
        let prefix = below(top);
        let mut last = None;
        loop {
            let known = self.store.run(&self.settings.library, &prefix, last.as_deref(), RUN)?;
            let Some((path, _)) = known.last() else { return Ok(deleted) };
            last = Some(path.clone());
            deleted += self.delete_missing(known)?;
            self.go_on()?;
        }
    }

    fn delete_missing(&mut self, known: Vec<(PathBuf, Entry)>) -> Result<u64, Halt> {
        let root = self.root.clone();
        let mut presence = root.presence();
        let mut deleted = 0;
        for (path, entry) in known {
            if presence.of(&path) == Presence::Gone {
                self.batch.announce_deleted(path, &entry);
                deleted += 1;
                self.flush_if_full()?;
            }
        }
        self.flush()?;
        Ok(deleted)
    }

    fn described(&self, path: &Path, id: String, added: i64, facts: Facts) -> Entry {
        let head = self.root.head(path);
        let unreadable = head.is_err();
        let (kind, mimetype) = media_type::of(path, &head.unwrap_or_default());
        Entry { id, kind, mimetype, added, unreadable, facts }
    }

    /// The id of a new path. The first choice may still belong to a file that had this path and was renamed.
    fn fresh_id(&self, path: &Path) -> Result<String, Halt> {
        let mut attempt = 0;
        loop {
            let id = names::derived_id(&self.settings.library, path, attempt);
            if !self.batch.has_id(&id) && self.store.path_of(&self.settings.library, &id)?.is_none() {
                return Ok(id);
            }
            attempt += 1;
        }
    }

    fn flush_if_touched(&mut self, path: &Path) -> Result<(), Halt> {
        if self.batch.touches(path) { self.flush() } else { Ok(()) }
    }

    fn flush_if_full(&mut self) -> Result<(), Halt> {
        if self.batch.is_full(self.settings.batch_items.get()) { self.flush() } else { Ok(()) }
    }

    /// Announces what was found and records it once accepted. In this order: a crash in between announces the message again,
    /// the other order would lose it.
    pub(super) fn flush(&mut self) -> Result<(), Halt> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        if batch.deletes {
            // Every file looks deleted when its root is away: the root is there now, so it was there when the files were not.
            self.check_root()?;
        }
        let store = Arc::clone(&self.store);
        let _in_flight = store.in_flight.mark(batch.corrections(&self.settings.library));
        if let Some(message) = batch.message(&self.settings.library) {
            self.tell(message)?;
        }
        Ok(self.store.commit(&self.settings.library, &batch.changes)?)
    }

    pub(super) fn tell(&self, message: Announcement) -> Result<(), Halt> {
        tell(&*self.announce, &self.shared, message)
    }

    pub(super) fn check_root(&self) -> Result<(), Halt> {
        self.root.check().map_err(|reason| Halt::Failed(FolderError::Gone { path: self.settings.path.clone(), reason }))
    }

    pub(super) fn go_on(&self) -> Result<(), Halt> {
        if self.shared.is_stopped() { Err(Halt::Stopped) } else { Ok(()) }
    }
}

/// Gives the engine one message; waits while it is busy.
pub(super) fn tell(announce: &dyn Announce, shared: &Shared, message: Announcement) -> Result<(), Halt> {
    loop {
        match announce.announce(vec![message.clone()]) {
            Ok(()) => return Ok(()),
            Err(Refused::Busy) if shared.rest_until(Instant::now() + BUSY_PAUSE) => {}
            Err(Refused::Busy | Refused::Closed) => return Err(Halt::Stopped),
            Err(Refused::Rejected(reason)) => return Err(Halt::Failed(FolderError::Rejected(reason))),
        }
    }
}

/// The bytes that every path below a folder begins with.
fn below(folder: &Path) -> Vec<u8> {
    let mut prefix = names::key(folder).to_vec();
    if !prefix.is_empty() {
        prefix.push(b'/');
    }
    prefix
}
