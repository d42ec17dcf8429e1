//! Between scans: what the watcher heard, looked at once it is quiet.

use std::{
    fs::Metadata,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use super::{
    disk::{Found, is_gone},
    inbox::Inbox,
    reconcile::{Folder, Halt},
    settling::Ready,
};

impl Folder {
    /// Takes in what was heard and looks at what has become quiet. Never waits, except for the engine.
    pub(super) fn tick(&mut self) -> Result<(), Halt> {
        self.go_on()?;
        let now = Instant::now();
        let inbox = self.shared.take();
        self.hear(inbox, now)?;
        let ready = self.settling.take_ready(now);
        if ready.is_empty() {
            return Ok(());
        }
        let missing = self.look_at_present(ready, now)?;
        // Only now, so that a file found under its new name is not first reported deleted under the old.
        for ready in missing {
            if ready.missing {
                self.sweep(&ready.path)?;
            } else {
                self.settling.wait_for_return(ready, now);
            }
        }
        self.flush()
    }

    fn hear(&mut self, inbox: Inbox, now: Instant) -> Result<(), Halt> {
        if inbox.changed.contains(&self.root.path) {
            self.check_root()?;
        }
        self.rescan |= inbox.rescan;
        if let Some(reason) = inbox.watch_error {
            tracing::warn!(library = %self.settings.library, reason, "cannot watch everything, rescanning from time to time");
            self.blind = Some(reason);
        }
        self.hear_renames(inbox.renamed, now)?;
        for path in inbox.changed {
            if let Some(path) = self.root.relative(&path) {
                self.settling.touch(path, now);
            }
        }
        Ok(())
    }

    fn hear_renames(&mut self, renamed: Vec<(PathBuf, PathBuf)>, now: Instant) -> Result<(), Halt> {
        if renamed.is_empty() {
            return Ok(());
        }
        for (from, to) in renamed {
            let (from, to) = (self.root.relative(&from), self.root.relative(&to));
            if let (Some(from), Some(to)) = (&from, &to) {
                self.renamed(from, to)?;
            }
            for path in [from, to].into_iter().flatten() {
                self.settling.touch(path, now);
            }
        }
        self.flush()
    }

    /// Looks at the paths that are there and returns those that are not.
    fn look_at_present(&mut self, ready: Vec<Ready>, now: Instant) -> Result<Vec<Ready>, Halt> {
        let mut missing = Vec::new();
        for ready in ready {
            match self.root.metadata(&ready.path) {
                Ok(metadata) if metadata.is_file() => self.look_at_file(ready, &metadata, now)?,
                Ok(metadata) if metadata.is_dir() => self.look_through(&ready.path)?,
                // A link or a socket is no media: whatever was known at this path is gone.
                Ok(_) => missing.push(ready),
                Err(error) if is_gone(&error) => missing.push(ready),
                Err(error) => tracing::debug!(path = %ready.path.display(), %error, "cannot look at a changed path"),
            }
        }
        Ok(missing)
    }

    fn look_at_file(&mut self, ready: Ready, metadata: &Metadata, now: Instant) -> Result<(), Halt> {
        match rest_until_quiet(metadata, self.settings.quiet) {
            Some(rest) if !ready.overdue => self.settling.wait_again(ready, now, rest),
            _ => {
                self.examine(ready.path, metadata)?;
            }
        }
        Ok(())
    }

    /// A folder that has appeared or changed: everything below it, because what was in it before it was watched made no sound.
    fn look_through(&mut self, folder: &Path) -> Result<(), Halt> {
        // A folder in place of a known file.
        if self.store.entry(&self.settings.library, folder)?.is_some() {
            self.sweep(folder)?;
        }
        for found in self.root.walk(folder) {
            self.go_on()?;
            match found {
                Found::File(path, metadata) if !self.settling.contains(&path) => {
                    self.examine(path, &metadata)?;
                }
                Found::File(..) => {}
                Found::Unreadable(path) => tracing::debug!(path = %path.display(), "cannot read a path of a changed folder"),
            }
        }
        Ok(())
    }
}

/// How long until the modification time is as old as it should be; `None` when it is, or lies in the future.
fn rest_until_quiet(metadata: &Metadata, quiet: Duration) -> Option<Duration> {
    let age = SystemTime::now().duration_since(metadata.modified().ok()?).ok()?;
    quiet.checked_sub(age).filter(|rest| !rest.is_zero())
}
