//! `[server]`: addresses, names and files of the process.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de};

use super::{address, error::Invalid, units};
use crate::{id::LibraryId, metrics::MAX_LIBRARIES};

/// `[server]`: addresses, names and files of the process.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Where all dialects, publishing and REST listen. Default `127.0.0.1:8400`; port 0 takes a free port.
    #[serde(deserialize_with = "address::listened")]
    pub listen: SocketAddr,
    /// Where metrics and health listen. Default `127.0.0.1:8401`. Metrics need a token where it is not loopback.
    #[serde(deserialize_with = "address::listened")]
    pub metrics_listen: SocketAddr,
    /// Libraries whose events are counted by name. Default none; at most 20, so that metrics stay few.
    pub metrics_libraries: Vec<LibraryId>,
    /// What is logged, in the syntax of `FANFARE_LOG`, which wins where it is set. Default `""`: as without that variable.
    pub log: String,
    /// The name clients are shown. Default `Fanfare`; 1 to 128 bytes.
    pub name: String,
    /// Where what survives a restart is kept. Default `$XDG_STATE_HOME/fanfare`, else `~/.local/state/fanfare`.
    pub data_dir: PathBuf,
    /// Over how long clients are sent away at a stop, so that they do not all return at once. Default `10s`, at most `30s`.
    /// From eight seconds on no more than a fifth of them leave in any one second, or five where that is more; five or fewer
    /// leave at once, and a few more in no more than a quarter of a second each. Requests under way have as long.
    #[serde(deserialize_with = "units::duration")]
    pub drain_window: Duration,
    /// Origins whose pages may use cookie credentials, such as `https://media.example`. Default none; no wildcard.
    pub allowed_origins: Vec<String>,
    /// The cookie that may carry a token on `GET /sse`. Default `fanfare_token`.
    pub cookie: String,
    /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed: addresses or networks such as `10.0.0.0/8`.
    /// Default none.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8400).into(),
            metrics_listen: (Ipv4Addr::LOCALHOST, 8401).into(),
            metrics_libraries: Vec::new(),
            log: String::new(),
            name: "Fanfare".to_owned(),
            data_dir: PathBuf::new(),
            drain_window: Duration::from_secs(10),
            allowed_origins: Vec::new(),
            cookie: "fanfare_token".to_owned(),
            trusted_proxies: Vec::new(),
        }
    }
}

impl Server {
    /// Fills what depends on the environment.
    pub(super) fn resolve(&mut self, environment: &BTreeMap<String, String>) -> Result<(), Invalid> {
        let home = environment.get("HOME").filter(|home| !home.is_empty());
        if self.data_dir.as_os_str().is_empty() {
            let no_home = "must be set, because neither XDG_STATE_HOME nor HOME is an absolute path";
            self.data_dir = default_data_dir(environment).ok_or_else(|| Invalid::new("server.data_dir", no_home))?;
        } else if let (Ok(below_home), Some(home)) = (self.data_dir.strip_prefix("~"), home) {
            self.data_dir = Path::new(home).join(below_home);
        }
        Ok(())
    }

    pub(super) fn check(&self) -> Result<(), Invalid> {
        if self.name.is_empty() || self.name.len() > 128 || self.name.chars().any(char::is_control) {
            return Err(Invalid::new("server.name", "must be 1 to 128 bytes without control characters"));
        }
        if self.listen == self.metrics_listen && self.listen.port() != 0 {
            return Err(Invalid::new("server.metrics_listen", "must differ from server.listen"));
        }
        if self.metrics_libraries.len() > MAX_LIBRARIES {
            return Err(Invalid::new("server.metrics_libraries", format!("must be at most {MAX_LIBRARIES} libraries")));
        }
        if (1..self.metrics_libraries.len()).any(|place| self.metrics_libraries[..place].contains(&self.metrics_libraries[place])) {
            return Err(Invalid::new("server.metrics_libraries", "must name each library once"));
        }
        if !self.log.is_empty() && tracing_subscriber::EnvFilter::try_new(&self.log).is_err() {
            let reason = "must be error, warn, info, debug, trace, off, or a list such as info,fanfare::hub=debug";
            return Err(Invalid::new("server.log", reason));
        }
        if self.drain_window > Duration::from_secs(30) {
            return Err(Invalid::new("server.drain_window", "must be at most 30s"));
        }
        if self.data_dir.exists() && !self.data_dir.is_dir() {
            return Err(Invalid::new("server.data_dir", "must be a directory"));
        }
        for (index, origin) in self.allowed_origins.iter().enumerate() {
            if !is_origin(origin) {
                let reason = "must be a scheme, a host and perhaps a port, such as https://media.example";
                return Err(Invalid::new(format!("server.allowed_origins[{index}]"), reason));
            }
        }
        if !is_cookie_name(&self.cookie) {
            return Err(Invalid::new("server.cookie", "must be letters, digits, `-` and `_`"));
        }
        Ok(())
    }
}

/// The directory of the XDG specification, which wants absolute paths and says to ignore others.
fn default_data_dir(environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    let absolute = |name: &str| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(state.join("fanfare"))
}

/// An origin as browsers send it: compared letter by letter, so nothing but that form can match.
fn is_origin(text: &str) -> bool {
    let Some(host) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else { return false };
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._:[]".contains(c);
    !host.is_empty() && host.chars().all(allowed)
}

fn is_cookie_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// Networks, or single addresses as networks of one.
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let network = |text: &String| text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let read = texts.iter().map(|text| network(text).map_err(|_| text));
    read.collect::<Result<_, _>>().map_err(|text| {
        de::Error::invalid_value(de::Unexpected::Str(text), &"addresses or networks, such as \"127.0.0.1\" or \"10.0.0.0/8\"")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(data_dir: &str, environment: &[(&str, &str)]) -> Option<String> {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut server = Server { data_dir: data_dir.into(), ..Server::default() };
        server.resolve(&environment).ok()?;
        Some(server.data_dir.display().to_string())
    }

    #[test]
    fn the_data_directory_follows_xdg_then_home() {
        assert_eq!(resolved("", &[("XDG_STATE_HOME", "/x"), ("HOME", "/h")]).as_deref(), Some("/x/fanfare"));
        assert_eq!(resolved("", &[("XDG_STATE_HOME", "relative"), ("HOME", "/h")]).as_deref(), Some("/h/.local/state/fanfare"));
        assert_eq!(resolved("~/data", &[("HOME", "/h")]).as_deref(), Some("/h/data"));
        assert_eq!(resolved("/data", &[]).as_deref(), Some("/data"));
        assert_eq!(resolved("", &[]), None);
    }

    #[test]
    fn an_origin_is_a_scheme_and_a_host_and_nothing_else() {
        for good in ["https://media.example", "http://localhost:3000", "http://[::1]:80"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in ["*", "null", "media.example", "https://", "https://a/", "https://*.a", "https://a/b", "https://A.example"] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
