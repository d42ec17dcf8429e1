//! `principals.json` in the data directory: what was changed about users while the server ran.
//!
//! Written whole and atomically, so a crash leaves the old file or the new one. Only its owner can read it. Knows nothing of
//! the settings file.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::file;
use crate::{clock::Timestamp, config::LibraryRights, id::UserId};

const FILE_NAME: &str = "principals.json";
const VERSION: u32 = 1;

/// Why changed principals cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file or its directory cannot be read or written.
    #[error("{}: cannot be {action}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What failed: `read` or `written`.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The file is there but is not what we wrote. Nothing is overwritten: it may hold revocations.
    #[error("{}: is damaged ({reason}); put it right, or move it away to start without the changes it holds", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where reading failed, without content.
        reason: String,
    },
}

/// Where changed principals are kept.
#[derive(Debug)]
pub struct PrincipalStore {
    directory: Option<PathBuf>,
}

/// What was changed about one user; it wins over the settings file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Changed {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) admin: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) libraries: Option<LibraryRights>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) disabled: Option<bool>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) deleted: bool,
    /// SHA-256 of the tokens that are refused, in hexadecimal.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) revoked: BTreeSet<String>,
    /// When the user's tokens were last revoked: signed tokens issued until then are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) revoked_at: Option<Timestamp>,
}

pub(super) type ChangedUsers = BTreeMap<UserId, Changed>;

impl PrincipalStore {
    /// A store in this directory, which is made when something is first kept.
    #[must_use]
    pub fn in_directory(data_dir: &Path) -> Self {
        Self { directory: Some(data_dir.to_owned()) }
    }

    /// A store that keeps nothing beyond the process, for tests and benches.
    #[must_use]
    pub fn in_memory() -> Self {
        Self { directory: None }
    }

    /// What was kept; nothing when there is no file. A temporary file left by a crash is ignored.
    pub(super) fn load(&self) -> Result<ChangedUsers, StoreError> {
        let Some(directory) = &self.directory else { return Ok(ChangedUsers::new()) };
        let path = directory.join(FILE_NAME);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ChangedUsers::new()),
            Err(source) => return Err(StoreError::Io { path, action: "read", source }),
        };
        parse(&bytes).map_err(|reason| StoreError::Damaged { path, reason })
    }

    /// Keeps all changes. When this returns, a crash no longer loses them. On an error the old file is still there, or, when
    /// only the last flush of the directory failed, the new one whole.
    pub(super) fn save(&self, users: &ChangedUsers) -> Result<(), StoreError> {
        let Some(directory) = &self.directory else { return Ok(()) };
        let path = directory.join(FILE_NAME);
        let document = DocumentRef { version: VERSION, users };
        file::replace(directory, FILE_NAME, &document).map_err(|source| StoreError::Io { path, action: "written", source })
    }

    /// The directory, for what is kept beside these.
    pub(super) fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    users: ChangedUsers,
}

#[derive(Serialize)]
struct DocumentRef<'a> {
    version: u32,
    users: &'a ChangedUsers,
}

fn parse(bytes: &[u8]) -> Result<ChangedUsers, String> {
    let document: Document = serde_json::from_slice(bytes).map_err(|error| format!("line {}, column {}", error.line(), error.column()))?;
    if document.version != VERSION {
        return Err(format!("version {}, this program knows {VERSION}", document.version));
    }
    let hashes = document.users.values().flat_map(|changed| &changed.revoked);
    if hashes.into_iter().any(|hash| super::TokenHash::from_hex(hash).is_none()) {
        return Err("a revoked token is not a SHA-256".to_owned());
    }
    Ok(document.users)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const TEMPORARY_NAME: &str = "principals.json.new";

    fn sample() -> ChangedUsers {
        let changed = Changed {
            admin: Some(true),
            libraries: Some(LibraryRights::Every(crate::event::Level::Write)),
            revoked: BTreeSet::from([super::super::TokenHash::of("x").to_hex()]),
            ..Changed::default()
        };
        let deleted = Changed { deleted: true, ..Changed::default() };
        BTreeMap::from([(UserId::parse("bob").expect("id"), changed), (UserId::parse("eve").expect("id"), deleted)])
    }

    #[test]
    fn what_is_kept_is_read_again_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().expect("folder");
        let data_dir = folder.path().join("made/when/needed");
        let store = PrincipalStore::in_directory(&data_dir);
        assert_eq!(store.load().expect("no file is no change"), ChangedUsers::new());
        assert!(!data_dir.exists(), "reading makes nothing");
        store.save(&sample()).expect("saved");
        store.save(&sample()).expect("saved over");
        assert_eq!(store.load().expect("read"), sample());
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&data_dir.join(FILE_NAME)), 0o600);
        assert_eq!(mode(&data_dir), 0o700);
    }

    #[test]
    fn a_half_written_temporary_file_is_ignored_and_replaced() {
        let folder = tempfile::tempdir().expect("folder");
        let store = PrincipalStore::in_directory(folder.path());
        store.save(&sample()).expect("saved");
        let temporary = folder.path().join(TEMPORARY_NAME);
        fs::write(&temporary, b"{\"version\":1,\"us").expect("written");
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o644)).expect("mode");
        assert_eq!(store.load().expect("read"), sample());
        store.save(&ChangedUsers::new()).expect("saved");
        assert_eq!(store.load().expect("read"), ChangedUsers::new());
        assert!(!temporary.exists());
        assert_eq!(fs::metadata(folder.path().join(FILE_NAME)).expect("there").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_named_and_left_alone() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join(FILE_NAME);
        for damaged in ["", "{", "{\"version\":2,\"users\":{}}", "{\"version\":1,\"users\":{\"bob\":{\"revoked\":[\"abc\"]}}}"] {
            fs::write(&path, damaged).expect("written");
            let error = PrincipalStore::in_directory(folder.path()).load().expect_err("damaged").to_string();
            assert!(error.starts_with(&format!("{}: is damaged (", path.display())), "{error}");
            assert_eq!(error.lines().count(), 1);
            assert_eq!(fs::read_to_string(&path).expect("there"), damaged);
        }
    }

    #[test]
    fn a_failed_save_leaves_the_old_file() {
        let folder = tempfile::tempdir().expect("folder");
        let store = PrincipalStore::in_directory(folder.path());
        store.save(&sample()).expect("saved");
        // A directory in the temporary file's place cannot be removed as a file.
        fs::create_dir(folder.path().join(TEMPORARY_NAME)).expect("made");
        let error = store.save(&ChangedUsers::new()).expect_err("in the way").to_string();
        assert!(error.contains("principals.json: cannot be written"), "{error}");
        assert_eq!(store.load().expect("read"), sample());
    }
}
