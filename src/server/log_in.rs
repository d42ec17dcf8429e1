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

use super::{Shared, guesses::Guesses, rights::tell_hubs};
use crate::{
    access::{self, Caller},
    dialect::{Answer, LogIn, LoggedIn, NotLoggedIn},
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
    /// Allows so many wrong passwords in a minute by address and by name (`limits.bad_tokens_per_minute`); 0 is no limit.
    #[must_use]
    pub fn new(wrong_per_minute: u32) -> Self {
        Self { guesses: Guesses::new(wrong_per_minute), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

/// Logs somebody in and has the dialect say so.
pub(super) async fn log_in(shared: &web::Data<Shared>, log_in: LogIn, address: Option<IpAddr>) -> Answer {
    let LogIn { name, password, device, says } = log_in;
    let log_ins = &shared.log_ins;
    let no = |why, result| {
        shared.doorkeeper.count_log_in(result);
        Err(why)
    };
    if let Err(wait) = log_ins.guesses.begin(&name, address, Instant::now()) {
        return says(no(NotLoggedIn::TooManyAttempts(wait), AuthResult::Limited));
    }
    let Ok(Ok(place)) = timeout(TURN, Arc::clone(&log_ins.places).acquire_owned()).await else {
        return says(no(NotLoggedIn::Unavailable, AuthResult::Unavailable));
    };
    let directory = Arc::clone(shared.doorkeeper.directory());
    let typed = name.clone();
    let outcome = web::block(move || {
        let _place = place; // given back when it is done, whether or not anybody still waits
        directory.log_in(&typed, &password, device)
    });
    match outcome.await {
        Ok(Ok(access::LoggedIn { token, caller, name: shown, ended_another })) => {
            log_ins.guesses.was_right(&name, address, Instant::now());
            if ended_another {
                tell_hubs(shared, caller.principal.user.clone()).await;
            }
            shared.doorkeeper.count_log_in(AuthResult::Accepted);
            says(Ok(LoggedIn { token, caller, name: shown }))
        }
        Ok(Err(access::NotLoggedIn::Refused)) => says(no(NotLoggedIn::Refused, AuthResult::Unknown)),
        Ok(Err(error)) => {
            tracing::error!(%error, "nobody can log in");
            says(no(NotLoggedIn::Unavailable, AuthResult::Unavailable))
        }
        Err(_) => says(no(NotLoggedIn::Unavailable, AuthResult::Unavailable)), // the server is stopping
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
