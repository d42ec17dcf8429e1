//! Back ends that are asked who a token belongs to: what each said lately, and asking it again while sessions live.
//!
//! Nobody gets in without a whole answer. The same token asked about by many is one call, calls and remembered answers are
//! bounded, and every call runs on a thread of its own, so no worker waits for the back end. Knows no session: that one is
//! open shows in its holding the credential.

mod audiobookshelf_server;
#[cfg(test)]
mod audiobookshelf_server_tests;
mod cache;
mod callback;
mod flight;
mod known;
mod mediabrowser_server;
#[cfg(test)]
mod mediabrowser_server_tests;
mod plex_server;
#[cfg(test)]
mod plex_server_tests;
mod question;
mod recheck;
#[cfg(test)]
mod stand_in;
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
    config::{Auth, Secret, Settings},
    metrics::BackEndMetrics,
};
use audiobookshelf_server::AudiobookshelfServer;
use cache::{Cache, Entry, Known};
use callback::Callback;
use flight::{Flight, Landed};
use mediabrowser_server::MediaBrowserServer;
use plex_server::PlexServer;
use question::{Questioned, Said};

type Hash = [u8; 32];

/// Who is asked about a token that is not known here. A token is shown to one of them only: which, the protocol it came by
/// decides.
///
/// Their numbers are those under which they are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Asked {
    /// `auth.callback`.
    Callback,
    /// `dialects.plex.server`, about tokens of that server's own clients.
    PlexServer,
    /// `dialects.mediabrowser.server`, likewise.
    MediaBrowserServer,
    /// `dialects.audiobookshelf.server`, likewise.
    AudiobookshelfServer,
}

impl Asked {
    /// Whether a signed token may be one that this one has made, so that `[jwt]` could make nothing of it.
    pub(super) fn has_made(self, token: &str) -> bool {
        self == Self::AudiobookshelfServer && AudiobookshelfServer::has_made(token)
    }
}

/// Everybody who may be asked.
#[derive(Debug)]
pub(super) struct BackEnds {
    callback: Option<Arc<BackEnd>>,
    plex_server: Option<Arc<BackEnd>>,
    mediabrowser_server: Option<Arc<BackEnd>>,
    audiobookshelf_server: Option<Arc<BackEnd>>,
}

impl BackEnds {
    /// Those of these settings.
    pub(super) fn open(
        settings: &Settings,
        people: &Arc<Mutex<People>>,
        changes: &Arc<ChangeQueue>,
        metrics: &Arc<BackEndMetrics>,
    ) -> Self {
        let open = |which, questioned| BackEnd::open(which, questioned, &settings.auth, (people, changes, metrics));
        Self {
            callback: Callback::new(&settings.auth).map(|callback| open(Asked::Callback, Questioned::Callback(callback))),
            plex_server: PlexServer::new(settings).map(|server| open(Asked::PlexServer, Questioned::PlexServer(server))),
            mediabrowser_server: MediaBrowserServer::new(settings)
                .map(|server| open(Asked::MediaBrowserServer, Questioned::MediaBrowserServer(server))),
            audiobookshelf_server: AudiobookshelfServer::new(settings)
                .map(|server| open(Asked::AudiobookshelfServer, Questioned::AudiobookshelfServer(server))),
        }
    }

    /// That one, if it is set.
    pub(super) fn get(&self, which: Asked) -> Option<&Arc<BackEnd>> {
        match which {
            Asked::Callback => self.callback.as_ref(),
            Asked::PlexServer => self.plex_server.as_ref(),
            Asked::MediaBrowserServer => self.mediabrowser_server.as_ref(),
            Asked::AudiobookshelfServer => self.audiobookshelf_server.as_ref(),
        }
    }

    /// How much is remembered.
    #[cfg(test)]
    pub(super) fn n_remembered(&self) -> usize {
        [&self.callback, &self.plex_server, &self.mediabrowser_server, &self.audiobookshelf_server]
            .into_iter()
            .flatten()
            .map(|back_end| back_end.state.lock().cache.len())
            .sum()
    }
}

/// A back end with all it has said.
#[derive(Debug)]
pub(super) struct BackEnd {
    which: Asked,
    questioned: Questioned,
    /// Times and bounds are the same for all, counted for each.
    settings: Auth,
    people: Arc<Mutex<People>>,
    changes: Arc<ChangeQueue>,
    metrics: Arc<BackEndMetrics>,
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
    back_end: &'a BackEnd,
    hash: Hash,
    flight: Arc<Flight>,
}

impl UnderWay<'_> {
    fn land(&self, landed: Landed) {
        let mut state = self.back_end.state.lock();
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
struct Place(Arc<BackEnd>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.state.lock().n_asking -= 1;
    }
}

impl BackEnd {
    fn open(
        which: Asked,
        questioned: Questioned,
        settings: &Auth,
        (people, changes, metrics): (&Arc<Mutex<People>>, &Arc<ChangeQueue>, &Arc<BackEndMetrics>),
    ) -> Arc<Self> {
        let state = State {
            cache: Cache::new(settings.cache_entries),
            flights: HashMap::new(),
            n_asking: 0,
            to_check: VecDeque::new(),
            n_checking: 0,
            is_out_of_reach: false,
        };
        Arc::new(Self {
            which,
            questioned,
            settings: settings.clone(),
            people: Arc::clone(people),
            changes: Arc::clone(changes),
            metrics: Arc::clone(metrics),
            state: Mutex::new(state),
            is_watched: AtomicBool::new(false),
        })
    }

    /// What was said of the token lately; `None` when that is too long ago.
    pub(super) fn known(&self, token: &str) -> Option<Landed> {
        let known = self.state.lock().cache.find(TokenHash::of(token).as_bytes(), Instant::now());
        known.inspect(|_| self.metrics.remembered())
    }

    /// Asks, or waits for the answer to the same question. A question about an open session that waits for its turn is
    /// taken out of the queue: the queue is bounded by the sessions only, and nobody new waits behind it.
    pub(super) async fn ask(self: &Arc<Self>, token: &str) -> Landed {
        self.watch();
        let hash = *TokenHash::of(token).as_bytes();
        let flight = {
            let mut state = self.state.lock();
            // It may have been answered since it was looked up.
            if let Some(landed) = state.cache.find(&hash, Instant::now()) {
                return landed;
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
        let (back_end, place) = (Arc::clone(self), Place(Arc::clone(self)));
        let for_call = Arc::clone(&flight);
        let call = move || back_end.call(hash, token, for_call, Some(place));
        if let Err(error) = thread::Builder::new().name("back-end".to_owned()).spawn(call) {
            tracing::error!(%error, "no thread to ask {}", self.questioned.name());
            drop(UnderWay { back_end: self, hash, flight });
        }
    }

    /// Makes a call and puts its answer in force. Whoever has the answer finds the call's place free.
    fn call(&self, hash: Hash, token: Secret, flight: Arc<Flight>, place: Option<Place>) {
        let under_way = UnderWay { back_end: self, hash, flight };
        let asked = Instant::now();
        let said = self.questioned.ask(token.expose());
        self.metrics.answered(self.which as usize, asked.elapsed());
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
        let origin = same_user.as_ref().map_or(Origin::BackEnd { which: self.which, asked }, |held| held.origin);
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
        people.names.note(&held);
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
                let name = self.questioned.name();
                tracing::warn!(reason, "{name} cannot be used; new tokens are refused, open connections are kept for a while");
            }
            Said::Granted(..) | Said::Refused if state.is_out_of_reach => {
                state.is_out_of_reach = false;
                tracing::info!("{} answers again", self.questioned.name());
            }
            _ => {}
        }
    }

    fn watch(self: &Arc<Self>) {
        if !self.is_watched.swap(true, Ordering::Relaxed) {
            let back_end = Arc::downgrade(self);
            if let Err(error) = thread::Builder::new().name("back-end-cache".to_owned()).spawn(move || recheck::watch(&back_end)) {
                self.is_watched.store(false, Ordering::Relaxed);
                tracing::error!(%error, "no thread to look after the answers of {}", self.questioned.name());
            }
        }
    }
}

/// How long it is until then.
fn until(at: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(at.0.saturating_sub(Timestamp::now().0)).unwrap_or_default()).min(Duration::from_secs(3600))
}
