//! Users, tokens and limits of other settings, put in force while everything runs.
//!
//! A token that stays keeps its credential, and with it its sessions; one that is gone, or is given to somebody else, ends. What
//! was changed while a server ran wins over the new settings as it did over the old.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
};

use super::{
    Denied, Directory,
    configured::{Known, configured_tokens},
    credential::{Held, Origin},
    log_in::Passwords,
    people::ConfiguredUsers,
};
use crate::{config::Settings, id::UserId};

impl Directory {
    /// Puts the users, tokens and limits of these settings in force; everything else of them is ignored. Whose sessions must be
    /// checked again is told by [`Directory::changes`]. Blocks: log-ins that end are written to the disk.
    pub fn reload(&self, settings: &Settings) {
        self.counts.set_limits(&settings.limits);
        let mut concerned = self.put_settings_in_force(settings);
        concerned.extend(self.end_log_ins());
        self.epoch.fetch_add(1, Ordering::AcqRel);
        concerned.into_iter().for_each(|user| self.changes.tell(user));
    }

    /// Whose standing has changed by it (`None`: somebody's without a user).
    fn put_settings_in_force(&self, settings: &Settings) -> HashSet<Option<UserId>> {
        // Nobody's rights are changed meanwhile, and whoever asks has them from the old settings or from the new ones.
        let _changes = self.changed.lock();
        let configured = ConfiguredUsers::new(settings);
        *self.configured.write() = configured.clone();
        *self.passwords.write() = Arc::new(Passwords::new(settings));
        let mut people = self.people.lock();
        people.configure(&configured);
        let mut known = self.known.write();
        // Nobody is let in meanwhile, so each is looked up and not looked for.
        let mut before: HashMap<[u8; 32], Arc<Held>> = known.entries.drain(..).map(|held| (*held.hash.as_bytes(), held)).collect();
        let mut next = Known::default();
        let mut concerned = HashSet::new();
        for (hash, expires, grant) in configured_tokens(settings).chain([self.run_grant.clone()]) {
            let is_his = before.get(hash.as_bytes()).is_some_and(|held| held.grant().user == grant.user);
            let kept = is_his.then(|| before.remove(hash.as_bytes())).flatten();
            let now = people.resolve(&hash, Origin::Configured, &grant);
            let held = match kept {
                Some(held) => {
                    let ends_otherwise = held.regrant(grant, expires);
                    if held.stand(now) || ends_otherwise {
                        concerned.insert(held.grant().user.clone());
                    }
                    held
                }
                None => Arc::new(Held::new(hash, Origin::Configured, expires, grant, now)),
            };
            next.insert(held);
        }
        for held in before.values() {
            held.end(Denied::Unknown);
            concerned.insert(held.grant().user.clone());
        }
        *known = next;
        for held in people.all_issued().into_iter().chain(self.issued.all()) {
            let now = people.resolve(&held.hash, held.origin, &held.grant());
            if held.stand(now) {
                concerned.insert(held.grant().user.clone());
            }
        }
        concerned
    }

    /// Ends the log-ins of those who have another password now, or none; of whom.
    fn end_log_ins(&self) -> Vec<Option<UserId>> {
        let passwords = self.passwords();
        let mut users = self.issued.end_without(&passwords);
        users.extend(self.end_families_without(&passwords));
        users.into_iter().map(Some).collect()
    }
}
