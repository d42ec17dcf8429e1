//! The real server's shapes (wire notes on RedSeat, section 5), made from the messages of document 002.
//!
//! Fields of a fixed shape are written in the server's order; what a publisher did not give is `null`, as there.

use crate::{
    event::{
        Event, change_names,
        json::{ObjectWriter, Value, quote},
    },
    id::LibraryId,
};

/// The message in the real server's shape; `message` is the document's.
pub(super) fn server_message(event: &Event, message: &str) -> String {
    let value = Value::of_compact(message);
    let mut out = String::with_capacity(message.len() + 128);
    match event {
        Event::Library(_) | Event::User(_) => copy_with(value, &mut out, "action", lower_case),
        Event::Medias(_)
        | Event::Episodes(_)
        | Event::Series(_)
        | Event::Movies(_)
        | Event::People(_)
        | Event::Tags(_)
        | Event::Collections(_)
        | Event::Playlists(_) => {
            let (array, _) = change_names(event.kind()).unwrap_or_default();
            copy_with(value, &mut out, array, changes);
        }
        Event::LibraryStatus(_) => copy_without(value, &mut out, "progress"),
        Event::UploadProgress(progress) => upload(value, progress.progress, &mut out),
        Event::ConvertProgress(progress) => convert(value, progress.progress, progress.is_over(), &mut out),
        Event::Backups(_) => backup(value, &mut out),
        Event::BackupsFiles(_) => backup_file(value, &mut out),
        Event::MediaProgress(_)
        | Event::MediaRating(_)
        | Event::Playback(_)
        | Event::Transcode(_)
        | Event::Scan(_)
        | Event::Activity(_)
        | Event::Preference(_)
        | Event::Reachability(_)
        | Event::BackgroundQueue(_)
        | Event::Log(_)
        | Event::Server(_)
        | Event::Message(_)
        | Event::Notification(_)
        | Event::RemoteControl(_)
        | Event::Presence(_)
        | Event::Request(_)
        | Event::Stats(_)
        | Event::Raw(_) => out.push_str(message),
    }
    out
}

/// A `library-status` message of our own making.
pub(super) fn library_status(text: &str, library: &LibraryId, progress: Option<f64>) -> String {
    let mut out = String::new();
    let mut object = ObjectWriter::open(&mut out);
    object.field("message", &quote(text)).field("library", &quote(library.as_str()));
    if let Some(progress) = progress {
        object.field("progress", &progress.to_string());
    }
    object.close();
    out
}

/// `LibraryStatus` → `libraryStatus`.
pub(super) fn push_camel_case(wrapper: &str, out: &mut String) {
    let mut letters = wrapper.chars();
    out.extend(letters.next().map(|first| first.to_ascii_lowercase()));
    out.push_str(letters.as_str());
}

fn copy_with(value: Value<'_>, out: &mut String, name: &str, change: impl Fn(Value<'_>, &mut String)) {
    let mut object = ObjectWriter::open(out);
    for field in value.fields() {
        let place = object.lexeme(field.lexeme);
        if field.name == name { change(field.value, place) } else { place.push_str(field.value.text()) }
    }
    object.close();
}

fn copy_without(value: Value<'_>, out: &mut String, name: &str) {
    let mut object = ObjectWriter::open(out);
    for field in value.fields().filter(|field| field.name != name) {
        object.lexeme(field.lexeme).push_str(field.value.text());
    }
    object.close();
}

fn changes(array: Value<'_>, out: &mut String) {
    out.push('[');
    for (index, item) in array.items().enumerate() {
        if index > 0 {
            out.push(',');
        }
        copy_with(item, out, "action", lower_case);
    }
    out.push(']');
}

/// Actions are plain words, so lowering their letters cannot spoil an escape.
fn lower_case(action: Value<'_>, out: &mut String) {
    match action.string() {
        Some(word) => out.push_str(&quote(&word.to_ascii_lowercase())),
        None => out.push_str(action.text()),
    }
}

/// `{library, progress:{id, total, current, filename, type}, remainingSecondes}`. A publisher's percentage becomes
/// `current` of a `total` of 100, unless he gives both himself.
fn upload(value: Value<'_>, percent: f64, out: &mut String) {
    let mut object = ObjectWriter::open(out);
    object.field("library", or_null(value, "library"));
    let mut progress = ObjectWriter::open(object.name("progress"));
    progress.field("id", or_null(value, "mediaId"));
    match (value.field("total"), value.field("current")) {
        (Some(total), Some(current)) => progress.field("total", total.text()).field("current", current.text()),
        _ => progress.field("total", "100").field("current", &format!("{percent:.0}")),
    };
    progress.field("filename", or_null(value, "filename"));
    let kind = if percent >= 100.0 { "\"finished\"" } else { "\"transfert\"" };
    progress.field("type", value.field("type").map_or(kind, Value::text));
    progress.close();
    object.field("remainingSecondes", or_null(value, "remainingSecondes"));
    object.close();
}

/// `{library, progress:{id, filename, convertedId, done, percent, status, estimatedRemainingSeconds, request}}`, with
/// `percent` from 0 to 1.
fn convert(value: Value<'_>, percent: f64, over: bool, out: &mut String) {
    let mut object = ObjectWriter::open(out);
    object.field("library", or_null(value, "library"));
    let mut progress = ObjectWriter::open(object.name("progress"));
    progress.field("id", value.field("id").map_or_else(|| or_null(value, "mediaId"), Value::text));
    progress.field("filename", value.field("filename").map_or("\"\"", Value::text));
    progress.field("convertedId", or_null(value, "convertedId"));
    progress.field("done", if over { "true" } else { "false" });
    progress.field("percent", &(percent / 100.0).to_string());
    match value.field("status").and_then(Value::string) {
        Some(status) if status == "cancelled" => progress.field("status", "\"canceled\""),
        _ => progress.field("status", or_null(value, "status")),
    };
    progress.field("estimatedRemainingSeconds", or_null(value, "estimatedRemainingSeconds"));
    progress.field("request", or_null(value, "request"));
    progress.close();
    object.close();
}

/// `{action, backup:{backup, status}}`; a backup published bare is the inner one, and `updated`.
fn backup(value: Value<'_>, out: &mut String) {
    let mut object = ObjectWriter::open(out);
    match value.field("action") {
        Some(action) => lower_case(action, object.name("action")),
        None => object.name("action").push_str("\"updated\""),
    }
    let outer = value.field("backup");
    let inner = outer.and_then(|outer| outer.field("backup")).filter(|inner| inner.is_object());
    let status = outer.and_then(|outer| outer.field("status")).filter(|status| status.is_object());
    let mut pair = ObjectWriter::open(object.name("backup"));
    pair.field("backup", inner.or(outer).map_or("null", Value::text));
    pair.field("status", status.map_or("null", Value::text));
    pair.close();
    object.close();
}

/// The server's ten fields; `name` and `id` are the file's where the publisher gives none.
fn backup_file(value: Value<'_>, out: &mut String) {
    let file = or_null(value, "file");
    let mut object = ObjectWriter::open(out);
    object.field("name", value.field("name").map_or(file, Value::text));
    object.field("backup", or_null(value, "backup")).field("library", or_null(value, "library")).field("file", file);
    object.field("id", value.field("id").map_or(file, Value::text));
    object.field("size", or_null(value, "size"));
    object.field("status", value.field("status").map_or("\"inProgress\"", Value::text));
    for name in ["progress", "error", "estimatedRemainingSeconds"] {
        object.field(name, or_null(value, name));
    }
    object.close();
}

fn or_null<'a>(value: Value<'a>, name: &str) -> &'a str {
    value.field(name).map_or("null", Value::text)
}
