//! What is being played.

use super::{
    Conflation, EventKind, Rule,
    body::{Abridgement, Body},
    conflation_key,
    field::{FieldError, Source, flag, library_of_object, one_of, optional_integer, optional_library, pick},
    ids::{IdForm, ShownId},
    json::{Text, Value},
    object::Object,
    redact::Scope,
    user::Person,
};
use crate::id::LibraryId;

/// What a player does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlaybackState {
    /// It plays.
    Playing,
    /// It stands still, because somebody wishes so.
    Paused,
    /// It has no data to play.
    Buffering,
    /// It stopped: the session is over.
    Stopped,
}

impl PlaybackState {
    const WORDS: [(&'static str, Self); 4] =
        [("playing", Self::Playing), ("paused", Self::Paused), ("buffering", Self::Buffering), ("stopped", Self::Stopped)];

    /// The word publishers write.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Playing => "playing",
            Self::Paused => "paused",
            Self::Buffering => "buffering",
            Self::Stopped => "stopped",
        }
    }
}

/// The place of what is played in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlayQueue {
    /// The queue, `playQueue.id`.
    pub id: u64,
    /// The item's own number in it, `playQueue.item`.
    pub item: Option<u64>,
}

/// `playback`: `{session, user, client?, item, state, position, duration?, transcode?, playQueue?, live?, library?}`.
///
/// That user and server admins see it. `user` is an id, or an object with one; `ids` are those of the session.
#[derive(Debug, Clone)]
pub struct Playback {
    /// The session, as the media server calls it.
    pub session: Text,
    /// Who watches or listens.
    pub user: Person,
    /// What he plays it on: `{id, name?, …}`.
    pub client: Option<Object>,
    /// What is played: `{id, name?, type?, …}`.
    pub item: Object,
    /// What the player does.
    pub state: PlaybackState,
    /// Where it is, in milliseconds.
    pub position_ms: u64,
    /// How long the item is, in milliseconds.
    pub duration_ms: Option<u64>,
    /// The id of the transcode it plays, if it plays one.
    pub transcode: Option<Text>,
    /// Its place in a queue.
    pub play_queue: Option<PlayQueue>,
    /// It is live television, and `item` the tuned session.
    pub live: bool,
    /// The library the item is in: `library`, else `item.library`.
    pub library: Option<LibraryId>,
    pub(super) body: Body,
}

impl Playback {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [session, user, client, item, state, position] = pick(value, ["session", "user", "client", "item", "state", "position"])?;
        let [duration, transcode, play_queue, live, library] = pick(value, ["duration", "transcode", "playQueue", "live", "library"])?;
        let item = item.ok_or_else(|| FieldError::new("item", "is required and must be an object"))?;
        let library = library_of_object(optional_library(library, "library")?, item, "item")?;
        let position = optional_integer(position, "position")?;
        Ok(Self {
            session: source.id(session, "session")?,
            user: Person::read(source, user, "user")?,
            client: client.map(|client| object(source, client, "client")).transpose()?,
            item: object(source, item, "item")?,
            state: one_of(state, "state", &PlaybackState::WORDS)?,
            position_ms: position.ok_or_else(|| FieldError::new("position", "is required, a whole number of milliseconds"))?,
            duration_ms: optional_integer(duration, "duration")?,
            transcode: source.optional_id(transcode, "transcode")?,
            play_queue: play_queue.map(PlayQueue::read).transpose().map_err(|error| error.inside("playQueue"))?,
            live: flag(live, "live")?.unwrap_or(false),
            library,
            body: Body::read(source, value, Abridgement::Secrets)?,
        })
    }

    /// The session's id as that dialect shows it.
    #[must_use]
    pub fn shown_session(&self, dialect: &str) -> ShownId<'_> {
        IdForm::of(dialect).show(self.body.given_id(dialect), &self.session)
    }

    pub(super) fn rule(&self) -> Rule {
        Rule::UserOrAdmins(self.user.id.clone())
    }

    /// A later position takes the place of an earlier one only while nothing else has changed: neither state nor item.
    pub(super) fn conflation(&self) -> Conflation {
        Conflation {
            key: conflation_key(EventKind::Playback, &[&self.session]),
            phase: format!("{}\0{}", self.state.name(), self.item.id),
            terminal: self.state == PlaybackState::Stopped,
        }
    }
}

impl PlayQueue {
    fn read(value: Value<'_>) -> Result<Self, FieldError> {
        let [id, item] = pick(value, ["id", "item"])?;
        let id = optional_integer(id, "id")?.ok_or_else(|| FieldError::new("id", "is required and must be a whole number"))?;
        Ok(Self { id, item: optional_integer(item, "item")? })
    }
}

fn object(source: Source<'_>, value: Value<'_>, name: &'static str) -> Result<Object, FieldError> {
    Object::read(source, value, Scope::Outside).map_err(|error| error.inside(name))
}
