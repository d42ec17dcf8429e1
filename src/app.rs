//! Puts the parts together, and owns the order in which they start and stop.
//!
//! Start: listeners bound → hubs made, one per worker → shards joined to them → sources → ready.
//! Stop: not ready → nobody let in → sources stopped → what was accepted flushed → goodbyes → workers.

mod administration;
mod departures;
mod digests;
mod discovery;
mod embed;
mod engine;
mod folders;
mod ids;
mod live_limits;
mod own_log;
mod parts;
mod presence;
mod rights;
mod server_id;
mod silent_peers;
mod stats;
mod stop;
mod watchdog;

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use actix_web::web;
use tokio::sync::mpsc;

pub use administration::{ReadSettings, SetLog, TellCertificate};
pub use embed::{Handle, spawn, spawn_speaking};
pub use engine::{Engine, Publish};
pub use own_log::OwnLog;

use crate::{
    access::{Directory, OpenError, PrincipalStore, Secret},
    config::Settings,
    dialect::{self, About, Dialect},
    digest::Digester,
    id::UserId,
    metrics::MAX_DIALECTS,
    server::{self, Clash, Discovery, HubAddress, Questions, ServerHandle, Shared, Tls, TlsError},
    source::folder::{FolderHandle, Store, StoreError},
    state::{IdKeeper, State},
};
use administration::ReloadWays;
use own_log::Teller;
use parts::Parts;
use presence::Presence;
use server_id::ServerIdError;
use silent_peers::SilentPeers;
use stats::Stats;
use watchdog::Watchdog;

/// How long the workers may take to start.
const START: Duration = Duration::from_secs(10);
/// How many users that differ from the settings file are named at start.
const CHANGED_USERS_SHOWN: usize = 8;

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be made or used.
    #[error("{path}: {source}")]
    DataDir {
        /// The directory.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// What tells this server from others cannot be kept.
    #[error(transparent)]
    ServerId(#[from] ServerIdError),
    /// The directory of users cannot be opened.
    #[error(transparent)]
    Directory(#[from] OpenError),
    /// The store of medias cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A listener cannot be opened, or a thread not be started.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The workers did not start in time.
    #[error("the workers did not start within 10 s")]
    Workers,
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Randomness,
    /// Two dialects claim one path.
    #[error(transparent)]
    Clash(#[from] Clash),
    /// More dialects than are counted apart.
    #[error("at most {MAX_DIALECTS} dialects can be spoken")]
    TooManyDialects,
}

/// A server that has bound its addresses and not started yet.
pub struct App {
    settings: Settings,
    listener: TcpListener,
    metrics_listener: TcpListener,
    tls: Option<Arc<Tls>>,
    directory: Arc<Directory>,
    run_token: Secret,
    store: Option<Arc<Store>>,
    dialects: Vec<Arc<dyn Dialect>>,
    questions: Option<Questions>,
    state: Arc<State>,
    own_log: Option<OwnLog>,
    ways: ReloadWays,
}

impl App {
    /// Opens the listeners, the directory of users and the store; nothing is served yet.
    ///
    /// # Errors
    /// [`StartError`] names the address, file or directory that cannot be used.
    pub fn build(settings: Settings) -> Result<Self, StartError> {
        make_data_dir(&settings)?;
        let server_id = server_id::read_or_make(&settings.server.data_dir)?;
        let tls = settings.tls.pair().map(|(cert, key)| Tls::load(cert, key)).transpose()?.map(Arc::new);
        let listener = server::listen(settings.server.listen)?;
        let metrics_listener = server::listen(settings.server.metrics_listen)?;
        let (directory, run_token) = Directory::open(&settings, PrincipalStore::in_directory(&settings.server.data_dir))?;
        let directory = Arc::new(directory);
        tell_changed_users(&directory);
        let watches = settings.libraries.iter().any(|library| library.path.is_some());
        let store = watches.then(|| Store::open(&settings.server.data_dir.join("media.redb"))).transpose()?.map(Arc::new);
        let state = Arc::new(State::default());
        let about = About {
            name: &settings.server.name,
            id: &server_id,
            libraries: &settings.libraries,
            users: &settings.users,
            port: listener.local_addr()?.port(),
            state: &state,
            directory: &directory,
        };
        let dialects = dialect::all(&settings.dialects, &about);
        server::check_paths(&dialects)?;
        let questions = discovery::open(&settings, &server_id)?;
        let (own_log, ways) = (None, ReloadWays::default());
        Ok(Self { settings, listener, metrics_listener, tls, directory, run_token, store, dialects, questions, state, own_log, ways })
    }

    /// Speaks further dialects beside those of the settings.
    ///
    /// # Errors
    /// [`StartError::TooManyDialects`]: each is counted apart, and there is room for [`MAX_DIALECTS`]. [`StartError::Clash`]: one
    /// claims a path of another.
    pub fn speak(&mut self, further: impl IntoIterator<Item = Arc<dyn Dialect>>) -> Result<(), StartError> {
        self.dialects.extend(further);
        if self.dialects.len() > MAX_DIALECTS {
            return Err(StartError::TooManyDialects);
        }
        Ok(server::check_paths(&self.dialects)?)
    }

    /// Tells the engine's own log lines as `log` events, to whoever listens to the log.
    pub fn tell_log(&mut self, lines: OwnLog) {
        self.own_log = Some(lines);
    }

    /// From where a reload reads the settings; without it there is none.
    pub fn reload_from(&mut self, read: ReadSettings) {
        self.ways.read = Some(read);
    }

    /// How `server.log` is put in force, now and when it changes.
    pub fn set_log(&mut self, set: SetLog) {
        set(&self.settings.server.log);
        self.ways.log = Some(set);
    }

    /// Who is told when a reload takes the certificate from another file.
    pub fn tell_certificate(&mut self, tell: TellCertificate) {
        self.ways.certificate = Some(tell);
    }

    /// The address clients connect to; the port is the real one where the settings say 0.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The address of metrics and health.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn metrics_address(&self) -> std::io::Result<SocketAddr> {
        self.metrics_listener.local_addr()
    }

    /// The token made for this run: an administrator's, who may publish everything.
    #[must_use]
    pub fn run_token(&self) -> &Secret {
        &self.run_token
    }

    /// Starts everything, inside an actix system; returns when clients may come.
    ///
    /// # Errors
    /// [`StartError`] when a listener cannot be used or the workers do not start.
    pub async fn start(self) -> Result<Running, StartError> {
        let Self { settings, listener, metrics_listener, tls, directory, store, dialects, questions, state, own_log, ways, .. } = self;
        raise_descriptor_limit(&settings, &directory);
        let kept = listener.try_clone()?; // the door is shut by it at the stop
        let (roll_call, reports) = mpsc::unbounded_channel();
        let names = dialects.iter().map(|dialect| dialect.name()).collect();
        let parts = Parts::new(&settings, names, directory, state, roll_call);
        let operations = parts.operations(&settings, tls.clone(), ways);
        let shared = parts.shared(&settings, dialects, store.clone(), operations);
        let workers = server::start(listener, tls, &shared, parts.crew(), parts::server_settings(&settings))?;
        let metrics = server::start_metrics(metrics_listener, &shared, parts::server_settings(&settings))?;
        let handles = [workers.handle(), metrics.handle()];
        actix_rt::spawn(workers);
        actix_rt::spawn(metrics);
        let hubs = all_present(reports, settings.engine.workers).await?;
        parts.start_dispatchers(&settings, &hubs).await?;
        rights::forward(&parts.crew().directory, hubs.clone());
        // The only writer, once: a second start of the same parts does not exist.
        let _ = shared.hubs.set(hubs);
        let watchdogs = (parts.watch(&settings)?, SilentPeers::start(kept.local_addr()?.port(), Arc::clone(&shared))?);
        let ids = ids::keep(&settings, &shared, &parts.crew().state)?;
        let presence = Presence::start(&settings, &shared, Arc::clone(&parts.crew().directory))?;
        let stats = Stats::start(parts.readings(&shared))?;
        let digests = digests::start(&settings, &shared, &parts.crew().state)?;
        let own_log = own_log.map(|lines| Teller::start(lines, shared.publisher.clone())).transpose()?;
        let engine = Engine::new(&shared.publisher, Arc::clone(&shared.limits));
        let folders = folders::start(&settings, store, &shared)?;
        shared.requests.obeyed_by(folders.iter().map(FolderHandle::scan_control).collect());
        let served = kept.local_addr()?;
        let discovery = questions.map(|questions| questions.answer(served)).transpose()?;
        shared.ready.store(true, Ordering::Relaxed);
        let drain_window = settings.server.drain_window;
        Ok(Running {
            shared,
            discovery,
            folders,
            ids,
            digests,
            presence,
            stats,
            own_log,
            handles,
            engine,
            parts,
            watchdogs,
            listener: kept,
            drain_window,
        })
    }
}

/// A server that serves.
pub struct Running {
    shared: Arc<Shared>,
    discovery: Option<Discovery>,
    folders: Vec<FolderHandle>,
    ids: Option<IdKeeper>,
    digests: Option<Digester>,
    presence: Presence,
    stats: Stats,
    own_log: Option<Teller>,
    handles: [ServerHandle; 2],
    engine: Engine,
    parts: Parts,
    /// What looks at the hubs and at the clients from outside the workers; dropped before these.
    watchdogs: (Watchdog, SilentPeers),
    /// The main listener, which the server's own threads accept from.
    listener: TcpListener,
    drain_window: Duration,
}

impl Running {
    /// The way to publish in process.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Reads the settings again, as `POST /api/reload` does, and says in the log what came of it. Does not block.
    pub fn reload(&self) {
        let administration = Arc::clone(&self.shared.administration);
        // Whoever sends a signal reads the log; there is nobody else to tell.
        actix_rt::spawn(async move { drop(web::block(move || administration.reload()).await) });
    }
}

/// Waits for every worker's hub.
async fn all_present(mut reports: mpsc::UnboundedReceiver<HubAddress>, n_workers: usize) -> Result<Vec<HubAddress>, StartError> {
    let mut hubs = Vec::with_capacity(n_workers);
    while hubs.len() < n_workers {
        let report = tokio::time::timeout(START, reports.recv()).await;
        hubs.push(report.ok().flatten().ok_or(StartError::Workers)?);
    }
    hubs.sort_by_key(|hub| hub.worker);
    Ok(hubs)
}

fn make_data_dir(settings: &Settings) -> Result<(), StartError> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let path = &settings.server.data_dir;
    let in_data_dir = |source| StartError::DataDir { path: path.display().to_string(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(in_data_dir)?;
    let mode = std::fs::metadata(path).map_err(in_data_dir)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        // It may be shared on purpose, so it is left as it is; the files in it are for their owner only.
        tracing::warn!(data_dir = %path.display(), mode = format!("{mode:03o}"), "data_dir is open to other users than its owner: chmod 700 is enough");
    }
    Ok(())
}

/// Rights that no longer are those of the settings file would surprise whoever reads only that.
fn tell_changed_users(directory: &Directory) {
    let users = directory.changed_users();
    if !users.is_empty() {
        let first: Vec<&str> = users.iter().take(CHANGED_USERS_SHOWN).map(UserId::as_str).collect();
        let more = users.len() - first.len();
        tracing::info!(
            first = first.join(", "),
            more,
            "users differ from the settings file: {}; see GET /api/principals/{{user}}",
            users.len()
        );
    }
}

/// Takes as many descriptors as the system gives, and sets the limit on connections from them.
fn raise_descriptor_limit(settings: &Settings, directory: &Directory) {
    let descriptors = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
    let limit = settings.limits.connections_with(usize::try_from(descriptors).unwrap_or(usize::MAX));
    tracing::info!(descriptors, connections = limit, "limits");
    directory.limit_connections(limit);
}

#[cfg(test)]
#[path = "app/requests_tests.rs"]
mod requests_tests;
