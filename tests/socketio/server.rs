//! A server that speaks dialects of the tests.

use std::{
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use fanfare::{
    app::{self, Publish},
    config::Settings,
    dialect::Dialect,
    engineio,
    event::EventKind,
};
use parking_lot::Mutex;
use serde_json::json;
use tempfile::TempDir;

use super::{
    PATIENCE,
    suite::{EngineSuite, SocketSuite},
    tls::{Certificate, Wire},
};

/// As the authors' suites have it.
pub(crate) const SUITE: engineio::Settings = engineio::Settings {
    ping_interval: Duration::from_millis(300),
    ping_timeout: Duration::from_millis(200),
    max_payload: 1_000_000,
    strangers_payload: 1_000_000,
    upgrade_timeout: Duration::from_secs(10),
    connect_timeout: Duration::from_secs(1),
};

pub(crate) const TOKEN: &str = "token-of-somebody-who-is-told";

#[derive(Clone)]
pub(crate) struct Server(Arc<Inner>);

struct Inner {
    /// `None` once it was stopped.
    handle: Mutex<Option<app::Handle>>,
    address: SocketAddr,
    metrics: SocketAddr,
    certificate: Option<Certificate>,
    _folder: TempDir,
}

impl Server {
    /// One with the applications of the suites.
    pub(crate) fn of_suites() -> Self {
        Self::speaking("", false, vec![Arc::new(EngineSuite(SUITE)), Arc::new(SocketSuite(SUITE))])
    }

    pub(crate) fn speaking(settings: &str, tls: bool, dialects: Vec<Arc<dyn Dialect>>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let certificate = tls.then(|| Certificate::make(folder.path(), "told"));
        let tls = certificate.as_ref().map(|made| format!("[tls]\ncert = {:?}\nkey = {:?}\n", made.cert, made.key)).unwrap_or_default();
        let server = format!("[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\ndata_dir = {data:?}\n");
        let off: String =
            ["redseat", "plex", "mediabrowser", "audiobookshelf"].map(|name| format!("[dialects.{name}]\nenabled = false\n")).concat();
        let user = format!("[[users]]\nid = \"bob\"\ntoken = \"{TOKEN}\"\nlibraries = \"read\"\n");
        let settings = Settings::parse(&format!("{server}{tls}{off}{settings}\n{user}")).expect("valid settings");
        let handle = app::spawn_speaking(settings, dialects).expect("it starts");
        let (address, metrics) = (handle.address(), handle.metrics_address());
        Self(Arc::new(Inner { handle: Mutex::new(Some(handle)), address, metrics, certificate, _folder: folder }))
    }

    pub(crate) fn connect(&self) -> Wire {
        let socket = TcpStream::connect(self.0.address).expect("it listens");
        socket.set_nodelay(true).expect("a socket option");
        match &self.0.certificate {
            Some(certificate) => Wire::tls(socket, certificate.client()),
            None => socket.into(),
        }
    }

    pub(crate) fn publish(&self, text: &str) {
        let message = Publish::new(EventKind::Message, &json!({ "text": text })).expect("valid");
        let engine = self.0.handle.lock().as_ref().expect("it runs").engine().clone();
        engine.publish_blocking(message, PATIENCE).expect("accepted");
    }

    pub(crate) fn stop(&self) {
        let handle = self.0.handle.lock().take();
        handle.expect("it runs").stop();
    }

    /// The sum of a metric's values, over all its labels that hold these words.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> u64 {
        let url = format!("http://{}/metrics", self.0.metrics);
        let text = ureq::get(url).call().expect("metrics").body_mut().read_to_string().expect("text");
        let lines = text.lines().filter(|line| line.starts_with(&format!("{name}{{")) && labels.iter().all(|label| line.contains(label)));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
    }
}
