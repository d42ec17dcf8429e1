//! `[auth]`: a back end that is asked who a token belongs to, and how back ends are asked.

use std::time::Duration;

use serde::Deserialize;

use super::{
    address,
    error::Invalid,
    range::{between, within},
    units,
};

/// `[auth]`: a back end that is asked who a token belongs to, when neither settings nor `[jwt]` know it. But for `callback`
/// it holds for a media server that is asked about its own tokens, too ([`Plex::server`](super::Plex::server)).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Where tokens are shown to it: an `http://` or `https://` address. Default none: nobody is asked.
    pub callback: Option<String>,
    /// How long one question may take. Default `5s`; then the back end counts as out of reach.
    #[serde(deserialize_with = "units::duration")]
    pub timeout: Duration,
    /// How long an answer counts, and how often it is asked again about an open connection. Default `60s`.
    #[serde(deserialize_with = "units::duration")]
    pub cache: Duration,
    /// How long a refusal counts. Default `5s`.
    #[serde(deserialize_with = "units::duration")]
    pub cache_refusals: Duration,
    /// Answers kept for nobody's connection. Default 10000; beyond it those that end first go.
    pub cache_entries: usize,
    /// Questions under way at a time, for new connections and, as many again, for open ones. Default 16; beyond it new
    /// connections are refused as *full*.
    pub calls: usize,
    /// How much longer than an answer counts an open connection is kept while the back end cannot be asked about it.
    /// Default `5m`; then it is closed.
    #[serde(deserialize_with = "units::duration")]
    pub keep_unchecked: Duration,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            callback: None,
            timeout: Duration::from_secs(5),
            cache: Duration::from_secs(60),
            cache_refusals: Duration::from_secs(5),
            cache_entries: 10_000,
            calls: 16,
            keep_unchecked: Duration::from_secs(300),
        }
    }
}

impl Auth {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        if let Some(callback) = &self.callback {
            address::check("auth.callback", callback, "http://127.0.0.1:9000/who")?;
        }
        let hour = Duration::from_secs(3600);
        between("auth.timeout", self.timeout, Duration::from_millis(100), Duration::from_secs(60))?;
        between("auth.cache", self.cache, Duration::from_secs(1), hour)?;
        between("auth.cache_refusals", self.cache_refusals, Duration::from_millis(100), hour)?;
        within("auth.cache_entries", self.cache_entries, 1..=1_000_000)?;
        within("auth.calls", self.calls, 1..=256)?;
        between("auth.keep_unchecked", self.keep_unchecked, Duration::from_secs(1), 24 * hour)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;

    #[test]
    fn a_bad_address_is_refused_without_showing_it() {
        let refusal = |text: &str| Settings::parse(&format!("[auth]\n{text}")).expect_err("bad").to_string();
        for (text, expected) in [
            ("callback = \"ftp://hunter2\"", "auth.callback: must begin with http:// or https://"),
            ("callback = \"http://me:hunter2@host/\"", "auth.callback: must not hold a name or a password"),
            ("callback = \"http:///hunter2\"", "auth.callback: must be an address such as http://127.0.0.1:9000/who"),
            ("timeout = \"61s\"", "auth.timeout: must be from 100ms to 60s"),
            ("calls = 0", "auth.calls: must be from 1 to 256"),
        ] {
            let line = refusal(text);
            assert!(line.ends_with(expected) && !line.contains("hunter2"), "{line}");
        }
    }
}
