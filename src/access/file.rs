//! Small files of the data directory, written whole and atomically: a temporary file beside it, flushed to the disk, renamed
//! over it, the directory flushed. A crash leaves the old file or the new one. Only its owner can read it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use serde::{Serialize, de::DeserializeOwned};

use super::StoreError;

/// Reads a file; `None` when there is none. What cannot be read is told by its place, without content.
pub(super) fn load<T: DeserializeOwned>(directory: &Path, name: &str) -> Result<Option<T>, StoreError> {
    let path = directory.join(name);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StoreError::Io { path, action: "read", source }),
    };
    match serde_json::from_slice(&bytes) {
        Ok(document) => Ok(Some(document)),
        Err(error) => Err(StoreError::Damaged { path, reason: format!("line {}, column {}", error.line(), error.column()) }),
    }
}

/// Whether others than its owner can read a file.
pub(super) fn others_may_read(directory: &Path, name: &str) -> bool {
    fs::metadata(directory.join(name)).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
}

/// Puts a file in the place of the one of that name. The directory is made where it is missing. On an error the old file is
/// still there, or, when only the last flush of the directory failed, the new one whole.
pub(super) fn replace(directory: &Path, name: &str, document: &impl Serialize) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let temporary = directory.join(format!("{name}.new"));
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut text = serde_json::to_vec_pretty(document)?;
    text.push(b'\n');
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&temporary, directory.join(name))?;
    File::open(directory)?.sync_all()
}
