//! Names of files: which are ignored, and the id a path gets at first sight. It touches no disk.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Component, Path},
};

use sha2::{Digest, Sha256};

use crate::id::LibraryId;

const TEMPORARY_EXTENSIONS: [&str; 7] = ["part", "partial", "tmp", "temp", "crdownload", "download", "swp"];

/// Whether a file or folder of this name is none of our business: hidden, or a temporary name of a program that is still writing.
pub(super) fn is_ignored(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    if bytes.starts_with(b".") || bytes.ends_with(b"~") {
        return true;
    }
    let extension = Path::new(name).extension().and_then(OsStr::to_str);
    extension.is_some_and(|extension| TEMPORARY_EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension)))
}

/// Whether any part of a path relative to the root is ignored, or is no plain name.
pub(super) fn is_ignored_path(relative: &Path) -> bool {
    relative.components().any(|component| match component {
        Component::Normal(name) => is_ignored(name),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => true,
    })
}

/// The key of a relative path in the store: its raw bytes, so that names that are not UTF-8 stay distinct.
pub(super) fn key(relative: &Path) -> &[u8] {
    relative.as_os_str().as_bytes()
}

/// The relative path of a key.
pub(super) fn path(key: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(key))
}

/// The id of a path at first sight: 32 hex digits of SHA-256 over library and raw path.
///
/// `attempt` makes another one, for a path whose first id went elsewhere with a renamed file.
pub(super) fn derived_id(library: &LibraryId, relative: &Path, attempt: u32) -> String {
    let mut hash = Sha256::new();
    hash.update(library.as_str().as_bytes());
    hash.update([0]);
    hash.update(key(relative));
    if attempt > 0 {
        hash.update([0]);
        hash.update(attempt.to_be_bytes());
    }
    hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_and_temporary_names_are_ignored_wherever_they_stand() {
        for name in [".hidden", "a.PART", "a.crdownload", "a.txt~", "x.tmp"] {
            assert!(is_ignored(OsStr::new(name)), "{name}");
        }
        for name in ["a.jpg", "part", "tmp", "a.part.mkv"] {
            assert!(!is_ignored(OsStr::new(name)), "{name}");
        }
        assert!(is_ignored_path(Path::new("a/.git/b.jpg")));
        assert!(is_ignored_path(Path::new("../b.jpg")));
        assert!(!is_ignored_path(Path::new("a/b.jpg")));
    }

    #[test]
    fn ids_differ_by_library_path_and_attempt_and_never_by_run() {
        let films = LibraryId::parse("films").unwrap();
        let music = LibraryId::parse("music").unwrap();
        let path = Path::new("a.mkv");
        assert_eq!(derived_id(&films, path, 0).len(), 32);
        assert_eq!(derived_id(&films, path, 0), derived_id(&films, path, 0));
        assert_ne!(derived_id(&films, path, 0), derived_id(&music, path, 0));
        assert_ne!(derived_id(&films, path, 0), derived_id(&films, path, 1));
    }
}
