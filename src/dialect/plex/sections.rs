//! Libraries as Plex shows them: sections with a number, a name and a kind.

use crate::{
    config::{Library, LibraryKind},
    event::IdForm,
    id::LibraryId,
};

/// A configured library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) library: LibraryId,
    /// The number its clients know it by, as text.
    pub(super) key: String,
    pub(super) name: String,
    pub(super) kind: LibraryKind,
}

impl Section {
    pub(super) fn of(library: &Library) -> Self {
        let given = library.ids.get(super::encode::DIALECT).map(std::borrow::Cow::from);
        Self {
            library: library.id.clone(),
            key: IdForm::Integer.show(given, library.id.as_str()).text.into_owned(),
            name: library.name().to_owned(),
            kind: library.kind,
        }
    }
}

/// The configured libraries. Any other library has a number, too: the one derived from its id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Sections(pub(super) Vec<Section>);

impl Sections {
    pub(super) fn get(&self, library: &LibraryId) -> Option<&Section> {
        self.0.iter().find(|section| section.library == *library)
    }

    /// The number, as text.
    pub(super) fn key(&self, library: &LibraryId) -> String {
        self.get(library).map_or_else(|| IdForm::Integer.show(None, library.as_str()).text.into_owned(), |section| section.key.clone())
    }

    /// The name people read.
    pub(super) fn name<'a>(&'a self, library: &'a LibraryId) -> &'a str {
        self.get(library).map_or(library.as_str(), |section| &section.name)
    }

    pub(super) fn kind(&self, library: &LibraryId) -> LibraryKind {
        self.get(library).map_or(LibraryKind::Other, |section| section.kind)
    }
}
