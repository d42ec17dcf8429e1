//! Objects inside messages: a media, a library, a user. A typed core, and every other field as it was published.

use std::borrow::Cow;

use super::{
    body::{Visibility, overlay},
    dialects::strip,
    field::{FieldError, Source, one_of, pick},
    ids::{IdForm, ShownId},
    json::{Text, Value},
    redact::{Scope, redact},
};

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// It is new.
    Added,
    /// It changed; the message carries the whole object, never a patch.
    Updated,
    /// It is gone; the message carries at least its id.
    Deleted,
}

impl Action {
    pub(super) const WORDS: [(&'static str, Self); 3] = [("Added", Self::Added), ("Updated", Self::Updated), ("Deleted", Self::Deleted)];

    pub(super) fn read(value: Option<Value<'_>>) -> Result<Self, FieldError> {
        one_of(value, "action", &Self::WORDS)
    }

    /// The word of document 002.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "Added",
            Self::Updated => "Updated",
            Self::Deleted => "Deleted",
        }
    }

    /// The word of the real RedSeat server (wire notes on RedSeat, section 5).
    #[must_use]
    pub const fn lower_case(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }
}

/// An object of a message: id, name and type, and its whole text.
#[derive(Debug, Clone)]
pub struct Object {
    /// The publisher's id. An episode published without one gets `SERIE:S1E2`.
    pub id: Text,
    /// `name`, if there is one.
    pub name: Option<Text>,
    /// `type`, if there is one: `photo` or `video` of a media, `movies` or `books` of a library.
    pub kind: Option<Text>,
    text: Text,
    original: Option<Text>,
    scope: Scope,
}

impl Object {
    pub(super) fn read(source: Source<'_>, value: Value<'_>, scope: Scope) -> Result<Self, FieldError> {
        Self::read_with(source, value, scope, |source, id| source.id(id, "id"))
    }

    /// An episode may be named by its series, season and number instead of an id (document 002's server has no ids).
    pub(super) fn read_episode(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        Self::read_with(source, value, Scope::Outside, |source, id| {
            if let Some(id) = source.optional_id(id, "id")? {
                return Ok(id);
            }
            let [serie, season, number] = pick(value, ["serie", "season", "number"])?;
            match (source.optional_id(serie, "serie")?, season.and_then(Value::number), number.and_then(Value::number)) {
                (Some(serie), Some(season), Some(number)) => Ok(Text::from(format!("{serie}:S{season}E{number}"))),
                _ => Err(FieldError::new("id", "is required, a string of 1 to 128 bytes, or else `serie`, `season` and `number`")),
            }
        })
    }

    fn read_with(
        source: Source<'_>,
        value: Value<'_>,
        scope: Scope,
        id_of: impl FnOnce(Source<'_>, Option<Value<'_>>) -> Result<Text, FieldError>,
    ) -> Result<Self, FieldError> {
        let [id, name, kind] = pick(value, ["id", "name", "type"])?;
        let stripped = strip(value)?;
        let original = stripped.is_some().then(|| source.piece(value));
        Ok(Self {
            id: id_of(source, id)?,
            name: source.optional_string(name, "name")?,
            kind: source.optional_string(kind, "type")?,
            text: stripped.map_or_else(|| source.piece(value), Text::from),
            original,
            scope,
        })
    }

    /// The object as JSON text, as it was published, without `dialects`; for the abridged class without secrets.
    #[must_use]
    pub fn text(&self, visibility: Visibility) -> Cow<'_, str> {
        let redacted = match visibility {
            Visibility::Abridged => redact(Value::of_compact(&self.text), self.scope),
            Visibility::Full => None,
        };
        redacted.map_or(Cow::Borrowed(self.text.as_str()), Cow::Owned)
    }

    /// The JSON text of any of its fields; `None` when absent or `null`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Value<'_>> {
        Value::of_compact(&self.text).field(name)
    }

    /// The id the publisher gave for that dialect, `ids.NAME` (event map, section 2).
    #[must_use]
    pub fn given_id(&self, dialect: &str) -> Option<Cow<'_, str>> {
        self.field("ids")?.field(dialect)?.string()
    }

    /// The id that dialect shows its clients.
    #[must_use]
    pub fn shown_id(&self, dialect: &str) -> ShownId<'_> {
        IdForm::of(dialect).show(self.given_id(dialect), &self.id)
    }

    /// What that dialect merges over the item it makes of this object, `dialects.NAME`, as JSON text.
    #[must_use]
    pub fn overlay(&self, dialect: &str) -> Option<&str> {
        overlay(self.original.as_deref()?, dialect)
    }
}
