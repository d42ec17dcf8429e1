//! The event model: what media servers announce, who may see it, and in which order it stays.
//!
//! Deliberately knows no protocol and no connection.

mod activity;
mod audience;
mod backup;
mod body;
mod dialects;
mod envelope;
mod field;
mod ids;
pub mod json;
mod kind;
mod library;
mod media;
mod notification;
mod object;
mod order;
mod playback;
mod playlist;
mod preference;
mod progress;
mod raw;
mod redact;
mod remote_control;
pub mod samples;
mod scan;
mod schema;
mod server;
mod subjects;
mod transcode;
mod user;

use std::borrow::Cow;

pub use activity::{Activity, ActivityState};
pub use audience::{Audience, AudienceError, Level, Rule, Who};
pub use backup::{Backup, BackupFile};
pub use body::Visibility;
pub use dialects::DIALECTS;
pub use envelope::{Encoded, EncoderPanicked, Envelope, FormatPair, FormatSlot, FrameFormat, MAX_FORMATS, Own, Reader};
pub use field::{FieldError, Limits};
pub use ids::{IdForm, ShownId};
pub use kind::{EventKind, KindSet};
pub use library::{LibraryChange, LibraryStatus};
pub(crate) use media::names as change_names;
pub use media::{Change, Changes};
pub use notification::{Notification, NotificationState};
pub use object::{Action, Object};
use order::conflation_key;
pub use order::{Conflation, ShardKey};
pub use playback::{PlayQueue, Playback, PlaybackState};
pub use playlist::Playlists;
pub use preference::{BackgroundQueue, Preference, PreferenceType, Reachability};
pub use progress::{ConvertProgress, MediaProgress, MediaRating, UploadProgress};
pub use raw::Raw;
pub use redact::{without_secrets, without_user_secrets};
pub use remote_control::{Browse, Command, Play, PlayCommand, PlaystateCommand, RemoteControl};
pub use scan::{Scan, ScanState};
pub use schema::schema;
pub use server::{Log, LogLevel, Server, ServerState, Stats, UpdateState};
pub use transcode::{Decision, Transcode, TranscodeCourse, TranscodeState, TranscodeStreams};
pub use user::{Message, Person, Presence, Request, UserChange};

use crate::id::LibraryId;
use body::Body;
use field::Source;
use json::{SyntaxProblem, Text, Value};

/// One fact a media server announces, or the engine itself.
///
/// A variant holds the typed core that the rules and the dialects need; every other field stays in the message, as text.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each variant is documented at its type and at its `EventKind`")]
pub enum Event {
    Library(LibraryChange),
    LibraryStatus(LibraryStatus),
    Medias(Changes),
    UploadProgress(UploadProgress),
    ConvertProgress(ConvertProgress),
    Episodes(Changes),
    Series(Changes),
    Movies(Changes),
    People(Changes),
    Tags(Changes),
    Collections(Changes),
    Playlists(Playlists),
    Backups(Backup),
    BackupsFiles(BackupFile),
    MediaProgress(MediaProgress),
    MediaRating(MediaRating),
    Playback(Playback),
    Transcode(Transcode),
    Scan(Scan),
    Activity(Activity),
    Preference(Preference),
    Reachability(Reachability),
    BackgroundQueue(BackgroundQueue),
    Log(Log),
    Server(Server),
    Message(Message),
    User(UserChange),
    Notification(Notification),
    RemoteControl(RemoteControl),
    Presence(Presence),
    Request(Request),
    Stats(Stats),
    Raw(Raw),
}

impl Event {
    /// Reads an event's `data`, under the default limits.
    ///
    /// # Errors
    /// [`FieldError`] names the field, its path starting with `data`, and says what is allowed.
    pub fn parse(kind: EventKind, data: &str) -> Result<Self, FieldError> {
        Self::parse_with(kind, data, &Limits::default())
    }

    /// Reads an event's `data` under these limits.
    ///
    /// # Errors
    /// [`FieldError`] names the field, its path starting with `data`, and says what is allowed.
    pub fn parse_with(kind: EventKind, data: &str, limits: &Limits) -> Result<Self, FieldError> {
        if data.len() > limits.event_bytes {
            return Err(FieldError::new("data", format!("must be at most {} bytes", limits.event_bytes)));
        }
        let compact = json::compact(data, limits.max_depth()).map_err(|error| match error.problem {
            SyntaxProblem::Depth => FieldError::new("data", format!("must nest at most {} deep", limits.max_depth())),
            _ => FieldError::new("data", format!("must be JSON: {error}")),
        })?;
        let text = Text::from(compact);
        Self::read(kind, Source { text: &text, limits }, Value::of_compact(&text))
    }

    /// Makes an event of anything that serialises to the message's shape.
    ///
    /// # Errors
    /// [`FieldError`] as for [`Event::parse`], also when the value does not serialise.
    pub fn from_value(kind: EventKind, value: &impl serde::Serialize) -> Result<Self, FieldError> {
        let data = serde_json::to_string(value).map_err(|error| FieldError::new("data", format!("must be JSON: {error}")))?;
        Self::parse(kind, &data)
    }

    /// Reads an event from compact text; `value` is a piece of the source's text.
    pub(crate) fn read_compact(kind: EventKind, text: &Text, value: Value<'_>, limits: &Limits) -> Result<Self, FieldError> {
        Self::read(kind, Source { text, limits }, value)
    }

    fn read(kind: EventKind, source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        Self::read_fields(kind, source, value).map_err(|error| error.inside("data"))
    }

    fn read_fields(kind: EventKind, source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        Ok(match kind {
            EventKind::Library => Self::Library(LibraryChange::read(source, value)?),
            EventKind::LibraryStatus => Self::LibraryStatus(LibraryStatus::read(source, value)?),
            EventKind::Medias => Self::Medias(Changes::read(source, value, kind)?),
            EventKind::UploadProgress => Self::UploadProgress(UploadProgress::read(source, value)?),
            EventKind::ConvertProgress => Self::ConvertProgress(ConvertProgress::read(source, value)?),
            EventKind::Episodes => Self::Episodes(Changes::read(source, value, kind)?),
            EventKind::Series => Self::Series(Changes::read(source, value, kind)?),
            EventKind::Movies => Self::Movies(Changes::read(source, value, kind)?),
            EventKind::People => Self::People(Changes::read(source, value, kind)?),
            EventKind::Tags => Self::Tags(Changes::read(source, value, kind)?),
            EventKind::Collections => Self::Collections(Changes::read(source, value, kind)?),
            EventKind::Playlists => Self::Playlists(Playlists::read(source, value)?),
            EventKind::Backups => Self::Backups(Backup::read(source, value)?),
            EventKind::BackupsFiles => Self::BackupsFiles(BackupFile::read(source, value)?),
            EventKind::MediaProgress => Self::MediaProgress(MediaProgress::read(source, value)?),
            EventKind::MediaRating => Self::MediaRating(MediaRating::read(source, value)?),
            EventKind::Playback => Self::Playback(Playback::read(source, value)?),
            EventKind::Transcode => Self::Transcode(Transcode::read(source, value)?),
            EventKind::Scan => Self::Scan(Scan::read(source, value)?),
            EventKind::Activity => Self::Activity(Activity::read(source, value)?),
            EventKind::Preference => Self::Preference(Preference::read(source, value)?),
            EventKind::Reachability => Self::Reachability(Reachability::read(source, value)?),
            EventKind::BackgroundQueue => Self::BackgroundQueue(BackgroundQueue::read(source, value)?),
            EventKind::Log => Self::Log(Log::read(source, value)?),
            EventKind::Server => Self::Server(Server::read(source, value)?),
            EventKind::Message => Self::Message(Message::read(source, value)?),
            EventKind::User => Self::User(UserChange::read(source, value)?),
            EventKind::Notification => Self::Notification(Notification::read(source, value)?),
            EventKind::RemoteControl => Self::RemoteControl(RemoteControl::read(source, value)?),
            EventKind::Presence => Self::Presence(Presence::read(source, value)?),
            EventKind::Request => Self::Request(Request::read(source, value)?),
            EventKind::Stats => Self::Stats(Stats::read(source, value)?),
            EventKind::Raw => Self::Raw(Raw::read(source, value)?),
        })
    }

    /// The family.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Library(_) => EventKind::Library,
            Self::LibraryStatus(_) => EventKind::LibraryStatus,
            Self::Medias(_) => EventKind::Medias,
            Self::UploadProgress(_) => EventKind::UploadProgress,
            Self::ConvertProgress(_) => EventKind::ConvertProgress,
            Self::Episodes(_) => EventKind::Episodes,
            Self::Series(_) => EventKind::Series,
            Self::Movies(_) => EventKind::Movies,
            Self::People(_) => EventKind::People,
            Self::Tags(_) => EventKind::Tags,
            Self::Collections(_) => EventKind::Collections,
            Self::Playlists(_) => EventKind::Playlists,
            Self::Backups(_) => EventKind::Backups,
            Self::BackupsFiles(_) => EventKind::BackupsFiles,
            Self::MediaProgress(_) => EventKind::MediaProgress,
            Self::MediaRating(_) => EventKind::MediaRating,
            Self::Playback(_) => EventKind::Playback,
            Self::Transcode(_) => EventKind::Transcode,
            Self::Scan(_) => EventKind::Scan,
            Self::Activity(_) => EventKind::Activity,
            Self::Preference(_) => EventKind::Preference,
            Self::Reachability(_) => EventKind::Reachability,
            Self::BackgroundQueue(_) => EventKind::BackgroundQueue,
            Self::Log(_) => EventKind::Log,
            Self::Server(_) => EventKind::Server,
            Self::Message(_) => EventKind::Message,
            Self::User(_) => EventKind::User,
            Self::Notification(_) => EventKind::Notification,
            Self::RemoteControl(_) => EventKind::RemoteControl,
            Self::Presence(_) => EventKind::Presence,
            Self::Request(_) => EventKind::Request,
            Self::Stats(_) => EventKind::Stats,
            Self::Raw(_) => EventKind::Raw,
        }
    }

    /// The library, if the event belongs to one.
    #[must_use]
    pub fn library(&self) -> Option<&LibraryId> {
        match self {
            Self::Library(event) => Some(&event.library),
            Self::LibraryStatus(event) => Some(&event.library),
            Self::Medias(event)
            | Self::Episodes(event)
            | Self::Series(event)
            | Self::Movies(event)
            | Self::People(event)
            | Self::Tags(event)
            | Self::Collections(event) => Some(&event.library),
            Self::UploadProgress(event) => Some(&event.library),
            Self::ConvertProgress(event) => Some(&event.library),
            Self::Backups(event) => event.library.as_ref(),
            Self::BackupsFiles(event) => event.library.as_ref(),
            Self::MediaProgress(event) => Some(&event.library),
            Self::MediaRating(event) => Some(&event.library),
            Self::Playback(event) => event.library.as_ref(),
            Self::Transcode(event) => event.library.as_ref(),
            Self::Scan(event) => Some(&event.library),
            Self::Activity(event) => event.library.as_ref(),
            Self::Request(event) => event.library.as_ref(),
            Self::Raw(event) => event.library.as_ref(),
            Self::Playlists(_)
            | Self::Preference(_)
            | Self::Reachability(_)
            | Self::BackgroundQueue(_)
            | Self::Log(_)
            | Self::Server(_)
            | Self::Message(_)
            | Self::User(_)
            | Self::Notification(_)
            | Self::RemoteControl(_)
            | Self::Presence(_)
            | Self::Stats(_) => None,
        }
    }

    /// The audience rule of the event's type (event map, section 3).
    #[must_use]
    pub fn rule(&self) -> Rule {
        match self {
            Self::Library(LibraryChange { library, .. })
            | Self::Medias(Changes { library, .. })
            | Self::Episodes(Changes { library, .. })
            | Self::Series(Changes { library, .. })
            | Self::Movies(Changes { library, .. })
            | Self::People(Changes { library, .. })
            | Self::Tags(Changes { library, .. })
            | Self::Collections(Changes { library, .. })
            | Self::UploadProgress(UploadProgress { library, .. })
            | Self::ConvertProgress(ConvertProgress { library, .. }) => Rule::Library(library.clone(), Level::Read),
            Self::LibraryStatus(event) => event.rule(),
            Self::Backups(event) => event.rule(),
            Self::BackupsFiles(_)
            | Self::Preference(_)
            | Self::Reachability(_)
            | Self::BackgroundQueue(_)
            | Self::Log(_)
            | Self::Presence(_)
            | Self::Stats(_) => Rule::Admins,
            Self::MediaProgress(event) => Rule::User(event.user.clone()),
            Self::MediaRating(event) => Rule::User(event.user.clone()),
            Self::Playlists(event) => event.rule(),
            Self::Playback(event) => event.rule(),
            Self::Transcode(event) => event.rule(),
            Self::Scan(event) => event.rule(),
            Self::Activity(event) => event.rule(),
            Self::Server(event) => event.rule(),
            Self::Message(event) => event.rule(),
            Self::User(event) => Rule::UserOrAdmins(event.user.clone()),
            Self::Request(event) => Rule::Publishers(event.library.clone()),
            Self::Notification(event) => event.rule(),
            // The audience is one connection, below: whose it is the hub knows.
            Self::RemoteControl(_) | Self::Raw(_) => Rule::Everyone,
        }
    }

    /// Who may see the event when the publisher narrows nothing: the rule, and for what is meant for one session that session.
    #[must_use]
    pub fn audience(&self) -> Audience {
        let only = match self {
            Self::Message(Message { to: to @ Who::Session(_), .. }) => vec![to.clone()],
            Self::RemoteControl(event) => vec![Who::Session(event.to)],
            _ => Vec::new(),
        };
        Audience { rule: self.rule(), only }
    }

    /// Who, of those who may see the event, sees all of it; the others get the [`Visibility::Abridged`] form.
    /// `None`: there is nothing to hide, and everybody gets the same bytes.
    #[must_use]
    pub fn full_rule(&self) -> Option<Rule> {
        match self {
            Self::Scan(scan) => Some(Rule::Library(scan.library.clone(), Level::Admin)),
            _ => self.body().is_abridged().then_some(Rule::Admins),
        }
    }

    /// What keeps its order: library events by library, people's events by user, the rest by the server.
    #[must_use]
    pub fn shard_key(&self) -> ShardKey {
        let user = match self {
            // Of the server, also when it is for a user or about a library.
            Self::Activity(_) => return ShardKey::Server,
            Self::MediaProgress(event) => Some(&event.user),
            Self::MediaRating(event) => Some(&event.user),
            Self::Playlists(event) => Some(&event.user),
            Self::Playback(event) => Some(&event.user.id),
            Self::Transcode(event) => Some(&event.user.id),
            Self::User(event) => Some(&event.user),
            Self::Notification(event) => Some(&event.user.id),
            Self::Presence(event) => Some(&event.user),
            Self::Message(Message { to: Who::User(user), .. }) => Some(user),
            _ => None,
        };
        match (user, self.library()) {
            (Some(user), _) => ShardKey::User(user.clone()),
            (None, Some(library)) => ShardKey::Library(library.clone()),
            (None, None) => ShardKey::Server,
        }
    }

    /// Whether and by what it is conflated (event map, section 1).
    #[must_use]
    pub fn conflation(&self) -> Option<Conflation> {
        match self {
            Self::Scan(event) => event.conflation(),
            Self::Activity(event) => event.conflation(),
            Self::Transcode(event) => event.conflation(),
            Self::Playback(event) => Some(event.conflation()),
            Self::UploadProgress(event) => Some(event.conflation()),
            Self::ConvertProgress(event) => Some(event.conflation()),
            Self::BackupsFiles(event) => Some(event.conflation()),
            Self::MediaProgress(event) => Some(event.conflation()),
            _ => None,
        }
    }

    /// The whole message: compact JSON on one line, as it was published, without `dialects`.
    ///
    /// Secrets included: what is sent to somebody comes from [`Event::dialect_message`].
    #[must_use]
    pub fn message(&self) -> &str {
        self.body().message()
    }

    /// The message as that dialect's clients of that class get it: `dialects.NAME` merged over each level, then abridged.
    #[must_use]
    pub fn dialect_message(&self, dialect: &str, visibility: Visibility) -> Cow<'_, str> {
        self.body().text(dialect, visibility)
    }

    /// `data.dialects.NAME`, as JSON text: for encoders that build a message of their own and merge this over it.
    #[must_use]
    pub fn overlay(&self, dialect: &str) -> Option<&str> {
        self.body().overlay(dialect)
    }

    fn body(&self) -> &Body {
        match self {
            Self::Library(event) => &event.body,
            Self::LibraryStatus(event) => &event.body,
            Self::Medias(event)
            | Self::Episodes(event)
            | Self::Series(event)
            | Self::Movies(event)
            | Self::People(event)
            | Self::Tags(event)
            | Self::Collections(event) => &event.body,
            Self::Playlists(event) => &event.body,
            Self::UploadProgress(event) => &event.body,
            Self::ConvertProgress(event) => &event.body,
            Self::Backups(event) => &event.body,
            Self::BackupsFiles(event) => &event.body,
            Self::MediaProgress(event) => &event.body,
            Self::MediaRating(event) => &event.body,
            Self::Playback(event) => &event.body,
            Self::Transcode(event) => &event.body,
            Self::Scan(event) => &event.body,
            Self::Activity(event) => &event.body,
            Self::Preference(event) => &event.body,
            Self::Reachability(event) => &event.body,
            Self::BackgroundQueue(event) => &event.body,
            Self::Log(event) => &event.body,
            Self::Server(event) => &event.body,
            Self::Message(event) => &event.body,
            Self::User(event) => &event.body,
            Self::Notification(event) => &event.body,
            Self::RemoteControl(event) => &event.body,
            Self::Presence(event) => &event.body,
            Self::Request(event) => &event.body,
            Self::Stats(event) => &event.body,
            Self::Raw(event) => &event.body,
        }
    }
}

#[cfg(test)]
mod tests;
