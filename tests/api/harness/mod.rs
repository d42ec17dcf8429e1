//! What every test needs: a running server, requests to it, and a client of its event stream.

mod http;
mod people;
mod server;
mod sse;
mod stand_in;
mod tls;
mod websocket;

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

pub(crate) use http::{Answer, Request};
pub(crate) use people::{PEOPLE, medias, progress_of, token_of};
pub(crate) use server::{Launch, Server, refused_start};
pub(crate) use sse::{Sse, SseEvent, connect, connect_deaf};
pub(crate) use stand_in::{Manners, StandIn};
pub(crate) use tls::{Certificate, Wire};
pub(crate) use websocket::{Frame, WebSocket};

/// How long a test waits for something that must happen; generous, because it is only used up by a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How long a stream must stay silent for "nothing came", where no later event can prove it.
pub(crate) const SILENCE: Duration = Duration::from_millis(300);

/// Asks again and again until there is an answer; fails the test with `what` when patience is used up.
pub(crate) fn eventually<T>(what: &str, patience: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    let (_open, tick) = mpsc::channel::<()>();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}");
        // Nobody sends: this is only a short wait between two questions.
        let _nothing = tick.recv_timeout(Duration::from_millis(10));
    }
}
