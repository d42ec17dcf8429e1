//! Where keys come from: the settings, files, and a key set that is read again when it changes.

use std::{
    fs,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    thread,
    time::{Duration, Instant},
};

use parking_lot::RwLock;

use super::{
    der, jwks,
    keys::{Key, KeySet},
};
use crate::config::{Jwt, JwtKey};

/// The largest key file.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// How often a key set is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// When a key set that could not be used is read again although its file looks the same: the system's want of descriptors,
/// or a mode, is not seen by looking. Until then a key that was taken out still counts.
const RETRY: Duration = Duration::from_secs(5);
/// Reading by others than the owner, in a file's mode.
const READ_BY_OTHERS: u32 = 0o044;
/// Writing by others than the owner.
const WRITTEN_BY_OTHERS: u32 = 0o022;

/// A key that cannot be used; it names the setting, and shows nothing of the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct KeyError {
    /// The setting, such as `jwt.keys[0].secret_file`.
    key: String,
    /// What is wrong, with the file if it is one.
    reason: String,
}

/// Every key of the settings.
pub(super) fn keys(settings: &Jwt) -> Result<KeySet, KeyError> {
    if let Some(path) = &settings.jwks_file {
        let bytes = read(path).and_then(|file| read_set(&file));
        return bytes.map_err(|reason| refused("jwt.jwks_file".to_owned(), path, &reason));
    }
    let keys = settings.keys.iter().enumerate().map(|(index, key)| one(&format!("jwt.keys[{index}]"), key));
    keys.collect::<Result<_, _>>().map(KeySet)
}

fn one(name: &str, key: &JwtKey) -> Result<Key, KeyError> {
    let id = key.id.clone();
    if let Some(secret) = &key.secret {
        return Key::hmac(id, secret.expose().as_bytes()).map_err(|reason| KeyError { key: format!("{name}.secret"), reason });
    }
    if let Some(path) = &key.secret_file {
        let made = read(path).and_then(|file| {
            file.must_be_private()?;
            Key::hmac(id, without_line_break(&file.bytes))
        });
        return made.map_err(|reason| refused(format!("{name}.secret_file"), path, &reason));
    }
    let Some(path) = &key.public_key_file else {
        return Err(KeyError { key: name.to_owned(), reason: "has no key".to_owned() }); // settings do not let it come to that
    };
    let made = read(path).and_then(|file| {
        file.must_be_ours()?;
        let pem = std::str::from_utf8(&file.bytes).map_err(|_| "is no text".to_owned())?;
        der::public_key(id, pem, key.algorithm)
    });
    made.map_err(|reason| refused(format!("{name}.public_key_file"), path, &reason))
}

fn refused(key: String, path: &Path, reason: &str) -> KeyError {
    KeyError { key, reason: format!("{}: {reason}", path.display()) }
}

fn without_line_break(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// A key file as it was read.
struct KeyFile {
    bytes: Vec<u8>,
    mode: u32,
}

impl KeyFile {
    /// For secrets.
    fn must_be_private(&self) -> Result<(), String> {
        if self.mode & READ_BY_OTHERS != 0 {
            return Err(format!("can be read by others than its owner (mode {:03o}): chmod 600 is enough", self.mode & 0o777));
        }
        self.must_be_ours()
    }

    /// For public keys: who can write there can let himself in.
    fn must_be_ours(&self) -> Result<(), String> {
        if self.mode & WRITTEN_BY_OTHERS != 0 {
            return Err(format!("can be written by others than its owner (mode {:03o}): chmod 644 is enough", self.mode & 0o777));
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<KeyFile, String> {
    let cannot = |error: io::Error| format!("cannot be read: {}", error.kind());
    let file = fs::File::open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("is larger than {MAX_FILE_BYTES} bytes"));
    }
    Ok(KeyFile { bytes, mode: metadata.mode() })
}

fn read_set(file: &KeyFile) -> Result<KeySet, String> {
    let jwks = jwks::parse(&file.bytes)?;
    if jwks.holds_secrets { file.must_be_private() } else { file.must_be_ours() }?;
    tracing::info!(keys = jwks.keys.0.len(), skipped = jwks.n_skipped, "key set read");
    Ok(jwks.keys)
}

/// What tells one version of a file from the next.
pub(super) type Version = (u64, u64, i64, i64);

pub(super) fn version(path: &Path) -> Option<Version> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec()))
}

/// Reads the set again whenever its file changes, for as long as somebody uses the keys. A file that cannot be used leaves
/// the keys as they are. After each set that is read, `reloaded` is told.
///
/// `seen` is the version that is surely not newer than the keys: it was looked up before they were read.
pub(super) fn watch(
    path: PathBuf,
    seen: Option<Version>,
    keys: &Arc<RwLock<Arc<KeySet>>>,
    reloaded: impl Fn(&KeySet) + Send + 'static,
) -> Result<(), KeyError> {
    let (keys, shown) = (Arc::downgrade(keys), path.clone());
    let mut file = Watched { path, seen, failed: None };
    let look = move || {
        while let Some(keys) = Weak::upgrade(&keys) {
            if let Some(read) = file.look(Instant::now()).map(Arc::new) {
                *keys.write() = Arc::clone(&read);
                reloaded(&read);
            }
            drop(keys);
            thread::park_timeout(LOOK);
        }
    };
    let started = thread::Builder::new().name("key-set".to_owned()).spawn(look);
    started.map(drop).map_err(|error| refused("jwt.jwks_file".to_owned(), &shown, &format!("cannot be watched: {error}")))
}

/// The file of a key set, as it was last looked at.
struct Watched {
    path: PathBuf,
    seen: Option<Version>,
    /// When it last could not be used, and why.
    failed: Option<(Instant, String)>,
}

impl Watched {
    /// Reads the set if its file has changed, or could not be used a while ago.
    fn look(&mut self, now: Instant) -> Option<KeySet> {
        let version = version(&self.path);
        let changed = version != self.seen;
        let again = self.failed.as_ref().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= RETRY);
        if !changed && !again {
            return None;
        }
        self.seen = version;
        let before = self.failed.take();
        match read(&self.path).and_then(|file| read_set(&file)) {
            Ok(read) => Some(read),
            Err(reason) => {
                if changed || before.is_none_or(|(_, before)| before != reason) {
                    tracing::error!(path = %self.path.display(), reason, "the changed key set cannot be used; the keys stay as they were");
                }
                self.failed = Some((now, reason));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_set_that_could_not_be_read_for_a_passing_reason_is_read_again_without_a_change() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("jwks.json");
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("ours");
        fs::write(&path, r#"{"keys":[{"kty":"oct","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]}"#).expect("written");
        mode(0o644);
        let (mut file, began) = (Watched { path: path.clone(), seen: None, failed: None }, Instant::now());
        assert!(file.look(began).is_none(), "a secret that others can read");
        mode(0o600);
        assert_eq!(file.seen, version(&path), "it looks the same");
        assert!(file.look(began + LOOK).is_none());
        assert_eq!(file.look(began + RETRY).map(|set| set.0.len()), Some(1));
        assert!(file.look(began + 3 * RETRY).is_none(), "what was read is not read again");
    }
}
