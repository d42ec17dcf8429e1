//! The reasons for which a token is refused.

use super::Asked;

/// Why a token is refused. Clients are told no more than their dialect's one refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Nobody's token, or one that was revoked.
    #[error("the token is not known")]
    Unknown,
    /// The token has ended.
    #[error("the token has expired")]
    Expired,
    /// The token's user is disabled or was deleted.
    #[error("the user is disabled")]
    Disabled,
    /// Nobody's token as far as is known here; that back end must be asked, by [`Directory::ask`](super::Directory::ask).
    #[error("the token is not known here")]
    Ask(Asked),
    /// The back end cannot be reached, or has more to do than it may. Clients are told as when the server is full.
    #[error("nobody can be asked about the token")]
    Unavailable,
}
