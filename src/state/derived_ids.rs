//! Which object a derived id stands for, so that an id a client sends back finds it (event map, section 2).
//!
//! The latest pairs of each dialect are kept in an embedded store, across restarts. Pairs are noted in memory and written
//! together, by whoever has time to wait for a disk: what a crash loses is derived again, to the same id, when the object is next shown.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::owners_file;

/// (dialect, derived id) → (place in the order of noting, the publisher's id).
const PAIRS: TableDefinition<'_, (&str, &str), (u64, &str)> = TableDefinition::new("pairs");
/// (dialect, place) → derived id; the smallest place is the oldest.
const ORDER: TableDefinition<'_, (&str, u64), &str> = TableDefinition::new("order");
/// dialect → how many pairs there are, and the next place.
const COUNTS: TableDefinition<'_, &str, (u64, u64)> = TableDefinition::new("counts");

/// Pairs each dialect keeps.
const PAIRS_PER_DIALECT: u64 = 1_000_000;
/// Pairs noted and not yet written; beyond that none are noted until they are.
pub(super) const NOTED: usize = 100_000;
/// redb's default is 1 GiB; look-ups are rare.
const CACHE_BYTES: usize = 4 << 20;

/// The store cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[error("the store of ids {path}: {reason}")]
pub struct DerivedIdsError {
    path: String,
    reason: redb::Error,
}

/// The remembered pairs of every dialect.
#[derive(Debug)]
pub struct DerivedIds {
    database: Database,
    path: PathBuf,
    pairs_per_dialect: u64,
    noted: Mutex<Noted>,
}

/// (dialect, derived id) → the publisher's id.
type Pairs = HashMap<(&'static str, String), String>;

/// Noted and not yet kept.
#[derive(Debug, Default)]
struct Noted {
    waiting: Pairs,
    /// Being written at this moment.
    writing: Arc<Pairs>,
}

impl DerivedIds {
    /// Opens the store, or makes it.
    ///
    /// # Errors
    /// [`DerivedIdsError`] names the file when it is open elsewhere, damaged, or cannot be used.
    pub fn open(path: &Path) -> Result<Self, DerivedIdsError> {
        Self::open_with(path, PAIRS_PER_DIALECT)
    }

    fn open_with(path: &Path, pairs_per_dialect: u64) -> Result<Self, DerivedIdsError> {
        let fail = |reason| DerivedIdsError { path: path.display().to_string(), reason };
        let database = owners_file(path)
            .map_err(redb::DatabaseError::from)
            .and_then(|file| Database::builder().set_cache_size(CACHE_BYTES).create_file(file))
            .map_err(|error| fail(error.into()))?;
        let ids = Self { database, path: path.into(), pairs_per_dialect, noted: Mutex::default() };
        ids.make_tables().map_err(fail)?;
        Ok(ids)
    }

    /// Notes what an id was derived from; `false` when there is no room for it until what was noted is written. Waits for no
    /// disk: [`DerivedIds::flush`] writes.
    #[must_use]
    pub fn note(&self, dialect: &'static str, derived: &str, id: &str) -> bool {
        let mut noted = self.noted.lock();
        let has_room = noted.waiting.len() < NOTED;
        if has_room {
            noted.waiting.insert((dialect, derived.to_owned()), id.to_owned());
        }
        has_room
    }

    /// Writes what was noted. One at a time: a second caller would not wait for what the first one writes.
    ///
    /// # Errors
    /// [`DerivedIdsError`] when it cannot be written; the pairs stay noted.
    pub fn flush(&self) -> Result<(), DerivedIdsError> {
        let writing = {
            let mut noted = self.noted.lock();
            if noted.waiting.is_empty() {
                return Ok(());
            }
            noted.writing = Arc::new(std::mem::take(&mut noted.waiting));
            Arc::clone(&noted.writing)
        };
        let written = self.write(&writing).map_err(|reason| self.fail(reason));
        let mut noted = self.noted.lock();
        noted.writing = Arc::default();
        if written.is_err() {
            for (key, id) in writing.iter() {
                noted.waiting.entry(key.clone()).or_insert_with(|| id.clone());
            }
        }
        written
    }

    /// The publisher's id behind a derived one, if it is among the latest.
    ///
    /// # Errors
    /// [`DerivedIdsError`] when the store cannot be read.
    pub fn find(&self, dialect: &'static str, derived: &str) -> Result<Option<String>, DerivedIdsError> {
        let key = (dialect, derived.to_owned());
        let noted = self.noted.lock();
        if let Some(id) = noted.waiting.get(&key).or_else(|| noted.writing.get(&key)) {
            return Ok(Some(id.clone()));
        }
        drop(noted);
        self.read(dialect, derived).map_err(|reason| self.fail(reason))
    }

    fn make_tables(&self) -> Result<(), redb::Error> {
        let write = self.database.begin_write()?;
        write.open_table(PAIRS)?;
        write.open_table(ORDER)?;
        write.open_table(COUNTS)?;
        Ok(write.commit()?)
    }

    fn read(&self, dialect: &str, derived: &str) -> Result<Option<String>, redb::Error> {
        let pairs = self.database.begin_read()?.open_table(PAIRS)?;
        Ok(pairs.get((dialect, derived))?.map(|pair| pair.value().1.to_owned()))
    }

    fn write(&self, noted: &Pairs) -> Result<(), redb::Error> {
        let write = self.database.begin_write()?;
        {
            let (mut pairs, mut order, mut counts) = (write.open_table(PAIRS)?, write.open_table(ORDER)?, write.open_table(COUNTS)?);
            for ((dialect, derived), id) in noted {
                let (mut n_pairs, place) = counts.get(dialect)?.map_or((0, 0), |count| count.value());
                // Seen again, it is the latest again.
                let before = pairs.insert((*dialect, derived.as_str()), (place, id.as_str()))?.map(|pair| pair.value().0);
                match before {
                    Some(before) => drop(order.remove((*dialect, before))?),
                    None => n_pairs += 1,
                }
                order.insert((*dialect, place), derived.as_str())?;
                if n_pairs > self.pairs_per_dialect {
                    let oldest =
                        order.range((*dialect, 0)..)?.next().transpose()?.map(|(at, derived)| (at.value().1, derived.value().to_owned()));
                    if let Some((at, derived)) = oldest {
                        order.remove((*dialect, at))?;
                        pairs.remove((*dialect, derived.as_str()))?;
                        n_pairs -= 1;
                    }
                }
                counts.insert(dialect, (n_pairs, place + 1))?;
            }
        }
        Ok(write.commit()?)
    }

    fn fail(&self, reason: redb::Error) -> DerivedIdsError {
        DerivedIdsError { path: self.path.display().to_string(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_id_finds_its_object_before_and_after_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ids.redb");
        let ids = DerivedIds::open(&path).expect("opens");
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).expect("made").permissions());
        assert_eq!(mode & 0o777, 0o600, "what a server's objects are called is nobody else's business");
        assert!(ids.note("plex", "77", "film:one"));
        assert_eq!(ids.find("plex", "77").expect("read").as_deref(), Some("film:one"));
        assert_eq!(ids.find("mediabrowser", "77").expect("read"), None);
        ids.flush().expect("written");
        drop(ids);
        let ids = DerivedIds::open(&path).expect("opens again");
        assert_eq!(ids.find("plex", "77").expect("read").as_deref(), Some("film:one"));
    }

    #[test]
    fn the_latest_pairs_of_each_dialect_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let ids = DerivedIds::open_with(&folder.path().join("ids.redb"), 2).expect("opens");
        for (derived, id) in [("1", "a"), ("2", "b"), ("1", "a"), ("3", "c")] {
            assert!(ids.note("plex", derived, id));
            ids.flush().expect("written");
        }
        assert!(ids.note("audiobookshelf", "1", "z"));
        ids.flush().expect("written");
        let kept: Vec<_> = ["1", "2", "3"].map(|derived| ids.find("plex", derived).expect("read")).into_iter().flatten().collect();
        assert_eq!(kept, ["a", "c"], "2 was the longest unseen");
        assert_eq!(ids.find("audiobookshelf", "1").expect("read").as_deref(), Some("z"));
    }

    #[test]
    fn a_damaged_store_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ids.redb");
        std::fs::write(&path, b"no store at all").expect("a file");
        let error = DerivedIds::open(&path).expect_err("damaged").to_string();
        assert!(error.contains("ids.redb"), "{error}");
    }
}
