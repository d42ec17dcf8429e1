//! Engine.IO and Socket.IO on the real server: the cases of the authors' suites, and what becomes of sessions that are polled,
//! upgraded under load, shared between workers, broken and abandoned.
#![allow(clippy::expect_used, reason = "a test says what it expects")]

mod client;
mod engine;
mod polling;
mod server;
mod socket;
#[path = "../../examples/socketio_suite/suite.rs"]
mod suite;
#[allow(dead_code, reason = "what only the tests of the API use of it")]
#[path = "../api/harness/tls.rs"]
mod tls;
mod told;
mod upgrade;

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long a test waits for something that must happen; used up only by a failure.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for something.
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        thread::park_timeout(Duration::from_millis(10));
    }
}
