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
        let error = error.into();
        // What the kernel calls a resource that is unavailable is a socket's time that is over.
        if error.kind() == io::ErrorKind::WouldBlock {
            return Self(format!("{what}: nothing came or went in time"));
        }
        Self(format!("{what}: {error}"))
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
