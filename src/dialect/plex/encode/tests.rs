//! The exact text of every kind, in both forms; who is told of a scan as what; and which bytes are shared.
//!
//! The golden files hold what must go over the wire, kind after kind. `FANFARE_GOLDEN=write` writes them anew: read the
//! difference before it is committed.

use super::{super::sections::Section, *};
use crate::{
    clock::Timestamp,
    config::LibraryKind,
    event::{Encoded, samples::sample_event},
    id::LibraryId,
};

fn sections() -> Sections {
    let section = |id: &str, key: &str, name: &str, kind| Section {
        library: LibraryId::parse(id).expect("an id"),
        key: key.to_owned(),
        name: name.to_owned(),
        kind,
    };
    Sections(vec![section("films", "1", "Films", LibraryKind::Movies), section("shows", "2", "Shows", LibraryKind::Shows)])
}

fn envelope(event: Event) -> Envelope {
    let audience = event.audience();
    let mut envelope = Envelope::new(event, audience, "e1".into(), 0, 1);
    envelope.accepted = Timestamp(1_768_600_000_000);
    envelope
}

fn event(kind: EventKind, data: &str) -> Event {
    Event::parse(kind, data).expect("valid")
}

fn all(form: Form) -> FormatPair {
    Formats::of(sections()).pair(form, TypeSet::of(&NoticeType::ALL))
}

fn wanting(types: &[NoticeType]) -> FormatPair {
    Formats::of(sections()).pair(Form::Sse, TypeSet::of(types))
}

fn bytes(envelope: &Envelope, format: &dyn FrameFormat) -> Option<Bytes> {
    match envelope.frame(format) {
        Encoded::Frame(bytes) => Some(bytes.clone()),
        Encoded::NotCarried => None,
        Encoded::Failed => panic!("the encoder panicked"),
    }
}

/// What a client is sent: over a WebSocket the payload of each frame on a line, every one a whole text frame.
fn sent(event: Event, format: &'static dyn FrameFormat, form: Form) -> String {
    let Some(bytes) = bytes(&envelope(event), format) else { return String::new() };
    if form == Form::Sse {
        return String::from_utf8(bytes.to_vec()).expect("text");
    }
    let (mut rest, mut text) = (&bytes[..], String::new());
    while let [0x81, length, tail @ ..] = rest {
        let (length, payload) = match length {
            126 => (usize::from(u16::from_be_bytes([tail[0], tail[1]])), &tail[2..]),
            length => (usize::from(*length), tail),
        };
        text.push_str(std::str::from_utf8(&payload[..length]).expect("text"));
        text.push('\n');
        rest = &payload[length..];
    }
    assert!(rest.is_empty(), "no text frame: {rest:?}");
    text
}

/// The samples, and what they do not show: another state of each.
fn told() -> Vec<Event> {
    let more = [
        (EventKind::Scan, r#"{"library":"films","name":"Films","state":"started"}"#),
        (EventKind::Scan, r#"{"library":"films","state":"progress","progress":12.5}"#),
        (EventKind::Transcode, r#"{"id":"t 1","user":"bob","state":"end","maxOffset":1,"progress":100,"complete":true}"#),
        (EventKind::Transcode, r#"{"id":"t1","user":"bob","state":"start"}"#),
        (EventKind::ConvertProgress, r#"{"library":"films","mediaId":"m-0003","progress":80,"status":"failed"}"#),
        (EventKind::Playback, r#"{"session":"s","user":"bob","item":{"id":"f1"},"state":"stopped","position":0}"#),
        (EventKind::Playback, r#"{"session":"s","user":"bob","item":{"id":"c0ffee"},"live":true,"state":"buffering","position":5}"#),
        (EventKind::Activity, r#"{"id":"a1","state":"started","type":"media.generate.bif"}"#),
        (EventKind::Server, r#"{"state":"update","update":"done","version":"1.2.3","release":"https://example.org/121"}"#),
        (EventKind::Preference, r#"{"id":"Debug","type":"bool","default":false,"value":true}"#),
        (EventKind::Raw, r#"{"dialect":"plex","name":"provider.content.change","payload":{"X":{"a":1.50}}}"#),
        (EventKind::Raw, r#"{"dialect":"plex","name":"a \"b\"","payload":{"L\u0041":[{"a":1},{"a":2}]}}"#),
    ];
    let samples = EventKind::ALL.iter().map(|kind| sample_event(*kind));
    samples.chain(more.into_iter().map(|(kind, data)| event(kind, data))).collect()
}

fn golden(name: &str, expected: &str, form: Form, admin: bool) {
    let pair = all(form);
    let format = if admin { pair.full } else { pair.abridged };
    let text: String = told().into_iter().map(|event| sent(event, format, form)).collect();
    if std::env::var("FANFARE_GOLDEN").as_deref() == Ok("write") {
        let path = format!("{}/src/dialect/plex/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(path, &text).expect("written");
        return;
    }
    assert_eq!(text, expected, "{name}");
}

#[test]
fn every_kind_is_written_exactly_so_in_both_forms() {
    golden("sse", include_str!("../golden/sse.txt"), Form::Sse, true);
    golden("sse_user", include_str!("../golden/sse_user.txt"), Form::Sse, false);
    golden("websocket", include_str!("../golden/websocket.txt"), Form::WebSocket, true);
}

#[test]
fn both_forms_carry_the_same_items() {
    for event in told() {
        let [sse, websocket] = [Form::Sse, Form::WebSocket].map(|form| sent(event.clone(), all(form).full, form));
        let of_sse: Vec<_> = sse
            .split_terminator("\n\n")
            .map(|message| {
                let (name, data) = message.split_once('\n').expect("two lines");
                let data: serde_json::Value = serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON");
                let (list, item) = data.as_object().and_then(|data| data.iter().next()).expect("one field");
                (name.strip_prefix("event: ").expect("a name").to_owned(), list.clone(), item.clone())
            })
            .collect();
        let of_websocket: Vec<_> = websocket
            .lines()
            .map(|payload| {
                let message: serde_json::Value = serde_json::from_str(payload).expect("JSON");
                let container = message["NotificationContainer"].as_object().expect("a container");
                assert_eq!((container.len(), &container["size"]), (3, &serde_json::json!(1)), "{payload}");
                let (list, items) = container.iter().find(|(_, value)| value.is_array()).expect("a list");
                assert_eq!(items.as_array().map(Vec::len), Some(1));
                (container["type"].as_str().expect("a type").to_owned(), list.clone(), items[0].clone())
            })
            .collect();
        assert_eq!(of_sse, of_websocket);
    }
}

#[test]
fn a_scan_is_an_activity_to_administrators_and_a_status_to_readers() {
    let scan = |state: &str| envelope(event(EventKind::Scan, &format!(r#"{{"library":"films","state":"{state}"}}"#)));
    let names = |envelope: &Envelope, format| -> Vec<String> {
        let text = bytes(envelope, format).map(|bytes| String::from_utf8(bytes.to_vec()).expect("text")).unwrap_or_default();
        text.lines().filter_map(|line| line.strip_prefix("event: ").map(str::to_owned)).collect()
    };
    let nothing: [&str; 0] = [];
    for (state, admins, readers) in [
        ("started", vec!["activity", "status"], vec!["status"]),
        ("progress", vec!["activity"], vec![]),
        ("failed", vec!["activity", "status"], vec!["status"]),
    ] {
        let everything = all(Form::Sse);
        assert_eq!(names(&scan(state), everything.full), admins);
        assert_eq!(names(&scan(state), everything.abridged), readers);
        let (status, activity) = (wanting(&[NoticeType::Status]), wanting(&[NoticeType::Activity]));
        assert_eq!(names(&scan(state), status.full), readers, "a filter for status");
        assert_eq!(names(&scan(state), activity.full), ["activity"], "a filter for activity");
        assert_eq!(names(&scan(state), activity.abridged), nothing, "for administrators only");
        assert_eq!(names(&scan(state), wanting(&[NoticeType::Playing]).full), nothing);
    }
}

#[test]
fn whoever_is_told_the_same_shares_the_bytes_and_nobody_gets_those_of_another() {
    let scan = envelope(sample_event(EventKind::Scan));
    let (everything, status) = (all(Form::Sse), wanting(&[NoticeType::Status, NoticeType::Log]));
    let reader = bytes(&scan, everything.abridged).expect("status");
    assert_eq!(reader.as_ptr(), bytes(&scan, status.full).expect("status").as_ptr());
    assert_eq!(reader.as_ptr(), bytes(&scan, status.abridged).expect("status").as_ptr());
    assert_ne!(reader, bytes(&scan, everything.full).expect("both"));
    let film = envelope(sample_event(EventKind::Movies));
    assert_eq!(bytes(&film, everything.full).expect("told").as_ptr(), bytes(&film, status.abridged).expect("told").as_ptr());
    let slots: std::collections::HashSet<_> = [Form::Sse, Form::WebSocket].map(|form| all(form).full.slot()).into();
    assert_eq!(slots.len(), 2, "forms share nothing");
}

#[test]
fn who_may_see_the_activity_of_a_scan_is_asked_of_server_administrators_only() {
    let pair = all(Form::Sse);
    let scan = sample_event(EventKind::Scan);
    let is_admin = |rule: &Rule| *rule == Rule::Admins;
    assert!(std::ptr::addr_eq(pair.pick(&scan, is_admin), pair.full));
    assert!(std::ptr::addr_eq(pair.pick(&scan, |rule| !is_admin(rule)), pair.abridged), "an administrator of the library is none");
    assert!(std::ptr::addr_eq(pair.pick(&sample_event(EventKind::User), |_| true), pair.abridged), "the same for all");
}

#[test]
fn each_transcode_type_is_told_to_those_who_want_it_only() {
    let transcode = |state: &str| event(EventKind::Transcode, &format!(r#"{{"id":"t1","user":"bob","state":"{state}"}}"#));
    let ends = wanting(&[NoticeType::TranscodeEnd]).abridged;
    assert_eq!(sent(transcode("start"), ends, Form::Sse), "");
    assert_eq!(sent(transcode("update"), ends, Form::Sse), "");
    assert!(sent(transcode("end"), ends, Form::Sse).starts_with("event: transcodeSession.end\n"));
    let convert = event(EventKind::ConvertProgress, r#"{"library":"films","mediaId":"m","progress":1,"status":"processing"}"#);
    assert_eq!(sent(convert, ends, Form::Sse), "");
}

#[test]
fn a_publishers_own_fields_go_over_ours_and_secrets_do_not_pass() {
    let film = r#"{"library":"films","dialects":{"plex":{"identifier":"tv.plex.x","library":{"root":"/srv"}}},"movies":[{"action":"Updated","movie":{"id":"7","name":"F","dialects":{"plex":{"title":"Ours","queueSize":3}}}}]}"#;
    let text = sent(event(EventKind::Movies, film), all(Form::Sse).full, Form::Sse);
    let entry = r#"{"identifier":"tv.plex.x","sectionID":"1","itemID":"7","type":1,"title":"Ours","state":5,"updatedAt":1768600000,"library":{},"queueSize":3}"#;
    assert_eq!(text, format!("event: timeline\ndata: {{\"TimelineEntry\":{entry}}}\n\n"));
}

#[test]
fn an_overlay_goes_over_the_fields_a_status_has_and_adds_none_for_readers() {
    let scan = r#"{"library":"films","state":"finished","dialects":{"plex":{"title":"Fertig","description":"3 neu","Activity":{"subtitle":"/srv/lost"}}}}"#;
    let status = "event: status\ndata: {\"StatusNotification\":{\"title\":\"Fertig\",\"description\":\"3 neu\",\"notificationName\":\"LIBRARY_UPDATE\"}}\n\n";
    assert_eq!(sent(event(EventKind::Scan, scan), all(Form::Sse).abridged, Form::Sse), status);
    let admin = sent(event(EventKind::Scan, scan), all(Form::Sse).full, Form::Sse);
    assert!(admin.ends_with(status) && admin.contains("/srv/lost"), "{admin}");
}

#[test]
fn nobody_is_sent_secrets_of_an_activitys_objects_or_of_a_user() {
    let secrets = r#"{"id":"l","root":"s3cret","credentials":"s3cret"}"#;
    let activity = format!(
        r#"{{"id":"a1","user":"bob","type":"t","state":"updated","context":{{"key":"/a","library":{secrets}}},"response":{{"library":{secrets},"user":{{"id":"bob","token":"s3cret"}}}}}}"#
    );
    let user = r#"{"action":"Updated","dialects":{"plex":{"authToken":"s3cret","thumb":"/t"}},"user":{"id":"bob","dialects":{"plex":{"token":"s3cret","password":"s3cret","home":true}}}}"#;
    for form in [Form::Sse, Form::WebSocket] {
        for format in [all(form).abridged, all(form).full] {
            let told = sent(event(EventKind::Activity, &activity), format, form);
            assert!(
                told.contains(r#""Context":{"key":"/a","library":{"id":"l"}},"Response":{"library":{"id":"l"},"user":{"id":"bob"}}"#),
                "{told}"
            );
            assert!(!told.contains("s3cret"), "{told}");
            let told = sent(event(EventKind::User, user), format, form);
            assert!(told.contains(r#""event":"updated","thumb":"/t","home":true}"#) && !told.contains("s3cret"), "{told}");
        }
    }
}

#[test]
fn what_is_no_item_is_not_sent() {
    for payload in ["1", "[]", "{}", r#"{"a":1,"b":2}"#, r#"{"a":[]}"#] {
        let raw = format!(r#"{{"dialect":"plex","name":"x","payload":{payload}}}"#);
        assert_eq!(sent(event(EventKind::Raw, &raw), all(Form::Sse).full, Form::Sse), "", "{payload}");
    }
    let other = event(EventKind::Raw, r#"{"dialect":"redseat","name":"x","payload":{"a":{}}}"#);
    assert_eq!(sent(other, all(Form::Sse).full, Form::Sse), "");
}

#[test]
fn the_same_libraries_share_their_formats() {
    assert!(std::ptr::addr_eq(all(Form::Sse).full, all(Form::Sse).full));
    let others = Formats::of(Sections::default()).pair(Form::Sse, TypeSet::of(&NoticeType::ALL));
    assert!(!std::ptr::addr_eq(all(Form::Sse).full, others.full));
}
