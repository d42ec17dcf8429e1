//! What items have in common: ids, and the publisher's own words over ours.

use std::borrow::Cow;

use super::DIALECT;
use crate::event::{
    Event, IdForm, Object, UserChange,
    json::{ObjectWriter, Value, quote},
    without_secrets, without_user_secrets,
};

/// `com.plexapp.plugins.library`: what clients look for in a timeline entry.
pub(super) const LIBRARY: &str = "\"com.plexapp.plugins.library\"";

/// An id as a string of digits: clients read these as integers.
pub(super) fn number(id: &str) -> String {
    quote(&IdForm::Integer.show(None, id).text)
}

/// `/library/metadata/N`.
pub(super) fn metadata_key(id: &str) -> String {
    quote(&format!("/library/metadata/{}", IdForm::Integer.show(None, id).text))
}

/// An id for a place in a path: as it is when it is plain, else derived.
pub(super) fn path_part(id: &str) -> Cow<'_, str> {
    let plain = id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if plain { Cow::Borrowed(id) } else { Cow::Owned(IdForm::Hex32.derive(id)) }
}

/// A number that JSON readers with types take for a float.
pub(super) fn float(number: f64) -> String {
    format!("{number:?}")
}

/// Milliseconds as seconds, a float.
pub(super) fn seconds(millis: i64) -> String {
    float(millis as f64 / 1000.0)
}

/// A whole number.
pub(super) fn integer(number: f64) -> String {
    format!("{number:.0}")
}

/// The item with the publisher's `dialects.plex` over it: the message's, and over that the object's own. Secrets are taken
/// out of what the publisher gives, for everybody: there is no place for one in an item of Plex's.
pub(super) fn overlaid(item: String, event: &Event, object: Option<&Object>) -> String {
    overlaid_with(item, [event.overlay(DIALECT), object.and_then(|object| object.overlay(DIALECT))], without_secrets)
}

/// The same for an item that is a user: what goes over it tells of that user, and is cleaned as a `user` object is.
pub(super) fn overlaid_user(item: String, event: &Event, change: &UserChange) -> String {
    overlaid_with(item, [event.overlay(DIALECT), change.object.overlay(DIALECT)], without_user_secrets)
}

/// The item with what the message's overlay says of the fields it has, and nothing more: for an event told as two items,
/// where what is meant for the other may be for fewer people.
pub(super) fn overlaid_known(item: String, event: &Event) -> String {
    let Some(over) = event.overlay(DIALECT) else { return item };
    let over = without_secrets(over);
    let mut out = String::with_capacity(item.len() + over.len());
    let mut object = ObjectWriter::open(&mut out);
    write_known(Value::of_compact(&item), Value::of_compact(&over), &mut object);
    object.close();
    out
}

fn overlaid_with(item: String, overlays: [Option<&str>; 2], clean: fn(&str) -> Cow<'_, str>) -> String {
    overlays.into_iter().flatten().fold(item, |item, over| merge(Value::of_compact(&item), Value::of_compact(&clean(over))))
}

fn merge(item: Value<'_>, over: Value<'_>) -> String {
    let mut out = String::with_capacity(item.text().len() + over.text().len());
    let mut object = ObjectWriter::open(&mut out);
    write_known(item, over, &mut object);
    for own in over.fields() {
        if item.fields().all(|field| field.name != own.name) {
            object.lexeme(own.lexeme).push_str(own.value.text());
        }
    }
    object.close();
    out
}

/// The item's fields, each with the overlay's value if it has one.
fn write_known(item: Value<'_>, over: Value<'_>, object: &mut ObjectWriter<'_>) {
    for field in item.fields() {
        let own = over.fields().find(|own| own.name == field.name);
        object.lexeme(field.lexeme).push_str(own.map_or(field.value, |own| own.value).text());
    }
}
