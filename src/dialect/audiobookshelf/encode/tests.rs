//! The exact text of every kind, in both forms; what is whose own; and which bytes are shared.
//!
//! The golden files hold what must go over the wire, kind after kind. `FANFARE_GOLDEN=write` writes them anew: read the
//! difference before it is committed.

use super::*;
use crate::{
    clock::Timestamp,
    config::{Library, Settings},
    event::{Encoded, samples::sample_event},
    id::UserId,
};

const SETTINGS: &str = r#"
[[libraries]]
id = "books"
name = "Books"
kind = "books"
[[libraries]]
id = "pods"
kind = "podcasts"
ids = { audiobookshelf = "0f0e0d0c-0b0a-0908-0706-050403020100" }
[[libraries]]
id = "photos"
kind = "photos"
[[users]]
id = "bob"
name = "Bob"
libraries = { books = "read" }
tags = ["kids"]
explicit = false
[[users]]
id = "root"
admin = true
"#;

fn formats() -> &'static Formats {
    let settings = Settings::parse(SETTINGS).expect("valid");
    let libraries: Vec<Library> = settings.libraries;
    Formats::of(Place::new(&libraries, &settings.users))
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

/// The payload of each frame on a line, every one a whole text frame and an event of Socket.IO.
fn lines(bytes: &[u8]) -> String {
    let (mut rest, mut text) = (bytes, String::new());
    while let [0x81, length, tail @ ..] = rest {
        let (length, payload) = match length {
            126 => (usize::from(u16::from_be_bytes([tail[0], tail[1]])), &tail[2..]),
            length => (usize::from(*length), tail),
        };
        let line = std::str::from_utf8(&payload[..length]).expect("text");
        let packet: Vec<serde_json::Value> = serde_json::from_str(line.strip_prefix("42").expect("an event")).expect("JSON");
        assert!(packet.len() <= 2 && packet[0].is_string() && packet.get(1).is_none_or(|data| !data.is_null()), "{line}");
        text.push_str(line);
        text.push('\n');
        rest = &payload[length..];
    }
    assert!(rest.is_empty(), "no text frame: {rest:?}");
    text
}

fn sent(envelope: &Envelope, format: &dyn FrameFormat) -> String {
    match envelope.frame(format) {
        Encoded::Frame(bytes) => lines(bytes),
        Encoded::NotCarried => String::new(),
        Encoded::Failed => panic!("the encoder panicked"),
    }
}

/// What that reader is sent, if he is in the audience at all.
fn sent_to(envelope: &Envelope, format: &dyn FrameFormat, reader: Reader<'_>) -> String {
    match envelope.frame_for(format, reader) {
        Encoded::Frame(bytes) => lines(&bytes),
        Encoded::NotCarried => String::new(),
        Encoded::Failed => panic!("the encoder panicked"),
    }
}

/// What the samples do not show.
const MORE: &[(EventKind, &str)] = &[
    (EventKind::Library, r#"{"action":"Added","library":{"id":"books","name":"Books","type":"books","root":"/srv/never-shown"}}"#),
    (
        EventKind::Library,
        r#"{"action":"Updated","library":{"id":"new","type":"podcasts","dialects":{"audiobookshelf":{"icon":"radio","settings":{"coverAspectRatio":0}}}}}"#,
    ),
    (EventKind::Library, r#"{"action":"Deleted","library":{"id":"books"}}"#),
    (EventKind::Library, r#"{"action":"Added","library":{"id":"photos","type":"photos"}}"#),
    (
        EventKind::Medias,
        r#"{"library":"books","medias":[{"action":"Added","media":{"id":"b1","name":"A \"Book\"","tags":["kids",{"id":"t","name":"new"}],"explicit":false,"year":1984,"size":12,"description":"d","added":5}}]}"#,
    ),
    (
        EventKind::Medias,
        r#"{"library":"books","medias":[{"action":"Updated","media":{"id":"b1","ids":{"audiobookshelf":"11111111-2222-3333-4444-555555555555"},"dialects":{"audiobookshelf":{"ino":"7","media":{"metadata":{"subtitle":"s","explicit":true},"tags":["x"],"duration":1.50}}}}},{"action":"Updated","media":{"id":"b2","name":"Two"}},{"action":"Deleted","media":{"id":"b3"}},{"action":"Deleted","media":{"id":"b4"}},{"action":"Added","media":{"id":"b5"}}]}"#,
    ),
    (EventKind::Medias, r#"{"library":"pods","medias":[{"action":"Added","media":{"id":"p1","name":"A Podcast","author":"Somebody"}}]}"#),
    (
        EventKind::Medias,
        r#"{"library":"other","medias":[{"action":"Added","media":{"id":"o1","name":"O","dialects":{"audiobookshelf":{"mediaType":"podcast"}}}},{"action":"Added","media":{"id":"o2"}}]}"#,
    ),
    (EventKind::Episodes, r#"{"library":"pods","episodes":[{"action":"Updated","episode":{"id":"ep1","name":"One"}}]}"#),
    (
        EventKind::Series,
        r#"{"library":"books","series":[{"action":"Added","serie":{"id":"s1","name":"Ser"}},{"action":"Deleted","serie":{"id":"s2"}}]}"#,
    ),
    (
        EventKind::People,
        r#"{"library":"books","people":[{"action":"Added","person":{"id":"a1","name":"An Author"}},{"action":"Updated","person":{"id":"a1","name":"An Author","numBooks":3}},{"action":"Deleted","person":{"id":"a2"}}]}"#,
    ),
    (
        EventKind::Collections,
        r#"{"library":"books","collections":[{"action":"Added","collection":{"id":"c1","name":"C","dialects":{"audiobookshelf":{"books":[{"id":"1","media":{"tags":["kids"],"metadata":{"explicit":false}}},{"id":"2","media":{"tags":[],"metadata":{"explicit":true}}}]}}}},{"action":"Deleted","collection":{"id":"c2"}}]}"#,
    ),
    (
        EventKind::MediaProgress,
        r#"{"library":"books","progress":{"id":"pr1","userRef":"bob","mediaRef":"b1","progress":10000,"duration":40000,"modified":7,"startedAt":3}}"#,
    ),
    (
        EventKind::MediaProgress,
        r#"{"library":"pods","progress":{"userRef":"bob","mediaRef":"p1","episodeId":"ep1","progress":40000,"duration":40000,"deviceDescription":"Chrome","sessionId":"s","dialects":{"audiobookshelf":{"data":{"ebookLocation":"x"}}}}}"#,
    ),
    (EventKind::MediaProgress, r#"{"library":"photos","progress":{"userRef":"bob","mediaRef":"x","progress":1}}"#),
    (
        EventKind::Playback,
        r#"{"session":"s1","user":"bob","client":{"id":"d1","name":"Phone","product":"App","version":"1"},"item":{"id":"b1","name":"A Book","author":"Somebody"},"library":"books","state":"playing","position":0,"duration":61500}"#,
    ),
    (
        EventKind::Playback,
        r#"{"session":"s1","user":{"id":"zoe","name":"Zoe"},"item":{"id":"p1","type":"podcast"},"state":"stopped","position":1500,"transcode":"t"}"#,
    ),
    (
        EventKind::Transcode,
        r#"{"id":"t1","user":"bob","session":"s1","state":"start","library":"books","item":{"id":"b1","name":"A Book"},"duration":61500}"#,
    ),
    (
        EventKind::Transcode,
        r#"{"id":"t1","user":"bob","state":"update","complete":true,"progress":100,"duration":61500,"minOffset":0,"maxOffset":61500}"#,
    ),
    (EventKind::Transcode, r#"{"id":"t1","user":"bob","state":"end","error":"no codec"}"#),
    (EventKind::Scan, r#"{"library":"books","id":"scan-1","state":"started"}"#),
    (EventKind::Scan, r#"{"library":"books","id":"scan-1","state":"progress","progress":12.5}"#),
    (EventKind::Scan, r#"{"library":"books","id":"scan-1","state":"finished","results":{"added":1,"updated":0,"missing":0,"elapsed":43}}"#),
    (EventKind::Scan, r#"{"library":"pods","state":"cancelled"}"#),
    (EventKind::Scan, r#"{"library":"books","state":"failed","error":"disk"}"#),
    (EventKind::Activity, r#"{"id":"a1","state":"started","type":"encode-m4b","title":"Encoding","library":"books"}"#),
    (EventKind::Activity, r#"{"id":"a1","state":"updated","type":"encode-m4b","progress":12.5,"context":{"libraryItemId":"b1"}}"#),
    (EventKind::Activity, r#"{"id":"a1","state":"ended","type":"encode-m4b"}"#),
    (EventKind::User, r#"{"action":"Added","user":{"id":"zoe","name":"Zoe","type":"guest","createdAt":5,"password":"never-shown"}}"#),
    (EventKind::User, r#"{"action":"Deleted","user":{"id":"bob"}}"#),
    (
        EventKind::User,
        r#"{"action":"Updated","user":{"id":"root","dialects":{"audiobookshelf":{"email":"r@x","accessToken":"never-shown"}}}}"#,
    ),
    (
        EventKind::Presence,
        r#"{"state":"offline","user":{"id":"bob","name":"Bob"},"playback":{"session":"s1","user":"bob","item":{"id":"b1","name":"A Book"},"state":"paused","position":1500},"progress":{"library":"books","progress":{"userRef":"bob","mediaRef":"b1","progress":10000}}}"#,
    ),
    (EventKind::Message, r#"{"text":"Dinner \"is\" ready","to":"user:bob"}"#),
    (EventKind::Log, r#"{"level":"fatal","message":"no\nmore","timestamp":"2026-11-21T08:05:28.456Z"}"#),
    (EventKind::Raw, r#"{"dialect":"audiobookshelf","name":"rss_feed_open","payload":{"id":"1","x":1.50}}"#),
    (EventKind::Raw, r#"{"dialect":"audiobookshelf","name":"backup_applied","payload":null}"#),
    (EventKind::Raw, r#"{"dialect":"audiobookshelf","name":"connect","payload":1}"#),
];

/// The samples, and what they do not show.
fn told() -> Vec<Event> {
    let samples = EventKind::ALL.iter().map(|kind| sample_event(*kind));
    samples.chain(MORE.iter().map(|(kind, data)| event(*kind, data))).collect()
}

fn golden(name: &str, expected: &str, format: &dyn FrameFormat) {
    let text: String = told().into_iter().map(|event| sent(&envelope(event), format)).collect();
    if std::env::var("FANFARE_GOLDEN").as_deref() == Ok("write") {
        let path = format!("{}/src/dialect/audiobookshelf/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(path, &text).expect("written");
        return;
    }
    assert_eq!(text, expected, "{name}");
}

#[test]
fn every_kind_is_written_exactly_so_in_both_forms() {
    let pair = formats().pair(0);
    golden("abridged", include_str!("../golden/abridged.txt"), pair.abridged);
    golden("full", include_str!("../golden/full.txt"), pair.full);
}

#[test]
fn nobodys_secret_is_told() {
    for event in told() {
        let envelope = envelope(event);
        for text in [sent(&envelope, formats().pair(0).abridged), sent(&envelope, formats().pair(0).full)] {
            assert!(!text.contains("never-shown") && !text.contains("password") && !text.contains("/srv"), "{text}");
        }
    }
}

#[test]
fn what_all_are_told_alike_is_written_once() {
    let envelope = envelope(event(EventKind::Message, r#"{"text":"x"}"#));
    let bytes = |logs: u8, full: bool| {
        let pair = formats().pair(logs);
        match envelope.frame(if full { pair.full } else { pair.abridged }) {
            Encoded::Frame(bytes) => bytes.as_ptr(),
            _ => panic!("carried"),
        }
    };
    assert_eq!(bytes(NO_LOGS, false), bytes(0, true));
    assert_eq!(bytes(NO_LOGS, false), bytes(4, false));
}

#[test]
fn a_listener_is_sent_lines_of_his_level_and_above_and_what_is_fatal_always() {
    let sees = |logs: u8, level: &str| {
        let line = envelope(event(EventKind::Log, &format!(r#"{{"level":"{level}","message":"m"}}"#)));
        !sent(&line, formats().pair(logs).full).is_empty()
    };
    for (logs, expected) in [
        (NO_LOGS, [false; 4]),
        (0, [true; 4]),
        (2, [false, true, true, true]),
        (4, [false, false, false, true]),
        (6, [false, false, false, true]),
    ] {
        assert_eq!(["debug", "info", "warn", "fatal"].map(|level| sees(logs, level)), expected, "{logs}");
    }
    assert!(!formats().pair(NO_LOGS).full.carries().contains(EventKind::Log));
}

#[test]
fn items_that_a_user_is_not_shown_are_taken_out_of_a_frame_of_his_own() {
    let data = r#"{"library":"books","medias":[{"action":"Added","media":{"id":"1","tags":["kids"]}},{"action":"Added","media":{"id":"2"}},{"action":"Added","media":{"id":"3","tags":["kids"],"explicit":true}},{"action":"Deleted","media":{"id":"4"}},{"action":"Deleted","media":{"id":"5","tags":["adults"]}}]}"#;
    let envelope = envelope(event(EventKind::Medias, data));
    let format = formats().pair(NO_LOGS).abridged;
    let tags = ["kids".to_owned()];
    let names = |reader: Reader<'_>| {
        let text = sent_to(&envelope, format, reader);
        let name = |line: &str| line[3..].split(',').next().map(|name| name.trim_matches('"').to_owned());
        text.lines().filter_map(name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(Reader::default()), "items_added item_removed item_removed");
    assert_eq!(names(Reader { tags: Some(&tags), ..Reader::default() }), "items_added item_removed");
    assert_eq!(names(Reader { tags: Some(&tags), explicit: Some(false), ..Reader::default() }), "item_added item_removed");
    assert_eq!(names(Reader { explicit: Some(false), ..Reader::default() }), "items_added item_removed item_removed");
    let only = event(EventKind::Medias, r#"{"library":"books","medias":[{"action":"Added","media":{"id":"2"}}]}"#);
    let only = self::envelope(only);
    assert_eq!(sent_to(&only, format, Reader { tags: Some(&tags), ..Reader::default() }), "", "nothing is left");
}

#[test]
fn what_is_a_users_own_reaches_no_administrator() {
    let (bob, root) = (UserId::parse("bob").expect("id"), UserId::parse("root").expect("id"));
    let format = formats().pair(NO_LOGS);
    for (kind, data, own, admins) in [
        (EventKind::User, r#"{"action":"Updated","user":{"id":"bob"}}"#, true, false),
        (EventKind::User, r#"{"action":"Added","user":{"id":"bob"}}"#, false, true),
        (EventKind::Transcode, r#"{"id":"t","user":"bob","state":"end"}"#, true, false),
        (EventKind::Playback, r#"{"session":"s","user":"bob","item":{"id":"b"},"state":"stopped","position":0}"#, false, true),
    ] {
        let envelope = envelope(event(kind, data));
        let is_told = |user, admin| {
            let picked = format.pick(&envelope.event, |rule| match rule {
                Rule::Admins => admin,
                _ => false,
            });
            !sent_to(&envelope, picked, Reader { user: Some(user), admin, ..Reader::default() }).is_empty()
        };
        assert_eq!((is_told(&bob, false), is_told(&root, true)), (own, admins), "{data}");
        assert_eq!(is_told(&bob, true), own || admins, "an administrator's own: {data}");
    }
}

#[test]
fn what_a_scan_has_found_is_told_those_alone_who_may_see_all_of_it() {
    let pair = formats().pair(NO_LOGS);
    for (state, admins_see) in [("started", false), ("finished", true), ("cancelled", true), ("failed", true)] {
        let data = format!(r#"{{"library":"books","id":"s","state":"{state}","results":{{"added":987654}}}}"#);
        let envelope = envelope(event(EventKind::Scan, &data));
        // The full form first: what is written for one is not what the other is sent.
        let (full, abridged) = (sent(&envelope, pair.full), sent(&envelope, pair.abridged));
        assert_eq!(full.contains("987654"), admins_see, "{full}");
        assert!(!abridged.is_empty() && !abridged.contains("987654"), "{abridged}");
    }
}
