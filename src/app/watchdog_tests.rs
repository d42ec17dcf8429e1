use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use serde_json::json;
use tokio::sync::oneshot;

use super::*;
use crate::{
    app::{App, Engine, Publish},
    config::Settings,
    event::EventKind,
    hub::Trouble,
    server::Shared,
};

const PATIENCE: Duration = Duration::from_secs(10);
const TOKEN: &str = "token-of-reader-0123456789abcdef0123456789";

/// A server in this process, whose hubs can be troubled.
struct Patient {
    shared: Arc<Shared>,
    engine: Engine,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl Patient {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\ndata_dir = {:?}\n\
             [engine]\nworkers = 2\nshards = 2\nhub_stall = \"100ms\"\n\
             [[users]]\nid = \"reader\"\ntoken = \"{TOKEN}\"\nlibraries = {{ films = \"read\" }}",
            folder.path()
        );
        let app = App::build(Settings::parse(&text).expect("valid")).expect("it can start");
        let address = app.address().expect("bound");
        let (started, answer) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let run = async move {
            let running = app.start().await.expect("it starts");
            started.send((Arc::clone(&running.shared), running.engine().clone())).expect("the test waits");
            let _ = stopped.await;
            running.stop().await;
        };
        let thread = thread::spawn(move || actix_rt::System::new().block_on(run));
        let (shared, engine) = answer.recv().expect("it has started");
        Self { shared, engine, address, stop: Some(stop), thread: Some(thread), _folder: folder }
    }

    fn trouble(&self, trouble: Trouble) {
        for hub in self.shared.hubs.get().expect("they run") {
            hub.trouble.try_send(trouble).expect("its mailbox has room");
        }
    }

    fn publish(&self, n_events: usize) {
        let media = json!({"library": "films", "medias": [{"action": "Added", "media": {"id": "m"}}]});
        for _ in 0..n_events {
            let event = Publish::new(EventKind::Medias, &media).expect("valid");
            self.engine.publish_blocking(event, PATIENCE).expect("accepted");
        }
    }

    fn metric(&self, name: &str) -> f64 {
        let text = (self.shared.render)();
        let lines = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }

    /// How often a hub handled something that took longer than a second.
    fn n_long(&self) -> f64 {
        let text = (self.shared.render)();
        let of_hubs = |place: &str| {
            let name = format!("fanfare_actor_handle_duration_seconds_{place}");
            text.lines().find_map(|line| line.strip_prefix(&name)?.strip_prefix(' ')?.parse::<f64>().ok()).expect("a number")
        };
        of_hubs("count{actor=\"hub\"}") - of_hubs("bucket{actor=\"hub\",le=\"1\"}")
    }

    fn ask(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a TCP option");
        // In one piece: a head in pieces becomes a stream on a kept-alive connection, which goes on after its end.
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("taken");
        stream
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

/// Reads until the text has come that often.
fn read(stream: &mut TcpStream, text: &str, n_times: usize) -> String {
    let mut seen = String::new();
    let mut buffer = [0; 16 * 1024];
    while seen.matches(text).count() < n_times {
        let n = stream.read(&mut buffer).expect("in time");
        assert!(n > 0, "the stream ended: {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
    seen
}

fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        thread::park_timeout(Duration::from_millis(10));
    }
}

fn survives(trouble: Trouble) {
    let patient = Patient::start();
    let mut streams: Vec<_> = (0..8).map(|_| patient.ask("/sse")).collect();
    eventually("all are there", || patient.metric("fanfare_connections") == 8.0);
    patient.publish(1);
    streams.iter_mut().for_each(|stream| drop(read(stream, "event: medias", 1)));
    patient.trouble(trouble);
    for stream in &mut streams {
        let mut rest = String::new();
        stream.read_to_string(&mut rest).expect("a clean end");
        assert!(rest.starts_with("retry: ") && rest.ends_with("\n\n"), "{rest:?}");
    }
    eventually("both are counted", || patient.metric("fanfare_actor_restarts_total") == 2.0);
    assert_eq!(patient.metric("fanfare_connections"), 0.0);

    let mut later: Vec<_> = (0..8).map(|_| patient.ask("/sse")).collect();
    eventually("clients come again", || patient.metric("fanfare_connections") == 8.0);
    patient.publish(1_500); // more than all credit
    later.iter_mut().for_each(|stream| drop(read(stream, "event: medias", 1_500)));
    eventually("all credit is back", || patient.metric("fanfare_shard_credit_outstanding") == 0.0);
    assert_eq!(patient.metric("fanfare_events_skipped_total"), 0.0);
}

#[test]
fn hubs_that_panic_in_a_handler_lose_their_sessions_and_go_on() {
    survives(Trouble::Panic);
}

#[test]
fn hubs_that_panic_in_the_flush_loop_lose_their_sessions_and_go_on() {
    survives(Trouble::PanicInFlush);
}

#[test]
fn a_worker_that_stands_still_is_seen_from_outside_and_makes_the_server_unready() {
    let patient = Patient::start();
    assert!(read(&mut patient.ask("/readyz"), "\r\n\r\n", 1).starts_with("HTTP/1.1 200"));
    let first = &patient.shared.hubs.get().expect("they run")[0];
    first.trouble.try_send(Trouble::StandStill(Duration::from_secs(4))).expect("its mailbox has room");
    eventually("it is counted", || patient.metric("fanfare_hub_stalled") == 1.0);
    assert!(!patient.shared.is_ready());
    eventually("it moves again", || patient.metric("fanfare_hub_stalled") == 0.0);
    assert!(patient.n_long() >= 1.0, "what it handled so long is told by its duration");
    assert!(patient.shared.is_ready());
    assert_eq!(patient.metric("fanfare_actor_restarts_total"), 0.0);
}

#[test]
fn a_missing_beat_is_told_once_and_so_is_its_return() {
    let (start, patience) = (Instant::now(), Duration::from_secs(3));
    let after = |seconds| start + Duration::from_secs(seconds);
    let mut pulse = Pulse::new(5, start);
    assert_eq!(pulse.feel(6, after(1), patience), None);
    assert_eq!(pulse.feel(6, after(3), patience), None);
    assert_eq!(pulse.feel(6, after(4), patience), Some(Change::Stopped));
    assert_eq!(pulse.feel(6, after(9), patience), None);
    assert_eq!(pulse.feel(7, after(10), patience), Some(Change::MovesAgain(Duration::from_secs(9))));
    assert_eq!(pulse.feel(8, after(11), patience), None);
}
