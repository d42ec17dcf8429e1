//! The live directory: which token is whose, and what its owner may do right now.
//!
//! Settings say where it begins; changes made while the server runs win over them and are kept in [`PrincipalStore`].
//! Principals are shared: the same user with the same rights is one `Arc`, for sessions and filter groups to share.
//! Knows no connection, only how many each user has. Everything here is a cold path: it is asked when a connection opens
//! and when rights change, never per event.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};

use super::{
    Asked, Credential, Denied, Principal,
    back_end::BackEnds,
    changes::{ChangeQueue, Changes},
    configured::{ConfiguredToken, Known, configured_tokens, run_grant},
    connections::{Admitted, ConnectionCounts, ConnectionGuard, TooManyConnections},
    credential::{Held, Origin},
    issued::IssuedTokens,
    jwt::{self, KeyError, Verified, Verifier},
    log_in::{self, Passwords},
    pairs::{self, Pairs},
    people::{ConfiguredUsers, People},
    store::{ChangedUsers, PrincipalStore, StoreError},
    token::{self, NoRandomness, TokenHash},
};
use crate::{
    clock::Timestamp,
    config::{Secret, Settings},
    id::UserId,
    metrics::BackEndMetrics,
};

/// The longest token looked at. A request's head is bounded anyway; this bounds the work a longer one would make.
pub(super) const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Why the directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// What was changed earlier cannot be read: starting without it could let somebody in who was shut out.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No token can be made for this run.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// A key of `[jwt]` cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Somebody who showed a good token.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// Who, with the rights of this moment.
    pub principal: Arc<Principal>,
    /// To ask again with, after joining and when rights change.
    pub credential: Credential,
    /// The rights epoch of this moment.
    pub epoch: u64,
}

impl Authenticated {
    /// The user; an API key has none.
    #[must_use]
    pub fn user(&self) -> Option<&UserId> {
        self.principal.user.as_ref()
    }
}

/// Which token is whose, and what its owner may do right now.
#[derive(Debug)]
pub struct Directory {
    pub(super) store: PrincipalStore,
    /// What was changed since the settings were written; held while the store writes, so that changes are kept in order.
    pub(super) changed: Mutex<ChangedUsers>,
    pub(super) configured: RwLock<ConfiguredUsers>,
    pub(super) known: RwLock<Known>,
    pub(super) run_grant: ConfiguredToken,
    pub(super) passwords: RwLock<Arc<Passwords>>,
    pub(super) issued: IssuedTokens,
    pub(super) pairs: Pairs,
    jwt: Option<Verifier>,
    /// What is in force. Never held while anything is waited for.
    pub(super) people: Arc<Mutex<People>>,
    back_ends: BackEnds,
    /// What is counted of those who are asked about tokens.
    pub(crate) back_end_metrics: Arc<BackEndMetrics>,
    pub(super) changes: Arc<ChangeQueue>,
    pub(super) epoch: AtomicU64,
    pub(super) counts: Arc<ConnectionCounts>,
}

impl Directory {
    /// Opens the directory of these settings and of what the store kept. It makes one token for the run,
    /// which may do everything and is known to the operator alone: it goes into the run file, which only its owner reads.
    ///
    /// # Errors
    /// [`OpenError`] when the store is damaged or cannot be read (nothing is overwritten then), or a key cannot be used.
    pub fn open(settings: &Settings, store: PrincipalStore) -> Result<(Self, Secret), OpenError> {
        let jwt = settings.jwt.is_on().then(|| Verifier::open(&settings.jwt)).transpose()?;
        let changed = store.load()?;
        let run_token = token::generate()?;
        let configured = ConfiguredUsers::new(settings);
        let mut people = People::new(&configured, changed.clone());
        let (mut known, run_grant) = (Known::default(), run_grant(&run_token));
        for (hash, expires, grant) in configured_tokens(settings).chain([run_grant.clone()]) {
            let now = people.resolve(&hash, Origin::Configured, &grant);
            known.insert(Arc::new(Held::new(hash, Origin::Configured, expires, grant, now)));
        }
        let passwords = Passwords::new(settings);
        let issued = log_in::open(&store, &passwords, &mut people)?;
        let pairs = Pairs::open(settings, &store, &passwords)?;
        let people = Arc::new(Mutex::new(people));
        let changes = Arc::<ChangeQueue>::default();
        let back_end_metrics = Arc::default();
        if let Some(jwt) = &jwt {
            end_with_keys(jwt, &people, &changes)?;
        }
        let directory = Self {
            store,
            changed: Mutex::new(changed),
            configured: RwLock::new(configured),
            known: RwLock::new(known),
            run_grant,
            passwords: RwLock::new(Arc::new(passwords)),
            issued,
            pairs,
            jwt,
            back_ends: BackEnds::open(settings, &people, &changes, &back_end_metrics),
            back_end_metrics,
            people,
            changes,
            epoch: AtomicU64::new(1),
            counts: Arc::new(ConnectionCounts::with_limits(&settings.limits)),
        };
        Ok((directory, run_token))
    }

    /// Who shows this token: one of the settings, a signed one, or one the back end was asked about lately. Never waits.
    ///
    /// # Errors
    /// [`Denied`] when it is nobody's, has expired or its user is refused; [`Denied::Ask`] when only the back end can tell.
    pub fn authenticate_by(&self, token: &str, asked: Asked) -> Result<Authenticated, Denied> {
        if token.is_empty() || token.len() > MAX_TOKEN_BYTES {
            return Err(Denied::Unknown);
        }
        let known = self.known.read().find(token).cloned();
        if let Some(held) = known {
            return self.admit_token(&held);
        }
        if let Some(held) = self.issued.find(token) {
            return self.admit_token(&held);
        }
        if pairs::is_of_a_log_in(token) {
            return self.admit_token(&self.of_log_in(token)?);
        }
        match (&self.jwt, self.back_ends.get(asked)) {
            // What these keys must have signed is nobody else's to judge: a token that ended does not get a second chance.
            (Some(verifier), back_end) if jwt::looks_signed(token) && !back_end.is_some_and(|_| asked.has_made(token)) => {
                self.admit_token(&self.signed(verifier, token)?)
            }
            (_, Some(back_end)) => self.admit_token(&back_end.known(token).ok_or(Denied::Ask(asked))??),
            (_, None) => Err(Denied::Unknown),
        }
    }

    /// As [`Directory::authenticate_by`], where the callback may know it.
    ///
    /// # Errors
    /// As there.
    pub fn authenticate(&self, token: &str) -> Result<Authenticated, Denied> {
        self.authenticate_by(token, Asked::Callback)
    }

    /// As [`Directory::authenticate_by`], and asks the back end where that is needed. Waits for its answer at most
    /// `auth.timeout`; whoever asks about the same token meanwhile waits for the same answer. No thread is held up.
    ///
    /// # Errors
    /// As there; [`Denied::Unavailable`] when it gives no answer that can be used, or has more to do than it may.
    pub async fn ask(self: &Arc<Self>, token: &str, asked: Asked) -> Result<Authenticated, Denied> {
        match (self.authenticate_by(token, asked), self.back_ends.get(asked)) {
            (Err(Denied::Ask(_)), Some(back_end)) => self.admit_token(&back_end.ask(token).await?),
            (known, _) => known,
        }
    }

    /// Changes of rights that nobody asked for here: what a back end answers when it is asked again about open sessions, a key of
    /// signed tokens that has gone, settings read again. They are in force; whoever waits for them tells the hubs. One waits at a
    /// time.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes(Arc::clone(&self.changes))
    }

    /// The present rights behind a credential; `None` when it is refused now. The same `Arc` as before when nothing about
    /// it changed.
    #[must_use]
    pub fn current(&self, credential: &Credential) -> Option<Arc<Principal>> {
        credential.0.now().ok()
    }

    /// The rights epoch: how many changes were made since the start, from 1.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Counts a connection of the user as long as the guard lives; an API key has no user and counts only among all.
    ///
    /// # Errors
    /// [`TooManyConnections`] at `limits.connections_per_user`, `limits.connections_per_address` or `limits.connections`.
    pub fn admit(&self, user: Option<&UserId>, address: Option<IpAddr>) -> Result<Admitted, TooManyConnections> {
        self.counts.admit(user, address)
    }

    /// Counts a connection of which nobody knows yet whose it is, until [`ConnectionGuard::count_for`].
    ///
    /// # Errors
    /// [`TooManyConnections`] as above, or at the bounds on such connections.
    pub fn admit_nobody(&self, address: Option<IpAddr>) -> Result<ConnectionGuard, TooManyConnections> {
        self.counts.admit_nobody(address)
    }

    /// Limits all connections together (`limits.connections`).
    pub fn limit_connections(&self, limit: usize) {
        self.counts.limit_in_all(limit);
    }

    /// How many connections there may be in all.
    #[must_use]
    pub fn connection_limit(&self) -> usize {
        self.counts.limit_of_all()
    }

    /// All connections counted now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.counts.in_all()
    }

    /// How many connections the user has now.
    #[must_use]
    pub fn connections_of(&self, user: &UserId) -> usize {
        self.counts.of(user)
    }

    pub(super) fn passwords(&self) -> Arc<Passwords> {
        Arc::clone(&self.passwords.read())
    }

    /// How many issued credentials are remembered.
    #[cfg(test)]
    pub(super) fn n_issued(&self) -> usize {
        self.people.lock().n_issued()
    }

    /// How many answers of back ends are remembered.
    #[cfg(test)]
    pub(super) fn n_remembered(&self) -> usize {
        self.back_ends.n_remembered()
    }

    fn admit_token(&self, held: &Arc<Held>) -> Result<Authenticated, Denied> {
        let epoch = self.epoch();
        Ok(Authenticated { principal: held.now()?, credential: Credential(Arc::clone(held)), epoch })
    }

    /// The credential of a signed token; one for all sessions that show the same.
    fn signed(&self, verifier: &Verifier, token: &str) -> Result<Arc<Held>, Denied> {
        let Verified { grant, key, issued, expires } = verifier.verify(token, Timestamp::now())?;
        let hash = TokenHash::of(token);
        let mut people = self.people.lock();
        // Its key may have gone since it was verified, and all that it had signed with it.
        if !verifier.trusts(key) {
            return Err(Denied::Unknown);
        }
        if let Some(held) = people.issued(&hash) {
            return Ok(held);
        }
        let origin = Origin::Jwt { issued, key };
        let now = people.resolve(&hash, origin, &grant);
        let held = Arc::new(Held::new(hash, origin, Some(expires), grant, now));
        people.issue(&held);
        Ok(held)
    }
}

/// From now on whoever came in by a key that is taken out of its set goes with it.
fn end_with_keys(jwt: &Verifier, people: &Arc<Mutex<People>>, changes: &Arc<ChangeQueue>) -> Result<(), KeyError> {
    let (people, changes) = (Arc::clone(people), Arc::clone(changes));
    jwt.watch(move |keys| {
        let over = people.lock().end_signed(|key| keys.holds(key));
        over.into_iter().for_each(|user| changes.tell(user));
    })
}
