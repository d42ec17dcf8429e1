//! What is written on an event stream, read back by other rules than wrote it: exactly one event, with exactly the name
//! and the data that were meant. Nothing published can forge a field or a second event.

use fanfare::{
    dialect::redseat::{Spelling, formats},
    event::{Envelope, Event, EventKind, Limits},
    frame::{sse_comment, sse_event},
    source::cloudevents::Draft,
};

use serde_json::{Value, value::RawValue};

use super::event_stream::{self, Message, Said};

pub(super) fn target(data: &[u8]) {
    let [name, text] = super::parts(data);
    any_name_and_data(&String::from_utf8_lossy(name), text);
    any_name_and_data(&String::from_utf8_lossy(data), data);
    a_comment(&String::from_utf8_lossy(data));
    if let Ok(draft) = Draft::parse(data, &Limits::default()) {
        an_event_in_every_format(draft);
    }
}

fn any_name_and_data(name: &str, data: &[u8]) {
    let kept = name.split(['\r', '\n', '\0']).next().unwrap_or_default();
    // Between the colon and the value a reader takes away one space: the one that is always written.
    let name_read = if kept.is_empty() { "message" } else { kept };
    let frame = sse_event(name, data);
    only(&frame, name_read, &event_stream::with_line_feeds(data));
    // A stream holds one frame after the other: none may lean on its neighbour.
    let twice = [&frame[..], &frame[..]].concat();
    assert_eq!(event_stream::read(&twice).messages.len(), 2, "{:?}", String::from_utf8_lossy(&twice));
}

fn a_comment(text: &str) {
    let comment = text.split(['\r', '\n', '\0']).next().unwrap_or_default().to_owned();
    let said = event_stream::read(&sse_comment(text));
    assert_eq!(said, Said { comments: vec![comment], ..Said::default() });
}

fn an_event_in_every_format(draft: Draft) {
    let envelope = Envelope::new(draft.event, draft.audience, "e1".into(), 0, 1);
    for spelling in [Spelling::Document, Spelling::Server] {
        for scan_named in [true, false] {
            let pair = formats(spelling, scan_named);
            for format in [pair.abridged, pair.full] {
                if let Some(frame) = format.encode(&envelope) {
                    one_of_ours(&frame, &envelope.event, spelling, scan_named);
                }
            }
        }
    }
}

fn one_of_ours(frame: &[u8], event: &Event, spelling: Spelling, scan_named: bool) {
    if let Event::Raw(raw) = event {
        return only(frame, &raw.name, &event_stream::with_line_feeds(raw.payload.as_bytes()));
    }
    let kind = if event.kind() == EventKind::Scan && !scan_named { EventKind::LibraryStatus } else { event.kind() };
    let said = event_stream::read(frame);
    let [Message { data, .. }] = &said.messages[..] else { panic!("{said:?}") };
    only(frame, kind.name(), data);
    assert!(!data.contains('\n'), "a message is one line: {data:?}");
    assert!(serde_json::from_str::<&RawValue>(data).is_ok(), "{spelling:?} made no JSON: {data:?} of {}", event.message());
    // Numbers out of range and half surrogates pass through as text: JSON, but nothing that could be held here.
    let Ok(value) = serde_json::from_str::<Value>(data) else { return };
    let fields = value.as_object().map(|object| object.keys().map(String::as_str).collect::<Vec<_>>()).unwrap_or_default();
    assert!(matches!(&fields[..], [one] if one.eq_ignore_ascii_case(kind.wrapper())), "one wrapper, not {fields:?}");
}

/// The frame says one event of that name and data, and nothing else.
fn only(frame: &[u8], name: &str, data: &str) {
    let said = event_stream::read(frame);
    let meant = Said { messages: vec![Message { name: name.to_owned(), data: data.to_owned() }], ..Said::default() };
    assert_eq!(said, meant, "{:?}", String::from_utf8_lossy(frame));
}
