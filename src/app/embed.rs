//! The whole engine on threads of its own, for a program that embeds it.
//!
//! `main` does the same by hand, because it waits for signals meanwhile.

use std::{
    net::SocketAddr,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};

use tokio::sync::oneshot;

use super::{App, Engine, StartError};
use crate::{access::Secret, config::Settings, dialect::Dialect};

/// A running server inside another program. Dropped, it stops without being waited for.
pub struct Handle {
    engine: Engine,
    address: SocketAddr,
    metrics_address: SocketAddr,
    run_token: Secret,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// Starts a server on threads of its own and returns when clients may come.
///
/// Blocks for that long, at most some ten seconds; inside an asynchronous runtime call it where blocking is allowed. Signals,
/// the run file and the limit of open files are the embedding program's own business, except that the soft limit of open
/// files is raised to the hard one.
///
/// # Errors
/// [`StartError`] names the address, file or directory that cannot be used.
pub fn spawn(settings: Settings) -> Result<Handle, StartError> {
    spawn_speaking(settings, Vec::new())
}

/// As [`spawn`], with further dialects beside those of the settings: a program's own protocol.
///
/// # Errors
/// [`StartError`] names the address, file or directory that cannot be used.
pub fn spawn_speaking(settings: Settings, further: Vec<Arc<dyn Dialect>>) -> Result<Handle, StartError> {
    let mut app = App::build(settings)?;
    app.speak(further)?;
    let (address, metrics_address, run_token) = (app.address()?, app.metrics_address()?, app.run_token().clone());
    let (started, answer) = mpsc::sync_channel(1);
    let (stop, stopped) = oneshot::channel();
    let thread =
        thread::Builder::new().name("fanfare".to_owned()).spawn(move || actix_rt::System::new().block_on(serve(app, started, stopped)))?;
    // A thread that is gone without an answer has panicked, and said so itself.
    let engine = answer.recv().map_err(|_| StartError::Workers)??;
    Ok(Handle { engine, address, metrics_address, run_token, stop, thread })
}

async fn serve(app: App, started: mpsc::SyncSender<Result<Engine, StartError>>, stop: oneshot::Receiver<()>) {
    // Whoever spawned waits for this answer, so there is always somebody to take it.
    match app.start().await {
        Err(error) => {
            let _ = started.send(Err(error));
        }
        Ok(running) => {
            let _ = started.send(Ok(running.engine().clone()));
            // Told to, or the handle was dropped: either way it ends.
            let _ = stop.await;
            running.stop().await;
        }
    }
}

impl Handle {
    /// The way to publish; clone it freely.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Where clients connect; the port is the real one where the settings say 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where metrics and health are.
    #[must_use]
    pub fn metrics_address(&self) -> SocketAddr {
        self.metrics_address
    }

    /// The token made for this run: an administrator's, who may publish everything.
    #[must_use]
    pub fn run_token(&self) -> &Secret {
        &self.run_token
    }

    /// Stops and waits: what was accepted is delivered to whoever takes it, every client is told to come back. Blocks for
    /// the drain window and some seconds at most.
    pub fn stop(self) {
        // It may have ended by itself; then there is nobody to tell.
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            tracing::error!("the server's thread has panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::{app::Publish, event::EventKind, source::PublishError};

    fn settings(data_dir: &std::path::Path) -> Settings {
        let text =
            format!("[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\ndata_dir = {data_dir:?}\n[engine]\nworkers = 1");
        Settings::parse(&text).expect("valid settings")
    }

    #[test]
    fn an_embedded_server_publishes_from_a_plain_thread_and_says_when_it_has_stopped() {
        let folder = tempfile::tempdir().expect("a folder");
        let handle = spawn(settings(folder.path())).expect("it starts");
        assert_ne!(handle.address().port(), 0);
        let engine = handle.engine().clone();
        let hello = || Publish::new(EventKind::Message, &json!({"text": "hello"})).expect("valid");
        let receipt = engine.publish_blocking(hello(), Duration::from_secs(1)).expect("accepted");
        assert_eq!(receipt.order, 1);
        handle.stop();
        assert_eq!(engine.publish_blocking(hello(), Duration::ZERO), Err(PublishError::Stopped));
    }

    #[test]
    fn an_address_in_use_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut settings = settings(folder.path());
        settings.server.listen = taken.local_addr().expect("its address");
        let Err(error) = spawn(settings) else { panic!("the port is taken") };
        assert!(error.to_string().contains(&taken.local_addr().expect("its address").to_string()), "{error}");
    }
}
