//! The types of notifications, by the names Plex gives them (wire notes on Plex, section 6), and which event is told as which.

use crate::event::{Event, EventKind, KindSet, ScanState, ServerState};

/// A type of notification. `raw` events may carry any other name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(super) enum NoticeType {
    Playing,
    Timeline,
    Activity,
    Status,
    Progress,
    TranscodeStart,
    TranscodeUpdate,
    TranscodeEnd,
    Preference,
    Reachability,
    BackgroundProcessingQueue,
    UpdateStateChange,
    Account,
    Log,
}

impl NoticeType {
    pub(super) const ALL: [Self; 14] = [
        Self::Playing,
        Self::Timeline,
        Self::Activity,
        Self::Status,
        Self::Progress,
        Self::TranscodeStart,
        Self::TranscodeUpdate,
        Self::TranscodeEnd,
        Self::Preference,
        Self::Reachability,
        Self::BackgroundProcessingQueue,
        Self::UpdateStateChange,
        Self::Account,
        Self::Log,
    ];

    /// What `type` and `event:` say.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Playing => "playing",
            Self::Timeline => "timeline",
            Self::Activity => "activity",
            Self::Status => "status",
            Self::Progress => "progress",
            Self::TranscodeStart => "transcodeSession.start",
            Self::TranscodeUpdate => "transcodeSession.update",
            Self::TranscodeEnd => "transcodeSession.end",
            Self::Preference => "preference",
            Self::Reachability => "reachability",
            Self::BackgroundProcessingQueue => "backgroundProcessingQueue",
            Self::UpdateStateChange => "update.statechange",
            Self::Account => "account",
            Self::Log => "log",
        }
    }

    /// The field that holds the item: in a list over a WebSocket, alone over SSE.
    pub(super) const fn list(self) -> &'static str {
        match self {
            Self::Playing => "PlaySessionStateNotification",
            Self::Timeline => "TimelineEntry",
            Self::Activity => "ActivityNotification",
            Self::Status => "StatusNotification",
            Self::Progress => "ProgressNotification",
            Self::TranscodeStart | Self::TranscodeUpdate | Self::TranscodeEnd => "TranscodeSession",
            Self::Preference => "Setting",
            Self::Reachability => "ReachabilityNotification",
            Self::BackgroundProcessingQueue => "BackgroundProcessingQueueEventNotification",
            Self::UpdateStateChange => "AutoUpdateNotification",
            Self::Account => "AccountUpdateNotification",
            Self::Log => "LogSentNotification",
        }
    }
}

/// A set of types, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct TypeSet(u16);

impl TypeSet {
    pub(super) const EMPTY: Self = Self(0);

    pub(super) const fn of(types: &[NoticeType]) -> Self {
        let (mut bits, mut index) = (0, 0);
        while index < types.len() {
            bits |= 1 << types[index] as u16;
            index += 1;
        }
        Self(bits)
    }

    pub(super) const fn contains(self, notice: NoticeType) -> bool {
        self.0 & (1 << notice as u16) != 0
    }

    pub(super) const fn with(self, notice: NoticeType) -> Self {
        Self(self.0 | (1 << notice as u16))
    }

    pub(super) const fn without(self, notice: NoticeType) -> Self {
        Self(self.0 & !(1 << notice as u16))
    }

    pub(super) const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

const TRANSCODE: TypeSet = TypeSet::of(&[NoticeType::TranscodeStart, NoticeType::TranscodeUpdate, NoticeType::TranscodeEnd]);

/// The types whose events share a kind with another type's: which of them a client wants is not said by the kinds it wants.
pub(super) const SHARING: [NoticeType; 5] =
    [NoticeType::Activity, NoticeType::Status, NoticeType::TranscodeStart, NoticeType::TranscodeUpdate, NoticeType::TranscodeEnd];

/// What events of this kind may be told as; nothing: Plex has no notification for it (event map, section 3).
const fn types_of(kind: EventKind) -> TypeSet {
    match kind {
        EventKind::Medias
        | EventKind::Episodes
        | EventKind::Series
        | EventKind::Movies
        | EventKind::People
        | EventKind::Collections
        | EventKind::Playlists => TypeSet::of(&[NoticeType::Timeline]),
        EventKind::Playback => TypeSet::of(&[NoticeType::Playing]),
        EventKind::Activity => TypeSet::of(&[NoticeType::Activity]),
        EventKind::Preference => TypeSet::of(&[NoticeType::Preference]),
        EventKind::Reachability => TypeSet::of(&[NoticeType::Reachability]),
        EventKind::BackgroundQueue => TypeSet::of(&[NoticeType::BackgroundProcessingQueue]),
        EventKind::Scan => TypeSet::of(&[NoticeType::Activity, NoticeType::Status]),
        EventKind::UploadProgress => TypeSet::of(&[NoticeType::Activity]),
        EventKind::ConvertProgress | EventKind::Transcode => TRANSCODE,
        EventKind::LibraryStatus => TypeSet::of(&[NoticeType::Progress]),
        EventKind::Server => TypeSet::of(&[NoticeType::UpdateStateChange]),
        EventKind::User => TypeSet::of(&[NoticeType::Account]),
        EventKind::Log => TypeSet::of(&[NoticeType::Log]),
        EventKind::Library
        | EventKind::Tags
        | EventKind::Backups
        | EventKind::BackupsFiles
        | EventKind::MediaProgress
        | EventKind::MediaRating
        | EventKind::Message
        | EventKind::Notification
        | EventKind::RemoteControl
        | EventKind::Presence
        | EventKind::Request
        | EventKind::Stats
        | EventKind::Raw => TypeSet::EMPTY,
    }
}

/// The kinds that may be told as one of these types.
pub(super) const fn kinds_of(types: TypeSet) -> KindSet {
    let (mut kinds, mut index) = (KindSet::EMPTY, 0);
    while index < EventKind::ALL.len() {
        let kind = EventKind::ALL[index];
        if !types_of(kind).intersection(types).is_empty() {
            kinds = kinds.with(kind);
        }
        index += 1;
    }
    kinds
}

/// What this event is told as to a server administrator (`admin`) or to anybody else who may see it; `raw` events aside.
///
/// Scans and uploads are activities of the server, for its administrators only; that a scan begins and ends is told to every
/// reader of the library as `status` (event map, section 3).
pub(super) fn types_in(event: &Event, admin: bool) -> TypeSet {
    let for_admin = |notice| if admin { TypeSet::EMPTY.with(notice) } else { TypeSet::EMPTY };
    match event {
        Event::Scan(scan) if scan.state == ScanState::Progress => for_admin(NoticeType::Activity),
        Event::Scan(_) => for_admin(NoticeType::Activity).with(NoticeType::Status),
        Event::UploadProgress(_) => for_admin(NoticeType::Activity),
        Event::ConvertProgress(convert) if convert.is_over() => TypeSet::of(&[NoticeType::TranscodeEnd]),
        Event::ConvertProgress(_) => TypeSet::of(&[NoticeType::TranscodeUpdate]),
        Event::Transcode(transcode) => TypeSet::EMPTY.with(super::encode::transcode_notice(transcode.state)),
        Event::Server(server) if server.state != ServerState::Update => TypeSet::EMPTY,
        Event::Library(_)
        | Event::LibraryStatus(_)
        | Event::Medias(_)
        | Event::Episodes(_)
        | Event::Series(_)
        | Event::Movies(_)
        | Event::People(_)
        | Event::Tags(_)
        | Event::Collections(_)
        | Event::Playlists(_)
        | Event::Playback(_)
        | Event::Activity(_)
        | Event::Preference(_)
        | Event::Reachability(_)
        | Event::BackgroundQueue(_)
        | Event::Backups(_)
        | Event::BackupsFiles(_)
        | Event::MediaProgress(_)
        | Event::MediaRating(_)
        | Event::Log(_)
        | Event::Server(_)
        | Event::Message(_)
        | Event::User(_)
        | Event::Notification(_)
        | Event::RemoteControl(_)
        | Event::Presence(_)
        | Event::Request(_)
        | Event::Stats(_)
        | Event::Raw(_) => types_of(event.kind()),
    }
}
