//! `[tls]`: the certificate of the main listener. What is in the files is looked at by whoever serves with them, at start and
//! whenever they change.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::Invalid;

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
        match (&self.cert, &self.key) {
            (Some(_), None) => Err(Invalid::new("tls.cert", "tls.key must be set too")),
            (None, Some(_)) => Err(Invalid::new("tls.key", "tls.cert must be set too")),
            _ => Ok(()),
        }
    }
}
