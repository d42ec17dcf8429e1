//! `[[libraries]]` and `[folder]`: names, kinds and watched folders.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Deserializer, de};

use super::{
    error::Invalid,
    range::{between, within},
    units,
};
use crate::{
    event::{DIALECTS, IdForm},
    id::LibraryId,
};

/// One of `[[libraries]]`. A library need not be declared to be published to: this gives it a name, a kind, a folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Library {
    /// Its id; required, unique.
    pub id: LibraryId,
    /// The name people read. Default: the id, see [`Library::name`].
    pub(super) name: Option<String>,
    /// What it holds. Default `other`.
    #[serde(default)]
    pub kind: LibraryKind,
    /// A folder to watch. Default none: the library is only a name. It must be a directory that can be read.
    pub path: Option<PathBuf>,
    /// Its ids in other protocols, `{ plex = "2" }`: what that protocol's clients and servers call it. Default none: the id
    /// itself where it has the protocol's form, else one derived from it.
    #[serde(default)]
    pub ids: BTreeMap<String, String>,
}

impl Library {
    /// A library that is known by a folder alone.
    pub(super) fn watched(id: LibraryId, path: PathBuf) -> Self {
        Self { id, name: None, kind: LibraryKind::default(), path: Some(path), ids: BTreeMap::new() }
    }

    /// The name people read: as set, else the id.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.id.as_str())
    }
}

/// What a library holds; dialects show it in their own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LibraryKind {
    /// Films.
    Movies,
    /// Series with episodes.
    Shows,
    /// Music.
    Music,
    /// Photos and home videos.
    Photos,
    /// Books and audiobooks.
    Books,
    /// Podcasts.
    Podcasts,
    /// Anything else.
    #[default]
    Other,
}

impl LibraryKind {
    /// The word settings use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Movies => "movies",
            Self::Shows => "shows",
            Self::Music => "music",
            Self::Photos => "photos",
            Self::Books => "books",
            Self::Podcasts => "podcasts",
            Self::Other => "other",
        }
    }

    const ALL: [Self; 7] = [Self::Movies, Self::Shows, Self::Music, Self::Photos, Self::Books, Self::Podcasts, Self::Other];
}

impl<'de> Deserialize<'de> for LibraryKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            let allowed = Self::ALL.map(Self::as_str).join(", ");
            de::Error::custom(format!("must be one of {allowed}"))
        })
    }
}

/// `[folder]`: how changes in watched folders become events.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Folder {
    /// How long a file must be left alone before its change is published. Default `500ms`.
    #[serde(deserialize_with = "units::duration")]
    pub quiet: Duration,
    /// Changes told in one event at most. Default 200, at most `limits.event_items`; more become several events.
    pub batch: usize,
}

impl Default for Folder {
    fn default() -> Self {
        Self { quiet: Duration::from_millis(500), batch: 200 }
    }
}

impl Folder {
    pub(super) fn check(&self, event_items: usize) -> Result<(), Invalid> {
        between("folder.quiet", self.quiet, Duration::from_millis(10), Duration::from_secs(3600))?;
        within("folder.batch", self.batch, 1..=event_items)
    }
}

pub(super) fn check_libraries(libraries: &[Library]) -> Result<(), Invalid> {
    for (index, library) in libraries.iter().enumerate() {
        if let Some(first) = libraries[..index].iter().position(|other| other.id == library.id) {
            return Err(Invalid::new(
                format!("libraries[{index}].id"),
                format!("{:?} is already the id of libraries[{first}]", library.id),
            ));
        }
        if library.name.as_ref().is_some_and(|name| name.is_empty() || name.chars().any(char::is_control)) {
            return Err(Invalid::new(format!("libraries[{index}].name"), "must not be empty or contain control characters"));
        }
        check_ids(&format!("libraries[{index}].ids"), &library.ids)?;
        if let Some(Err(reason)) = library.path.as_deref().map(check_folder) {
            return Err(Invalid::new(format!("libraries[{index}].path"), format!("library {:?}: {reason}", library.id)));
        }
    }
    Ok(())
}

/// Ids in other protocols have the form that its clients can read.
pub(super) fn check_ids(key: &str, ids: &BTreeMap<String, String>) -> Result<(), Invalid> {
    for (dialect, id) in ids {
        let form = DIALECTS.contains(&dialect.as_str()).then(|| IdForm::of(dialect));
        let key = format!("{key}.{dialect}");
        match form {
            None => return Err(Invalid::new(key, format!("unknown key, allowed are {}", DIALECTS.join(", ")))),
            Some(form) if !form.fits(id) || id.is_empty() => return Err(Invalid::new(key, format!("must be {}", form.described()))),
            Some(_) => {}
        }
    }
    Ok(())
}

/// Whether a folder can be watched; else why not, in the words of who set it.
pub(super) fn check_folder(path: &Path) -> Result<(), &'static str> {
    std::fs::read_dir(path).map(drop).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "the folder does not exist",
        io::ErrorKind::NotADirectory => "a file is there, a folder is needed",
        io::ErrorKind::PermissionDenied => "the folder may not be read by the user the server runs as",
        _ => "the folder cannot be read",
    })
}
