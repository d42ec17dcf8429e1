//! The tokens that are known from the start: those of the settings, and that of the run.

use std::sync::Arc;

use super::{
    Principal, TokenHash,
    credential::{Grant, Held},
    token::TokenTable,
};
use crate::{
    clock::Timestamp,
    config::{PublishRights, Secret, Settings},
};

/// A token's hash, its end and what it grants.
pub(super) type ConfiguredToken = (TokenHash, Option<Timestamp>, Grant);

/// Every token of the settings, with its end and what it grants.
pub(super) fn configured_tokens(settings: &Settings) -> impl Iterator<Item = ConfiguredToken> + '_ {
    let of_users = settings.users.iter().filter_map(|user| {
        let grant = Grant { user: Some(user.id.clone()), name: None, own: Principal::default(), alone: false };
        Some((user.token?, None, grant))
    });
    let of_tokens = settings.tokens.iter().map(|token| {
        let own = Principal {
            member: token.admin || token.read.is_some(),
            admin: token.admin,
            libraries: token.read.clone().unwrap_or_default(),
            publish: token.publish.clone(),
            metrics: token.metrics,
            ..Principal::default()
        };
        (token.hash, token.expires, Grant { user: token.user.clone(), name: None, own, alone: false })
    });
    of_users.chain(of_tokens)
}

/// The tokens of the settings and of the run.
#[derive(Debug, Default)]
pub(super) struct Known {
    by_hash: TokenTable<Arc<Held>>,
    pub(super) entries: Vec<Arc<Held>>,
}

impl Known {
    /// Whose token this is.
    pub(super) fn find(&self, token: &str) -> Option<&Arc<Held>> {
        self.by_hash.find(token)
    }

    pub(super) fn insert(&mut self, held: Arc<Held>) {
        self.by_hash.insert(held.hash, Arc::clone(&held));
        self.entries.push(held);
    }
}

/// The token of the run: everything, the reserved kinds included.
pub(super) fn run_grant(token: &Secret) -> ConfiguredToken {
    let own = Principal { member: true, admin: true, publish: PublishRights::everything(), ..Principal::default() };
    (TokenHash::of(token.expose()), None, Grant { user: None, name: None, own, alone: true })
}
