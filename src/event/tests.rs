//! Rules, shapes and refusals of every family.

use std::borrow::Cow;

use proptest::prelude::*;

use super::{
    samples::{sample, sample_event},
    *,
};
use crate::id::UserId;

fn path(kind: EventKind, data: &str) -> String {
    Event::parse(kind, data).expect_err(data).path
}

fn parse(kind: EventKind, data: &str) -> Event {
    Event::parse(kind, data).expect("valid")
}

#[test]
fn every_sample_is_kept_verbatim() {
    for kind in EventKind::ALL {
        let event = sample_event(*kind);
        assert_eq!(event.kind(), *kind);
        assert_eq!(event.message(), sample(*kind));
        assert!(matches!(event.dialect_message("plex", Visibility::Full), Cow::Borrowed(_)));
    }
}

#[test]
fn each_type_has_the_audience_of_the_event_map() {
    let lib = |level| Rule::Library(LibraryId::parse("films").expect("id"), level);
    let bob = || UserId::parse("bob").expect("id");
    for (kind, rule) in [
        (EventKind::Library, lib(Level::Read)),
        (EventKind::LibraryStatus, lib(Level::Admin)),
        (EventKind::ConvertProgress, lib(Level::Read)),
        (EventKind::Movies, lib(Level::Read)),
        (EventKind::People, lib(Level::Read)),
        (EventKind::Backups, lib(Level::Admin)),
        (EventKind::BackupsFiles, Rule::Admins),
        (EventKind::MediaProgress, Rule::User(bob())),
        (EventKind::MediaRating, Rule::User(bob())),
        (EventKind::Collections, lib(Level::Read)),
        (EventKind::Playlists, Rule::User(bob())),
        (EventKind::Playback, Rule::UserOrAdmins(bob())),
        (EventKind::Transcode, Rule::UserOrAdmins(bob())),
        (EventKind::Activity, Rule::UserOrAdmins(bob())),
        (EventKind::Preference, Rule::Admins),
        (EventKind::Reachability, Rule::Admins),
        (EventKind::BackgroundQueue, Rule::Admins),
        (EventKind::Scan, lib(Level::Read)),
        (EventKind::Log, Rule::Admins),
        (EventKind::Server, Rule::Everyone),
        (EventKind::Message, Rule::Everyone),
        (EventKind::User, Rule::UserOrAdmins(bob())),
        (EventKind::Presence, Rule::Admins),
        (EventKind::Stats, Rule::Admins),
        (EventKind::Request, Rule::Publishers(LibraryId::parse("films").ok())),
    ] {
        assert_eq!(sample_event(kind).rule(), rule, "{kind}");
    }
    assert_eq!(parse(EventKind::Activity, r#"{"id":"a","state":"started","type":"t"}"#).rule(), Rule::Admins);
    assert_eq!(parse(EventKind::Backups, r#"{"backup":{"name":"n"}}"#).rule(), Rule::Admins);
    assert_eq!(parse(EventKind::Backups, r#"{"backup":{"library":"films"}}"#).rule(), lib(Level::Admin));
    assert_eq!(parse(EventKind::Scan, r#"{"library":"films","state":"progress","progress":1}"#).rule(), lib(Level::Admin));
    assert_eq!(parse(EventKind::Server, r#"{"state":"update"}"#).rule(), Rule::Admins);
    assert_eq!(parse(EventKind::Message, r#"{"text":"t","to":"user:bob"}"#).rule(), Rule::User(bob()));
}

#[test]
fn a_wrong_field_is_named_with_its_path() {
    let medias = |items: &str| format!(r#"{{"library":"l","medias":{items}}}"#);
    let ok = r#"{"action":"Added","media":{"id":"m"}}"#;
    assert_eq!(path(EventKind::Medias, &medias(&format!("[{ok},{ok},{{\"action\":\"added\",\"media\":{{}}}}]"))), "data.medias[2].action");
    assert_eq!(path(EventKind::Medias, &medias(r#"[{"action":"Deleted","media":{}}]"#)), "data.medias[0].media.id");
    assert_eq!(path(EventKind::Medias, &medias(r#"[{"action":"Added"}]"#)), "data.medias[0].media");
    assert_eq!(path(EventKind::Medias, &medias(r#"[{"action":"Added","media":{"id":"m","name":7}}]"#)), "data.medias[0].media.name");
    assert_eq!(
        path(EventKind::Medias, &medias(r#"[{"action":"Added","media":{"id":"m","libraryId":"k"}}]"#)),
        "data.medias[0].media.libraryId"
    );
    assert_eq!(path(EventKind::Medias, &medias(&format!("[{}{ok}]", format!("{ok},").repeat(500)))), "data.medias");
    assert_eq!(path(EventKind::Medias, r#"{"library":"a","library":"b","medias":[]}"#), "data.library");
    assert_eq!(path(EventKind::Medias, r#"{"library":"","medias":[]}"#), "data.library");
    assert_eq!(path(EventKind::LibraryStatus, r#"{"library":"l","message":"m","progress":101}"#), "data.progress");
    assert_eq!(
        path(EventKind::MediaProgress, r#"{"library":"l","progress":{"userRef":"u","mediaRef":"m","progress":-1}}"#),
        "data.progress.progress"
    );
    assert_eq!(path(EventKind::Backups, r#"{"backup":{"library":"a","backup":{"library":"b"}}}"#), "data.backup.backup.library");
    assert_eq!(path(EventKind::Backups, r#"{"action":"Deleted","backup":{}}"#), "data.backup.id");
    assert_eq!(path(EventKind::Message, r#"{"text":"t","to":"library:l"}"#), "data.to");
    assert_eq!(path(EventKind::Raw, r#"{"dialect":"kodi","name":"n","payload":1}"#), "data.dialect");
    assert_eq!(path(EventKind::Log, "7"), "data");
    let error = Event::parse(EventKind::Scan, r#"{"library":"l","state":"paused"}"#).expect_err("paused");
    assert_eq!(error.message, "must be one of started, progress, finished, cancelled, failed");
}

#[test]
fn a_wrong_field_of_a_playback_or_activity_is_named_with_its_path() {
    let playback = |more: &str| path(EventKind::Playback, &format!(r#"{{"session":"s","state":"playing",{more}}}"#));
    let who = r#""user":"bob","item":{"id":"m"}"#;
    assert_eq!(playback(r#""item":{"id":"m"},"position":1"#), "data.user", "whose it is must be said");
    assert_eq!(playback(r#""user":{"name":"Bob"},"item":{"id":"m"},"position":1"#), "data.user.id");
    assert_eq!(playback(r#""user":"bob","position":1"#), "data.item");
    assert_eq!(playback(who), "data.position");
    assert_eq!(playback(&format!(r#"{who},"position":1.5"#)), "data.position");
    assert_eq!(playback(&format!(r#"{who},"position":"1""#)), "data.position");
    assert_eq!(playback(&format!(r#"{who},"position":1,"duration":-1"#)), "data.duration");
    assert_eq!(playback(&format!(r#"{who},"position":1,"client":"phone""#)), "data.client");
    assert_eq!(playback(&format!(r#"{who},"position":1,"live":"yes""#)), "data.live");
    assert_eq!(playback(&format!(r#"{who},"position":1,"playQueue":{{"item":3}}"#)), "data.playQueue.id");
    assert_eq!(playback(r#""user":"bob","position":1,"library":"a","item":{"id":"m","library":"b"}"#), "data.item.library");
    let halted = r#"{"session":"s","user":"bob","item":{"id":"m"},"state":"halted","position":1}"#;
    let error = Event::parse(EventKind::Playback, halted).expect_err("halted");
    assert_eq!((error.path.as_str(), &*error.message), ("data.state", "must be one of playing, paused, buffering, stopped"));
    let transcode = |more: &str| path(EventKind::Transcode, &format!(r#"{{"id":"t","state":"update",{more}}}"#));
    assert_eq!(transcode(r#""progress":1"#), "data.user");
    assert_eq!(transcode(r#""user":"bob","videoDecision":"maybe""#), "data.videoDecision");
    assert_eq!(transcode(r#""user":"bob","timestamp":"yesterday""#), "data.timestamp");
    assert_eq!(transcode(r#""user":"bob","size":1.5"#), "data.size");
    let activity = |more: &str| path(EventKind::Activity, &format!(r#"{{"id":"a","type":"t",{more}}}"#));
    assert_eq!(activity(r#""state":"paused""#), "data.state");
    assert_eq!(activity(r#""state":"ended","context":[]"#), "data.context");
    assert_eq!(activity(r#""state":"ended","progress":-1"#), "data.progress");
    assert_eq!(path(EventKind::Preference, r#"{"id":"p","value":{}}"#), "data.value");
    assert_eq!(path(EventKind::Reachability, r#"{"reachable":1}"#), "data.reachable");
    assert_eq!(path(EventKind::BackgroundQueue, r#"{"queue":1,"event":"e"}"#), "data.queue");
    assert_eq!(path(EventKind::Server, r#"{"state":"restarting","update":"done"}"#), "data.update");
    assert_eq!(path(EventKind::Playlists, r#"{"playlists":[]}"#), "data.user");
}

#[test]
fn playback_and_transcodes_carry_numbers_and_times_in_milliseconds() {
    let Event::Playback(playback) = sample_event(EventKind::Playback) else { panic!("playback") };
    assert_eq!((playback.position_ms, playback.duration_ms), (154_000, Some(8_574_912)));
    assert_eq!(playback.play_queue, Some(PlayQueue { id: 7, item: Some(22_631) }));
    assert_eq!(playback.client.as_ref().map(|client| client.id.as_str()), Some("abcd1234"));
    assert_eq!((playback.library, playback.live), (None, false));
    let Event::Transcode(transcode) = sample_event(EventKind::Transcode) else { panic!("transcode") };
    assert_eq!((transcode.course.size, transcode.course.progress, transcode.course.remaining_ms), (Some(-22), Some(1.3), Some(361_000)));
    assert_eq!(transcode.course.timestamp.map(|time| time.0), Some(1_704_824_487_950));
    assert_eq!((transcode.streams.video, transcode.streams.audio), (Some(Decision::Copy), Some(Decision::Transcode)));
    let rfc = parse(EventKind::Transcode, r#"{"id":"t","user":"bob","state":"end","timestamp":"2024-01-09T18:21:27.950Z"}"#);
    let Event::Transcode(rfc) = rfc else { panic!("transcode") };
    assert_eq!(rfc.course.timestamp.map(|time| time.0), Some(1_704_824_487_950));
}

#[test]
fn a_playback_is_in_its_items_library_and_ordered_by_its_user() {
    let event = parse(
        EventKind::Playback,
        r#"{"session":"s","user":{"id":"bob","ids":{"plex":"2"}},"item":{"id":"m","library":"films"},"state":"paused","position":0,"ids":{"plex":"77"}}"#,
    );
    assert_eq!(event.library().map(LibraryId::as_str), Some("films"));
    assert_eq!(event.shard_key(), ShardKey::User(UserId::parse("bob").expect("id")));
    let Event::Playback(playback) = &event else { panic!("playback") };
    assert_eq!((&*playback.shown_session("plex").text, &*playback.user.shown_id("plex").text), ("77", "2"));
    assert!(playback.item.shown_id("plex").derived);
    assert_eq!(sample_event(EventKind::Activity).shard_key(), ShardKey::Server, "an activity is the server's, whatever it is about");
    assert_eq!(sample_event(EventKind::Transcode).shard_key(), ShardKey::User(UserId::parse("bob").expect("id")));
}

#[test]
fn a_playbacks_position_replaces_an_earlier_one_of_the_same_state_and_item_only() {
    let at = |item: &str, state: &str| {
        let data = format!(r#"{{"session":"s","user":"bob","item":{{"id":"{item}"}},"state":"{state}","position":1}}"#);
        parse(EventKind::Playback, &data).conflation().expect("a key")
    };
    assert_eq!(at("m", "playing"), at("m", "playing"));
    assert_eq!(at("m", "playing").key, at("m", "paused").key);
    assert_ne!(at("m", "playing").phase, at("m", "paused").phase);
    assert_ne!(at("m", "playing").phase, at("n", "playing").phase);
    assert!(at("m", "stopped").terminal && !at("m", "buffering").terminal);
    let run = |kind, state: &str| {
        let data = format!(r#"{{"id":"x","type":"t","user":"bob","state":"{state}"}}"#);
        parse(kind, &data).conflation().map(|conflation| conflation.terminal)
    };
    assert_eq!(["started", "updated", "ended"].map(|state| run(EventKind::Activity, state)), [None, Some(false), Some(true)]);
    assert_eq!(["start", "update", "end"].map(|state| run(EventKind::Transcode, state)), [None, Some(false), Some(true)]);
    let phase = |state: &str| {
        let data = format!(r#"{{"id":"x","user":"bob","state":"{state}"}}"#);
        parse(EventKind::Transcode, &data).conflation().expect("a key").phase
    };
    assert_ne!(phase("update"), phase("end"), "who is told of updates only gets the last of them");
}

#[test]
fn an_episode_may_be_named_by_its_place() {
    let Event::Episodes(changes) = sample_event(EventKind::Episodes) else { panic!("episodes") };
    assert_eq!(changes.items[0].object.id, "s1:S1E2");
    assert_eq!(
        path(EventKind::Episodes, r#"{"library":"l","episodes":[{"action":"Deleted","episode":{"serie":"s"}}]}"#),
        "data.episodes[0].episode.id"
    );
}

#[test]
fn only_progress_is_conflated_and_ends_are_terminal() {
    let state = |state: &str| parse(EventKind::Scan, &format!(r#"{{"library":"l","state":"{state}"}}"#)).conflation().map(|c| c.terminal);
    assert_eq!([state("started"), state("progress"), state("failed")], [None, Some(false), Some(true)]);
    let convert =
        |status: &str| parse(EventKind::ConvertProgress, &format!(r#"{{"library":"l","mediaId":"m","progress":4,"status":"{status}"}}"#));
    let (running, done) = (convert("processing").conflation().expect("key"), convert("canceled").conflation().expect("key"));
    assert_eq!(running.key, done.key);
    assert!(!running.terminal && done.terminal);
    assert_ne!(running.phase, done.phase, "who is told of progress only gets the last of it");
    assert_eq!(running, convert("encoding").conflation().expect("key"), "whatever a publisher calls it");
    assert_eq!(sample_event(EventKind::Medias).conflation(), None);
    assert_eq!(sample_event(EventKind::MediaRating).conflation(), None);
}

#[test]
fn secrets_and_counts_are_in_the_full_form_only() {
    let library = sample_event(EventKind::Library);
    assert_eq!(library.full_rule(), Some(Rule::Admins));
    let abridged = library.dialect_message("redseat", Visibility::Abridged).into_owned();
    assert_eq!(abridged, r#"{"action":"Updated","library":{"id":"films","name":"Films","type":"movies","plugin":null,"hidden":false}}"#);
    assert_eq!(library.dialect_message("redseat", Visibility::Full), sample(EventKind::Library));
    let scan = sample_event(EventKind::Scan);
    assert!(matches!(scan.full_rule(), Some(Rule::Library(_, Level::Admin))));
    assert_eq!(scan.dialect_message("plex", Visibility::Abridged), r#"{"library":"films","name":"Films","state":"finished"}"#);
    assert!(!sample_event(EventKind::User).dialect_message("redseat", Visibility::Abridged).contains("never-shown"));
    assert_eq!(sample_event(EventKind::Medias).full_rule(), None);
}

#[test]
fn a_dialects_own_fields_reach_that_dialect_only_and_hide_no_secret() {
    let event = parse(
        EventKind::Library,
        r#"{"action":"Added","library":{"id":"l","dialects":{"plex":{"root":"/srv","n":1}}},"dialects":{"plex":{"x":2}}}"#,
    );
    assert_eq!(event.message(), r#"{"action":"Added","library":{"id":"l"}}"#);
    assert_eq!(event.dialect_message("redseat", Visibility::Full), event.message());
    assert_eq!(event.dialect_message("plex", Visibility::Full), r#"{"action":"Added","library":{"id":"l","root":"/srv","n":1},"x":2}"#);
    assert_eq!(event.dialect_message("plex", Visibility::Abridged), r#"{"action":"Added","library":{"id":"l","n":1},"x":2}"#);
    assert_eq!(event.overlay("plex"), Some(r#"{"x":2}"#));
    let Event::Library(change) = &event else { panic!("library") };
    assert_eq!(change.object.overlay("plex"), Some(r#"{"root":"/srv","n":1}"#));
    assert_eq!(path(EventKind::Library, r#"{"action":"Added","library":{"id":"l"},"dialects":{"kodi":{}}}"#), "data.dialects.kodi");
}

#[test]
fn an_overlay_cannot_name_another_library() {
    let data = r#"{"library":"a","medias":[],"dialects":{"redseat":{"library":"b"}}}"#;
    assert_eq!(path(EventKind::Medias, data), "data.dialects.redseat.library");
}

#[test]
fn a_value_that_serialises_becomes_an_event() {
    let event = Event::from_value(EventKind::Presence, &serde_json::json!({"state": "offline", "user": {"id": "bob"}})).expect("valid");
    assert_eq!(event.message(), r#"{"state":"offline","user":{"id":"bob"}}"#);
    assert_eq!(event.shard_key(), ShardKey::User(UserId::parse("bob").expect("id")));
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (-1e9..1e9).prop_map(|number: f64| number.into()),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::vec((any::<String>(), inner), 0..5)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_message_keeps_its_meaning_and_stays_on_one_line(extra in any_json(), pretty in any::<bool>()) {
        let data = serde_json::json!({"library": "l", "message": "m", "extra": extra});
        let text = if pretty { serde_json::to_string_pretty(&data) } else { serde_json::to_string(&data) }.expect("json");
        let event = Event::parse(EventKind::LibraryStatus, &text).expect("valid");
        prop_assert!(!event.message().contains(['\r', '\n']));
        // Both are read back: serde_json's own reading of a float may differ from the float in its last bit.
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("json");
        prop_assert_eq!(read(event.message()), read(&text));
    }

    #[test]
    fn our_reader_takes_a_text_exactly_when_serde_does(text in r#"[\[\]{}":,0-9eE.\\utrfalsn \-+]{0,24}"#) {
        let serde = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
        prop_assert_eq!(json::compact(&text, 100).is_ok(), serde);
    }
}
