//! Why a connection ended: the one list behind log lines, metric labels and closing frames.

use crate::frame::Goodbye;

/// The reason a connection was closed. Each says whether the client should come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CloseReason {
    /// The client closed, or its socket failed. Nothing to say to it.
    Gone,
    /// It took nothing for the stall limit while something waited. It may come back at once.
    Stalled,
    /// Its outbox overflowed: a reply must not vanish, so the connection ends. It may come back at once.
    OutboxFull,
    /// Its credentials ended. It may come back with new ones.
    Expired,
    /// Its rights were withdrawn. Coming back is pointless with these credentials.
    Revoked,
    /// The server drains. It should come back after the hint it was given.
    Draining,
    /// Its worker's hub was lost to a bug of ours. It may come back at once.
    HubLost,
    /// It neither said nor took anything for its dialect's limit. It may come back at once.
    Silent,
    /// It said something its protocol does not allow. Coming back helps only a better client.
    Misbehaved,
    /// Nobody has said in time whose it is. Coming back helps only a client that says so.
    Unidentified,
    /// It turned out to be somebody's who has as many connections as he may have. It may come back later.
    Full,
    /// An administrator ended it. It may come back at once.
    Disconnected,
}

impl CloseReason {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::Gone,
        Self::Stalled,
        Self::OutboxFull,
        Self::Expired,
        Self::Revoked,
        Self::Draining,
        Self::HubLost,
        Self::Silent,
        Self::Misbehaved,
        Self::Unidentified,
        Self::Full,
        Self::Disconnected,
    ];

    /// The word in metrics, logs and `/api/connections`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Stalled => "stalled",
            Self::OutboxFull => "outbox_full",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Draining => "draining",
            Self::HubLost => "hub_lost",
            Self::Silent => "silent",
            Self::Misbehaved => "misbehaved",
            Self::Unidentified => "unidentified",
            Self::Full => "full",
            Self::Disconnected => "disconnected",
        }
    }

    /// Whether a client that polls, and has no GET there as it ends, is told by its next one what it had not fetched. One that
    /// takes or says nothing is not waited for, and one that broke the rules is owed nothing.
    #[must_use]
    pub const fn is_told_later(self) -> bool {
        match self {
            Self::Gone | Self::Stalled | Self::Silent | Self::Misbehaved => false,
            Self::OutboxFull
            | Self::Expired
            | Self::Revoked
            | Self::Draining
            | Self::HubLost
            | Self::Unidentified
            | Self::Full
            | Self::Disconnected => true,
        }
    }

    /// What the client is told with it.
    #[must_use]
    pub const fn goodbye(self) -> Goodbye {
        match self {
            Self::Draining => Goodbye::Stopping,
            Self::Gone
            | Self::Stalled
            | Self::OutboxFull
            | Self::HubLost
            | Self::Silent
            | Self::Misbehaved
            | Self::Full
            | Self::Disconnected => Goodbye::ComeBack,
            Self::Expired | Self::Revoked | Self::Unidentified => Goodbye::NotWithThese,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_the_order_of_the_numbers() {
        for (number, reason) in CloseReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, number, "{}", reason.name());
        }
    }
}
