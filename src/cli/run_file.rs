//! The run file: address and token of the running server, for `publish` and `tail` on the same machine.
//!
//! It holds a token, so only its owner may read it: it is written with mode 0600, and one that others can read is
//! refused instead of trusted.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// The run file's name in the data directory.
pub const RUN_FILE_NAME: &str = "run.json";

/// A run file is two short strings; more than this is something else.
const MAX_RUN_FILE_BYTES: u64 = 64 * 1024;

/// Where the running server is, and the token it made for its owner.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFile {
    /// The base address, for example `http://127.0.0.1:8400`.
    pub url: String,
    /// The address of metrics and health.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_url: Option<String>,
    /// The file of the server's certificate when it speaks TLS: the one the clients of this machine trust it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// A token of an administrator, valid while this server runs.
    pub token: String,
}

impl fmt::Debug for RunFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token stays out of logs and panics.
        f.debug_struct("RunFile").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Why a run file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunFileError {
    /// The file cannot be read, written or replaced.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or directory in question.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others than the owner have rights to the file.
    #[error("{path}: mode is {mode:03o}, others can read its token; allowed is 600 (remove the file and restart the server)", path = path.display())]
    ReadableByOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is no run file.
    #[error("{path}: is not a run file, a JSON object with `url` and `token`", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

/// The data directory when nobody names one: `$XDG_STATE_HOME/fanfare`, else `~/.local/state/fanfare`.
///
/// `None` when neither variable is set to an absolute path (the XDG rule: relative ones are ignored).
#[must_use]
pub fn default_data_dir() -> Option<PathBuf> {
    data_dir_from(std::env::var_os("XDG_STATE_HOME").map(PathBuf::from), std::env::var_os("HOME").map(PathBuf::from))
}

fn data_dir_from(state_home: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let state_home = state_home.filter(|path| path.is_absolute());
    let home = home.filter(|path| path.is_absolute());
    Some(state_home.or_else(|| Some(home?.join(".local/state")))?.join("fanfare"))
}

/// Reads the run file of a data directory; `None` when there is none, that is, when no server runs there.
///
/// # Errors
/// When it cannot be read, is no run file, or others can read it too.
pub fn read(data_dir: &Path) -> Result<Option<RunFile>, RunFileError> {
    let path = data_dir.join(RUN_FILE_NAME);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(RunFileError::Io { path, source }),
    };
    // The mode of the opened file, not of the path: the path could be exchanged in between.
    let mode = match file.metadata() {
        Ok(metadata) => metadata.permissions().mode() & 0o777,
        Err(source) => return Err(RunFileError::Io { path, source }),
    };
    if mode & 0o077 != 0 {
        return Err(RunFileError::ReadableByOthers { path, mode });
    }
    let mut text = String::new();
    match file.take(MAX_RUN_FILE_BYTES).read_to_string(&mut text) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(RunFileError::Malformed { path }),
        Err(source) => return Err(RunFileError::Io { path, source }),
    }
    serde_json::from_str(&text).map(Some).map_err(|_| RunFileError::Malformed { path })
}

/// Writes the run file, readable by the owner only, in one step: a reader sees the old file or the new one, whole.
///
/// The returned guard removes the file when dropped, unless another server has replaced it by then.
///
/// # Errors
/// When the data directory cannot be made or written to.
pub fn write(data_dir: &Path, run_file: &RunFile) -> Result<RunFileGuard, RunFileError> {
    let path = data_dir.join(RUN_FILE_NAME);
    let temporary = data_dir.join(format!("{RUN_FILE_NAME}.{}.tmp", std::process::id()));
    let in_file = |path: &Path| {
        let path = path.to_owned();
        move |source| RunFileError::Io { path, source }
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(in_file(data_dir))?;
    write_temporary(&temporary, run_file).map_err(in_file(&temporary))?;
    if let Err(source) = fs::rename(&temporary, &path) {
        remove_if_there(&temporary).map_err(in_file(&temporary))?;
        return Err(RunFileError::Io { path, source });
    }
    Ok(RunFileGuard { data_dir: data_dir.to_owned(), written: run_file.clone() })
}

fn write_temporary(temporary: &Path, run_file: &RunFile) -> io::Result<()> {
    // What a crashed process of the same id left behind may have another mode, so it is never written into.
    remove_if_there(temporary)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(temporary)?;
    file.write_all(&serde_json::to_vec(run_file)?)?;
    file.sync_all()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Keeps the run file in place while the server runs.
#[derive(Debug)]
#[must_use = "the run file is removed when this is dropped"]
pub struct RunFileGuard {
    data_dir: PathBuf,
    written: RunFile,
}

impl Drop for RunFileGuard {
    fn drop(&mut self) {
        if matches!(read(&self.data_dir), Ok(Some(current)) if current == self.written) {
            // A file that stays behind only names a server that is gone, which its readers notice themselves.
            _ = remove_if_there(&self.data_dir.join(RUN_FILE_NAME));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(token: &str) -> RunFile {
        RunFile { url: "http://127.0.0.1:8400".into(), metrics_url: None, certificate: None, token: token.into() }
    }

    #[test]
    fn what_was_written_is_read_by_the_owner_and_gone_with_the_guard() {
        let dir = tempfile::tempdir().expect("dir");
        let data_dir = dir.path().join("deeper/fanfare");
        assert!(read(&data_dir).expect("no server").is_none());
        let guard = write(&data_dir, &sample("secret")).expect("writes");
        let mode = fs::metadata(data_dir.join(RUN_FILE_NAME)).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        assert_eq!(read(&data_dir).expect("reads"), Some(sample("secret")));
        assert_eq!(fs::read_dir(&data_dir).expect("lists").count(), 1, "no temporary file stays");
        drop(guard);
        assert!(read(&data_dir).expect("reads").is_none());
    }

    #[test]
    fn a_guard_leaves_the_run_file_of_a_later_server_alone() {
        let dir = tempfile::tempdir().expect("dir");
        let first = write(dir.path(), &sample("first")).expect("writes");
        let _second = write(dir.path(), &sample("second")).expect("replaces");
        drop(first);
        assert_eq!(read(dir.path()).expect("reads"), Some(sample("second")));
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_without_telling_the_token() {
        let dir = tempfile::tempdir().expect("dir");
        let _guard = write(dir.path(), &sample("secret")).expect("writes");
        fs::set_permissions(dir.path().join(RUN_FILE_NAME), fs::Permissions::from_mode(0o640)).expect("chmod");
        let message = read(dir.path()).expect_err("refused").to_string();
        assert!(message.contains("mode is 640") && message.contains("allowed is 600"), "{message}");
        assert!(!message.contains("secret") && !format!("{:?}", sample("secret")).contains("secret"));
    }

    #[test]
    fn a_file_of_another_kind_is_named() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join(RUN_FILE_NAME);
        fs::write(&path, b"\xff{}").expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        assert!(matches!(read(dir.path()), Err(RunFileError::Malformed { .. })));
    }

    #[test]
    fn the_default_data_directory_follows_the_xdg_rule() {
        let from = |state: Option<&str>, home: Option<&str>| data_dir_from(state.map(Into::into), home.map(Into::into));
        assert_eq!(from(Some("/s"), Some("/h")), Some("/s/fanfare".into()));
        assert_eq!(from(Some("relative"), Some("/h")), Some("/h/.local/state/fanfare".into()));
        assert_eq!(from(None, Some("/h")), Some("/h/.local/state/fanfare".into()));
        assert_eq!(from(None, None), None);
    }
}
