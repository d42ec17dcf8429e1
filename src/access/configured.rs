//! The tokens that are known from the start: those of the settings, and that of the run.

use super::{Principal, TokenHash, credential::Grant};
use crate::{
    clock::Timestamp,
    config::{PublishRights, Secret, Settings},
};

/// Every token of the settings, with its end and what it grants.
pub(super) fn configured_tokens(settings: &Settings) -> impl Iterator<Item = (TokenHash, Option<Timestamp>, Grant)> + '_ {
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

/// The token of the run: everything, the reserved kinds included.
pub(super) fn run_grant(token: &Secret) -> (TokenHash, Option<Timestamp>, Grant) {
    let own = Principal { member: true, admin: true, publish: PublishRights::everything(), ..Principal::default() };
    (TokenHash::of(token.expose()), None, Grant { user: None, name: None, own, alone: true })
}
