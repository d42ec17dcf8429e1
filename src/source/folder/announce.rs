//! What the folder source says, and to whom: the messages' JSON and the small trait the engine implements.
//!
//! It does not know the engine's event types: a message is a kind and its JSON text.

use serde::Serialize;

use crate::id::LibraryId;

/// Takes the source's messages; the engine implements it.
pub trait Announce: Send + Sync + 'static {
    /// Returns once the engine has accepted every message, in order. It may block: it is called on the source's own thread.
    ///
    /// # Errors
    /// [`Refused`] when they were not accepted; none of them is then recorded as told.
    fn announce(&self, announcements: Vec<Announcement>) -> Result<(), Refused>;
}

/// One message: an event type and its `data`, as JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// `medias` or `scan` (event map, section 3).
    pub kind: &'static str,
    /// The message as JSON text.
    pub data: String,
}

/// Why messages were not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no room at the moment; the source tries again.
    #[error("the engine is busy")]
    Busy,
    /// The engine is shutting down; the source ends.
    #[error("the engine is closed")]
    Closed,
    /// The engine will never take this message; the scan fails and is tried again later.
    #[error("the engine rejected the message: {0}")]
    Rejected(String),
}

/// What happened to a media (document 002 spells it with capitals).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Action {
    Added,
    Updated,
    Deleted,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Added => "Added",
            Self::Updated => "Updated",
            Self::Deleted => "Deleted",
        }
    }
}

/// One element of a `medias` message.
pub(super) fn media_item(action: Action, media: &str) -> String {
    format!(r#"{{"action":"{}","media":{media}}}"#, action.as_str())
}

/// A `medias` message of elements made by [`media_item`].
pub(super) fn medias(library: &LibraryId, items: &[String]) -> Announcement {
    let data = format!(r#"{{"library":{},"medias":[{}]}}"#, quoted(library.as_str()), items.join(","));
    Announcement { kind: "medias", data }
}

/// How far a scan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ScanState {
    Started,
    Progress,
    Finished,
    Cancelled,
    Failed,
}

/// What a scan has found so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Results {
    pub(super) added: u64,
    pub(super) updated: u64,
    pub(super) deleted: u64,
    pub(super) unchanged: u64,
    pub(super) unreadable: u64,
}

/// A `scan` message.
#[derive(Debug, Serialize)]
pub(super) struct ScanMessage<'a> {
    pub(super) library: &'a LibraryId,
    /// The run: the same from its start to its end.
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) state: ScanState,
    pub(super) progress: u8,
    pub(super) results: Results,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<&'a str>,
}

impl ScanMessage<'_> {
    pub(super) fn announcement(&self) -> Announcement {
        Announcement { kind: "scan", data: json(self) }
    }
}

/// JSON text of a value whose keys are all strings.
pub(super) fn json(value: &impl Serialize) -> String {
    // Serializing fails only for maps with other keys or a failing writer; neither exists here.
    serde_json::to_string(value).unwrap_or_else(|_| String::from("null"))
}

fn quoted(text: &str) -> String {
    json(&text)
}
