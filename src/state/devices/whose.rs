//! Which sessions are whose, so that nobody has to be looked for among all sessions of a user: he may have thousands.

use std::collections::HashMap;

use super::SessionId;
use crate::id::UserId;

/// Room for so many sessions of a user is kept whether or not they are there.
const ROOM_KEPT: usize = 64;

/// The sessions of all users.
#[derive(Debug, Default)]
pub(super) struct Whose {
    of_user: HashMap<UserId, OfUser>,
}

/// The sessions of one user.
#[derive(Debug, Default)]
pub(super) struct OfUser {
    /// His own, in the order in which they began.
    own: Vec<SessionId>,
    /// Those of his own without a WebSocket.
    idle: Vec<SessionId>,
    /// Those that somebody else has lent him.
    lent: Vec<SessionId>,
    /// His own, by their device's id: more than one where several clients run on it.
    of_device: HashMap<SessionId, Vec<SessionId>>,
}

impl Whose {
    /// A session of his own has begun. It has no WebSocket yet.
    pub(super) fn begin(&mut self, user: &UserId, device: &str, session: SessionId) {
        let his = self.of_user.entry(user.clone()).or_default();
        his.own.push(session);
        his.idle.push(session);
        his.of_device.entry(SessionId::of_any_client(device)).or_default().push(session);
    }

    /// A session of his own has a WebSocket from now on.
    pub(super) fn use_by_socket(&mut self, user: &UserId, session: SessionId) {
        if let Some(his) = self.of_user.get_mut(user) {
            his.idle.retain(|idle| *idle != session);
        }
    }

    /// He uses somebody else's, too.
    pub(super) fn lend(&mut self, user: &UserId, session: SessionId) {
        self.of_user.entry(user.clone()).or_default().lent.push(session);
    }

    /// A session he used or had is none of his any more.
    pub(super) fn end(&mut self, user: &UserId, device: &str, session: SessionId) {
        let Some(his) = self.of_user.get_mut(user) else { return };
        for sessions in [&mut his.own, &mut his.idle, &mut his.lent] {
            sessions.retain(|other| *other != session);
        }
        unlist(&mut his.of_device, SessionId::of_any_client(device), session);
        if his.own.capacity() > ROOM_KEPT.max(4 * his.own.len()) {
            his.own.shrink_to(ROOM_KEPT);
            his.idle.shrink_to(ROOM_KEPT);
            his.of_device.shrink_to(his.own.len());
        }
        if his.own.is_empty() && his.lent.is_empty() {
            self.of_user.remove(user);
        }
    }

    pub(super) fn of(&self, user: &UserId) -> Option<&OfUser> {
        self.of_user.get(user)
    }

    pub(super) fn users(&self) -> impl Iterator<Item = &UserId> {
        self.of_user.keys()
    }
}

impl OfUser {
    pub(super) fn own(&self) -> &[SessionId] {
        &self.own
    }

    pub(super) fn idle(&self) -> &[SessionId] {
        &self.idle
    }

    pub(super) fn lent(&self) -> &[SessionId] {
        &self.lent
    }

    pub(super) fn all(&self) -> impl Iterator<Item = SessionId> {
        self.own.iter().chain(&self.lent).copied()
    }

    /// His own on the device of that id.
    pub(super) fn on_device(&self, id: &str) -> &[SessionId] {
        self.of_device.get(&SessionId::of_any_client(id)).map_or(&[], Vec::as_slice)
    }
}

/// Takes a session off a list, and the list away with the last one.
pub(super) fn unlist(lists: &mut HashMap<SessionId, Vec<SessionId>>, key: SessionId, session: SessionId) {
    if let Some(sessions) = lists.get_mut(&key) {
        sessions.retain(|own| *own != session);
        if sessions.is_empty() {
            lists.remove(&key);
        }
    }
}
