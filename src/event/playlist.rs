//! Changes of a user's playlists: his alone, also when they hold what others may read.

use super::{
    EventKind, Rule,
    body::{Abridgement, Body},
    field::{FieldError, Source, pick, user},
    json::Value,
    media::{Change, names, read_changes},
};
use crate::id::UserId;

/// `playlists`: `{user, playlists:[{action, playlist:{id, …}}]}`. Only that user sees it.
#[derive(Debug, Clone)]
pub struct Playlists {
    /// Whose they are.
    pub user: UserId,
    /// In the order they were published; at most as many as the limit on items.
    pub items: Vec<Change>,
    pub(super) body: Body,
}

impl Playlists {
    pub(super) fn read(source: Source<'_>, value: Value<'_>) -> Result<Self, FieldError> {
        let (array, element) = names(EventKind::Playlists).unwrap_or(("playlists", "playlist"));
        let [owner, changes] = pick(value, ["user", array])?;
        Ok(Self {
            user: user(owner, "user")?,
            items: read_changes(source, changes, EventKind::Playlists, (array, element), None)?,
            body: Body::read(source, value, Abridgement::Secrets)?,
        })
    }

    pub(super) fn rule(&self) -> Rule {
        Rule::User(self.user.clone())
    }
}
