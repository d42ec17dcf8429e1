//! Progress of uploads and conversions, and a user's position in and rating of a media.

use super::{
    Conflation, EventKind,
    body::{Abridgement, Body},
    conflation_key,
    field::{FieldError, Source, library, number, pick, user},
    json::{Text, Value},
};
use crate::id::{LibraryId, UserId};

/// `upload_progress`: `{library, mediaId, progress, status?}`. Readers of the library see it.
#[derive(Debug, Clone)]
pub struct UploadProgress {
    /// The library the media goes to.
    pub library: LibraryId,
    /// The media, `mediaId`.
    pub media: Text,
    /// 0 to 100.
    pub progress: f64,
    /// A word for the state, if the publisher gives one.
    pub status: Option<Text>,
    pub(super) body: Body,
}

/// `convert_progress`: `{library, mediaId, progress, status}`. Readers of the library see it.
#[derive(Debug, Clone)]
pub struct ConvertProgress {
    /// The library the media is in.
    pub library: LibraryId,
    /// The media, `mediaId`.
    pub media: Text,
    /// 0 to 100.
    pub progress: f64,
    /// A word for the state: `processing`, `completed`, `failed` …
    pub status: Text,
    pub(super) body: Body,
}

/// `media_progress`: `{library, progress:{userRef, mediaRef, progress, modified}}`. Only that user sees it.
#[derive(Debug, Clone)]
pub struct MediaProgress {
    /// The library the media is in.
    pub library: LibraryId,
    /// Whose position, `userRef`.
    pub user: UserId,
    /// In which media, `mediaRef`.
    pub media: Text,
    /// The position in milliseconds.
    pub position_ms: f64,
    /// When it changed: milliseconds since the epoch or RFC 3339, as JSON text.
    pub modified: Option<Text>,
    /// The whole `progress` object, as JSON text.
    pub object: Text,
    pub(super) body: Body,
}

/// `media_rating`: `{library, rating:{userRef, mediaRef, rating, modified}}`. Only that user sees it.
#[derive(Debug, Clone)]
pub struct MediaRating {
    /// The library the media is in.
    pub library: LibraryId,
    /// Whose rating, `userRef`.
    pub user: UserId,
    /// Of which media, `mediaRef`.
    pub media: Text,
    /// The rating, in the publisher's own scale.
    pub rating: f64,
    /// When it changed: milliseconds since the epoch or RFC 3339, as JSON text.
    pub modified: Option<Text>,
    /// The whole `rating` object, as JSON text.
    pub object: Text,
    pub(super) body: Body,
}

impl UploadProgress {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [own, media, progress, status] = pick(value, ["library", "mediaId", "progress", "status"])?;
        Ok(Self {
            library: library(own, "library")?,
            media: source.id(media, "mediaId")?,
            progress: number(progress, "progress", 0.0, 100.0)?,
            status: source.optional_string(status, "status")?,
            body: Body::read(source, value, Abridgement::Secrets)?,
        })
    }

    /// Whether the upload came to its end, well or not.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.progress >= 100.0 || self.status.as_deref().is_some_and(is_terminal)
    }

    pub(super) fn conflation(&self) -> Conflation {
        Conflation {
            key: conflation_key(EventKind::UploadProgress, &[self.library.as_str(), &self.media]),
            phase: String::new(),
            terminal: self.is_over(),
        }
    }
}

impl ConvertProgress {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [own, media, progress, status] = pick(value, ["library", "mediaId", "progress", "status"])?;
        Ok(Self {
            library: library(own, "library")?,
            media: source.id(media, "mediaId")?,
            progress: number(progress, "progress", 0.0, 100.0)?,
            status: source.string(status, "status")?,
            body: Body::read(source, value, Abridgement::Secrets)?,
        })
    }

    /// Whether the conversion came to its end, well or not.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.progress >= 100.0 || is_terminal(&self.status)
    }

    /// The end replaces no progress: some clients are told of progress only, and would otherwise miss the last of it.
    pub(super) fn conflation(&self) -> Conflation {
        let terminal = self.is_over();
        Conflation {
            key: conflation_key(EventKind::ConvertProgress, &[self.library.as_str(), &self.media]),
            phase: if terminal { "over" } else { "" }.to_owned(),
            terminal,
        }
    }
}

impl MediaProgress {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [own, object] = pick(value, ["library", "progress"])?;
        let library = library(own, "library")?;
        let subject = Subject::read(source, object, "progress", 0.0)?;
        let body = Body::read(source, value, Abridgement::Secrets)?;
        let Subject { user, media, number, modified, object } = subject;
        Ok(Self { library, user, media, position_ms: number, modified, object, body })
    }

    pub(super) fn conflation(&self) -> Conflation {
        Conflation {
            key: conflation_key(EventKind::MediaProgress, &[self.user.as_str(), self.library.as_str(), &self.media]),
            phase: String::new(),
            terminal: false,
        }
    }
}

impl MediaRating {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [own, object] = pick(value, ["library", "rating"])?;
        let library = library(own, "library")?;
        let subject = Subject::read(source, object, "rating", f64::MIN)?;
        let body = Body::read(source, value, Abridgement::Secrets)?;
        let Subject { user, media, number, modified, object } = subject;
        Ok(Self { library, user, media, rating: number, modified, object, body })
    }
}

/// What position and rating have in common.
struct Subject {
    user: UserId,
    media: Text,
    number: f64,
    modified: Option<Text>,
    object: Text,
}

impl Subject {
    fn read(source: Source<'_>, object: Option<Value<'_>>, name: &'static str, least: f64) -> Result<Self, FieldError> {
        let object = object.ok_or_else(|| FieldError::new(name, "is required and must be an object"))?;
        Self::read_object(source, object, name, least).map_err(|error| error.inside(name))
    }

    fn read_object(source: Source<'_>, object: Value<'_>, name: &'static str, least: f64) -> Result<Self, FieldError> {
        let [owner, media, value, modified] = pick(object, ["userRef", "mediaRef", name, "modified"])?;
        Ok(Self {
            user: user(owner, "userRef")?,
            media: source.id(media, "mediaRef")?,
            number: number(value, name, least, f64::MAX)?,
            modified: modified.map(|modified| source.piece(modified)),
            object: source.piece(object),
        })
    }
}

/// The words after which no further progress of a run comes (event map, section 1, and wire notes on RedSeat, section 5).
pub(super) fn is_terminal(status: &str) -> bool {
    const WORDS: [&str; 10] = ["stopped", "ended", "finished", "cancelled", "canceled", "failed", "completed", "complete", "done", "error"];
    WORDS.iter().any(|word| status.eq_ignore_ascii_case(word))
}
