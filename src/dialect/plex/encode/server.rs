//! What the server says of its libraries and of itself: `status`, `progress`, `update.statechange`, `preference` and
//! others (wire notes on Plex, sections 6.4 and 6.6).

use super::super::sections::Sections;
use crate::{
    clock::Timestamp,
    event::{
        BackgroundQueue, LibraryStatus, Log, LogLevel, Preference, Reachability, Scan, Server, UpdateState, UserChange,
        json::{ObjectWriter, Text, Value, quote},
    },
};

/// A scan begins or ends. Clients match the two titles letter by letter.
pub(super) fn status(begins: bool, scan: &Scan, sections: &Sections) -> String {
    let name = scan.name.as_deref().unwrap_or_else(|| sections.name(&scan.library));
    let title = if begins { format!("Scanning the \"{name}\" section") } else { "Library scan complete".to_owned() };
    let mut out = String::with_capacity(96);
    let mut item = ObjectWriter::open(&mut out);
    item.field("title", &quote(&title)).field("description", "\"\"").field("notificationName", "\"LIBRARY_UPDATE\"");
    item.close();
    out
}

pub(super) fn progress(status: &LibraryStatus) -> String {
    format!("{{\"message\":{}}}", quote(&status.message))
}

/// What becomes of an update of the server.
pub(super) fn update(server: &Server) -> String {
    let state = server.update.unwrap_or(UpdateState::Available);
    let mut out = String::with_capacity(128);
    let mut item = ObjectWriter::open(&mut out);
    item.field("key", &quote(server.release.as_deref().unwrap_or_default()));
    item.field("version", &quote(server.version.as_deref().unwrap_or_default()));
    item.field("state", &quote(state.name()));
    item.close();
    out
}

/// A preference; whether a real server's `value` is typed or always a string is not known: it is as the publisher has it.
pub(super) fn preference(preference: &Preference) -> String {
    let text = |text: &Option<Text>| quote(text.as_deref().unwrap_or_default());
    let mut out = String::with_capacity(192);
    let mut item = ObjectWriter::open(&mut out);
    item.field("id", &quote(&preference.id)).field("label", &text(&preference.label)).field("summary", &text(&preference.summary));
    item.field("type", &quote(preference.kind.name()));
    if let Some(default) = &preference.default {
        item.field("default", default);
    }
    item.field("value", &preference.value).field("hidden", flag(preference.hidden)).field("advanced", flag(preference.advanced));
    item.field("group", &text(&preference.group));
    item.close();
    out
}

pub(super) fn reachability(reachability: &Reachability) -> String {
    format!("{{\"reachability\":{}}}", reachability.reachable)
}

pub(super) fn background_queue(queue: &BackgroundQueue) -> String {
    // What is shown to this dialect's clients has the form they read, a number.
    let number = queue.shown_queue(super::DIALECT).text;
    format!("{{\"queueID\":{number},\"event\":{}}}", quote(&queue.event))
}

const fn flag(flag: bool) -> &'static str {
    if flag { "true" } else { "false" }
}

/// The fields of a real server's item are not known (wire notes, section 6): these are ours.
pub(super) fn account(change: &UserChange) -> String {
    let mut out = String::with_capacity(96);
    let mut item = ObjectWriter::open(&mut out);
    item.field("id", &quote(&change.object.shown_id(super::DIALECT).text));
    item.field("title", &quote(change.object.name.as_deref().unwrap_or_else(|| change.user.as_str())));
    item.field("event", &quote(change.action.lower_case()));
    item.close();
    out
}

/// A line of the log: `level` counts from 0, an error, to 4, every step.
pub(super) fn log(log: &Log, accepted: Timestamp) -> String {
    let level = match log.level {
        LogLevel::Fatal | LogLevel::Error => "0",
        LogLevel::Warn => "1",
        LogLevel::Info => "2",
        LogLevel::Debug => "3",
        LogLevel::Trace => "4",
    };
    let mut out = String::with_capacity(128);
    let mut item = ObjectWriter::open(&mut out);
    item.field("level", level).field("thread", &quote(log.source.as_deref().unwrap_or_default()));
    item.field("time", &quote(&written(log.timestamp.as_deref(), accepted)));
    item.field("message", &quote(&log.message));
    item.close();
    out
}

/// `Nov 29, 2024 11:00:09.977`, in UTC; without a time of the publisher's (milliseconds or RFC 3339) when it was accepted.
fn written(timestamp: Option<&str>, accepted: Timestamp) -> String {
    let given = timestamp.map(Value::of_compact).and_then(|given| match given.number() {
        // Milliseconds of the years 1 to 9999 fit; anything else is none.
        Some(millis) => jiff::Timestamp::from_millisecond(millis as i64).ok(),
        None => given.string()?.parse().ok(),
    });
    let time = given.or_else(|| jiff::Timestamp::from_millisecond(accepted.0).ok()).unwrap_or_default();
    time.strftime("%b %d, %Y %H:%M:%S%.3f").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_the_real_server_does_whatever_form_it_came_in() {
        let accepted = Timestamp(1_732_878_009_977);
        assert_eq!(written(None, accepted), "Nov 29, 2024 11:00:09.977");
        assert_eq!(written(Some("1732878009000"), Timestamp(0)), "Nov 29, 2024 11:00:09.000");
        assert_eq!(written(Some("\"2024-11-29T12:00:09.5+01:00\""), Timestamp(0)), "Nov 29, 2024 11:00:09.500");
        assert_eq!(written(Some("\"yesterday\""), accepted), "Nov 29, 2024 11:00:09.977");
        assert_eq!(written(Some("1e300"), accepted), "Nov 29, 2024 11:00:09.977");
    }
}
