//! A watched media folder: one library whose files are scanned once and then watched.
//!
//! It announces `scan` and `medias` messages (event map, section 3) and remembers in an embedded store what was accepted, so
//! that a restart reports only what changed meanwhile. It knows no client, no session and no event type of the engine: it
//! speaks through [`Announce`], on a thread of its own, and goes as slowly as the engine accepts.
//!
//! - A path is announced when it has been quiet for [`FolderSettings::quiet`]; a file that keeps growing, every
//!   [`FolderSettings::longest_wait`].
//! - A media's id comes from library and path at first sight and stays with the file through renames: an `Updated` with the new
//!   name. A file moved from one library to another is `Deleted` there and `Added` here.
//! - A file is known again under another name by its inode, size and modification time, across restarts too.
//! - Only files are medias. Hidden and temporary names are ignored, symbolic links are neither followed nor announced.
//! - A file that cannot be read is announced by its extension and counted as unreadable; one in a folder that cannot be listed
//!   is not taken for deleted. Neither are the files of a root that is away: the scan fails and is tried again until it is back.
//! - Killed between acceptance and recording, it announces that one message again after the restart, and loses none.
//!
//! ```text
//! walk ──────────────► examine ──► batch ──► Announce ──► store
//! watcher ► settling ──┘   (compares with the store)  (accepted)
//! ```

mod announce;
mod batch;
mod catalogue;
mod disk;
mod entry;
mod in_flight;
mod inbox;
mod live;
mod media_type;
mod names;
mod reconcile;
mod scan;
mod settling;
mod store;
#[cfg(test)]
mod tests;
mod watch;
mod worker;

use std::{io, num::NonZeroUsize, path::PathBuf, sync::Arc, thread, time::Duration};

pub use announce::{Announce, Announcement, Refused};
pub use catalogue::{Catalogue, MAX_PAGE, Page};
pub use store::{Store, StoreError};

use crate::id::LibraryId;
use inbox::Shared;
use worker::Worker;

const DEFAULT_BATCH_ITEMS: NonZeroUsize = NonZeroUsize::new(200).unwrap();

/// What to watch, and how.
#[derive(Debug, Clone)]
pub struct FolderSettings {
    /// The library the files belong to. Each library has at most one folder.
    pub library: LibraryId,
    /// The library's name, as scans show it.
    pub name: String,
    /// The folder; a symbolic link to one is resolved.
    pub path: PathBuf,
    /// How long a path must not have changed before it is announced. Default 300 ms.
    pub quiet: Duration,
    /// How often a file that never gets quiet is announced all the same. Default 5 s.
    pub longest_wait: Duration,
    /// The most medias in one message. Default 200; a message is also bounded to 256 KiB.
    pub batch_items: NonZeroUsize,
    /// Whether the system is asked for changes. Off for network folders, where it hears only of its own. Default on.
    pub watch: bool,
    /// How often the folder is rescanned when it is not, or not wholly, watched. Default 60 s.
    pub rescan_every: Duration,
    /// The first pause before a folder that is away is looked for again; it doubles. Default 1 s.
    pub retry_first: Duration,
    /// The longest such pause. Default 30 s.
    pub retry_longest: Duration,
}

impl FolderSettings {
    /// A watched folder with every default, named after its library's id.
    #[must_use]
    pub fn new(library: LibraryId, path: PathBuf) -> Self {
        Self {
            name: library.to_string(),
            library,
            path,
            quiet: Duration::from_millis(300),
            longest_wait: Duration::from_secs(5),
            batch_items: DEFAULT_BATCH_ITEMS,
            watch: true,
            rescan_every: Duration::from_secs(60),
            retry_first: Duration::from_secs(1),
            retry_longest: Duration::from_secs(30),
        }
    }
}

/// A source that scans and watches one folder.
#[derive(Debug)]
pub struct FolderSource;

impl FolderSource {
    /// Starts scanning and watching on a thread of its own. A folder that is not there yet is waited for.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(settings: FolderSettings, store: Arc<Store>, announce: Arc<dyn Announce>) -> io::Result<FolderHandle> {
        let shared = Arc::new(Shared::default());
        let library = settings.library.clone();
        let worker = Worker { settings: Arc::new(settings), store, announce, shared: Arc::clone(&shared) };
        let thread = thread::Builder::new().name("folder".into()).spawn(move || worker.run())?;
        Ok(FolderHandle { library, shared, thread: Some(thread) })
    }
}

/// A running folder source. Dropped, it stops.
#[derive(Debug)]
pub struct FolderHandle {
    library: LibraryId,
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

impl FolderHandle {
    /// Stops and waits for the thread, at most as long as the engine holds one announcement. A scan under way ends as `cancelled`.
    pub fn stop(mut self) {
        self.end();
    }

    /// Cancels the scan under way, which ends as `cancelled`; watching goes on. False when there is none.
    #[must_use]
    pub fn cancel_scan(&self) -> bool {
        self.shared.cancel()
    }

    /// A way to cancel its scans that can be given away.
    #[must_use]
    pub fn scan_control(&self) -> ScanControl {
        ScanControl { library: self.library.clone(), shared: Arc::clone(&self.shared) }
    }

    /// Asks for another scan.
    pub fn rescan(&self) {
        self.shared.leave(|inbox| inbox.rescan = true);
    }

    /// Whether a scan is under way.
    #[must_use]
    pub fn is_scanning(&self) -> bool {
        self.shared.is_scanning()
    }

    fn end(&mut self) {
        self.shared.stop();
        let Some(thread) = self.thread.take() else { return };
        if thread.join().is_err() {
            tracing::error!("the thread of a watched folder has panicked");
        }
    }
}

/// Cancels the scans of one folder, as long as the folder is there.
#[derive(Debug, Clone)]
pub struct ScanControl {
    library: LibraryId,
    shared: Arc<Shared>,
}

impl ScanControl {
    /// Cancels the scan of that id, which ends as `cancelled`; watching goes on. False when the folder is not that library's,
    /// or the scan is not under way.
    #[must_use]
    pub fn cancel(&self, library: &LibraryId, run: &str) -> bool {
        self.library == *library && self.shared.cancel_run(run)
    }
}

impl Drop for FolderHandle {
    fn drop(&mut self) {
        self.end();
    }
}
