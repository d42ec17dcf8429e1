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
}

impl CloseReason {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 7] = [Self::Gone, Self::Stalled, Self::OutboxFull, Self::Expired, Self::Revoked, Self::Draining, Self::HubLost];

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
        }
    }

    /// What the client is told with it.
    #[must_use]
    pub const fn goodbye(self) -> Goodbye {
        match self {
            Self::Gone | Self::Stalled | Self::OutboxFull | Self::Draining | Self::HubLost => Goodbye::ComeBack,
            Self::Expired | Self::Revoked => Goodbye::NotWithThese,
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
