//! Tells of users who come online and go offline, whatever dialects they speak: `presence` events, for server admins.
//!
//! A user is online with his first connection, and offline some time after the last one, so that nobody flickers who comes
//! back at once. The same thread says what else time alone tells: sessions of devices that nobody uses any more are forgotten, and
//! what they played has stopped.

use std::{
    collections::{HashMap, HashSet},
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    access::{Comings, Directory},
    config::Settings,
    event::{Envelope, Event, EventKind, KindSet},
    id::UserId,
    server::Shared,
    shard::Submission,
    source::Backlog,
    state::{State, devices::Moment},
};

/// How long a user without connections still counts as online. Clients that were sent away or lost their connection come
/// back within a few seconds.
const GRACE: Duration = Duration::from_secs(5);
/// How exactly that is kept, and how soon what found no room is published again.
const TICK: Duration = Duration::from_millis(250);
/// How often it is looked for sessions that nobody uses any more.
const TIDY: Duration = Duration::from_secs(10);
/// How long it waits for room at a time.
const PATIENCE: Duration = Duration::from_millis(500);
/// Events that wait for room; beyond that the oldest are lost.
const UNPUBLISHED: usize = 65_536;

/// Tells until it is stopped.
pub(super) struct Presence {
    directory: Arc<Directory>,
    thread: thread::JoinHandle<()>,
}

impl Presence {
    /// Tells of everybody who comes or goes from here on.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(settings: &Settings, shared: &Shared, directory: Arc<Directory>) -> io::Result<Self> {
        directory.look_at_comings();
        let work = Work {
            directory: Arc::clone(&directory),
            state: Arc::clone(&shared.state),
            names: settings.users.iter().map(|user| (user.id.clone(), user.name.clone())).collect(),
            online: Online::default(),
            unpublished: Backlog::new(shared.publisher.clone(), UNPUBLISHED),
            epoch: directory.epoch(),
        };
        let thread = thread::Builder::new().name("presence".to_owned()).spawn(move || work.run())?;
        Ok(Self { directory, thread })
    }

    /// Ends. Blocks for a moment, while something is being published.
    pub(super) fn stop(self) {
        self.directory.look_away();
        if self.thread.join().is_err() {
            tracing::error!("the thread that tells who is online has panicked");
        }
    }
}

struct Work {
    directory: Arc<Directory>,
    state: Arc<State>,
    names: HashMap<UserId, String>,
    online: Online,
    unpublished: Backlog,
    /// Which changes of rights were looked at.
    epoch: u64,
}

/// A `presence` event's message.
#[derive(Serialize)]
struct Message<'a> {
    state: &'static str,
    user: Person<'a>,
    /// What he plays, or has just played, as it was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    playback: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Person<'a> {
    id: &'a UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl Work {
    fn run(mut self) {
        let mut tidied = Instant::now();
        loop {
            let busy = self.online.is_anybody_leaving() || !self.unpublished.is_empty();
            let Some(comings) = self.directory.next_comings(if busy { TICK } else { TIDY }) else { return };
            self.look(comings, Instant::now());
            if tidied.elapsed() >= TIDY {
                self.tidy(Moment::now());
                tidied = Instant::now();
            }
            self.publish();
        }
    }

    fn look(&mut self, comings: Comings, now: Instant) {
        let mut users = comings.users;
        if comings.anybody {
            users.extend(self.online.users().cloned());
            users.extend(self.directory.users_connected());
        }
        for user in users {
            let is_connected = self.directory.connections_of(&user) > 0;
            if self.online.look(&user, is_connected, now) {
                self.unpublished.extend(self.event(&user, true));
            }
        }
        for user in self.online.gone(now) {
            self.unpublished.extend(self.event(&user, false));
        }
    }

    /// Old sessions of devices are forgotten, and those of users who may not come in any more; what nobody goes on with is over for everybody.
    fn tidy(&mut self, now: Moment) {
        let devices = self.state.devices();
        devices.tidy(now);
        let epoch = self.directory.epoch();
        if epoch != std::mem::replace(&mut self.epoch, epoch) {
            let is_out = |user: &UserId| self.directory.rights(user).is_some_and(|rights| rights.disabled);
            devices.users().iter().filter(|user| is_out(user)).for_each(|user| devices.forget_user(user));
        }
        for abandoned in devices.take_abandoned(now) {
            match abandoned.stopped() {
                Ok(event) => {
                    let audience = abandoned.told.audience.clone();
                    self.unpublished.extend([(event, audience).into()]);
                }
                Err(error) => tracing::error!(%error, "the end of a playback is no event"),
            }
        }
    }

    /// What finds no room is tried again: who came must not stay online for ever.
    fn publish(&mut self) {
        let n_lost = self.unpublished.publish(PATIENCE);
        if n_lost > 0 {
            tracing::warn!(lost = n_lost, "no room for events of who came and went: administrators miss them");
        }
    }

    fn event(&self, id: &UserId, online: bool) -> Option<Submission> {
        let told = self.directory.name_told(id);
        let user = Person { id, name: self.names.get(id).map(String::as_str).or(told.as_deref()) };
        let playback = self.latest_playback(id);
        let message = Message { state: if online { "online" } else { "offline" }, user, playback: playback.as_deref() };
        match Event::from_value(EventKind::Presence, &message) {
            Ok(event) => Some(Submission { audience: event.audience(), event, id: None, source: None }),
            Err(error) => {
                tracing::error!(%error, "a user's presence is no event");
                None
            }
        }
    }

    /// What the user plays, or has just played, unless its publisher keeps it from administrators.
    fn latest_playback(&self, user: &UserId) -> Option<Box<RawValue>> {
        let is_his = |envelope: &Envelope| {
            matches!(&envelope.event, Event::Playback(playback) if playback.user.id == *user) && envelope.audience.only.is_empty()
        };
        let latest = self.state.present(KindSet::of(&[EventKind::Playback]), is_his).pop()?;
        RawValue::from_string(latest.event.message().to_owned()).ok()
    }
}

/// Who is online. Pure: time is handed in.
#[derive(Debug, Default)]
struct Online {
    users: HashSet<UserId>,
    /// Those of them without connections, and since when.
    leaving: HashMap<UserId, Instant>,
}

impl Online {
    /// Whether the user came online.
    fn look(&mut self, user: &UserId, is_connected: bool, now: Instant) -> bool {
        if is_connected {
            self.leaving.remove(user);
            return self.users.insert(user.clone());
        }
        if self.users.contains(user) {
            // Looked at only when something has happened: he may have come back for a moment, and left again.
            self.leaving.insert(user.clone(), now);
        }
        false
    }

    /// Who went offline.
    fn gone(&mut self, now: Instant) -> Vec<UserId> {
        let gone: Vec<_> =
            self.leaving.extract_if(|_, since| now.saturating_duration_since(*since) >= GRACE).map(|(user, _)| user).collect();
        for user in &gone {
            self.users.remove(user);
        }
        gone
    }

    fn is_anybody_leaving(&self) -> bool {
        !self.leaving.is_empty()
    }

    fn users(&self) -> impl Iterator<Item = &UserId> {
        self.users.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        UserId::parse(id).expect("an id")
    }

    #[test]
    fn who_comes_back_within_the_grace_has_not_been_away() {
        let (mut online, start) = (Online::default(), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        assert!(online.look(&user("bob"), true, at(0)) && !online.look(&user("bob"), true, at(1)));
        assert!(!online.look(&user("bob"), false, at(2)) && online.gone(at(6)).is_empty());
        assert!(!online.look(&user("bob"), true, at(6)), "he was never away");
        assert!(online.gone(at(60)).is_empty());
        online.look(&user("bob"), false, at(61));
        online.look(&user("bob"), false, at(64));
        assert!(online.gone(at(67)).is_empty(), "he was back for a moment");
        assert_eq!(online.gone(at(69)), [user("bob")]);
        assert!(!online.is_anybody_leaving() && online.users().next().is_none());
        assert!(online.look(&user("bob"), true, at(70)));
    }

    #[test]
    fn who_was_gone_before_anybody_looked_was_never_online() {
        let mut online = Online::default();
        assert!(!online.look(&user("bob"), false, Instant::now()));
        assert!(!online.is_anybody_leaving());
    }
}
