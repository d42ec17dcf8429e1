use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::sync::oneshot;

use super::*;
use crate::{
    access::{LibraryRights, Principal},
    event::{Envelope, Event, EventKind, KindSet, Level, ScanState},
    id::LibraryId,
    source::{RequestError, Taken},
    state::State,
};

const PATIENCE: Duration = Duration::from_secs(30);
/// So many that a scan which tells of each by itself takes far longer than to cancel it.
const FILES: usize = 3000;

/// A server in this process with a folder it scans.
struct Bench {
    shared: Arc<Shared>,
    state: Arc<State>,
    engine: Engine,
    address: SocketAddr,
    token: Secret,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let films = folder.path().join("films");
        std::fs::create_dir(&films).expect("made");
        for n in 0..FILES {
            std::fs::write(films.join(format!("{n}.mkv")), "x").expect("written");
        }
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\ndata_dir = {:?}\n\
             [engine]\nworkers = 1\n[folder]\nbatch = 1\n[[libraries]]\nid = \"films\"\npath = {films:?}",
            folder.path().join("data")
        );
        let app = App::build(Settings::parse(&text).expect("valid")).expect("it can start");
        let (address, token) = (app.address().expect("bound"), app.run_token().clone());
        let (started, answer) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let run = async move {
            let running = app.start().await.expect("it starts");
            let state = Arc::clone(&running.parts.crew().state);
            started.send((Arc::clone(&running.shared), state, running.engine().clone())).expect("the test waits");
            let _ = stopped.await;
            running.stop().await;
        };
        let thread = thread::spawn(move || actix_rt::System::new().block_on(run));
        let (shared, state, engine) = answer.recv().expect("it has started");
        Self { shared, state, engine, address, token, stop: Some(stop), thread: Some(thread), _folder: folder }
    }

    fn cancel(&self, id: &str, principal: &Principal) -> Result<Taken, RequestError> {
        actix_rt::System::new().block_on(self.shared.requests.cancel_activity(id, principal))
    }

    fn publish(&self, kind: EventKind, data: &serde_json::Value) {
        self.engine.publish_blocking(Publish::new(kind, data).expect("valid"), PATIENCE).expect("accepted");
    }

    /// Waits for an envelope of which this can be said.
    fn eventually<T>(&self, what: &str, mut say: impl FnMut(&Envelope) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = self.state.present(KindSet::all(), |_| true).iter().find_map(|envelope| say(envelope)) {
                return found;
            }
            assert!(Instant::now() < deadline, "{what}");
            thread::park_timeout(Duration::from_millis(2));
        }
    }

    /// The id of the folder's scan, which has begun.
    fn scan(&self) -> String {
        self.eventually("a scan begins", |envelope| match &envelope.event {
            Event::Scan(scan) if scan.state == ScanState::Started => envelope.event.activity_id().map(std::borrow::Cow::into_owned),
            _ => None,
        })
    }

    /// A stream of the requests for publishers, which has begun.
    fn requests(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a TCP option");
        let token = self.token.expose();
        // In one piece: a head in pieces is answered in chunks.
        let request = format!("GET /sse?events=request HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("taken");
        until(&mut stream, "\r\n\r\n");
        stream
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

/// Reads until the text has come.
fn until(stream: &mut TcpStream, text: &str) -> String {
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    while !seen.contains(text) {
        let n = stream.read(&mut buffer).expect("in time");
        assert!(n > 0, "the stream ended: {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
    seen
}

fn admin() -> Principal {
    Principal { admin: true, ..Principal::default() }
}

fn user(name: &str, level: Option<Level>) -> Principal {
    let levels = level.map(|level| (LibraryId::parse("films").expect("an id"), level));
    Principal { user: UserId::parse(name).ok(), libraries: LibraryRights::Named(levels.into_iter().collect()), ..Principal::default() }
}

#[test]
fn the_scan_of_a_watched_folder_obeys_whoever_administers_the_library() {
    let bench = Bench::start();
    let id = bench.scan();
    assert_eq!(bench.cancel(&id, &user("stranger", None)), Err(RequestError::Unknown), "whoever does not see it learns nothing of it");
    assert_eq!(bench.cancel(&id, &user("reader", Some(Level::Read))), Err(RequestError::NotAllowed));
    assert_eq!(bench.cancel("another", &admin()), Err(RequestError::Unknown));
    assert_eq!(bench.cancel(&id, &user("keeper", Some(Level::Admin))), Ok(Taken::Obeyed));
    let cancelled = bench.eventually("it is cancelled", |envelope| match &envelope.event {
        Event::Scan(scan) if scan.state == ScanState::Cancelled => envelope.event.activity_id().map(std::borrow::Cow::into_owned),
        Event::Scan(scan) => {
            assert_ne!(scan.state, ScanState::Finished);
            None
        }
        _ => None,
    });
    assert_eq!(cancelled, id);
    assert!(bench.state.activities(|_| true).is_empty());
    assert_eq!(bench.cancel(&id, &admin()), Err(RequestError::Unknown), "it is over");
}

#[test]
fn whoever_borrows_the_id_of_a_folders_scan_ends_only_his_own() {
    let bench = Bench::start();
    let id = bench.scan();
    let mut requests = bench.requests();
    bench.publish(EventKind::Scan, &json!({"library": "music", "state": "started", "id": id}));
    bench.publish(EventKind::Activity, &json!({"id": id, "type": "t", "state": "started", "user": "bob", "cancellable": true}));
    let music = [(LibraryId::parse("music").expect("an id"), Level::Admin)];
    let musician = Principal { libraries: LibraryRights::Named(music.into()), ..Principal::default() };
    assert_eq!(bench.cancel(&id, &musician), Ok(Taken::PassedOn));
    let told = until(&mut requests, "\n\n");
    assert!(told.contains(r#"{"kind":"cancel-scan","library":"music""#), "{told}");
    // He sees the scan, and may end the activity only.
    assert_eq!(bench.cancel(&id, &user("bob", Some(Level::Read))), Ok(Taken::PassedOn));
    let told = until(&mut requests, "\n\n");
    assert!(told.contains(r#"{"kind":"cancel-activity","target":"#), "{told}");
    assert_eq!(bench.cancel(&id, &user("keeper", Some(Level::Admin))), Ok(Taken::Obeyed), "it still goes on");
}

#[test]
fn what_others_do_is_passed_on_to_them_as_a_request() {
    let bench = Bench::start();
    let mut requests = bench.requests();
    bench.publish(EventKind::Scan, &json!({"library": "music", "state": "started", "id": "run-7"}));
    bench.publish(EventKind::UploadProgress, &json!({"library": "music", "mediaId": "m1", "progress": 3}));
    bench.publish(EventKind::Activity, &json!({"id": "a1", "type": "t", "state": "started", "user": "bob", "cancellable": true}));
    bench.publish(EventKind::Activity, &json!({"id": "a2", "type": "t", "state": "started", "user": "bob"}));
    assert_eq!(bench.cancel("run-7", &admin()), Ok(Taken::PassedOn));
    let told = until(&mut requests, "\n\n");
    let expected = r#"{"Request":{"kind":"cancel-scan","library":"music","target":"run-7"}}"#;
    assert!(told.ends_with(&format!("event: request\ndata: {expected}\n\n")), "{told}");
    assert_eq!(bench.cancel("a1", &user("bob", None)), Ok(Taken::PassedOn));
    let told = until(&mut requests, "\n\n");
    assert!(told.ends_with("{\"Request\":{\"kind\":\"cancel-activity\",\"target\":\"a1\",\"user\":\"bob\"}}\n\n"), "{told}");
    let upload = bench.eventually("an upload", |envelope| match envelope.event {
        Event::UploadProgress(_) => envelope.event.activity_id().map(std::borrow::Cow::into_owned),
        _ => None,
    });
    assert_eq!(bench.cancel(&upload, &admin()), Ok(Taken::PassedOn));
    let told = until(&mut requests, "\n\n");
    assert!(told.contains(r#""kind":"cancel-upload","library":"music","target":"m1""#), "an upload goes by its media: {told}");
    assert_eq!(bench.cancel("a1", &user("ann", None)), Err(RequestError::Unknown));
    assert_eq!(bench.cancel("a2", &admin()), Err(RequestError::NotCancellable));
}
