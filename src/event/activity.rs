//! Something the media server does for a while: it starts, is told of, and ends.

use std::borrow::Cow;

use super::{
    Conflation, Event, EventKind, Rule,
    body::{Abridgement, Body},
    conflation_key,
    field::{FieldError, Source, flag, one_of, optional_library, optional_number, pick},
    ids::IdForm,
    json::{Text, Value},
    user::Person,
};
use crate::id::LibraryId;

/// How far an activity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActivityState {
    /// It began.
    Started,
    /// It goes on.
    Updated,
    /// It is over.
    Ended,
}

impl ActivityState {
    const WORDS: [(&'static str, Self); 3] = [("started", Self::Started), ("updated", Self::Updated), ("ended", Self::Ended)];

    /// The word publishers write.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Updated => "updated",
            Self::Ended => "ended",
        }
    }
}

/// `activity`: `{id, state, type, title?, subtitle?, progress?, cancellable?, user?, library?, context?, response?}`.
///
/// Server admins see it, and the user it is for. `user` is an id, or an object with one.
#[derive(Debug, Clone)]
pub struct Activity {
    /// The activity: the same from its start to its end.
    pub id: Text,
    /// How far it is.
    pub state: ActivityState,
    /// What it is, `type`: `library.refresh.items` for example.
    pub kind: Text,
    /// What it is, for people to read.
    pub title: Option<Text>,
    /// What it is about, for people to read.
    pub subtitle: Option<Text>,
    /// 0 to 100; absent while nobody knows.
    pub progress: Option<f64>,
    /// It can be cancelled.
    pub cancellable: bool,
    /// For whom.
    pub user: Option<Person>,
    /// The library it is about.
    pub library: Option<LibraryId>,
    /// What it is about, an object, as JSON text.
    pub context: Option<Text>,
    /// What came of it, an object, as JSON text.
    pub response: Option<Text>,
    pub(super) body: Body,
}

impl Activity {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [id, state, kind, title, subtitle, progress] = pick(value, ["id", "state", "type", "title", "subtitle", "progress"])?;
        let [cancellable, user, library, context, response] = pick(value, ["cancellable", "user", "library", "context", "response"])?;
        Ok(Self {
            id: source.id(id, "id")?,
            state: one_of(state, "state", &ActivityState::WORDS)?,
            kind: source.id(kind, "type")?,
            title: source.optional_string(title, "title")?,
            subtitle: source.optional_string(subtitle, "subtitle")?,
            progress: optional_number(progress, "progress", 0.0, 100.0)?,
            cancellable: flag(cancellable, "cancellable")?.unwrap_or(false),
            user: user.map(|user| Person::read(source, Some(user), "user")).transpose()?,
            library: optional_library(library, "library")?,
            context: object(source, context, "context")?,
            response: object(source, response, "response")?,
            body: Body::read(source, value, Abridgement::Secrets)?,
        })
    }

    pub(super) fn rule(&self) -> Rule {
        self.user.as_ref().map_or(Rule::Admins, |user| Rule::UserOrAdmins(user.id.clone()))
    }

    /// Updates are replaced by later ones; the end ends them. A start replaces nothing and is never replaced.
    pub(super) fn conflation(&self) -> Option<Conflation> {
        let terminal = match self.state {
            ActivityState::Started => return None,
            ActivityState::Updated => false,
            ActivityState::Ended => true,
        };
        Some(Conflation { key: conflation_key(EventKind::Activity, &[&self.id]), phase: String::new(), terminal })
    }
}

impl Event {
    /// The id of the activity the event tells of, for clients that see scans and uploads as activities too; `None` when it
    /// tells of none. A run without an id of its own gets one derived from what it is about.
    #[must_use]
    pub fn activity_id(&self) -> Option<Cow<'_, str>> {
        let derived = |kind: EventKind, parts: &[&str]| {
            let subject = parts.join("\0");
            Cow::Owned(IdForm::Uuid.derive(&format!("{kind}\0{subject}")))
        };
        match self {
            Self::Activity(event) => Some(Cow::Borrowed(&event.id)),
            Self::Scan(event) => Some(match &event.id {
                Some(id) => Cow::Borrowed(id),
                None => derived(EventKind::Scan, &[event.library.as_str()]),
            }),
            Self::UploadProgress(event) => Some(derived(EventKind::UploadProgress, &[event.library.as_str(), &event.media])),
            _ => None,
        }
    }
}

fn object(source: Source<'_>, value: Option<Value<'_>>, path: &'static str) -> Result<Option<Text>, FieldError> {
    match value {
        Some(value) if !value.is_object() => Err(FieldError::new(path, "must be an object")),
        value => Ok(value.map(|value| source.piece(value))),
    }
}
