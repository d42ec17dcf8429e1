//! The fuzz targets, each driven over its corpus and some random mutations of it.
//!
//! Every run tries the same inputs, so that it cannot fail one day and pass the next; `FUZZ_SEED=N` tries others, and
//! `FUZZ_ROUNDS=N` more. The long search, with coverage, is libFuzzer's: `tests/fuzz/run`.
#![allow(clippy::expect_used, reason = "a test says what it expects")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what was tried is for whoever runs the tests")]

mod mutate;
mod targets;

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::Path,
};

use mutate::Random;

#[test]
fn a_websocket_says_the_same_wherever_it_is_cut() {
    drive("frames");
}

#[test]
fn the_door_takes_only_a_plain_whole_request() {
    drive("head");
}

#[test]
fn a_body_of_lines_gives_the_same_events_wherever_it_is_cut() {
    drive("lines");
}

#[test]
fn a_packet_of_socket_io_is_refused_or_written_as_it_was_read() {
    drive("packets");
}

#[test]
fn polling_hears_and_says_what_a_websocket_would() {
    drive("polling");
}

#[test]
fn an_event_is_the_same_event_in_every_format_it_is_published_in() {
    drive("publish");
}

#[test]
fn a_query_is_read_as_a_browser_means_it() {
    drive("query");
}

#[test]
fn no_settings_panic_and_no_error_shows_a_secret() {
    drive("settings");
}

#[test]
fn nothing_published_forges_a_field_or_a_second_event() {
    drive("sse");
}

#[test]
fn every_target_has_a_small_corpus() {
    for (name, _) in targets::ALL {
        let bytes: usize = corpus(name).iter().map(Vec::len).sum();
        assert!((1..16 * 1024).contains(&bytes), "{name}: {bytes} bytes");
    }
}

/// Every seed as it is, then mutations.
fn drive(name: &str) {
    let target = targets::named(name);
    let seeds = corpus(name);
    let number = |variable: &str, otherwise: u64| std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let (seed, rounds) = (number("FUZZ_SEED", 1), number("FUZZ_ROUNDS", 2000));
    for input in &seeds {
        run(target, input, || format!("a seed of {name}"));
    }
    for round in 0..rounds {
        let input = mutate::input(&seeds, &mut Random::of(seed, round));
        run(target, &input, || format!("round {round} of {name} with FUZZ_SEED={seed}"));
    }
    println!("{name}: {} seeds and {rounds} mutations", seeds.len());
}

/// A failure says what was tried, so that it can become a seed.
fn run(target: fn(&[u8]), input: &[u8], which: impl Fn() -> String) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
        eprintln!("{}: the input is b\"{}\"", which(), input.escape_ascii());
        resume_unwind(panic);
    }
}

/// The files of a target's corpus, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(&folder).expect("a corpus").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).expect("a seed is readable")).collect()
}
