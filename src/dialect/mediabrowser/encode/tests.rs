//! The exact text of every kind, for each generation; who is told of tasks; and which bytes are shared.
//!
//! The golden files hold what must go over the wire, kind after kind. `FANFARE_GOLDEN=write` writes them anew: read the
//! difference before it is committed.

use super::*;
use crate::{
    clock::Timestamp,
    event::{Encoded, IdForm, samples::sample_event},
};

fn formats() -> &'static Formats {
    Formats::of(Place::new("0123456789abcdef0123456789abcdef01234567", "Here", &[], &[]))
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

fn bytes(envelope: &Envelope, format: &dyn FrameFormat) -> Option<Bytes> {
    match envelope.frame(format) {
        Encoded::Frame(bytes) => Some(bytes.clone()),
        Encoded::NotCarried => None,
        Encoded::Failed => panic!("the encoder panicked"),
    }
}

/// The payload of each frame on a line, every one a whole text frame.
fn sent(envelope: &Envelope, format: &dyn FrameFormat) -> String {
    let bytes = bytes(envelope, format).unwrap_or_default();
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

/// Every message with its id replaced, once it was seen to be one that nobody had.
fn without_ids(text: &str, seen: &mut std::collections::HashSet<String>) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let (before, rest) = line.split_once(",\"MessageId\":\"").expect("an id");
        let (id, after) = rest.split_at(32);
        assert!(IdForm::Hex32.fits(id) && seen.insert(id.to_owned()), "{line}");
        let json: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert!(json["MessageType"].is_string(), "{line}");
        out.push_str(&format!("{before},\"MessageId\":\"ID{after}\n"));
    }
    out
}

/// The samples, and what they do not show: another state of each.
fn told() -> Vec<Event> {
    let more = [
        (EventKind::Server, r#"{"state":"restart-required"}"#),
        (EventKind::Server, r#"{"state":"shutting-down"}"#),
        (EventKind::Server, r#"{"state":"update","version":"2"}"#),
        (EventKind::User, r#"{"action":"Deleted","user":{"id":"bob"}}"#),
        (EventKind::User, r#"{"action":"Added","user":{"id":"bob"}}"#),
        (
            EventKind::User,
            r#"{"action":"Updated","user":{"id":"bob","ids":{"mediabrowser":"0123456789abcdef0123456789abcdef"}},"dialects":{"mediabrowser":{"HasPassword":false,"password":"x"}}}"#,
        ),
        (EventKind::Message, r#"{"text":"Dinner \"is\" ready","to":"user:bob"}"#),
        (EventKind::Notification, r#"{"state":"updated","user":"bob","notifications":[{"id":"n1"},{"id":"n2"}]}"#),
        (EventKind::Notification, r#"{"state":"read","user":"bob","notifications":[{"id":"n1"},{"id":"n2"}],"read":false}"#),
        (EventKind::RemoteControl, r#"{"to":"session:0-0-0","playstate":{"command":"Seek","position":10000.5}}"#),
        (EventKind::RemoteControl, r#"{"to":"session:0-0-0","user":"bob","playstate":{"command":"Pause"}}"#),
        (EventKind::RemoteControl, r#"{"to":"session:0-0-0","playstate":{"command":"SeekRelative","position":-5000}}"#),
        (EventKind::RemoteControl, r#"{"to":"session:0-0-0","browse":{"id":"f1","type":"Movie","name":"Some Film","context":"movies"}}"#),
        (EventKind::RemoteControl, r#"{"to":"session:0-0-0","general":{"name":"ToggleMute"}}"#),
        (EventKind::RemoteControl, r#"{"to":"session:0-0-0","general":{"name":"SetVolume","arguments":{"Volume":"5"}}}"#),
        (EventKind::RemoteControl, r#"{"to":"session:0-0-0","general":{"name":"SetPlaybackRate","arguments":{"PlaybackRate":"2"}}}"#),
        (
            EventKind::RemoteControl,
            r#"{"to":"session:0-0-0","general":{"name":"DisplayMessage","arguments":{"Header":"h","Text":"t","TimeoutMs":"5000"}}}"#,
        ),
        (EventKind::Scan, r#"{"library":"films","name":"Films","state":"started"}"#),
        (EventKind::Scan, r#"{"library":"films","state":"progress","progress":12.5}"#),
        (EventKind::Scan, r#"{"library":"films","id":"s1","state":"failed","error":"disk"}"#),
        (EventKind::Activity, r#"{"id":"a1","state":"ended","type":"media.generate.bif","title":"Previews"}"#),
        (
            EventKind::Playback,
            r#"{"session":"s","user":"bob","item":{"id":"f1","name":"F","type":"movie"},"state":"playing","position":0,"duration":5}"#,
        ),
        (EventKind::Playback, r#"{"session":"s","user":"bob","item":{"id":"f1"},"state":"playing","position":7,"checkIn":"started"}"#),
        (EventKind::Playback, r#"{"session":"s","user":"bob","item":{"id":"f1"},"state":"playing","position":0,"checkIn":"playing"}"#),
        (EventKind::Playback, r#"{"session":"s","user":"bob","item":{"id":"f1"},"state":"stopped","position":61000}"#),
        (EventKind::Playback, r#"{"session":"s","user":"bob","item":{"id":"f1"},"state":"stopped","position":0,"checkIn":"stopped"}"#),
        (
            EventKind::Raw,
            r#"{"dialect":"mediabrowser","name":"LibraryChanged","payload":{"FoldersAddedTo":[],"FoldersRemovedFrom":[],"ItemsAdded":["a"],"ItemsRemoved":[],"ItemsUpdated":[],"CollectionFolders":[],"IsEmpty":false}}"#,
        ),
        (EventKind::Raw, r#"{"dialect":"mediabrowser","name":"a \"b\"","payload":[1.50]}"#),
    ];
    let samples = EventKind::ALL.iter().map(|kind| sample_event(*kind));
    samples.chain(more.into_iter().map(|(kind, data)| event(kind, data))).collect()
}

fn golden(name: &str, expected: &str, generation: Generation) {
    let mut seen = std::collections::HashSet::new();
    let format = formats().pair(generation).full;
    let text: String = told().into_iter().map(|event| without_ids(&sent(&envelope(event), format), &mut seen)).collect();
    if std::env::var("FANFARE_GOLDEN").as_deref() == Ok("write") {
        let path = format!("{}/src/dialect/mediabrowser/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(path, &text).expect("written");
        return;
    }
    assert_eq!(text, expected, "{name}");
}

#[test]
fn every_kind_is_written_exactly_so_for_each_generation() {
    golden("identity", include_str!("../golden/identity.txt"), Generation::Identity);
    golden("emby", include_str!("../golden/emby.txt"), Generation::Emby);
    golden("jellyfin", include_str!("../golden/jellyfin.txt"), Generation::Jellyfin);
}

#[test]
fn a_strict_client_is_sent_only_types_and_commands_it_knows() {
    let known = Generation::Jellyfin.filter(std::sync::Arc::new(crate::access::Principal {
        user: Some(crate::id::UserId::parse("bob").expect("an id")),
        ..crate::access::Principal::default()
    }));
    let crate::access::RawNames::Only(types) = known.raw else { panic!("a list") };
    for event in told().into_iter().filter(|event| event.kind() != EventKind::Raw) {
        for line in sent(&envelope(event), formats().pair(Generation::Jellyfin).full).lines() {
            let json: serde_json::Value = serde_json::from_str(line).expect("JSON");
            assert!(types.iter().any(|known| *known == json["MessageType"]), "{line}");
            let name = json["Data"]["Name"].as_str().filter(|_| json["MessageType"] == "GeneralCommand");
            assert!(name.is_none_or(|name| control::GENERAL.contains(&name)), "{line}");
        }
    }
}

#[test]
fn tasks_are_told_to_administrators_alone() {
    let ended = envelope(event(EventKind::Scan, r#"{"library":"films","state":"finished"}"#));
    for generation in [Generation::Identity, Generation::Emby, Generation::Jellyfin] {
        let pair = formats().pair(generation);
        let picked = |admin: bool| pair.pick(&ended.event, |rule| admin && *rule == Rule::Admins);
        assert_eq!(bytes(&ended, picked(false)), None);
        assert!(bytes(&ended, picked(true)).is_some());
    }
}

#[test]
fn what_generations_read_alike_is_written_once() {
    let restarting = envelope(event(EventKind::Server, r#"{"state":"restarting"}"#));
    let of = |generation| bytes(&restarting, formats().pair(generation).abridged).expect("carried").as_ptr();
    assert_eq!(of(Generation::Identity), of(Generation::Jellyfin));
    assert_eq!(of(Generation::Emby), of(Generation::Jellyfin));
}

#[test]
fn nobodys_secret_is_told() {
    for event in told() {
        let envelope = envelope(event);
        for generation in [Generation::Identity, Generation::Emby, Generation::Jellyfin] {
            let text = sent(&envelope, formats().pair(generation).full);
            assert!(!text.contains("never-shown") && !text.contains("password"), "{text}");
        }
    }
}
