//! The message of an event as text, in the forms it may be sent in.

use std::borrow::Cow;

use super::{
    dialects::{merge, strip},
    field::{FieldError, Source},
    json::{ObjectWriter, Text, Value},
    redact::{Scope, redact},
};

/// Which of two visibility classes a reader of an event belongs to; [`super::Event::full_rule`] says who sees all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// Without what only some may see: a library's secrets, a scan's counts and errors.
    Abridged,
    /// Everything.
    Full,
}

/// How a message is abridged for those who may not see all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Abridgement {
    /// Secrets are taken out of `library` and `user` objects.
    Secrets,
    /// Only these fields of the message stay.
    Only(&'static [&'static str]),
    /// Nothing is hidden.
    Nothing,
}

/// The message: compact JSON, every unknown field kept, without `dialects`.
#[derive(Debug, Clone)]
pub(super) struct Body {
    message: Text,
    /// What those see who may not see all of it, where that differs.
    abridged: Option<Text>,
    /// The message with its `dialects`, where it has some.
    original: Option<Text>,
    abridgement: Abridgement,
}

impl Body {
    pub(super) fn read(source: Source<'_>, value: Value<'_>, abridgement: Abridgement) -> Result<Self, FieldError> {
        let stripped = if abridgement == Abridgement::Nothing { None } else { strip(value)? };
        let (message, original) = match stripped {
            None => (source.piece(value), None),
            Some(stripped) => (Text::from(stripped), Some(source.piece(value))),
        };
        let abridged = abridge(Value::of_compact(&message), abridgement).map(Text::from);
        // A field may be hidden in what a dialect gets and not in the message: then the classes differ all the same.
        let abridged = abridged.or_else(|| original.as_ref().map(|_| message.clone()));
        Ok(Self { message, abridged, original, abridgement })
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn is_abridged(&self) -> bool {
        self.abridged.is_some()
    }

    pub(super) fn overlay(&self, dialect: &str) -> Option<&str> {
        overlay(self.original.as_deref()?, dialect)
    }

    /// `ids.NAME` of the message: the id that dialect is to show for what the message is about.
    pub(super) fn given_id(&self, dialect: &str) -> Option<Cow<'_, str>> {
        Value::of_compact(&self.message).field("ids")?.field(dialect)?.string()
    }

    pub(super) fn text(&self, dialect: &str, visibility: Visibility) -> Cow<'_, str> {
        let Some(original) = &self.original else {
            return Cow::Borrowed(match (visibility, &self.abridged) {
                (Visibility::Abridged, Some(abridged)) => abridged,
                _ => &self.message,
            });
        };
        let mut merged = String::with_capacity(original.len());
        merge(Value::of_compact(original), dialect, &mut merged);
        let abridged = match visibility {
            Visibility::Abridged => abridge(Value::of_compact(&merged), self.abridgement),
            Visibility::Full => None,
        };
        Cow::Owned(abridged.unwrap_or(merged))
    }
}

/// `dialects.NAME` of a message or object, as JSON text.
pub(super) fn overlay<'a>(text: &'a str, dialect: &str) -> Option<&'a str> {
    Value::of_compact(text).field("dialects")?.field(dialect).map(Value::text)
}

fn abridge(message: Value<'_>, abridgement: Abridgement) -> Option<String> {
    match abridgement {
        Abridgement::Nothing => None,
        Abridgement::Secrets => redact(message, Scope::Outside),
        Abridgement::Only(names) => only(message, names),
    }
}

fn only(message: Value<'_>, names: &[&str]) -> Option<String> {
    if message.fields().all(|field| names.contains(&&*field.name)) {
        return None;
    }
    let mut out = String::with_capacity(message.text().len());
    let mut object = ObjectWriter::open(&mut out);
    for field in message.fields().filter(|field| names.contains(&&*field.name)) {
        object.lexeme(field.lexeme).push_str(field.value.text());
    }
    object.close();
    Some(out)
}
