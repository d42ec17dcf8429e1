//! Adds a token to a settings file, and leaves everything else in it as it stands: comments, order, blank lines.
//!
//! Knows tokens only as hashes. A file that would not load is never written.

use std::{collections::BTreeMap, io, path::Path, time::Duration};

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, Value};

use super::{
    ConfigError, LibraryRights, Settings, TokenHash, print, replace,
    source::{default_file, file_to_read},
    units,
};
use crate::{clock::Timestamp, id::UserId};

/// What a new token is to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    /// Whose it is; none is an API key.
    pub user: Option<UserId>,
    /// The name people read: the user's, or a comment beside an API key.
    pub name: Option<String>,
    /// Which libraries the new user, or the key, may see.
    pub read: Option<LibraryRights>,
    /// Whether the new user, or the key, is a server admin.
    pub admin: bool,
    /// Whether it may publish everything but reserved types.
    pub publish: bool,
    /// When it ends.
    pub expires: Option<Timestamp>,
}

/// What was added to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// A user with this token.
    User,
    /// A further token of a user who was there.
    TokenOfUser,
    /// An API key.
    Key,
}

/// Why no token was added. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The file is broken, or would be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The user has rights already, and one more token does not change them.
    #[error("--read, --admin and --name are for a new user: {0} is in the file already, change the rights there")]
    UserIsThere(UserId),
    /// Nothing was granted.
    #[error("a token without --user is an API key, and needs --read, --publish or --admin to be of any use")]
    UselessKey,
    /// A name that would end its line.
    #[error("--name must not be empty or contain control characters")]
    Name,
    /// The file cannot be changed.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// There is no file to change.
    #[error("no settings file is named, and neither XDG_CONFIG_HOME nor HOME is an absolute path: give --config FILE")]
    NoFile,
    /// `users` or `tokens` is something else than a list.
    #[error("{0}: must be an array of tables")]
    NoArray(&'static str),
    /// Reading the file, before its name is known.
    #[error(transparent)]
    Unnamed(#[from] io::Error),
}

/// The file to change: the one that was named, else the one a server reads when none is named, which need not exist yet.
///
/// # Errors
/// [`EditError::NoFile`], or the file is open to everybody.
pub fn file_to_edit(named: Option<&Path>, environment: &BTreeMap<String, String>) -> Result<std::path::PathBuf, EditError> {
    let read = file_to_read(named, environment)?;
    read.or_else(|| default_file(environment)).ok_or(EditError::NoFile)
}

/// Adds the token to the file, which is made when it is not there, readable by its owner only.
///
/// # Errors
/// [`EditError`]; the file is as it was then.
pub fn add_token(path: &Path, grant: &Grant, hash: TokenHash, environment: &BTreeMap<String, String>) -> Result<Added, EditError> {
    if path.is_dir() {
        return Err(ConfigError::File {
            path: path.display().to_string(),
            reason: "is a directory, a settings file is expected".to_owned(),
        }
        .into());
    }
    let added = replace::replace(path, |text| {
        let settings = Settings::check_text(text, path, environment)?;
        let (text, added) = edited(text, &settings, grant, hash)?;
        Settings::check_text(&text, path, environment)?;
        Ok((text, added))
    });
    added.map_err(|error| match error {
        EditError::Unnamed(source) => EditError::Io { path: path.display().to_string(), source },
        named => named,
    })
}

/// When a token ends: after a duration such as `30d`, or at a moment of RFC 3339; `None` for any other text or a moment
/// that is not after `now`.
#[must_use]
pub fn expiry(text: &str, now: Timestamp) -> Option<Timestamp> {
    let after = |duration: Duration| {
        // Whole seconds read better in the file.
        let end = now.0.checked_add(i64::try_from(duration.as_millis()).ok()?)?;
        Some(end - end.rem_euclid(1000))
    };
    let end = match units::parse_duration(text) {
        Some(duration) => after(duration)?,
        None => text.parse::<jiff::Timestamp>().ok()?.as_millisecond(),
    };
    // What cannot be written as a date and time cannot be kept.
    (end > now.0 && jiff::Timestamp::from_millisecond(end).is_ok()).then_some(Timestamp(end))
}

fn edited(text: &str, settings: &Settings, grant: &Grant, hash: TokenHash) -> Result<(String, Added), EditError> {
    if grant.name.as_ref().is_some_and(|name| name.is_empty() || name.chars().any(char::is_control)) {
        return Err(EditError::Name);
    }
    let mut document: DocumentMut = text.parse().map_err(|_| not_toml())?;
    let has_rights = grant.read.is_some() || grant.admin;
    let added = match &grant.user {
        None if !has_rights && !grant.publish => return Err(EditError::UselessKey),
        None => Added::Key,
        Some(user) if settings.users.iter().all(|known| known.id != *user) => Added::User,
        Some(user) if has_rights || grant.name.is_some() => return Err(EditError::UserIsThere(user.clone())),
        Some(_) => Added::TokenOfUser,
    };
    // A user's own token never ends and publishes nothing; one that does is an entry of its own.
    let own_entry = added != Added::User || grant.publish || grant.expires.is_some();
    if added == Added::User {
        push(&mut document, "users", user_entry(grant, (!own_entry).then_some(hash)), None)?;
    }
    if own_entry {
        let comment = grant.name.as_deref().filter(|_| added == Added::Key);
        push(&mut document, "tokens", token_entry(grant, hash, added), comment)?;
    }
    Ok((document.to_string(), added))
}

/// Cannot happen to a text that was read as settings before: the same parser read it.
fn not_toml() -> ConfigError {
    ConfigError::File { path: "settings".to_owned(), reason: "cannot be read as TOML".to_owned() }
}

type Entry = Vec<(&'static str, Value)>;

fn user_entry(grant: &Grant, hash: Option<TokenHash>) -> Entry {
    let mut entry = Entry::new();
    entry.extend(grant.user.as_ref().map(|user| ("id", user.as_str().into())));
    entry.extend(grant.name.as_ref().map(|name| ("name", name.into())));
    entry.extend(grant.admin.then(|| ("admin", true.into())));
    entry.extend(grant.read.as_ref().map(|read| ("libraries", print::rights(read))));
    entry.extend(hash.map(|hash| ("token_sha256", hash.to_hex().into())));
    entry
}

fn token_entry(grant: &Grant, hash: TokenHash, added: Added) -> Entry {
    let mut entry = Entry::new();
    entry.extend(grant.user.as_ref().map(|user| ("user", user.as_str().into())));
    if added == Added::Key {
        entry.extend(grant.admin.then(|| ("admin", true.into())));
        entry.extend(grant.read.as_ref().map(|read| ("read", print::rights(read))));
    }
    entry.extend(grant.publish.then(|| ("publish", true.into())));
    entry.extend(grant.expires.map(|expires| ("expires", print::moment(expires).into())));
    entry.push(("token_sha256", hash.to_hex().into()));
    entry
}

/// Adds an entry in the form the file has for this list already.
fn push(document: &mut DocumentMut, list: &'static str, entry: Entry, comment: Option<&str>) -> Result<(), EditError> {
    // A file of comments alone keeps them at its top.
    let head = document.as_table().is_empty().then(|| document.trailing().as_str().unwrap_or_default().to_owned());
    if head.is_some() {
        document.set_trailing("");
    }
    let before = head.map_or_else(|| "\n".to_owned(), |head| if head.is_empty() { head } else { format!("{}\n\n", head.trim_end()) });
    let item = document.entry(list).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    match item {
        Item::ArrayOfTables(tables) => {
            let mut table: Table = entry.into_iter().collect();
            table.decor_mut().set_prefix(comment.map_or_else(|| before.clone(), |comment| format!("{before}# {comment}\n")));
            tables.push(table);
        }
        Item::Value(Value::Array(array)) => array.push(Value::InlineTable(entry.into_iter().collect())),
        _ => return Err(EditError::NoArray(list)),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
