//! The formats events are published in: plain JSON, CloudEvents 1.0 (structured, batch, binary), and NDJSON lines.
//!
//! Pure: a body and its headers go in, drafts come out. Knows no status codes and no engine; what a publisher may
//! never send (the engine's own types) is refused here, so that every way in refuses it.

use std::str::Utf8Error;

use percent_encoding::percent_decode_str;

pub use super::attributes::MAX_NAME_BYTES;
use super::{
    attributes::{self, Attributes},
    lines::DraftLines,
};
use crate::{
    clock::Timestamp,
    event::{
        Audience, Event, EventKind, FieldError, Limits,
        json::{self, SyntaxError, SyntaxProblem, Text, Value},
    },
};

/// How deep a batch may nest as a whole; each item is then checked against the limit on events.
const BATCH_DEPTH: usize = 160;

/// An event as it was published, checked, not yet accepted.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The event.
    pub event: Event,
    /// Who may see it: the type's rule, narrowed by the publisher.
    pub audience: Audience,
    /// The publisher's id, 1 to 256 bytes; with `source` it is the idempotency key.
    pub id: Option<Box<str>>,
    /// Where it comes from, 1 to 256 bytes.
    pub source: Option<Box<str>>,
    /// When it happened, by the publisher's clock. It is checked and goes no further: no protocol shows it, and the order of
    /// events is that of their acceptance.
    pub time: Option<Timestamp>,
}

/// Why something published is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// It cannot be parsed (400).
    #[error("not JSON: {0}")]
    Syntax(#[from] SyntaxError),
    /// It is not text (400).
    #[error("not UTF-8: {0}")]
    Encoding(#[from] Utf8Error),
    /// It is JSON of the wrong shape for its content type (400).
    #[error("{0}")]
    Shape(&'static str),
    /// A field is missing or wrong (422).
    #[error(transparent)]
    Field(#[from] FieldError),
    /// One event is larger than allowed (413).
    #[error("an event must be at most {limit} bytes")]
    TooLarge {
        /// `limits.event_bytes`.
        limit: usize,
    },
    /// The content type is none of ours (415).
    #[error(
        "the content type must be application/json, application/cloudevents+json, application/cloudevents-batch+json or application/x-ndjson, in UTF-8"
    )]
    ContentType,
}

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BodyFormat {
    /// One event, everyday JSON: no content type, `application/json`, or curl's form default.
    Plain,
    /// One event, `application/cloudevents+json`.
    Structured,
    /// An array of events, `application/cloudevents-batch+json`.
    Batch,
    /// One event: attributes in `ce-*` headers, the body is its data.
    Binary,
    /// One event per line: `application/x-ndjson`, `application/ndjson`, `application/jsonl`.
    Lines,
}

impl BodyFormat {
    /// Decides by the content type, and by whether there are `ce-*` headers.
    ///
    /// # Errors
    /// [`DraftError::ContentType`] when the type, or its charset, is none of ours.
    pub fn of<'h>(content_type: Option<&str>, headers: impl IntoIterator<Item = (&'h str, &'h str)>) -> Result<Self, DraftError> {
        let content_type = content_type.unwrap_or_default();
        let mut parts = content_type.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let charset = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
        if charset.is_some_and(|(_, charset)| !charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")) {
            return Err(DraftError::ContentType);
        }
        Ok(match &*media {
            "application/cloudevents+json" => Self::Structured,
            "application/cloudevents-batch+json" => Self::Batch,
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Self::Lines,
            "" | "application/json" | "application/x-www-form-urlencoded" => {
                let is_binary = headers.into_iter().any(|(name, _)| attribute_name(name).is_some());
                if is_binary { Self::Binary } else { Self::Plain }
            }
            _ => return Err(DraftError::ContentType),
        })
    }
}

/// What a body holds: each event with its own verdict, in order.
pub type Drafts = Vec<Result<Draft, DraftError>>;

/// Reads a whole body. A single event gives one item; so does each line of NDJSON that is not blank.
///
/// # Errors
/// The body as a whole cannot be read: [`DraftError::ContentType`], or the syntax, encoding or shape of a batch.
pub fn read_body<'h>(
    body: &[u8],
    content_type: Option<&str>,
    headers: impl IntoIterator<Item = (&'h str, &'h str)> + Clone,
    limits: &Limits,
) -> Result<Drafts, DraftError> {
    match BodyFormat::of(content_type, headers.clone())? {
        BodyFormat::Plain | BodyFormat::Structured => Ok(vec![Draft::parse(body, limits)]),
        BodyFormat::Binary => Ok(vec![Draft::parse_binary(body, headers, limits)]),
        BodyFormat::Lines => {
            let mut lines = DraftLines::new(*limits);
            lines.take(body);
            lines.finish();
            Ok(lines.drafts())
        }
        BodyFormat::Batch => read_batch(body, limits),
    }
}

/// The kinds of event that may be published: the others are made by the engine only.
pub fn kinds() -> impl Iterator<Item = EventKind> {
    attributes::kinds()
}

/// Whether a line of NDJSON holds nothing and is passed over.
#[must_use]
pub fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

impl Draft {
    /// Reads one event, plain or structured, or one line of NDJSON.
    ///
    /// # Errors
    /// [`DraftError`] says whether it cannot be read at all, or which field is wrong.
    pub fn parse(body: &[u8], limits: &Limits) -> Result<Self, DraftError> {
        let text = compact(body, 1, limits)?;
        let value = Value::of_compact(&text);
        if value.is_array() {
            return Err(DraftError::Shape("an array is a batch: send it as application/cloudevents-batch+json"));
        }
        Self::read(&text, value, limits)
    }

    /// Reads one event whose attributes are in `ce-*` headers and whose data is the body.
    ///
    /// # Errors
    /// [`DraftError`] says whether it cannot be read at all, or which field is wrong.
    pub fn parse_binary<'h>(
        body: &[u8],
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        limits: &Limits,
    ) -> Result<Self, DraftError> {
        let mut attributes = Attributes::default();
        for (header, value) in headers {
            let Some(name) = attribute_name(header) else { continue };
            let Some(place) = attributes.place(&name) else { continue };
            let value = percent_decode_str(value).decode_utf8()?;
            if place.replace(value.into_owned()).is_some() {
                return Err(FieldError::new(name, "must not appear twice").into());
            }
        }
        let text = compact(body, 0, limits)?;
        Ok(attributes.into_draft(&text, Some(Value::of_compact(&text)), limits)?)
    }

    fn read(text: &Text, value: Value<'_>, limits: &Limits) -> Result<Self, DraftError> {
        if !value.is_object() {
            return Err(DraftError::Shape("an event must be a JSON object"));
        }
        let mut attributes = Attributes::default();
        let mut data = None;
        for field in value.fields() {
            if field.name != "data" {
                attributes.take(&field.name, field.value)?;
            } else if data.replace(field.value).is_some() {
                return Err(FieldError::new("data", "must not appear twice").into());
            }
        }
        Ok(attributes.into_draft(text, data, limits)?)
    }
}

/// A batch is read whole: an error of syntax spoils all of it, an error in a field only its own item.
fn read_batch(body: &[u8], limits: &Limits) -> Result<Drafts, DraftError> {
    let whole = json::compact(std::str::from_utf8(body)?, BATCH_DEPTH)?;
    let value = Value::of_compact(&whole);
    if !value.is_array() {
        return Err(DraftError::Shape("a batch must be a JSON array of events"));
    }
    Ok(value.items().map(|item| read_item(item, limits)).collect())
}

/// Each item gets a text of its own: one event that waits must not hold the memory of its whole batch.
fn read_item(item: Value<'_>, limits: &Limits) -> Result<Draft, DraftError> {
    let text = compact(item.text().as_bytes(), 1, limits)?;
    Draft::read(&text, Value::of_compact(&text), limits)
}

/// The text of one event; `wrapper` is how many levels there are around `data`.
fn compact(body: &[u8], wrapper: usize, limits: &Limits) -> Result<Text, DraftError> {
    if body.len() > limits.event_bytes {
        return Err(DraftError::TooLarge { limit: limits.event_bytes });
    }
    json::compact(std::str::from_utf8(body)?, limits.max_depth() + wrapper).map(Text::from).map_err(|error| match error.problem {
        SyntaxProblem::Depth => FieldError::new("data", format!("must nest at most {} deep", limits.max_depth())).into(),
        _ => error.into(),
    })
}

/// `ce-type` → `type`. `ce-datacontenttype` does not exist: the Content-Type header says it.
fn attribute_name(header: &str) -> Option<String> {
    let (prefix, name) = header.split_at_checked(3)?;
    prefix.eq_ignore_ascii_case("ce-").then(|| name.to_ascii_lowercase())
}

/// Checks an `id` or `source` given outside a body: the same rule.
pub(crate) fn name(text: &str, path: &'static str) -> Result<Box<str>, DraftError> {
    Ok(attributes::name(text, path)?)
}

#[cfg(test)]
mod tests;
