//! The server: listeners, the front door, and the routes behind it.
//!
//! Takes the parts it serves as values; `app` makes them and owns the order of start and stop.

mod api;
mod doorkeeper;
mod front_door;
pub mod head;
mod mount;
mod ops;
mod publish;
mod worker;

use std::{
    collections::HashSet,
    io,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix_http::{HttpService, KeepAlive, h1};
use actix_service::map_config;
use actix_web::{App, dev::AppConfig, web};
use socket2::{Domain, Socket, Type};

/// Stops what [`start`] and [`start_metrics`] started.
pub use actix_server::ServerHandle;
pub use doorkeeper::Doorkeeper;
pub use ops::Render;
pub use worker::{Crew, HubAddress};

use crate::{
    connection::SocketOptions,
    event::Limits,
    id::LibraryId,
    metrics::PublishMetrics,
    source::{Publisher, folder::Catalogue},
};
use front_door::{DoorSettings, FrontDoor, Prefixed};

/// Clients that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// What all routes share.
pub struct Shared {
    /// Who comes in.
    pub doorkeeper: Arc<Doorkeeper>,
    /// The way into the engine.
    pub publisher: Publisher,
    /// What is refused on the way in.
    pub publish_metrics: Arc<PublishMetrics>,
    /// How large an event may be.
    pub event_limits: Limits,
    /// Events in one batch.
    pub batch_events: usize,
    /// Bytes of a body that is read whole.
    pub body_bytes: usize,
    /// How long a body may rest.
    pub body_deadline: Duration,
    /// Messages a session's mailbox holds.
    pub session_mailbox: usize,
    /// What the watched folders hold.
    pub catalogue: Option<Catalogue>,
    /// The libraries with a watched folder.
    pub watched: HashSet<LibraryId>,
    /// Renders the metrics.
    pub render: Render,
    /// The hubs, once all have reported.
    pub hubs: Arc<OnceLock<Vec<HubAddress>>>,
    /// Whether clients may come.
    pub ready: AtomicBool,
}

impl Shared {
    fn hubs(&self) -> &[HubAddress] {
        self.hubs.get().map_or(&[], Vec::as_slice)
    }

    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed) && !self.doorkeeper.is_draining()
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
    /// How long the first bytes of a connection, and a head, may take.
    pub head: Duration,
    /// How detached sockets are set up.
    pub socket: SocketOptions,
    /// How long requests under way may take when the server stops.
    pub drain_window: Duration,
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

/// Starts the workers with the front door and everything behind it. They report to the crew's roll-call.
///
/// # Errors
/// The listener cannot be used.
pub fn start(listener: TcpListener, shared: &Arc<Shared>, crew: Arc<Crew>, settings: ServerSettings) -> io::Result<actix_server::Server> {
    let shared = Arc::clone(shared);
    let server = actix_server::Server::build()
        .workers(settings.workers)
        .disable_signals()
        .shutdown_timeout(settings.drain_window.as_secs().max(1))
        .max_concurrent_connections(1 << 20) // counted and limited by us: detached sockets leave these counts
        .listen("fanfare", listener, move || {
            let data = web::Data::from(Arc::clone(&shared));
            let routes = Arc::clone(&shared);
            let app = App::new().app_data(data).configure(move |config| mount::routes(config, &routes));
            let http: h1::H1Service<Prefixed<tokio::net::TcpStream>, _, _> = HttpService::build()
                .keep_alive(KeepAlive::Timeout(Duration::from_secs(30)))
                .client_request_timeout(settings.head)
                .h1_allow_half_closed(false) // or a closed idle client on the body outlet is never noticed
                .h1(map_config(app, |_| AppConfig::default()));
            FrontDoor {
                http,
                doorkeeper: Arc::clone(&shared.doorkeeper),
                settings: DoorSettings { head: settings.head, socket: settings.socket, session_mailbox: shared.session_mailbox },
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
pub fn start_metrics(listener: TcpListener, shared: &Arc<Shared>) -> io::Result<actix_server::Server> {
    let shared = Arc::clone(shared);
    let server = actix_server::Server::build()
        .workers(1)
        .disable_signals()
        .listen("metrics", listener, move || {
            let app = App::new().app_data(web::Data::from(Arc::clone(&shared))).configure(ops::metrics_routes);
            HttpService::build().h1_allow_half_closed(false).h1(map_config(app, |_| AppConfig::default())).tcp()
        })?
        .run();
    Ok(server)
}
