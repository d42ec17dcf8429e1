//! Reads typed fields out of a message, with errors that name the field and what is allowed.

use std::borrow::Cow;

use super::{
    json::{Text, Value},
    media::same_library,
};
use crate::clock::Timestamp;
use crate::id::{IdError, LibraryId, MAX_ID_BYTES, UserId};

/// A field is missing or wrong: where, and what is allowed there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` {message}")]
pub struct FieldError {
    /// The way to the field, for example `data.medias[3].action`.
    pub path: String,
    /// What is allowed, for example `must be one of Added, Updated, Deleted`.
    pub message: Cow<'static, str>,
}

impl FieldError {
    /// An error about that field.
    #[must_use]
    pub fn new(path: impl Into<String>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { path: path.into(), message: message.into() }
    }

    /// The same error, seen from the object that holds the field under `parent`.
    #[must_use]
    pub fn inside(self, parent: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        Self { path: format!("{parent}{dot}{}", self.path), message: self.message }
    }
}

/// How large an event may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one event as published (`limits.event_bytes`).
    pub event_bytes: usize,
    /// Items of one array of an event, `medias` for example (`limits.event_items`).
    pub event_items: usize,
    /// How deep `data` may nest; at most 128 counts, whatever is set.
    pub depth: usize,
}

impl Limits {
    /// The depth that counts.
    #[must_use]
    pub fn max_depth(&self) -> usize {
        self.depth.min(128)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { event_bytes: 262_144, event_items: 500, depth: 64 }
    }
}

/// The text the fields are pieces of, and the limits they are read under.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) text: &'a Text,
    pub(super) limits: &'a Limits,
}

/// The named fields of an object, in one pass; `null` counts as absent.
///
/// A typed field that appears twice is refused: we and a client could otherwise each believe another one.
pub(super) fn pick<'a, const N: usize>(object: Value<'a>, names: [&'static str; N]) -> Result<[Option<Value<'a>>; N], FieldError> {
    if !object.is_object() {
        return Err(FieldError::new("", "must be an object"));
    }
    let mut found: [Option<Value<'a>>; N] = [None; N];
    for field in object.fields() {
        let Some(index) = names.iter().position(|name| *name == field.name) else { continue };
        if found[index].replace(field.value).is_some() {
            return Err(FieldError::new(names[index], "must not appear twice"));
        }
    }
    Ok(found.map(|value| value.filter(|value| !value.is_null())))
}

impl Source<'_> {
    pub(super) fn string(self, value: Option<Value<'_>>, path: &'static str) -> Result<Text, FieldError> {
        self.optional_string(value, path)?.ok_or_else(|| FieldError::new(path, "is required and must be a string"))
    }

    pub(super) fn optional_string(self, value: Option<Value<'_>>, path: &'static str) -> Result<Option<Text>, FieldError> {
        let Some(value) = value else { return Ok(None) };
        match value.string() {
            Some(Cow::Borrowed(text)) => Ok(Some(self.text.piece(text))),
            Some(Cow::Owned(text)) => Ok(Some(Text::from(text))),
            None => Err(FieldError::new(path, "must be a string")),
        }
    }

    /// An id: 1 to 128 bytes, no control characters.
    pub(super) fn id(self, value: Option<Value<'_>>, path: &'static str) -> Result<Text, FieldError> {
        self.optional_id(value, path)?.ok_or_else(|| FieldError::new(path, "is required and must be a string of 1 to 128 bytes"))
    }

    pub(super) fn optional_id(self, value: Option<Value<'_>>, path: &'static str) -> Result<Option<Text>, FieldError> {
        let text = self.optional_string(value, path)?;
        if let Some(text) = &text {
            check_id(text).map_err(|error| FieldError::new(path, error.to_string()))?;
        }
        Ok(text)
    }

    pub(super) fn piece(self, value: Value<'_>) -> Text {
        self.text.piece(value.text())
    }

    /// The items of an array, at most as many as the limit says.
    pub(super) fn items<'v>(
        self,
        value: Option<Value<'v>>,
        path: &'static str,
    ) -> Result<impl Iterator<Item = Value<'v>> + use<'v>, FieldError> {
        let array = value.filter(|value| value.is_array()).ok_or_else(|| FieldError::new(path, "is required and must be an array"))?;
        let limit = self.limits.event_items;
        if array.items().nth(limit).is_some() {
            return Err(FieldError::new(path, format!("must hold at most {limit} items")));
        }
        Ok(array.items())
    }
}

pub(super) fn library(value: Option<Value<'_>>, path: &'static str) -> Result<LibraryId, FieldError> {
    optional_library(value, path)?.ok_or_else(|| FieldError::new(path, "is required and must be a library id"))
}

pub(super) fn optional_library(value: Option<Value<'_>>, path: &'static str) -> Result<Option<LibraryId>, FieldError> {
    let Some(value) = value else { return Ok(None) };
    let text = value.string().ok_or_else(|| FieldError::new(path, "must be a library id, a string"))?;
    LibraryId::parse(&text).map(Some).map_err(|error| FieldError::new(path, error.to_string()))
}

pub(super) fn user(value: Option<Value<'_>>, path: &'static str) -> Result<UserId, FieldError> {
    optional_user(value, path)?.ok_or_else(|| FieldError::new(path, "is required and must be a user id"))
}

pub(super) fn optional_user(value: Option<Value<'_>>, path: &'static str) -> Result<Option<UserId>, FieldError> {
    let Some(value) = value else { return Ok(None) };
    let text = value.string().ok_or_else(|| FieldError::new(path, "must be a user id, a string"))?;
    UserId::parse(&text).map(Some).map_err(|error| FieldError::new(path, error.to_string()))
}

/// A number in a range, ends included.
pub(super) fn number(value: Option<Value<'_>>, path: &'static str, least: f64, most: f64) -> Result<f64, FieldError> {
    optional_number(value, path, least, most)?.ok_or_else(|| FieldError::new(path, format!("is required and {}", range(least, most))))
}

pub(super) fn optional_number(value: Option<Value<'_>>, path: &'static str, least: f64, most: f64) -> Result<Option<f64>, FieldError> {
    let Some(value) = value else { return Ok(None) };
    let number = value.number().filter(|number| (least..=most).contains(number));
    number.map(Some).ok_or_else(|| FieldError::new(path, range(least, most)))
}

/// A whole number from 0 that every client's number type holds.
pub(super) fn optional_integer(value: Option<Value<'_>>, path: &'static str) -> Result<Option<u64>, FieldError> {
    const MOST: u64 = 1 << 53;
    let Some(value) = value else { return Ok(None) };
    let number = value.text().parse::<u64>().ok().filter(|number| *number <= MOST);
    number.map(Some).ok_or_else(|| FieldError::new(path, format!("must be a whole number from 0 to {MOST}")))
}

/// `true` or `false`.
pub(super) fn flag(value: Option<Value<'_>>, path: &'static str) -> Result<Option<bool>, FieldError> {
    match value.map(Value::text) {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(FieldError::new(path, "must be true or false")),
    }
}

/// A time: milliseconds since the epoch, or RFC 3339 (event map, section 1).
pub(super) fn optional_time(value: Option<Value<'_>>, path: &'static str) -> Result<Option<Timestamp>, FieldError> {
    let Some(value) = value else { return Ok(None) };
    let time = match value.string() {
        Some(text) => text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond),
        None => value.text().parse().ok(),
    };
    time.map(|time| Some(Timestamp(time))).ok_or_else(|| FieldError::new(path, "must be milliseconds since the epoch, or RFC 3339"))
}

/// The library of an event whose object may name it as well: it must be the same.
pub(super) fn library_of_object(own: Option<LibraryId>, object: Value<'_>, path: &'static str) -> Result<Option<LibraryId>, FieldError> {
    let named = optional_library(object.field("library").filter(|library| !library.is_object()), "library");
    let library = own.or(named.map_err(|error| error.inside(path))?);
    if let Some(library) = &library {
        same_library(object, library).map_err(|error| error.inside(path))?;
    }
    Ok(library)
}

/// One of a few words; the words are named when it is none of them.
pub(super) fn one_of<T: Copy>(value: Option<Value<'_>>, path: &'static str, words: &[(&str, T)]) -> Result<T, FieldError> {
    let text = value.and_then(Value::string);
    let found = text.and_then(|text| words.iter().find(|(word, _)| *word == text));
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let allowed: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        FieldError::new(path, format!("must be one of {}", allowed.join(", ")))
    })
}

fn check_id(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > MAX_ID_BYTES {
        return Err(IdError::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(IdError::ControlCharacter);
    }
    Ok(())
}

fn range(least: f64, most: f64) -> String {
    match (least > f64::MIN, most < f64::MAX) {
        (true, true) => format!("must be a number from {least} to {most}"),
        (true, false) => format!("must be a number of at least {least}"),
        _ => "must be a number".to_owned(),
    }
}
