//! A message for one dialect's clients, as is.

use super::{
    body::{Abridgement, Body},
    dialects::DIALECTS,
    field::{FieldError, Source, pick},
    json::{Text, Value},
};
use crate::id::LibraryId;

/// `raw`: `{dialect, name, payload}`. Its audience is the publisher's to give.
#[derive(Debug, Clone)]
pub struct Raw {
    /// One of [`DIALECTS`].
    pub dialect: &'static str,
    /// The message's name in that dialect.
    pub name: Text,
    /// What that dialect sends under the name, as JSON text.
    pub payload: Text,
    /// The library of the audience, if it names one (`library:ID` or `library-admin:ID`).
    pub library: Option<LibraryId>,
    pub(super) body: Body,
}

impl Raw {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [dialect, name, _] = pick(value, ["dialect", "name", "payload"])?;
        let dialect = dialect.and_then(Value::string).and_then(|dialect| DIALECTS.into_iter().find(|known| *known == dialect));
        // `null` is a payload too, so it is looked for among the fields as they are.
        let payload = value.fields().find(|field| field.name == "payload");
        Ok(Self {
            dialect: dialect.ok_or_else(|| FieldError::new("dialect", format!("must be one of {}", DIALECTS.join(", "))))?,
            name: source.id(name, "name")?,
            payload: source.piece(payload.ok_or_else(|| FieldError::new("payload", "is required"))?.value),
            library: None,
            body: Body::read(source, value, Abridgement::Nothing)?,
        })
    }
}
