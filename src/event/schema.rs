//! What each kind's message looks like, as JSON Schema: found by asking the reader itself about its sample, so that what is
//! described is what is accepted.
//!
//! A field is required if the reader refuses the sample without it, and a text of a few words if the reader says so. Fields that a
//! sample does not have may be there all the same: every unknown field is kept.

use serde_json::{Map, Value, json};

use super::{Event, EventKind, samples::sample};

/// How deep into a message fields are looked at one by one.
const DEPTH: usize = 3;
/// What readers say before the words a field may be.
const ONE_OF: &str = "must be one of ";
/// A text that no field has a word for.
const NO_WORD: &str = "\u{1}";

/// The schema of a kind's message.
#[must_use]
pub fn schema(kind: EventKind) -> Value {
    let whole: Value = serde_json::from_str(sample(kind)).unwrap_or_default();
    describe(kind, &whole, &mut Vec::new())
}

/// One step on the way to a field.
#[derive(Clone)]
enum Step {
    Field(String),
    First,
}

fn describe(kind: EventKind, value: &Value, path: &mut Vec<Step>) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(_) => json!({"type": "boolean"}),
        Value::Number(_) => json!({"type": "number"}),
        Value::String(_) => match words(kind, path) {
            Some(words) => json!({"type": "string", "enum": words}),
            None if may_be_either(kind, path, &json!({"id": "x"})) => {
                let object =
                    json!({"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"], "additionalProperties": true});
                json!({"anyOf": [{"type": "string"}, object]})
            }
            None => json!({"type": "string"}),
        },
        Value::Array(items) => {
            path.push(Step::First);
            let items = items.first().map(|first| describe(kind, first, path)).unwrap_or_else(|| json!({}));
            path.pop();
            json!({"type": "array", "items": items})
        }
        Value::Object(fields) if may_be_either(kind, path, &json!("x")) => {
            json!({"anyOf": [{"type": "string"}, object(kind, fields, path)]})
        }
        Value::Object(fields) => object(kind, fields, path),
    }
}

/// Whether the reader takes something of another type there as well, though not just anything: an id, or an object with it.
fn may_be_either(kind: EventKind, path: &[Step], other: &Value) -> bool {
    let taken = |value: Value| refusal(kind, path, |parent, name| drop(parent.insert(name.to_owned(), value))).is_none();
    matches!(path.last(), Some(Step::Field(_))) && taken(other.clone()) && !taken(json!(true))
}

fn object(kind: EventKind, fields: &Map<String, Value>, path: &mut Vec<Step>) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (name, value) in fields {
        path.push(Step::Field(name.clone()));
        let is_looked_at = path.iter().filter(|step| matches!(step, Step::Field(_))).count() <= DEPTH;
        if is_looked_at && is_needed(kind, path) {
            required.push(name.clone());
        }
        let described = if is_looked_at { describe(kind, value, path) } else { json!({}) };
        properties.insert(name.clone(), described);
        path.pop();
    }
    let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": true});
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

/// Whether the sample is refused without that field.
fn is_needed(kind: EventKind, path: &[Step]) -> bool {
    refusal(kind, path, |parent, name| drop(parent.remove(name))).is_some()
}

/// The words a text field may be, if only some may.
fn words(kind: EventKind, path: &[Step]) -> Option<Vec<String>> {
    let said = refusal(kind, path, |parent, name| drop(parent.insert(name.to_owned(), NO_WORD.into())))?;
    let list = said.strip_prefix(ONE_OF)?;
    let words: Vec<String> = list.split(", ").map(str::to_owned).collect();
    words.iter().all(|word| word.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))).then_some(words)
}

/// What the reader says about the sample with one field changed.
fn refusal(kind: EventKind, path: &[Step], change: impl FnOnce(&mut Map<String, Value>, &str)) -> Option<String> {
    let mut whole: Value = serde_json::from_str(sample(kind)).ok()?;
    let (Some(Step::Field(name)), ways) = path.split_last().map(|(last, ways)| (Some(last), ways))? else { return None };
    let parent = ways.iter().try_fold(&mut whole, |value, step| match step {
        Step::Field(name) => value.get_mut(name),
        Step::First => value.get_mut(0),
    })?;
    change(parent.as_object_mut()?, name);
    Event::parse(kind, &whole.to_string()).err().map(|error| error.message.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_reader_wants_is_what_the_schema_says() {
        let medias = schema(EventKind::Medias);
        assert_eq!(medias["required"], json!(["library", "medias"]));
        let item = &medias["properties"]["medias"]["items"];
        assert_eq!(item["required"], json!(["action", "media"]));
        assert_eq!(item["properties"]["action"]["enum"], json!(["Added", "Updated", "Deleted"]));
        assert_eq!(item["properties"]["media"]["required"], json!(["id"]));
        let scan = schema(EventKind::Scan);
        assert_eq!(scan["properties"]["state"]["enum"], json!(["started", "progress", "finished", "cancelled", "failed"]));
        assert_eq!(scan["properties"]["progress"]["type"], "number");
        assert!(!scan["required"].as_array().is_some_and(|names| names.contains(&json!("progress"))));
    }

    #[test]
    fn a_person_is_an_id_or_an_object_with_one() {
        let user = &schema(EventKind::Playback)["properties"]["user"]["anyOf"];
        assert_eq!((&user[0]["type"], &user[1]["required"]), (&json!("string"), &json!(["id"])));
        let user = &schema(EventKind::Activity)["properties"]["user"]["anyOf"];
        assert_eq!((&user[0]["type"], &user[1]["properties"]["name"]["type"]), (&json!("string"), &json!("string")));
        assert_eq!(schema(EventKind::Playback)["properties"]["transcode"]["type"], "string");
    }

    #[test]
    fn every_kind_has_an_object_with_fields() {
        for kind in EventKind::ALL {
            let schema = schema(*kind);
            assert!(schema["type"] == "object" && schema["properties"].as_object().is_some_and(|fields| !fields.is_empty()), "{kind}");
        }
    }
}
