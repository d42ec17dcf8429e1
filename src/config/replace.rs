//! Puts a new text in the place of a file, in one step: a reader, or a start after a crash, sees the old text or the new
//! one, whole. Knows nothing of what the text says.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

/// The mode of a new file: settings hold secrets.
const NEW_FILE_MODE: u32 = 0o600;

/// Reads the file (an empty text when there is none), makes a new text of it, and puts that in its place. Others that
/// call this for files of the same directory wait meanwhile, so that no change is lost.
///
/// Mode, owner and group stay as they are; a new file is for its owner only. Of a symbolic link the file it leads to is
/// replaced.
///
/// # Errors
/// What `edit` says, or why the file cannot be read, kept as it is, or replaced.
pub(super) fn replace<T, E: From<io::Error>>(path: &Path, edit: impl FnOnce(&str) -> Result<(String, T), E>) -> Result<T, E> {
    let path = &followed(path)?;
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let lock = File::open(directory)?;
    lock.lock()?;
    let (old, text) = match File::open(path) {
        Ok(file) => (Some(file.metadata()?), io::read_to_string(file)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (None, String::new()),
        Err(error) => return Err(error.into()),
    };
    let (text, outcome) = edit(&text)?;
    let temporary = directory.join(format!(".fanfare.{}.tmp", std::process::id()));
    if let Err(error) = write(&temporary, &text, old.as_ref()).and_then(|()| fs::rename(&temporary, path)) {
        // What cannot be removed either is named by the error's own cause.
        let _ = fs::remove_file(&temporary);
        return Err(error.into());
    }
    lock.sync_all()?;
    Ok(outcome)
}

/// The file itself, where the path is a link; a link that leads nowhere is an error, not a new file.
fn followed(path: &Path) -> io::Result<PathBuf> {
    match fs::symlink_metadata(path) {
        Ok(_) => fs::canonicalize(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(error),
    }
}

fn write(temporary: &Path, text: &str, old: Option<&fs::Metadata>) -> io::Result<()> {
    match fs::remove_file(temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(NEW_FILE_MODE).open(temporary)?;
    if let Some(old) = old {
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (old.uid(), old.gid()) {
            fchown(&file, Some(old.uid()), Some(old.gid()))
                .map_err(|error| io::Error::new(error.kind(), "its owner and group cannot be kept: run this as its owner or as root"))?;
        }
        // After the owner: a mode given to the wrong group would let it read.
        file.set_permissions(Permissions::from_mode(old.mode() & 0o7777))?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").permissions().mode() & 0o777
    }

    fn append(path: &Path, more: &str) -> io::Result<()> {
        replace(path, |text| Ok((format!("{text}{more}"), ())))
    }

    #[test]
    fn a_new_file_is_for_its_owner_and_an_old_one_keeps_its_mode() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("below/fanfare.toml");
        append(&path, "a").expect("written");
        assert_eq!((mode(&path), mode(path.parent().expect("below"))), (0o600, 0o700));
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("ours");
        append(&path, "b").expect("written");
        assert_eq!((mode(&path), fs::read_to_string(&path).expect("text").as_str()), (0o640, "ab"));
        assert_eq!(fs::read_dir(folder.path().join("below")).expect("folder").count(), 1, "nothing is left behind");
    }

    #[test]
    fn a_refused_edit_changes_nothing_and_a_link_stays_a_link() {
        let folder = tempfile::tempdir().expect("folder");
        let (path, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&path, "old").expect("written");
        let refused: io::Result<()> = replace(&path, |_| Err(io::Error::other("no")));
        assert_eq!(refused.expect_err("refused").to_string(), "no");
        std::os::unix::fs::symlink(&path, &link).expect("linked");
        append(&link, "+new").expect("written");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        assert_eq!(fs::read_to_string(&path).expect("text"), "old+new");
    }

    #[test]
    fn changes_at_the_same_time_are_all_kept() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("file");
        // In one process the temporary file has one name, so this also shows that one waits for the other.
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| append(&path, "x").expect("written"));
            }
        });
        assert_eq!(fs::read_to_string(&path).expect("text"), "xxxxxxxx");
    }
}
