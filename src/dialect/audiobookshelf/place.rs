//! The server's libraries and users as Audiobookshelf's clients read them: names, kinds, rights, and ids in the form of a
//! UUID (event map, section 2).

use std::borrow::Cow;

use super::DIALECT;
use crate::{
    config::{Library, LibraryKind, LibraryRights, User},
    event::{IdForm, Object},
    id::{LibraryId, UserId},
};

/// The version that clients are told: some compare it with what they need (wire notes on Audiobookshelf, section 8).
pub(super) const SERVER_VERSION: &str = "2.36.0";

/// What messages say of the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    libraries: Vec<Known>,
    users: Vec<Named>,
}

/// A configured user.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) id: UserId,
    /// The name people read.
    pub(super) name: String,
    pub(super) shown: String,
    pub(super) rights: Rights,
}

/// What a user may do, as far as clients read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rights {
    pub(super) admin: bool,
    pub(super) disabled: bool,
    pub(super) libraries: LibraryRights,
    pub(super) explicit: Option<bool>,
    pub(super) tags: Option<Vec<String>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Known {
    id: LibraryId,
    name: String,
    shown: String,
    kind: LibraryKind,
}

/// The two kinds of media there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MediaType {
    Book,
    Podcast,
}

impl MediaType {
    /// The word of the wire.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Book => "book",
            Self::Podcast => "podcast",
        }
    }
}

impl Place {
    pub(super) fn new(libraries: &[Library], users: &[User]) -> Self {
        let known = |library: &Library| Known {
            id: library.id.clone(),
            name: library.name().to_owned(),
            shown: shown_given(library.ids.get(DIALECT).map(String::as_str), library.id.as_str()),
            kind: library.kind,
        };
        let named = |user: &User| Named {
            id: user.id.clone(),
            name: user.name.clone(),
            shown: shown_given(user.ids.get(DIALECT).map(String::as_str), user.id.as_str()),
            rights: Rights {
                admin: user.admin,
                disabled: user.disabled,
                libraries: user.libraries.clone(),
                explicit: user.explicit,
                tags: user.tags.clone(),
            },
        };
        Self { libraries: libraries.iter().map(known).collect(), users: users.iter().map(named).collect() }
    }

    /// The id of a user; one that the settings do not name has one, too.
    pub(super) fn user_id(&self, user: &UserId) -> String {
        self.named(user).map_or_else(|| shown(user.as_str()), |named| named.shown.clone())
    }

    /// The name people read; of somebody the settings do not know, the id.
    pub(super) fn user_name<'a>(&'a self, user: &'a UserId) -> &'a str {
        self.named(user).map_or(user.as_str(), |named| &named.name)
    }

    /// The id of whoever an event tells of: its publisher may give one.
    pub(super) fn account_id(&self, object: Option<&Object>, user: &UserId) -> String {
        let given = object.and_then(|object| object.given_id(DIALECT)).filter(|given| IdForm::Uuid.fits(given));
        given.map_or_else(|| self.user_id(user), Cow::into_owned)
    }

    /// The configured user of that id.
    pub(super) fn named(&self, user: &UserId) -> Option<&Named> {
        self.users.iter().find(|named| named.id == *user)
    }

    /// The id of a library; one that the settings do not name has one, too.
    pub(super) fn library_id(&self, library: &LibraryId) -> String {
        self.known(library).map_or_else(|| shown(library.as_str()), |known| known.shown.clone())
    }

    /// The name of a library.
    pub(super) fn library_name<'a>(&'a self, library: &'a LibraryId) -> &'a str {
        self.known(library).map_or(library.as_str(), |known| &known.name)
    }

    /// The configured libraries and their ids.
    pub(super) fn libraries(&self) -> impl Iterator<Item = (&LibraryId, &str)> {
        self.libraries.iter().map(|known| (&known.id, known.shown.as_str()))
    }

    /// What a library holds; `None`: neither books nor podcasts, or nobody has said.
    pub(super) fn media_type(&self, library: &LibraryId) -> Option<MediaType> {
        match self.known(library)?.kind {
            LibraryKind::Books => Some(MediaType::Book),
            LibraryKind::Podcasts => Some(MediaType::Podcast),
            LibraryKind::Movies | LibraryKind::Shows | LibraryKind::Music | LibraryKind::Photos | LibraryKind::Other => None,
        }
    }

    /// Whether the library holds something else than books and podcasts: nothing of it makes sense to these clients.
    pub(super) fn is_foreign(&self, library: &LibraryId) -> bool {
        let kind = self.known(library).map_or(LibraryKind::Other, |known| known.kind);
        !matches!(kind, LibraryKind::Books | LibraryKind::Podcasts | LibraryKind::Other)
    }

    fn known(&self, library: &LibraryId) -> Option<&Known> {
        self.libraries.iter().find(|known| known.id == *library)
    }
}

/// An id in the form of a UUID.
pub(super) fn shown(id: &str) -> String {
    IdForm::Uuid.show(None, id).text.into_owned()
}

fn shown_given(given: Option<&str>, id: &str) -> String {
    IdForm::Uuid.show(given.map(Into::into), id).text.into_owned()
}
