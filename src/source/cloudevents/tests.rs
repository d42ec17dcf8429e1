//! Each format, and each way to be refused.

use super::*;
use crate::event::{EventKind, Rule, Who, samples::sample};

const SCAN: &str = r#"{"type":"scan","data":{"library":"films","state":"started"}}"#;

fn parse(body: &str) -> Result<Draft, DraftError> {
    Draft::parse(body.as_bytes(), &Limits::default())
}

fn path(body: &str) -> String {
    match parse(body) {
        Err(DraftError::Field(error)) => error.path,
        other => panic!("{body} gives {other:?}"),
    }
}

fn only(body: &[u8], content_type: Option<&str>, headers: &[(&str, &str)]) -> Result<Draft, DraftError> {
    let mut drafts = read_body(body, content_type, headers.iter().copied(), &Limits::default())?;
    assert_eq!(drafts.len(), 1);
    drafts.remove(0)
}

#[test]
fn every_kind_that_may_be_published_is_read_from_plain_json() {
    for kind in EventKind::ALL {
        let audience = if *kind == EventKind::Raw { r#","audience":"all""# } else { "" };
        let body = format!(r#"{{"type":"{kind}","data":{}{audience}}}"#, sample(*kind));
        if matches!(kind, EventKind::Presence | EventKind::Request | EventKind::Stats) {
            assert_eq!(path(&body), "type");
        } else {
            assert_eq!(parse(&body).expect("valid").event.kind(), *kind);
        }
    }
}

#[test]
fn plain_json_is_what_comes_without_a_type_or_with_that_of_curl() {
    for content_type in [None, Some("application/json; charset=UTF-8"), Some("application/x-www-form-urlencoded")] {
        assert!(only(SCAN.as_bytes(), content_type, &[]).is_ok(), "{content_type:?}");
    }
    for content_type in ["text/plain", "application/json; charset=latin1", "application/xml"] {
        assert_eq!(BodyFormat::of(Some(content_type), []), Err(DraftError::ContentType));
    }
}

#[test]
fn structured_attributes_are_kept_and_unknown_ones_ignored() {
    let body = r#"{"specversion":"1.0","id":"e1","source":"/disk","type":"scan","time":"2026-01-16T10:00:00.5Z","subject":"x",
        "datacontenttype":"application/json","traceparent":7,"audience":"user:bob","data":{"library":"films","state":"started"}}"#;
    let draft = only(body.as_bytes(), Some("application/cloudevents+json"), &[]).expect("valid");
    assert_eq!((draft.id.as_deref(), draft.source.as_deref()), (Some("e1"), Some("/disk")));
    assert_eq!(draft.time, Some(Timestamp(1_768_557_600_500)));
    assert_eq!(draft.audience.only.iter().map(ToString::to_string).collect::<Vec<_>>(), ["user:bob"]);
    assert_eq!(draft.event.message(), r#"{"library":"films","state":"started"}"#);
}

#[test]
fn a_wrong_attribute_is_named() {
    let with = |attribute: &str| SCAN.replacen('{', &format!("{{{attribute},"), 1);
    assert_eq!(path(&with(r#""specversion":"0.3""#)), "specversion");
    assert_eq!(path(&with(r#""time":"yesterday""#)), "time");
    assert_eq!(path(&with(r#""id":"""#)), "id");
    assert_eq!(path(&with(&format!(r#""source":"{}""#, "x".repeat(257)))), "source");
    assert_eq!(path(&with(r#""id":"a\nb""#)), "id");
    assert_eq!(path(&with(r#""id":7"#)), "id");
    assert_eq!(path(&with(r#""data_base64":"e30=""#)), "data_base64");
    assert_eq!(path(&with(r#""datacontenttype":"text/xml""#)), "datacontenttype");
    assert_eq!(path(&with(r#""type":"scan""#)), "type");
    assert_eq!(path(&with(r#""audience":"group:x""#)), "audience");
    assert_eq!(path(r#"{"type":"scan"}"#), "data");
    assert_eq!(path(r#"{"data":{}}"#), "type");
    assert_eq!(path(r#"{"type":"scan","data":[]}"#), "data");
    for name in ["gap", "expiring", "stats", "presence", "request", "nonsense"] {
        assert_eq!(path(&format!(r#"{{"type":"{name}","data":{{}}}}"#)), "type");
    }
}

#[test]
fn an_audience_may_name_the_events_own_library_only() {
    let with = |audience: &str| SCAN.replacen('{', &format!(r#"{{"audience":"{audience}","#), 1);
    assert!(parse(&with("library-admin:films, user:bob")).is_ok());
    assert_eq!(path(&with("library:music")), "audience");
    assert_eq!(path(&with("library:films,library-admin:music")), "audience");
}

#[test]
fn a_raw_event_needs_an_audience_and_takes_its_library_from_it() {
    let raw =
        |name: &str, audience: &str| format!(r#"{{"type":"raw","data":{{"dialect":"redseat","name":"{name}","payload":null}}{audience}}}"#);
    assert_eq!(path(&raw("watched", "")), "audience");
    assert_eq!(path(&raw("gap", r#","audience":"all""#)), "data.name");
    assert_eq!(path(&raw("watched", r#","audience":"library:a,library:b""#)), "audience");
    let draft = parse(&raw("watched", r#","audience":"library-admin:films""#)).expect("valid");
    assert_eq!(draft.event.library().map(|library| library.as_str()), Some("films"));
    assert_eq!(draft.audience.rule, Rule::Everyone);
}

#[test]
fn a_message_to_one_session_is_for_that_session_only() {
    let body = r#"{"type":"message","data":{"text":"hello","to":"session:1-2-3"}}"#;
    assert!(matches!(*parse(body).expect("valid").audience.only, [Who::Session(_)]));
    assert_eq!(path(&body.replacen('{', r#"{"audience":"all","#, 1)), "audience");
}

#[test]
fn binary_mode_takes_the_attributes_from_percent_encoded_headers() {
    let headers = [("Ce-Type", "scan"), ("ce-id", "d%C3%A9j%C3%A0"), ("ce-source", "s"), ("ce-other", "x"), ("Host", "h")];
    let body = br#"{"library":"films", "state":"started"}"#;
    let draft = only(body, Some("application/json"), &headers).expect("valid");
    assert_eq!(draft.id.as_deref(), Some("déjà"));
    assert_eq!(draft.event.message(), r#"{"library":"films","state":"started"}"#);
    let twice = only(body, None, &[("ce-type", "scan"), ("CE-TYPE", "log")]);
    assert!(matches!(twice, Err(DraftError::Field(FieldError { path, .. })) if path == "type"));
}

#[test]
fn items_of_a_batch_and_lines_are_independent() {
    let batch = format!(r#"[{SCAN},{{"type":"scan","data":{{}}}},7,{SCAN}]"#);
    let drafts = read_body(batch.as_bytes(), Some("application/cloudevents-batch+json"), [], &Limits::default()).expect("an array");
    assert_eq!(drafts.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false, true]);
    let lines = format!("{SCAN}\r\n{{\n\n{SCAN}");
    let drafts = read_body(lines.as_bytes(), Some("application/x-ndjson"), [], &Limits::default()).expect("lines");
    assert_eq!(drafts.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
}

#[test]
fn what_cannot_be_parsed_is_told_apart_from_a_wrong_field() {
    assert!(matches!(parse("{"), Err(DraftError::Syntax(_))));
    assert!(matches!(parse(&format!("[{SCAN}]")), Err(DraftError::Shape(text)) if text.contains("batch")));
    assert!(matches!(parse("7"), Err(DraftError::Shape(_))));
    assert!(matches!(Draft::parse(b"\xff", &Limits::default()), Err(DraftError::Encoding(_))));
    let small = Limits { event_bytes: 10, ..Limits::default() };
    assert_eq!(Draft::parse(SCAN.as_bytes(), &small).expect_err("too large"), DraftError::TooLarge { limit: 10 });
    let deep = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!(r#"{{"type":"scan","data":{{"library":"l","state":"started","x":{open}{close}}}}}"#)
    };
    assert!(parse(&deep(63)).is_ok());
    assert_eq!(path(&deep(64)), "data");
    let batch = format!("[{},{SCAN}]", deep(64));
    let drafts = read_body(batch.as_bytes(), Some("application/cloudevents-batch+json"), [], &Limits::default()).expect("an array");
    assert_eq!(drafts.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true]);
}
