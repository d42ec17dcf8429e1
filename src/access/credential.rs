//! What a session keeps of the token it came with: enough to ask again, and when it ends.
//!
//! Knows nothing of where rights come from; the directory writes here what they are now.

use std::{
    fmt,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use parking_lot::RwLock;

use super::{Asked, Denied, Device, Principal, TokenHash, jwt::Fingerprint, pairs::FamilyId};
use crate::{clock::Timestamp, id::UserId};

/// A credential that does not end.
const NEVER: i64 = i64::MAX;

static NOBODY: LazyLock<Credential> = LazyLock::new(|| {
    let grant = Grant { user: None, name: None, own: Principal::default(), alone: true };
    // No token has this hash, and none is looked up by it.
    let held = Held::new(TokenHash::of(""), Origin::Configured, None, grant, Ok(Arc::default()));
    Credential(Arc::new(held))
});

/// What a session asks again with. Cheap to clone. One that was issued, by JWT or back end, lives as long as a clone of it.
#[derive(Clone)]
pub struct Credential(pub(super) Arc<Held>);

impl Credential {
    /// That of nobody: a client that has not said who it is. It sees and publishes nothing, and is never refused.
    #[must_use]
    pub fn nobody() -> Self {
        NOBODY.clone()
    }

    /// Whether it is that of nobody.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        *self == *NOBODY
    }

    /// Whether it is that of a token with this hash.
    #[must_use]
    pub fn is_of(&self, hash: &TokenHash) -> bool {
        self.0.hash == *hash && !self.is_nobody()
    }

    /// When it ends; `None` is never. A back end may move it. Takes no lock.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        let at = self.0.expires.load(Ordering::Relaxed);
        (at != NEVER).then_some(Timestamp(at))
    }

    /// The device it was issued to, if a log-in here made it.
    #[must_use]
    pub fn device(&self) -> Option<&Arc<Device>> {
        self.0.device.as_ref()
    }
}

/// Equal when one stands for the other: clones of one credential.
impl PartialEq for Credential {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Credential {}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(…)")
    }
}

/// How we know a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// From the settings, or made for the run.
    Configured,
    /// A signed token.
    Jwt {
        /// When it was issued, if it says so.
        issued: Option<Timestamp>,
        /// What has signed it.
        key: Fingerprint,
    },
    /// Made by a log-in here, then.
    Issued(Timestamp),
    /// One of the tokens of a log-in here that goes on by refresh tokens.
    Pair {
        /// All that are of the same log-in.
        family: FamilyId,
        /// When it was.
        issued: Timestamp,
    },
    /// An answer of a back end.
    BackEnd {
        /// Whose.
        which: Asked,
        /// When it was asked.
        asked: Instant,
    },
}

/// What somebody granted to a token, before what is known of its user is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    /// Whose token it is.
    pub(super) user: Option<UserId>,
    /// What whoever granted it calls the user.
    pub(super) name: Option<Arc<str>>,
    /// What the token itself gives.
    pub(super) own: Principal,
    /// Whether it gives all there is: then the user's configured rights are not added. He may still be refused.
    pub(super) alone: bool,
}

/// One token that counted when it was last looked at.
pub(super) struct Held {
    pub(super) hash: TokenHash,
    pub(super) origin: Origin,
    /// What it was issued to.
    pub(super) device: Option<Arc<Device>>,
    expires: AtomicI64,
    standing: RwLock<Standing>,
}

struct Standing {
    grant: Arc<Grant>,
    now: Result<Arc<Principal>, Denied>,
    /// Who gave it took it back: no change of the user's rights brings it back.
    is_over: bool,
}

impl Held {
    pub(super) fn new(
        hash: TokenHash,
        origin: Origin,
        expires: Option<Timestamp>,
        grant: Grant,
        now: Result<Arc<Principal>, Denied>,
    ) -> Self {
        let standing = RwLock::new(Standing { grant: Arc::new(grant), now, is_over: false });
        Self { hash, origin, device: None, expires: AtomicI64::new(expires.map_or(NEVER, |at| at.0)), standing }
    }

    /// One that was issued to a device.
    pub(super) fn bound_to(self, device: Device) -> Self {
        Self { device: Some(Arc::new(device)), ..self }
    }

    /// Who it stands for at this moment.
    pub(super) fn now(&self) -> Result<Arc<Principal>, Denied> {
        let principal = self.standing.read().now.clone()?;
        if self.expires.load(Ordering::Relaxed) <= Timestamp::now().0 {
            return Err(Denied::Expired);
        }
        Ok(principal)
    }

    pub(super) fn grant(&self) -> Arc<Grant> {
        Arc::clone(&self.standing.read().grant)
    }

    /// Puts another standing in force; whether it is another one. What did not change keeps its `Arc`, and with it its
    /// filter group.
    pub(super) fn stand(&self, now: Result<Arc<Principal>, Denied>) -> bool {
        let mut standing = self.standing.write();
        let changes = !standing.is_over && standing.now != now;
        if changes {
            standing.now = now;
        }
        changes
    }

    /// Takes over what it was granted anew; what it stands for is set by [`Held::stand`]. Whether it ends at another time.
    pub(super) fn regrant(&self, grant: Grant, expires: Option<Timestamp>) -> bool {
        self.standing.write().grant = Arc::new(grant);
        let expires = expires.map_or(NEVER, |at| at.0);
        self.expires.swap(expires, Ordering::Relaxed) != expires
    }

    /// From now on it is refused, for good.
    pub(super) fn end(&self, denied: Denied) {
        let mut standing = self.standing.write();
        (standing.now, standing.is_over) = (Err(denied), true);
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("origin", &self.origin).finish_non_exhaustive()
    }
}
