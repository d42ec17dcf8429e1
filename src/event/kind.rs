//! The event families by name: what a publisher writes in `type`, and sets of them for filters.

use std::fmt;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal / $wrapper:literal,)*) => {
        /// The family of an event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum EventKind {
            $($(#[$doc])* $variant,)*
        }

        impl EventKind {
            /// Every kind, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name publishers write in `type` and `/sse` writes in `event:`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The name in PascalCase: the wrapper key of a message on `/sse` (document 002).
            #[must_use]
            pub const fn wrapper(self) -> &'static str {
                match self {
                    $(Self::$variant => $wrapper,)*
                }
            }

            /// The kind of that name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// A library was created, changed or removed.
    Library = "library" / "Library",
    /// A library's status text, for its admins.
    LibraryStatus = "library-status" / "LibraryStatus",
    /// Media items were added, updated or deleted.
    Medias = "medias" / "Medias",
    /// An upload's progress.
    UploadProgress = "upload_progress" / "UploadProgress",
    /// A conversion's progress.
    ConvertProgress = "convert_progress" / "ConvertProgress",
    /// Episodes were added, updated or deleted.
    Episodes = "episodes" / "Episodes",
    /// Series were added, updated or deleted.
    Series = "series" / "Series",
    /// Movies were added, updated or deleted.
    Movies = "movies" / "Movies",
    /// People were added, updated or deleted.
    People = "people" / "People",
    /// Tags were added, updated or deleted.
    Tags = "tags" / "Tags",
    /// Collections were added, updated or deleted.
    Collections = "collections" / "Collections",
    /// A user's playlists were added, updated or deleted.
    Playlists = "playlists" / "Playlists",
    /// A backup job.
    Backups = "backups" / "Backups",
    /// The progress of one file of a backup.
    BackupsFiles = "backups-files" / "BackupsFiles",
    /// A user's position in a media.
    MediaProgress = "media_progress" / "MediaProgress",
    /// A user's rating of a media.
    MediaRating = "media_rating" / "MediaRating",
    /// Somebody plays something: what, where he is in it, and whether it goes on.
    Playback = "playback" / "Playback",
    /// A transcode starts, goes on, or ends.
    Transcode = "transcode" / "Transcode",
    /// A library scan starts, progresses, or ends.
    Scan = "scan" / "Scan",
    /// Something the media server does for a while.
    Activity = "activity" / "Activity",
    /// A setting of the media server changed.
    Preference = "preference" / "Preference",
    /// Whether the media server can be reached from outside.
    Reachability = "reachability" / "Reachability",
    /// Something happened to a queue of background work.
    BackgroundQueue = "background-queue" / "BackgroundQueue",
    /// A log line.
    Log = "log" / "Log",
    /// The server itself: restart required, restarting, shutting down, update.
    Server = "server" / "Server",
    /// A message for people to read.
    Message = "message" / "Message",
    /// A user account was added, updated or deleted.
    User = "user" / "User",
    /// Notifications of a user were added, changed or read.
    Notification = "notification" / "Notification",
    /// A client is told to do something by somebody at another one.
    RemoteControl = "remote-control" / "RemoteControl",
    /// A user came online or went offline; made by the engine.
    Presence = "presence" / "Presence",
    /// What a client asked the media server to do; made by the engine.
    Request = "request" / "Request",
    /// How the server does: rates, latencies and depths; made by the engine, once a second while somebody listens.
    Stats = "stats" / "Stats",
    /// A message of one dialect, as is.
    Raw = "raw" / "Raw",
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of kinds, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct KindSet(u64);

impl KindSet {
    /// No kind.
    pub const EMPTY: Self = Self(0);

    /// The set of these kinds.
    #[must_use]
    pub const fn of(kinds: &[EventKind]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < kinds.len() {
            bits |= 1 << kinds[index] as u64;
            index += 1;
        }
        Self(bits)
    }

    /// Every kind.
    #[must_use]
    pub const fn all() -> Self {
        Self::of(EventKind::ALL)
    }

    /// Whether the kind is in the set.
    #[must_use]
    pub const fn contains(self, kind: EventKind) -> bool {
        self.0 & (1 << kind as u64) != 0
    }

    /// The set with one kind more.
    #[must_use]
    pub const fn with(self, kind: EventKind) -> Self {
        Self(self.0 | (1 << kind as u64))
    }

    /// What both sets hold.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the set holds nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_wrappers_go_together() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::from_name(kind.name()), Some(*kind));
            let squeezed: String = kind.name().chars().filter(|c| c.is_alphanumeric()).collect();
            assert_eq!(kind.wrapper().to_lowercase(), squeezed);
            assert!(KindSet::all().contains(*kind));
            assert!(!KindSet::EMPTY.contains(*kind));
        }
    }
}
