//! The files of embedded stores, which are nobody's business but their owner's. Knows nothing of what they hold.

use std::{
    fs::{File, OpenOptions, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// Opens a store's file, or makes it, for its owner only: names of files and ids may be nobody else's business. A file made
/// with other rights, or copied, is put right where the file system can.
///
/// # Errors
/// The file can be neither opened nor made.
pub fn owners_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0
        && let Err(error) = file.set_permissions(Permissions::from_mode(0o600))
    {
        tracing::warn!(file = %path.display(), %error, "the store cannot be made its owner's only");
    }
    Ok(file)
}
