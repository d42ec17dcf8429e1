//! Users' rights as administration sees and changes them while everything runs.
//!
//! A change is kept on the disk before it is in force. Whoever asks from then on is told by it; hubs are told by whoever made it.

use std::sync::{Arc, atomic::Ordering};

use super::{
    Directory,
    credential::{Held, Origin},
    store::{Changed, ChangedUsers, StoreError},
    token::TokenHash,
};
use crate::{clock::Timestamp, config::LibraryRights, id::UserId};

/// A change of one user's rights; what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct UserRights {
    /// Whether the user is a server admin.
    pub admin: bool,
    /// What the user may see.
    #[schema(value_type = serde_json::Value)]
    pub libraries: LibraryRights,
    /// Whether the user is refused, by a setting, a change or a deletion.
    pub disabled: bool,
}

/// One user as the directory has it, for administration.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct UserReport {
    /// Who.
    #[schema(value_type = String)]
    pub user: UserId,
    /// The rights now.
    #[serde(flatten)]
    pub rights: UserRights,
    /// Whether something was changed about the user while a server ran. It is kept, and wins over the settings file.
    pub changed: bool,
}

impl Directory {
    /// The user's rights now; `None` when neither settings nor a change name the user. Waits for a change being written.
    #[must_use]
    pub fn rights(&self, user: &UserId) -> Option<UserRights> {
        self.configured.read().rights(user, self.changed.lock().get(user))
    }

    /// The user as administration sees it; `None` when neither settings nor a change name the user. Waits as
    /// [`Directory::rights`] does.
    #[must_use]
    pub fn report(&self, user: &UserId) -> Option<UserReport> {
        let changed = self.changed.lock();
        let changed = changed.get(user);
        let rights = self.configured.read().rights(user, changed)?;
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
                own.revoked_at = Some(Timestamp::now());
            }
        })
    }

    /// Refuses a user until the next [`Directory::put_principal`]. Blocks as that does.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be kept; then nothing changes in this run.
    pub fn delete_principal(&self, user: &UserId) -> Result<RightsChanged, StoreError> {
        self.change(user, |own, _| {
            let (revoked, revoked_at) = (std::mem::take(&mut own.revoked), own.revoked_at);
            *own = Changed { deleted: true, revoked, revoked_at, ..Changed::default() };
        })
    }

    /// Edits what was changed of a user, by what is kept and the tokens known now, keeps it and puts it in force. Tokens that
    /// become known meanwhile are not among those: [`People::resolve`] refuses them, as they were asked about too early.
    pub(super) fn change(
        &self,
        user: &UserId,
        edit: impl FnOnce(&mut Changed, &mut dyn Iterator<Item = TokenHash>),
    ) -> Result<RightsChanged, StoreError> {
        let mut changed = self.changed.lock();
        let known_before = self.configured.read().knows(user) || changed.contains_key(user);
        let mut next = changed.clone();
        let mut known = self.tokens_of(user);
        known.extend(self.people.lock().of_user(user).into_iter().filter(|held| matches!(held.origin, Origin::BackEnd { .. })));
        edit(next.entry(user.clone()).or_default(), &mut known.iter().map(|held| held.hash));
        self.store.save(&next)?;
        let epoch = self.put_in_force(user, next.clone());
        let (own, before) = (&next[user], changed.get(user));
        if own.deleted || own.revoked_at != before.and_then(|before| before.revoked_at) {
            self.issued.end_all(user);
            self.end_families_of(user);
        }
        *changed = next;
        Ok(RightsChanged { user: user.clone(), epoch, known_before })
    }

    /// The configured tokens of a user. A revocation names them one by one, as those a back end knows; signed tokens are
    /// refused by their age.
    fn tokens_of(&self, user: &UserId) -> Vec<Arc<Held>> {
        self.known.read().entries.iter().filter(|held| held.grant().user.as_ref() == Some(user)).cloned().collect()
    }

    /// From here on whoever asks is told by these changes, and everybody who stands for the user stands by them.
    fn put_in_force(&self, user: &UserId, changed: ChangedUsers) -> u64 {
        let mut people = self.people.lock();
        people.change(changed);
        let mut all = self.tokens_of(user);
        all.extend(people.of_user(user).into_iter().chain(self.issued.of_user(user)));
        for held in all {
            let now = people.resolve(&held.hash, held.origin, &held.grant());
            held.stand(now);
        }
        self.epoch.fetch_add(1, Ordering::AcqRel) + 1
    }
}

/// Whether anything is left of the changes: a `PUT` after a `DELETE` may give a user back to the settings.
fn differs(own: &Changed) -> bool {
    *own != Changed::default()
}
