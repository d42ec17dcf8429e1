//! A library scan: it starts, progresses, and ends one way or another.

use super::{
    Conflation, EventKind, Level, Rule,
    body::{Abridgement, Body},
    conflation_key,
    field::{FieldError, Source, library, one_of, optional_number, pick},
    json::{Text, Value},
};
use crate::id::LibraryId;

/// How far a scan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScanState {
    /// It began.
    Started,
    /// It is going on.
    Progress,
    /// It came to its end.
    Finished,
    /// Somebody stopped it.
    Cancelled,
    /// It broke off.
    Failed,
}

impl ScanState {
    const WORDS: [(&'static str, Self); 5] = [
        ("started", Self::Started),
        ("progress", Self::Progress),
        ("finished", Self::Finished),
        ("cancelled", Self::Cancelled),
        ("failed", Self::Failed),
    ];

    /// The word publishers write.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Progress => "progress",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

/// `scan`: `{library, id?, name?, state, progress?, results?, error?}`.
///
/// Readers of the library see that it starts and ends, `library`, `id`, `name` and `state` only; progress, counts and errors
/// are for its admins (event map, section 3).
#[derive(Debug, Clone)]
pub struct Scan {
    /// The library that is scanned.
    pub library: LibraryId,
    /// The run, the same from its start to its end; a library has one at a time.
    pub id: Option<Text>,
    /// The library's name, for people to read.
    pub name: Option<Text>,
    /// How far it is.
    pub state: ScanState,
    /// 0 to 100.
    pub progress: Option<f64>,
    /// What it found (`{added, updated, missing, …}`), as JSON text.
    pub results: Option<Text>,
    /// Why it failed.
    pub error: Option<Text>,
    pub(super) body: Body,
}

impl Scan {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [own, id, name, state] = pick(value, ["library", "id", "name", "state"])?;
        let [progress, results, error] = pick(value, ["progress", "results", "error"])?;
        Ok(Self {
            library: library(own, "library")?,
            id: source.optional_id(id, "id")?,
            name: source.optional_string(name, "name")?,
            state: one_of(state, "state", &ScanState::WORDS)?,
            progress: optional_number(progress, "progress", 0.0, 100.0)?,
            results: results.map(|results| source.piece(results)),
            error: source.optional_string(error, "error")?,
            body: Body::read(source, value, Abridgement::Only(&["library", "id", "name", "state"]))?,
        })
    }

    pub(super) fn rule(&self) -> Rule {
        let level = if self.state == ScanState::Progress { Level::Admin } else { Level::Read };
        Rule::Library(self.library.clone(), level)
    }

    /// Progress is replaced by later progress; the ends end a run. A start replaces nothing and is never replaced.
    pub(super) fn conflation(&self) -> Option<Conflation> {
        let terminal = match self.state {
            ScanState::Started => return None,
            ScanState::Progress => false,
            ScanState::Finished | ScanState::Cancelled | ScanState::Failed => true,
        };
        Some(Conflation { key: conflation_key(EventKind::Scan, &[self.library.as_str()]), phase: String::new(), terminal })
    }
}
