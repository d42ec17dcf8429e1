//! The objects of the wire, with every field that its clients require (wire notes on Audiobookshelf, section 6).
//!
//! What a publisher does not give has the value a real server gives for "nothing". Its `dialects.audiobookshelf` goes over all
//! of it, at every depth, without secrets.

pub(super) mod item;
pub(super) mod listing;
pub(super) mod log;
pub(super) mod playing;
pub(super) mod task;
pub(super) mod user;

use super::{DIALECT, json::merged};
use crate::{
    clock::Timestamp,
    event::{Event, Object, json::Value, without_secrets},
};

/// What the publisher says in this dialect's own words about an object goes over its shape.
fn overlaid(shape: String, object: &Object) -> String {
    object.overlay(DIALECT).map_or(shape.clone(), |over| merged(&shape, &without_secrets(over)))
}

/// The same, of what a message says.
pub(super) fn overlaid_by_message(shape: String, event: &Event) -> String {
    event.overlay(DIALECT).map_or(shape.clone(), |over| merged(&shape, &without_secrets(over)))
}

/// The first of these fields that is a time in milliseconds, else that of the event.
fn time(object: &Object, names: &[&str], accepted: Timestamp) -> i64 {
    let millis = |name: &&str| object.field(name).and_then(Value::number).filter(|millis| *millis >= 0.0);
    names.iter().find_map(millis).map_or(accepted.0, |millis| millis as i64)
}

/// The text of a field in quotes, or `null`.
fn text(object: &Object, name: &str) -> String {
    object.field(name).filter(|value| value.string().is_some()).map_or_else(|| "null".to_owned(), |value| value.text().to_owned())
}
