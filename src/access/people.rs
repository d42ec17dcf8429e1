//! What is known of users and in force now, and what a token stands for by it.
//!
//! Settings say where it begins, changes win over them. Also keeps sight of every issued credential that a session still
//! holds, so that a change reaches it; holds none itself.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Weak},
    time::Instant,
};

use super::{
    Asked, Denied, Principal, TokenHash,
    credential::{Grant, Held, Origin},
    jwt::Fingerprint,
    names::Names,
    pairs::FamilyId,
    rights::UserRights,
    store::{Changed, ChangedUsers},
};
use crate::{clock::Timestamp, config::Settings, id::UserId};

/// Beyond so many that ended, issued credentials and shared principals are swept.
const SWEEP: usize = 64;

/// A user as the settings have him.
#[derive(Debug, Clone)]
struct Configured {
    rights: UserRights,
    explicit: Option<bool>,
    tags: Option<Vec<String>>,
}

/// A token's hash, and the back end that knew it, if one did: two may know the same token.
type IssuedBy = ([u8; 32], Option<Asked>);

/// Users, and whoever stands for them.
#[derive(Debug)]
pub(super) struct People {
    configured: Arc<HashMap<UserId, Configured>>,
    changed: ChangedUsers,
    /// When a user's tokens were last revoked in this run.
    revoked_when: HashMap<UserId, Instant>,
    /// By hash and not by user: a revoked token that is given to another user stays revoked.
    revoked: HashSet<[u8; 32]>,
    issued: Sweeping<HashMap<IssuedBy, Weak<Held>>>,
    /// What users are called that only others know.
    pub(super) names: Names,
    /// Principals in use: equal ones are one.
    shared: Sweeping<HashSet<Arc<Principal>>>,
}

#[derive(Debug, Default)]
struct Sweeping<T> {
    all: T,
    /// Swept when there are so many.
    at: usize,
}

/// What the settings know of users.
#[derive(Debug, Clone)]
pub(super) struct ConfiguredUsers(Arc<HashMap<UserId, Configured>>);

impl ConfiguredUsers {
    pub(super) fn new(settings: &Settings) -> Self {
        let configured = |user: &crate::config::User| Configured {
            rights: UserRights { admin: user.admin, libraries: user.libraries.clone(), disabled: user.disabled },
            explicit: user.explicit,
            tags: user.tags.clone(),
        };
        Self(Arc::new(settings.users.iter().map(|user| (user.id.clone(), configured(user))).collect()))
    }

    pub(super) fn knows(&self, user: &UserId) -> bool {
        self.0.contains_key(user)
    }

    /// The user's rights with what was changed about him; `None` when nobody names him.
    pub(super) fn rights(&self, user: &UserId, changed: Option<&Changed>) -> Option<UserRights> {
        let configured = self.0.get(user).map(|user| &user.rights);
        let Some(changed) = changed else { return configured.cloned() };
        Some(UserRights {
            admin: changed.admin.unwrap_or(configured.is_some_and(|rights| rights.admin)),
            libraries: changed.libraries.clone().or_else(|| configured.map(|rights| rights.libraries.clone())).unwrap_or_default(),
            disabled: changed.deleted || changed.disabled.unwrap_or(configured.is_some_and(|rights| rights.disabled)),
        })
    }
}

impl People {
    pub(super) fn new(configured: &ConfiguredUsers, changed: ChangedUsers) -> Self {
        let mut people = Self {
            configured: Arc::clone(&configured.0),
            changed: ChangedUsers::new(),
            revoked_when: HashMap::new(),
            revoked: HashSet::new(),
            issued: Sweeping::default(),
            names: Names::default(),
            shared: Sweeping::default(),
        };
        people.change(changed);
        people
    }

    /// From now on the settings know these users.
    pub(super) fn configure(&mut self, configured: &ConfiguredUsers) {
        self.configured = Arc::clone(&configured.0);
    }

    /// Every issued credential that a session still holds.
    pub(super) fn all_issued(&self) -> Vec<Arc<Held>> {
        self.issued.all.values().filter_map(Weak::upgrade).collect()
    }

    /// Puts changes in force for whoever asks from now on; those who stand for the user are told by [`People::of_user`].
    pub(super) fn change(&mut self, changed: ChangedUsers) {
        let hashes = changed.values().flat_map(|own| &own.revoked).filter_map(|hash| TokenHash::from_hex(hash));
        self.revoked = hashes.map(|hash| *hash.as_bytes()).collect();
        for (user, own) in &changed {
            if own.revoked_at != self.changed.get(user).and_then(|before| before.revoked_at) {
                self.revoked_when.insert(user.clone(), Instant::now());
            }
        }
        self.changed = changed;
    }

    /// What a token stands for. A user nobody names is a guest, who sees only events of his own.
    pub(super) fn resolve(&mut self, hash: &TokenHash, origin: Origin, grant: &Grant) -> Result<Arc<Principal>, Denied> {
        if self.revoked.contains(hash.as_bytes()) {
            return Err(Denied::Unknown);
        }
        let mut principal = grant.own.clone();
        if let Some(user) = &grant.user {
            principal.user = Some(user.clone());
            let changed = self.changed.get(user);
            if changed.is_some_and(|changed| is_too_old(origin, changed.revoked_at, self.revoked_when.get(user))) {
                return Err(Denied::Unknown);
            }
            if let Some(rights) = ConfiguredUsers(Arc::clone(&self.configured)).rights(user, changed) {
                if rights.disabled {
                    return Err(Denied::Disabled);
                }
                if !grant.alone {
                    let configured = self.configured.get(user);
                    principal.member = true;
                    principal.admin = rights.admin;
                    principal.libraries = rights.libraries;
                    principal.explicit = configured.and_then(|user| user.explicit);
                    principal.tags = configured.and_then(|user| user.tags.clone());
                }
            }
        }
        Ok(self.share(principal))
    }

    /// The moment to be written on a token made now: after the last revocation, wherever the clock stood then.
    pub(super) fn after_revocation(&self, user: &UserId, now: Timestamp) -> Timestamp {
        let revoked_at = self.changed.get(user).and_then(|changed| changed.revoked_at);
        revoked_at.map_or(now, |revoked_at| now.max(Timestamp(revoked_at.0 + 1)))
    }

    /// Keeps sight of an issued credential.
    pub(super) fn issue(&mut self, held: &Arc<Held>) {
        if self.issued.all.len() >= self.issued.at {
            self.issued.all.retain(|_, held| held.strong_count() > 0);
            self.issued.at = 2 * self.issued.all.len() + SWEEP;
        }
        let asked = match held.origin {
            Origin::BackEnd { which, .. } => Some(which),
            Origin::Configured | Origin::Jwt { .. } | Origin::Issued(_) | Origin::Pair { .. } => None,
        };
        self.issued.all.insert((*held.hash.as_bytes(), asked), Arc::downgrade(held));
    }

    /// The credential of that signed token, if a session still holds it.
    pub(super) fn issued(&self, hash: &TokenHash) -> Option<Arc<Held>> {
        self.issued.all.get(&(*hash.as_bytes(), None))?.upgrade()
    }

    /// Every issued credential of a user that a session still holds.
    pub(super) fn of_user(&self, user: &UserId) -> Vec<Arc<Held>> {
        let held = self.issued.all.values().filter_map(Weak::upgrade);
        held.filter(|held| held.grant().user.as_ref() == Some(user)).collect()
    }

    /// Ends every issued credential of a key that no longer counts, and gives their users (`None`: of no user).
    pub(super) fn end_signed(&self, still_counts: impl Fn(Fingerprint) -> bool) -> Vec<Option<UserId>> {
        let is_over = |held: &Arc<Held>| matches!(held.origin, Origin::Jwt { key, .. } if !still_counts(key));
        let over = self.issued.all.values().filter_map(Weak::upgrade).filter(is_over);
        over.inspect(|held| held.end(Denied::Unknown)).map(|held| held.grant().user.clone()).collect()
    }

    /// Ends every credential of these log-ins that a session still holds.
    pub(super) fn end_families(&self, ended: &[FamilyId]) {
        let is_over = |held: &Arc<Held>| matches!(held.origin, Origin::Pair { family, .. } if ended.contains(&family));
        self.issued.all.values().filter_map(Weak::upgrade).filter(is_over).for_each(|held| held.end(Denied::Unknown));
    }

    /// How many issued credentials are in sight, ended ones not yet swept included.
    #[cfg(test)]
    pub(super) fn n_issued(&self) -> usize {
        self.issued.all.len()
    }

    fn share(&mut self, principal: Principal) -> Arc<Principal> {
        if let Some(same) = self.shared.all.get(&principal) {
            return Arc::clone(same);
        }
        if self.shared.all.len() >= self.shared.at {
            self.shared.all.retain(|principal| Arc::strong_count(principal) > 1);
            self.shared.at = 2 * self.shared.all.len() + SWEEP;
        }
        let principal = Arc::new(principal);
        self.shared.all.insert(Arc::clone(&principal));
        principal
    }
}

/// Whether a token was issued before its user's tokens were revoked; a signed one that does not say when counts as such. Of
/// a back end's, an answer is too old that it was asked for before: the revocation may not have named the token yet.
fn is_too_old(origin: Origin, revoked_at: Option<Timestamp>, in_this_run: Option<&Instant>) -> bool {
    match origin {
        Origin::Configured => false,
        Origin::Issued(issued) | Origin::Pair { issued, .. } => revoked_at.is_some_and(|revoked_at| issued <= revoked_at),
        Origin::Jwt { issued, .. } => revoked_at.is_some_and(|revoked_at| issued.is_none_or(|issued| issued <= revoked_at)),
        Origin::BackEnd { asked, .. } => in_this_run.is_some_and(|revoked_when| asked <= *revoked_when),
    }
}
