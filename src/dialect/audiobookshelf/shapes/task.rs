//! Tasks: scans and activities, as its clients list what the server does.

use super::overlaid_by_message;
use crate::{
    clock::Timestamp,
    dialect::audiobookshelf::{
        json::{list, or_null},
        place::{MediaType, Place, shown},
    },
    event::{
        Activity, ActivityState, Event, Scan, ScanState,
        json::{ObjectWriter, Value, quote},
    },
};

/// A task as all of them are written.
struct Task<'a> {
    id: String,
    action: &'a str,
    data: String,
    title: String,
    /// The key and the words of its title in clients' languages.
    title_key: Option<(&'a str, &'a str)>,
    description: Option<&'a str>,
    error: Option<&'a str>,
    error_key: Option<&'a str>,
    is_failed: bool,
    is_finished: bool,
    started: i64,
}

impl Task<'_> {
    fn json(&self, accepted: Timestamp) -> String {
        let flag = |flag: bool| if flag { "true" } else { "false" };
        let mut out = String::with_capacity(512);
        let mut task = ObjectWriter::open(&mut out);
        task.field("id", &quote(&self.id)).field("action", &quote(self.action)).field("data", &self.data);
        task.field("title", &quote(&self.title)).field("titleKey", &or_null(self.title_key.map(|(key, _)| key)));
        task.field("titleSubs", &self.title_key.map_or_else(|| "null".to_owned(), |(_, word)| list(&[word])));
        task.field("description", &or_null(self.description)).field("descriptionKey", "null").field("descriptionSubs", "null");
        task.field("error", &or_null(self.error)).field("errorKey", &or_null(self.error_key)).field("errorSubs", "null");
        task.field("showSuccess", "true").field("isFailed", flag(self.is_failed)).field("isFinished", flag(self.is_finished));
        task.field("startedAt", &self.started.to_string());
        task.field("finishedAt", &if self.is_finished { accepted.0.to_string() } else { "null".to_owned() });
        task.close();
        out
    }
}

/// A scan; what it found and why it failed are in the full form only.
pub(in super::super) fn scan(scan: &Scan, event: &Event, place: &Place, accepted: Timestamp, full: bool) -> String {
    let name = name(scan, place);
    let results = Results::of(scan).filter(|_| full && scan.state != ScanState::Started);
    let (error, error_key) = match scan.state {
        ScanState::Cancelled => (Some("Task canceled by user"), Some("MessageTaskCanceledByUser")),
        ScanState::Failed => (Some(scan.error.as_deref().filter(|_| full).unwrap_or("Scan failed")), None),
        ScanState::Started | ScanState::Progress | ScanState::Finished => (None, None),
    };
    let task = Task {
        id: shown(&event.activity_id().unwrap_or_default()),
        action: "library-scan",
        data: data(scan, name, place, results.as_ref()),
        title: format!("Scanning \"{name}\" library"),
        title_key: Some(("MessageTaskScanningLibrary", name)),
        description: None,
        error,
        error_key,
        is_failed: matches!(scan.state, ScanState::Cancelled | ScanState::Failed),
        is_finished: !matches!(scan.state, ScanState::Started | ScanState::Progress),
        started: accepted.0 - results.as_ref().and_then(|results| results.elapsed).unwrap_or_default(),
    };
    overlaid_by_message(task.json(accepted), event)
}

/// The argument of `scan_start` and `scan_complete`, which older clients know.
pub(in super::super) fn older_scan(scan: &Scan, place: &Place, full: bool) -> String {
    let id = quote(&place.library_id(&scan.library));
    let start = format!(r#"{{"id":{id},"type":"scan","name":{}"#, quote(name(scan, place)));
    if scan.state == ScanState::Started {
        return format!("{start}}}");
    }
    let results = Results::of(scan).filter(|_| full && scan.state == ScanState::Finished);
    let results = results.map_or_else(
        || "null".to_owned(),
        |Results { added, updated, missing, .. }| format!(r#"{{"added":{added},"updated":{updated},"missing":{missing}}}"#),
    );
    format!(r#"{start},"results":{results}}}"#)
}

fn name<'a>(scan: &'a Scan, place: &'a Place) -> &'a str {
    scan.name.as_deref().unwrap_or_else(|| place.library_name(&scan.library))
}

fn data(scan: &Scan, name: &str, place: &Place, results: Option<&Results>) -> String {
    let kind = place.media_type(&scan.library).unwrap_or(MediaType::Book).name();
    let results = results.map_or_else(String::new, |results| format!(r#","scanResults":{}"#, results.json()));
    let id = quote(&place.library_id(&scan.library));
    format!(r#"{{"libraryId":{id},"libraryName":{},"libraryMediaType":"{kind}"{results}}}"#, quote(name))
}

/// What a scan found.
struct Results {
    added: u64,
    updated: u64,
    missing: u64,
    /// Milliseconds.
    elapsed: Option<i64>,
}

impl Results {
    fn of(scan: &Scan) -> Option<Self> {
        let results = Value::of_compact(scan.results.as_deref()?);
        let number = |name: &str| results.field(name).and_then(Value::number).filter(|number| *number >= 0.0);
        let count = |name: &str| number(name).map_or(0, |number| number as u64);
        let (added, updated, missing) = (count("added"), count("updated"), count("missing"));
        Some(Self { added, updated, missing, elapsed: number("elapsed").map(|millis| millis as i64) })
    }

    fn json(&self) -> String {
        let Self { added, updated, missing, elapsed } = self;
        let told = [(added, "added"), (updated, "updated"), (missing, "missing")].into_iter().filter(|(number, _)| **number > 0);
        let told: Vec<String> = told.map(|(number, what)| format!("{number} {what}")).collect();
        let text = if told.is_empty() { "No updates needed".to_owned() } else { told.join(", ") };
        let text = elapsed.map_or(text.clone(), |millis| format!("{text} ({millis} ms)"));
        let elapsed = elapsed.unwrap_or_default();
        format!(r#"{{"added":{added},"updated":{updated},"missing":{missing},"elapsed":{elapsed},"text":{}}}"#, quote(&text))
    }
}

/// An activity.
pub(in super::super) fn activity(activity: &Activity, event: &Event, place: &Place, accepted: Timestamp) -> String {
    let library = activity.library.as_ref().map(|library| format!(r#""libraryId":{}"#, quote(&place.library_id(library))));
    let task = Task {
        id: shown(&activity.id),
        action: &activity.kind,
        data: format!("{{{}}}", library.unwrap_or_default()),
        title: activity.title.as_deref().unwrap_or(&activity.kind).to_owned(),
        title_key: None,
        description: activity.subtitle.as_deref(),
        error: None,
        error_key: None,
        is_failed: false,
        is_finished: activity.state == ActivityState::Ended,
        started: accepted.0,
    };
    overlaid_by_message(task.json(accepted), event)
}

/// `{libraryItemId,progress}`, 0 to 100.
pub(in super::super) fn progress(item: &str, progress: f64) -> String {
    format!(r#"{{"libraryItemId":{},"progress":{progress}}}"#, quote(&shown(item)))
}

/// What an activity is about, as far as its publisher says; else the activity itself.
pub(in super::super) fn subject(activity: &Activity) -> String {
    let context = activity.context.as_deref().map(Value::of_compact);
    let text = |name: &str| context.and_then(|context| context.field(name)).and_then(Value::string);
    text("libraryItemId").or_else(|| text("id")).map_or_else(|| activity.id.to_string(), std::borrow::Cow::into_owned)
}
