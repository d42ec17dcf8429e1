//! What tells this server from any other: 40 hexadecimal digits, made once and kept in the data directory.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// The file in the data directory.
const FILE: &str = "server-id";
/// Digits of an id.
const DIGITS: usize = 40;

/// The id cannot be read or made.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct ServerIdError {
    path: String,
    reason: Reason,
}

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("holds no id of 40 hexadecimal digits; without the file a new one is made, and clients take this for another server")]
    NoId,
    #[error("the system gives no random bytes")]
    Randomness,
}

/// The id kept in this directory; the first start makes it.
pub(super) fn read_or_make(data_dir: &Path) -> Result<String, ServerIdError> {
    let path = data_dir.join(FILE);
    let result = match std::fs::read_to_string(&path) {
        Ok(text) => checked(text.trim_end()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(&path),
        Err(error) => Err(error.into()),
    };
    result.map_err(|reason| ServerIdError { path: path.display().to_string(), reason })
}

fn checked(text: &str) -> Result<String, Reason> {
    let is_id = text.len() == DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_id { Ok(text.to_owned()) } else { Err(Reason::NoId) }
}

fn make(path: &Path) -> Result<String, Reason> {
    let mut random = [0; DIGITS / 2];
    getrandom::fill(&mut random).map_err(|_| Reason::Randomness)?;
    let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{id}")?;
    file.sync_all()?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_made_once_and_read_ever_after() {
        let folder = tempfile::tempdir().expect("a folder");
        let id = read_or_make(folder.path()).expect("made");
        assert_eq!(checked(&id).expect("an id"), id);
        assert_eq!(read_or_make(folder.path()).expect("read"), id);
        let other = tempfile::tempdir().expect("a folder");
        assert_ne!(read_or_make(other.path()).expect("made"), id);
    }

    #[test]
    fn a_file_without_an_id_is_named_and_not_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        std::fs::write(&path, "my server\n").expect("written");
        let refused = read_or_make(folder.path()).expect_err("no id").to_string();
        assert!(refused.contains("server-id: holds no id"), "{refused}");
        assert_eq!(std::fs::read_to_string(&path).expect("kept"), "my server\n");
    }
}
