//! Asking again about open sessions, and forgetting what nobody uses.

use std::{
    collections::hash_map::Entry,
    sync::{Arc, Weak},
    thread,
    time::{Duration, Instant},
};

use super::{Callback, Flight, Hash};
use crate::{access::Denied, config::Secret};

/// How often it is looked whose turn has come.
const LOOK: Duration = Duration::from_millis(200);
/// The soonest, and the latest, a question that was not answered is asked again.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// Looks after what is remembered, for as long as somebody uses the callback.
pub(super) fn watch(callback: &Weak<Callback>) {
    while let Some(callback) = callback.upgrade() {
        look(&callback, Instant::now());
        drop(callback);
        thread::park_timeout(LOOK);
    }
}

fn look(callback: &Arc<Callback>, now: Instant) {
    let again = now + (callback.settings.cache / 4).clamp(AGAIN.0, AGAIN.1);
    let mut state = callback.state.lock();
    for hash in state.cache.take_due(now, again) {
        let Some(known) = state.cache.known(&hash) else { continue };
        if now >= known.fresh_until + callback.settings.keep_unchecked {
            callback.end(&mut state, hash, Denied::Unavailable);
        } else if known.held.now() == Err(Denied::Expired) {
            callback.end(&mut state, hash, Denied::Expired);
        } else if let Entry::Vacant(place) = state.flights.entry(hash) {
            place.insert(Arc::default());
            state.to_check.push_back(hash);
        }
    }
    while state.n_checking < callback.settings.calls.min(state.to_check.len()) {
        state.n_checking += 1;
        let callback = Arc::clone(callback);
        if let Err(error) = thread::Builder::new().name("callback-check".to_owned()).spawn(move || check_all(&callback)) {
            state.n_checking -= 1;
            tracing::error!(%error, "no thread to ask the auth callback again");
            break;
        }
    }
}

/// Asks until nothing is left to ask.
fn check_all(callback: &Callback) {
    while let Some((hash, token, flight)) = next(callback) {
        match token {
            Some(token) => callback.call(hash, token, flight),
            None => drop(super::UnderWay { callback, hash, flight }), // it was forgotten meanwhile
        }
    }
}

/// The next question; without one the thread is no longer counted.
fn next(callback: &Callback) -> Option<(Hash, Option<Secret>, Arc<Flight>)> {
    let mut state = callback.state.lock();
    let Some(hash) = state.to_check.pop_front() else {
        state.n_checking -= 1;
        return None;
    };
    let token = state.cache.known(&hash).map(|known| known.token.clone());
    let flight = state.flights.get(&hash).cloned().unwrap_or_default();
    Some((hash, token, flight))
}
