//! A publisher's own fields over the shape its clients want: objects go into each other, everything else replaces.

use crate::event::json::{ObjectWriter, Value, quote};

/// `base` with the fields of `over`, at every depth. Both are compact; what is no object replaces.
pub(super) fn merged(base: &str, over: &str) -> String {
    let mut out = String::with_capacity(base.len() + over.len());
    merge(Value::of_compact(base), Value::of_compact(over), &mut out);
    out
}

fn merge(base: Value<'_>, over: Value<'_>, out: &mut String) {
    if !base.is_object() || !over.is_object() {
        return out.push_str(over.text());
    }
    let mut object = ObjectWriter::open(out);
    for field in base.fields() {
        let place = object.lexeme(field.lexeme);
        match over.fields().find(|own| own.name == field.name) {
            Some(own) => merge(field.value, own.value, place),
            None => place.push_str(field.value.text()),
        }
    }
    for own in over.fields() {
        if base.fields().all(|field| field.name != own.name) {
            object.lexeme(own.lexeme).push_str(own.value.text());
        }
    }
    object.close();
}

/// The text in quotes, or `null`.
pub(super) fn or_null(text: Option<&str>) -> String {
    text.map_or_else(|| "null".to_owned(), quote)
}

/// Milliseconds as seconds, as clients read times within a media.
pub(super) fn seconds(millis: f64) -> String {
    (millis / 1000.0).to_string()
}

/// The texts of a list: strings, or the names of objects.
pub(super) fn texts(list: Option<Value<'_>>) -> Vec<String> {
    let items = list.into_iter().flat_map(Value::items);
    items.filter_map(|item| item.string().or_else(|| item.field("name")?.string())).map(std::borrow::Cow::into_owned).collect()
}

/// A list of texts as JSON.
pub(super) fn list<T: AsRef<str>>(texts: &[T]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quote(text.as_ref())).collect();
    format!("[{}]", quoted.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_go_into_each_other_and_all_else_replaces() {
        let base = r#"{"id":"1","media":{"tags":[],"metadata":{"title":"a","explicit":false}},"size":0}"#;
        let over = r#"{"media":{"tags":["x"],"metadata":{"explicit":true,"series":[1.50]}},"size":null,"more":{}}"#;
        assert_eq!(
            merged(base, over),
            r#"{"id":"1","media":{"tags":["x"],"metadata":{"title":"a","explicit":true,"series":[1.50]}},"size":null,"more":{}}"#
        );
        assert_eq!(merged(base, "7"), "7");
    }

    #[test]
    fn times_within_a_media_are_seconds() {
        assert_eq!((seconds(125_000.0).as_str(), seconds(1_500.0).as_str(), seconds(0.0).as_str()), ("125", "1.5", "0"));
    }
}
