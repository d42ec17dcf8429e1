//! The server and its libraries as its clients read them: names, and ids of 32 hexadecimal digits.

use super::values;
use crate::{config::Library, id::LibraryId};

/// What messages say of the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The server's id.
    pub(super) server: String,
    /// The name people read.
    pub(super) name: String,
    libraries: Vec<Known>,
}

#[derive(Debug, PartialEq, Eq)]
struct Known {
    id: LibraryId,
    name: String,
    shown: String,
}

impl Place {
    pub(super) fn new(server: &str, name: &str, libraries: &[Library]) -> Self {
        let known = |library: &Library| Known {
            id: library.id.clone(),
            name: library.name().to_owned(),
            shown: values::shown_library(library.ids.get(super::encode::DIALECT).map(String::as_str), &library.id),
        };
        Self { server: values::shown(server), name: name.to_owned(), libraries: libraries.iter().map(known).collect() }
    }

    /// The id of a library; one that the settings do not name has one, too.
    pub(super) fn library_id(&self, library: &LibraryId) -> String {
        self.known(library).map_or_else(|| values::shown_library(None, library), |known| known.shown.clone())
    }

    /// The name of a library.
    pub(super) fn library_name<'a>(&'a self, library: &'a LibraryId) -> &'a str {
        self.known(library).map_or(library.as_str(), |known| &known.name)
    }

    fn known(&self, library: &LibraryId) -> Option<&Known> {
        self.libraries.iter().find(|known| known.id == *library)
    }
}
