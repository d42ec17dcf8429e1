//! A transcode: it starts, is told of while it runs, and ends.

use super::{
    Conflation, EventKind, Rule,
    body::{Abridgement, Body},
    conflation_key,
    field::{FieldError, Source, flag, one_of, optional_integer, optional_library, optional_number, optional_time, pick},
    json::{Text, Value},
    user::Person,
};
use crate::{clock::Timestamp, id::LibraryId};

/// How far a transcode is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TranscodeState {
    /// It began.
    Start,
    /// It goes on.
    Update,
    /// It is over.
    End,
}

impl TranscodeState {
    const WORDS: [(&'static str, Self); 3] = [("start", Self::Start), ("update", Self::Update), ("end", Self::End)];

    /// The word publishers write.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Update => "update",
            Self::End => "end",
        }
    }
}

/// What is done with one stream of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Nothing: the file is played as it is.
    DirectPlay,
    /// It is put into another container.
    Copy,
    /// It is encoded anew.
    Transcode,
    /// It is drawn into the picture (subtitles).
    Burn,
}

impl Decision {
    const WORDS: [(&'static str, Self); 4] =
        [("directplay", Self::DirectPlay), ("copy", Self::Copy), ("transcode", Self::Transcode), ("burn", Self::Burn)];

    /// The word publishers write.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DirectPlay => "directplay",
            Self::Copy => "copy",
            Self::Transcode => "transcode",
            Self::Burn => "burn",
        }
    }

    fn read(value: Option<Value<'_>>, path: &'static str) -> Result<Option<Self>, FieldError> {
        value.map(|value| one_of(Some(value), path, &Self::WORDS)).transpose()
    }
}

/// `transcode`: `{id, user, state, session?, progress?, …}`. That user and server admins see it.
///
/// `user` is an id, or an object with one. Times are milliseconds, `progress` is 0 to 100.
#[derive(Debug, Clone)]
pub struct Transcode {
    /// The transcode, as a `playback` names it in `transcode`.
    pub id: Text,
    /// For whom.
    pub user: Person,
    /// How far it is.
    pub state: TranscodeState,
    /// The playback session it is for.
    pub session: Option<Text>,
    /// The library of what is transcoded.
    pub library: Option<LibraryId>,
    /// How it goes.
    pub course: TranscodeCourse,
    /// What comes in and what goes out.
    pub streams: TranscodeStreams,
    pub(super) body: Body,
}

/// How a transcode goes: `throttled`, `complete`, `progress`, `size`, `speed`, `error`, `duration`, `remaining`,
/// `timestamp`, `minOffset`, `maxOffset`.
#[derive(Debug, Clone, Default)]
pub struct TranscodeCourse {
    /// It waits, because it is far enough ahead.
    pub throttled: bool,
    /// Everything is transcoded.
    pub complete: bool,
    /// 0 to 100.
    pub progress: Option<f64>,
    /// Bytes of what was made.
    pub size: Option<i64>,
    /// How many times faster than it is played.
    pub speed: Option<f64>,
    /// Why it failed, if it did.
    pub error: Option<Text>,
    /// How long the item is, in milliseconds.
    pub duration_ms: Option<u64>,
    /// How long it will still take, in milliseconds.
    pub remaining_ms: Option<u64>,
    /// When this was so.
    pub timestamp: Option<Timestamp>,
    /// From where it can be played, in milliseconds.
    pub min_offset_ms: Option<u64>,
    /// How far it can be played, in milliseconds.
    pub max_offset_ms: Option<u64>,
}

/// What comes into a transcode and what goes out: `context`, `protocol`, `container`, the codecs, the decisions, sizes.
#[derive(Debug, Clone, Default)]
pub struct TranscodeStreams {
    /// What for: `streaming`, `static` …
    pub context: Option<Text>,
    /// How it is carried: `dash`, `hls`, `http` …
    pub protocol: Option<Text>,
    /// The container it goes out in.
    pub container: Option<Text>,
    /// The codec of the file's picture, `sourceVideoCodec`.
    pub source_video_codec: Option<Text>,
    /// The codec of the file's sound, `sourceAudioCodec`.
    pub source_audio_codec: Option<Text>,
    /// The codec of the picture that goes out, `videoCodec`.
    pub video_codec: Option<Text>,
    /// The codec of the sound that goes out, `audioCodec`.
    pub audio_codec: Option<Text>,
    /// What is done with the picture, `videoDecision`.
    pub video: Option<Decision>,
    /// What is done with the sound, `audioDecision`.
    pub audio: Option<Decision>,
    /// What is done with the subtitles, `subtitleDecision`.
    pub subtitle: Option<Decision>,
    /// Channels of the sound that goes out, `audioChannels`.
    pub audio_channels: Option<u64>,
    /// Width of the picture that goes out, in pixels.
    pub width: Option<u64>,
    /// Height of the picture that goes out, in pixels.
    pub height: Option<u64>,
    /// Hardware was asked for, `hwRequested`.
    pub hw_requested: bool,
    /// Hardware does all of it, `hwFullPipeline`.
    pub hw_full_pipeline: bool,
}

impl Transcode {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [id, user, state, session, library] = pick(value, ["id", "user", "state", "session", "library"])?;
        Ok(Self {
            id: source.id(id, "id")?,
            user: Person::read(source, user, "user")?,
            state: one_of(state, "state", &TranscodeState::WORDS)?,
            session: source.optional_id(session, "session")?,
            library: optional_library(library, "library")?,
            course: TranscodeCourse::read(source, value)?,
            streams: TranscodeStreams::read(source, value)?,
            body: Body::read(source, value, Abridgement::Secrets)?,
        })
    }

    pub(super) fn rule(&self) -> Rule {
        Rule::UserOrAdmins(self.user.id.clone())
    }

    /// Updates are replaced by later ones; the end ends them and replaces none: some clients are told of updates only, and
    /// would otherwise miss the last one. A start replaces nothing and is never replaced.
    pub(super) fn conflation(&self) -> Option<Conflation> {
        let terminal = match self.state {
            TranscodeState::Start => return None,
            TranscodeState::Update => false,
            TranscodeState::End => true,
        };
        Some(Conflation { key: conflation_key(EventKind::Transcode, &[&self.id]), phase: self.state.name().to_owned(), terminal })
    }
}

impl TranscodeCourse {
    fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [throttled, complete, progress, size, speed, error] =
            pick(value, ["throttled", "complete", "progress", "size", "speed", "error"])?;
        let [duration, remaining, timestamp, min_offset, max_offset] =
            pick(value, ["duration", "remaining", "timestamp", "minOffset", "maxOffset"])?;
        Ok(Self {
            throttled: flag(throttled, "throttled")?.unwrap_or(false),
            complete: flag(complete, "complete")?.unwrap_or(false),
            progress: optional_number(progress, "progress", 0.0, 100.0)?,
            size: read_size(size)?,
            speed: optional_number(speed, "speed", 0.0, f64::MAX)?,
            error: source.optional_string(error, "error")?,
            duration_ms: optional_integer(duration, "duration")?,
            remaining_ms: optional_integer(remaining, "remaining")?,
            timestamp: optional_time(timestamp, "timestamp")?,
            min_offset_ms: optional_integer(min_offset, "minOffset")?,
            max_offset_ms: optional_integer(max_offset, "maxOffset")?,
        })
    }
}

impl TranscodeStreams {
    fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let [context, protocol, container] = pick(value, ["context", "protocol", "container"])?;
        let [source_video, source_audio, video_codec, audio_codec] =
            pick(value, ["sourceVideoCodec", "sourceAudioCodec", "videoCodec", "audioCodec"])?;
        let [video, audio, subtitle] = pick(value, ["videoDecision", "audioDecision", "subtitleDecision"])?;
        let [channels, width, height, requested, full] =
            pick(value, ["audioChannels", "width", "height", "hwRequested", "hwFullPipeline"])?;
        Ok(Self {
            context: source.optional_string(context, "context")?,
            protocol: source.optional_string(protocol, "protocol")?,
            container: source.optional_string(container, "container")?,
            source_video_codec: source.optional_string(source_video, "sourceVideoCodec")?,
            source_audio_codec: source.optional_string(source_audio, "sourceAudioCodec")?,
            video_codec: source.optional_string(video_codec, "videoCodec")?,
            audio_codec: source.optional_string(audio_codec, "audioCodec")?,
            video: Decision::read(video, "videoDecision")?,
            audio: Decision::read(audio, "audioDecision")?,
            subtitle: Decision::read(subtitle, "subtitleDecision")?,
            audio_channels: optional_integer(channels, "audioChannels")?,
            width: optional_integer(width, "width")?,
            height: optional_integer(height, "height")?,
            hw_requested: flag(requested, "hwRequested")?.unwrap_or(false),
            hw_full_pipeline: flag(full, "hwFullPipeline")?.unwrap_or(false),
        })
    }
}

/// Real servers send a negative size while it is unknown (wire notes on Plex, section 6.5).
fn read_size(value: Option<Value<'_>>) -> Result<Option<i64>, FieldError> {
    value.map(|value| value.text().parse::<i64>().map_err(|_| FieldError::new("size", "must be a whole number of bytes"))).transpose()
}
