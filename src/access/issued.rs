//! Tokens that log-ins here have made: bound to a user and a device, kept as SHA-256 in `issued-tokens.json` of the data
//! directory, so that clients need not log in again after a restart.
//!
//! What a user may do is not kept here but asked of the directory, as for every token. How a password is checked is not known
//! here; that it was changed is: a token made with another password than the present one is forgotten.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};

use super::{Denied, Device, StoreError, TokenHash, credential::Held, file, log_in::Passwords};
use crate::{clock::Timestamp, id::UserId};

const FILE_NAME: &str = "issued-tokens.json";
const VERSION: u32 = 1;
/// The most devices a user is logged in on at a time; with one more the one not used for longest must log in again.
const MAX_DEVICES: usize = 64;

/// Every token that counts.
#[derive(Debug)]
pub(super) struct IssuedTokens {
    directory: Option<PathBuf>,
    /// Held while the file is written, so that changes are kept in order. Taken before `all`.
    saving: Mutex<()>,
    /// Never held while anything is waited for.
    all: RwLock<HashMap<[u8; 32], Arc<Issued>>>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) held: Arc<Held>,
    record: Record,
    /// When it was last shown, milliseconds since the epoch.
    used: AtomicI64,
}

/// What is kept of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) hash: TokenHash,
    pub(super) user: UserId,
    pub(super) device: Device,
    pub(super) issued: Timestamp,
    pub(super) used: Timestamp,
    /// Which password it was made with, see `Passwords::mark`.
    pub(super) password: TokenHash,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    tokens: Vec<Record>,
}

#[derive(Serialize)]
struct DocumentRef<'a> {
    version: u32,
    tokens: &'a [Record],
}

impl Issued {
    pub(super) fn new(record: Record, held: Arc<Held>) -> Self {
        Self { held, used: AtomicI64::new(record.used.0), record }
    }

    fn record(&self) -> Record {
        Record { used: self.last_used(), ..self.record.clone() }
    }

    fn last_used(&self) -> Timestamp {
        Timestamp(self.used.load(Ordering::Relaxed))
    }

    fn is_on(&self, user: &UserId, device: &Device) -> bool {
        self.record.user == *user && self.record.device.client == device.client && self.record.device.id == device.id
    }
}

impl IssuedTokens {
    /// Those kept in this directory (`None`: nothing is kept) that still count; `hold` makes a credential of one that does.
    pub(super) fn open(directory: Option<PathBuf>, hold: impl Fn(&Record) -> Option<Arc<Held>>) -> Result<Self, StoreError> {
        let records = directory.as_deref().map(load).transpose()?.unwrap_or_default();
        let counted = records.into_iter().filter_map(|record| {
            let held = hold(&record)?;
            Some((*record.hash.as_bytes(), Arc::new(Issued::new(record, held))))
        });
        let all = RwLock::new(counted.collect());
        Ok(Self { directory, saving: Mutex::new(()), all })
    }

    /// Whose token this is.
    pub(super) fn find(&self, token: &str) -> Option<Arc<Held>> {
        let presented = TokenHash::of(token);
        let all = self.all.read();
        let issued = all.get(presented.as_bytes()).filter(|issued| issued.record.hash == presented)?;
        issued.used.store(Timestamp::now().0, Ordering::Relaxed);
        Some(Arc::clone(&issued.held))
    }

    /// The credentials of a user.
    pub(super) fn of_user(&self, user: &UserId) -> Vec<Arc<Held>> {
        self.all.read().values().filter(|issued| issued.record.user == *user).map(|issued| Arc::clone(&issued.held)).collect()
    }

    /// Every credential.
    pub(super) fn all(&self) -> Vec<Arc<Held>> {
        self.all.read().values().map(|issued| Arc::clone(&issued.held)).collect()
    }

    /// Ends the tokens that were made with another password than their user has now; of whom. Blocks.
    pub(super) fn end_without(&self, passwords: &Passwords) -> Vec<UserId> {
        self.end_those(|issued| passwords.mark(&issued.record.user) != Some(issued.record.password))
    }

    /// Keeps a new token, and ends the one its device had before and those that are too many; whether there were any. Once it
    /// is kept, `put_in_force` is called with what takes it in. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be kept; then nothing has changed.
    pub(super) fn add(&self, record: &Record, put_in_force: impl FnOnce(&dyn Fn(Issued))) -> Result<bool, StoreError> {
        let _saving = self.saving.lock();
        let ended = self.in_the_way(record);
        let is_over = |hash: &TokenHash| ended.iter().any(|issued| issued.record.hash == *hash);
        let mut records = self.records(|issued| !is_over(&issued.record.hash));
        records.push(record.clone());
        self.save(&records)?;
        put_in_force(&|issued| drop(self.all.write().insert(*issued.record.hash.as_bytes(), Arc::new(issued))));
        for issued in &ended {
            self.all.write().remove(issued.record.hash.as_bytes());
            issued.held.end(Denied::Unknown);
        }
        Ok(!ended.is_empty())
    }

    /// From now on this token counts no more; whose it was. It has ended whether or not that can be kept. Blocks.
    pub(super) fn end(&self, held: &Arc<Held>) -> Option<UserId> {
        let ended = self.end_those(|issued| Arc::ptr_eq(&issued.held, held));
        ended.into_iter().next()
    }

    /// The same for every token of a user.
    pub(super) fn end_all(&self, user: &UserId) {
        self.end_those(|issued| issued.record.user == *user);
    }

    fn end_those(&self, is_over: impl Fn(&Issued) -> bool) -> Vec<UserId> {
        let _saving = self.saving.lock();
        let mut ended = Vec::new();
        self.all.write().retain(|_, issued| {
            let is_over = is_over(issued);
            if is_over {
                issued.held.end(Denied::Unknown);
                ended.push(issued.record.user.clone());
            }
            !is_over
        });
        if !ended.is_empty()
            && let Err(error) = self.save(&self.records(|_| true))
        {
            tracing::error!(%error, "a token that has ended may count again after a restart");
        }
        ended
    }

    /// What a new token takes the place of.
    fn in_the_way(&self, new: &Record) -> Vec<Arc<Issued>> {
        let all = self.all.read();
        let (mut ended, mut kept): (Vec<_>, Vec<_>) =
            all.values().filter(|issued| issued.record.user == new.user).cloned().partition(|issued| issued.is_on(&new.user, &new.device));
        kept.sort_by_key(|issued| issued.last_used().0);
        let n_too_many = (kept.len() + 1).saturating_sub(MAX_DEVICES);
        ended.extend(kept.drain(..n_too_many));
        ended
    }

    fn records(&self, stays: impl Fn(&Issued) -> bool) -> Vec<Record> {
        let mut records: Vec<Record> = self.all.read().values().filter(|issued| stays(issued)).map(|issued| issued.record()).collect();
        records.sort_by(|one, other| (one.user.as_str(), one.issued.0).cmp(&(other.user.as_str(), other.issued.0)));
        records
    }

    fn save(&self, records: &[Record]) -> Result<(), StoreError> {
        let Some(directory) = &self.directory else { return Ok(()) };
        let document = DocumentRef { version: VERSION, tokens: records };
        let in_file = |source| StoreError::Io { path: directory.join(FILE_NAME), action: "written", source };
        file::replace(directory, FILE_NAME, &document).map_err(in_file)
    }
}

fn load(directory: &Path) -> Result<Vec<Record>, StoreError> {
    let Some(document) = file::load::<Document>(directory, FILE_NAME)? else { return Ok(Vec::new()) };
    if document.version != VERSION {
        let reason = format!("version {}, this program knows {VERSION}", document.version);
        return Err(StoreError::Damaged { path: directory.join(FILE_NAME), reason });
    }
    Ok(document.tokens)
}
