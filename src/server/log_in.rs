//! Log-ins over the dialects' endpoints: who may try, how many at once, and what becomes of open sessions.
//!
//! What a password is worth the directory says; which request is a log-in and how it is answered, the dialect.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::web;
use tokio::{sync::Semaphore, time::timeout};

use super::{PerMinute, Shared, guesses::Guesses, joins::hand_joins, rights::tell_hubs};
use crate::{
    access::{self, Caller, Directory, Secret},
    dialect::{Answer, LogIn, LogInForPair, LoggedIn, NotLoggedIn, NotRenewed, Renew},
    metrics::AuthResult,
};

/// Passwords compared at once; each takes some 20 MiB and a processor.
const AT_ONCE: usize = 2;
/// How long a password may wait for its turn.
const TURN: Duration = Duration::from_secs(5);

/// Log-ins under way, and those that failed.
#[derive(Debug)]
pub struct LogIns {
    guesses: Guesses,
    places: Arc<Semaphore>,
}

impl LogIns {
    /// Allows so many wrong passwords by address and by name (`limits.bad_tokens_per_minute`).
    #[must_use]
    pub fn new(wrong_per_minute: PerMinute) -> Self {
        Self { guesses: Guesses::new(wrong_per_minute), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

/// Logs somebody in and has the dialect say so.
pub(super) async fn log_in(shared: &web::Data<Shared>, log_in: LogIn, address: Option<IpAddr>) -> Answer {
    let LogIn { name, password, device, says } = log_in;
    let typed = name.clone();
    let outcome = match tried(shared, (&name, address), move |directory| directory.log_in(&typed, &password, device)).await {
        Ok(access::LoggedIn { token, caller, name: shown, ended_another }) => {
            if ended_another {
                tell_hubs(shared, caller.principal.user.clone()).await;
            }
            Ok(LoggedIn { token, caller, name: shown })
        }
        Err(why) => Err(why),
    };
    let (answer, joins) = says(outcome);
    hand_joins(shared, joins);
    answer
}

/// The same for a pair of tokens.
pub(super) async fn log_in_for_pair(shared: &web::Data<Shared>, log_in: LogInForPair, address: Option<IpAddr>) -> Answer {
    let LogInForPair { name, password, says } = log_in;
    let typed = name.clone();
    let outcome = tried(shared, (&name, address), move |directory| directory.log_in_for_pair(&typed, &password)).await;
    if let Ok(paired) = &outcome
        && paired.ended_another
    {
        tell_hubs(shared, paired.caller.principal.user.clone()).await;
    }
    says(outcome)
}

/// Tries a name and a password, as often and as many at once as may be.
async fn tried<T: Send + 'static>(
    shared: &web::Data<Shared>,
    (name, address): (&str, Option<IpAddr>),
    attempt: impl FnOnce(&Directory) -> Result<T, access::NotLoggedIn> + Send + 'static,
) -> Result<T, NotLoggedIn> {
    let log_ins = &shared.log_ins;
    let no = |why, result| {
        shared.doorkeeper.count_log_in(result);
        Err(why)
    };
    if let Err(wait) = log_ins.guesses.begin(name, address, Instant::now()) {
        return no(NotLoggedIn::TooManyAttempts(wait), AuthResult::Limited);
    }
    match in_turn(shared, attempt).await {
        Some(Ok(done)) => {
            log_ins.guesses.was_right(name, address, Instant::now());
            shared.doorkeeper.count_log_in(AuthResult::Accepted);
            Ok(done)
        }
        Some(Err(access::NotLoggedIn::Refused)) => no(NotLoggedIn::Refused, AuthResult::Unknown),
        Some(Err(error)) => {
            tracing::error!(%error, "nobody can log in");
            no(NotLoggedIn::Unavailable, AuthResult::Unavailable)
        }
        None => no(NotLoggedIn::Unavailable, AuthResult::Unavailable),
    }
}

/// Has the directory do what blocks, away from the workers; `None`: its turn does not come.
async fn in_turn<T: Send + 'static>(shared: &web::Data<Shared>, work: impl FnOnce(&Directory) -> T + Send + 'static) -> Option<T> {
    let place = timeout(TURN, Arc::clone(&shared.log_ins.places).acquire_owned()).await.ok()?.ok()?;
    let directory = Arc::clone(shared.doorkeeper.directory());
    let done = web::block(move || {
        let _place = place; // given back when it is done, whether or not anybody still waits
        work(&directory)
    });
    done.await.ok() // an error: the server is stopping
}

/// Makes the next pair of tokens and has the dialect say so.
pub(super) async fn renew(shared: &web::Data<Shared>, renew: Renew, address: Option<IpAddr>) -> Answer {
    let Renew { token, says } = renew;
    let no = |why, result| match shared.doorkeeper.count_token(result, address) {
        Some(wait) => Err(NotRenewed::TooManyAttempts(wait)),
        None => Err(why),
    };
    let outcome = match in_turn(shared, move |directory| directory.renew(&token)).await {
        Some(Ok(paired)) => {
            shared.doorkeeper.count_token(AuthResult::Accepted, address);
            Ok(paired)
        }
        Some(Err(access::NotRenewed::Unknown)) => no(NotRenewed::Unknown, AuthResult::Unknown),
        Some(Err(access::NotRenewed::Expired)) => no(NotRenewed::Expired, AuthResult::Expired),
        Some(Err(access::NotRenewed::Used(user))) => {
            tracing::warn!(%user, "a refresh token was shown a second time: its log-in has ended");
            tell_hubs(shared, Some(user)).await;
            no(NotRenewed::Unknown, AuthResult::Unknown)
        }
        Some(Err(access::NotRenewed::Unavailable(error))) => {
            tracing::error!(%error, "no token can be made");
            no(NotRenewed::Unavailable, AuthResult::Unavailable)
        }
        None => no(NotRenewed::Unavailable, AuthResult::Unavailable),
    };
    says(outcome)
}

/// Ends the log-ins that these tokens are of, and the sessions that came by them.
pub(super) async fn end_log_ins(shared: &web::Data<Shared>, tokens: Vec<Secret>) {
    let ended = in_turn(shared, move |directory| tokens.iter().filter_map(|token| directory.end_log_in(token)).collect::<Vec<_>>());
    for user in ended.await.unwrap_or_default() {
        tell_hubs(shared, Some(user)).await;
    }
}

/// Ends the token that was shown, if a log-in here has made it, and the sessions that came by it.
pub(super) async fn log_out(shared: &web::Data<Shared>, caller: Option<&Caller>) {
    let Some(credential) = caller.and_then(|caller| caller.credential.clone()) else { return };
    let directory = Arc::clone(shared.doorkeeper.directory());
    if let Ok(Some(user)) = web::block(move || directory.log_out(&credential)).await {
        tell_hubs(shared, Some(user)).await;
    }
}
