//! The media server's own affairs, for its admins: preferences, whether it can be reached, its queue of work.

use super::{
    body::{Abridgement, Body},
    field::{FieldError, Source, flag, one_of, pick},
    ids::{IdForm, ShownId},
    json::{Text, Value},
};

/// What a preference's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PreferenceType {
    /// Yes or no.
    Bool,
    /// A whole number.
    Int,
    /// Any number.
    Double,
    /// A text.
    Text,
    /// One of a few words or numbers.
    Enum,
}

impl PreferenceType {
    const WORDS: [(&'static str, Self); 5] =
        [("bool", Self::Bool), ("int", Self::Int), ("double", Self::Double), ("text", Self::Text), ("enum", Self::Enum)];

    /// The word publishers write.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Double => "double",
            Self::Text => "text",
            Self::Enum => "enum",
        }
    }
}

/// `preference`: `{id, value, type?, label?, summary?, default?, group?, hidden?, advanced?}`, for server admins.
#[derive(Debug, Clone)]
pub struct Preference {
    /// Which one.
    pub id: Text,
    /// What it is now: a boolean, a number or a text, as JSON text.
    pub value: Text,
    /// What it is without being set, as JSON text.
    pub default: Option<Text>,
    /// What its value is; `text` when not given.
    pub kind: PreferenceType,
    /// Its name, for people to read.
    pub label: Option<Text>,
    /// What it does, for people to read.
    pub summary: Option<Text>,
    /// Where it stands among others.
    pub group: Option<Text>,
    /// It is not shown.
    pub hidden: bool,
    /// It is for those who know what they do.
    pub advanced: bool,
    pub(super) body: Body,
}

impl Preference {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [id, now, default, kind, label] = pick(value, ["id", "value", "default", "type", "label"])?;
        let [summary, group, hidden, advanced] = pick(value, ["summary", "group", "hidden", "advanced"])?;
        let now = scalar(source, now, "value")?;
        Ok(Self {
            id: source.id(id, "id")?,
            value: now.ok_or_else(|| FieldError::new("value", "is required, a boolean, a number or a string"))?,
            default: scalar(source, default, "default")?,
            kind: kind.map_or(Ok(PreferenceType::Text), |kind| one_of(Some(kind), "type", &PreferenceType::WORDS))?,
            label: source.optional_string(label, "label")?,
            summary: source.optional_string(summary, "summary")?,
            group: source.optional_string(group, "group")?,
            hidden: flag(hidden, "hidden")?.unwrap_or(false),
            advanced: flag(advanced, "advanced")?.unwrap_or(false),
            body: Body::read(source, value, Abridgement::Secrets)?,
        })
    }
}

/// `reachability`: `{reachable}`, for server admins: whether the media server can be reached from outside.
#[derive(Debug, Clone)]
pub struct Reachability {
    /// It can.
    pub reachable: bool,
    pub(super) body: Body,
}

impl Reachability {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [reachable] = pick(value, ["reachable"])?;
        let reachable = flag(reachable, "reachable")?.ok_or_else(|| FieldError::new("reachable", "is required, true or false"))?;
        Ok(Self { reachable, body: Body::read(source, value, Abridgement::Secrets)? })
    }
}

/// `background-queue`: `{queue, event}`, for server admins: something happened to a queue of background work.
#[derive(Debug, Clone)]
pub struct BackgroundQueue {
    /// Which queue; `ids` are its own.
    pub queue: Text,
    /// What happened, in the media server's words: `queueRegenerated` for example.
    pub event: Text,
    pub(super) body: Body,
}

impl BackgroundQueue {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [queue, event] = pick(value, ["queue", "event"])?;
        Ok(Self {
            queue: source.id(queue, "queue")?,
            event: source.id(event, "event")?,
            body: Body::read(source, value, Abridgement::Secrets)?,
        })
    }

    /// The queue's id as that dialect shows it.
    #[must_use]
    pub fn shown_queue(&self, dialect: &str) -> ShownId<'_> {
        IdForm::of(dialect).show(self.body.given_id(dialect), &self.queue)
    }
}

fn scalar(source: Source<'_>, value: Option<Value<'_>>, path: &'static str) -> Result<Option<Text>, FieldError> {
    match value {
        Some(value) if value.is_object() || value.is_array() => Err(FieldError::new(path, "must be a boolean, a number or a string")),
        value => Ok(value.map(|value| source.piece(value))),
    }
}
