//! What the server says about itself: its state, and its log.

use super::{
    Rule,
    body::{Abridgement, Body},
    field::{FieldError, Source, one_of, pick},
    json::{Text, Value},
};

/// What becomes of the media server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServerState {
    /// It wants to be restarted.
    RestartRequired,
    /// It restarts.
    Restarting,
    /// It goes.
    ShuttingDown,
    /// An update is there, or its state changed; for server admins.
    Update,
}

impl ServerState {
    const WORDS: [(&'static str, Self); 4] = [
        ("restart-required", Self::RestartRequired),
        ("restarting", Self::Restarting),
        ("shutting-down", Self::ShuttingDown),
        ("update", Self::Update),
    ];
}

/// `server`: `{state, …}`. Everybody sees it; `update` only server admins.
#[derive(Debug, Clone)]
pub struct Server {
    /// What becomes of the server.
    pub state: ServerState,
    pub(super) body: Body,
}

impl Server {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [state] = pick(value, ["state"])?;
        Ok(Self { state: one_of(state, "state", &ServerState::WORDS)?, body: Body::read(source, value, Abridgement::Secrets)? })
    }

    pub(super) fn rule(&self) -> Rule {
        if self.state == ServerState::Update { Rule::Admins } else { Rule::Everyone }
    }
}

/// How grave a log line is, gravest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Every step.
    Trace,
    /// For whoever looks for a fault.
    Debug,
    /// What goes on.
    Info,
    /// Something odd.
    Warn,
    /// Something failed.
    Error,
    /// Nothing goes any more.
    Fatal,
}

impl LogLevel {
    const WORDS: [(&'static str, Self); 6] = [
        ("trace", Self::Trace),
        ("debug", Self::Debug),
        ("info", Self::Info),
        ("warn", Self::Warn),
        ("error", Self::Error),
        ("fatal", Self::Fatal),
    ];
}

/// `log`: `{level, message, source?, timestamp?}`, for server admins.
#[derive(Debug, Clone)]
pub struct Log {
    /// How grave.
    pub level: LogLevel,
    /// The line.
    pub message: Text,
    /// Which part of the media server wrote it.
    pub source: Option<Text>,
    /// When: milliseconds since the epoch or RFC 3339, as JSON text.
    pub timestamp: Option<Text>,
    pub(super) body: Body,
}

impl Log {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [level, message, origin, timestamp] = pick(value, ["level", "message", "source", "timestamp"])?;
        Ok(Self {
            level: one_of(level, "level", &LogLevel::WORDS)?,
            message: source.string(message, "message")?,
            source: source.optional_string(origin, "source")?,
            timestamp: timestamp.map(|timestamp| source.piece(timestamp)),
            body: Body::read(source, value, Abridgement::Secrets)?,
        })
    }
}
