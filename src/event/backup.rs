//! Backup jobs and the files they copy.

use super::{
    Conflation, EventKind, Level, Rule,
    body::{Abridgement, Body},
    conflation_key,
    field::{FieldError, Source, number, optional_library, pick},
    json::{Text, Value},
    object::Action,
    progress::is_terminal,
};
use crate::id::LibraryId;

/// `backups`: `{backup:{…}}` (document 002) or `{action, backup:{backup:{…}, status}}` (the real server).
///
/// Admins of its library see it (`backup.library`, else `backup.backup.library`), server admins when it has none.
#[derive(Debug, Clone)]
pub struct Backup {
    /// What happened, if the publisher says so.
    pub action: Option<Action>,
    /// The library that is backed up.
    pub library: Option<LibraryId>,
    /// The backup's id, if it has one.
    pub id: Option<Text>,
    /// The backup's name, if it has one.
    pub name: Option<Text>,
    /// The backup itself, as JSON text: the inner object of the real server's form.
    pub object: Text,
    /// How it is going, as JSON text.
    pub status: Option<Text>,
    pub(super) body: Body,
}

impl Backup {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [action, outer] = pick(value, ["action", "backup"])?;
        let action = action.map(|action| Action::read(Some(action))).transpose()?;
        let outer = outer.ok_or_else(|| FieldError::new("backup", "is required and must be an object"))?;
        let body = Body::read(source, value, Abridgement::Secrets)?;
        Self::read_backup(source, outer, action, body).map_err(|error| error.inside("backup"))
    }

    fn read_backup(source: Source<'_>, outer: Value<'_>, action: Option<Action>, body: Body) -> Result<Self, FieldError> {
        let [outer_library, inner, status] = pick(outer, ["library", "backup", "status"])?;
        let inner = inner.filter(|inner| inner.is_object());
        let object = inner.unwrap_or(outer);
        let [inner_library, id, name] = pick(object, ["library", "id", "name"])?;
        let library = match (optional_library(outer_library, "library")?, optional_library(inner_library, "backup.library")?) {
            (Some(outer), Some(inner)) if outer != inner => {
                return Err(FieldError::new("backup.library", "must be the same library: an event names one library"));
            }
            (outer, inner) => outer.or(inner),
        };
        let id = source.optional_id(id, "id")?;
        if action == Some(Action::Deleted) && id.is_none() {
            return Err(FieldError::new("id", "is required when a backup is deleted"));
        }
        Ok(Self {
            action,
            library,
            id,
            name: source.optional_string(name, "name")?,
            object: source.piece(object),
            status: status.map(|status| source.piece(status)),
            body,
        })
    }

    pub(super) fn rule(&self) -> Rule {
        self.library.as_ref().map_or(Rule::Admins, |library| Rule::Library(library.clone(), Level::Admin))
    }
}

/// `backups-files`: `{library?, file, progress}`, for server admins.
#[derive(Debug, Clone)]
pub struct BackupFile {
    /// The library the file is of.
    pub library: Option<LibraryId>,
    /// The file.
    pub file: Text,
    /// How far, as the publisher counts: percent in document 002, bytes on the real server.
    pub progress: f64,
    /// A word for the state, if the publisher gives one.
    pub status: Option<Text>,
    pub(super) body: Body,
}

impl BackupFile {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [own, file, progress, status] = pick(value, ["library", "file", "progress", "status"])?;
        let file = source.string(file, "file")?;
        if file.is_empty() {
            return Err(FieldError::new("file", "must not be empty"));
        }
        Ok(Self {
            library: optional_library(own, "library")?,
            file,
            progress: number(progress, "progress", 0.0, f64::MAX)?,
            status: source.optional_string(status, "status")?,
            body: Body::read(source, value, Abridgement::Secrets)?,
        })
    }

    pub(super) fn conflation(&self) -> Conflation {
        let terminal = match &self.status {
            Some(status) => is_terminal(status),
            None => self.progress >= 100.0,
        };
        Conflation { key: conflation_key(EventKind::BackupsFiles, &[&self.file]), phase: String::new(), terminal }
    }
}
