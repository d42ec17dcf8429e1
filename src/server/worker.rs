//! A worker thread's hub, made once per thread, and the roll-call that joins hubs and shards before the server is ready.

use std::{
    cell::OnceCell,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use actix::{Actor, Addr, Arbiter, ArbiterHandle, Recipient};
use tokio::sync::mpsc;

use crate::{
    access::Directory,
    hub::{Disconnect, Hub, HubCore, HubHandle, HubSettings, Identified, ListConnections, PeersGone, RightsChanged, SayGoodbye},
    metrics::{WorkerCounters, thread_number},
    shard::{Credit, FromShard},
    state::State,
};

thread_local! {
    static WORKER: OnceCell<Worker> = const { OnceCell::new() };
}

/// What every worker is made from.
pub struct Crew {
    /// The settings of each hub, less its number.
    pub hub: HubSettings,
    /// By worker, then by shard.
    pub credits: Vec<Vec<Arc<Credit>>>,
    /// By worker.
    pub counters: Vec<Arc<WorkerCounters>>,
    /// Who is who.
    pub directory: Arc<Directory>,
    /// What is going on.
    pub state: Arc<State>,
    /// Where a worker reports that its hub runs.
    pub roll_call: mpsc::UnboundedSender<HubAddress>,
    /// The next worker's number.
    pub next: AtomicU16,
}

/// A running hub, as the rest of the process reaches it.
#[derive(Clone)]
pub struct HubAddress {
    /// Its worker's number.
    pub worker: u16,
    /// For actors that shall run on its thread.
    pub arbiter: ArbiterHandle,
    /// For the shards.
    pub events: Recipient<FromShard>,
    /// Rights changes, outside the bound on events.
    pub rights: Recipient<RightsChanged>,
    /// Connections of nobody that turned out to be somebody's.
    pub identities: Recipient<Identified>,
    /// Listing its connections.
    pub connections: Recipient<ListConnections>,
    /// Ending some that an administrator names.
    pub disconnect: Recipient<Disconnect>,
    /// Ending them all.
    pub goodbye: Recipient<SayGoodbye>,
    /// Clients that died without a word.
    pub peers: Recipient<PeersGone>,
    /// What must not happen to it.
    #[cfg(test)]
    pub trouble: Recipient<crate::hub::Trouble>,
}

/// One worker thread, as its doors know it.
#[derive(Clone)]
pub(super) struct Worker {
    hub: HubHandle,
    // Keeps the actor alive as long as the thread has doors.
    _actor: Addr<Hub>,
}

impl Worker {
    /// The worker of this thread; the first call makes its hub. A service factory runs per listener and again after a
    /// restart, the hub is made once.
    pub(super) fn of_this_thread(crew: &Crew) -> Self {
        WORKER.with(|worker| worker.get_or_init(|| Self::start(crew)).clone())
    }

    /// The worker of this thread, where there is one.
    pub(super) fn current() -> Option<Self> {
        WORKER.with(|worker| worker.get().cloned())
    }

    pub(super) fn hub(&self) -> &HubHandle {
        &self.hub
    }

    fn start(crew: &Crew) -> Self {
        let number = crew.next.fetch_add(1, Ordering::Relaxed);
        let index = usize::from(number) % crew.counters.len();
        crew.counters[index].thread.set(thread_number().unwrap_or_default());
        let settings = HubSettings { worker: number, ..crew.hub.clone() };
        let mailbox = settings.mailbox;
        let core = HubCore::new(
            settings,
            crew.credits[index].clone(),
            Arc::clone(&crew.directory),
            Arc::clone(&crew.state),
            Arc::clone(&crew.counters[index]),
        );
        let hub = HubHandle::new(core);
        let actor = Hub::new(hub.clone(), mailbox).start();
        let address = HubAddress {
            worker: number,
            arbiter: Arbiter::current(),
            events: actor.clone().recipient(),
            rights: actor.clone().recipient(),
            identities: actor.clone().recipient(),
            connections: actor.clone().recipient(),
            disconnect: actor.clone().recipient(),
            goodbye: actor.clone().recipient(),
            peers: actor.clone().recipient(),
            #[cfg(test)]
            trouble: actor.clone().recipient(),
        };
        if crew.roll_call.send(address).is_err() {
            tracing::error!(worker = number, "a worker started after the roll-call; its clients will hear nothing");
        }
        Self { hub, _actor: actor }
    }
}
