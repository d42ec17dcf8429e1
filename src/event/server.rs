//! What the server says about itself: its state, its log, and how it does.

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

/// How far an update of the media server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UpdateState {
    /// There is one.
    Available,
    /// It is being fetched.
    Downloading,
    /// It is here.
    Downloaded,
    /// It is being put in place.
    Installing,
    /// It will be put in place tonight.
    Tonight,
    /// It is passed over.
    Skipped,
    /// It failed.
    Error,
    /// People are told of it.
    Notify,
    /// It is in place.
    Done,
}

impl UpdateState {
    const WORDS: [(&'static str, Self); 9] = [
        ("available", Self::Available),
        ("downloading", Self::Downloading),
        ("downloaded", Self::Downloaded),
        ("installing", Self::Installing),
        ("tonight", Self::Tonight),
        ("skipped", Self::Skipped),
        ("error", Self::Error),
        ("notify", Self::Notify),
        ("done", Self::Done),
    ];

    /// The word publishers write.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Downloading => "downloading",
            Self::Downloaded => "downloaded",
            Self::Installing => "installing",
            Self::Tonight => "tonight",
            Self::Skipped => "skipped",
            Self::Error => "error",
            Self::Notify => "notify",
            Self::Done => "done",
        }
    }
}

/// `server`: `{state, update?, version?, release?, …}`. Everybody sees it; `update` only server admins.
#[derive(Debug, Clone)]
pub struct Server {
    /// What becomes of the server.
    pub state: ServerState,
    /// How far an update is, `update`.
    pub update: Option<UpdateState>,
    /// The version the update leads to.
    pub version: Option<Text>,
    /// Where the update is described or kept, `release`: a URL.
    pub release: Option<Text>,
    pub(super) body: Body,
}

impl Server {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [state, update, version, release] = pick(value, ["state", "update", "version", "release"])?;
        let state = one_of(state, "state", &ServerState::WORDS)?;
        if update.is_some() && state != ServerState::Update {
            return Err(FieldError::new("update", "is allowed with the state update only"));
        }
        Ok(Self {
            state,
            update: update.map(|update| one_of(Some(update), "update", &UpdateState::WORDS)).transpose()?,
            version: source.optional_string(version, "version")?,
            release: source.optional_string(release, "release")?,
            body: Body::read(source, value, Abridgement::Secrets)?,
        })
    }

    pub(super) fn rule(&self) -> Rule {
        if self.state == ServerState::Update { Rule::Admins } else { Rule::Everyone }
    }
}

/// `stats`: how the server does, for server admins. The engine makes it; its fields are [`Summary`](crate::metrics::Summary)'s
/// and those of shards.
#[derive(Debug, Clone)]
pub struct Stats {
    pub(super) body: Body,
}

impl Stats {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        // Read for the check that it is an object; nothing of it decides anything.
        let [_] = pick(value, ["at"])?;
        Ok(Self { body: Body::read(source, value, Abridgement::Nothing)? })
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
