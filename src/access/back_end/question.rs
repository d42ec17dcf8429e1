//! One question to a back end and what its answer means, whichever kind it is. Blocks; knows no cache.
//!
//! Whatever is not a plain yes or a plain no is *out of reach*: it must never let anybody in.

use super::{
    audiobookshelf_server::AudiobookshelfServer, callback::Callback, mediabrowser_server::MediaBrowserServer, plex_server::PlexServer,
};
use crate::{access::credential::Grant, clock::Timestamp, config::Auth};

/// What a back end says of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// Whose it is and what it grants, and until when.
    Granted(Box<Grant>, Option<Timestamp>),
    /// Nobody's.
    Refused,
    /// Nothing that can be used; the reason is for the log.
    Unavailable(String),
}

/// Whom a question goes to.
#[derive(Debug)]
pub(super) enum Questioned {
    /// The operator's own.
    Callback(Callback),
    /// A media server whose tokens these are.
    PlexServer(PlexServer),
    /// The same.
    MediaBrowserServer(MediaBrowserServer),
    /// The same.
    AudiobookshelfServer(AudiobookshelfServer),
}

impl Questioned {
    /// What the log calls it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Callback(_) => "the auth callback",
            Self::PlexServer(_) => "the Plex server",
            Self::MediaBrowserServer(_) => "the Emby or Jellyfin server",
            Self::AudiobookshelfServer(_) => "the Audiobookshelf server",
        }
    }

    /// Shows the token and waits for the answer, at most `auth.timeout`.
    pub(super) fn ask(&self, token: &str) -> Said {
        match self {
            Self::Callback(callback) => callback.ask(token),
            Self::PlexServer(server) => server.ask(token),
            Self::MediaBrowserServer(server) => server.ask(token),
            Self::AudiobookshelfServer(server) => server.ask(token),
        }
    }
}

/// What makes the calls: to the address that was set and to no other, so no redirect is followed and no proxy used.
pub(super) fn agent(settings: &Auth) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(settings.timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .max_idle_connections_per_host(settings.calls)
        .user_agent(concat!("fanfare/", env!("CARGO_PKG_VERSION")))
        .build();
    config.into()
}

/// An error in words that hold nothing of the request.
pub(super) fn plain(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::Timeout(_) => "it does not answer in time",
        ureq::Error::HostNotFound => "its name is not known",
        ureq::Error::ConnectionFailed => "it takes no connection",
        ureq::Error::BodyExceedsLimit(_) => "its answer is too long",
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => "its certificate or TLS is not accepted",
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => "it takes no connection",
        ureq::Error::Io(_) => "the connection failed",
        _ => "its answer is no HTTP that can be read",
    }
}
