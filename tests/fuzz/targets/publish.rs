//! The formats of publishing: the same event, however it is sent, is read the same; JSON is what everybody calls JSON.

use fanfare::{
    event::{Limits, json},
    source::cloudevents::{Draft, DraftError, read_body},
};
use serde_json::{Value, value::RawValue};

pub(super) fn target(data: &[u8]) {
    let limits = Limits::default();
    one_event_in_every_wrapping(data, &limits);
    for content_type in ["application/cloudevents-batch+json", "application/x-ndjson"] {
        // The verdicts differ; that there is one for each, and no panic, is what is asked here.
        let _ = read_body(data, Some(content_type), [], &limits);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        compact_means_the_same(text, limits.max_depth());
    }
    headers_say_what_fields_say(data, &limits);
}

/// Plain, structured, in a batch and as a line.
fn one_event_in_every_wrapping(body: &[u8], limits: &Limits) {
    let plain = only(body, None, limits);
    assert_eq!(only(body, Some("application/cloudevents+json; charset=utf-8"), limits), plain, "structured");
    if plain.is_err() {
        return;
    }
    let batch = [b"[".as_slice(), body, b",", body, b"]"].concat();
    let drafts = read_body(&batch, Some("application/cloudevents-batch+json"), [], limits).expect("an array of good events is a batch");
    let drafts: Vec<_> = drafts.into_iter().map(|draft| shown(&draft)).collect();
    assert_eq!(drafts, [plain.clone(), plain.clone()], "batch");
    if !body.contains(&b'\n') {
        assert_eq!(only(body, Some("application/jsonl"), limits), plain, "line");
    }
}

/// Our one pass accepts what serde accepts, and changes nothing but white space.
fn compact_means_the_same(text: &str, max_depth: usize) {
    let ours = json::compact(text, max_depth);
    let theirs: Result<&RawValue, _> = serde_json::from_str(text);
    match (&ours, &theirs) {
        (Ok(compact), Ok(_)) => {
            assert!(!compact.contains(['\r', '\n', '\0']), "{compact:?}");
            assert_eq!(json::compact(compact, max_depth).as_deref(), Ok(compact.as_str()), "compact text is left alone");
            // Numbers out of range and half surrogates are JSON that serde cannot hold as values.
            if let (Ok(before), Ok(after)) = (serde_json::from_str::<Value>(text), serde_json::from_str::<Value>(compact)) {
                assert_eq!(before, after);
            }
        }
        (Err(_), Err(_)) => {}
        (Err(error), Ok(_)) => assert_eq!(error.problem, json::SyntaxProblem::Depth, "refused: {text:?}"),
        (Ok(_), Err(error)) => assert!(error.to_string().contains("recursion limit"), "accepted: {text:?}: {error}"),
    }
}

/// Binary mode against structured mode: attributes in headers, or as fields.
fn headers_say_what_fields_say(data: &[u8], limits: &Limits) {
    let [kind, id, source, audience, time, body] = super::parts(data);
    if body.is_empty() || serde_json::from_slice::<&RawValue>(body).is_err() {
        return;
    }
    let mut headers = Vec::new();
    let mut fields = Vec::new();
    for (name, value) in [("type", kind), ("id", id), ("source", source), ("audience", audience), ("time", time)] {
        let Ok(value) = std::str::from_utf8(value) else { return };
        if value.contains('%') {
            return; // the headers' escape
        }
        if !value.is_empty() {
            headers.push((format!("Ce-{name}"), value));
            fields.push(format!("\"{name}\":{}", serde_json::to_string(value).expect("a string is JSON")));
        }
    }
    let headers = headers.iter().map(|(name, value)| (name.as_str(), *value));
    let binary = Draft::parse_binary(body, headers, limits);
    let mut structured = format!("{{{}{}\"data\":", fields.join(","), if fields.is_empty() { "" } else { "," }).into_bytes();
    structured.extend_from_slice(body);
    structured.push(b'}');
    let structured = Draft::parse(&structured, limits);
    match (&binary, &structured) {
        (_, Err(DraftError::TooLarge { .. })) => {}
        (Ok(_), _) | (_, Ok(_)) => assert_eq!(parts_of(&binary), parts_of(&structured)),
        (Err(binary), Err(structured)) => assert_eq!(binary, structured),
    }
}

/// A draft without the text it was cut from, which differs.
fn parts_of(draft: &Result<Draft, DraftError>) -> Result<String, &DraftError> {
    let draft = draft.as_ref()?;
    let Draft { event, audience, id, source, time } = draft;
    Ok(format!("{:?} {} {audience:?} {id:?} {source:?} {time:?}", event.kind(), event.message()))
}

fn only(body: &[u8], content_type: Option<&str>, limits: &Limits) -> Result<String, DraftError> {
    let drafts = read_body(body, content_type, [], limits)?;
    assert!(drafts.len() <= 1, "one body gave {} events", drafts.len());
    drafts.first().map_or(Ok(String::new()), shown)
}

fn shown(draft: &Result<Draft, DraftError>) -> Result<String, DraftError> {
    draft.as_ref().map(|draft| parts_of(&Ok(draft.clone())).unwrap_or_default()).map_err(Clone::clone)
}
