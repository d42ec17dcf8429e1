use std::time::Duration;

use super::*;
use crate::event::{Event, samples::sample_event};

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
    state.present_at(start + Duration::from_secs(secs), &|_| true).iter().map(|envelope| envelope.id.to_string()).collect()
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
    let present = state.present_at(start + Duration::from_secs(99), &|_| true);
    let n_bytes: usize = present.iter().map(|envelope| envelope.event.message().len()).sum();
    assert!(n_bytes <= 1 << 20 && present.len() == 10, "{} of {n_bytes} bytes", present.len());
    assert_eq!(present.last().unwrap().order, 99);
}

#[test]
fn the_logs_tail_is_the_latest_lines_within_its_bounds() {
    let (state, start) = (State::default(), Instant::now());
    let line = |n: u64, text: &str| envelope(EventKind::Log, &format!(r#"{{"level":"info","message":"{text}"}}"#), 0, n, (start, n));
    (1..=log_tail::LINES as u64 + 5).for_each(|n| state.fold(&line(n, "short")));
    let orders: Vec<_> = state.log_tail().iter().map(|envelope| envelope.order).collect();
    assert_eq!((orders.len(), orders[0]), (log_tail::LINES, 6));
    assert!(orders.is_sorted());
    let long = "x".repeat(log_tail::BYTES / 4);
    (2000..2010).for_each(|n| state.fold(&line(n, &long)));
    let n_bytes: usize = state.log_tail().iter().map(|envelope| envelope.event.message().len()).sum();
    assert!(n_bytes <= log_tail::BYTES);
    assert_eq!(state.log_tail().last().unwrap().order, 2009);
    assert_eq!(ids(&state, start, 3000), Vec::<String>::new(), "log lines are no state: nobody is sent them after a gap");
}

#[test]
fn other_events_leave_no_trace() {
    let state = State::default();
    for kind in EventKind::ALL {
        if !matches!(kind, EventKind::Scan | EventKind::UploadProgress | EventKind::ConvertProgress | EventKind::Log) {
            let event = sample_event(*kind);
            let audience = event.audience();
            state.fold(&Arc::new(Envelope::new(event, audience, "x".into(), 0, 1)));
        }
    }
    assert!(state.present(|_| true).is_empty() && state.log_tail().is_empty(), "{state:?}");
}
