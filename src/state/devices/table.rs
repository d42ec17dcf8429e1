//! The sessions themselves, and which WebSocket has which; whose they are stands in `whose`. Time is handed in; the lock is around it.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use super::{
    Abandoned, Capabilities, CheckIn, Identity, Joined, Moment, Seen, Session, SessionId, Touched, Viewing, abandoned,
    entry::{Entry, JOINS_WITHIN},
    versions::Versions,
    waiting::Waiting,
    whose::{OfUser, Whose, unlist},
};
use crate::{
    access::{Caller, Device},
    event::{Envelope, Playback, PlaybackState},
    id::{ConnectionId, UserId},
};

/// Sessions without a WebSocket: in all, and of one user, so that nobody's devices drive out everybody else's. The connections are
/// bounded by themselves.
const SESSIONS: usize = 16_384;
const SESSIONS_PER_USER: usize = 64;
/// Bytes that all sessions together may hold before those without a WebSocket are let go.
const BYTES: usize = 256 << 20;
/// How long a session without a WebSocket is remembered when nothing is heard of it.
const IDLE: Duration = Duration::from_secs(12 * 3600);
/// Who says nothing for that long of what he plays does not play it any more (wire notes on MediaBrowser, section 7).
const SILENCE: Duration = Duration::from_secs(300);
/// Activity is shown at most that often.
const ACTIVITY: Duration = Duration::from_secs(10);
/// Other users of one device.
const ADDITIONAL_USERS: usize = 32;
/// Devices of others that a user uses too: each is shown to him, asked or not.
const LENT_TO_USER: usize = 32;
/// Room for so many sessions is kept whether or not they are there.
const ROOM_KEPT: usize = 256;
/// Ids of sessions that have ended, the latest.
const ENDED: usize = 1024;

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// In boxes, because a map has room for up to twice as many as there are.
    sessions: HashMap<SessionId, Box<Entry>>,
    whose: Whose,
    /// The sessions of each device, by the id that one without a user would have.
    of_device: HashMap<SessionId, Vec<SessionId>>,
    /// Which session a WebSocket belongs to.
    sockets: HashMap<ConnectionId, SessionId>,
    waiting: Waiting,
    /// Sessions without a WebSocket.
    idle: HashSet<SessionId>,
    /// Sessions that play something.
    playing: HashSet<SessionId>,
    ended: VecDeque<SessionId>,
    /// What ended sessions played.
    abandoned: abandoned::Waiting,
    n_bytes: usize,
    versions: Versions,
}

impl Table {
    /// Bytes of the sessions.
    pub(super) fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// For so many sessions and WebSockets its lists have room.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.sessions.capacity().max(self.of_device.capacity()).max(self.sockets.capacity())
    }

    pub(super) fn version(&self) -> u64 {
        self.versions.latest()
    }

    pub(super) fn version_of(&self, user: &UserId) -> u64 {
        self.versions.of(user)
    }

    pub(super) fn seen(&mut self, seen: &Seen<'_>, now: Moment) -> Touched {
        let session = self.touch(seen, now);
        let is_user = seen.caller.principal.user.is_some();
        let joined = if is_user { self.waiting.take(seen) } else { Vec::new() };
        for connection in &joined {
            self.give(*connection, session, now);
        }
        Touched { session, joined }
    }

    pub(super) fn attach(&mut self, connection: ConnectionId, seen: &Seen<'_>, now: Moment) -> SessionId {
        let session = self.touch(seen, now);
        self.give(connection, session, now);
        session
    }

    pub(super) fn identify(
        &mut self,
        (connection, address): (ConnectionId, Option<IpAddr>),
        identity: Identity,
        now: Moment,
    ) -> Option<Joined> {
        let address = address?;
        self.waiting.forget(connection);
        let found = self.let_in(&identity, address, now);
        match found {
            Some((session, caller)) => {
                self.give(connection, session, now);
                Some(Joined { session, caller })
            }
            None => {
                if !self.sockets.contains_key(&connection) {
                    self.waiting.put(address, connection, identity);
                }
                None
            }
        }
    }

    pub(super) fn heard(&mut self, connection: ConnectionId, now: Moment) {
        let Some(session) = self.sockets.get(&connection).copied() else { return };
        let Some(entry) = self.sessions.get_mut(&session) else { return };
        if let Some((_, heard)) = entry.sockets.iter_mut().find(|(own, _)| *own == connection) {
            *heard = now.instant;
        }
        self.act(session, now);
    }

    /// The WebSocket is closed. With its last one a session ends.
    pub(super) fn detach(&mut self, connection: ConnectionId, now: Moment) {
        self.waiting.forget(connection);
        let Some(session) = self.sockets.remove(&connection) else { return };
        let Some(entry) = self.sessions.get_mut(&session) else { return };
        entry.sockets.retain(|(own, _)| *own != connection);
        if entry.sockets.is_empty() { self.end(session, now) } else { self.say(session) }
    }

    pub(super) fn end(&mut self, session: SessionId, now: Moment) {
        self.say(session);
        let Some(entry) = self.sessions.remove(&session) else { return };
        if let Some(abandoned) = entry.abandoned(now) {
            self.abandoned.put(session, abandoned, now);
        }
        self.n_bytes -= entry.n_bytes();
        for (connection, _) in &entry.sockets {
            self.sockets.remove(connection);
        }
        for user in entry.users() {
            self.whose.end(user, &entry.device.id, session);
        }
        unlist(&mut self.of_device, entry.of_device, session);
        self.playing.remove(&session);
        self.idle.remove(&session);
        self.give_back_room();
        if self.ended.len() >= ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back(session);
    }

    /// Lets go of the room that sessions needed which have ended; seldom enough to cost little each time.
    fn give_back_room(&mut self) {
        let n_kept = self.sessions.len().max(ROOM_KEPT);
        if self.sessions.capacity() > 4 * n_kept {
            self.sessions.shrink_to(n_kept);
            self.of_device.shrink_to(n_kept);
            self.sockets.shrink_to(n_kept);
            self.idle.shrink_to(n_kept);
            self.playing.shrink_to(n_kept);
        }
    }

    pub(super) fn forget_user(&mut self, user: &UserId, now: Moment) {
        for session in self.whose.of(user).map(|his| his.all().collect::<Vec<_>>()).unwrap_or_default() {
            if self.sessions.get(&session).is_some_and(|entry| entry.user.as_ref() == Some(user)) {
                self.end(session, now);
            } else {
                self.remove_user(session, user);
            }
        }
    }

    pub(super) fn set_capabilities(&mut self, session: SessionId, capabilities: Arc<Capabilities>) -> bool {
        self.edit(session, |entry| entry.capabilities.replace(capabilities))
    }

    pub(super) fn set_viewing(&mut self, session: SessionId, viewing: Option<Arc<Viewing>>) -> bool {
        self.edit(session, |entry| entry.viewing = viewing)
    }

    pub(super) fn check_in(&mut self, session: SessionId, check_in: CheckIn, now: Moment) -> bool {
        self.edit(session, |entry| entry.check_in(Arc::new(check_in), now))
    }

    pub(super) fn still_plays(&mut self, session: SessionId, now: Moment) -> bool {
        self.edit(session, |entry| entry.still_plays(now))
    }

    pub(super) fn add_user(&mut self, session: SessionId, user: &UserId) -> bool {
        let Some(entry) = self.sessions.get(&session) else { return false };
        if entry.users().any(|own| own == user) {
            return true;
        }
        let n_lent = self.whose.of(user).map_or(0, |his| his.lent().len());
        if entry.additional.len() >= ADDITIONAL_USERS || n_lent >= LENT_TO_USER {
            return false;
        }
        self.whose.lend(user, session);
        self.edit(session, |entry| entry.additional.push(user.clone()))
    }

    pub(super) fn remove_user(&mut self, session: SessionId, user: &UserId) -> bool {
        // He is told of it himself: he sees one session less.
        self.say(session);
        let Some(entry) = self.sessions.get(&session) else { return false };
        if entry.additional.contains(user) {
            self.whose.end(user, &entry.device.id, session);
            self.edit(session, |entry| entry.additional.retain(|own| own != user));
        }
        true
    }

    pub(super) fn find(&self, session: SessionId, now: Moment) -> Option<Session> {
        Some(self.sessions.get(&session)?.show(session, now))
    }

    pub(super) fn all(&self, now: Moment) -> Vec<Session> {
        self.sessions.iter().map(|(id, entry)| entry.show(*id, now)).collect()
    }

    pub(super) fn of(&self, user: &UserId, now: Moment) -> Vec<Session> {
        self.whose.of(user).into_iter().flat_map(OfUser::all).filter_map(|session| self.find(session, now)).collect()
    }

    pub(super) fn own_device(&self, user: &UserId, id: &str) -> Option<Arc<Device>> {
        self.active_last(self.whose.of(user)?.on_device(id), |entry| entry.device.id == id)
    }

    pub(super) fn own_device_at(&self, user: &UserId, address: IpAddr) -> Option<Arc<Device>> {
        self.active_last(self.whose.of(user)?.own(), |entry| entry.address == Some(address))
    }

    pub(super) fn users(&self) -> Vec<UserId> {
        self.whose.users().cloned().collect()
    }

    pub(super) fn latest_socket(&self, session: SessionId) -> Option<ConnectionId> {
        let sockets = &self.sessions.get(&session)?.sockets;
        sockets.iter().max_by_key(|(connection, heard)| (*heard, connection.generation)).map(|(connection, _)| *connection)
    }

    pub(super) fn session_of(&self, connection: ConnectionId) -> Option<SessionId> {
        self.sockets.get(&connection).copied()
    }

    pub(super) fn is_or_was(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session) || self.ended.contains(&session)
    }

    /// Only of its own users is a session told that they play in it: everybody else may call his session as he likes.
    pub(super) fn fold(&mut self, envelope: &Arc<Envelope>, playback: &Playback) {
        let session = playback.session.parse().ok();
        let own =
            session.filter(|session| self.sessions.get(session).is_some_and(|entry| entry.users().any(|user| *user == playback.user.id)));
        // Whoever speaks of it now knows more.
        if let Some(session) = session {
            self.abandoned.take(session, &playback.user.id);
        }
        let Some(session) = own else { return self.versions.rise_for([&playback.user.id]) };
        let is_over = playback.state == PlaybackState::Stopped;
        self.edit(session, |entry| if is_over { entry.stop() } else { entry.play(envelope) });
        if is_over {
            self.playing.remove(&session)
        } else {
            self.playing.insert(session)
        };
    }

    /// What nobody goes on with.
    pub(super) fn take_abandoned(&mut self, now: Moment) -> Vec<Abandoned> {
        self.abandoned.due(now)
    }

    /// A second has passed.
    pub(super) fn tick(&mut self, now: Moment) {
        for session in self.playing.iter().copied().collect::<Vec<_>>() {
            let Some(entry) = self.sessions.get(&session) else { continue };
            if entry.silence(now).is_some_and(|silence| silence >= SILENCE) {
                if let Some(abandoned) = entry.abandoned(now) {
                    self.abandoned.put_until(session, abandoned, now);
                }
                self.playing.remove(&session);
                self.edit(session, Entry::stop);
            } else if entry.moves() {
                self.say(session);
            }
        }
    }

    /// Lets go of sessions nothing was heard of for long, and of credentials that can let nobody in any more.
    pub(super) fn tidy(&mut self, now: Moment) {
        self.tick(now);
        let is_old = |session: &SessionId| self.sessions.get(session).is_some_and(|entry| now.since(entry.active.instant) >= IDLE);
        let old: Vec<_> = self.idle.iter().copied().filter(is_old).collect();
        for session in old {
            self.end(session, now);
        }
        for entry in self.sessions.values_mut() {
            entry.requested.take_if(|request| now.since(request.at) >= JOINS_WITHIN);
        }
    }

    /// The session of that request, made if there is none.
    fn touch(&mut self, seen: &Seen<'_>, now: Moment) -> SessionId {
        let user = seen.caller.principal.user.as_ref();
        let session = SessionId::of(seen.device, user);
        if !self.sessions.contains_key(&session) {
            self.make_room(user, now);
            let mut entry = Entry::new(seen, now);
            if let Some(abandoned) = user.and_then(|user| self.abandoned.take(session, user)) {
                entry.play(&abandoned.told);
                self.playing.insert(session);
            }
            self.n_bytes += entry.n_bytes();
            let id = entry.device.id.clone();
            self.sessions.insert(session, Box::new(entry));
            self.idle.insert(session);
            self.of_device.entry(SessionId::of(seen.device, None)).or_default().push(session);
            if let Some(user) = user {
                self.whose.begin(user, &id, session);
            }
            self.say(session);
        }
        if self.sessions.get(&session).is_some_and(|entry| entry.differs(seen)) {
            self.edit(session, |entry| entry.describe(seen));
        }
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.requested(seen, now);
        }
        self.act(session, now);
        session
    }

    /// Something was heard of the session; that is shown now and then only.
    fn act(&mut self, session: SessionId, now: Moment) {
        let Some(entry) = self.sessions.get_mut(&session) else { return };
        entry.active = now;
        if now.since(entry.shown) >= ACTIVITY {
            entry.shown = now.instant;
            self.say(session);
        }
    }

    /// The WebSocket is that session's from now on.
    fn give(&mut self, connection: ConnectionId, session: SessionId, now: Moment) {
        match self.sockets.insert(connection, session) {
            Some(before) if before == session => return self.heard(connection, now),
            Some(before) => {
                self.sockets.remove(&connection);
                self.sockets.insert(connection, before);
                self.detach(connection, now);
                self.sockets.insert(connection, session);
            }
            None => {}
        }
        let is_first = self.idle.remove(&session);
        if let Some(user) = self.sessions.get(&session).and_then(|entry| entry.user.as_ref()).filter(|_| is_first) {
            self.whose.use_by_socket(user, session);
        }
        self.edit(session, |entry| entry.sockets.push((connection, now.instant)));
    }

    /// The session that lets in who says so, and whose it is: of several users of a device the one who asked last.
    fn let_in(&self, identity: &Identity, address: IpAddr, now: Moment) -> Option<(SessionId, Caller)> {
        let of_device = self.of_device.get(&SessionId::of_device(&identity.client, &identity.device)).into_iter().flatten();
        let entries = of_device.filter_map(|session| Some((*session, self.sessions.get(session)?)));
        let requests = entries.filter(|(_, entry)| entry.lets_in(identity, address, now));
        let requests = requests.filter_map(|(session, entry)| Some((session, entry.requested.as_ref()?)));
        requests.max_by_key(|(_, request)| request.at).map(|(session, request)| (session, request.caller.clone()))
    }

    /// Lets go until one session more fits: of the user's and then of everybody's, those without a WebSocket that were silent
    /// for longest.
    fn make_room(&mut self, user: Option<&UserId>, now: Moment) {
        if let Some(his) = user.and_then(|user| self.whose.of(user))
            && his.own().len() >= SESSIONS_PER_USER
            && let Some(victim) = self.silent_longest(his.idle())
        {
            self.end(victim, now);
        }
        while self.idle.len() >= SESSIONS || self.n_bytes >= BYTES {
            let Some(victim) = self.silent_longest(&self.idle) else { return };
            self.end(victim, now);
        }
    }

    fn silent_longest<'s>(&self, sessions: impl IntoIterator<Item = &'s SessionId>) -> Option<SessionId> {
        let active = sessions.into_iter().filter_map(|session| Some((self.sessions.get(session)?.active.instant, *session)));
        active.min().map(|(_, session)| session)
    }

    /// The device of that one of these sessions that fits and was active last.
    fn active_last(&self, sessions: &[SessionId], fits: impl Fn(&Entry) -> bool) -> Option<Arc<Device>> {
        let entries = sessions.iter().filter_map(|session| self.sessions.get(session)).filter(|entry| fits(entry));
        entries.max_by_key(|entry| entry.active.instant).map(|entry| Arc::clone(&entry.device))
    }

    /// Changes a session, and says so. `false`: there is none.
    fn edit<T>(&mut self, session: SessionId, edit: impl FnOnce(&mut Entry) -> T) -> bool {
        let Some(entry) = self.sessions.get_mut(&session) else { return false };
        let before = entry.n_bytes();
        edit(entry);
        self.n_bytes = self.n_bytes - before + entry.n_bytes();
        self.say(session);
        true
    }

    /// What is shown of the session has changed.
    fn say(&mut self, session: SessionId) {
        if let Some(entry) = self.sessions.get(&session) {
            self.versions.rise_for(entry.users());
        }
    }
}

#[cfg(test)]
impl Table {
    /// Nothing is left of sessions that have ended.
    pub(super) fn expect_empty(&self) {
        let lists = (self.whose.users().count(), self.of_device.len(), self.sockets.len(), self.playing.len());
        assert_eq!((self.sessions.len(), self.idle.len(), self.n_bytes, lists), (0, 0, 0, (0, 0, 0, 0)));
        assert!(self.waiting.is_empty());
    }
}
