//! Values in the words settings are read in: the largest unit that divides them, names, times of RFC 3339.

use std::{path::Path, time::Duration};

use toml_edit::{Array, InlineTable, Key, Value};

use crate::{
    config::{LibraryRights, PublishRights},
    event::{EventKind, Level},
};

pub(super) fn number(number: usize) -> i64 {
    // The largest any setting may be is far below.
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let whole = units.iter().find(|(unit, _)| milliseconds > 0 && milliseconds.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{milliseconds}ms"), |(unit, name)| format!("{}{name}", milliseconds / unit))
}

pub(super) fn size(bytes: usize) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let whole = units.iter().find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{bytes}B"), |(unit, name)| format!("{}{name}", bytes / unit))
}

pub(super) fn path(path: &Path) -> String {
    path.display().to_string()
}

pub(super) fn list(texts: &[String]) -> Array {
    texts.iter().collect()
}

/// A moment as settings write it.
pub(in crate::config) fn moment(moment: crate::clock::Timestamp) -> String {
    // Every moment that settings can hold was read by the same library.
    jiff::Timestamp::from_millisecond(moment.0).map(|moment| moment.to_string()).unwrap_or_default()
}

/// Library rights as settings write them.
pub(in crate::config) fn rights(rights: &LibraryRights) -> Value {
    match rights {
        LibraryRights::Every(level) => level_name(*level).into(),
        LibraryRights::Named(levels) => levels
            .iter()
            .map(|(library, level)| (Key::new(library.as_str()), Value::from(level_name(*level))))
            .collect::<InlineTable>()
            .into(),
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Read => "read",
        Level::Write => "write",
        Level::Admin => "admin",
    }
}

pub(super) fn publish_rights(rights: &PublishRights) -> Value {
    let PublishRights::Some { kinds, libraries } = rights else { return false.into() };
    if *rights == PublishRights::unreserved() {
        return true.into();
    }
    let mut table = InlineTable::new();
    let kinds = EventKind::ALL.iter().filter(|kind| kinds.contains(**kind)).map(|kind| kind.name());
    table.insert("types", Value::Array(kinds.collect()));
    if let Some(libraries) = libraries {
        table.insert("libraries", Value::Array(libraries.iter().map(crate::id::LibraryId::as_str).collect()));
    }
    table.into()
}
