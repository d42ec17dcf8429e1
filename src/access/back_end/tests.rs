//! A callback against a small real server that says, delays or breaks what a test tells it to.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::{
    access::{Asked, Authenticated, Denied, Directory, PrincipalChange, PrincipalStore, TokenHash, store::Changed},
    clock::Timestamp,
    config::Settings,
    event::Level,
    id::{LibraryId, UserId},
};

/// What the back end does with a request.
#[derive(Debug, Clone)]
enum Does {
    Answer(u16, String),
    Slow(Duration, u16, String),
    /// Closes with unread data, which resets the connection.
    Reset,
    Raw(Vec<u8>),
    /// Knows the tokens that begin so, as Bob's.
    Knows(&'static str),
}

struct BackEnd {
    address: String,
    does: Arc<Mutex<Does>>,
    n_calls: Arc<AtomicUsize>,
}

impl BackEnd {
    fn start(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}/who", listener.local_addr().expect("bound"));
        let (does, n_calls) = (Arc::new(Mutex::new(does)), Arc::<AtomicUsize>::default());
        let (for_calls, counted) = (Arc::clone(&does), Arc::clone(&n_calls));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (does, n_calls) = (Arc::clone(&for_calls), Arc::clone(&counted));
                thread::spawn(move || serve(stream, &does, &n_calls));
            }
        });
        Self { address, does, n_calls }
    }

    fn now_does(&self, does: Does) {
        *self.does.lock() = does;
    }

    fn n_calls(&self) -> usize {
        self.n_calls.load(Ordering::SeqCst)
    }

    fn directory(&self, auth: &str) -> Arc<Directory> {
        let people = "[[users]]\nid = \"bob\"\ntoken = \"bob-1\"\nlibraries = \"read\"\n[[users]]\nid = \"off\"\ndisabled = true\n";
        let text = format!("[auth]\ncallback = \"{}\"\n{auth}\n{people}", self.address);
        let settings = Settings::parse(&text).expect("valid settings");
        Arc::new(Directory::open(&settings, PrincipalStore::in_memory()).expect("opens").0)
    }
}

fn serve(mut stream: TcpStream, does: &Mutex<Does>, n_calls: &AtomicUsize) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    if matches!(*does.lock(), Does::Reset) && stream.peek(&mut buffer).is_ok() {
        n_calls.fetch_add(1, Ordering::SeqCst);
        return; // with data that was not read
    }
    while !String::from_utf8_lossy(&request).contains("\"token\"") || !request.ends_with(b"}") {
        match stream.read(&mut buffer) {
            Ok(n) if n > 0 => request.extend_from_slice(&buffer[..n]),
            _ => return,
        }
    }
    n_calls.fetch_add(1, Ordering::SeqCst);
    let does = does.lock().clone();
    let (status, body) = match does {
        Does::Slow(wait, status, body) => {
            thread::park_timeout(wait);
            (status, body)
        }
        Does::Answer(status, body) => (status, body),
        Does::Knows(tokens) => {
            let is_known = String::from_utf8_lossy(&request).contains(&format!(r#""token":"{tokens}"#));
            (if is_known { 200 } else { 401 }, r#"{"user":"bob"}"#.to_owned())
        }
        Does::Raw(bytes) => return drop(stream.write_all(&bytes)),
        Does::Reset => return,
    };
    let head =
        format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\nlocation: http://127.0.0.1:1/\r\n\r\n", body.len());
    // A caller that does not wait for the answer is one of the tests.
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

fn says(body: &str) -> Does {
    Does::Answer(200, body.to_owned())
}

fn refuses() -> Does {
    Does::Answer(401, String::new())
}

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread: nothing here needs a runtime.
pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    let (mut future, waker) = (pin!(future), Waker::from(Arc::new(Unpark(thread::current()))));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        thread::park_timeout(Duration::from_secs(1));
    }
}

fn ask(directory: &Arc<Directory>, token: &str) -> Result<Authenticated, Denied> {
    wait(directory.ask(token, Asked::Callback))
}

pub(super) fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(15);
    while !is() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::park_timeout(Duration::from_millis(20));
    }
}

fn user(id: &str) -> UserId {
    UserId::parse(id).expect("id")
}

fn films() -> LibraryId {
    LibraryId::parse("films").expect("id")
}

#[test]
fn a_token_nobody_here_knows_is_asked_about_once_and_remembered() {
    let back_end = BackEnd::start(says(r#"{"user":"eve","libraries":{"films":"read"}}"#));
    let directory = back_end.directory("");
    assert_eq!(directory.authenticate("t").map(|_| ()), Err(Denied::Ask(Asked::Callback)));
    let eve = ask(&directory, "t").expect("known");
    assert_eq!(eve.user(), Some(&user("eve")));
    assert!(eve.principal.has(&films(), Level::Read) && eve.principal.member);
    let again = directory.authenticate("t").expect("remembered");
    assert_eq!(again.credential, eve.credential);
    assert!(ask(&directory, "bob-1").is_ok() && ask(&directory, "").is_err() && ask(&directory, &"x".repeat(9_000)).is_err());
    assert_eq!(back_end.n_calls(), 1, "what is known here is not shown to anybody");
    back_end.now_does(says(r#"{"user":"bob"}"#));
    let bob = ask(&directory, "u").expect("known");
    assert!(Arc::ptr_eq(&bob.principal, &directory.authenticate("bob-1").expect("known").principal));
    back_end.now_does(says(r#"{"user":"off","admin":true}"#));
    assert_eq!(ask(&directory, "v").map(|_| ()), Err(Denied::Disabled));
}

#[test]
fn many_who_ask_about_one_token_make_one_call() {
    let back_end = BackEnd::start(Does::Slow(Duration::from_millis(300), 200, r#"{"user":"bob"}"#.to_owned()));
    let directory = back_end.directory("calls = 1");
    thread::scope(|scope| {
        let all: Vec<_> = (0..20).map(|_| scope.spawn(|| ask(&directory, "t").map(|_| ()))).collect();
        for one in all {
            assert_eq!(one.join().expect("no panic"), Ok(()));
        }
    });
    assert_eq!(back_end.n_calls(), 1);
}

#[test]
fn more_calls_than_allowed_are_refused_as_unavailable_at_once() {
    let back_end = BackEnd::start(Does::Slow(Duration::from_millis(700), 200, r#"{"user":"bob"}"#.to_owned()));
    let directory = back_end.directory("calls = 2");
    thread::scope(|scope| {
        for token in ["a", "b"] {
            let directory = &directory;
            scope.spawn(move || assert!(ask(directory, token).is_ok()));
        }
        eventually("both are under way", || back_end.n_calls() == 2);
        let began = Instant::now();
        assert_eq!(ask(&directory, "c").map(|_| ()), Err(Denied::Unavailable));
        assert!(began.elapsed() < Duration::from_millis(300));
    });
    assert!(ask(&directory, "c").is_ok(), "the places are free again");
}

#[test]
fn whatever_is_no_plain_answer_lets_nobody_in() {
    let back_end = BackEnd::start(Does::Reset);
    let directory = back_end.directory("timeout = \"300ms\"");
    let good = r#"{"user":"bob","admin":true}"#;
    let huge = format!(r#"{{"user":"bob","tags":["{}"]}}"#, "x".repeat(100_000));
    let table = [
        Does::Reset,
        Does::Answer(500, good.to_owned()),
        Does::Answer(204, String::new()),
        Does::Answer(201, good.to_owned()),
        Does::Answer(302, good.to_owned()),
        Does::Answer(429, good.to_owned()),
        Does::Slow(Duration::from_secs(2), 200, good.to_owned()),
        says(&huge),
        says("{\"user\":\"bob\""),
        says("{}"),
        says("<html>"),
        Does::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"user\":\"bob\"}".to_vec()),
        Does::Raw(b"nonsense\r\n\r\n".to_vec()),
        Does::Raw(Vec::new()),
    ];
    for does in table {
        back_end.now_does(does.clone());
        let began = Instant::now();
        assert_eq!(ask(&directory, "t").map(|_| ()), Err(Denied::Unavailable), "{does:.200?}");
        assert!(began.elapsed() < Duration::from_millis(1_500), "{does:.200?} took {:?}", began.elapsed());
    }
    back_end.now_does(says(good));
    assert!(ask(&directory, "t").is_ok(), "as soon as it answers, it counts");
}

#[test]
fn refusals_are_remembered_for_a_while_and_an_end_in_the_past_is_one() {
    let back_end = BackEnd::start(refuses());
    let directory = back_end.directory("cache_refusals = \"500ms\"");
    for status in [401, 403, 404] {
        back_end.now_does(Does::Answer(status, r#"{"user":"bob"}"#.to_owned()));
        assert_eq!(ask(&directory, &format!("t{status}")).map(|_| ()), Err(Denied::Unknown));
    }
    assert_eq!(ask(&directory, "t401").map(|_| ()), Err(Denied::Unknown));
    assert_eq!(back_end.n_calls(), 3);
    back_end.now_does(says(r#"{"user":"bob"}"#));
    eventually("it is asked again", || ask(&directory, "t401").is_ok());
    back_end.now_does(says(r#"{"user":"bob","expires":"2020-01-01T00:00:00Z"}"#));
    assert_eq!(ask(&directory, "old").map(|_| ()), Err(Denied::Expired));
}

#[test]
fn open_sessions_are_asked_about_again_and_follow_what_is_said() {
    let back_end = BackEnd::start(says(r#"{"user":"eve","libraries":{"films":"read"}}"#));
    let directory = back_end.directory("cache = \"1s\"");
    let mut changes = directory.changes();
    let session = ask(&directory, "t").expect("known");
    eventually("it is asked again", || back_end.n_calls() >= 3);
    let now = directory.current(&session.credential).expect("still");
    assert!(Arc::ptr_eq(&now, &session.principal), "the same answer keeps the principal");
    back_end.now_does(says(r#"{"user":"eve","libraries":{"films":"admin"}}"#));
    assert_eq!(wait(changes.next()), Some(user("eve")));
    assert!(directory.current(&session.credential).expect("still").has(&films(), Level::Admin));
    back_end.now_does(refuses());
    assert_eq!(wait(changes.next()), Some(user("eve")));
    assert_eq!(directory.current(&session.credential), None);
    directory.put_principal(&user("eve"), PrincipalChange { admin: Some(true), ..PrincipalChange::default() }).expect("kept");
    assert_eq!(directory.current(&session.credential), None, "a change of rights brings back nobody who was refused");
}

#[test]
fn a_key_without_a_user_is_told_as_one_and_another_user_ends_the_session() {
    let back_end = BackEnd::start(says(r#"{"libraries":"read"}"#));
    let directory = back_end.directory("cache = \"1s\"");
    let mut changes = directory.changes();
    let session = ask(&directory, "t").expect("known");
    assert_eq!(session.user(), None);
    back_end.now_does(says(r#"{"user":"bob"}"#));
    assert_eq!(wait(changes.next()), None);
    assert_eq!(directory.current(&session.credential), None, "the connection is counted for nobody: he must come in anew");
    assert_eq!(ask(&directory, "t").expect("known").user(), Some(&user("bob")));
}

#[test]
fn while_the_back_end_is_gone_sessions_stay_until_the_limit_and_nobody_new_comes_in() {
    let back_end = BackEnd::start(says(r#"{"user":"eve","libraries":"read"}"#));
    let directory = back_end.directory("cache = \"1s\"\nkeep_unchecked = \"2s\"");
    let mut changes = directory.changes();
    let began = Instant::now();
    let session = ask(&directory, "t").expect("known");
    back_end.now_does(Does::Reset);
    assert_eq!(ask(&directory, "new").map(|_| ()), Err(Denied::Unavailable));
    eventually("what was said is too old", || directory.authenticate("t").is_err());
    assert_eq!(ask(&directory, "t").map(|_| ()), Err(Denied::Unavailable), "an old answer opens no new connection");
    assert!(directory.current(&session.credential).is_some(), "who is in stays");
    assert_eq!(wait(changes.next()), Some(user("eve")));
    assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(directory.current(&session.credential), None);
}

#[test]
fn a_session_ends_when_the_answer_says_and_a_revoked_token_stays_out() {
    let ends = jiff::Timestamp::now() + Duration::from_millis(1_500);
    let back_end = BackEnd::start(says(&format!(r#"{{"user":"eve","libraries":"read","expires":"{ends}"}}"#)));
    let directory = back_end.directory("");
    let mut changes = directory.changes();
    let session = ask(&directory, "t").expect("known");
    assert!(session.credential.expires().is_some());
    assert_eq!(wait(changes.next()), Some(user("eve")));
    assert!(directory.current(&session.credential).is_none() && jiff::Timestamp::now() >= ends);
    back_end.now_does(says(r#"{"user":"eve"}"#));
    let other = ask(&directory, "other").expect("known");
    directory.put_principal(&user("eve"), PrincipalChange { revoke_tokens: true, ..PrincipalChange::default() }).expect("kept");
    assert_eq!(directory.current(&other.credential), None);
    assert_eq!(ask(&directory, "other").map(|_| ()), Err(Denied::Unknown));
    assert!(ask(&directory, "a new one").is_ok());
}

#[test]
fn what_is_remembered_is_bounded_and_what_nobody_uses_goes() {
    let back_end = BackEnd::start(Does::Knows("held"));
    let directory = back_end.directory("cache = \"1s\"\ncache_refusals = \"1s\"\ncache_entries = 20");
    let held: Vec<_> = (0..30).map(|n| ask(&directory, &format!("held{n}")).expect("known")).collect();
    for n in 0..100 {
        assert!(ask(&directory, &format!("wrong{n}")).is_err());
        assert!(directory.n_remembered() <= 30 + 20 + 1, "{}", directory.n_remembered());
    }
    assert!(held.iter().all(|session| directory.current(&session.credential).is_some()), "no open session is forgotten");
    drop(held);
    eventually("all is forgotten", || directory.n_remembered() == 0);
}

#[test]
fn who_comes_back_while_open_sessions_wait_their_turn_waits_for_one_call_only() {
    let back_end = BackEnd::start(says(r#"{"user":"bob"}"#));
    let directory = back_end.directory("cache = \"1s\"\ntimeout = \"500ms\"\ncalls = 1");
    let open: Vec<_> = (0..20).map(|n| ask(&directory, &format!("t{n}")).expect("known")).collect();
    back_end.now_does(Does::Slow(Duration::from_secs(20), 200, String::new()));
    let n_before = back_end.n_calls();
    eventually("open sessions are asked about", || back_end.n_calls() > n_before);
    eventually("the last one is due", || directory.authenticate("t19").is_err());
    thread::park_timeout(Duration::from_millis(400)); // until it stands in the queue, behind the others
    let began = Instant::now();
    assert_eq!(ask(&directory, "t19").map(|_| ()), Err(Denied::Unavailable));
    assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
    assert!(open.iter().all(|session| directory.current(&session.credential).is_some()), "who is in stays");
}

#[test]
fn what_was_asked_before_a_revocation_is_in_force_does_not_escape_it() {
    let back_end = BackEnd::start(says(r#"{"user":"eve","libraries":"read"}"#));
    let directory = back_end.directory("cache = \"1s\"");
    // Answered after the known tokens were listed, and before the list is kept and in force.
    let mut between = None;
    let revocation = |own: &mut Changed, known: &mut dyn Iterator<Item = TokenHash>| {
        own.revoked.extend(known.map(|hash| hash.to_hex()));
        own.revoked_at = Some(Timestamp::now());
        between = ask(&directory, "between").ok();
    };
    directory.change(&user("eve"), revocation).expect("kept");
    let between = between.expect("not in force yet");
    assert_eq!(directory.current(&between.credential), None);
    assert_eq!(ask(&directory, "between").map(|_| ()), Err(Denied::Unknown));
    // Answered after it is in force, to a question from before.
    back_end.now_does(Does::Slow(Duration::from_millis(700), 200, r#"{"user":"eve","libraries":"read"}"#.to_owned()));
    let n_before = back_end.n_calls();
    thread::scope(|scope| {
        let late = scope.spawn(|| ask(&directory, "late").map(|_| ()));
        eventually("it is asked", || back_end.n_calls() > n_before);
        directory.put_principal(&user("eve"), PrincipalChange { revoke_tokens: true, ..PrincipalChange::default() }).expect("kept");
        assert_eq!(late.join().expect("no panic"), Err(Denied::Unknown));
    });
    drop(between);
    assert!(ask(&directory, "a new one").is_ok());
    eventually("who is asked about anew is whom the back end knows", || ask(&directory, "late").is_ok());
}
