//! The server: listeners, the front door, and the routes behind it.
//!
//! Takes the parts it serves as values; `app` makes them and owns the order of start and stop.

mod address;
mod administration;
mod api;
mod attempts;
mod caller;
mod clash;
mod console;
mod discovery;
mod doorkeeper;
mod drain;
mod endpoint;
mod engine_io;
mod front_door;
mod guesses;
pub mod head;
mod held_back;
mod joins;
mod log_in;
mod matcher;
mod mount;
mod opening;
mod ops;
mod origin;
mod page;
mod paths;
mod patience;
mod per_minute;
mod publish;
mod rights;
mod start_page;
mod tls;
mod transport;
mod worker;

use std::{
    collections::HashSet,
    future::ready,
    io,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix_http::{HttpService, KeepAlive, Protocol};
use actix_service::{ServiceFactoryExt, fn_service, map_config};
use actix_web::{App, dev::AppConfig, web};
use bytes::Bytes;
use parking_lot::RwLock;
use socket2::{Domain, Socket, Type};
use tokio::net::TcpStream;

/// Stops what [`start`] and [`start_metrics`] started.
pub use actix_server::ServerHandle;
pub use administration::{Administration, LibraryReport, NotReloaded, Reloaded, ScanReport, ShardReport, WorkerReport};
pub use clash::{Clash, check as check_paths};
pub use discovery::{Discovery, Questions};
pub use doorkeeper::{DoorRules, Doorkeeper};
pub use drain::{Drain, refuse_connections};
pub use log_in::LogIns;
pub use ops::Render;
pub use per_minute::PerMinute;
pub use tls::{Tls, TlsError};
pub use worker::{Crew, HubAddress};

use crate::{
    connection::SocketOptions,
    event::Limits,
    id::LibraryId,
    metrics::PublishMetrics,
    session::{InboundLimits, Listening},
    source::{Publisher, Requests, folder::Catalogue},
    state::State,
};
use front_door::{DoorSettings, FrontDoor, Onward};
use opening::SessionSettings;
use patience::{Patience, Patient, take_turns};

/// Clients that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// How long requests still under way may take when the workers are told to stop; before that they had the whole drain.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// What all routes share.
pub struct Shared {
    /// Who comes in.
    pub doorkeeper: Arc<Doorkeeper>,
    /// What administrators see of the engine, and change.
    pub administration: Arc<dyn Administration>,
    /// The way into the engine.
    pub publisher: Publisher,
    /// What clients ask the media server to do.
    pub requests: Arc<Requests>,
    /// Who logs in.
    pub log_ins: LogIns,
    /// What is refused on the way in.
    pub publish_metrics: Arc<PublishMetrics>,
    /// What one request may ask for; a reload may change it.
    pub limits: Arc<RwLock<RequestLimits>>,
    /// Messages a session's mailbox holds.
    pub session_mailbox: usize,
    /// What is going on.
    pub state: Arc<State>,
    /// What clients may say on a WebSocket; a reload may change it.
    pub inbound: Arc<RwLock<InboundLimits>>,
    /// What the watched folders hold.
    pub catalogue: Option<Catalogue>,
    /// The libraries with a watched folder.
    pub watched: HashSet<LibraryId>,
    /// Whether the metrics listener can be reached by others than this machine.
    pub metrics_need_a_token: bool,
    /// Renders the metrics.
    pub render: Render,
    /// The hubs, once all have reported.
    pub hubs: Arc<OnceLock<Vec<HubAddress>>>,
    /// Whether clients may come.
    pub ready: AtomicBool,
    /// Workers whose hub stands still.
    pub stalled_hubs: Arc<AtomicUsize>,
    /// The stop, once it has begun.
    pub drain: Drain,
}

/// What one request may ask for.
#[derive(Debug, Clone, Copy)]
pub struct RequestLimits {
    /// How long the first bytes of a connection, its TLS handshake included, and a head may take.
    pub head: Duration,
    /// How large an event may be.
    pub event: Limits,
    /// Events in one batch.
    pub batch_events: usize,
    /// Bytes of a body that is read whole.
    pub body_bytes: usize,
    /// How long a body may rest.
    pub body_deadline: Duration,
}

impl Shared {
    /// What one request may ask for now.
    pub(crate) fn limits(&self) -> RequestLimits {
        *self.limits.read()
    }

    /// How long a client of that protocol is waited for, which comes now; `untaken` is [`ServerSettings::untaken`].
    fn patience(&self, protocol: Protocol, untaken: Duration) -> Patience {
        let too_late = (protocol == Protocol::Http1).then_some(front_door::too_late as fn() -> Bytes);
        Patience { head: self.limits().head, too_late, answer: untaken }
    }

    fn hubs(&self) -> &[HubAddress] {
        self.hubs.get().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn is_ready(&self) -> bool {
        // A worker that stands still keeps its share of the new clients waiting for nothing.
        self.ready.load(Ordering::Relaxed) && !self.doorkeeper.is_draining() && self.stalled_hubs.load(Ordering::Relaxed) == 0
    }

    fn session_settings(&self) -> SessionSettings {
        let authenticate = doorkeeper::authenticate(&self.doorkeeper);
        let requests = Arc::clone(&self.requests);
        let listening =
            std::rc::Rc::new(Listening { limits: Arc::clone(&self.inbound), publisher: self.publisher.clone(), requests, authenticate });
        SessionSettings { mailbox: self.session_mailbox, listening }
    }

    fn render_metrics(&self) -> String {
        (self.render)()
    }
}

/// How the listeners are set up.
#[derive(Debug, Clone, Copy)]
pub struct ServerSettings {
    /// Worker threads.
    pub workers: usize,
    /// How long a client may take nothing of an answer.
    pub untaken: Duration,
    /// How detached sockets are set up.
    pub socket: SocketOptions,
}

/// Opens a listening socket.
///
/// # Errors
/// The address cannot be bound; the error names it.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"));
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(TcpListener::from(socket))
    };
    open().map_err(named)
}

/// Starts the workers with the front door and everything behind it. They report to the crew's roll-call. With TLS this
/// listener speaks nothing else, and its certificate is watched as long as the runtime lives.
///
/// # Errors
/// The listener cannot be used.
pub fn start(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    shared: &Arc<Shared>,
    crew: Arc<Crew>,
    settings: ServerSettings,
) -> io::Result<actix_server::Server> {
    let shared = Arc::clone(shared);
    if let Some(tls) = &tls {
        actix_rt::spawn(Arc::clone(tls).watch());
    }
    let server = actix_server::Server::build()
        .workers(settings.workers)
        .disable_signals()
        .shutdown_timeout(LAST_REQUESTS.as_secs())
        .max_concurrent_connections(1 << 20) // counted and limited by us: detached sockets leave these counts
        .listen("fanfare", listener, move || {
            let data = web::Data::from(Arc::clone(&shared));
            let routes = Arc::clone(&shared);
            let app = App::new().app_data(data).configure(move |config| mount::routes(config, &routes));
            let app = app.wrap_fn(mount::refuse_long_paths).wrap_fn(take_turns);
            let http = HttpService::build()
                .keep_alive(KeepAlive::Timeout(Duration::from_secs(30)))
                .client_request_timeout(Duration::ZERO) // the transport looks after it
                .h1_allow_half_closed(false) // or a closed idle client on the body outlet is never noticed
                .on_connect_ext(|transport: &Patient<_>, data| transport.share(data))
                .finish(map_config(app, |_| AppConfig::default()));
            let own = Arc::clone(&shared);
            let patient = move |(transport, protocol, peer): Onward| {
                ready(Ok((Patient::new(transport, own.patience(protocol, settings.untaken)), protocol, peer)))
            };
            FrontDoor {
                http: fn_service(patient).and_then(http),
                doorkeeper: Arc::clone(&shared.doorkeeper),
                settings: DoorSettings { limits: Arc::clone(&shared.limits), socket: settings.socket, session: shared.session_settings() },
                tls: tls.clone(),
                crew: Arc::clone(&crew),
            }
        })?
        .run();
    Ok(server)
}

/// Starts the metrics listener, with a worker of its own.
///
/// # Errors
/// The listener cannot be used.
pub fn start_metrics(listener: TcpListener, shared: &Arc<Shared>, settings: ServerSettings) -> io::Result<actix_server::Server> {
    let shared = Arc::clone(shared);
    let server = actix_server::Server::build()
        .workers(1)
        .disable_signals()
        .listen("metrics", listener, move || {
            let app = App::new().app_data(web::Data::from(Arc::clone(&shared))).configure(ops::metrics_routes).wrap_fn(take_turns);
            let http = HttpService::build()
                .client_request_timeout(Duration::ZERO) // as above
                .h1_allow_half_closed(false)
                .on_connect_ext(|transport: &Patient<_>, data| transport.share(data))
                .finish(map_config(app, |_| AppConfig::default()));
            let own = Arc::clone(&shared);
            let patient = move |socket: TcpStream| {
                let peer = socket.peer_addr().ok();
                ready(Ok((Patient::new(socket, own.patience(Protocol::Http1, settings.untaken)), Protocol::Http1, peer)))
            };
            fn_service(patient).and_then(http)
        })?
        .run();
    Ok(server)
}
