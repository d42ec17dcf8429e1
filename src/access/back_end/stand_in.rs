//! A small server for tests of what asks real ones: it answers each path and token as a test says.

use std::{
    io::{BufRead, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use parking_lot::Mutex;

use crate::{
    access::{Directory, PrincipalStore},
    config::Settings,
};

/// What the server answers: by path and token the status and the body.
type Says = dyn Fn(&str, &str) -> (u16, String) + Send + Sync;

/// How such a server is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manners {
    /// The path it is served below.
    pub(super) base: &'static str,
    /// A line that every head must have.
    pub(super) line: &'static str,
    /// The line with the token, up to where it begins; quotes around it do not count.
    pub(super) before_token: &'static str,
}

pub(super) struct StandIn {
    pub(super) address: String,
    says: Arc<Mutex<Arc<Says>>>,
    /// Every call, in the order in which they came.
    pub(super) calls: Arc<Mutex<Vec<Call>>>,
}

/// What was asked.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) head: String,
    pub(super) path: String,
    pub(super) token: String,
}

impl StandIn {
    pub(super) fn start(manners: Manners, says: impl Fn(&str, &str) -> (u16, String) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}{}", listener.local_addr().expect("bound"), manners.base);
        let says: Arc<Mutex<Arc<Says>>> = Arc::new(Mutex::new(Arc::new(says)));
        let calls = Arc::<Mutex<Vec<_>>>::default();
        let (for_calls, counted) = (Arc::clone(&says), Arc::clone(&calls));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (says, calls) = (Arc::clone(&for_calls), Arc::clone(&counted));
                thread::spawn(move || serve(stream, manners, &says, &calls));
            }
        });
        Self { address, says, calls }
    }

    pub(super) fn now_says(&self, says: impl Fn(&str, &str) -> (u16, String) + Send + Sync + 'static) {
        *self.says.lock() = Arc::new(says);
    }

    pub(super) fn n_calls(&self) -> usize {
        self.calls.lock().len()
    }
}

/// A directory of these settings that remembers nothing.
pub(super) fn directory(settings: &str) -> Arc<Directory> {
    let settings = Settings::parse(settings).expect("valid settings");
    Arc::new(Directory::open(&settings, PrincipalStore::in_memory()).expect("opens").0)
}

fn serve(stream: TcpStream, manners: Manners, says: &Mutex<Arc<Says>>, calls: &Mutex<Vec<Call>>) {
    let lines = BufReader::new(stream.try_clone().expect("a socket")).lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let path = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
    let token = head.iter().find_map(|line| line.strip_prefix(manners.before_token)).unwrap_or_default().trim_matches('"').to_owned();
    calls.lock().push(Call { head: head.join("\n"), path: path.clone(), token: token.clone() });
    assert!(head.iter().any(|line| line == manners.line), "{head:?}");
    let says = Arc::clone(&says.lock());
    let (status, body) = says(&path, &token);
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nlocation: /elsewhere\r\nconnection: close\r\n\r\n", body.len());
    // A caller that does not wait for the answer is one of the tests.
    let _ = { stream }.write_all(format!("{head}{body}").as_bytes());
}
