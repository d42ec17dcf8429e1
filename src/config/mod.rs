//! Settings: what a file, variables and flags say, checked once, and every default.
//!
//! Flags win over variables, variables over the file, the file over the defaults. Unknown keys are errors at every level.
//! Knows nothing of what is built from them. Durations are written as text with a unit (`"500ms"`, `"2s"`, `"5m"`), sizes
//! in bytes as a number or as text with a unit (`"128KiB"`, `"8MiB"`).
//!
//! A short file is complete:
//!
//! ```
//! use fanfare::config::Settings;
//!
//! let folder = tempfile::tempdir()?;
//! let settings = Settings::parse(&format!(
//!     r#"
//!     [[libraries]]
//!     id = "films"
//!     kind = "movies"                    # movies | shows | music | photos | books | podcasts | other
//!     path = "{}"                        # a watched folder; without a path only a name for it
//!
//!     [[users]]
//!     id = "bob"
//!     token = "a-long-random-token"      # or token_sha256 = "…"
//!     libraries = "read"                 # every library; or {{ films = "read", music = "admin" }}
//!     "#,
//!     folder.path().display(),
//! ))?;
//! assert_eq!(settings.libraries[0].name(), "films");
//! assert_eq!(settings.users[0].id.as_str(), "bob");
//! assert_eq!(settings.server.listen.to_string(), "127.0.0.1:8400");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod auth;
mod dialects;
pub mod edit;
mod engine;
mod error;
mod jwt;
mod library;
mod limits;
mod password;
mod people;
mod print;
mod range;
mod reload;
mod replace;
mod rights;
mod secret;
mod server;
mod source;
#[cfg(test)]
mod tests;
mod tls;
mod units;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use figment::{
    Figment,
    providers::{Format, Toml},
};
use serde::Deserialize;

pub use auth::Auth;
pub use dialects::{Audiobookshelf, Dialects, MediaBrowser, Plex, RedSeat, Spelling};
pub use engine::Engine;
pub use error::ConfigError;
pub use jwt::{Jwt, JwtAlgorithm, JwtKey, MAX_JWT_KEYS, MIN_HMAC_BYTES};
pub use library::{Folder, Library, LibraryKind};
pub use limits::Limits;
pub use password::{NoHash, PasswordHash};
pub use people::{Token, User};
pub use reload::Difference;
pub use rights::{LibraryRights, PublishRights};
pub use secret::{Secret, TokenHash};
pub use server::Server;
pub use source::{Flag, environment, file_to_read};
pub use tls::Tls;

use error::{Invalid, Origins};
use source::Layer;

use crate::id::LibraryId;

/// Everything that can be set, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `[server]`.
    pub server: Server,
    /// `[tls]`.
    pub tls: Tls,
    /// `[engine]`.
    pub engine: Engine,
    /// `[limits]`.
    pub limits: Limits,
    /// `[folder]`.
    pub folder: Folder,
    /// `[dialects]`.
    pub dialects: Dialects,
    /// `[jwt]`.
    pub jwt: Jwt,
    /// `[auth]`.
    pub auth: Auth,
    /// `[[libraries]]`.
    pub libraries: Vec<Library>,
    /// `[[users]]`.
    pub users: Vec<User>,
    /// `[[tokens]]`.
    pub tokens: Vec<Token>,
}

impl Settings {
    /// Reads the file (none: defaults only), `FANFARE_SERVER__LISTEN`-style variables and flags, and checks the whole.
    ///
    /// `environment` is usually [`environment()`]; it is also asked for `XDG_STATE_HOME` and `HOME`.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, variable or flag, the key, and what is allowed, in one line without any value.
    pub fn load(file: Option<&Path>, environment: &BTreeMap<String, String>, flags: &[Flag]) -> Result<Self, ConfigError> {
        let of_file = file.map(Layer::of_file).transpose()?;
        Self::from_layers(of_file, &Origins { file, environment, flags }).map(|(settings, _)| settings)
    }

    /// Loads as [`Settings::load`] does and writes the result as TOML: every key, with a comment where its value is no
    /// default. Secrets are shown as `…`.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn explain(file: Option<&Path>, environment: &BTreeMap<String, String>, flags: &[Flag]) -> Result<String, ConfigError> {
        let of_file = file.map(Layer::of_file).transpose()?;
        let origins = Origins { file, environment, flags };
        let (settings, figment) = Self::from_layers(of_file, &origins)?;
        Ok(print::print(&settings, &|key| origins.of(&figment, key)))
    }

    /// The settings as JSON: every key, secrets as `…`.
    #[must_use]
    pub fn shown(&self) -> serde_json::Value {
        // What is printed loads again, as a test of the printer shows.
        Figment::from(Toml::string(&print::print(self, &|_| None))).extract().unwrap_or_default()
    }

    /// Checks a text that is to become this file, as [`Settings::load`] would read it without variables and flags.
    fn check_text(text: &str, file: &Path, environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        // Where the server's own home is, is not known here; any place will do where this environment names none.
        let places = ["HOME", "XDG_STATE_HOME"].map(|name| Some((name.to_owned(), environment.get(name)?.clone())));
        let anywhere = [("HOME".to_owned(), "/".to_owned())];
        let environment = anywhere.into_iter().chain(places.into_iter().flatten()).collect();
        let layer = Layer::of_text(text, &error::one_line(&file.display().to_string()))?;
        Self::from_layers(Some(layer), &Origins { file: Some(file), environment: &environment, flags: &[] }).map(|(settings, _)| settings)
    }

    /// Reads settings from text alone, for tests and benches: no variables, no flags, and a `data_dir` in the temporary
    /// directory unless the text names one. Nothing is written there by reading settings.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let state = std::env::temp_dir().display().to_string();
        let environment = BTreeMap::from([("XDG_STATE_HOME".to_owned(), state)]);
        let layer = Layer::of_text(text, "settings")?;
        Self::from_layers(Some(layer), &Origins { file: None, environment: &environment, flags: &[] }).map(|(settings, _)| settings)
    }

    /// Adds a watched folder, or gives a library of the file one, as `--library` does.
    ///
    /// # Errors
    /// [`ConfigError`] when the folder cannot be read, or the library has another one already.
    pub fn add_library(&mut self, id: LibraryId, path: PathBuf) -> Result<(), ConfigError> {
        if let Err(reason) = library::check_folder(&path) {
            return Err(ConfigError::Library { library: id, reason });
        }
        match self.libraries.iter_mut().find(|library| library.id == id) {
            Some(library) if library.path.is_none() => library.path = Some(path),
            Some(_) => return Err(ConfigError::Library { library: id, reason: "the library has a folder already" }),
            None => self.libraries.push(Library::watched(id, path)),
        }
        Ok(())
    }

    /// What an operator should know about settings that are allowed.
    #[must_use]
    pub fn warnings(&self) -> Vec<&'static str> {
        let mut warnings = Vec::new();
        let open = !self.server.listen.ip().is_loopback();
        if self.names_nobody() && open {
            warnings.push(
                "no user and no token is set and server.listen is not loopback: everybody who is given this run's token has every right",
            );
        }
        let others_may = self.jwt.is_on() || self.auth.callback.is_some();
        if !self.names_nobody() && !others_may && self.tokens.iter().all(|token| token.publish == PublishRights::Nothing) {
            warnings.push("no token may publish: events can come only from watched folders");
        }
        if !self.server.metrics_listen.ip().is_loopback() && !self.tokens.iter().any(|token| token.metrics) {
            warnings.push("server.metrics_listen is not loopback and no token has metrics = true: only administrators can read metrics");
        }
        if self.auth.callback.as_deref().is_some_and(address::shows_tokens_to_the_network) {
            warnings.push("auth.callback is neither https nor loopback: tokens cross the network in clear text");
        }
        let asked = self.dialects.asked().filter(|(server, _)| address::shows_tokens_to_the_network(server));
        warnings.extend(asked.map(|(_, warning)| warning));
        warnings
    }

    /// Whether no user, no token and nobody else who knows users is set, so that a token is made for the run.
    #[must_use]
    pub fn names_nobody(&self) -> bool {
        let others_know = self.jwt.is_on() || self.auth.callback.is_some() || self.dialects.asked().next().is_some();
        self.users.is_empty() && self.tokens.is_empty() && !others_know
    }

    fn from_layers(of_file: Option<Layer>, origins: &Origins<'_>) -> Result<(Self, Figment), ConfigError> {
        let base = of_file.map_or_else(Figment::new, Figment::from);
        let figment = base.merge(Layer::of_environment(origins.environment)).merge(Layer::of_flags(origins.flags));
        let raw: RawSettings = figment.extract().map_err(|error| origins.unreadable(error))?;
        let settings = raw.validate(origins.environment).map_err(|invalid| origins.refuse(&figment, invalid))?;
        Ok((settings, figment))
    }
}

/// What can be read, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSettings {
    #[serde(default)]
    server: Server,
    #[serde(default)]
    tls: Tls,
    #[serde(default)]
    engine: Engine,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    folder: Folder,
    #[serde(default)]
    dialects: Dialects,
    #[serde(default)]
    jwt: Jwt,
    #[serde(default)]
    auth: Auth,
    #[serde(default)]
    libraries: Vec<Library>,
    #[serde(default)]
    users: Vec<people::RawUser>,
    #[serde(default)]
    tokens: Vec<people::RawToken>,
}

impl RawSettings {
    fn validate(mut self, environment: &BTreeMap<String, String>) -> Result<Settings, Invalid> {
        self.server.resolve(environment)?;
        self.engine.resolve();
        self.server.check()?;
        self.tls.check()?;
        self.engine.check()?;
        self.limits.check()?;
        self.folder.check(self.limits.event_items)?;
        self.dialects.check()?;
        self.jwt.check()?;
        self.auth.check()?;
        range::at_least("engine.feed_bytes", self.engine.feed_bytes, "limits.event_bytes", self.limits.event_bytes)?;
        library::check_libraries(&self.libraries)?;
        let users = people::users(self.users)?;
        let tokens = people::tokens(self.tokens, &users)?;
        Ok(Settings {
            server: self.server,
            tls: self.tls,
            engine: self.engine,
            limits: self.limits,
            folder: self.folder,
            dialects: self.dialects,
            jwt: self.jwt,
            auth: self.auth,
            libraries: self.libraries,
            users,
            tokens,
        })
    }
}
