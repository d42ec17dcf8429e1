//! `[auth]`: a back end that is asked who a token belongs to.

use std::time::Duration;

use serde::Deserialize;

use super::{
    error::Invalid,
    range::{between, within},
    units,
};

/// `[auth]`: a back end that is asked who a token belongs to, when neither settings nor `[jwt]` know it.
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
            check_address(callback)?;
        }
        let hour = Duration::from_secs(3600);
        between("auth.timeout", self.timeout, Duration::from_millis(100), Duration::from_secs(60))?;
        between("auth.cache", self.cache, Duration::from_secs(1), hour)?;
        between("auth.cache_refusals", self.cache_refusals, Duration::from_millis(100), hour)?;
        within("auth.cache_entries", self.cache_entries, 1..=1_000_000)?;
        within("auth.calls", self.calls, 1..=256)?;
        between("auth.keep_unchecked", self.keep_unchecked, Duration::from_secs(1), 24 * hour)
    }

    /// Whether tokens would cross a network in clear text, as far as the address alone tells.
    #[must_use]
    pub fn shows_tokens_to_the_network(&self) -> bool {
        let Some(authority) = self.callback.as_deref().and_then(|callback| callback.strip_prefix("http://")) else { return false };
        let host = host_of(authority);
        host != "localhost" && !host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// What stands before the port and the path.
fn host_of(after_scheme: &str) -> &str {
    let authority = after_scheme.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

fn check_address(callback: &str) -> Result<(), Invalid> {
    let refused = |reason: &str| Err(Invalid::new("auth.callback", reason));
    let Some(rest) = callback.strip_prefix("http://").or_else(|| callback.strip_prefix("https://")) else {
        return refused("must begin with http:// or https://");
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return refused("must not hold a name or a password");
    }
    if host_of(rest).is_empty() || callback.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return refused("must be an address such as http://127.0.0.1:9000/who");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::Settings, *};

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

    #[test]
    fn an_address_off_this_machine_without_tls_is_told_apart() {
        let shows = |callback: &str| Auth { callback: Some(callback.to_owned()), ..Auth::default() }.shows_tokens_to_the_network();
        for own in ["http://127.0.0.1:1/x", "http://[::1]:1", "http://localhost", "https://auth.example/who"] {
            assert!(!shows(own), "{own}");
        }
        for far in ["http://auth.example/who", "http://10.0.0.1", "http://127.0.0.1.example:80", "http://localhost.example"] {
            assert!(shows(far), "{far}");
        }
        assert!(!Auth::default().shows_tokens_to_the_network());
    }
}
