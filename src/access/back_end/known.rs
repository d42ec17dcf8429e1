//! What a real server of a protocol calls the libraries and users of the settings.

use std::collections::HashMap;

use crate::{
    config::{Settings, User},
    event::IdForm,
    id::{LibraryId, UserId},
};

/// Libraries and users by what one protocol's servers call them.
pub(super) struct Known {
    form: IdForm,
    libraries: HashMap<String, Vec<LibraryId>>,
    by_id: HashMap<String, UserId>,
    /// By name, in lower case, those whose id there is not set; `None`: several have the name.
    by_name: HashMap<String, Option<UserId>>,
}

impl Known {
    /// Those of the settings, for that dialect.
    pub(super) fn new(settings: &Settings, dialect: &str, form: IdForm) -> Self {
        let mut libraries: HashMap<String, Vec<LibraryId>> = HashMap::new();
        for library in &settings.libraries {
            let id = shown(form, library.ids.get(dialect), library.id.as_str());
            libraries.entry(id).or_default().push(library.id.clone());
        }
        let (by_id, by_name) = users(&settings.users, dialect, form);
        Self { form, libraries, by_id, by_name }
    }

    /// What these libraries are called here; those nobody named are none.
    pub(super) fn libraries(&self, ids: &[String]) -> impl Iterator<Item = &LibraryId> {
        ids.iter().filter_map(|id| self.libraries.get(&self.normal(id))).flatten()
    }

    /// What a user of the server is called here.
    pub(super) fn user(&self, id: &str, name: &str) -> Option<UserId> {
        let id = self.normal(id);
        let by_name = || self.by_name.get(&name.to_lowercase()).cloned().flatten();
        self.by_id.get(&id).cloned().or_else(by_name).or_else(|| UserId::parse(&id).ok())
    }

    /// An id as it is written here: some servers put hyphens where others have none, or write in capitals.
    fn normal(&self, id: &str) -> String {
        let lower = id.to_ascii_lowercase();
        let plain = if self.form == IdForm::Hex32 { lower.replace('-', "") } else { lower };
        if self.form.fits(&plain) { plain } else { id.to_owned() }
    }
}

/// The configured users by their ids and by their names there.
fn users(users: &[User], dialect: &str, form: IdForm) -> (HashMap<String, UserId>, HashMap<String, Option<UserId>>) {
    let mut by_id = HashMap::new();
    let mut by_name: HashMap<String, Option<UserId>> = HashMap::new();
    for user in users {
        let given = user.ids.get(dialect);
        by_id.insert(shown(form, given, user.id.as_str()), user.id.clone());
        if given.is_none() {
            let mut names = vec![user.name.to_lowercase(), user.id.as_str().to_lowercase()];
            names.dedup();
            for name in names {
                by_name.entry(name).and_modify(|known| *known = None).or_insert_with(|| Some(user.id.clone()));
            }
        }
    }
    (by_id, by_name)
}

/// The id that the dialect shows.
fn shown(form: IdForm, given: Option<&String>, id: &str) -> String {
    form.show(given.map(|given| given.as_str().into()), id).text.into_owned()
}
