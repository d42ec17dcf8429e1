//! Hashes of passwords, in the text form of the PHC: made for the settings file, checked when it is read, and compared.
//!
//! Knows no user, no time and no thread: comparing takes memory and a good part of a second, on purpose.

use std::fmt;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc},
};

use super::secret::Secret;

/// The most memory a hash may ask for, in KiB: each comparison takes it.
const MAX_MEMORY: u32 = 1 << 20;
/// The most passes over the memory.
const MAX_PASSES: u32 = 64;
/// The most lanes.
const MAX_LANES: u32 = 64;

/// An argon2id hash of a password. Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Secret);

/// No hash can be made: the system gives no random bytes, or no memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no hash of the password can be made: the system gives no random bytes or no memory")]
pub struct NoHash;

impl PasswordHash {
    /// A hash of a password with a salt of its own and today's recommended cost (19 MiB, two passes). Blocks.
    ///
    /// # Errors
    /// [`NoHash`] when the system fails.
    pub fn of(password: &Secret) -> Result<Self, NoHash> {
        let hash: phc::PasswordHash = Argon2::default().hash_password(password.expose().as_bytes()).map_err(|_| NoHash)?;
        Ok(Self(Secret::new(hash.to_string())))
    }

    /// Reads a hash.
    ///
    /// # Errors
    /// What is allowed, in words that follow the key.
    pub(super) fn read(text: Secret) -> Result<Self, &'static str> {
        const NOT_ARGON2ID: &str = "must be an argon2id hash, which starts with $argon2id$";
        const DAMAGED: &str = "must be a whole argon2id hash, as `fanfare password` makes it";
        if !text.expose().starts_with("$argon2id$") {
            return Err(NOT_ARGON2ID);
        }
        let hash = phc::PasswordHash::new(text.expose()).map_err(|_| DAMAGED)?;
        let params = Params::try_from(&hash).map_err(|_| DAMAGED)?;
        if hash.salt.is_none() || hash.hash.is_none() || hash.version != Some(Version::V0x13.into()) {
            return Err(DAMAGED);
        }
        if params.m_cost() > MAX_MEMORY || params.t_cost() > MAX_PASSES || params.p_cost() > MAX_LANES {
            return Err("must ask for at most m=1048576 (1 GiB), t=64 and p=64: every log-in takes as much");
        }
        Ok(Self(text))
    }

    /// Whether it is a hash of that password. Blocks, as long for a wrong password as for the right one.
    #[must_use]
    pub fn is_of(&self, password: &Secret) -> bool {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default());
        // The costs are those of the hash.
        phc::PasswordHash::new(self.0.expose()).is_ok_and(|hash| argon2.verify_password(password.expose().as_bytes(), &hash).is_ok())
    }

    /// The hash as text, for the settings file.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `hunter2`, with next to no cost.
    const CHEAP: &str = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$";

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    fn read(text: &str) -> Result<PasswordHash, &'static str> {
        PasswordHash::read(secret(text))
    }

    fn cheap() -> String {
        let params = Params::new(8, 1, 1, None).expect("allowed");
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash: phc::PasswordHash = argon2.hash_password_with_salt(b"hunter2", b"saltsalt").expect("made");
        hash.to_string()
    }

    #[test]
    fn a_hash_is_of_its_password_and_of_no_other() {
        let text = cheap();
        assert!(text.starts_with(CHEAP), "{text}");
        let hash = read(&text).expect("a hash");
        assert!(hash.is_of(&secret("hunter2")));
        for wrong in ["", "hunter", "hunter2 ", "Hunter2"] {
            assert!(!hash.is_of(&secret(wrong)), "{wrong}");
        }
        assert_eq!(format!("{hash:?}"), "PasswordHash(…)");
    }

    #[test]
    fn a_hash_that_is_none_or_asks_for_too_much_is_refused() {
        let whole = cheap();
        let (cut, dear) = (&whole[..whole.len() - 20], whole.replace("m=8,", "m=4194304,"));
        for (bad, said) in [
            ("hunter2", "starts with $argon2id$"),
            ("$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g", "starts with $argon2id$"),
            ("$argon2id$", "must be a whole argon2id hash"),
            (CHEAP, "must be a whole argon2id hash"),
            (&whole.replace("v=19$", "v=16$"), "must be a whole argon2id hash"),
            (&dear, "at most m=1048576"),
        ] {
            let reason = read(bad).expect_err(bad);
            assert!(reason.contains(said), "{bad}: {reason}");
        }
        assert!(read(cut).is_err() || !read(cut).expect("read").is_of(&secret("hunter2")));
    }
}
