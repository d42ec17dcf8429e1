//! `[dialects.NAME]`: which protocols are spoken, and how.

use std::{net::SocketAddr, time::Duration};

use serde::{Deserialize, Deserializer, de};

use super::{address, error::Invalid, range::between, units};

mod audiobookshelf;

pub use audiobookshelf::Audiobookshelf;

/// `[dialects]`: one table per protocol.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dialects {
    /// `[dialects.redseat]`.
    pub redseat: RedSeat,
    /// `[dialects.plex]`.
    pub plex: Plex,
    /// `[dialects.mediabrowser]`.
    pub mediabrowser: MediaBrowser,
    /// `[dialects.audiobookshelf]`.
    pub audiobookshelf: Audiobookshelf,
}

/// `[dialects.redseat]`: server-sent events on `/sse`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedSeat {
    /// Whether the dialect is spoken. Default true; when off its paths are not found.
    pub enabled: bool,
    /// How messages are spelled when the request does not say. Default `document`.
    pub spelling: Spelling,
    /// The time between two keepalive comments. Default `30s`.
    #[serde(deserialize_with = "units::duration")]
    pub ping_interval: Duration,
}

impl Default for RedSeat {
    fn default() -> Self {
        Self { enabled: true, spelling: Spelling::Document, ping_interval: Duration::from_secs(30) }
    }
}

/// `[dialects.plex]`: server-sent events and WebSockets under `/:/`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plex {
    /// Whether the dialect is spoken. Default true; when off its paths are not found.
    pub enabled: bool,
    /// The time between two pings. Default `10s`; a WebSocket on which nothing came in for twice as long is closed. Some
    /// clients hang up after 15 s of silence.
    #[serde(deserialize_with = "units::duration")]
    pub ping_interval: Duration,
    /// Whether `/`, `/identity`, `/activities` and `/status/sessions` are answered. Default true; false leaves them to a real
    /// server behind the same proxy.
    pub rest: bool,
    /// A real server that is asked about tokens of Plex clients that neither settings nor `[jwt]` know: its `http://` or
    /// `https://` address. Default none: they are asked of `auth.callback`, if anybody. Asked as `[auth]` says.
    pub server: Option<String>,
}

impl Plex {
    /// The server that is asked about tokens, while the dialect is spoken.
    #[must_use]
    pub fn asked(&self) -> Option<&str> {
        self.server.as_deref().filter(|_| self.enabled)
    }
}

impl Default for Plex {
    fn default() -> Self {
        Self { enabled: true, ping_interval: Duration::from_secs(10), rest: true, server: None }
    }
}

/// `[dialects.mediabrowser]`: the WebSocket and the HTTP paths of MediaBrowser, Emby and Jellyfin clients.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MediaBrowser {
    /// Whether the dialect is spoken. Default true; when off its paths are not found.
    pub enabled: bool,
    /// The time between two pings. Default `25s`; a WebSocket on which nothing came in for 20 s after one is closed.
    #[serde(deserialize_with = "units::duration")]
    pub ping_interval: Duration,
    /// Whether `/System…`, `/Users…`, `/Sessions…` and `/GetUTCTime` are answered. Default true; false leaves them to a real
    /// server behind the same proxy.
    pub rest: bool,
    /// A real Emby or Jellyfin server that is asked about tokens that neither settings, log-ins here nor `[jwt]` know: its
    /// `http://` or `https://` address. Default none: they are asked of `auth.callback`, if anybody. Asked as `[auth]` says.
    pub server: Option<String>,
    /// Whether tokens count that come in another form than `Authorization: MediaBrowser` or `ApiKey`. Default true.
    pub legacy_credentials: bool,
    /// Whether a WebSocket on `/mediabrowser` may come without a token and say by `Identity` which device it belongs to.
    /// Default true.
    pub identity: bool,
    /// How long a library must rest before its changes are told. Default `5s`.
    #[serde(deserialize_with = "units::duration")]
    pub library_quiet: Duration,
    /// After how long its changes are told even if they go on. Default `30s`; not below `library_quiet`.
    #[serde(deserialize_with = "units::duration")]
    pub library_cap: Duration,
    /// The shortest interval of a subscription; a shorter one is taken for this. Default `500ms`.
    #[serde(deserialize_with = "units::duration")]
    pub least_interval: Duration,
    /// Where questions for a server on the local network are answered, as `0.0.0.0:7359` (UDP). Default none: they are not.
    /// Beyond 20 questions a second the rest is not answered.
    #[serde(deserialize_with = "address::perhaps_listened")]
    pub discovery: Option<SocketAddr>,
}

impl MediaBrowser {
    /// The server that is asked about tokens, while the dialect is spoken.
    #[must_use]
    pub fn asked(&self) -> Option<&str> {
        self.server.as_deref().filter(|_| self.enabled)
    }
}

impl Default for MediaBrowser {
    fn default() -> Self {
        Self {
            enabled: true,
            ping_interval: Duration::from_secs(25),
            rest: true,
            server: None,
            legacy_credentials: true,
            identity: true,
            library_quiet: Duration::from_secs(5),
            library_cap: Duration::from_secs(30),
            least_interval: Duration::from_millis(500),
            discovery: None,
        }
    }
}

/// How RedSeat messages are spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Spelling {
    /// As document 002 has it: `{"Medias":…}`, `Added`.
    #[default]
    Document,
    /// As the real server has it: `{"medias":…}`, `added`.
    Server,
}

impl<'de> Deserialize<'de> for Spelling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "document" => Ok(Self::Document),
            "server" => Ok(Self::Server),
            _ => Err(de::Error::custom("must be \"document\" or \"server\"")),
        }
    }
}

impl Dialects {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        let (least, most) = (Duration::from_secs(1), Duration::from_secs(3600));
        between("dialects.redseat.ping_interval", self.redseat.ping_interval, least, most)?;
        between("dialects.plex.ping_interval", self.plex.ping_interval, least, most)?;
        self.plex.server.as_deref().map_or(Ok(()), |server| check_server("dialects.plex.server", server, "http://127.0.0.1:32400"))?;
        self.mediabrowser.check(least, most)?;
        self.audiobookshelf.check()
    }

    /// Every real server that is asked about tokens, with what to say if it is asked across a network in clear text.
    pub(super) fn asked(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let asked = [
            (self.plex.asked(), "dialects.plex.server is neither https nor loopback: tokens cross the network in clear text"),
            (
                self.mediabrowser.asked(),
                "dialects.mediabrowser.server is neither https nor loopback: tokens cross the network in clear text",
            ),
            (
                self.audiobookshelf.asked(),
                "dialects.audiobookshelf.server is neither https nor loopback: tokens cross the network in clear text",
            ),
        ];
        asked.into_iter().filter_map(|(server, warning)| Some((server?, warning)))
    }
}

impl MediaBrowser {
    fn check(&self, least: Duration, most: Duration) -> Result<(), Invalid> {
        between("dialects.mediabrowser.ping_interval", self.ping_interval, least, most)?;
        between("dialects.mediabrowser.library_quiet", self.library_quiet, Duration::from_millis(100), most)?;
        between("dialects.mediabrowser.library_cap", self.library_cap, self.library_quiet, most)?;
        between("dialects.mediabrowser.least_interval", self.least_interval, Duration::from_millis(100), Duration::from_secs(60))?;
        self.server.as_deref().map_or(Ok(()), |server| check_server("dialects.mediabrowser.server", server, "http://127.0.0.1:8096"))
    }
}

/// The paths asked are put behind it, so it ends before a query.
fn check_server(key: &str, server: &str, example: &str) -> Result<(), Invalid> {
    address::check(key, server, example)?;
    if server.contains(['?', '#']) {
        return Err(Invalid::new(key, "must not hold a query or a fragment"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Settings;

    #[test]
    fn a_bad_server_is_refused_without_showing_it() {
        for (server, expected) in [
            ("hunter2:32400", "must begin with http:// or https://"),
            ("http://me:hunter2@host/", "must not hold a name or a password"),
            ("http:///hunter2", "must be an address such as http://127.0.0.1:32400"),
            ("http://host/hunter 2", "must be an address such as http://127.0.0.1:32400"),
            ("http://host/?X-Plex-Token=hunter2", "must not hold a query or a fragment"),
            ("http://host/#hunter2", "must not hold a query or a fragment"),
            ("", "must begin with http:// or https://"),
        ] {
            for (dialect, port) in [("plex", "32400"), ("mediabrowser", "8096"), ("audiobookshelf", "13378")] {
                let expected = expected.replace("32400", port);
                let line = Settings::parse(&format!("dialects.{dialect}.server = {server:?}")).expect_err("bad").to_string();
                assert!(line.ends_with(&format!("dialects.{dialect}.server: {expected}")) && !line.contains("hunter"), "{line}");
            }
        }
        for good in ["http://127.0.0.1:32400", "https://plex.example/behind/a/prefix/", "http://[::1]:32400"] {
            assert!(Settings::parse(&format!("dialects.plex.server = {good:?}")).is_ok(), "{good}");
            assert!(Settings::parse(&format!("dialects.mediabrowser.server = {good:?}")).is_ok(), "{good}");
            assert!(Settings::parse(&format!("dialects.audiobookshelf.server = {good:?}")).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_server_across_the_network_in_clear_text_is_warned_of_while_it_is_asked() {
        let warned = |table: &str| {
            let warned = ["plex", "mediabrowser", "audiobookshelf"].map(|dialect| {
                let settings = Settings::parse(&format!("[dialects.{dialect}]\n{table}")).expect("valid");
                settings.warnings().iter().any(|warning| warning.starts_with(&format!("dialects.{dialect}.server")))
            });
            assert!(warned.iter().all(|one| *one == warned[0]), "{table}");
            warned[0]
        };
        assert!(warned("server = \"http://10.0.0.1:32400\""));
        for fine in [
            "",
            "server = \"http://127.0.0.1:32400\"",
            "server = \"https://plex.example\"",
            "enabled = false\nserver = \"http://10.0.0.1\"",
        ] {
            assert!(!warned(fine), "{fine}");
        }
    }
}
