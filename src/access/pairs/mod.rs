//! Log-ins that give a pair of tokens: one to come in with, for a short time, and one that makes the next pair (wire notes on
//! Audiobookshelf, section 2).
//!
//! Tokens say who they are for and are signed by a key of our own; whether their log-in still counts is asked of the
//! families each time. What a user may do is not kept here but asked of the directory, as for every token.

mod families;
mod signer;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use super::{
    Caller, Denied, Directory, NotLoggedIn, Principal, PrincipalStore, StoreError, TokenHash,
    credential::{Grant, Held, Origin},
    log_in::Passwords,
};
use crate::{
    clock::Timestamp,
    config::{Secret, Settings},
    id::UserId,
};
use families::{Families, NoTurn, Record};
use signer::{Claims, SignError, Signer, Use};

pub(super) use families::FamilyId;
pub(super) use signer::is_of_a_log_in;

/// The tokens of a log-in.
#[derive(Debug, Clone)]
pub struct Pair {
    /// To come in with, for `dialects.audiobookshelf.access_expires`.
    pub access: Secret,
    /// To come in with as long as `refresh`, for clients that know no refresh tokens.
    pub lasting: Secret,
    /// For the next pair, once.
    pub refresh: Secret,
    /// How long `refresh` counts.
    pub refresh_lasts: Duration,
}

/// Somebody who has logged in, or goes on.
#[derive(Debug, Clone)]
pub struct Paired {
    /// His tokens.
    pub pair: Pair,
    /// Who he is, with the rights of this moment.
    pub caller: Caller,
    /// The name people read.
    pub name: String,
    /// Another log-in of the user has ended with it: sessions must be checked again.
    pub ended_another: bool,
}

/// Why a refresh token makes no new pair.
#[derive(Debug, thiserror::Error)]
pub enum NotRenewed {
    /// It is none, or its log-in has ended.
    #[error("the refresh token is not known")]
    Unknown,
    /// It has ended.
    #[error("the refresh token has expired")]
    Expired,
    /// It was used before. Every token of its log-in has ended, and sessions of its user must be checked again.
    #[error("the refresh token was used before")]
    Used(UserId),
    /// The new pair cannot be made or kept.
    #[error(transparent)]
    Unavailable(#[from] NotLoggedIn),
}

/// Everything that makes pairs.
#[derive(Debug)]
pub(super) struct Pairs {
    signer: Signer,
    families: Families,
    access_lasts: Duration,
    refresh_lasts: Duration,
}

impl Pairs {
    /// With what is kept beside the store's own file.
    pub(super) fn open(settings: &Settings, store: &PrincipalStore, passwords: &Passwords) -> Result<Self, StoreError> {
        let directory = || store.directory().map(ToOwned::to_owned);
        let still_counts = |record: &Record| passwords.mark(&record.user) == Some(record.password);
        let settings = &settings.dialects.audiobookshelf;
        Ok(Self {
            signer: Signer::open(directory())?,
            families: Families::open(directory(), still_counts)?,
            access_lasts: settings.access_expires,
            refresh_lasts: settings.refresh_expires,
        })
    }

    /// Signs the tokens of a family's present turn.
    fn pair(&self, record: &Record, names: (&str, &str), now: Timestamp) -> Result<Pair, SignError> {
        let token = |good_for: Use, expires: Timestamp| {
            let (user_id, username) = (names.0.to_owned(), names.1.to_owned());
            let turn = (good_for == Use::Refresh).then_some(record.turn);
            let jti = FamilyId::new()?.to_string();
            let (iat, exp) = (now.0.div_euclid(1000), seconds_from(expires));
            self.signer.sign(&Claims { user_id, username, sid: record.id, jti, good_for, iat, exp, turn })
        };
        Ok(Pair {
            access: token(Use::Access, after(now, self.access_lasts))?,
            lasting: token(Use::Lasting, record.expires)?,
            refresh: token(Use::Refresh, record.expires)?,
            refresh_lasts: self.refresh_lasts,
        })
    }
}

impl Directory {
    /// Logs somebody in for a pair of tokens. Blocks for a good part of a second, and takes some 20 MiB meanwhile.
    ///
    /// # Errors
    /// [`NotLoggedIn::Refused`] says no more than that; the others that no token can be made or kept now.
    pub fn log_in_for_pair(&self, name: &str, password: &Secret) -> Result<Paired, NotLoggedIn> {
        let (user, mark) = self.let_in(name, password)?;
        let now = Timestamp::now();
        let record = Record {
            id: FamilyId::new()?,
            issued: self.people.lock().after_revocation(&user, now),
            refreshed: now,
            expires: after(now, self.pairs.refresh_lasts),
            turn: 1,
            password: mark,
            user,
        };
        let ended = self.pairs.families.add(record.clone())?;
        self.end_families(&ended);
        Ok(Paired { ended_another: !ended.is_empty(), ..self.paired(&record, now)? })
    }

    /// The next pair of a log-in, for its refresh token, which after ten seconds counts no more. Blocks.
    ///
    /// # Errors
    /// [`NotRenewed`].
    pub fn renew(&self, refresh: &Secret) -> Result<Paired, NotRenewed> {
        let claims = self.pairs.signer.read(refresh.expose()).ok_or(NotRenewed::Unknown)?;
        let Claims { sid, good_for: Use::Refresh, turn: Some(turn), exp, .. } = claims else { return Err(NotRenewed::Unknown) };
        let now = Timestamp::now();
        if has_ended(exp, now) {
            return Err(NotRenewed::Expired);
        }
        // Whoever is shut out for a while keeps what he has.
        let user = self.pairs.families.get(sid, now).ok_or(NotRenewed::Unknown)?.user;
        if self.rights(&user).is_none_or(|rights| rights.disabled) {
            return Err(NotRenewed::Unknown);
        }
        match self.pairs.families.turn(sid, turn, now, after(now, self.pairs.refresh_lasts)) {
            Ok(record) => self.paired(&record, now).map_err(|error| match error {
                NotLoggedIn::Refused => NotRenewed::Unknown,
                error => error.into(),
            }),
            Err(NoTurn::Over) => Err(NotRenewed::Unknown),
            Err(NoTurn::Used) => Err(self.end_family(sid).map_or(NotRenewed::Unknown, NotRenewed::Used)),
            Err(NoTurn::Store(error)) => Err(NotLoggedIn::from(error).into()),
        }
    }

    /// Ends the log-in that a token, of whatever use and age, is of; whose sessions must be checked again. `None`: it is of
    /// none that counts. Blocks.
    pub fn end_log_in(&self, token: &Secret) -> Option<UserId> {
        let claims = self.pairs.signer.read(token.expose())?;
        self.end_family(claims.sid)
    }

    /// The tokens of a family, if its user may come in.
    fn paired(&self, record: &Record, now: Timestamp) -> Result<Paired, NotLoggedIn> {
        let passwords = self.passwords();
        let (shown, name) = passwords.names(&record.user).ok_or(NotLoggedIn::Refused)?;
        let pair = self.pairs.pair(record, (shown, name), now).map_err(|error| match error {
            SignError::Store(error) => error.into(),
            SignError::NoRandomness(error) => error.into(),
            SignError::Unwritable => NotLoggedIn::Refused,
        })?;
        // Whoever was shut out meanwhile has a token that is refused.
        let authenticated = self.authenticate(pair.access.expose()).map_err(|_| NotLoggedIn::Refused)?;
        Ok(Paired { pair, caller: authenticated.into_caller(), name: name.to_owned(), ended_another: false })
    }

    /// The credential of a token of a log-in; one for all sessions that show the same.
    pub(super) fn of_log_in(&self, token: &str) -> Result<Arc<Held>, Denied> {
        let claims = self.pairs.signer.read(token).ok_or(Denied::Unknown)?;
        if claims.good_for == Use::Refresh {
            return Err(Denied::Unknown);
        }
        let now = Timestamp::now();
        if has_ended(claims.exp, now) {
            return Err(Denied::Expired);
        }
        let hash = TokenHash::of(token);
        let mut people = self.people.lock();
        // Under the lock of those who end families: one that ends finds this credential, or is not found any more.
        let record = self.pairs.families.get(claims.sid, now).ok_or(Denied::Unknown)?;
        if let Some(held) = people.issued(&hash) {
            return Ok(held);
        }
        let origin = Origin::Pair { family: record.id, issued: record.issued };
        let grant = Grant { user: Some(record.user), name: None, own: Principal::default(), alone: false };
        let stands = people.resolve(&hash, origin, &grant);
        let held = Arc::new(Held::new(hash, origin, Some(Timestamp(claims.exp * 1000)), grant, stands));
        people.issue(&held);
        Ok(held)
    }

    /// Ends a family and whoever came in by it; whose it was.
    pub(super) fn end_family(&self, family: FamilyId) -> Option<UserId> {
        let user = self.pairs.families.end(family);
        self.end_families(&[family]);
        user
    }

    /// The same for all families of a user.
    pub(super) fn end_families_of(&self, user: &UserId) {
        let ended = self.pairs.families.end_all(user);
        self.end_families(&ended);
    }

    /// The same for all that were begun with another password than their user has now; of whom.
    pub(super) fn end_families_without(&self, passwords: &Passwords) -> Vec<UserId> {
        let (ended, users): (Vec<_>, Vec<_>) = self.pairs.families.end_without(passwords).into_iter().unzip();
        self.end_families(&ended);
        users
    }

    fn end_families(&self, ended: &[FamilyId]) {
        if !ended.is_empty() {
            self.people.lock().end_families(ended);
        }
    }
}

fn after(now: Timestamp, lasts: Duration) -> Timestamp {
    Timestamp(now.0.saturating_add(i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX)))
}

/// In whole seconds, as tokens have it: not before that moment.
fn seconds_from(moment: Timestamp) -> i64 {
    moment.0.saturating_add(999).div_euclid(1000)
}

fn has_ended(seconds: i64, now: Timestamp) -> bool {
    seconds.saturating_mul(1000) <= now.0
}
