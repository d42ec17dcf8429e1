use std::time::Duration;

use super::*;
use crate::{
    access::{LibraryRights, Principal},
    event::{Event, Level, samples::sample_event},
    id::{LibraryId, UserId},
};

/// An envelope as a shard stamps it, `secs` after the beginning of the test.
fn envelope(kind: EventKind, data: &str, shard: u16, order: u64, (start, secs): (Instant, u64)) -> Arc<Envelope> {
    let event = Event::parse(kind, data).unwrap();
    let audience = event.audience();
    let mut envelope = Envelope::new(event, audience, format!("{shard}-{order}").into(), shard, order);
    envelope.stamped = start + Duration::from_secs(secs);
    Arc::new(envelope)
}

fn scan(library: &str, state: &str, shard: u16, order: u64, at: (Instant, u64)) -> Arc<Envelope> {
    envelope(EventKind::Scan, &format!(r#"{{"library":"{library}","state":"{state}","progress":5}}"#), shard, order, at)
}

fn upload(media: &str, progress: u8, order: u64, at: (Instant, u64)) -> Arc<Envelope> {
    let data = format!(r#"{{"library":"photos","mediaId":"{media}","progress":{progress}}}"#);
    envelope(EventKind::UploadProgress, &data, 0, order, at)
}

fn ids(state: &State, start: Instant, secs: u64) -> Vec<String> {
    state.present_at(start + Duration::from_secs(secs), KindSet::all(), &|_| true).iter().map(|envelope| envelope.id.to_string()).collect()
}

#[test]
fn a_running_scan_is_its_start_and_its_latest_progress() {
    let (state, start) = (State::default(), Instant::now());
    for (order, word) in [(1, "started"), (2, "progress"), (3, "progress")] {
        state.fold(&scan("films", word, 0, order, (start, order)));
    }
    assert_eq!(ids(&state, start, 4), ["0-1", "0-3"], "the start for readers, the progress for admins");
}

#[test]
fn who_missed_the_end_of_a_scan_is_told_of_it_for_a_minute() {
    for end in ["finished", "cancelled", "failed"] {
        let (state, start) = (State::default(), Instant::now());
        for (order, word) in [(1, "started"), (2, "progress"), (3, end)] {
            state.fold(&scan("films", word, 0, order, (start, order)));
        }
        assert_eq!(ids(&state, start, 62), ["0-3"], "{end}: nothing of the run but its end");
        assert_eq!(ids(&state, start, 63), Vec::<String>::new(), "{end}");
        state.fold(&scan("films", "progress", 0, 4, (start, 64)));
        assert_eq!(ids(&state, start, 64), ["0-4"]);
    }
}

#[test]
fn a_new_start_ends_what_was_known_of_the_run_before() {
    let (state, start) = (State::default(), Instant::now());
    state.fold(&scan("films", "progress", 0, 1, (start, 1)));
    state.fold(&scan("films", "started", 0, 2, (start, 2)));
    assert_eq!(ids(&state, start, 3), ["0-2"]);
    state.fold(&scan("films", "finished", 0, 3, (start, 3)));
    state.fold(&scan("films", "progress", 0, 4, (start, 4)));
    assert_eq!(ids(&state, start, 4), ["0-4"], "an end does not stand beside what came after it");
}

#[test]
fn the_present_comes_by_shard_and_in_each_shards_order() {
    let (state, start) = (State::default(), Instant::now());
    for (shard, order) in [(2, 1), (0, 7), (2, 2), (1, 1), (0, 9)] {
        state.fold(&scan(&format!("library-{shard}-{order}"), "started", shard, order, (start, order)));
    }
    state.fold(&upload("m1", 40, 8, (start, 8)));
    assert_eq!(ids(&state, start, 9), ["0-7", "0-8", "0-9", "1-1", "2-1", "2-2"]);
}

#[test]
fn who_asks_for_some_kinds_looks_at_nothing_else() {
    let (state, start) = (State::default(), Instant::now());
    state.fold(&scan("films", "started", 0, 1, (start, 1)));
    state.fold(&upload("m1", 40, 2, (start, 1)));
    state.fold(&envelope(EventKind::ConvertProgress, r#"{"library":"l","mediaId":"m","progress":1,"status":"x"}"#, 0, 3, (start, 1)));
    state.fold(&activity("a1", "started", 4, (start, 1)));
    state.fold(&playback("s1", "bob", "playing", 5, (start, 1)));
    state.fold(&envelope(EventKind::Transcode, r#"{"id":"1","user":"bob","state":"update"}"#, 0, 6, (start, 1)));
    assert_eq!(state.present(KindSet::all(), |_| true).len(), 6);
    for kind in EventKind::ALL {
        let looked_at = std::cell::RefCell::new(Vec::new());
        let present = state.present(KindSet::of(&[*kind]), |envelope| {
            looked_at.borrow_mut().push(envelope.kind());
            true
        });
        assert_eq!(looked_at.into_inner(), present.iter().map(|envelope| envelope.kind()).collect::<Vec<_>>());
        assert!(present.len() <= 1 && present.iter().all(|envelope| envelope.kind() == *kind), "{kind}");
    }
}

#[test]
fn shards_fold_at_the_same_time_and_the_last_word_of_each_library_stays() {
    let (state, start) = (State::default(), Instant::now());
    std::thread::scope(|scope| {
        for shard in 0..4 {
            let state = &state;
            scope.spawn(move || {
                for order in 1..=200 {
                    let word = if order % 2 == 0 { "finished" } else { "started" };
                    state.fold(&scan(&format!("library-{shard}"), word, shard, order, (start, 1)));
                }
            });
        }
    });
    assert_eq!(ids(&state, start, 1), ["0-200", "1-200", "2-200", "3-200"]);
}

#[test]
fn an_upload_is_its_latest_progress_and_its_end_goes_after_a_minute() {
    let (state, start) = (State::default(), Instant::now());
    state.fold(&upload("m1", 10, 1, (start, 1)));
    state.fold(&upload("m2", 10, 2, (start, 2)));
    state.fold(&upload("m1", 100, 3, (start, 3)));
    let data = r#"{"library":"photos","mediaId":"m2","progress":12,"status":"processing"}"#;
    state.fold(&envelope(EventKind::ConvertProgress, data, 0, 4, (start, 4)));
    assert_eq!(ids(&state, start, 5), ["0-2", "0-3", "0-4"], "an upload and a conversion of one media are two things");
    assert_eq!(ids(&state, start, 63), ["0-2", "0-4"]);
    assert_eq!(ids(&state, start, 3603), ["0-4"], "what nobody speaks of for an hour is taken for dead");
}

fn playback(session: &str, user: &str, state: &str, order: u64, at: (Instant, u64)) -> Arc<Envelope> {
    let data = format!(r#"{{"session":"{session}","user":"{user}","item":{{"id":"m1"}},"state":"{state}","position":{order}}}"#);
    envelope(EventKind::Playback, &data, 0, order, at)
}

fn activity(id: &str, state: &str, order: u64, at: (Instant, u64)) -> Arc<Envelope> {
    envelope(EventKind::Activity, &format!(r#"{{"id":"{id}","type":"t","state":"{state}","user":"bob"}}"#), 1, order, at)
}

fn names(envelopes: &[Arc<Envelope>]) -> Vec<&str> {
    envelopes.iter().map(|envelope| &*envelope.id).collect()
}

#[test]
fn a_session_plays_until_it_stops_or_nobody_speaks_of_it_for_five_minutes() {
    let (state, start) = (State::default(), Instant::now());
    state.fold(&playback("s1", "bob", "playing", 1, (start, 1)));
    state.fold(&playback("s2", "ann", "playing", 2, (start, 2)));
    state.fold(&playback("s1", "bob", "paused", 3, (start, 3)));
    let playing = |secs: u64| state.playing_at(start + Duration::from_secs(secs), &|_| true);
    assert_eq!(names(&playing(4)), ["0-2", "0-3"], "each session once, as it was last told");
    state.fold(&playback("s2", "ann", "stopped", 4, (start, 4)));
    assert_eq!(names(&playing(5)), ["0-3"]);
    assert_eq!(ids(&state, start, 5), ["0-3", "0-4"], "who fell behind is told of the end");
    assert_eq!(names(&playing(302)), ["0-3"]);
    assert!(playing(303).is_empty());
    assert_eq!(ids(&state, start, 303), Vec::<String>::new());
}

#[test]
fn sessions_and_transcodes_of_two_users_may_have_the_same_id() {
    let (state, start) = (State::default(), Instant::now());
    let transcode = |user: &str, word: &str, order| {
        envelope(EventKind::Transcode, &format!(r#"{{"id":"1","user":"{user}","state":"{word}"}}"#), 1, order, (start, order))
    };
    for (order, user) in [(1, "bob"), (2, "ann")] {
        state.fold(&playback("1", user, "playing", order, (start, order)));
        state.fold(&transcode(user, "update", order));
    }
    assert_eq!(ids(&state, start, 3), ["0-1", "0-2", "1-1", "1-2"], "neither takes the other's place");
    state.fold(&playback("1", "bob", "stopped", 3, (start, 3)));
    state.fold(&transcode("bob", "end", 3));
    assert_eq!(ids(&state, start, 4), ["0-2", "0-3", "1-2", "1-3"]);
    assert_eq!(names(&state.playing_at(start + Duration::from_secs(4), &|_| true)), ["0-2"]);
    assert_eq!(names(&state.transcodes(|_| true)), ["1-2"]);
}

#[test]
fn activities_are_what_runs_and_each_reader_is_shown_what_he_may_see_of_it() {
    let (state, start) = (State::default(), Instant::now());
    state.fold(&activity("a1", "started", 1, (start, 1)));
    state.fold(&activity("a2", "started", 2, (start, 2)));
    state.fold(&activity("a2", "ended", 3, (start, 3)));
    state.fold(&scan("films", "started", 0, 4, (start, 4)));
    state.fold(&scan("films", "progress", 0, 5, (start, 5)));
    state.fold(&upload("m1", 10, 6, (start, 6)));
    state.fold(&envelope(EventKind::ConvertProgress, r#"{"library":"l","mediaId":"m","progress":1,"status":"x"}"#, 0, 7, (start, 7)));
    let shown = |principal: &Principal| {
        let sees = |envelope: &Envelope| principal.is_in(&envelope.audience, None, None);
        state.activities_at(start + Duration::from_secs(8), &sees).iter().map(|envelope| envelope.id.to_string()).collect::<Vec<_>>()
    };
    let bob = || UserId::parse("bob").ok();
    let library = |id: &str, level| LibraryRights::Named([(LibraryId::parse(id).unwrap(), level)].into());
    assert_eq!(shown(&Principal { admin: true, ..Principal::default() }), ["1-1", "0-5", "0-6"]);
    assert_eq!(shown(&Principal { user: bob(), libraries: library("films", Level::Read), ..Principal::default() }), ["1-1", "0-4"]);
    assert_eq!(shown(&Principal { libraries: library("films", Level::Admin), ..Principal::default() }), ["0-5"]);
    assert_eq!(shown(&Principal { user: UserId::parse("ann").ok(), ..Principal::default() }), Vec::<String>::new());
}

#[test]
fn an_activity_has_one_id_from_its_start_to_its_end() {
    let start = Instant::now();
    let id = |envelope: &Envelope| envelope.event.activity_id().map(std::borrow::Cow::into_owned);
    assert_eq!(id(&activity("a1", "started", 1, (start, 1))).as_deref(), Some("a1"));
    let without = |state: &str| id(&scan("films", state, 0, 1, (start, 1))).unwrap();
    assert_eq!(without("started"), without("finished"));
    assert!(crate::event::IdForm::Uuid.fits(&without("started")));
    assert_ne!(without("started"), id(&upload("films", 1, 1, (start, 1))).unwrap());
    let with = envelope(EventKind::Scan, r#"{"library":"films","state":"started","id":"run-7"}"#, 0, 1, (start, 1));
    assert_eq!(id(&with).as_deref(), Some("run-7"));
    assert_eq!(id(&playback("s", "bob", "playing", 1, (start, 1))), None);
}

#[test]
fn what_a_derived_id_stands_for_is_remembered_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ids.redb");
    let (state, start) = (State::default(), Instant::now());
    let ids = Arc::new(DerivedIds::open(&path).unwrap());
    let keeper = state.keep_ids(Arc::clone(&ids), &["redseat", "plex"]).unwrap();
    let data = r#"{"library":"films","movies":[{"action":"Added","movie":{"id":"m1","name":"M"}},{"action":"Added","movie":{"id":"7"}}]}"#;
    state.fold(&envelope(EventKind::Movies, data, 0, 1, (start, 1)));
    state.fold(&playback("s-1", "bob", "playing", 2, (start, 2)));
    drop(keeper);
    drop(ids);
    let ids = DerivedIds::open(&path).unwrap();
    let derive = |id: &str| crate::event::IdForm::Integer.derive(id);
    for id in ["films", "m1", "s-1", "bob"] {
        assert_eq!(ids.find("plex", &derive(id)).unwrap().as_deref(), Some(id));
    }
    assert_eq!(ids.find("plex", &derive("7")).unwrap(), None, "shown as it is");
    state.fold(&playback("s-2", "bob", "playing", 3, (start, 3)));
}

#[test]
fn runs_are_bounded_in_number_and_what_ended_goes_first() {
    let (state, start) = (State::default(), Instant::now());
    for n in 0..1024 {
        state.fold(&upload(&format!("m{n}"), if n == 7 { 100 } else { 1 }, n, (start, 1)));
    }
    state.fold(&upload("one-more", 1, 2000, (start, 2)));
    let present = ids(&state, start, 2);
    assert_eq!(present.len(), 1024);
    assert!(!present.contains(&"0-7".to_owned()) && present.contains(&"0-2000".to_owned()));
    state.fold(&upload("m3", 2, 2001, (start, 3)));
    assert_eq!(ids(&state, start, 3).len(), 1024, "a known run takes no room from another");
}

#[test]
fn runs_are_bounded_in_bytes() {
    let (state, start) = (State::default(), Instant::now());
    let text = "x".repeat(100_000);
    for n in 0..100 {
        let data = format!(r#"{{"library":"l{n}","state":"failed","error":"{text}"}}"#);
        state.fold(&envelope(EventKind::Scan, &data, 0, n, (start, n)));
    }
    let present = state.present_at(start + Duration::from_secs(99), KindSet::all(), &|_| true);
    let n_bytes: usize = present.iter().map(|envelope| envelope.event.message().len()).sum();
    assert!(n_bytes <= 1 << 20 && present.len() == 10, "{} of {n_bytes} bytes", present.len());
    assert_eq!(present.last().unwrap().order, 99);
}

#[test]
fn the_logs_tail_is_the_latest_lines_of_the_day_within_its_bounds() {
    const DAY: i64 = 24 * 3600 * 1000;
    let (state, start) = (State::default(), Instant::now());
    let line = |n: u64, text: &str, accepted: i64| {
        let mut line = envelope(EventKind::Log, &format!(r#"{{"level":"info","message":"{text}","source":"{n}"}}"#), 0, n, (start, n));
        Arc::get_mut(&mut line).expect("nobody else has it").accepted = Timestamp(accepted);
        line
    };
    let sources = |moment: i64| state.log_of_day(Timestamp(moment)).iter().map(|line| line.log.source.clone().unwrap()).collect::<Vec<_>>();
    (1..=log_tail::LINES as u64 + 5).for_each(|n| state.fold(&line(n, "short", 0)));
    let lines = sources(DAY - 1);
    assert_eq!((lines.len(), lines[0].as_str()), (log_tail::LINES, "6"));
    state.fold(&line(9000, "short", DAY));
    assert_eq!(sources(DAY), ["9000"]);
    assert!(sources(2 * DAY).is_empty());
    let long = "x".repeat(log_tail::BYTES / 8);
    (9001..9010).for_each(|n| state.fold(&line(n, &long, DAY)));
    let lines = sources(DAY);
    assert_eq!((lines.len(), lines[0].as_str()), (7, "9003"), "within the bytes");
    assert_eq!(ids(&state, start, 3000), Vec::<String>::new(), "log lines are no state: nobody is sent them after a gap");
}

#[test]
fn other_events_leave_no_trace() {
    let state = State::default();
    for kind in EventKind::ALL {
        let lasts = matches!(
            kind,
            EventKind::Scan
                | EventKind::UploadProgress
                | EventKind::ConvertProgress
                | EventKind::Playback
                | EventKind::Transcode
                | EventKind::Activity
                | EventKind::Log
        );
        if !lasts {
            let event = sample_event(*kind);
            let audience = event.audience();
            state.fold(&Arc::new(Envelope::new(event, audience, "x".into(), 0, 1)));
        }
    }
    assert!(state.present(KindSet::all(), |_| true).is_empty() && state.log_of_day(Timestamp::now()).is_empty(), "{state:?}");
}

#[test]
fn what_goes_on_weighs_its_messages_until_it_is_forgotten() {
    let (state, start) = (State::default(), Instant::now());
    assert_eq!(state.n_bytes(), 0);
    let event = upload(&"m".repeat(128), 5, 1, (start, 1));
    state.fold(&event);
    assert_eq!(state.n_bytes(), event.event.message().len());
    assert!(ids(&state, start, 2 * 3600).is_empty());
    assert_eq!(state.n_bytes(), 0, "nobody has spoken of it for too long");
    state.fold(&envelope(EventKind::Log, &format!(r#"{{"level":"info","message":"{}"}}"#, "x".repeat(1000)), 0, 2, (start, 2)));
    let with_log = state.n_bytes();
    assert!(with_log > 1000, "{with_log}");
    let item = Item { id: "i".repeat(100).into(), library: LibraryId::parse("films").unwrap(), name: None, kind: None };
    state.items().remember(&format!("{:032x}", 1), item);
    assert!(state.n_bytes() > with_log + 100);
}
