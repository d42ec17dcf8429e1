//! Whether the server's own accounts add up while it works: a thread reads `GET /api/connections` page by page, and every session must show
//! `offered = delivered + conflated + filtered + skipped + waiting`. It knows nothing of what clients received; that is the ledgers' matter.

use crate::connections::each_page;
use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The counts that together are what a session was offered.
const PARTS: [&str; 5] = ["delivered", "conflated", "filtered", "skipped", "waiting"];

/// What the watching thread saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Watched {
    /// Pages read.
    pub(crate) pages: u64,
    /// Session states checked: a session counts once in every round.
    pub(crate) checked: u64,
    /// Session states that do not add up, or lack one of the counts.
    pub(crate) broken: u64,
    /// The first of them.
    pub(crate) first_broken: Option<String>,
    /// Rounds that could not be read to their end.
    pub(crate) unread: u64,
    /// Why the first of them could not.
    pub(crate) first_unread: Option<String>,
}

/// The thread at work.
pub(crate) struct Watcher {
    thread: JoinHandle<Watched>,
    stop: Arc<AtomicBool>,
}

impl Watcher {
    /// Starts a round of all pages now, and another this many milliseconds after the end of each.
    pub(crate) fn start(address: SocketAddrV4, token: Option<&str>, pause_ms: u64) -> Result<Self, Failure> {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, token) = (Arc::clone(&stop), token.map(str::to_owned));
        let body = move || {
            let mut watched = Watched::default();
            loop {
                // Asked before the round: one whole round follows the stop, so that the state at rest is checked too.
                let last = stopped.load(Relaxed);
                watched.round(address, token.as_deref());
                if last {
                    return watched;
                }
                thread::park_timeout(Duration::from_millis(pause_ms));
            }
        };
        let thread = thread::Builder::new().name("accounts".to_owned()).spawn(body);
        Ok(Self { thread: thread.map_err(|error| Failure::io("accounts thread", error))?, stop })
    }

    /// Ends it after one more round.
    pub(crate) fn finish(self) -> Result<Watched, Failure> {
        self.stop.store(true, Relaxed);
        self.thread.thread().unpark();
        self.thread.join().map_err(|_| Failure::new("the accounts thread panicked"))
    }
}

impl Watched {
    fn round(&mut self, address: SocketAddrV4, token: Option<&str>) {
        let mut shapeless = false;
        let read = each_page(address, token, |page| match page.get("connections").and_then(Value::as_array) {
            Some(sessions) => {
                self.pages += 1;
                sessions.iter().for_each(|session| self.check(session));
            }
            None => shapeless = true,
        });
        let failure = match read {
            Err(failure) => failure.to_string(),
            Ok(_) if shapeless => "GET /api/connections: a page has no `connections`".to_owned(),
            Ok(_) => return,
        };
        self.unread += 1;
        self.first_unread.get_or_insert(failure);
    }

    fn check(&mut self, session: &Value) {
        self.checked += 1;
        if !adds_up(session) {
            self.broken += 1;
            self.first_broken.get_or_insert_with(|| describe(session));
        }
    }
}

fn adds_up(session: &Value) -> bool {
    let count = |name: &str| session.get(name).and_then(Value::as_u64);
    let sum = PARTS.iter().try_fold(0_u64, |sum, part| sum.checked_add(count(part)?));
    sum.is_some() && sum == count("offered")
}

/// The counts of a session as the server told them, and whose they are.
fn describe(session: &Value) -> String {
    let field = |name: &str| session.get(name).map_or("absent".to_owned(), Value::to_string);
    let parts: Vec<String> = PARTS.iter().map(|part| format!("{part} {}", field(part))).collect();
    format!("session {} of {}: offered {}, but {}", field("id"), field("peer"), field("offered"), parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn session(offered: u64, waiting: u64) -> Value {
        json!({"id": "0-7-1", "peer": "127.0.0.1:4000", "offered": offered, "delivered": 10, "conflated": 4, "filtered": 3, "skipped": 2,
               "skipped_lag": 2, "skipped_hub": 0, "waiting": waiting})
    }

    #[test]
    fn an_account_adds_up_exactly_or_is_broken() {
        assert!(adds_up(&session(20, 1)));
        assert!(!adds_up(&session(21, 1)));
        assert!(!adds_up(&session(19, 1)));
        assert!(!adds_up(&session(20, u64::MAX)));
    }

    #[test]
    fn every_part_counts_and_an_absent_one_is_not_taken_for_zero() {
        for part in PARTS.into_iter().chain(["offered"]) {
            let mut more = session(20, 1);
            more[part] = json!(more[part].as_u64().unwrap() + 1);
            assert!(!adds_up(&more), "{part}");
            let mut absent = json!({"offered": 0, "delivered": 0, "conflated": 0, "filtered": 0, "skipped": 0, "waiting": 0});
            assert!(adds_up(&absent));
            absent.as_object_mut().unwrap().remove(part);
            assert!(!adds_up(&absent), "{part}");
        }
    }

    #[test]
    fn the_first_broken_account_is_kept_with_its_counts() {
        let mut watched = Watched::default();
        for broken in [session(20, 1), session(22, 1), session(99, 1)] {
            watched.check(&broken);
        }
        assert_eq!((watched.checked, watched.broken), (3, 2));
        let first = watched.first_broken.unwrap();
        assert!(first.contains("\"0-7-1\"") && first.contains("offered 22, but delivered 10, conflated 4"), "{first}");
    }
}
