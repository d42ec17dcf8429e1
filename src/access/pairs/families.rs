//! Log-ins that go on by refresh tokens: all tokens of one log-in are a family, and end together. Kept in `log-ins.json` of
//! the data directory, without any token.
//!
//! Each refresh token counts once. One that is shown a second time has been stolen, or was stolen from whoever showed it
//! first: nobody can tell, so its family ends (RFC 9700, section 4.14). Only the last one counts for a moment more, because two
//! pages of one browser may refresh at once: what it gives then are tokens of the same turn, so a thief is still found out by
//! the turn after.

use std::{collections::HashMap, fmt, path::PathBuf};

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    access::{StoreError, TokenHash, file, log_in::Passwords, token::NoRandomness},
    clock::Timestamp,
    id::UserId,
};

const FILE_NAME: &str = "log-ins.json";
const VERSION: u32 = 1;
/// The most families a user has at a time; with one more the one not refreshed for longest ends.
const MAX_FAMILIES: usize = 64;

/// How long a refresh token counts after it has been used, in milliseconds: two pages that refresh at once are no further apart.
const GRACE_MS: i64 = 10_000;

/// What tells one family from another: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::access) struct FamilyId(u128);

/// What is kept of a family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) id: FamilyId,
    pub(super) user: UserId,
    /// When somebody logged in.
    pub(super) issued: Timestamp,
    /// When its last refresh token was made.
    pub(super) refreshed: Timestamp,
    /// When that one ends.
    pub(super) expires: Timestamp,
    /// Which refresh token counts; those of earlier turns were used.
    pub(super) turn: u64,
    /// Which password it was made with, see `Passwords::mark`.
    pub(super) password: TokenHash,
}

/// Why a family has no next turn.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoTurn {
    #[error("the log-in has ended")]
    Over,
    #[error("the refresh token was used before")]
    Used,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Every family that counts.
#[derive(Debug)]
pub(super) struct Families {
    directory: Option<PathBuf>,
    /// Held while the file is written, so that changes are kept in order. Taken before `all`.
    saving: Mutex<()>,
    /// Never held while anything is waited for.
    all: RwLock<HashMap<FamilyId, Record>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    log_ins: Vec<Record>,
}

impl Families {
    /// Those kept in this directory (`None`: nothing is kept) that still count.
    pub(super) fn open(directory: Option<PathBuf>, counts: impl Fn(&Record) -> bool) -> Result<Self, StoreError> {
        let document = directory.as_deref().map(|directory| file::load::<Document>(directory, FILE_NAME)).transpose()?.flatten();
        if let (Some(document), Some(directory)) = (&document, &directory)
            && document.version != VERSION
        {
            let reason = format!("version {}, this program knows {VERSION}", document.version);
            return Err(StoreError::Damaged { path: directory.join(FILE_NAME), reason });
        }
        let records = document.map(|document| document.log_ins).unwrap_or_default();
        let now = Timestamp::now();
        let all = records.into_iter().filter(|record| record.expires > now && counts(record)).map(|record| (record.id, record));
        Ok(Self { directory, saving: Mutex::new(()), all: RwLock::new(all.collect()) })
    }

    /// One that has not ended.
    pub(super) fn get(&self, id: FamilyId, now: Timestamp) -> Option<Record> {
        self.all.read().get(&id).filter(|record| record.expires > now).cloned()
    }

    /// Keeps a new one; those that had to make room for it. Blocks.
    ///
    /// # Errors
    /// When it cannot be kept; then nothing has changed.
    pub(super) fn add(&self, record: Record) -> Result<Vec<FamilyId>, StoreError> {
        let _saving = self.saving.lock();
        let mut next = self.living(record.issued);
        let mut of_user: Vec<&Record> = next.values().filter(|own| own.user == record.user).collect();
        of_user.sort_by_key(|own| own.refreshed.0);
        let n_too_many = (of_user.len() + 1).saturating_sub(MAX_FAMILIES);
        let ended: Vec<FamilyId> = of_user.iter().take(n_too_many).map(|own| own.id).collect();
        next.retain(|id, _| !ended.contains(id));
        next.insert(record.id, record);
        self.save(&next)?;
        *self.all.write() = next;
        Ok(ended)
    }

    /// The next refresh token of a family, in the place of that one; once more the same turn where that one was used just now.
    /// Blocks.
    pub(super) fn turn(&self, id: FamilyId, turn: u64, now: Timestamp, expires: Timestamp) -> Result<Record, NoTurn> {
        let _saving = self.saving.lock();
        let mut next = self.living(now);
        let record = next.get_mut(&id).ok_or(NoTurn::Over)?;
        let age = now.0.saturating_sub(record.refreshed.0);
        if turn.checked_add(1) == Some(record.turn) && (0..GRACE_MS).contains(&age) {
            return Ok(record.clone());
        }
        if turn != record.turn {
            return Err(NoTurn::Used);
        }
        (record.turn, record.refreshed, record.expires) = (turn + 1, now, expires);
        let turned = record.clone();
        self.save(&next)?;
        *self.all.write() = next;
        Ok(turned)
    }

    /// Ends one; whose it was. It has ended whether or not that can be kept. Blocks.
    pub(super) fn end(&self, id: FamilyId) -> Option<UserId> {
        self.end_those(|record| record.id == id).pop().map(|record| record.user)
    }

    /// The same for all of a user.
    pub(super) fn end_all(&self, user: &UserId) -> Vec<FamilyId> {
        self.end_those(|record| record.user == *user).into_iter().map(|record| record.id).collect()
    }

    /// The same for all that were begun with another password than their user has now; whose they were.
    pub(super) fn end_without(&self, passwords: &Passwords) -> Vec<(FamilyId, UserId)> {
        let ended = self.end_those(|record| passwords.mark(&record.user) != Some(record.password));
        ended.into_iter().map(|record| (record.id, record.user)).collect()
    }

    fn end_those(&self, is_over: impl Fn(&Record) -> bool) -> Vec<Record> {
        let _saving = self.saving.lock();
        let mut all = self.all.write();
        let ended: Vec<Record> = all.values().filter(|record| is_over(record)).cloned().collect();
        all.retain(|_, record| !is_over(record));
        let left = all.clone();
        drop(all);
        if !ended.is_empty()
            && let Err(error) = self.save(&left)
        {
            tracing::error!(%error, "a log-in that has ended may count again after a restart");
        }
        ended
    }

    /// All but those that nobody has refreshed in time.
    fn living(&self, now: Timestamp) -> HashMap<FamilyId, Record> {
        let all = self.all.read();
        all.iter().filter(|(_, record)| record.expires > now).map(|(id, record)| (*id, record.clone())).collect()
    }

    fn save(&self, all: &HashMap<FamilyId, Record>) -> Result<(), StoreError> {
        let Some(directory) = &self.directory else { return Ok(()) };
        let mut log_ins: Vec<Record> = all.values().cloned().collect();
        log_ins.sort_by(|one, other| (one.user.as_str(), one.issued.0).cmp(&(other.user.as_str(), other.issued.0)));
        let in_file = |source| StoreError::Io { path: directory.join(FILE_NAME), action: "written", source };
        file::replace(directory, FILE_NAME, &Document { version: VERSION, log_ins }).map_err(in_file)
    }
}

impl FamilyId {
    pub(super) fn new() -> Result<Self, NoRandomness> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
        Ok(Self(u128::from_ne_bytes(bytes)))
    }
}

impl fmt::Display for FamilyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for FamilyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FamilyId(…)")
    }
}

impl Serialize for FamilyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FamilyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_plain = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(&text, 16).ok().filter(|_| is_plain);
        number.map(Self).ok_or_else(|| de::Error::custom("must be 32 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_refresh_token_counts_a_moment_longer_and_none_before_it() {
        let families = Families::open(None, |_| true).expect("opens");
        let (start, end) = (Timestamp::now().0, Timestamp(i64::MAX));
        let (id, issued) = (FamilyId::new().expect("random"), Timestamp(start));
        let (user, password) = (UserId::parse("bob").expect("an id"), TokenHash::of("mark"));
        let ended = families.add(Record { id, user, issued, refreshed: issued, expires: end, turn: 1, password });
        assert!(ended.expect("kept").is_empty());
        let turn = |turn: u64, after: i64| families.turn(id, turn, Timestamp(start + after), end).map(|record| record.turn).ok();
        assert_eq!(turn(1, 0), Some(2));
        assert_eq!((turn(1, 5), turn(1, GRACE_MS - 1)), (Some(2), Some(2)), "the same turn, however often");
        assert_eq!((turn(1, GRACE_MS), turn(1, -1)), (None, None));
        assert_eq!(turn(2, GRACE_MS), Some(3));
        assert_eq!((turn(1, GRACE_MS), turn(2, GRACE_MS)), (None, Some(3)), "only the last one");
        assert_eq!((turn(4, GRACE_MS), turn(u64::MAX, GRACE_MS), turn(0, GRACE_MS)), (None, None, None));
    }
}
