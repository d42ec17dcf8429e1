//! The layers settings come from: a file, variables, flags. The later layer wins.

use std::{
    collections::BTreeMap,
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use figment::{
    Metadata, Profile, Provider,
    providers::{Format, Toml},
    value::{Dict, Map, Value},
};

use super::error::{ConfigError, one_line};

pub(super) const FILE: &str = "file";
pub(super) const ENVIRONMENT: &str = "environment";
pub(super) const FLAG: &str = "flag";

const PREFIX: &str = "FANFARE_";

/// Keys whose value is text even where it looks like a number.
const TEXT_KEYS: [&str; 4] = ["server.name", "server.data_dir", "tls.cert", "tls.key"];

/// A setting given on the command line; it wins over variables and the file.
#[derive(Debug, Clone)]
pub struct Flag {
    /// The flag as it was typed, for errors, such as `--listen`.
    pub flag: &'static str,
    /// The key it sets, such as `server.listen`.
    pub key: &'static str,
    /// Its value, as a variable would give it.
    pub value: String,
}

/// The process's variables that are valid UTF-8, for [`super::Settings::load`].
#[must_use]
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
}

/// The settings file that counts: the one that was named, else `$XDG_CONFIG_HOME/fanfare/fanfare.toml` or
/// `~/.config/fanfare/fanfare.toml` where there is one. The working directory is not searched: a file somebody else put
/// there must not open the server.
///
/// # Errors
/// [`ConfigError`] when every user of the machine may write the file that nobody named.
pub fn file_to_read(named: Option<&Path>, environment: &BTreeMap<String, String>) -> Result<Option<PathBuf>, ConfigError> {
    if let Some(named) = named {
        return Ok(Some(named.to_owned()));
    }
    let Some(path) = default_file(environment) else { return Ok(None) };
    match std::fs::metadata(&path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Ok(metadata) if metadata.permissions().mode() & 0o002 != 0 => Err(ConfigError::File {
            path: one_line(&path.display().to_string()),
            reason: "every user may write it: chmod 600 it, or name it with --config".to_owned(),
        }),
        // Whatever else is wrong with it is said when it is read.
        _ => Ok(Some(path)),
    }
}

/// Where the settings file is when nobody names one; relative directories are ignored, as the XDG specification has it.
pub(super) fn default_file(environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    let absolute = |name: &str| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(config.join("fanfare/fanfare.toml"))
}

/// One layer of settings, named so that errors can say where a value came from.
pub(super) struct Layer {
    name: &'static str,
    values: Dict,
}

impl Layer {
    /// Reads the file; a relative path means exactly that file, no parent folder is searched.
    pub(super) fn of_file(path: &Path) -> Result<Self, ConfigError> {
        let shown = one_line(&path.display().to_string());
        let refuse = |reason: &str| ConfigError::File { path: shown.clone(), reason: reason.to_owned() };
        if path.is_dir() {
            return Err(refuse("is a directory, a settings file is expected"));
        }
        let bytes = std::fs::read(path).map_err(|error| refuse(&format!("cannot be read: {}", error.kind())))?;
        let text = String::from_utf8(bytes).map_err(|_| refuse("is not UTF-8"))?;
        Self::of_text(&text, &shown)
    }

    /// Reads TOML; `shown` names it in errors.
    pub(super) fn of_text(text: &str, shown: &str) -> Result<Self, ConfigError> {
        let values = Toml::from_str::<Dict>(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            ConfigError::Syntax { path: shown.to_owned(), line, reason: error.message().lines().collect::<Vec<_>>().join(", ") }
        })?;
        Ok(Self { name: FILE, values })
    }

    /// Takes every `FANFARE_TABLE__KEY`; names without `__` are no settings.
    pub(super) fn of_environment(environment: &BTreeMap<String, String>) -> Self {
        let mut values = Dict::new();
        for (name, value) in environment {
            if let Some(key) = name.strip_prefix(PREFIX).filter(|key| key.contains("__")) {
                insert(&mut values, &key.to_lowercase().replace("__", "."), value);
            }
        }
        Self { name: ENVIRONMENT, values }
    }

    /// Takes the flags; of two with the same key the last counts.
    pub(super) fn of_flags(flags: &[Flag]) -> Self {
        let mut values = Dict::new();
        for flag in flags {
            insert(&mut values, flag.key, &flag.value);
        }
        Self { name: FLAG, values }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// The variable that sets a key.
pub(super) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('.', "__"))
}

fn insert(values: &mut Dict, key: &str, text: &str) {
    // Reading a value from text cannot fail: what is no number, bool, array or table is text.
    let value = if TEXT_KEYS.contains(&key) { Value::from(text) } else { text.parse().unwrap_or_else(|_| Value::from(text)) };
    let mut parts: Vec<&str> = key.split('.').collect();
    let last = parts.pop().unwrap_or_default();
    let mut table = values;
    for part in parts {
        let entry = table.entry(part.to_owned()).or_insert_with(|| Value::from(Dict::new()));
        if !matches!(entry, Value::Dict(..)) {
            *entry = Value::from(Dict::new());
        }
        let Value::Dict(_, inner) = entry else { return };
        table = inner;
    }
    table.insert(last.to_owned(), value);
}
