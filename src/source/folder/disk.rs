//! Looking at the disk below one root: is the root there, is a path there, which files are below it, how does a file begin.

use std::{
    ffi::OsStr,
    fs::{self, File, Metadata},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use walkdir::WalkDir;

use super::{media_type::HEAD_BYTES, names};

/// A watched root as it was found.
#[derive(Debug, Clone)]
pub(super) struct Root {
    /// With symbolic links resolved.
    pub(super) path: PathBuf,
    given: PathBuf,
    pub(super) device: u64,
    inode: u64,
}

/// Whether a known path is still a file below the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    There,
    Gone,
    /// The disk does not say: it counts as there, because what cannot be read has not been deleted.
    Unknown,
}

/// Something a walk came across.
pub(super) enum Found {
    File(PathBuf, Metadata),
    /// A folder that cannot be listed or a file that cannot be looked at.
    Unreadable(PathBuf),
}

impl Root {
    pub(super) fn find(given: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(given)?;
        let metadata = fs::metadata(&path)?;
        if !metadata.is_dir() {
            return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is not a folder"));
        }
        fs::read_dir(&path)?;
        Ok(Self { path, given: given.into(), device: metadata.dev(), inode: metadata.ino() })
    }

    /// Fails when the folder is not the one found any more: deleted, renamed, replaced, unmounted, or another mounted over it.
    pub(super) fn check(&self) -> io::Result<()> {
        let metadata = fs::metadata(&self.given)?;
        if (metadata.dev(), metadata.ino()) == (self.device, self.inode) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::NotFound, "another folder has taken its place"))
    }

    pub(super) fn is_empty(&self) -> io::Result<bool> {
        Ok(fs::read_dir(&self.path)?.next().is_none())
    }

    /// The part of an absolute path below the root that may be announced; `None` for others and for the root itself.
    pub(super) fn relative(&self, path: &Path) -> Option<PathBuf> {
        let relative = path.strip_prefix(&self.path).ok()?;
        let counts = !relative.as_os_str().is_empty() && !names::is_ignored_path(relative);
        counts.then(|| relative.to_path_buf())
    }

    pub(super) fn metadata(&self, relative: &Path) -> io::Result<Metadata> {
        fs::symlink_metadata(self.path.join(relative))
    }

    /// The first bytes of a file.
    pub(super) fn head(&self, relative: &Path) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        File::open(self.path.join(relative))?.take(HEAD_BYTES).read_to_end(&mut head)?;
        Ok(head)
    }

    /// Every file at or below a path, in no order, one at a time. Symbolic links are not followed and not listed.
    pub(super) fn walk(&self, relative: &Path) -> impl Iterator<Item = Found> + use<> {
        let root = self.path.clone();
        let top = if relative.as_os_str().is_empty() { root.clone() } else { root.join(relative) };
        let entries = WalkDir::new(top).follow_links(false).into_iter();
        let counted = entries.filter_entry(|entry| entry.depth() == 0 || !names::is_ignored(entry.file_name()));
        counted.filter_map(move |entry| found(&root, entry))
    }

    pub(super) fn presence(&self) -> PresenceCheck<'_> {
        PresenceCheck { root: self, real_folder: PathBuf::new() }
    }
}

fn found(root: &Path, entry: walkdir::Result<walkdir::DirEntry>) -> Option<Found> {
    let relative = |path: &Path| path.strip_prefix(root).unwrap_or(path).to_path_buf();
    let entry = match entry {
        Ok(entry) => entry,
        Err(error) => return unreadable(error.path().map(relative), error.io_error()),
    };
    if !entry.file_type().is_file() {
        return None;
    }
    match entry.metadata() {
        Ok(metadata) => Some(Found::File(relative(entry.path()), metadata)),
        Err(error) => unreadable(Some(relative(entry.path())), error.io_error()),
    }
}

/// What has vanished between listing and looking is not unreadable, only gone.
fn unreadable(path: Option<PathBuf>, error: Option<&io::Error>) -> Option<Found> {
    let gone = error.is_some_and(is_gone);
    (!gone).then(|| Found::Unreadable(path.unwrap_or_default()))
}

pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Asks for many paths, best in order: folders found real are not asked about again at once.
pub(super) struct PresenceCheck<'a> {
    root: &'a Root,
    real_folder: PathBuf,
}

impl PresenceCheck<'_> {
    /// Whether the path is a file that a walk would list: no ignored name and no symbolic link on the way.
    pub(super) fn of(&mut self, relative: &Path) -> Presence {
        if names::is_ignored_path(relative) {
            return Presence::Gone;
        }
        let folder = relative.parent().unwrap_or(Path::new(""));
        if folder != self.real_folder {
            match self.folder(folder) {
                Presence::There => self.real_folder = folder.to_path_buf(),
                other => return other,
            }
        }
        self.one(relative, Metadata::is_file)
    }

    fn folder(&self, folder: &Path) -> Presence {
        let mut path = PathBuf::new();
        for part in folder.iter().map(OsStr::new) {
            path.push(part);
            match self.one(&path, Metadata::is_dir) {
                Presence::There => {}
                other => return other,
            }
        }
        Presence::There
    }

    fn one(&self, relative: &Path, is_right: fn(&Metadata) -> bool) -> Presence {
        match self.root.metadata(relative) {
            Ok(metadata) if is_right(&metadata) => Presence::There,
            Ok(_) => Presence::Gone,
            Err(error) if is_gone(&error) => Presence::Gone,
            Err(_) => Presence::Unknown,
        }
    }
}
