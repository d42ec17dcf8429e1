//! What the watched folders are known to hold, remembered across restarts: one redb file for all libraries.
//!
//! It records only what the engine has accepted, so its content is what clients were told. Every commit is durable
//! (`Durability::Immediate`, one fsync): redb keeps a commit of the weaker kind in memory only and rolls it back when the
//! process is killed, which would announce again everything since the last durable one. One fsync per accepted message of up to
//! some hundred files is cheap beside reading those files.

use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase, Table, TableDefinition, WriteTransaction};

use super::{
    entry::{Entry, Facts},
    in_flight::InFlight,
    names,
};
use crate::{id::LibraryId, state::owners_file};

/// (library, path) → entry as JSON, so that a later version may add fields.
const ENTRIES: TableDefinition<'_, (&str, &[u8]), &[u8]> = TableDefinition::new("entries");
/// (library, media id) → path. Pages go by id: a rename then never moves a media from one page to another.
const IDS: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("ids");
/// (library, device, inode, path): finds a file again under another name. The path is in the key because of hard links.
const FILES: TableDefinition<'_, (&str, u64, u64, &[u8]), ()> = TableDefinition::new("files");
/// library → device number of its root at the last scan.
const DEVICES: TableDefinition<'_, &str, u64> = TableDefinition::new("devices");

/// redb's default is 1 GiB; a scan reads the store in order and needs little.
const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// The embedded store of every watched folder. Open it once per process.
#[derive(Debug)]
pub struct Store {
    database: Database,
    path: PathBuf,
    pub(super) in_flight: InFlight,
}

/// What went wrong with the store, and with which file.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened as a store.
    #[error("cannot open the media store {}: {reason}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What redb says: locked by another process, corrupted, not a redb file, no permission.
        reason: Box<redb::DatabaseError>,
    },
    /// Reading or writing failed.
    #[error("the media store {} failed: {reason}", path.display())]
    Use {
        /// The file.
        path: PathBuf,
        /// What redb says.
        reason: Box<redb::Error>,
    },
    /// An entry cannot be understood.
    #[error("the media store {} holds an entry that cannot be read: {reason}", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// Where it stops making sense.
        reason: serde_json::Error,
    },
}

/// One path's change: what is known of it from now on.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// The path that is known no longer: the deleted one, or the old name of a renamed file.
    pub(super) forget: Option<PathBuf>,
    /// The id of a deleted file.
    pub(super) deleted_id: Option<String>,
    /// The path and what is known of it now.
    pub(super) remember: Option<(PathBuf, Entry)>,
}

impl Store {
    /// Opens the store, or makes it; only its owner may read the file.
    ///
    /// # Errors
    /// [`StoreError`], naming the file, when it is open elsewhere, damaged, or cannot be read or written.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let open_error = |reason: redb::DatabaseError| StoreError::Open { path: path.into(), reason: Box::new(reason) };
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create_file(owners_file(path).map_err(|error| open_error(error.into()))?)
            .map_err(open_error)?;
        let store = Self { database, path: path.into(), in_flight: InFlight::default() };
        store.made(store.create_tables())?;
        Ok(store)
    }

    fn create_tables(&self) -> Result<(), redb::Error> {
        let write = self.database.begin_write()?;
        write.open_table(ENTRIES)?;
        write.open_table(IDS)?;
        write.open_table(FILES)?;
        write.open_table(DEVICES)?;
        Ok(write.commit()?)
    }

    /// What is known of a path.
    pub(super) fn entry(&self, library: &LibraryId, relative: &Path) -> Result<Option<Entry>, StoreError> {
        let bytes = self.made((|| {
            let entries = self.database.begin_read()?.open_table(ENTRIES)?;
            let found = entries.get((library.as_str(), names::key(relative)))?;
            Ok(found.map(|bytes| bytes.value().to_vec()))
        })())?;
        bytes.map(|bytes| self.decoded(&bytes)).transpose()
    }

    /// The path that has this id.
    pub(super) fn path_of(&self, library: &LibraryId, id: &str) -> Result<Option<PathBuf>, StoreError> {
        self.made((|| {
            let ids = self.database.begin_read()?.open_table(IDS)?;
            let found = ids.get((library.as_str(), id))?;
            Ok(found.map(|path| names::path(path.value()).to_path_buf()))
        })())
    }

    /// The paths under which this very file is known.
    pub(super) fn paths_of(&self, library: &LibraryId, facts: &Facts) -> Result<Vec<PathBuf>, StoreError> {
        self.made((|| {
            let files = self.database.begin_read()?.open_table(FILES)?;
            let first: (&str, u64, u64, &[u8]) = (library.as_str(), facts.device, facts.inode, b"");
            let mut paths = Vec::new();
            for row in files.range(first..)? {
                let (key, ()) = row.map(|(key, value)| (key, value.value()))?;
                let (of, device, inode, path) = key.value();
                if (of, device, inode) != (first.0, first.1, first.2) {
                    break;
                }
                paths.push(names::path(path).to_path_buf());
            }
            Ok(paths)
        })())
    }

    /// Up to `limit` known files in path order, after `after`, whose path begins with the bytes `prefix`.
    pub(super) fn run(
        &self,
        library: &LibraryId,
        prefix: &[u8],
        after: Option<&Path>,
        limit: usize,
    ) -> Result<Vec<(PathBuf, Entry)>, StoreError> {
        let rows = self.made((|| {
            use std::ops::Bound::{Excluded, Included, Unbounded};
            let entries = self.database.begin_read()?.open_table(ENTRIES)?;
            let first = match after {
                Some(after) => Excluded((library.as_str(), names::key(after))),
                None => Included((library.as_str(), prefix)),
            };
            let mut rows = Vec::new();
            for row in entries.range::<(&str, &[u8])>((first, Unbounded))?.take(limit) {
                let (key, value) = row?;
                let (of, path) = key.value();
                if of != library.as_str() || !path.starts_with(prefix) {
                    break;
                }
                rows.push((names::path(path).to_path_buf(), value.value().to_vec()));
            }
            Ok(rows)
        })())?;
        rows.into_iter().map(|(path, bytes)| Ok((path, self.decoded(&bytes)?))).collect()
    }

    /// Up to `limit` known files in the order of their ids, after the id `after`.
    pub(super) fn by_id(&self, library: &LibraryId, after: &str, limit: usize) -> Result<Vec<(PathBuf, Entry)>, StoreError> {
        let rows = self.made((|| {
            use std::ops::Bound::{Excluded, Unbounded};
            let read = self.database.begin_read()?;
            let (ids, entries) = (read.open_table(IDS)?, read.open_table(ENTRIES)?);
            let mut rows = Vec::new();
            for row in ids.range::<(&str, &str)>((Excluded((library.as_str(), after)), Unbounded))?.take(limit) {
                let (key, path) = row?;
                if key.value().0 != library.as_str() {
                    break;
                }
                if let Some(bytes) = entries.get((library.as_str(), path.value()))? {
                    rows.push((names::path(path.value()).to_path_buf(), bytes.value().to_vec()));
                }
            }
            Ok(rows)
        })())?;
        rows.into_iter().map(|(path, bytes)| Ok((path, self.decoded(&bytes)?))).collect()
    }

    /// How many files are known.
    pub(super) fn count(&self, library: &LibraryId) -> Result<u64, StoreError> {
        self.made((|| {
            let ids = self.database.begin_read()?.open_table(IDS)?;
            let mut count = 0;
            for row in ids.range::<(&str, &str)>((library.as_str(), "")..)? {
                if row?.0.value().0 != library.as_str() {
                    break;
                }
                count += 1;
            }
            Ok(count)
        })())
    }

    /// The device of the root at the last scan.
    pub(super) fn device(&self, library: &LibraryId) -> Result<Option<u64>, StoreError> {
        self.made((|| {
            let devices = self.database.begin_read()?.open_table(DEVICES)?;
            Ok(devices.get(library.as_str())?.map(|device| device.value()))
        })())
    }

    pub(super) fn set_device(&self, library: &LibraryId, device: u64) -> Result<(), StoreError> {
        self.made((|| {
            let write = self.database.begin_write()?;
            write.open_table(DEVICES)?.insert(library.as_str(), device)?;
            Ok(write.commit()?)
        })())
    }

    /// Records changes, durably and all or none.
    pub(super) fn commit(&self, library: &LibraryId, changes: &[Change]) -> Result<(), StoreError> {
        let write = self.made(self.database.begin_write().map_err(redb::Error::from))?;
        self.apply(&write, library, changes)?;
        self.made(write.commit().map_err(redb::Error::from))
    }

    fn apply(&self, write: &WriteTransaction, library: &LibraryId, changes: &[Change]) -> Result<(), StoreError> {
        let mut tables = self.made(Tables::open(write, library))?;
        for change in changes {
            let remembered = change.remember.as_ref().map(|(path, _)| path);
            for path in [change.forget.as_ref(), remembered].into_iter().flatten() {
                if let Some(bytes) = self.made(tables.remove_entry(path))? {
                    let entry = self.decoded(&bytes)?;
                    self.made(tables.remove_indexes(path, &entry))?;
                }
            }
            if let Some((path, entry)) = &change.remember {
                self.made(tables.insert(path, entry))?;
            }
        }
        Ok(())
    }

    fn decoded(&self, bytes: &[u8]) -> Result<Entry, StoreError> {
        serde_json::from_slice(bytes).map_err(|reason| StoreError::Entry { path: self.path.clone(), reason })
    }

    fn made<T>(&self, result: Result<T, redb::Error>) -> Result<T, StoreError> {
        result.map_err(|reason| StoreError::Use { path: self.path.clone(), reason: Box::new(reason) })
    }
}

/// The tables of one write, opened once for all its changes.
struct Tables<'a> {
    library: &'a str,
    entries: Table<'a, (&'static str, &'static [u8]), &'static [u8]>,
    ids: Table<'a, (&'static str, &'static str), &'static [u8]>,
    files: Table<'a, (&'static str, u64, u64, &'static [u8]), ()>,
}

impl<'a> Tables<'a> {
    fn open(write: &'a WriteTransaction, library: &'a LibraryId) -> Result<Self, redb::Error> {
        let (entries, ids, files) = (write.open_table(ENTRIES)?, write.open_table(IDS)?, write.open_table(FILES)?);
        Ok(Self { library: library.as_str(), entries, ids, files })
    }

    fn remove_entry(&mut self, path: &Path) -> Result<Option<Vec<u8>>, redb::Error> {
        let removed = self.entries.remove((self.library, names::key(path)))?;
        Ok(removed.map(|bytes| bytes.value().to_vec()))
    }

    fn remove_indexes(&mut self, path: &Path, entry: &Entry) -> Result<(), redb::Error> {
        self.ids.remove((self.library, entry.id.as_str()))?;
        self.files.remove((self.library, entry.facts.device, entry.facts.inode, names::key(path)))?;
        Ok(())
    }

    fn insert(&mut self, path: &Path, entry: &Entry) -> Result<(), redb::Error> {
        let (key, bytes) = (names::key(path), super::announce::json(entry));
        self.entries.insert((self.library, key), bytes.as_bytes())?;
        self.ids.insert((self.library, entry.id.as_str()), key)?;
        self.files.insert((self.library, entry.facts.device, entry.facts.inode, key), ())?;
        Ok(())
    }
}
