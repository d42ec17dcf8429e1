//! Log-ins: a name and a password become a token, bound to the device on which they were typed.
//!
//! Everything here blocks: comparing a password takes memory and time on purpose, and what was made is kept on the disk. Who
//! may try how often is not known here.

use std::sync::Arc;

use super::{
    Caller, Credential, Device, Directory, Principal, StoreError, TokenHash,
    credential::{Grant, Held, Origin},
    issued::{Issued, IssuedTokens, Record},
    people::People,
    token::{self, NoRandomness},
};
use crate::{
    clock::Timestamp,
    config::{PasswordHash, Secret, Settings},
    event::IdForm,
    id::UserId,
};

/// The longest password compared, in bytes.
const MAX_PASSWORD: usize = 1024;
/// The longest text of a device that is kept, in bytes.
const MAX_DEVICE_TEXT: usize = 1024;

/// Somebody who has logged in.
#[derive(Debug, Clone)]
pub struct LoggedIn {
    /// The new token.
    pub token: Secret,
    /// Whose it is, with the rights of this moment.
    pub caller: Caller,
    /// The name people read.
    pub name: String,
    /// Another token of the user has ended with it: sessions must be checked again.
    pub ended_another: bool,
}

/// Why nobody has logged in.
#[derive(Debug, thiserror::Error)]
pub enum NotLoggedIn {
    /// Nobody has that name and that password, or he may not come in.
    #[error("the name or the password is wrong")]
    Refused,
    /// The token cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No token can be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// Users with a password, by what they type.
#[derive(Debug)]
pub(super) struct Passwords(Vec<Password>);

#[derive(Debug)]
struct Password {
    user: UserId,
    name: String,
    /// His id as Audiobookshelf's clients read it.
    shown: String,
    hash: PasswordHash,
}

impl Passwords {
    pub(super) fn new(settings: &Settings) -> Self {
        let with_password = settings.users.iter().filter_map(|user| {
            let given = user.ids.get("audiobookshelf").map(|given| given.as_str().into());
            let shown = IdForm::Uuid.show(given, user.id.as_str()).text.into_owned();
            Some(Password { user: user.id.clone(), name: user.name.clone(), shown, hash: user.password_hash.clone()? })
        });
        Self(with_password.collect())
    }

    /// Whose name and password these are. A name that nobody has takes as long as one that somebody has: then somebody's
    /// password is compared all the same.
    fn of(&self, name: &str, password: &Secret) -> Option<&Password> {
        let named = self.named(name);
        let compared = named.or(self.0.first())?;
        let fits = password.expose().len() <= MAX_PASSWORD && compared.hash.is_of(password);
        named.filter(|_| fits)
    }

    /// By the id, else by the name people read, in any case, where only one has it.
    fn named(&self, name: &str) -> Option<&Password> {
        if let Some(found) = self.0.iter().find(|own| own.user.as_str() == name) {
            return Some(found);
        }
        let wanted = name.to_lowercase();
        let mut found = self.0.iter().filter(|own| own.name.to_lowercase() == wanted);
        found.next().filter(|_| found.next().is_none())
    }

    /// What tells the present password of a user from an earlier one; `None`: he has none, so no token of his counts.
    pub(super) fn mark(&self, user: &UserId) -> Option<TokenHash> {
        let own = self.0.iter().find(|own| own.user == *user)?;
        Some(own.mark())
    }

    /// The id that Audiobookshelf's clients read, and the name people read.
    pub(super) fn names(&self, user: &UserId) -> Option<(&str, &str)> {
        self.0.iter().find(|own| own.user == *user).map(|own| (own.shown.as_str(), own.name.as_str()))
    }
}

impl Password {
    fn mark(&self) -> TokenHash {
        TokenHash::of(self.hash.expose())
    }
}

/// The tokens kept, less those of another password or of nobody.
pub(super) fn open(store: &super::PrincipalStore, passwords: &Passwords, people: &mut People) -> Result<IssuedTokens, StoreError> {
    let people = std::cell::RefCell::new(people);
    let hold = |record: &Record| {
        let still_counts = passwords.mark(&record.user)? == record.password;
        still_counts.then(|| Arc::new(held(record, &mut people.borrow_mut())))
    };
    IssuedTokens::open(store.directory().map(ToOwned::to_owned), hold)
}

/// The credential of a token as it stands now.
fn held(record: &Record, people: &mut People) -> Held {
    let origin = Origin::Issued(record.issued);
    let grant = Grant { user: Some(record.user.clone()), name: None, own: Principal::default(), alone: false };
    let now = people.resolve(&record.hash, origin, &grant);
    Held::new(record.hash, origin, None, grant, now).bound_to(record.device.clone())
}

impl Directory {
    /// Logs somebody in on a device. The token counts until he logs out or in again there, until it is revoked, or until he
    /// has another password. Blocks for a good part of a second, and takes some 20 MiB meanwhile.
    ///
    /// # Errors
    /// [`NotLoggedIn::Refused`] says no more than that; the others that no token can be made or kept now.
    pub fn log_in(&self, name: &str, password: &Secret, device: Device) -> Result<LoggedIn, NotLoggedIn> {
        let texts = [&device.client, &device.id, &device.name, &device.version];
        if device.id.is_empty() || texts.iter().any(|text| text.len() > MAX_DEVICE_TEXT) {
            return Err(NotLoggedIn::Refused);
        }
        let (user, mark) = self.let_in(name, password)?;
        let token = token::generate()?;
        let now = Timestamp::now();
        let record = Record {
            hash: TokenHash::of(token.expose()),
            device,
            issued: self.people.lock().after_revocation(&user, now),
            used: now,
            password: mark,
            user,
        };
        let ended_another = self.issued.add(&record, |insert| {
            // Under the lock of those who change rights: a change either finds it or was made before it.
            let mut people = self.people.lock();
            insert(Issued::new(record.clone(), Arc::new(held(&record, &mut people))));
        })?;
        // Whoever was shut out meanwhile has a token that is refused.
        let credential = Credential(self.issued.find(token.expose()).ok_or(NotLoggedIn::Refused)?);
        let principal = self.current(&credential).ok_or(NotLoggedIn::Refused)?;
        let device = credential.device().cloned();
        let name = self.passwords().names(&record.user).map_or_else(String::new, |(_, name)| name.to_owned());
        Ok(LoggedIn { token, caller: Caller { principal, credential: Some(credential), device }, name, ended_another })
    }

    /// Whose name and password these are, if he may come in, and the mark of the password.
    pub(super) fn let_in(&self, name: &str, password: &Secret) -> Result<(UserId, TokenHash), NotLoggedIn> {
        let passwords = self.passwords();
        let known = passwords.of(name, password).ok_or(NotLoggedIn::Refused)?;
        let may_come_in = self.rights(&known.user).is_some_and(|rights| !rights.disabled);
        if may_come_in { Ok((known.user.clone(), known.mark())) } else { Err(NotLoggedIn::Refused) }
    }

    /// Ends a token that a log-in here has made, and all that came of the same log-in, for good; whose sessions must be checked
    /// again. `None`: it is none of those. Blocks.
    pub fn log_out(&self, credential: &Credential) -> Option<UserId> {
        match credential.0.origin {
            Origin::Pair { family, .. } => self.end_family(family),
            Origin::Configured | Origin::Jwt { .. } | Origin::Issued(_) | Origin::BackEnd { .. } => self.issued.end(&credential.0),
        }
    }
}

#[cfg(test)]
#[path = "log_in_tests.rs"]
mod tests;
