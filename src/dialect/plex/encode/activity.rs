//! `activity`: something the server is at (wire notes on Plex, section 6.3). Outer and inner `uuid` are one.

use super::{
    super::sections::Sections,
    item::{integer, metadata_key},
};
use crate::event::{
    Activity as Published, Event, IdForm, Scan, ScanState, UploadProgress,
    json::{ObjectWriter, Value, quote},
    without_secrets,
};

/// The owner, in whose name the server does what nobody asked for (wire notes, section 6.3).
const OWNER: &str = "1";
/// How far nobody knows.
const INDETERMINATE: &str = "-1";

/// An activity before it is written.
pub(in super::super) struct Activity<'a> {
    pub(in super::super) uuid: &'a str,
    pub(in super::super) kind: &'a str,
    pub(in super::super) cancellable: bool,
    /// A number.
    pub(in super::super) user: &'a str,
    pub(in super::super) title: &'a str,
    pub(in super::super) subtitle: &'a str,
    /// An integer from 0 to 100, or -1.
    pub(in super::super) progress: &'a str,
    /// An object, as JSON text.
    pub(in super::super) context: Option<&'a str>,
    /// What came of it: an object, as JSON text.
    pub(in super::super) response: Option<&'a str>,
}

impl Activity<'_> {
    /// The object that notifications and `GET /activities` show alike.
    pub(in super::super) fn write(&self, out: &mut String) {
        let mut object = ObjectWriter::open(out);
        object.field("uuid", &quote(self.uuid)).field("type", &quote(self.kind));
        object.field("cancellable", if self.cancellable { "true" } else { "false" });
        object.field("userID", self.user);
        object.field("title", &quote(self.title)).field("subtitle", &quote(self.subtitle)).field("progress", self.progress);
        if let Some(context) = self.context {
            object.field("Context", context);
        }
        if let Some(response) = self.response {
            object.field("Response", response);
        }
        object.close();
    }

    /// The item of a notification; `event` is `started`, `updated` or `ended`.
    pub(in super::super) fn item(&self, event: &str) -> String {
        let mut out = String::with_capacity(256);
        let mut object = ObjectWriter::open(&mut out);
        object.field("event", &quote(event)).field("uuid", &quote(self.uuid));
        self.write(object.name("Activity"));
        object.close();
        out
    }
}

/// The id its clients know an activity by, from the engine's.
pub(in super::super) fn shown_uuid(event: &Event) -> String {
    let id = event.activity_id().unwrap_or_default();
    IdForm::Uuid.show(None, &id).text.into_owned()
}

/// A scan, as its item of a notification.
pub(super) fn of_scan(scan: &Scan, event: &Event, sections: &Sections) -> String {
    let state = match scan.state {
        ScanState::Started => "started",
        ScanState::Progress => "updated",
        ScanState::Finished | ScanState::Cancelled | ScanState::Failed => "ended",
    };
    with_scan(scan, event, sections, |activity| activity.item(state))
}

/// A scan as an activity.
pub(in super::super) fn with_scan<T>(scan: &Scan, event: &Event, sections: &Sections, then: impl FnOnce(Activity<'_>) -> T) -> T {
    let name = scan.name.as_deref().unwrap_or_else(|| sections.name(&scan.library));
    let progress = match (scan.state, scan.progress) {
        (_, Some(progress)) => integer(progress),
        (ScanState::Started, None) => "0".to_owned(),
        (ScanState::Finished, None) => "100".to_owned(),
        (ScanState::Progress | ScanState::Cancelled | ScanState::Failed, None) => INDETERMINATE.to_owned(),
    };
    let context = format!("{{\"librarySectionID\":{}}}", quote(&sections.key(&scan.library)));
    then(Activity {
        uuid: &shown_uuid(event),
        kind: "library.update.section",
        cancellable: true,
        user: OWNER,
        title: &format!("Scanning {name}"),
        subtitle: scan.error.as_deref().unwrap_or_default(),
        progress: &progress,
        // A real server gives it from the first update on.
        context: (scan.state != ScanState::Started).then_some(&context),
        response: None,
    })
}

/// An upload, as its item of a notification.
pub(super) fn of_upload(upload: &UploadProgress, event: &Event, sections: &Sections) -> String {
    let state = match upload.progress {
        _ if upload.is_over() => "ended",
        progress if progress <= 0.0 => "started",
        _ => "updated",
    };
    with_upload(upload, event, sections, |activity| activity.item(state))
}

/// An upload as an activity.
pub(in super::super) fn with_upload<T>(
    upload: &UploadProgress,
    event: &Event,
    sections: &Sections,
    then: impl FnOnce(Activity<'_>) -> T,
) -> T {
    let name = Value::of_compact(event.message()).field("filename").and_then(Value::string);
    let section = quote(&sections.key(&upload.library));
    let context = format!("{{\"key\":{},\"librarySectionID\":{section}}}", metadata_key(&upload.media));
    then(Activity {
        uuid: &shown_uuid(event),
        kind: "media.upload",
        cancellable: true,
        user: OWNER,
        title: "Uploading",
        subtitle: name.as_deref().unwrap_or(&upload.media),
        progress: &integer(upload.progress),
        context: Some(&context),
        response: None,
    })
}

/// A published activity, as its item of a notification.
pub(super) fn of_published(published: &Published, event: &Event) -> String {
    with_published(published, event, |activity| activity.item(published.state.name()))
}

/// A published activity as one of Plex's.
pub(in super::super) fn with_published<T>(published: &Published, event: &Event, then: impl FnOnce(Activity<'_>) -> T) -> T {
    let user = published.user.as_ref().map(|user| user.shown_id(super::DIALECT).text);
    // The publisher's own objects, copied as they stand: whom the activity is for need not be an administrator.
    let [context, response] = [&published.context, &published.response].map(|object| object.as_deref().map(without_secrets));
    then(Activity {
        uuid: &shown_uuid(event),
        kind: &published.kind,
        cancellable: published.cancellable,
        user: user.as_deref().unwrap_or(OWNER),
        title: published.title.as_deref().unwrap_or_default(),
        subtitle: published.subtitle.as_deref().unwrap_or_default(),
        progress: &published.progress.map_or_else(|| INDETERMINATE.to_owned(), integer),
        context: context.as_deref(),
        response: response.as_deref(),
    })
}
