//! One answer to one published event, as a line for people or for scripts.
//!
//! Reads the server's JSON by its field names and shows what it does not know as it came.

use serde_json::Value;

use super::{
    Outcome, http,
    terminal::{printable, printable_json},
};

/// The server's answer to one event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    text: String,
    value: Value,
    status: Option<u16>,
}

impl Answer {
    /// An answer's text, with the HTTP status when it stands for the whole request.
    pub(super) fn new(text: &str, status: Option<u16>) -> Self {
        let value = serde_json::from_str(text).unwrap_or(Value::Null);
        Self { text: text.to_owned(), value, status }
    }

    /// A refusal by this client: the event was never sent.
    pub(super) fn unsent(error: &str) -> Self {
        let value = serde_json::json!({ "error": error });
        Self { text: value.to_string(), value, status: None }
    }

    fn item_status(&self) -> Option<u16> {
        self.value.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok()).or(self.status)
    }

    /// Whether the event was accepted.
    pub(super) fn is_accepted(&self) -> bool {
        self.value.is_object() && self.value.get("error").is_none() && self.item_status().is_none_or(|status| status < 300)
    }

    /// Whether the server had no room: the same event may be accepted later.
    pub(super) fn is_busy(&self) -> bool {
        let says_busy = |value: &Value| ["error", "status", "code", "type"].iter().any(|key| value[*key] == "busy");
        says_busy(&self.value) || says_busy(&self.value["error"]) || self.item_status() == Some(503)
    }

    /// What the answer means for the exit code.
    pub(super) fn outcome(&self) -> Outcome {
        if self.is_accepted() {
            return Outcome::Done;
        }
        if self.is_busy() {
            return Outcome::Unavailable;
        }
        // A refusal never counts as success, whatever the status of the request around it.
        self.item_status().map_or(Outcome::Refused, http::outcome).max(Outcome::Refused)
    }

    /// One line of JSON: the server's own object, with the line of the input where there are several.
    pub(super) fn json(&self, line: Option<u64>) -> String {
        let mut object = match &self.value {
            Value::Object(object) => object.clone(),
            _ => serde_json::Map::from_iter([("error".to_owned(), Value::from(self.text.as_str()))]),
        };
        if let Some(status) = self.status.filter(|_| !self.is_accepted()) {
            object.entry("status").or_insert(status.into());
        }
        if let Some(line) = line {
            object.insert("line".to_owned(), line.into());
        }
        printable_json(&Value::Object(object).to_string()).into_owned()
    }

    /// One line for people.
    pub(super) fn human(&self, line: Option<u64>) -> String {
        let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        let text = if self.is_accepted() { self.accepted() } else { self.refused() };
        format!("{place}{}", printable(&text))
    }

    fn accepted(&self) -> String {
        let verb = if self.value["duplicate"] == true { "accepted before" } else { "accepted" };
        let id = self.value.get("id").map(|id| format!(" {}", plain(id))).unwrap_or_default();
        let order = self.value.get("order").map(|order| format!(" (order {})", plain(order))).unwrap_or_default();
        format!("{verb}{id}{order}")
    }

    fn refused(&self) -> String {
        let error = &self.value["error"];
        // The fields stand beside `error`, or inside it where it is an object.
        let find = |key: &str| [&self.value[key], &error[key]].into_iter().find(|value| !value.is_null()).map(plain);
        let mut message = match error {
            Value::Object(_) => find("message").or_else(|| error["value"].get("type").map(plain)).unwrap_or_else(|| error.to_string()),
            Value::Null if self.text.is_empty() => self.status.map_or_else(|| "no answer".to_owned(), |status| format!("status {status}")),
            Value::Null => find("message").unwrap_or_else(|| self.text.clone()),
            _ => plain(error),
        };
        if let Some(path) = find("path").or_else(|| find("field"))
            && !message.contains(&path)
        {
            message = format!("{path}: {message}");
        }
        if let Some(allowed) = find("allowed").filter(|allowed| !message.contains(allowed)) {
            message = format!("{message} (allowed: {allowed})");
        }
        format!("refused: {message}")
    }
}

/// A value as people write it: strings without quotes, lists with commas.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accepted_event_shows_its_id_and_order() {
        let answer = Answer::new(r#"{"id":"e1","order":17}"#, Some(200));
        assert!(answer.is_accepted());
        assert_eq!(answer.human(None), "accepted e1 (order 17)");
        assert_eq!(answer.human(Some(3)), "line 3: accepted e1 (order 17)");
        assert_eq!(answer.json(Some(3)), r#"{"id":"e1","order":17,"line":3}"#);
    }

    #[test]
    fn a_refused_event_shows_the_path_of_the_field_and_what_is_allowed() {
        let flat = r#"{"error":"unknown action","path":"data.medias[0].action","allowed":["Added","Updated","Deleted"]}"#;
        let nested = r#"{"error":{"message":"unknown action","path":"data.medias[0].action","allowed":"Added, Updated, Deleted"}}"#;
        for text in [flat, nested] {
            let answer = Answer::new(text, Some(422));
            assert!(!answer.is_accepted() && !answer.is_busy());
            assert_eq!(answer.human(None), "refused: data.medias[0].action: unknown action (allowed: Added, Updated, Deleted)");
        }
        assert_eq!(Answer::new(flat, None).json(Some(2)).matches("\"line\":2").count(), 1);
    }

    #[test]
    fn an_answer_that_is_no_json_is_shown_without_its_control_characters() {
        let answer = Answer::new("bad\x1b[2J gateway", Some(502));
        assert_eq!(answer.human(None), "refused: bad\\u{1b}[2J gateway");
        assert_eq!(answer.json(None), r#"{"error":"bad\u001b[2J gateway","status":502}"#);
        assert_eq!(Answer::new("", Some(404)).human(None), "refused: status 404");
    }

    #[test]
    fn busy_is_told_from_refused() {
        for text in [r#"{"error":"busy"}"#, r#"{"status":503}"#, r#"{"error":{"code":"busy"}}"#] {
            let answer = Answer::new(text, None);
            assert!(answer.is_busy() && !answer.is_accepted(), "{text}");
        }
        assert!(Answer::new("", Some(503)).is_busy());
        assert!(!Answer::new(r#"{"id":"busy","order":1}"#, Some(200)).is_busy());
    }

    #[test]
    fn an_item_of_a_batch_is_judged_by_its_own_status() {
        assert!(!Answer::new(r#"{"status":422,"path":"type"}"#, Some(207)).is_accepted());
        assert!(Answer::new(r#"{"status":200,"id":"a"}"#, Some(207)).is_accepted());
    }
}
