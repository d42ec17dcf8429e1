//! The engine's parts, made from the settings: counters, credit, state, and who holds what.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix::{Actor, Arbiter, Recipient};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, mpsc, oneshot};

use super::{
    StartError,
    administration::{Operations, ReloadWays},
    live_limits::LiveLimits,
    stats::Readings,
    watchdog::Watchdog,
};
use crate::{
    access::Directory,
    clock::Timestamp,
    config::Settings,
    connection::{CloseReason, OutboxLimits, OutletKind, SkipReason, SocketOptions},
    dialect::Dialect,
    event::EventKind,
    hub::{FeedLimits, HubSettings},
    metrics::{
        AdmissionMetrics, Counter, Exporter, Gauges, Labels, Mailbox, PublishMetrics, ReloadMetrics, ShardMetrics, Sources, WorkerCounters,
    },
    server::{Crew, DoorRules, Doorkeeper, Drain, HubAddress, LogIns, PerMinute, ServerSettings, Shared, Tls},
    shard::{Accept, Credit, Dispatcher, DispatcherSettings, HubLink, ShardHandle, Shards},
    source::{
        Publisher, Requests,
        folder::{Catalogue, Store},
    },
    state::State,
};

/// How long after the stall limit the kernel may end a connection by itself. Hubs look once a second; a kernel that came
/// first would make every stalled client look like one that had gone.
const KERNEL_GRACE: Duration = Duration::from_secs(3);
/// How long an answer may lie there untaken, where streams have no stall limit.
const UNTAKEN: Duration = Duration::from_secs(60);

/// Everything that more than one part of the engine holds.
pub(super) struct Parts {
    crew: Arc<Crew>,
    returned: Vec<Arc<Notify>>,
    shard_metrics: Vec<Arc<ShardMetrics>>,
    publish_metrics: Arc<PublishMetrics>,
    admission: Arc<AdmissionMetrics>,
    shards: Shards,
    draining: Arc<AtomicBool>,
    /// Workers whose hub stands still.
    stalled_hubs: Arc<AtomicUsize>,
    /// Batches in each shard's mailbox.
    waiting: Vec<Arc<AtomicUsize>>,
    reloads: Arc<ReloadMetrics>,
}

impl Parts {
    pub(super) fn new(
        settings: &Settings,
        dialects: Arc<[&'static str]>,
        directory: Arc<Directory>,
        state: Arc<State>,
        roll_call: mpsc::UnboundedSender<HubAddress>,
    ) -> Self {
        let engine = &settings.engine;
        let returned: Vec<Arc<Notify>> = (0..engine.shards).map(|_| Arc::default()).collect();
        let credits = (0..engine.workers)
            .map(|_| returned.iter().map(|returned| Arc::new(Credit::new(engine.credit, Arc::clone(returned)))).collect())
            .collect();
        let crew = Crew {
            hub: hub_settings(settings, dialects),
            credits,
            counters: (0..engine.workers).map(|_| Arc::new(WorkerCounters::default())).collect(),
            directory,
            state,
            roll_call,
            next: AtomicU16::new(0),
        };
        Self {
            crew: Arc::new(crew),
            returned,
            shard_metrics: (0..engine.shards).map(|_| Arc::default()).collect(),
            publish_metrics: Arc::default(),
            admission: Arc::default(),
            shards: Shards::new(NonZeroUsize::new(engine.shards).unwrap_or(NonZeroUsize::MIN)),
            draining: Arc::default(),
            stalled_hubs: Arc::default(),
            waiting: (0..engine.shards).map(|_| Arc::default()).collect(),
            reloads: Arc::default(),
        }
    }

    pub(super) fn crew(&self) -> Arc<Crew> {
        Arc::clone(&self.crew)
    }

    /// Watches the hubs from here on.
    pub(super) fn watch(&self, settings: &Settings) -> std::io::Result<Watchdog> {
        Watchdog::start(self.crew.counters.clone(), settings.engine.hub_stall, Arc::clone(&self.stalled_hubs))
    }

    /// Connections not yet gone.
    pub(super) fn connections(&self) -> usize {
        self.crew.directory.connections()
    }

    /// Connections of one worker not yet gone.
    pub(super) fn connections_of(&self, worker: u16) -> usize {
        let dialects = self.crew.counters.get(usize::from(worker)).map(|counters| &counters.dialects);
        let open = dialects.into_iter().flatten().flat_map(|dialect| &dialect.connections);
        usize::try_from(open.map(Counter::get).sum::<u64>()).unwrap_or(usize::MAX)
    }

    /// Batches on their way to the shards.
    pub(super) fn n_waiting(&self) -> usize {
        self.waiting.iter().map(|waiting| waiting.load(Ordering::Relaxed)).sum()
    }

    /// Events accepted and not yet flushed by every hub.
    pub(super) fn outstanding(&self) -> usize {
        self.crew.credits.iter().flatten().map(|credit| credit.outstanding()).sum()
    }

    /// Starts one dispatcher per shard, on the workers' threads or on threads of their own, and joins them.
    pub(super) async fn start_dispatchers(&self, settings: &Settings, hubs: &[HubAddress]) -> Result<(), StartError> {
        let id_prefix = id_prefix()?;
        let mut handles = Vec::new();
        for (shard, (returned, metrics)) in self.returned.iter().zip(&self.shard_metrics).enumerate() {
            let arbiter = if settings.engine.shard_threads { Arbiter::new().handle() } else { hubs[shard % hubs.len()].arbiter.clone() };
            let links =
                hubs.iter().zip(&self.crew.credits).map(|(hub, credits)| HubLink::new(hub.events.clone(), Arc::clone(&credits[shard])));
            let dispatcher = Dispatcher::new(
                self.dispatcher_settings(settings, shard, Arc::clone(&id_prefix)),
                links.collect(),
                Arc::clone(&self.crew.state),
                Arc::clone(metrics),
            );
            let (sender, started) = oneshot::channel();
            arbiter.spawn_fn(move || {
                let accept: Recipient<Accept> = dispatcher.start().recipient();
                // Nobody waits any more only when the start was given up.
                let _ = sender.send(accept);
            });
            let accept = started.await.map_err(|_| StartError::Workers)?;
            handles.push(ShardHandle {
                accept: Arc::new(accept),
                returned: Arc::clone(returned),
                waiting: Arc::clone(&self.waiting[shard]),
            });
        }
        self.shards.join(handles);
        Ok(())
    }

    fn dispatcher_settings(&self, settings: &Settings, shard: usize, id_prefix: Arc<str>) -> DispatcherSettings {
        let engine = &settings.engine;
        DispatcherSettings {
            shard: u16::try_from(shard).unwrap_or(u16::MAX),
            mailbox: engine.shard_mailbox,
            hub_stall: engine.hub_stall,
            idempotency: (engine.idempotency, engine.idempotency_keys),
            id_prefix,
            libraries: settings.server.metrics_libraries.as_slice().into(),
            waiting: Arc::clone(&self.waiting[shard]),
        }
    }

    /// What administrators see and change.
    pub(super) fn operations(&self, settings: &Settings, tls: Option<Arc<Tls>>, ways: ReloadWays) -> Arc<Operations> {
        self.reloads.succeeded(Timestamp::now().0);
        Arc::new(Operations {
            crew: self.crew(),
            shards: self.shard_metrics.clone(),
            waiting: self.waiting.clone(),
            settings: RwLock::new(settings.clone()),
            limits: LiveLimits::new(&settings.limits),
            tls,
            ways,
            metrics: Arc::clone(&self.reloads),
            reloading: Mutex::default(),
        })
    }

    /// What `stats` events are made from.
    pub(super) fn readings(&self, shared: &Shared) -> Readings {
        Readings {
            workers: self.crew.counters.clone(),
            shards: self.shard_metrics.clone(),
            dialects: shared.doorkeeper.dialects().map(|(_, dialect)| dialect.name()).collect(),
            administration: Arc::clone(&shared.administration),
            publisher: shared.publisher.clone(),
        }
    }

    /// What the routes share.
    pub(super) fn shared(
        &self,
        settings: &Settings,
        dialects: Vec<Arc<dyn Dialect>>,
        store: Option<Arc<Store>>,
        operations: Arc<Operations>,
    ) -> Arc<Shared> {
        let limits = operations.limits.clone();
        let exporter = Exporter::new(self.sources(settings, dialects.iter().map(|dialect| dialect.name()).collect()));
        let doorkeeper = Doorkeeper::new(
            door_rules(settings, limits.bad_tokens.clone()),
            dialects,
            Arc::clone(&self.crew.directory),
            Arc::clone(&self.admission),
            Arc::clone(&self.draining),
        );
        let publisher = Publisher::new(self.shards.clone(), Arc::clone(&self.publish_metrics));
        Arc::new(Shared {
            doorkeeper: Arc::new(doorkeeper),
            requests: Arc::new(Requests::new(Arc::clone(&self.crew.state), publisher.clone())),
            publisher,
            log_ins: LogIns::new(limits.bad_tokens),
            publish_metrics: Arc::clone(&self.publish_metrics),
            limits: limits.request,
            inbound: limits.inbound,
            administration: operations,
            session_mailbox: settings.engine.session_mailbox,
            state: Arc::clone(&self.crew.state),
            catalogue: store.map(Catalogue::new),
            watched: settings.libraries.iter().filter(|library| library.path.is_some()).map(|library| library.id.clone()).collect(),
            metrics_need_a_token: !settings.server.metrics_listen.ip().is_loopback(),
            render: Arc::new(move || exporter.render()),
            hubs: Arc::default(),
            ready: AtomicBool::new(false),
            drain: Drain::default(),
            stalled_hubs: Arc::clone(&self.stalled_hubs),
        })
    }

    fn sources(&self, settings: &Settings, dialects: Vec<&'static str>) -> Sources {
        let (crew, directory, state) = (self.crew(), Arc::clone(&self.crew.directory), Arc::clone(&self.crew.state));
        let outstanding = move || crew.credits.iter().flatten().map(|credit| credit.outstanding() as u64).collect();
        let waiting = self.waiting.clone();
        let batches = move || waiting.iter().map(|waiting| waiting.load(Ordering::Relaxed) as u64).collect();
        Sources {
            workers: self.crew.counters.clone(),
            shards: self.shard_metrics.clone(),
            publish: Arc::clone(&self.publish_metrics),
            admission: Arc::clone(&self.admission),
            back_ends: Arc::clone(&self.crew.directory.back_end_metrics),
            labels: Labels {
                dialects,
                kinds: EventKind::ALL.iter().map(|kind| kind.name()).collect(),
                libraries: settings.server.metrics_libraries.iter().map(|library| library.as_str().to_owned()).collect(),
                outlets: OutletKind::ALL.map(OutletKind::name),
                close_reasons: CloseReason::ALL.map(CloseReason::name),
                skip_reasons: SkipReason::ALL.map(SkipReason::name),
                version: env!("CARGO_PKG_VERSION"),
                commit: option_env!("FANFARE_COMMIT").unwrap_or_default(),
            },
            gauges: Gauges {
                credit: Mailbox { actor: "hub", capacity: settings.engine.credit as u64, depths: Box::new(outstanding) },
                mailboxes: vec![Mailbox { actor: "shard", capacity: settings.engine.shard_mailbox as u64, depths: Box::new(batches) }],
                connection_limit: Box::new(move || directory.connection_limit() as u64),
                state_bytes: Box::new(move || state.n_bytes() as u64),
                stalled_hubs: Arc::clone(&self.stalled_hubs),
                draining: Arc::clone(&self.draining),
                reloads: Arc::clone(&self.reloads),
            },
        }
    }
}

fn hub_settings(settings: &Settings, dialects: Arc<[&'static str]>) -> HubSettings {
    let engine = &settings.engine;
    HubSettings {
        worker: 0,
        feed: FeedLimits { entries: engine.feed_entries, bytes: engine.feed_bytes, age: engine.feed_age },
        feeds_bytes: engine.feeds_bytes_per_worker,
        outbox: OutboxLimits { entries: engine.outbox_frames, bytes: engine.outbox_bytes },
        stall_limit: engine.stall_limit,
        backlog: OutboxLimits { entries: engine.backlog_frames, bytes: engine.backlog_bytes },
        dialects,
        libraries: settings.server.metrics_libraries.as_slice().into(),
        // Each message carries at least one event of credit, or what a hub missed; the rest is for control messages.
        mailbox: engine.shards * (engine.credit + 1) + engine.hub_mailbox,
    }
}

pub(super) fn server_settings(settings: &Settings) -> ServerSettings {
    let engine = &settings.engine;
    ServerSettings {
        workers: engine.workers,
        untaken: engine.stall_limit.unwrap_or(UNTAKEN),
        socket: SocketOptions {
            send_buffer: engine.send_buffer,
            notsent_lowat: u32::try_from(engine.notsent_lowat).unwrap_or(u32::MAX),
            user_timeout: engine.stall_limit.map(|limit| limit + KERNEL_GRACE),
        },
    }
}

fn door_rules(settings: &Settings, bad_tokens_per_minute: PerMinute) -> DoorRules {
    let server = &settings.server;
    DoorRules {
        allowed_origins: server.allowed_origins.clone(),
        cookie: server.cookie.clone(),
        trusted_proxies: server.trusted_proxies.clone(),
        tls: settings.tls.pair().is_some(),
        bad_tokens_per_minute,
    }
}

/// What given event ids begin with: random, so that they stay unique across restarts.
fn id_prefix() -> Result<Arc<str>, StartError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|_| StartError::Randomness)?;
    Ok(format!("{:016x}", u64::from_le_bytes(random)).into())
}
