//! Who listens to what: from an event's audience rule to the groups that may want it.
//!
//! Pure: group numbers in, group numbers out. A group that is not for an event costs it nothing, and leaving costs no
//! scan: every list knows the place of each of its members.

use std::collections::HashMap;

use crate::{
    access::{Filter, LibraryRights},
    event::{Level, Rule},
    id::{LibraryId, UserId},
    metrics::map_bytes,
};

/// A group's number in its hub.
pub(super) type GroupId = u32;

/// A set of groups with cheap iteration and constant-time removal.
#[derive(Debug, Default)]
struct GroupList {
    groups: Vec<(GroupId, Option<Level>)>,
    places: HashMap<GroupId, usize>,
}

impl GroupList {
    fn insert(&mut self, group: GroupId, level: Option<Level>) {
        self.places.insert(group, self.groups.len());
        self.groups.push((group, level));
    }

    fn remove(&mut self, group: GroupId) {
        let Some(place) = self.places.remove(&group) else { return };
        self.groups.swap_remove(place);
        if let Some((moved, _)) = self.groups.get(place) {
            self.places.insert(*moved, place);
        }
    }

    fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Bytes of the room it has taken.
    fn n_bytes(&self) -> usize {
        self.groups.capacity() * size_of::<(GroupId, Option<Level>)>() + map_bytes(&self.places)
    }
}

/// The lists of one worker.
#[derive(Debug, Default)]
pub(super) struct Index {
    everyone: GroupList,
    admins: GroupList,
    every_library: GroupList,
    by_library: HashMap<LibraryId, GroupList>,
    by_user: HashMap<UserId, GroupList>,
    /// Bytes of the lists of libraries and users: kept up to date, because there may be very many.
    named_bytes: usize,
}

impl Index {
    /// Enters a group under everything its filter may see.
    pub(super) fn insert(&mut self, group: GroupId, filter: &Filter) {
        self.everyone.insert(group, None);
        if filter.principal.admin {
            self.admins.insert(group, None);
        }
        if let Some(user) = &filter.principal.user {
            insert_into(&mut self.by_user, &mut self.named_bytes, user.clone(), (group, None));
        }
        match Reach::of(filter) {
            Reach::Every(level) => self.every_library.insert(group, Some(level)),
            Reach::Named(libraries) => {
                for (library, level) in libraries {
                    insert_into(&mut self.by_library, &mut self.named_bytes, library, (group, Some(level)));
                }
            }
        }
    }

    /// Removes a group from every list it is in.
    pub(super) fn remove(&mut self, group: GroupId, filter: &Filter) {
        self.everyone.remove(group);
        self.admins.remove(group);
        if let Some(user) = &filter.principal.user {
            remove_from(&mut self.by_user, &mut self.named_bytes, user, group);
        }
        match Reach::of(filter) {
            Reach::Every(_) => self.every_library.remove(group),
            Reach::Named(libraries) => {
                for (library, _) in libraries {
                    remove_from(&mut self.by_library, &mut self.named_bytes, &library, group);
                }
            }
        }
    }

    /// Calls `visit` once for every group the rule may concern, with its level in the rule's library where the list
    /// knows it. The group's filter still decides.
    pub(super) fn candidates(&self, rule: &Rule, mut visit: impl FnMut(GroupId, Option<Level>)) {
        let mut visit_all = |list: Option<&GroupList>| {
            for (group, level) in list.into_iter().flat_map(|list| &list.groups) {
                visit(*group, *level);
            }
        };
        match rule {
            Rule::Everyone | Rule::Publishers(_) => visit_all(Some(&self.everyone)),
            Rule::Admins => visit_all(Some(&self.admins)),
            Rule::Library(library, _) => {
                visit_all(self.by_library.get(library));
                visit_all(Some(&self.every_library));
            }
            Rule::User(user) => visit_all(self.by_user.get(user)),
            Rule::UserOrAdmins(user) => {
                let own = self.by_user.get(user);
                visit_all(own);
                for (group, level) in &self.admins.groups {
                    if !own.is_some_and(|own| own.places.contains_key(group)) {
                        visit(*group, *level);
                    }
                }
            }
        }
    }

    /// Bytes it keeps. Texts of ids are shared with filters, and not among them.
    #[must_use]
    pub(super) fn n_bytes(&self) -> usize {
        let lists = [&self.everyone, &self.admins, &self.every_library].map(GroupList::n_bytes);
        lists.iter().sum::<usize>() + map_bytes(&self.by_library) + map_bytes(&self.by_user) + self.named_bytes
    }

    /// The groups of one user.
    #[must_use]
    pub(super) fn of_user(&self, user: &UserId) -> Vec<GroupId> {
        self.by_user.get(user).map(|list| list.groups.iter().map(|(group, _)| *group).collect()).unwrap_or_default()
    }
}

/// The libraries a filter reaches, with the level it has in them.
enum Reach {
    Every(Level),
    Named(Vec<(LibraryId, Level)>),
}

impl Reach {
    fn of(filter: &Filter) -> Self {
        let principal = &filter.principal;
        let level = |library: &LibraryId| if principal.admin { Some(Level::Admin) } else { principal.libraries.level(library) };
        match (&filter.libraries, &principal.libraries) {
            (Some(wanted), _) => {
                Self::Named(wanted.iter().filter_map(|library| level(library).map(|level| (library.clone(), level))).collect())
            }
            (None, _) if principal.admin => Self::Every(Level::Admin),
            (None, LibraryRights::Every(level)) => Self::Every(*level),
            (None, LibraryRights::Named(levels)) => Self::Named(levels.iter().map(|(library, level)| (library.clone(), *level)).collect()),
        }
    }
}

fn insert_into<K: std::hash::Hash + Eq>(
    lists: &mut HashMap<K, GroupList>,
    n_bytes: &mut usize,
    key: K,
    (group, level): (GroupId, Option<Level>),
) {
    let list = lists.entry(key).or_default();
    *n_bytes -= list.n_bytes();
    list.insert(group, level);
    *n_bytes += list.n_bytes();
}

fn remove_from<K: std::hash::Hash + Eq>(lists: &mut HashMap<K, GroupList>, n_bytes: &mut usize, key: &K, group: GroupId) {
    if let Some(list) = lists.get_mut(key) {
        list.remove(group); // gives back no room
        if list.is_empty() {
            *n_bytes -= list.n_bytes();
            lists.remove(key);
        }
    }
}
