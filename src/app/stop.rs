//! The stop, in its order: not ready → nobody let in → sources ended → changes summed up → what was accepted flushed → clients
//! sent away over the window → workers.
//!
//! Every step has an end in time, so the whole has one: the window, and a small rest.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use futures_util::future::{join, join_all};
use tokio::time::{sleep, timeout};

use super::{Running, departures::Departures, engine::Engine, parts::Parts, presence::Presence, stats::Stats};
use crate::{
    connection::CloseReason,
    digest::Digester,
    hub::SayGoodbye,
    server::{self, HubAddress, ServerHandle, Shared},
    source::folder::FolderHandle,
};

/// How long sources may take to end: requests under way to be answered, folders to hand over what they have begun.
const SOURCES: Duration = Duration::from_secs(2);
/// How long the hubs may take to pass on what was accepted, before they begin to send clients away.
const FLUSH: Duration = Duration::from_secs(2);
/// How long the last clients may take to go after they were all sent away.
const LAST_CLIENTS: Duration = Duration::from_secs(1);
/// How much longer than its window sending clients away may take on a machine that gives this thread no time.
const LATE: Duration = Duration::from_secs(2);
/// How long a hub may take to answer; one that does not is asked again at the end only.
const HUB: Duration = Duration::from_secs(1);
/// How often it is asked whether a step is done.
const POLL: Duration = Duration::from_millis(10);
/// How long the accepting thread is given to hear of the pause, which is answered before it does. It would log an error
/// for a listener that is shut under it.
const PAUSED: Duration = Duration::from_millis(50);
/// Departures that are nearer to each other than this happen together.
const STEP: Duration = Duration::from_millis(20);

impl Running {
    /// Stops: what was accepted is delivered to whoever takes it, and every client is told to come back, spread over
    /// `server.drain_window`. Takes that long, and some seconds more where something hangs.
    pub async fn stop(self) {
        let Self {
            shared,
            discovery,
            folders,
            ids,
            digests,
            presence,
            stats,
            own_log,
            handles: [workers, metrics],
            engine,
            parts,
            watchdogs,
            listener,
            drain_window,
        } = self;
        let began = Instant::now();
        let n_clients = parts.connections();
        tracing::info!(clients = n_clients, "draining");
        drop(discovery); // nobody is sent here any more
        shared.doorkeeper.drain();
        shared.drain.begin();
        engine.close();
        close_door(&workers, &listener).await;
        end_sources(&shared, folders).await;
        tell_changes(digests, (presence, stats)).await;
        flush(&shared, &engine, &parts).await;
        // What was long before must not make the rest a herd.
        let window = drain_window.saturating_sub(began.elapsed()).max(drain_window / 2);
        let hubs = shared.hubs.get().map_or(&[][..], Vec::as_slice);
        send_away(hubs, &parts, window).await;
        if !until(LAST_CLIENTS, || parts.connections() == 0).await {
            tracing::warn!(clients = parts.connections(), "some clients did not go in time and are cut off");
        }
        // Joining a thread blocks for a moment at most.
        let _ = tokio::task::spawn_blocking(move || drop(own_log)).await;
        drop(ids); // nothing is accepted any more: what was noted is written
        drop(watchdogs); // workers that have ended beat no more
        workers.stop(true).await;
        metrics.stop(false).await;
        tracing::info!(clients = n_clients, seconds = began.elapsed().as_secs_f32(), "drained");
    }
}

async fn close_door(workers: &ServerHandle, listener: &TcpListener) {
    workers.pause().await;
    sleep(PAUSED).await;
    if let Err(error) = server::refuse_connections(listener) {
        tracing::warn!(%error, "new clients wait until the end instead of being refused");
    }
}

/// Requests under way are answered, folders hand over what they have begun.
async fn end_sources(shared: &Shared, folders: Vec<FolderHandle>) {
    let requests = until(SOURCES, || shared.drain.n_under_way() == 0);
    // Joining a thread blocks; the workers go on meanwhile.
    let ends = join_all(folders.into_iter().map(|folder| tokio::task::spawn_blocking(move || folder.stop())));
    match join(requests, timeout(SOURCES, ends)).await {
        (_, Err(_)) => tracing::warn!("a folder source did not stop in time"),
        (_, Ok(ends)) if ends.iter().any(Result::is_err) => tracing::error!("a folder source did not stop cleanly"),
        (false, _) => tracing::warn!(requests = shared.drain.n_under_way(), "some requests took too long and are refused"),
        (true, _) => {}
    }
}

/// What changed lately is told while there is somebody to tell it to.
async fn tell_changes(digests: Option<Digester>, (presence, stats): (Presence, Stats)) {
    // Joining a thread blocks; the workers go on meanwhile.
    let end = tokio::task::spawn_blocking(move || {
        // Everybody goes now, and there is nobody to be told of it.
        presence.stop();
        drop(stats);
        digests.map(Digester::stop)
    });
    if timeout(SOURCES, end).await.is_err() {
        tracing::warn!("the latest changes were not summed up in time");
    }
}

/// Nothing more is accepted, and what was has been passed on by every hub.
async fn flush(shared: &Shared, engine: &Engine, parts: &Parts) {
    shared.publisher.close();
    let quiet = || shared.publisher.is_quiet() && engine.is_quiet() && parts.n_waiting() == 0 && parts.outstanding() == 0;
    if !until(FLUSH, quiet).await {
        tracing::warn!(events = parts.outstanding(), "a worker is behind; its clients may miss the last events");
    }
}

/// Sends all clients away over the window; the hubs choose who goes when.
async fn send_away(hubs: &[HubAddress], parts: &Parts, window: Duration) {
    let mut left: Vec<usize> = hubs.iter().map(|hub| parts.connections_of(hub.worker)).collect();
    let (n_clients, seed) = (left.iter().sum(), seed());
    let departures = Departures::new(n_clients, window, seed);
    let (began, mut looked, mut pause, mut paced) = (Instant::now(), Instant::now(), STEP, Duration::ZERO);
    let mut n_told = 0;
    while n_told < n_clients && parts.connections() > 0 && began.elapsed() < window + LATE {
        // Time this thread was not given is not made up for: all who were due meanwhile would leave together.
        paced += looked.elapsed().min(pause + STEP / 2);
        looked = Instant::now();
        let due = departures.due(paced).max(n_told);
        let shares = shares(&mut left, due - n_told);
        n_told = due;
        tell(hubs, &shares, seed, &mut left).await;
        pause = departures.at(n_told).saturating_sub(paced).max(STEP);
        if n_told < n_clients {
            sleep(pause).await;
        }
    }
    // Whoever is left: clients of a hub that did not answer, and those who came in at the very last moment.
    let all: Vec<usize> = hubs.iter().map(|_| usize::MAX).collect();
    tell(hubs, &all, seed, &mut left).await;
}

/// How many each hub sends away: those with the most left come first.
fn shares(left: &mut [usize], n_due: usize) -> Vec<usize> {
    let mut shares = vec![0; left.len()];
    for _ in 0..n_due {
        let Some((hub, most)) = left.iter_mut().enumerate().max_by_key(|(_, left)| **left).filter(|(_, left)| **left > 0) else { break };
        *most -= 1;
        shares[hub] += 1;
    }
    shares
}

async fn tell(hubs: &[HubAddress], shares: &[usize], seed: u64, left: &mut [usize]) {
    let tell_one = async |hub: &HubAddress, at_most: usize| {
        timeout(HUB, hub.goodbye.send(SayGoodbye { at_most, reason: CloseReason::Draining, seed })).await.is_ok_and(|answer| answer.is_ok())
    };
    let told = hubs.iter().zip(shares).zip(left).filter(|((_, share), _)| **share > 0).map(async |((hub, share), left)| {
        if !tell_one(hub, *share).await {
            *left = 0; // it would only let go of all of these together once it moves again
            tracing::warn!(worker = hub.worker, "a worker does not say goodbye to its clients");
        }
    });
    join_all(told).await;
}

/// Without randomness the order is always the same: nobody is harmed.
fn seed() -> u64 {
    let mut random = [0; 8];
    let _ = getrandom::fill(&mut random);
    u64::from_le_bytes(random)
}

/// Waits until something is done, at most so long; whether it was done.
async fn until(patience: Duration, done: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    while !done() {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(POLL).await;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hub_with_the_most_clients_sends_the_first_away_and_all_end_together() {
        let mut left = [5, 2, 0];
        assert_eq!(shares(&mut left, 3), [3, 0, 0]);
        assert_eq!(shares(&mut left, 4), [2, 2, 0]);
        assert_eq!(shares(&mut left, 4), [0, 0, 0], "more are due than are there: they left by themselves");
    }
}
