//! `dialects.NAME` in a message: what one dialect's clients get merged over what they would get.
//!
//! Merging is shallow and per level: `dialects` beside the message's fields goes over the message, inside an object over
//! that object (event map, section 1). A field called `dialects` that is no object is an ordinary field, except at the
//! top, where it is an error.

use std::collections::{HashMap, HashSet};

use super::{
    field::FieldError,
    json::{ObjectWriter, Value},
};

/// The dialects a publisher may name.
pub const DIALECTS: [&str; 4] = ["redseat", "plex", "audiobookshelf", "mediabrowser"];

/// The message without its `dialects`; `None` when it has none, the common case.
pub(super) fn strip(message: Value<'_>) -> Result<Option<String>, FieldError> {
    let text = message.text();
    // A name may be written with escapes, so a `\u` is reason enough to look.
    if !text.contains("dialects") && !text.contains("\\u00") {
        return Ok(None);
    }
    if let Some(dialects) = message.field("dialects").filter(|dialects| !dialects.is_object()) {
        return Err(FieldError::new("dialects", format!("must be an object, not {}", dialects.text())));
    }
    same_library(message)?;
    let mut out = String::with_capacity(text.len());
    let mut found = false;
    copy_without(message, &mut out, &mut found)?;
    Ok(found.then_some(out))
}

/// The message as that dialect gets it: without `dialects`, and with `dialects.NAME` merged over each level.
pub(super) fn merge(value: Value<'_>, dialect: &str, out: &mut String) {
    if value.is_array() {
        return copy_items(value, out, |item, out| merge(item, dialect, out));
    }
    if !value.is_object() {
        return out.push_str(value.text());
    }
    let over = value.field("dialects").filter(|dialects| dialects.is_object()).and_then(|dialects| dialects.field(dialect));
    // Looked up by name: both sides may have as many fields as an event has room for.
    let overlaid: HashMap<_, _> = over.iter().flat_map(|over| over.fields()).map(|own| (own.name, own.value)).collect();
    let mut object = ObjectWriter::open(out);
    let mut written = HashSet::new();
    for field in value.fields().filter(|field| !is_dialects(&field.name, field.value)) {
        match overlaid.get(&field.name) {
            Some(own) => object.lexeme(field.lexeme).push_str(own.text()),
            None => merge(field.value, dialect, object.lexeme(field.lexeme)),
        }
        if over.is_some() {
            written.insert(field.name);
        }
    }
    for own in over.iter().flat_map(|over| over.fields()) {
        if !written.contains(&own.name) {
            object.lexeme(own.lexeme).push_str(own.value.text());
        }
    }
    object.close();
}

/// An event names one library, also in what it says to one dialect.
fn same_library(message: Value<'_>) -> Result<(), FieldError> {
    let (Some(own), Some(dialects)) = (message.field("library").and_then(Value::string), message.field("dialects")) else {
        return Ok(());
    };
    for over in dialects.fields() {
        let named = over.value.fields().filter(|field| field.name == "library").find_map(|field| field.value.string());
        if named.is_some_and(|named| named != own) {
            return Err(FieldError::new(format!("dialects.{}.library", over.name), "must be the library of the event"));
        }
    }
    Ok(())
}

fn copy_without(value: Value<'_>, out: &mut String, found: &mut bool) -> Result<(), FieldError> {
    if value.is_array() {
        let mut result = Ok(());
        let mut index = 0;
        copy_items(value, out, |item, out| {
            if result.is_ok() {
                result = copy_without(item, out, found).map_err(|error| error.inside(&format!("[{index}]")));
            }
            index += 1;
        });
        return result;
    }
    if !value.is_object() {
        out.push_str(value.text());
        return Ok(());
    }
    let mut object = ObjectWriter::open(out);
    for field in value.fields() {
        if is_dialects(&field.name, field.value) {
            *found = true;
            check(field.value).map_err(|error| error.inside("dialects"))?;
            continue;
        }
        copy_without(field.value, object.lexeme(field.lexeme), found).map_err(|error| error.inside(&field.name))?;
    }
    object.close();
    Ok(())
}

fn copy_items(array: Value<'_>, out: &mut String, mut copy: impl FnMut(Value<'_>, &mut String)) {
    out.push('[');
    for (index, item) in array.items().enumerate() {
        if index > 0 {
            out.push(',');
        }
        copy(item, out);
    }
    out.push(']');
}

fn is_dialects(name: &str, value: Value<'_>) -> bool {
    name == "dialects" && (value.is_object() || value.is_null())
}

fn check(dialects: Value<'_>) -> Result<(), FieldError> {
    for field in dialects.fields() {
        if !DIALECTS.contains(&&*field.name) {
            return Err(FieldError::new(field.name, format!("must be one of {}", DIALECTS.join(", "))));
        }
        if !field.value.is_object() {
            return Err(FieldError::new(field.name, "must be an object"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = r#"{"library":"l","dialects":{"plex":{"x":1,"n":0}},"medias":[{"media":{"id":"m","size":1.50,"dialects":{"plex":{"size":2}}}}],"n":null}"#;

    #[test]
    fn dialects_are_taken_out_at_every_level_and_the_rest_stays_verbatim() {
        let stripped = strip(Value::of_compact(MESSAGE)).expect("valid").expect("has dialects");
        assert_eq!(stripped, r#"{"library":"l","medias":[{"media":{"id":"m","size":1.50}}],"n":null}"#);
        assert_eq!(strip(Value::of_compact(r#"{"a":"dialects","b":{"dialects":["de"]}}"#)), Ok(None));
        assert_eq!(strip(Value::of_compact(r#"{"a":{"di\u0061lects":{}}}"#)), Ok(Some(r#"{"a":{}}"#.to_owned())));
    }

    #[test]
    fn a_dialects_own_fields_go_over_each_level() {
        let mut out = String::new();
        merge(Value::of_compact(MESSAGE), "plex", &mut out);
        assert_eq!(out, r#"{"library":"l","medias":[{"media":{"id":"m","size":2}}],"n":0,"x":1}"#);
        out.clear();
        merge(Value::of_compact(MESSAGE), "redseat", &mut out);
        assert_eq!(out, r#"{"library":"l","medias":[{"media":{"id":"m","size":1.50}}],"n":null}"#);
    }

    #[test]
    fn an_unknown_dialect_is_named_with_its_path() {
        let error = strip(Value::of_compact(r#"{"a":[{},{"dialects":{"kodi":{}}}]}"#)).expect_err("kodi");
        assert_eq!(error.path, "a[1].dialects.kodi");
        assert_eq!(strip(Value::of_compact(r#"{"dialects":[]}"#)).expect_err("array").path, "dialects");
    }
}
