//! `[tls]`: the certificate of the main listener.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::error::Invalid;

/// What a key file's group may not do (write), and others may not do at all. That a group may read it is how several
/// distributions give keys to servers.
const FORBIDDEN_MODE: u32 = 0o027;

/// `[tls]`: the certificate of the main listener. Set both or none; with them the main listener speaks TLS only. The
/// metrics listener stays plain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The file of the certificate and its chain, in PEM. Default none. Read again when it changes.
    pub cert: Option<PathBuf>,
    /// The file of the certificate's private key, in PEM. Default none. Read again when it changes. One that others can
    /// read is refused, as is one its group can write.
    pub key: Option<PathBuf>,
}

impl Tls {
    /// The certificate's and the key's file, when they are set.
    #[must_use]
    pub fn pair(&self) -> Option<(&Path, &Path)> {
        self.cert.as_deref().zip(self.key.as_deref())
    }

    pub(super) fn check(&self) -> Result<(), Invalid> {
        let (cert, key) = match (&self.cert, &self.key) {
            (None, None) => return Ok(()),
            (Some(cert), Some(key)) => (cert, key),
            (Some(_), None) => return Err(Invalid::new("tls.cert", "tls.key must be set too")),
            (None, Some(_)) => return Err(Invalid::new("tls.key", "tls.cert must be set too")),
        };
        mode_of("tls.cert", cert)?;
        let mode = mode_of("tls.key", key)?;
        if mode & FORBIDDEN_MODE != 0 {
            let reason = format!("the file's mode is {mode:03o}: others must not read it, nor its group write it; 600 is enough");
            return Err(Invalid::new("tls.key", reason));
        }
        Ok(())
    }
}

fn mode_of(key: &str, path: &Path) -> Result<u32, Invalid> {
    let file = std::fs::metadata(path).map_err(|error| Invalid::new(key, format!("the file cannot be read: {}", error.kind())))?;
    if !file.is_file() {
        return Err(Invalid::new(key, "must be a file"));
    }
    Ok(file.permissions().mode() & 0o777)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn both_files_or_none_and_a_key_for_its_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        fs::write(&cert, "").expect("writes");
        fs::write(&key, "").expect("writes");
        let refused = |cert: Option<&PathBuf>, key: Option<&PathBuf>| {
            let tls = Tls { cert: cert.cloned(), key: key.cloned() };
            tls.check().err().map(|invalid| (invalid.key, invalid.reason))
        };
        assert_eq!(refused(None, None), None);
        assert_eq!(refused(Some(&cert), None).map(|(key, _)| key).as_deref(), Some("tls.cert"));
        assert_eq!(refused(None, Some(&key)).map(|(key, _)| key).as_deref(), Some("tls.key"));
        for (mode, allowed) in [(0o600, true), (0o400, true), (0o640, true), (0o660, false), (0o644, false), (0o604, false), (0o602, false)]
        {
            fs::set_permissions(&key, Permissions::from_mode(mode)).expect("chmod");
            let said = refused(Some(&cert), Some(&key));
            assert_eq!(said.is_none(), allowed, "{mode:o}: {said:?}");
            assert!(said.is_none_or(|(key, reason)| key == "tls.key" && reason.contains(&format!("{mode:o}"))));
        }
        let (key_named, reason) = refused(Some(&cert), Some(&folder.path().join("none"))).expect("refused");
        assert!(key_named == "tls.key" && reason.contains("not found"), "{reason}");
    }
}
