//! Who was let in and who was not: cold paths, so all workers share these counters.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{
    histogram::{CALL_BOUNDS_MICROS, Histogram, Reading, micros},
    worker::MAX_DIALECTS,
};

/// Why a client's connection was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Rejection {
    /// No credentials, or none that count.
    Unauthorised,
    /// The server has as many connections as it may have.
    ServerFull,
    /// The user has as many connections as one user may have.
    UserFull,
    /// The address has as many connections as one address may have.
    AddressFull,
    /// The address has shown too many bad tokens.
    TooManyAttempts,
    /// Whoever knows the credentials cannot be asked.
    Unavailable,
    /// The server drains.
    Draining,
    /// The handshake is not one this dialect speaks.
    Malformed,
}

impl Rejection {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Unauthorised,
        Self::ServerFull,
        Self::UserFull,
        Self::AddressFull,
        Self::TooManyAttempts,
        Self::Unavailable,
        Self::Draining,
        Self::Malformed,
    ];

    /// The label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unauthorised => "unauthorised",
            Self::ServerFull => "server_full",
            Self::UserFull => "user_full",
            Self::AddressFull => "address_full",
            Self::TooManyAttempts => "too_many_attempts",
            Self::Unavailable => "unavailable",
            Self::Draining => "draining",
            Self::Malformed => "malformed",
        }
    }
}

/// What came of looking at somebody's credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum AuthResult {
    /// They count.
    Accepted,
    /// There were none.
    Missing,
    /// Nobody's, or revoked ones.
    Unknown,
    /// They have ended.
    Expired,
    /// Their user is disabled or was deleted.
    Disabled,
    /// Not looked at: their address has shown too many bad ones.
    Limited,
    /// Whoever knows them cannot be asked.
    Unavailable,
}

impl AuthResult {
    /// Every result, in the order of their numbers.
    pub const ALL: [Self; 7] =
        [Self::Accepted, Self::Missing, Self::Unknown, Self::Expired, Self::Disabled, Self::Limited, Self::Unavailable];

    /// The label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Disabled => "disabled",
            Self::Limited => "limited",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What is counted of those who are asked about tokens: by number, in the order of [`BackEndMetrics::NAMES`].
#[derive(Debug, Default)]
pub struct BackEndMetrics {
    durations: [Histogram<{ CALL_BOUNDS_MICROS.len() }>; BackEndMetrics::NAMES.len()],
    remembered: AtomicU64,
}

impl BackEndMetrics {
    /// The labels.
    pub const NAMES: [&str; 4] = ["callback", "plex_server", "mediabrowser_server", "audiobookshelf_server"];

    /// One of them has answered, or not, after so long.
    pub fn answered(&self, back_end: usize, after: Duration) {
        self.durations[back_end].observe_shared(&CALL_BOUNDS_MICROS, micros(after));
    }

    /// An answer was remembered, so nobody was asked.
    pub fn remembered(&self) {
        self.remembered.fetch_add(1, Ordering::Relaxed);
    }

    /// How long answers took, in microseconds.
    #[must_use]
    pub fn durations(&self, back_end: usize) -> Reading {
        self.durations[back_end].read()
    }

    /// How often an answer was remembered.
    #[must_use]
    pub fn n_remembered(&self) -> u64 {
        self.remembered.load(Ordering::Relaxed)
    }
}

/// What is counted at the door.
#[derive(Debug, Default)]
pub struct AdmissionMetrics {
    rejected: [[AtomicU64; Rejection::ALL.len()]; MAX_DIALECTS],
    authenticated: [AtomicU64; AuthResult::ALL.len()],
}

impl AdmissionMetrics {
    /// A client of that dialect was not let in.
    pub fn rejected(&self, dialect: usize, why: Rejection) {
        self.rejected[dialect][why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Credentials were looked at, whether for a stream, for publishing or for the API.
    pub fn authenticated(&self, result: AuthResult) {
        self.authenticated[result as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Clients of that dialect not let in for that reason.
    #[must_use]
    pub fn n_rejected(&self, dialect: usize, why: Rejection) -> u64 {
        self.rejected[dialect][why as usize].load(Ordering::Relaxed)
    }

    /// Credentials with that result.
    #[must_use]
    pub fn n_authenticated(&self, result: AuthResult) -> u64 {
        self.authenticated[result as usize].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_in_the_order_of_the_numbers() {
        assert!(Rejection::ALL.iter().enumerate().all(|(number, why)| *why as usize == number));
        assert!(AuthResult::ALL.iter().enumerate().all(|(number, result)| *result as usize == number));
    }
}
