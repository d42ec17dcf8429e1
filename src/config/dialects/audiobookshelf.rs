//! `[dialects.audiobookshelf]`.

use std::time::Duration;

use serde::Deserialize;

use super::{super::error::Invalid, between, check_server, units};

/// The longest base path, in bytes.
const MAX_BASE: usize = 128;
/// What a base path cannot begin with: there the server itself is found.
const TAKEN: [&str; 4] = ["api", "console", "socket.io", "sse"];

/// `[dialects.audiobookshelf]`: Socket.IO and the HTTP paths of Audiobookshelf's clients, and RedSeat's twin on the same
/// endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audiobookshelf {
    /// Whether the dialect is spoken. Default true; when off its paths are not found.
    pub enabled: bool,
    /// Behind what its paths are found, too, as `/audiobookshelf/socket.io/`. Default `/audiobookshelf`; empty: behind nothing.
    pub base: String,
    /// Whether `/login`, `/logout`, `/status`, `/ping`, `/healthcheck`, `/api/authorize` and `/auth/refresh` are answered.
    /// Default true; false leaves them to a real server behind the same proxy.
    pub rest: bool,
    /// A real Audiobookshelf that is asked about tokens that neither settings, log-ins here nor `[jwt]` know: its `http://` or
    /// `https://` address, its base path included. Default none: they are asked of `auth.callback`, if anybody. Asked as
    /// `[auth]` says.
    pub server: Option<String>,
    /// The time between two pings. Default `25s`.
    #[serde(deserialize_with = "units::duration")]
    pub ping_interval: Duration,
    /// How long a ping may stay unanswered. Default `20s`; then the client is closed.
    #[serde(deserialize_with = "units::duration")]
    pub ping_timeout: Duration,
    /// How long an access token counts. Default `1h`; then it must be made anew with a refresh token.
    #[serde(deserialize_with = "units::duration")]
    pub access_expires: Duration,
    /// How long a refresh token counts if it is not used. Default `30d`; not below `access_expires`. Then one logs in again.
    #[serde(deserialize_with = "units::duration")]
    pub refresh_expires: Duration,
    /// Whether a client that shows a token as it connects is told RedSeat's events. Default true.
    pub twin: bool,
}

impl Audiobookshelf {
    /// The server that is asked about tokens, while the dialect is spoken.
    #[must_use]
    pub fn asked(&self) -> Option<&str> {
        self.server.as_deref().filter(|_| self.enabled)
    }

    pub(super) fn check(&self) -> Result<(), Invalid> {
        let (second, day) = (Duration::from_secs(1), Duration::from_secs(24 * 3600));
        // Tests of clients set them in milliseconds, as the protocol has them.
        let (least, hour) = (Duration::from_millis(100), Duration::from_secs(3600));
        check_base(&self.base)?;
        between("dialects.audiobookshelf.ping_interval", self.ping_interval, least, hour)?;
        between("dialects.audiobookshelf.ping_timeout", self.ping_timeout, least, hour)?;
        between("dialects.audiobookshelf.access_expires", self.access_expires, second, 30 * day)?;
        between("dialects.audiobookshelf.refresh_expires", self.refresh_expires, self.access_expires, 366 * day)?;
        let check = |server: &str| check_server("dialects.audiobookshelf.server", server, "http://127.0.0.1:13378");
        self.server.as_deref().map_or(Ok(()), check)
    }
}

impl Default for Audiobookshelf {
    fn default() -> Self {
        Self {
            enabled: true,
            base: "/audiobookshelf".to_owned(),
            rest: true,
            server: None,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            access_expires: Duration::from_secs(3600),
            refresh_expires: Duration::from_secs(30 * 24 * 3600),
            twin: true,
        }
    }
}

fn check_base(base: &str) -> Result<(), Invalid> {
    let refused = |reason: &str| Err(Invalid::new("dialects.audiobookshelf.base", reason));
    let Some(inside) = base.strip_prefix('/') else {
        return if base.is_empty() { Ok(()) } else { refused("must be empty or begin with a slash, such as \"/audiobookshelf\"") };
    };
    let is_plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_~".contains(&byte));
    if base.len() > MAX_BASE || !inside.split('/').all(is_plain) {
        return refused(
            "must be a path such as \"/audiobookshelf\": letters, digits, \"-\", \"_\" and \"~\" between slashes, none at its end",
        );
    }
    let first = inside.split('/').next().unwrap_or_default();
    if TAKEN.iter().any(|taken| first.eq_ignore_ascii_case(taken)) {
        return refused("must not begin with a path of this server itself");
    }
    Ok(())
}
