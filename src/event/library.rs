//! A library and its status text.

use super::{
    Level, Rule,
    body::{Abridgement, Body},
    field::{FieldError, Source, library, optional_number, pick},
    json::{Text, Value},
    object::{Action, Object},
    redact::Scope,
};
use crate::id::LibraryId;

/// `library`: `{action, library:{id, name, type, …}}`. Readers of the library see it, only server admins its secrets.
#[derive(Debug, Clone)]
pub struct LibraryChange {
    /// What happened.
    pub action: Action,
    /// The library's id.
    pub library: LibraryId,
    /// The library.
    pub object: Object,
    pub(super) body: Body,
}

impl LibraryChange {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [action, object] = pick(value, ["action", "library"])?;
        let action = Action::read(action)?;
        let object = object.ok_or_else(|| FieldError::new("library", "is required and must be an object"))?;
        let object = Object::read(source, object, Scope::Library).map_err(|error| error.inside("library"))?;
        let library = LibraryId::parse(&object.id).map_err(|error| FieldError::new("library.id", error.to_string()))?;
        Ok(Self { action, library, object, body: Body::read(source, value, Abridgement::Secrets)? })
    }
}

/// `library-status`: `{library, message, progress?}`, for admins of the library.
#[derive(Debug, Clone)]
pub struct LibraryStatus {
    /// The library.
    pub library: LibraryId,
    /// Free text.
    pub message: Text,
    /// 0 to 100.
    pub progress: Option<f64>,
    pub(super) body: Body,
}

impl LibraryStatus {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [own, message, progress] = pick(value, ["library", "message", "progress"])?;
        Ok(Self {
            library: library(own, "library")?,
            message: source.string(message, "message")?,
            progress: optional_number(progress, "progress", 0.0, 100.0)?,
            body: Body::read(source, value, Abridgement::Secrets)?,
        })
    }

    pub(super) fn rule(&self) -> Rule {
        Rule::Library(self.library.clone(), Level::Admin)
    }
}
