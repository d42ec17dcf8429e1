//! What an event of `/sse` says, in a few words for a terminal.
//!
//! Reads the JSON by its field names (document 002, and the wire notes on RedSeat, section 5, for the real server's
//! spelling); an event it does not know is shown as its JSON, cut short. The text may still hold control characters.

use serde_json::{Map, Value};

/// How much of an unknown event is shown.
const MAX_SHOWN_CHARS: usize = 120;

/// The library an event names, and one line about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Summary {
    /// The library's id, empty when the event has none.
    pub(super) library: String,
    /// A few words.
    pub(super) text: String,
}

/// Summarises one event.
pub(super) fn summarise(name: &str, data: &str) -> Summary {
    let Ok(Value::Object(outer)) = serde_json::from_str(data) else {
        return Summary { library: String::new(), text: shorten(data) };
    };
    let body = unwrapped(&outer);
    Summary { library: library(body), text: described(name, body).unwrap_or_else(|| shorten(data)) }
}

/// `/sse` wraps the message in one key named after the type.
fn unwrapped(outer: &Map<String, Value>) -> &Map<String, Value> {
    match outer.values().next() {
        Some(Value::Object(inner)) if outer.len() == 1 => inner,
        _ => outer,
    }
}

fn library(body: &Map<String, Value>) -> String {
    let from_object = body.get("library").and_then(|library| library.get("id"));
    let from_backup = body.get("backup").map(|backup| backup.get("backup").unwrap_or(backup)).and_then(|backup| backup.get("library"));
    [body.get("library"), from_object, from_backup].into_iter().flatten().find_map(Value::as_str).unwrap_or_default().to_owned()
}

fn described(name: &str, body: &Map<String, Value>) -> Option<String> {
    match name {
        "library" => Some(format!("{} library {}", text(body, "action")?, name_of(body.get("library")?))),
        "library-status" | "message" => Some(join([text(body, "message").or_else(|| text(body, "text")), percent(body)])),
        "upload_progress" | "convert_progress" => {
            let inner = body.get("progress").and_then(Value::as_object);
            let file = text(body, "mediaId").or_else(|| text(inner?, "filename")).or_else(|| text(inner?, "id"));
            let status = text(body, "status").or_else(|| text(inner?, "status"));
            Some(join([file, percent(body), status]))
        }
        "backups-files" => Some(join([text(body, "file"), percent(body)])),
        "backups" => {
            let backup = body.get("backup")?;
            let status = backup.get("status").and_then(|status| status.get("status").unwrap_or(status).as_str());
            Some(join([
                text(body, "action"),
                Some(format!("backup {}", name_of(backup.get("backup").unwrap_or(backup)))),
                status.map(Into::into),
            ]))
        }
        "media_progress" => {
            let progress = body.get("progress")?.as_object()?;
            let place = progress.get("progress").and_then(Value::as_u64).map(clock_time)?;
            Some(format!("{} is at {place} of {}", text(progress, "userRef")?, text(progress, "mediaRef")?))
        }
        "media_rating" => {
            let rating = body.get("rating")?.as_object()?;
            Some(format!("{} rated {} {}", text(rating, "userRef")?, text(rating, "mediaRef")?, rating.get("rating")?))
        }
        "scan" => Some(join([text(body, "name"), text(body, "state"), percent(body)])),
        "log" => Some(join([text(body, "level"), text(body, "message")])),
        _ => items(body),
    }
    .filter(|text| !text.is_empty())
}

/// "Added photo a.jpg", "Added photo a.jpg and 2 more": the messages that carry a list of items with actions.
fn items(body: &Map<String, Value>) -> Option<String> {
    let items = body.values().filter_map(Value::as_array).find(|items| items.iter().any(|item| item.get("action").is_some()))?;
    let first = items.first()?.as_object()?;
    let action = text(first, "action")?;
    let (kind, item) = first.iter().find(|(key, value)| *key != "action" && value.is_object())?;
    // A media says what it is more exactly (photo, video) than its key does.
    let kind = if kind == "media" { item.get("type").and_then(Value::as_str).unwrap_or(kind) } else { kind };
    let more = match items.len() {
        1 => String::new(),
        n_items => format!(" and {} more", n_items - 1),
    };
    Some(format!("{} {kind} {}{more}", capitalised(&action), name_of(item)))
}

fn name_of(value: &Value) -> String {
    let field = ["name", "title", "id"].iter().find_map(|key| value.get(*key).and_then(Value::as_str).filter(|text| !text.is_empty()));
    let episode = value.get("season").zip(value.get("number")).map(|(season, number)| format!("season {season} episode {number}"));
    match (field, value.as_str()) {
        (Some(name), _) | (None, Some(name)) => name.to_owned(),
        (None, None) => episode.unwrap_or_else(|| "without a name".to_owned()),
    }
}

fn text(object: &Map<String, Value>, key: &str) -> Option<String> {
    object.get(key).and_then(Value::as_str).map(ToOwned::to_owned)
}

/// Progress in percent: the message's own (0 to 100), or the real server's `percent` (0 to 1).
fn percent(body: &Map<String, Value>) -> Option<String> {
    let progress = body.get("progress")?;
    let value = progress.as_f64().or_else(|| progress.get("percent").and_then(Value::as_f64).map(|fraction| fraction * 100.0))?;
    Some(format!("{value:.0} %"))
}

fn clock_time(millis: u64) -> String {
    let seconds = millis / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

fn join<const N: usize>(parts: [Option<String>; N]) -> String {
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, data: &str, library: &str, text: &str) {
        assert_eq!(summarise(name, data), Summary { library: library.into(), text: text.into() }, "{data}");
    }

    #[test]
    fn items_are_named_with_their_action_and_counted() {
        let one = r#"{"Medias":{"library":"lib1","medias":[{"action":"Added","media":{"id":"m1","name":"a.jpg","type":"photo"}}]}}"#;
        check("medias", one, "lib1", "Added photo a.jpg");
        let two =
            r#"{"movies":{"library":"lib1","movies":[{"action":"deleted","movie":{"id":"x"}},{"action":"deleted","movie":{"id":"y"}}]}}"#;
        check("movies", two, "lib1", "Deleted movie x and 1 more");
        let episode = r#"{"Episodes":{"library":"tv","episodes":[{"action":"Updated","episode":{"serie":"s","season":1,"number":2}}]}}"#;
        check("episodes", episode, "tv", "Updated episode season 1 episode 2");
    }

    #[test]
    fn every_name_of_document_002_has_words_of_its_own() {
        check("library", r#"{"Library":{"action":"Added","library":{"id":"l","name":"Films"}}}"#, "l", "Added library Films");
        check("library-status", r#"{"LibraryStatus":{"message":"scan 10/200","library":"l","progress":5}}"#, "l", "scan 10/200 5 %");
        check("upload_progress", r#"{"UploadProgress":{"library":"l","mediaId":"m","progress":42}}"#, "l", "m 42 %");
        check(
            "convert_progress",
            r#"{"ConvertProgress":{"library":"l","mediaId":"m","progress":42.4,"status":"processing"}}"#,
            "l",
            "m 42 % processing",
        );
        check("convert_progress", r#"{"convertProgress":{"library":"l","progress":{"filename":"f","percent":0.5}}}"#, "l", "f 50 %");
        check("backups", r#"{"Backups":{"backup":{"backup":{"id":"b","library":"l"},"status":{"status":"done"}}}}"#, "l", "backup b done");
        check("backups-files", r#"{"BackupsFiles":{"library":"l","file":"m1","progress":42}}"#, "l", "m1 42 %");
        let progress = r#"{"MediaProgress":{"library":"l","progress":{"mediaRef":"m","userRef":"u","progress":125000}}}"#;
        check("media_progress", progress, "l", "u is at 2:05 of m");
        check(
            "media_rating",
            r#"{"MediaRating":{"library":"l","rating":{"mediaRef":"m","userRef":"u","rating":4.5}}}"#,
            "l",
            "u rated m 4.5",
        );
    }

    #[test]
    fn what_is_unknown_is_shown_as_it_came_and_cut_short() {
        check("other", r#"{"Other":{"x":1}}"#, "", r#"{"Other":{"x":1}}"#);
        check("other", "not json", "", "not json");
        check("medias", r#"{"Medias":{"library":7,"medias":"odd"}}"#, "", r#"{"Medias":{"library":7,"medias":"odd"}}"#);
        assert_eq!(summarise("other", &"ä".repeat(500)).text.chars().count(), MAX_SHOWN_CHARS + 1);
    }
}
