//! What a session is to whoever looks at it, and what its client says of itself.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc};

use sha2::{Digest, Sha256};

use crate::{access::Device, clock::Timestamp, event::Envelope, id::UserId};

/// Bytes that what a client says of itself may have in each place.
const MOST_BYTES: usize = 4096;

/// A session's id: 32 hexadecimal digits, the same for the same client, device and user on every run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(u128);

impl SessionId {
    /// The id of that client on that device for that user; without one for a key.
    #[must_use]
    pub fn of(device: &Device, user: Option<&UserId>) -> Self {
        Self::of_parts([Some(&device.client), Some(&device.id), user.map(UserId::as_str)])
    }

    /// The id for nobody.
    pub(super) fn of_device(client: &str, id: &str) -> Self {
        Self::of_parts([Some(client), Some(id), None])
    }

    /// What stands for a device of that id, whichever client runs on it. No session has it.
    pub(super) fn of_any_client(id: &str) -> Self {
        Self::of_parts([None, Some(id), None])
    }

    fn of_parts(parts: [Option<&str>; 3]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            // Each with its length, so that no two of three parts run together to the same.
            hash.update(part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
            hash.update(part.unwrap_or_default().as_bytes());
        }
        Self(hash.finalize().iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte)))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for SessionId {
    type Err = ();

    /// 32 hexadecimal digits in any case.
    fn from_str(text: &str) -> Result<Self, ()> {
        let is_id = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_id { u128::from_str_radix(text, 16).map(Self).map_err(drop) } else { Err(()) }
    }
}

/// A session at one moment.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Client and device, the latest name and version.
    pub device: Arc<Device>,
    /// Whose it is; a key has no user.
    pub user: Option<UserId>,
    /// Who uses the device as well.
    pub additional_users: Vec<UserId>,
    /// Where it was last heard from.
    pub address: Option<IpAddr>,
    /// When.
    pub last_activity: Timestamp,
    /// When its client last said what it plays.
    pub last_check_in: Option<Timestamp>,
    /// What the client can, if it said so.
    pub capabilities: Option<Arc<Capabilities>>,
    /// What it shows, if it said so.
    pub viewing: Option<Arc<Viewing>>,
    /// WebSockets that are open.
    pub n_sockets: usize,
    /// What it plays.
    pub playing: Option<NowPlaying>,
}

/// What a session plays, at one moment.
#[derive(Debug, Clone)]
pub struct NowPlaying {
    /// The latest `playback` event: item, duration and more.
    pub told: Arc<Envelope>,
    /// Where it is, in milliseconds: while it plays that goes on by the clock, never beyond the duration. `None`: the client
    /// does not know.
    pub position_ms: Option<u64>,
    /// It stands still.
    pub paused: bool,
    /// What the client said beside that of this very item.
    pub check_in: Option<Arc<CheckIn>>,
}

/// What a client says it can.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// Kinds of media it plays: `Video`, `Audio` …
    pub playable_media_types: Vec<String>,
    /// Commands it takes, by name.
    pub supported_commands: Vec<String>,
    /// It can be controlled.
    pub supports_media_control: bool,
    /// Whatever else is to be shown, as JSON text; empty where there is nothing.
    pub more: String,
}

/// What a client shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Viewing {
    /// What the item is.
    pub item_type: String,
    /// The item, as the client calls it.
    pub item_id: String,
    /// Its name.
    pub item_name: String,
    /// Where it is shown.
    pub context: String,
}

/// How a client plays an item, beside what a `playback` event says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckIn {
    /// The publisher's id of the item: the same as in the `playback` event.
    pub item: String,
    /// The client knows where it is.
    pub position_known: bool,
    /// Whatever else is to be shown, as JSON text; empty where there is nothing.
    pub more: String,
}

/// A client says too much of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be at most {MOST_BYTES} bytes in all")]
pub struct TooLarge;

impl Capabilities {
    pub(super) fn check(&self) -> Result<(), TooLarge> {
        bounded(self.n_bytes())
    }

    pub(super) fn n_bytes(&self) -> usize {
        let lists = self.playable_media_types.iter().chain(&self.supported_commands);
        // A text in a list costs more than its bytes.
        lists.map(|text| text.len() + size_of::<String>()).sum::<usize>() + self.more.len()
    }
}

impl Viewing {
    pub(super) fn check(&self) -> Result<(), TooLarge> {
        bounded(self.n_bytes())
    }

    pub(super) fn n_bytes(&self) -> usize {
        self.item_type.len() + self.item_id.len() + self.item_name.len() + self.context.len()
    }
}

impl CheckIn {
    pub(super) fn check(&self) -> Result<(), TooLarge> {
        bounded(self.n_bytes())
    }

    pub(super) fn n_bytes(&self) -> usize {
        self.item.len() + self.more.len()
    }
}

fn bounded(n_bytes: usize) -> Result<(), TooLarge> {
    if n_bytes <= MOST_BYTES { Ok(()) } else { Err(TooLarge) }
}
