//! What was played when its session ended, or when its client said no more of it: somebody has to say that it is over.
//!
//! A client that comes back soon goes on with what it played.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{Moment, SessionId};
use crate::event::{
    Envelope, Event, EventKind, FieldError, Limits,
    json::{ObjectWriter, Value},
};
use crate::id::UserId;

/// How long a client may be away.
const GRACE: Duration = Duration::from_secs(10);
/// Playbacks that wait; beyond that nobody says that a further one is over.
const WAITING: usize = 4096;

/// A playback that nobody goes on with.
#[derive(Debug, Clone)]
pub struct Abandoned {
    /// The latest `playback` event.
    pub told: Arc<Envelope>,
    /// Where it was, in milliseconds, as far as is known.
    pub position_ms: u64,
}

impl Abandoned {
    /// The same `playback`, stopped there.
    ///
    /// # Errors
    /// [`FieldError`]: what was accepted once is no event any more.
    pub fn stopped(&self) -> Result<Event, FieldError> {
        let mut data = String::new();
        let mut object = ObjectWriter::open(&mut data);
        for field in Value::of_compact(self.told.event.message()).fields() {
            match &*field.name {
                "state" | "position" | "checkIn" => {}
                _ => object.lexeme(field.lexeme).push_str(field.value.text()),
            }
        }
        object.field("state", "\"stopped\"").field("position", &self.position_ms.to_string());
        object.close();
        Event::parse_with(EventKind::Playback, &data, &Limits { event_bytes: usize::MAX, ..Limits::default() })
    }
}

/// Those that wait.
#[derive(Debug, Default)]
pub(super) struct Waiting(HashMap<SessionId, (Abandoned, Moment)>);

impl Waiting {
    /// The session has ended; its client may come back.
    pub(super) fn put(&mut self, session: SessionId, abandoned: Abandoned, now: Moment) {
        self.put_until(session, abandoned, now.after(GRACE));
    }

    /// Nobody goes on with it after that moment.
    pub(super) fn put_until(&mut self, session: SessionId, abandoned: Abandoned, due: Moment) {
        if self.0.len() < WAITING {
            self.0.insert(session, (abandoned, due));
        }
    }

    /// That user's session is spoken of again.
    pub(super) fn take(&mut self, session: SessionId, user: &UserId) -> Option<Abandoned> {
        let is_his = |(abandoned, _): &(Abandoned, Moment)| match &abandoned.told.event {
            Event::Playback(playback) => playback.user.id == *user,
            _ => false,
        };
        self.0.get(&session).is_some_and(is_his).then(|| self.0.remove(&session)).flatten().map(|(abandoned, _)| abandoned)
    }

    /// Those nobody has come back to.
    pub(super) fn due(&mut self, now: Moment) -> Vec<Abandoned> {
        self.0.extract_if(|_, (_, due)| now.instant >= due.instant).map(|(_, (abandoned, _))| abandoned).collect()
    }
}
