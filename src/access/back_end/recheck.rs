//! Asking again about open sessions, and forgetting what nobody uses.

use std::{
    collections::hash_map::Entry,
    sync::{Arc, Weak},
    thread,
    time::{Duration, Instant},
};

use super::{BackEnd, Flight, Hash, Question, UnderWay};
use crate::{access::Denied, config::Secret};

/// How often it is looked whose turn has come.
const LOOK: Duration = Duration::from_millis(200);
/// The soonest, and the latest, a question that was not answered is asked again.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// Looks after what is remembered, for as long as somebody uses the back end.
pub(super) fn watch(back_end: &Weak<BackEnd>) {
    while let Some(back_end) = back_end.upgrade() {
        look(&back_end, Instant::now());
        drop(back_end);
        thread::park_timeout(LOOK);
    }
}

fn look(back_end: &Arc<BackEnd>, now: Instant) {
    let again = now + (back_end.settings.cache / 4).clamp(AGAIN.0, AGAIN.1);
    let mut state = back_end.state.lock();
    for hash in state.cache.take_due(now, again) {
        let Some(known) = state.cache.known(&hash) else { continue };
        if now >= known.fresh_until + back_end.settings.keep_unchecked {
            back_end.end(&mut state, hash, Denied::Unavailable);
        } else if known.held.now() == Err(Denied::Expired) {
            back_end.end(&mut state, hash, Denied::Expired);
        } else if let Entry::Vacant(place) = state.flights.entry(hash) {
            place.insert(Question::default());
            state.to_check.push_back(hash);
        }
    }
    let n_more = back_end.settings.calls.min(state.to_check.len()).saturating_sub(state.n_checking);
    state.n_checking += n_more;
    drop(state); // a check that cannot begin takes it to be counted no longer
    let checks: Vec<_> = (0..n_more).map(|_| Check(Arc::clone(back_end))).collect();
    for check in checks {
        if let Err(error) = thread::Builder::new().name("back-end-check".to_owned()).spawn(move || check.all()) {
            tracing::error!(%error, "no thread to ask {} again", back_end.questioned.name());
            break;
        }
    }
}

/// A thread that asks about open sessions. However it ends, it is no longer counted then.
struct Check(Arc<BackEnd>);

impl Check {
    /// Asks until nothing is left to ask.
    fn all(&self) {
        while let Some((hash, token, flight)) = self.next() {
            match token {
                Some(token) => self.0.call(hash, token, flight, None),
                None => drop(UnderWay { back_end: &self.0, hash, flight }), // it was forgotten meanwhile
            }
        }
    }

    /// The next question that nobody asks yet.
    fn next(&self) -> Option<(Hash, Option<Secret>, Arc<Flight>)> {
        let state = &mut *self.0.state.lock();
        while let Some(hash) = state.to_check.pop_front() {
            let Some(question) = state.flights.get_mut(&hash).filter(|question| !question.has_begun) else { continue };
            question.has_begun = true;
            let token = state.cache.known(&hash).map(|known| known.token.clone());
            return Some((hash, token, Arc::clone(&question.flight)));
        }
        None
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        self.0.state.lock().n_checking -= 1;
    }
}
