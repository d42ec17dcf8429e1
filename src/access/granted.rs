//! Rights as others grant them: the claim of a signed token, the answer of a callback.

use serde::Deserialize;

use super::Principal;
use crate::config::{LibraryRights, PublishRights};

/// What somebody else grants, as JSON.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Granted {
    pub(super) admin: bool,
    pub(super) libraries: Option<LibraryRights>,
    pub(super) publish: PublishRights,
    pub(super) explicit: Option<bool>,
    pub(super) tags: Option<Vec<String>>,
}

impl Granted {
    /// What that makes of its owner.
    pub(super) fn into_principal(self) -> Principal {
        let member = self.admin || self.libraries.is_some();
        Principal {
            user: None,
            member,
            admin: self.admin,
            libraries: self.libraries.unwrap_or_default(),
            only_publishes: !member && self.publish != PublishRights::Nothing,
            publish: self.publish,
            metrics: false,
            explicit: self.explicit,
            tags: self.tags,
        }
    }
}
