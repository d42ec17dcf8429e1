//! The server, its libraries and its users as its clients read them: names, and ids of 32 hexadecimal digits.

use super::{encode::DIALECT, values};
use crate::{
    config::{Library, User},
    event::{Object, Person},
    id::{LibraryId, UserId},
};

/// What messages say of the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The server's id.
    pub(super) server: String,
    /// The name people read.
    pub(super) name: String,
    libraries: Vec<Known>,
    users: Vec<Named>,
}

/// A configured user.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) id: UserId,
    /// The name people read.
    pub(super) name: String,
    shown: String,
}

#[derive(Debug, PartialEq, Eq)]
struct Known {
    id: LibraryId,
    name: String,
    shown: String,
}

impl Place {
    pub(super) fn new(server: &str, name: &str, libraries: &[Library], users: &[User]) -> Self {
        let known = |library: &Library| Known {
            id: library.id.clone(),
            name: library.name().to_owned(),
            shown: values::shown_given(library.ids.get(DIALECT).map(String::as_str), library.id.as_str()),
        };
        let named = |user: &User| Named {
            id: user.id.clone(),
            name: user.name.clone(),
            shown: values::shown_given(user.ids.get(DIALECT).map(String::as_str), user.id.as_str()),
        };
        Self {
            server: values::shown(server),
            name: name.to_owned(),
            libraries: libraries.iter().map(known).collect(),
            users: users.iter().map(named).collect(),
        }
    }

    /// The id of a user; one that the settings do not name has one, too.
    pub(super) fn user_id(&self, user: &UserId) -> String {
        self.named(user).map_or_else(|| values::shown(user.as_str()), |named| named.shown.clone())
    }

    /// The name people read; of somebody the settings do not know, the id.
    pub(super) fn user_name<'a>(&'a self, user: &'a UserId) -> &'a str {
        self.named(user).map_or(user.as_str(), |named| &named.name)
    }

    /// The id of whoever an event tells of: its publisher may give one.
    pub(super) fn person_id(&self, person: &Person) -> String {
        let given = person.object.as_ref().and_then(|object| object.given_id(DIALECT)).filter(|given| values::fits(given));
        given.map_or_else(|| self.user_id(&person.id), std::borrow::Cow::into_owned)
    }

    /// The same, of a user who is an object.
    pub(super) fn account_id(&self, object: &Object, user: &UserId) -> String {
        let given = object.given_id(DIALECT).filter(|given| values::fits(given));
        given.map_or_else(|| self.user_id(user), std::borrow::Cow::into_owned)
    }

    /// Whether an id a client sends is that user's.
    pub(super) fn is_user(&self, sent: &str, user: &UserId) -> bool {
        sent == user.as_str() || values::sent(sent) == self.user_id(user)
    }

    /// The configured user a client means by an id.
    pub(super) fn user(&self, sent: &str) -> Option<&Named> {
        self.users.iter().find(|named| self.is_user(sent, &named.id))
    }

    fn named(&self, user: &UserId) -> Option<&Named> {
        self.users.iter().find(|named| named.id == *user)
    }

    /// The id of a library; one that the settings do not name has one, too.
    pub(super) fn library_id(&self, library: &LibraryId) -> String {
        self.known(library).map_or_else(|| values::shown(library.as_str()), |known| known.shown.clone())
    }

    /// The name of a library.
    pub(super) fn library_name<'a>(&'a self, library: &'a LibraryId) -> &'a str {
        self.known(library).map_or(library.as_str(), |known| &known.name)
    }

    fn known(&self, library: &LibraryId) -> Option<&Known> {
        self.libraries.iter().find(|known| known.id == *library)
    }
}
