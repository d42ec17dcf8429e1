//! A stand-in for a real media server that is asked about its tokens.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use parking_lot::Mutex;
use serde_json::Value;

/// What is at a path for whoever shows a token; nothing for who may not see it.
type Knows = Box<dyn Fn(&str, &str) -> Option<Value> + Send>;

/// How it is shown a token, and what it says to a bad one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manners {
    /// The line of the head that holds the token, up to where it begins; quotes around it do not count.
    pub(crate) before_token: &'static str,
    /// The body of its 401.
    pub(crate) refusal: &'static str,
}

pub(crate) struct StandIn {
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
}

struct State {
    knows: Knows,
    /// Whether it hangs up instead of answering.
    is_gone: bool,
    shown: Vec<String>,
}

impl StandIn {
    pub(crate) fn start(manners: Manners, knows: impl Fn(&str, &str) -> Option<Value> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let state = Arc::new(Mutex::new(State { knows: Box::new(knows), is_gone: false, shown: Vec::new() }));
        let for_calls = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&for_calls);
                thread::spawn(move || serve(stream, manners, &state));
            }
        });
        Self { address, state }
    }

    /// From now on it knows these.
    pub(crate) fn now_knows(&self, knows: impl Fn(&str, &str) -> Option<Value> + Send + 'static) {
        self.state.lock().knows = Box::new(knows);
    }

    /// From now on it hangs up on everybody.
    pub(crate) fn go(&self) {
        self.state.lock().is_gone = true;
    }

    pub(crate) fn come_back(&self) {
        self.state.lock().is_gone = false;
    }

    /// Every token it was shown, once for each call.
    pub(crate) fn shown(&self) -> Vec<String> {
        self.state.lock().shown.clone()
    }

    pub(crate) fn was_shown(&self, token: &str) -> usize {
        self.state.lock().shown.iter().filter(|shown| *shown == token).count()
    }
}

fn serve(stream: TcpStream, manners: Manners, state: &Mutex<State>) {
    let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines().map_while(Result::ok);
    let path = lines.next().unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_owned();
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let token = headers.iter().find_map(|line| line.strip_prefix(manners.before_token)).unwrap_or_default().trim_matches('"');
    let mut state = state.lock();
    state.shown.push(token.to_owned());
    if state.is_gone {
        return;
    }
    let found = (state.knows)(&path, token);
    let (status, body) = found.map_or_else(|| (401, manners.refusal.to_owned()), |found| (200, found.to_string()));
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _caller_may_have_gone = { stream }.write_all(format!("{head}{body}").as_bytes());
}
