//! The publisher's own words over ours: `dialects.mediabrowser` of a message over the fields of `Data`.

use super::DIALECT;
use crate::event::{
    Event,
    json::{ObjectWriter, Value},
    without_secrets,
};

/// The data with the overlay merged over it. Secrets are taken out of what the publisher gives, for everybody.
pub(super) fn overlaid(data: String, event: &Event) -> String {
    event.overlay(DIALECT).map_or(data.clone(), |over| merged(&data, &without_secrets(over)))
}

/// Both are objects; a field of `over` counts more.
pub(super) fn merged(data: &str, over: &str) -> String {
    let (data, over) = (Value::of_compact(data), Value::of_compact(over));
    let mut out = String::with_capacity(data.text().len() + over.text().len());
    let mut object = ObjectWriter::open(&mut out);
    for field in data.fields() {
        let own = over.fields().find(|own| own.name == field.name);
        object.lexeme(field.lexeme).push_str(own.map_or(field.value, |own| own.value).text());
    }
    for own in over.fields() {
        if data.fields().all(|field| field.name != own.name) {
            object.lexeme(own.lexeme).push_str(own.value.text());
        }
    }
    object.close();
    out
}
