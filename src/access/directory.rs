//! The live directory: which token is whose, and what its owner may do right now.
//!
//! Settings say where it begins; changes made while the server runs win over them and are kept in [`PrincipalStore`].
//! Principals are shared: the same user with the same rights is one `Arc`, for sessions and filter groups to share.
//! Knows no connection, only how many each user has. Everything here is a cold path: it is asked when a connection opens
//! and when rights change, never per event.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
};

use parking_lot::{Mutex, RwLock};

use super::{
    Principal,
    connections::{Admitted, ConnectionCounts, TooManyConnections},
    store::{Changed, ChangedUsers, PrincipalStore, StoreError},
    token::{self, NoRandomness, TokenHash, TokenTable},
};
use crate::{
    clock::Timestamp,
    config::{LibraryRights, PublishRights, Secret, Settings},
    id::UserId,
};

/// Why the directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// What was changed earlier cannot be read: starting without it could let somebody in who was shut out.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No token can be made for this run.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// Why a token is refused. Clients are told no more than their dialect's one refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Nobody's token, or one that was revoked.
    #[error("the token is not known")]
    Unknown,
    /// The token has ended.
    #[error("the token has expired")]
    Expired,
    /// The token's user is disabled or was deleted.
    #[error("the user is disabled")]
    Disabled,
    /// Nobody here knows the token, but somebody else may: [`Directory::ask`].
    #[error("the token is not known here")]
    Ask,
    /// Whoever may know the token cannot be asked now.
    #[error("the token cannot be looked up now")]
    Unavailable,
}

/// What a session asks again with. It stays valid for the life of the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Credential(u32);

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

/// A change of one user's rights; what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrincipalChange {
    /// Whether the user is a server admin.
    pub admin: Option<bool>,
    /// What the user may see, all of it: libraries not named are no longer seen.
    pub libraries: Option<LibraryRights>,
    /// Whether the user is refused.
    pub disabled: Option<bool>,
    /// Whether every token of the user known now is refused from now on.
    pub revoke_tokens: bool,
}

/// A change that has been kept and is in force for whoever asks; hubs have yet to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RightsChanged {
    /// The user it concerns.
    pub user: UserId,
    /// The rights epoch from which it holds.
    pub epoch: u64,
    /// Whether the directory knew the user before, from settings or from an earlier change.
    pub known_before: bool,
}

/// The rights of one user as they stand, for administration.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct UserRights {
    /// Whether the user is a server admin.
    pub admin: bool,
    /// What the user may see.
    pub libraries: LibraryRights,
    /// Whether the user is refused, by a setting, a change or a deletion.
    pub disabled: bool,
}

/// One user as the directory has it, for administration.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct UserReport {
    /// Who.
    pub user: UserId,
    /// The rights now.
    #[serde(flatten)]
    pub rights: UserRights,
    /// Whether something was changed about the user while a server ran. It is kept, and wins over the settings file.
    pub changed: bool,
}

/// Which token is whose, and what its owner may do right now.
#[derive(Debug)]
pub struct Directory {
    store: PrincipalStore,
    /// What was changed since the settings were written; held while the store writes, so that changes are kept in order.
    changed: Mutex<ChangedUsers>,
    configured: HashMap<UserId, UserRights>,
    table: TokenTable<Credential>,
    entries: Vec<Entry>,
    live: RwLock<Live>,
    counts: Arc<ConnectionCounts>,
}

/// A token as configured; never changes.
#[derive(Debug)]
struct Entry {
    hash: TokenHash,
    user: Option<UserId>,
    /// For an API key everything; for a user's token what it adds to the user's rights.
    own: Principal,
}

/// What the tokens stand for now.
#[derive(Debug)]
struct Live {
    epoch: u64,
    /// By credential.
    principals: Vec<Result<Arc<Principal>, Denied>>,
}

impl Directory {
    /// Opens the directory of these settings and of what the store kept. It makes one token for the run,
    /// which may do everything and is known to the operator alone: it goes into the run file, which only its owner reads.
    ///
    /// # Errors
    /// [`OpenError`] when the store is damaged or cannot be read: nothing is overwritten then.
    pub fn open(settings: &Settings, store: PrincipalStore) -> Result<(Self, Secret), OpenError> {
        let changed = store.load()?;
        let mut entries = entries(settings);
        let run_token = token::generate()?;
        entries.push(run_entry(&run_token));
        let mut table = TokenTable::new();
        for (credential, entry) in (0..).map(Credential).zip(&entries) {
            table.insert(entry.hash, credential);
        }
        let mut directory = Self {
            store,
            changed: Mutex::new(ChangedUsers::new()),
            configured: configured(settings),
            table,
            entries,
            live: RwLock::new(Live { epoch: 1, principals: Vec::new() }),
            counts: Arc::new(ConnectionCounts::new(settings.limits.connections_per_user, settings.limits.connections_per_address)),
        };
        directory.live.get_mut().principals = directory.resolve_all(&changed);
        *directory.changed.get_mut() = changed;
        Ok((directory, run_token))
    }

    /// Who shows this token.
    ///
    /// # Errors
    /// [`Denied`] when it is nobody's, has expired or its user is refused.
    pub fn authenticate(&self, token: &str) -> Result<Authenticated, Denied> {
        let credential = *self.table.find(token).ok_or(Denied::Unknown)?;
        let live = self.live.read();
        let principal = live.principal(credential)?;
        Ok(Authenticated { principal, credential, epoch: live.epoch })
    }

    /// Asks whoever may know a token that nobody here does.
    ///
    /// # Errors
    /// [`Denied`] when it is nobody's there either, or nobody can be asked.
    pub async fn ask(self: &Arc<Self>, token: &str) -> Result<Authenticated, Denied> {
        self.authenticate(token)
    }

    /// The present rights behind a credential; `None` when it is refused now. The same `Arc` as before when nothing about
    /// it changed.
    #[must_use]
    pub fn current(&self, credential: Credential) -> Option<Arc<Principal>> {
        self.live.read().principal(credential).ok()
    }

    /// The rights epoch: how many changes were made since the start, from 1.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.live.read().epoch
    }

    /// The user's rights now; `None` when neither settings nor a change name the user. Waits for a change being written.
    #[must_use]
    pub fn rights(&self, user: &UserId) -> Option<UserRights> {
        self.rights_with(user, self.changed.lock().get(user))
    }

    /// The user as administration sees it; `None` when neither settings nor a change name the user. Waits as
    /// [`Directory::rights`] does.
    #[must_use]
    pub fn report(&self, user: &UserId) -> Option<UserReport> {
        let changed = self.changed.lock();
        let changed = changed.get(user);
        let rights = self.rights_with(user, changed)?;
        Some(UserReport { user: user.clone(), rights, changed: changed.is_some_and(differs) })
    }

    /// The users about whom something was changed while a server ran, in the order of their ids.
    #[must_use]
    pub fn changed_users(&self) -> Vec<UserId> {
        self.changed.lock().iter().filter(|(_, own)| differs(own)).map(|(user, _)| user.clone()).collect()
    }

    /// Changes a user's rights, or makes a user the settings do not name. Keeps the change on the disk before it returns
    /// or is in force, so it blocks: call it where blocking is allowed. After a deletion it begins again from what the
    /// settings say; tokens once revoked stay so.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be kept; then nothing changes in this run.
    pub fn put_principal(&self, user: &UserId, change: PrincipalChange) -> Result<RightsChanged, StoreError> {
        self.change(user, |own, tokens| {
            own.deleted = false;
            own.admin = change.admin.or(own.admin);
            own.libraries = change.libraries.or(own.libraries.take());
            own.disabled = change.disabled.or(own.disabled);
            if change.revoke_tokens {
                own.revoked.extend(tokens.map(TokenHash::to_hex));
            }
        })
    }

    /// Refuses a user until the next [`Directory::put_principal`]. Blocks as that does.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be kept; then nothing changes in this run.
    pub fn delete_principal(&self, user: &UserId) -> Result<RightsChanged, StoreError> {
        self.change(user, |own, _| {
            let revoked = std::mem::take(&mut own.revoked);
            *own = Changed { deleted: true, revoked, ..Changed::default() };
        })
    }

    /// Counts a connection of the user as long as the guard lives; an API key has no user and counts only among all.
    ///
    /// # Errors
    /// [`TooManyConnections`] at `limits.connections_per_user`, `limits.connections_per_address` or `limits.connections`.
    pub fn admit(&self, user: Option<&UserId>, address: Option<IpAddr>) -> Result<Admitted, TooManyConnections> {
        self.counts.admit(user, address)
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

    fn change(
        &self,
        user: &UserId,
        edit: impl FnOnce(&mut Changed, &mut dyn Iterator<Item = TokenHash>),
    ) -> Result<RightsChanged, StoreError> {
        let mut changed = self.changed.lock();
        let known_before = self.configured.contains_key(user) || changed.contains_key(user);
        let mut next = changed.clone();
        let mut tokens = self.entries.iter().filter(|entry| entry.user.as_ref() == Some(user)).map(|entry| entry.hash);
        edit(next.entry(user.clone()).or_default(), &mut tokens);
        self.store.save(&next)?;
        let epoch = self.put_in_force(user, &next);
        *changed = next;
        Ok(RightsChanged { user: user.clone(), epoch, known_before })
    }

    /// Works out the user's principals before taking the lock that openings wait for.
    fn put_in_force(&self, user: &UserId, changed: &ChangedUsers) -> u64 {
        let mut shared = HashSet::new();
        let indexes = self.entries.iter().enumerate().filter(|(_, entry)| entry.user.as_ref() == Some(user));
        let revoked = revoked(changed);
        let resolved: Vec<_> = indexes.map(|(index, entry)| (index, self.resolve(entry, changed, &revoked, &mut shared))).collect();
        let mut live = self.live.write();
        for (index, principal) in resolved {
            // What did not change keeps its `Arc`, and with it its filter group.
            if live.principals[index] != principal {
                live.principals[index] = principal;
            }
        }
        live.epoch += 1;
        live.epoch
    }

    fn resolve_all(&self, changed: &ChangedUsers) -> Vec<Result<Arc<Principal>, Denied>> {
        let (revoked, mut shared) = (revoked(changed), HashSet::new());
        self.entries.iter().map(|entry| self.resolve(entry, changed, &revoked, &mut shared)).collect()
    }

    /// What a token stands for. A user nobody names is a guest, who sees only events of his own.
    fn resolve(
        &self,
        entry: &Entry,
        changed: &ChangedUsers,
        revoked: &HashSet<&str>,
        shared: &mut HashSet<Arc<Principal>>,
    ) -> Result<Arc<Principal>, Denied> {
        if revoked.contains(entry.hash.to_hex().as_str()) {
            return Err(Denied::Unknown);
        }
        let mut principal = entry.own.clone();
        if let Some(user) = &entry.user {
            principal.user = Some(user.clone());
            if let Some(rights) = self.rights_with(user, changed.get(user)) {
                if rights.disabled {
                    return Err(Denied::Disabled);
                }
                principal.member = true;
                principal.admin = rights.admin;
                principal.libraries = rights.libraries;
            }
        }
        if let Some(same) = shared.get(&principal) {
            return Ok(Arc::clone(same));
        }
        let principal = Arc::new(principal);
        shared.insert(Arc::clone(&principal));
        Ok(principal)
    }

    fn rights_with(&self, user: &UserId, changed: Option<&Changed>) -> Option<UserRights> {
        let configured = self.configured.get(user);
        let Some(changed) = changed else { return configured.cloned() };
        Some(UserRights {
            admin: changed.admin.unwrap_or(configured.is_some_and(|rights| rights.admin)),
            libraries: changed.libraries.clone().or_else(|| configured.map(|rights| rights.libraries.clone())).unwrap_or_default(),
            disabled: changed.deleted || changed.disabled.unwrap_or(configured.is_some_and(|rights| rights.disabled)),
        })
    }
}

impl Live {
    fn principal(&self, credential: Credential) -> Result<Arc<Principal>, Denied> {
        let principal = self.principals.get(credential.0 as usize).ok_or(Denied::Unknown)?.as_ref().map_err(|denied| *denied)?;
        if principal.expires.is_some_and(|expires| expires <= Timestamp::now()) {
            return Err(Denied::Expired);
        }
        Ok(Arc::clone(principal))
    }
}

fn configured(settings: &Settings) -> HashMap<UserId, UserRights> {
    let rights = |user: &crate::config::User| UserRights { admin: user.admin, libraries: user.libraries.clone(), disabled: user.disabled };
    settings.users.iter().map(|user| (user.id.clone(), rights(user))).collect()
}

fn entries(settings: &Settings) -> Vec<Entry> {
    let of_users =
        settings.users.iter().filter_map(|user| Some(Entry { hash: user.token?, user: Some(user.id.clone()), own: Principal::default() }));
    let of_tokens = settings.tokens.iter().map(|token| {
        let reads = token.admin || token.read.is_some();
        let own = Principal {
            user: None,
            member: reads,
            admin: token.admin,
            libraries: token.read.clone().unwrap_or_default(),
            publish: token.publish.clone(),
            expires: token.expires,
        };
        Entry { hash: token.hash, user: token.user.clone(), own }
    });
    of_users.chain(of_tokens).collect()
}

/// The token of a run without users and tokens: everything, the reserved kinds included.
fn run_entry(token: &Secret) -> Entry {
    let own = Principal { member: true, admin: true, publish: PublishRights::everything(), ..Principal::default() };
    Entry { hash: TokenHash::of(token.expose()), user: None, own }
}

/// Whether anything is left of the changes: a `PUT` after a `DELETE` may give a user back to the settings.
fn differs(own: &Changed) -> bool {
    *own != Changed::default()
}

/// Every revoked token. By hash and not by user: a revoked token that is given to another user stays revoked.
fn revoked(changed: &ChangedUsers) -> HashSet<&str> {
    changed.values().flat_map(|own| &own.revoked).map(String::as_str).collect()
}
