//! Why the load tester could not do its work, as opposed to what it found out about a server.

use std::io;

/// A reason to stop, said in one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(String);

impl Failure {
    /// A failure in words.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// An input or output error and what it happened to.
    pub(crate) fn io(what: &str, error: impl Into<io::Error>) -> Self {
        Self(format!("{what}: {}", error.into()))
    }
}

impl From<crate::frame::TooSmall> for Failure {
    fn from(error: crate::frame::TooSmall) -> Self {
        Self(error.to_string())
    }
}

impl From<crate::spread::NoSpread> for Failure {
    fn from(error: crate::spread::NoSpread) -> Self {
        Self(error.to_string())
    }
}
