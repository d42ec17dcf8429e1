//! The exact text of every kind, in both spellings; and what a plain reader of server-sent events makes of it.
//!
//! The golden files hold what must go over the wire, kind after kind. `FANFARE_GOLDEN=write` writes them anew: read the
//! difference before it is committed.

use super::*;
use crate::{
    event::{
        Encoded, Level, Rule,
        samples::{sample, sample_event},
    },
    id::{LibraryId, UserId},
};

fn envelope(event: Event) -> Envelope {
    let audience = event.audience();
    Envelope::new(event, audience, "e1".into(), 0, 1)
}

fn frame(event: Event, format: &dyn FrameFormat) -> Option<String> {
    match envelope(event).frame(format) {
        Encoded::Frame(bytes) => Some(String::from_utf8(bytes.to_vec()).expect("text")),
        Encoded::NotCarried => None,
        Encoded::Failed => panic!("the encoder panicked"),
    }
}

fn golden(name: &str, expected: &str, format: &dyn FrameFormat) {
    let text: String = EventKind::ALL.iter().filter_map(|kind| frame(sample_event(*kind), format)).collect();
    if std::env::var("FANFARE_GOLDEN").as_deref() == Ok("write") {
        let path = format!("{}/src/dialect/redseat/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(path, &text).expect("written");
        return;
    }
    assert_eq!(text, expected, "{name}");
}

#[test]
fn every_kind_is_written_exactly_so() {
    let (document, server) = (formats(Spelling::Document, true), formats(Spelling::Server, true));
    golden("document_full", include_str!("../golden/document_full.txt"), document.full);
    golden("document_abridged", include_str!("../golden/document_abridged.txt"), document.abridged);
    golden("server_full", include_str!("../golden/server_full.txt"), server.full);
    golden("server_abridged", include_str!("../golden/server_abridged.txt"), server.abridged);
}

#[test]
fn the_benches_event_has_the_size_the_figures_are_for() {
    let text = frame(sample_event(EventKind::Medias), formats(Spelling::Document, false).abridged);
    assert_eq!(text.expect("carried").len(), 267);
}

#[test]
fn document_002_and_the_notes_are_met_word_for_word() {
    let data = r#"{"library":"lib1","medias":[{"action":"Added","media":{"id":"m1","name":"a.jpg","type":"photo","mimetype":"image/jpeg","size":12,"added":1,"modified":1,"created":1}}]}"#;
    let medias = || Event::parse(EventKind::Medias, data).expect("valid");
    let document = formats(Spelling::Document, false).abridged;
    assert_eq!(frame(medias(), document).expect("carried"), format!("event: medias\ndata: {{\"Medias\":{data}}}\n\n"));
    let server = formats(Spelling::Server, false).abridged;
    let lower = data.replace("Added", "added");
    assert_eq!(frame(medias(), server).expect("carried"), format!("event: medias\ndata: {{\"medias\":{lower}}}\n\n"));
    let file = Event::parse(EventKind::BackupsFiles, r#"{"library":"lib1","file":"m1","progress":42}"#).expect("valid");
    let text = "event: backups-files\ndata: {\"BackupsFiles\":{\"library\":\"lib1\",\"file\":\"m1\",\"progress\":42}}\n\n";
    assert_eq!(frame(file, document).expect("carried"), text);
}

#[test]
fn a_scan_is_status_to_those_who_did_not_name_it_and_administer_the_library() {
    let scan = |state: &str| Event::parse(EventKind::Scan, &format!(r#"{{"library":"films","name":"F",{state}}}"#)).expect("valid");
    let progress = || scan(r#""state":"progress","progress":12.5"#);
    let unnamed = formats(Spelling::Document, false);
    assert_eq!(
        frame(progress(), unnamed.full).expect("carried"),
        "event: library-status\ndata: {\"LibraryStatus\":{\"message\":\"scan 12%\",\"library\":\"films\",\"progress\":12.5}}\n\n"
    );
    assert_eq!(
        frame(scan(r#""state":"failed","error":"no \"disk\"\n""#), formats(Spelling::Server, false).full).expect("carried"),
        "event: library-status\ndata: {\"libraryStatus\":{\"message\":\"scan failed: no \\\"disk\\\"\\n\",\"library\":\"films\"}}\n\n"
    );
    assert_eq!(frame(scan(r#""state":"started""#), unnamed.abridged), None);
    assert!(frame(progress(), formats(Spelling::Document, true).full).expect("carried").starts_with("event: scan\n"));
}

#[test]
fn who_may_see_the_whole_of_an_event_is_asked_per_event() {
    let pair = formats(Spelling::Document, true);
    let films = Rule::Library(LibraryId::parse("films").expect("id"), Level::Admin);
    let admin_of_films = |rule: &Rule| *rule == films;
    assert_eq!(pair.pick(&sample_event(EventKind::Scan), admin_of_films).slot(), pair.full.slot());
    assert_eq!(pair.pick(&sample_event(EventKind::Library), admin_of_films).slot(), pair.abridged.slot());
    assert_eq!(pair.pick(&sample_event(EventKind::Medias), |_| true).slot(), pair.abridged.slot());
}

#[test]
fn formats_that_share_a_cell_agree_whoever_comes_first() {
    let (named, unnamed) = (formats(Spelling::Document, true), formats(Spelling::Document, false));
    assert_eq!(named.abridged.slot(), unnamed.abridged.slot());
    let scan = envelope(sample_event(EventKind::Scan));
    assert!(matches!(scan.frame(unnamed.abridged), Encoded::NotCarried));
    assert!(matches!(scan.frame(named.abridged), Encoded::Frame(_)));
    assert!(matches!(scan.frame(unnamed.abridged), Encoded::NotCarried));
}

#[test]
fn no_secret_is_in_the_abridged_form() {
    for spelling in [Spelling::Document, Spelling::Server] {
        for kind in EventKind::ALL {
            let text = frame(sample_event(*kind), formats(spelling, true).abridged).expect("carried");
            for secret in ["/srv/films", "faceThreshold", "credentials", "never-shown", "results"] {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
    }
}

#[test]
fn raw_events_of_other_dialects_are_not_carried() {
    let raw =
        |dialect: &str| Event::parse(EventKind::Raw, &format!(r#"{{"dialect":"{dialect}","name":"x","payload":[1.50]}}"#)).expect("valid");
    let format = formats(Spelling::Server, false).abridged;
    assert_eq!(frame(raw("redseat"), format).as_deref(), Some("event: x\ndata: [1.50]\n\n"));
    assert_eq!(frame(raw("plex"), format), None);
}

#[test]
fn a_plain_reader_gets_the_message_back() {
    for kind in EventKind::ALL {
        let text = frame(sample_event(*kind), formats(Spelling::Document, true).full).expect("carried");
        let (name, data) = read(&text);
        let data: serde_json::Value = serde_json::from_str(&data).expect("json");
        let message: serde_json::Value = serde_json::from_str(sample(*kind)).expect("json");
        if *kind == EventKind::Raw {
            assert_eq!((name.as_str(), &data), ("watched", &message["payload"]));
        } else {
            assert_eq!((name.as_str(), &data[kind.wrapper()]), (kind.name(), &message));
        }
    }
}

proptest::proptest! {
    #[test]
    fn whatever_a_publisher_writes_comes_back_as_one_event(text in proptest::prelude::any::<String>(), name in "[a-zA-Z:\u{85}\u{2028} ]{1,9}") {
        let message = serde_json::json!({"library": "l", "message": text});
        let Ok(event) = Event::from_value(EventKind::LibraryStatus, &message) else { panic!("valid") };
        let (read_name, data) = read(&frame(event, formats(Spelling::Document, false).abridged).expect("carried"));
        proptest::prop_assert_eq!(read_name, "library-status");
        let data: serde_json::Value = serde_json::from_str(&data).expect("json");
        proptest::prop_assert_eq!(&data["LibraryStatus"], &message);
        let raw = serde_json::json!({"dialect": "redseat", "name": name, "payload": text});
        if let Ok(event) = Event::from_value(EventKind::Raw, &raw) {
            let (read_name, data) = read(&frame(event, formats(Spelling::Document, false).abridged).expect("carried"));
            proptest::prop_assert_eq!(read_name, name);
            proptest::prop_assert_eq!(serde_json::from_str::<String>(&data).expect("json"), text);
        }
    }
}

/// A small reader of server-sent events after the WHATWG rules: exactly one event must come out.
fn read(text: &str) -> (String, String) {
    let lines: Vec<_> = text.split(['\r', '\n']).collect();
    let (mut name, mut data, mut events) = (String::new(), Vec::new(), Vec::new());
    for line in &lines[..lines.len() - 1] {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" if line.is_empty() => events.push((std::mem::take(&mut name), std::mem::take(&mut data).join("\n"))),
            "event" => name = value.to_owned(),
            "data" => data.push(value.to_owned()),
            _ => panic!("unexpected line {line:?}"),
        }
    }
    assert_eq!(events.len(), 1, "{text:?}");
    events.remove(0)
}

#[test]
fn a_user_is_told_of_himself_without_his_token() {
    let event = sample_event(EventKind::User);
    assert_eq!(event.rule(), Rule::UserOrAdmins(UserId::parse("bob").expect("id")));
    let pair = formats(Spelling::Server, true);
    let text = frame(event.clone(), pair.pick(&event, |_| false)).expect("carried");
    assert_eq!(
        text,
        "event: user\ndata: {\"user\":{\"action\":\"updated\",\"user\":{\"id\":\"bob\",\"name\":\"Bob\",\"settings\":{\"theme\":\"dark\"}}}}\n\n"
    );
}
