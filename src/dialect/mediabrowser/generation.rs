//! Three generations of clients, and what each may be sent: what a generation does not know is not sent to it (wire notes on
//! MediaBrowser, rule 7 and sections 5 and 5.8).

use std::sync::Arc;

use super::encode::DIALECT;
use crate::{
    access::{Filter, Principal, RawNames},
    event::{EventKind, KindSet},
};

/// Which generation a socket's client is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Generation {
    /// MediaBrowser: comes to `/mediabrowser` without a token, and says by `Identity` who it is (document 004).
    Identity,
    /// Emby: a token in the query, and no complaint about a message it does not know.
    Emby,
    /// Jellyfin: comes to `/socket`; some of its clients fail at a message they do not know.
    Jellyfin,
}

/// Everything a client of Jellyfin knows (section 5).
const KNOWN: [&str; 28] = [
    "ForceKeepAlive",
    "KeepAlive",
    "LibraryChanged",
    "UserDataChanged",
    "UserUpdated",
    "UserDeleted",
    "RestartRequired",
    "ServerRestarting",
    "ServerShuttingDown",
    "Play",
    "Playstate",
    "GeneralCommand",
    "Sessions",
    "ScheduledTasksInfo",
    "ActivityLogEntry",
    "ScheduledTaskEnded",
    "RefreshProgress",
    "PackageInstalling",
    "PackageInstallationCompleted",
    "PackageInstallationFailed",
    "PackageInstallationCancelled",
    "PackageUninstalled",
    "TimerCreated",
    "TimerCancelled",
    "SeriesTimerCreated",
    "SeriesTimerCancelled",
    "SyncPlayCommand",
    "SyncPlayGroupUpdate",
];

/// Of these, what came after the clients that say `Identity`.
const AFTER_IDENTITY: [&str; 6] =
    ["ForceKeepAlive", "KeepAlive", "RefreshProgress", "PackageUninstalled", "SyncPlayCommand", "SyncPlayGroupUpdate"];

/// What is for a user, or for administrators among the users: never for a key, which is nobody (section 4).
const OF_USERS: [&str; 15] = [
    "LibraryChanged",
    "UserDataChanged",
    "UserUpdated",
    "UserDeleted",
    "ScheduledTaskEnded",
    "RefreshProgress",
    "PackageInstalling",
    "PackageInstallationCompleted",
    "PackageInstallationFailed",
    "PackageInstallationCancelled",
    "PackageUninstalled",
    "TimerCreated",
    "TimerCancelled",
    "SeriesTimerCreated",
    "SeriesTimerCancelled",
];

const FOR_ALL: KindSet = KindSet::of(&[EventKind::Server, EventKind::Message, EventKind::RemoteControl]);

impl Generation {
    /// What a client of this generation is sent, of what that principal may see.
    pub(super) fn filter(self, principal: Arc<Principal>) -> Filter {
        let is_key = principal.user.is_none();
        let kinds = if is_key { FOR_ALL } else { self.kinds() };
        let raw = self.raw_names(is_key);
        Filter { principal, dialect: DIALECT, kinds, raw, libraries: None, unscoped: true, connection: None }
    }

    /// What a socket of nobody is sent: nothing, whatever its principal might see.
    pub(super) fn nothing(principal: Arc<Principal>) -> Filter {
        let raw = RawNames::Only(Vec::new());
        Filter { principal, dialect: DIALECT, kinds: KindSet::EMPTY, raw, libraries: None, unscoped: false, connection: None }
    }

    const fn kinds(self) -> KindSet {
        let known = FOR_ALL.with(EventKind::User).with(EventKind::Scan).with(EventKind::Activity);
        match self {
            Self::Jellyfin => known,
            Self::Emby => known.with(EventKind::Notification),
            Self::Identity => known.with(EventKind::Notification).with(EventKind::Playback),
        }
    }

    fn raw_names(self, is_key: bool) -> RawNames {
        let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let fits = |name: &&str| !is_key || !OF_USERS.contains(name);
        match self {
            Self::Jellyfin => RawNames::Only(KNOWN.into_iter().filter(fits).map(str::to_owned).collect()),
            Self::Emby if is_key => RawNames::Except(of(&OF_USERS)),
            Self::Emby => RawNames::All,
            Self::Identity if is_key => {
                RawNames::Except([&OF_USERS[..], &AFTER_IDENTITY[..]].concat().into_iter().map(str::to_owned).collect())
            }
            Self::Identity => RawNames::Except(of(&AFTER_IDENTITY)),
        }
    }

    /// Whether its clients stop at a message or a command they do not know.
    pub(super) const fn is_strict(self) -> bool {
        matches!(self, Self::Jellyfin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::UserId;

    fn filter(generation: Generation, is_key: bool) -> Filter {
        let user = (!is_key).then(|| UserId::parse("bob").expect("an id"));
        generation.filter(Arc::new(Principal { user, member: true, admin: true, ..Principal::default() }))
    }

    fn takes_raw(generation: Generation, is_key: bool, name: &str) -> bool {
        match filter(generation, is_key).raw {
            RawNames::All => true,
            RawNames::Only(names) => names.iter().any(|known| known == name),
            RawNames::Except(names) => names.iter().all(|known| known != name),
        }
    }

    #[test]
    fn each_generation_is_sent_what_it_knows() {
        use Generation::{Emby, Identity, Jellyfin};
        for (name, expected) in [
            ("LibraryChanged", [true, true, true]),
            ("NotificationAdded", [true, true, false]),
            ("SyncPlayCommand", [false, true, true]),
            ("RefreshProgress", [false, true, true]),
            ("AnythingElse", [true, true, false]),
        ] {
            assert_eq!([Identity, Emby, Jellyfin].map(|generation| takes_raw(generation, false, name)), expected, "{name}");
        }
        assert!(!filter(Jellyfin, false).kinds.contains(EventKind::Notification));
        assert!(filter(Identity, false).kinds.contains(EventKind::Playback) && !filter(Emby, false).kinds.contains(EventKind::Playback));
    }

    #[test]
    fn a_key_is_sent_what_is_for_all_and_for_its_socket_however_much_it_may_see() {
        for generation in [Generation::Identity, Generation::Emby, Generation::Jellyfin] {
            let filter = filter(generation, true);
            for kind in EventKind::ALL {
                let expected = matches!(kind, EventKind::Server | EventKind::Message | EventKind::RemoteControl);
                assert_eq!(filter.kinds.contains(*kind), expected, "{kind}");
            }
            for name in OF_USERS {
                assert!(!takes_raw(generation, true, name), "{name}");
            }
        }
        assert!(takes_raw(Generation::Jellyfin, true, "SyncPlayCommand"));
    }
}
