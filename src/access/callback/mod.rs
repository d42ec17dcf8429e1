//! A back end that is asked who a token belongs to: what it said lately, and asking it again while sessions live.
//!
//! Nobody gets in without a whole answer. The same token asked about by many is one call, calls and remembered answers are
//! bounded, and every call runs on a thread of its own, so no worker waits for the back end. Knows no session: that one is
//! open shows in its holding the credential.

mod cache;
mod call;
mod flight;
mod recheck;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{
    Denied, TokenHash,
    changes::ChangeQueue,
    credential::{Grant, Held, Origin},
    people::People,
};
use crate::{
    clock::Timestamp,
    config::{Auth, Secret},
};
use cache::{Cache, Entry, Known};
use call::{BackEnd, Said};
use flight::{Flight, Landed};

type Hash = [u8; 32];

/// The callback with all it remembers.
#[derive(Debug)]
pub(super) struct Callback {
    settings: Auth,
    back_end: BackEnd,
    people: Arc<Mutex<People>>,
    changes: Arc<ChangeQueue>,
    /// Taken after `people` where both are.
    state: Mutex<State>,
    is_watched: AtomicBool,
}

#[derive(Debug)]
struct State {
    cache: Cache,
    flights: HashMap<Hash, Question>,
    /// Calls for new connections.
    n_asking: usize,
    /// Open sessions' tokens whose turn to be asked about has come. One that was asked about for a new connection
    /// meanwhile is skipped: its question has begun, or is no longer there.
    to_check: VecDeque<Hash>,
    /// Threads that ask about open sessions.
    n_checking: usize,
    /// Whether the log says that the back end is out of reach.
    is_out_of_reach: bool,
}

/// A question that was not answered yet.
#[derive(Debug, Clone, Default)]
struct Question {
    flight: Arc<Flight>,
    /// Whether a thread has it. Until then it waits in the queue, and nobody may wait for it.
    has_begun: bool,
}

/// A call under way. However it ends, those who wait for it hear of it.
struct UnderWay<'a> {
    callback: &'a Callback,
    hash: Hash,
    flight: Arc<Flight>,
}

impl UnderWay<'_> {
    fn land(&self, landed: Landed) {
        let mut state = self.callback.state.lock();
        if state.flights.get(&self.hash).is_some_and(|question| Arc::ptr_eq(&question.flight, &self.flight)) {
            state.flights.remove(&self.hash);
        }
        drop(state);
        self.flight.land(landed);
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.land(Err(Denied::Unavailable));
    }
}

/// A place among the calls for new connections.
struct Place(Arc<Callback>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.state.lock().n_asking -= 1;
    }
}

impl Callback {
    /// The callback of these settings, if one is set.
    pub(super) fn open(settings: &Auth, people: &Arc<Mutex<People>>, changes: &Arc<ChangeQueue>) -> Option<Arc<Self>> {
        let state = State {
            cache: Cache::new(settings.cache_entries),
            flights: HashMap::new(),
            n_asking: 0,
            to_check: VecDeque::new(),
            n_checking: 0,
            is_out_of_reach: false,
        };
        Some(Arc::new(Self {
            settings: settings.clone(),
            back_end: BackEnd::new(settings)?,
            people: Arc::clone(people),
            changes: Arc::clone(changes),
            state: Mutex::new(state),
            is_watched: AtomicBool::new(false),
        }))
    }

    /// What was said of the token lately; [`Denied::Ask`] when that is too long ago.
    pub(super) fn known(&self, token: &str) -> Landed {
        self.state.lock().cache.find(TokenHash::of(token).as_bytes(), Instant::now())
    }

    /// Asks, or waits for the answer to the same question. A question about an open session that waits for its turn is
    /// taken out of the queue: the queue is bounded by the sessions only, and nobody new waits behind it.
    pub(super) async fn ask(self: &Arc<Self>, token: &str) -> Landed {
        self.watch();
        let hash = *TokenHash::of(token).as_bytes();
        let flight = {
            let mut state = self.state.lock();
            // It may have been answered since it was looked up.
            match state.cache.find(&hash, Instant::now()) {
                Err(Denied::Ask) => {}
                landed => return landed,
            }
            let Question { flight, has_begun } = state.flights.get(&hash).cloned().unwrap_or_default();
            if !has_begun {
                if state.n_asking >= self.settings.calls {
                    return Err(Denied::Unavailable);
                }
                state.n_asking += 1;
                state.flights.insert(hash, Question { flight: Arc::clone(&flight), has_begun: true });
                drop(state);
                self.take_off(hash, Secret::new(token.to_owned()), Arc::clone(&flight));
            }
            flight
        };
        flight.wait().await
    }

    /// Begins a call for a new connection, on a thread of its own.
    fn take_off(self: &Arc<Self>, hash: Hash, token: Secret, flight: Arc<Flight>) {
        let (callback, place) = (Arc::clone(self), Place(Arc::clone(self)));
        let for_call = Arc::clone(&flight);
        let call = move || callback.call(hash, token, for_call, Some(place));
        if let Err(error) = thread::Builder::new().name("callback".to_owned()).spawn(call) {
            tracing::error!(%error, "no thread for the auth callback");
            drop(UnderWay { callback: self, hash, flight });
        }
    }

    /// Makes a call and puts its answer in force. Whoever has the answer finds the call's place free.
    fn call(&self, hash: Hash, token: Secret, flight: Arc<Flight>, place: Option<Place>) {
        let under_way = UnderWay { callback: self, hash, flight };
        let asked = Instant::now();
        let said = self.back_end.ask(token.expose());
        self.note_reach(&said);
        let landed = match said {
            Said::Granted(_, Some(expires)) if expires <= Timestamp::now() => self.refused(hash, Denied::Expired),
            Said::Granted(grant, expires) => Ok(self.granted(hash, token, *grant, expires, asked)),
            Said::Refused => self.refused(hash, Denied::Unknown),
            Said::Unavailable(_) => Err(Denied::Unavailable),
        };
        drop(place);
        under_way.land(landed);
    }

    /// The token counts: from now on for the time an answer counts.
    fn granted(&self, hash: Hash, token: Secret, grant: Grant, expires: Option<Timestamp>, asked: Instant) -> Arc<Held> {
        let mut people = self.people.lock();
        let mut state = self.state.lock();
        let of_before = state.cache.held(&hash);
        let same_user = of_before.filter(|held| held.grant().user == grant.user);
        let token_hash = TokenHash::of(token.expose());
        let origin = same_user.as_ref().map_or(Origin::Callback { asked }, |held| held.origin);
        let now = people.resolve(&token_hash, origin, &grant);
        let held = match same_user {
            Some(held) => {
                let other_end = held.regrant(grant, expires);
                if held.stand(now) || other_end {
                    self.changes.tell(held.grant().user.clone());
                }
                held
            }
            None => {
                self.end(&mut state, hash, Denied::Unknown);
                let held = Arc::new(Held::new(token_hash, origin, expires, grant, now));
                people.issue(&held);
                held
            }
        };
        let fresh_until = Instant::now() + self.settings.cache;
        let ends = expires.map(|at| Instant::now() + until(at));
        let known = Known { held: Arc::clone(&held), token, fresh_until, ends };
        let due = ends.map_or(fresh_until, |ends| fresh_until.min(ends));
        state.cache.insert(hash, Entry::Known(known), due);
        held
    }

    /// The token does not count: whoever came in with it goes.
    fn refused(&self, hash: Hash, denied: Denied) -> Landed {
        let mut state = self.state.lock();
        self.end(&mut state, hash, denied);
        state.cache.insert(hash, Entry::Refused(denied), Instant::now() + self.settings.cache_refusals);
        Err(denied)
    }

    /// Ends what was known of a token, and the sessions with it.
    fn end(&self, state: &mut State, hash: Hash, denied: Denied) {
        if let Some(Entry::Known(Known { held, .. })) = state.cache.remove(&hash) {
            held.end(denied);
            self.changes.tell(held.grant().user.clone());
        }
    }

    /// Says once in the log that the back end is out of reach, and once that it is back.
    fn note_reach(&self, said: &Said) {
        let mut state = self.state.lock();
        match said {
            Said::Unavailable(reason) if !state.is_out_of_reach => {
                state.is_out_of_reach = true;
                tracing::warn!(reason, "the auth callback cannot be used; new tokens are refused, open connections are kept for a while");
            }
            Said::Granted(..) | Said::Refused if state.is_out_of_reach => {
                state.is_out_of_reach = false;
                tracing::info!("the auth callback answers again");
            }
            _ => {}
        }
    }

    fn watch(self: &Arc<Self>) {
        if !self.is_watched.swap(true, Ordering::Relaxed) {
            let callback = Arc::downgrade(self);
            if let Err(error) = thread::Builder::new().name("callback-cache".to_owned()).spawn(move || recheck::watch(&callback)) {
                self.is_watched.store(false, Ordering::Relaxed);
                tracing::error!(%error, "no thread to look after the answers of the auth callback");
            }
        }
    }

    /// How much is remembered.
    #[cfg(test)]
    pub(super) fn n_remembered(&self) -> usize {
        self.state.lock().cache.len()
    }
}

/// How long it is until then.
fn until(at: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(at.0.saturating_sub(Timestamp::now().0)).unwrap_or_default()).min(Duration::from_secs(3600))
}
