//! The devices of people: which clients there are, on what, whose they are, what they can, and what they play.
//!
//! A session is one client on one device for one user. Requests and WebSockets of the same three belong to it, whichever
//! come first, and its id is made of them, so that it is the same after a restart. What it plays is folded from `playback` events
//! whose session has that id. Everything is bounded in number and bytes. Knows no protocol, and decides nothing about
//! who may see a session: that is for whoever shows it.

mod abandoned;
mod entry;
mod identity;
mod moment;
mod session;
mod socket;
mod table;
#[cfg(test)]
mod tests;
mod versions;
mod waiting;
mod whose;

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::{
    access::{Caller, Device},
    event::{Envelope, Event},
    id::{ConnectionId, UserId},
};

pub use abandoned::Abandoned;
pub use identity::{Identity, Joined};
pub use moment::Moment;
pub use session::{Capabilities, CheckIn, NowPlaying, Session, SessionId, TooLarge, Viewing};
pub use socket::Socket;
use table::Table;

/// How often what advances by itself is looked at.
const TICK: Duration = Duration::from_secs(1);

/// An authenticated request of a client that says on which device it runs.
#[derive(Debug)]
pub struct Seen<'a> {
    /// Who makes it; his principal's user is the session's.
    pub caller: &'a Caller,
    /// The device, as the client describes it.
    pub device: &'a Device,
    /// Where it comes from.
    pub address: Option<IpAddr>,
}

/// What came of a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Touched {
    /// The session it belongs to.
    pub session: SessionId,
    /// WebSockets of nobody that said they were of this device ([`Socket::identify`]), from the same address: they belong to the
    /// session from now on, and are the caller's.
    pub joined: Vec<ConnectionId>,
}

/// All sessions of devices. One for the whole engine.
#[derive(Debug)]
pub struct Devices {
    table: Mutex<Table>,
    /// Rises with every change of what is shown.
    version: AtomicU64,
    began: Instant,
    /// When [`TICK`] last passed, in milliseconds since it began.
    ticked: AtomicU64,
}

impl Default for Devices {
    fn default() -> Self {
        Self { table: Mutex::default(), version: AtomicU64::new(1), began: Instant::now(), ticked: AtomicU64::new(0) }
    }
}

impl Devices {
    /// An authenticated request was made: its session begins or is touched.
    pub fn seen(&self, seen: &Seen<'_>, now: Moment) -> Touched {
        self.change(|table| table.seen(seen, now))
    }

    /// A WebSocket was opened from there. It belongs to no session before it is attached or identified, and to none once
    /// what is returned is dropped.
    pub fn socket(self: &Arc<Self>, connection: ConnectionId, address: Option<IpAddr>) -> Socket {
        Socket::new(Arc::clone(self), connection, address)
    }

    /// Bytes that the sessions hold, without the indices by user, device and WebSocket.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        self.table.lock().n_bytes()
    }

    /// Somebody logged out: the session ends, if there is one.
    pub fn log_out(&self, session: SessionId) {
        self.change(|table| table.end(session, Moment::now()));
    }

    /// The user is no more, or may not come in any more: his sessions end.
    pub fn forget_user(&self, user: &UserId) {
        self.change(|table| table.forget_user(user, Moment::now()));
    }

    /// The client says what it can. `false`: there is no such session.
    ///
    /// # Errors
    /// [`TooLarge`]: nothing is changed.
    pub fn set_capabilities(&self, session: SessionId, capabilities: Capabilities) -> Result<bool, TooLarge> {
        capabilities.check()?;
        Ok(self.change(|table| table.set_capabilities(session, Arc::new(capabilities))))
    }

    /// The client says what it shows; `None`: nothing. `false`: there is no such session.
    ///
    /// # Errors
    /// [`TooLarge`]: nothing is changed.
    pub fn set_viewing(&self, session: SessionId, viewing: Option<Viewing>) -> Result<bool, TooLarge> {
        viewing.as_ref().map_or(Ok(()), Viewing::check)?;
        Ok(self.change(|table| table.set_viewing(session, viewing.map(Arc::new))))
    }

    /// Another user uses the device too. `false`: there is no such session, or there are too many users in it.
    pub fn add_user(&self, session: SessionId, user: &UserId) -> bool {
        self.change(|table| table.add_user(session, user))
    }

    /// He does no more. `false`: there is no such session. Its own user stays.
    pub fn remove_user(&self, session: SessionId, user: &UserId) -> bool {
        self.change(|table| table.remove_user(session, user))
    }

    /// The client says how it plays what it plays, beside what a `playback` event can say; before that event is published.
    /// `false`: there is no such session.
    ///
    /// # Errors
    /// [`TooLarge`]: nothing is changed.
    pub fn check_in(&self, session: SessionId, check_in: CheckIn, now: Moment) -> Result<bool, TooLarge> {
        check_in.check()?;
        Ok(self.change(|table| table.check_in(session, check_in, now)))
    }

    /// The client says that it still plays what it plays, and no more. `false`: there is no such session.
    pub fn still_plays(&self, session: SessionId, now: Moment) -> bool {
        self.change(|table| table.still_plays(session, now))
    }

    /// The session, as it is at that moment.
    #[must_use]
    pub fn find(&self, session: SessionId, now: Moment) -> Option<Session> {
        self.tick(now);
        self.table.lock().find(session, now)
    }

    /// Every session, the one active last first.
    #[must_use]
    pub fn all(&self, now: Moment) -> Vec<Session> {
        self.tick(now);
        let sessions = self.table.lock().all(now);
        by_activity(sessions)
    }

    /// The sessions of that user, and those he uses too; the one active last first.
    #[must_use]
    pub fn of(&self, user: &UserId, now: Moment) -> Vec<Session> {
        self.tick(now);
        let sessions = self.table.lock().of(user, now);
        by_activity(sessions)
    }

    /// The device of that id, if it has a session of that very user; as the client describes it that was active last.
    #[must_use]
    pub fn own_device(&self, user: &UserId, id: &str) -> Option<Arc<Device>> {
        self.table.lock().own_device(user, id)
    }

    /// Of the devices with a session of that very user that were last heard from there, the one that was active last. Looks at all
    /// his sessions.
    #[must_use]
    pub fn own_device_at(&self, user: &UserId, address: IpAddr) -> Option<Arc<Device>> {
        self.table.lock().own_device_at(user, address)
    }

    /// Who has a session, or uses one too.
    #[must_use]
    pub fn users(&self) -> Vec<UserId> {
        self.table.lock().users()
    }

    /// The WebSocket of the session on which something came in last: commands go there.
    #[must_use]
    pub fn latest_socket(&self, session: SessionId) -> Option<ConnectionId> {
        self.table.lock().latest_socket(session)
    }

    /// Whether that session of a `playback` event is, or lately was, one of a device; everything else that is played is
    /// to be shown beside ([`State::playing`](super::State::playing)).
    #[must_use]
    pub fn plays_as(&self, session: &str) -> bool {
        session.parse().is_ok_and(|session| self.table.lock().is_or_was(session))
    }

    /// Rises when what [`Devices::all`] shows may have changed, or what is played elsewhere: activity counts every 10 s, and while
    /// something plays that is not paused it rises every second.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version_at(Moment::now())
    }

    /// The same, at that moment.
    #[must_use]
    pub fn version_at(&self, now: Moment) -> u64 {
        self.tick(now);
        self.version.load(Ordering::Acquire)
    }

    /// Differs from what it was before when what [`Devices::of`] shows may have changed, or what that user plays elsewhere.
    /// Ask [`Devices::version`] first.
    #[must_use]
    pub fn version_of(&self, user: &UserId) -> u64 {
        self.table.lock().version_of(user)
    }

    /// Takes an accepted event into account, in the order of its shard.
    pub(super) fn fold(&self, envelope: &Arc<Envelope>) {
        match &envelope.event {
            Event::Playback(playback) => self.change(|table| table.fold(envelope, playback)),
            Event::User(change) if change.action == crate::event::Action::Deleted => self.forget_user(&change.user),
            _ => {}
        }
    }

    /// What was played by sessions that have ended and not come back, and by clients that say nothing more: each once. Somebody
    /// has to tell that it is over.
    #[must_use]
    pub fn take_abandoned(&self, now: Moment) -> Vec<Abandoned> {
        self.change(|table| table.take_abandoned(now))
    }

    /// Lets go of what has been there for too long. To be called every few seconds.
    pub fn tidy(&self, now: Moment) {
        self.change(|table| table.tidy(now));
    }

    /// What plays goes on, when a second has passed.
    fn tick(&self, now: Moment) {
        let since = u64::try_from(now.instant.saturating_duration_since(self.began).as_millis()).unwrap_or(u64::MAX);
        let ticked = self.ticked.load(Ordering::Acquire);
        let is_due = since.saturating_sub(ticked) >= u64::try_from(TICK.as_millis()).unwrap_or(u64::MAX);
        // Whoever comes second finds it done.
        if is_due && self.ticked.compare_exchange(ticked, since, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            self.change(|table| table.tick(now));
        }
    }

    /// The one way to change the table: what it says has changed is seen by the version once it is readable.
    fn change<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        let mut table = self.table.lock();
        let result = change(&mut table);
        self.version.store(table.version(), Ordering::Release);
        result
    }
}

fn by_activity(mut sessions: Vec<Session>) -> Vec<Session> {
    sessions.sort_by_key(|session| (std::cmp::Reverse(session.last_activity), session.id));
    sessions
}
