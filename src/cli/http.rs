//! The HTTP client of the subcommands: one configuration of `ureq`, and what its failures mean in words.

use std::{io::Read, time::Duration};

use ureq::{
    Agent, Body,
    http::Response,
    unversioned::{
        resolver::DefaultResolver,
        transport::{Connector, TcpConnector},
    },
};

use super::{Outcome, pinned::PinnedConnector, target::Target};

/// What is kept of an answer that is only shown.
const MAX_SHOWN_BYTES: u64 = 64 * 1024;

/// The time without a byte after which a server counts as gone: `/sse` says something every 30 s (event map, section 7).
const SILENCE: Duration = Duration::from_secs(75);

/// A client for that server. Statuses are answers, redirects are not followed: they would carry the token elsewhere.
pub(super) fn agent(target: &Target) -> Result<Agent, rustls::Error> {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("fanfare/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(Duration::from_secs(10)))
        .timeout_per_read(Some(SILENCE))
        .timeout_per_write(Some(SILENCE))
        // Servers close idle connections after a few seconds; an old one could be closed just as a request is sent.
        .max_idle_age(Duration::from_secs(2));
    if is_loopback(&target.url) {
        // A proxy from the environment cannot reach this machine's own address.
        config = config.proxy(None);
    }
    Ok(match &target.certificate {
        Some(certificate) => {
            // The certificate is that of a server on this machine: no proxy lies between.
            let connector = ().chain(TcpConnector::default()).chain(PinnedConnector::new(certificate.clone())?);
            Agent::with_parts(config.proxy(None).build(), connector, DefaultResolver::default())
        }
        None => config.build().into(),
    })
}

fn is_loopback(url: &str) -> bool {
    let authority = url.trim_start_matches("http://").trim_start_matches("https://").split('/').next().unwrap_or_default();
    authority.starts_with("127.") || authority.starts_with("[::1]") || authority.split(':').next() == Some("localhost")
}

/// The first part of a body, as text; what cannot be read is left out, because it is only shown.
pub(super) fn shown_body(response: &mut Response<Body>) -> String {
    let mut bytes = Vec::new();
    // A body cut short still says more than none.
    _ = response.body_mut().as_reader().take(MAX_SHOWN_BYTES).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

/// The `Retry-After` header in seconds; the date form is not used by this server.
pub(super) fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let seconds: u64 = response.headers().get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// What a status other than success means for the exit code.
pub(super) fn outcome(status: u16) -> Outcome {
    match status {
        200..=299 => Outcome::Done,
        401 | 403 => Outcome::Unauthorised,
        429 | 500..=599 => Outcome::Unavailable,
        _ => Outcome::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machines_addresses_are_known() {
        for url in ["http://127.0.0.1:8400", "http://localhost", "http://localhost:1/x", "https://127.0.0.1:8400", "http://[::1]:8400"] {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["http://media.example", "http://localhost.example:80", "https://localhost.example", "http://10.0.0.1/127."] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
