//! Why settings are refused: always one line that names where, which key, and what is allowed. Values are never shown.

use std::{collections::BTreeMap, path::Path};

use figment::error::{Actual, Kind};

use super::source::{FLAG, Flag, variable_of};
use crate::id::LibraryId;

/// Why settings are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The settings file cannot be read.
    #[error("{path}: {reason}")]
    File {
        /// The file as it was named.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The settings file is not TOML.
    #[error("{path}: line {line}: {reason}")]
    Syntax {
        /// The file as it was named.
        path: String,
        /// The line of the error, from 1.
        line: usize,
        /// What the parser says, without the text of the line: it may hold a secret.
        reason: String,
    },
    /// A folder given by `--library` cannot be watched.
    #[error("--library {library}: {reason}")]
    Library {
        /// The library's id.
        library: LibraryId,
        /// What is wrong with its folder.
        reason: &'static str,
    },
    /// A key is unknown, missing, or its value is not allowed.
    #[error("{origin}: {key}: {reason}")]
    Key {
        /// Where the value comes from: a file, a variable, a flag, or `default`.
        origin: String,
        /// The key, such as `server.listen` or `users[0].token`.
        key: String,
        /// What is allowed.
        reason: String,
    },
}

/// A key whose value is not allowed; where it comes from is found out by [`Origins`].
#[derive(Debug)]
pub(super) struct Invalid {
    pub(super) key: String,
    pub(super) reason: String,
}

impl Invalid {
    pub(super) fn new(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { key: key.into(), reason: reason.into() }
    }
}

/// Where values come from, to name it in errors.
pub(super) struct Origins<'a> {
    pub(super) file: Option<&'a Path>,
    pub(super) environment: &'a BTreeMap<String, String>,
    pub(super) flags: &'a [Flag],
}

impl Origins<'_> {
    /// The error of a value that could be read but is not allowed.
    pub(super) fn refuse(&self, figment: &figment::Figment, invalid: Invalid) -> ConfigError {
        // An element of an array comes from where its array comes from.
        let plain_key = invalid.key.split('[').next().unwrap_or_default();
        let layer = figment.find_metadata(plain_key).map(|metadata| metadata.name.as_ref());
        ConfigError::Key { origin: self.name(layer, plain_key), key: one_line(&invalid.key), reason: one_line(&invalid.reason) }
    }

    /// The error of a value that could not be read. Of several only the last is told: one line.
    pub(super) fn unreadable(&self, error: figment::Error) -> ConfigError {
        let mut path = error.path.clone();
        if let Kind::MissingField(field) = &error.kind {
            path.push(field.to_string());
        }
        let layer = error.metadata.as_ref().map(|metadata| metadata.name.as_ref());
        let origin = self.name(layer, &path.join("."));
        ConfigError::Key { origin, key: one_line(&key_of(&path)), reason: one_line(&reason_of(&error.kind)) }
    }

    /// Where the value of a key comes from; `None` is a default.
    pub(super) fn of(&self, figment: &figment::Figment, key: &str) -> Option<String> {
        let layer = figment.find_metadata(key)?.name.as_ref();
        Some(self.name(Some(layer), key))
    }

    fn name(&self, layer: Option<&str>, key: &str) -> String {
        let flag = || self.flags.iter().rev().find(|flag| flag.key == key || flag.key.starts_with(&format!("{key}.")));
        let variable = variable_of(key);
        match layer {
            Some(FLAG) => flag().map_or_else(|| FLAG.to_owned(), |flag| flag.flag.to_owned()),
            Some(super::source::ENVIRONMENT) => {
                let below = self.environment.keys().find(|name| name.starts_with(&variable)).cloned();
                one_line(&below.unwrap_or(variable))
            }
            Some(super::source::FILE) => self.file.map_or_else(|| "settings".to_owned(), |file| one_line(&file.display().to_string())),
            _ => "default".to_owned(),
        }
    }
}

/// Replaces what would break or disguise a line of output.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// `["users", "0", "token"]` as `users[0].token`.
fn key_of(path: &[String]) -> String {
    path.iter().fold(String::new(), |mut key, part| {
        if !key.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            return format!("{key}[{part}]");
        }
        if !key.is_empty() {
            key.push('.');
        }
        key + part
    })
}

fn reason_of(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => message.clone(),
        Kind::InvalidType(actual, expected) => format!("must be {}, not {}", plain(expected), category(actual)),
        Kind::InvalidValue(_, expected) => format!("must be {}", plain(expected)),
        Kind::UnknownField(_, []) => "unknown key".to_owned(),
        Kind::UnknownField(_, allowed) => format!("unknown key, allowed are {}", allowed.join(", ")),
        Kind::MissingField(_) => "is missing".to_owned(),
        Kind::UnknownVariant(_, allowed) => format!("must be one of {}", allowed.join(", ")),
        Kind::DuplicateField(_) => "is given twice".to_owned(),
        Kind::ISizeOutOfRange(_) | Kind::USizeOutOfRange(_) => "is out of range".to_owned(),
        Kind::InvalidLength(..) | Kind::Unsupported(_) | Kind::UnsupportedKey(..) => "has a form that is not allowed".to_owned(),
    }
}

/// What serde calls the expected type, in the words of a settings file.
fn plain(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        "a boolean" => "true or false",
        "a string" => "text",
        "a sequence" => "an array",
        expected if expected.starts_with("struct ") => "a table",
        expected => expected,
    }
}

/// The kind of value that was found; never the value, it may be a secret.
fn category(actual: &Actual) -> &'static str {
    match actual {
        Actual::Bool(_) => "true or false",
        Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) => "a number",
        Actual::Char(_) | Actual::Str(_) | Actual::Bytes(_) => "text",
        Actual::Seq => "an array",
        Actual::Map => "a table",
        _ => "this",
    }
}
