//! A back end that is asked who a token belongs to: who gets in by it, who stays in, and that nobody does when it fails.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, PEOPLE, Request, Server, Sse, eventually, medias, token_of};

/// What the back end does when it is asked.
#[derive(Debug, Clone)]
enum Does {
    Answer(u16, String),
    Slow,
    Reset,
}

struct BackEnd {
    address: String,
    does: Arc<Mutex<(Does, usize)>>,
}

impl BackEnd {
    fn start(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}/who?key=of-the-operator", listener.local_addr().expect("bound"));
        let does = Arc::new(Mutex::new((does, 0)));
        let for_calls = Arc::clone(&does);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let does = Arc::clone(&for_calls);
                thread::spawn(move || serve(stream, &does));
            }
        });
        Self { address, does }
    }

    fn now_does(&self, does: Does) {
        self.does.lock().0 = does;
    }

    fn n_calls(&self) -> usize {
        self.does.lock().1
    }

    fn server(&self, auth: &str) -> Server {
        Server::start(&format!("[auth]\ncallback = {:?}\n{auth}\n{PEOPLE}", self.address))
    }
}

fn serve(mut stream: TcpStream, does: &Mutex<(Does, usize)>) {
    let mut buffer = [0; 4096];
    if stream.peek(&mut buffer).is_err() {
        return;
    }
    let does = {
        let mut does = does.lock();
        does.1 += 1;
        does.0.clone()
    };
    let Does::Answer(status, body) = does else {
        if matches!(does, Does::Slow) {
            // Until the caller has had enough: it closes.
            while stream.read(&mut buffer).is_ok_and(|n| n > 0) {}
        }
        return; // with data that was not read, which resets the connection
    };
    let mut request = Vec::new();
    while !request.ends_with(b"\"}") {
        match stream.read(&mut buffer) {
            Ok(n) if n > 0 => request.extend_from_slice(&buffer[..n]),
            _ => return,
        }
    }
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _caller_may_have_gone = stream.write_all(format!("{head}{body}").as_bytes());
}

fn says(answer: &Value) -> Does {
    Does::Answer(200, answer.to_string())
}

fn reader_of(library: &str) -> Value {
    json!({"user": "eve", "libraries": {library: "read"}})
}

/// Asks for a stream that is answered as by a server that is full: with nothing but when to come back.
fn sent_away(server: &Server, token: &str) {
    let mut sse = Sse::ask(server, &Request::new("GET", "/sse").bearer(token));
    assert_eq!(sse.head().status, 200, "a browser never comes back from an error");
    sse.expect_end(PATIENCE);
    assert!(sse.retries().len() == 1 && !sse.raw().contains("data:"), "{:?}", sse.raw());
}

#[test]
fn who_the_back_end_knows_gets_in_and_who_it_refuses_does_not() {
    let back_end = BackEnd::start(says(&reader_of("lib1")));
    let server = back_end.server("");
    let mut streams: Vec<_> = (0..5).map(|_| Sse::open(&server, "/sse", "a-token-of-elsewhere")).collect();
    server.publish_all(&[medias("lib2", "hidden"), medias("lib1", "shown")]);
    for stream in &mut streams {
        assert!(stream.expect("medias").data.contains("shown"));
    }
    assert_eq!(back_end.n_calls(), 1, "the answer counts for a while");
    back_end.now_does(says(&json!({"publish": true})));
    assert_eq!(server.publish("a-publisher-of-elsewhere", &medias("lib1", "x")).0, 200);
    back_end.now_does(Does::Answer(403, String::new()));
    let refused = Request::new("GET", "/sse").bearer("nobody").send(&server);
    assert_eq!(refused.status, 401);
    assert_eq!(server.publish("nobody-either", &medias("lib1", "x")).0, 401);
    assert!(!server.log().contains("token-of-elsewhere") && !server.log().contains("of-the-operator"), "{}", server.log());
}

#[test]
fn open_streams_follow_what_the_back_end_says_and_end_when_it_refuses() {
    let back_end = BackEnd::start(says(&reader_of("lib1")));
    let server = back_end.server("cache = \"1s\"");
    let mut stream = Sse::open(&server, "/sse", "t");
    let mut of_key = {
        back_end.now_does(says(&json!({"libraries": {"lib1": "read"}})));
        Sse::open(&server, "/sse", "key")
    };
    back_end.now_does(says(&reader_of("lib2")));
    eventually("the other library is seen", PATIENCE, || {
        server.publish_all(&[medias("lib2", "m")]);
        stream.next_event(Duration::from_millis(100)).map(|event| assert!(event.data.contains("\"m\"")))
    });
    of_key.expect_end(PATIENCE); // it was nobody's and is Eve's now: it must come in anew
    back_end.now_does(Does::Answer(401, String::new()));
    let refused_from = Instant::now();
    while stream.next_event(Duration::from_secs(5)).is_some() {}
    stream.expect_end(Duration::from_millis(10));
    assert!(refused_from.elapsed() < Duration::from_secs(4), "{:?}", refused_from.elapsed());
    assert!(stream.retries().len() <= 1, "coming back with this token is pointless: {:?}", stream.retries());
}

#[test]
fn while_the_back_end_fails_nobody_new_comes_in_and_who_is_in_stays_for_a_while() {
    for fails in [Does::Slow, Does::Answer(500, reader_of("lib1").to_string()), Does::Reset] {
        let back_end = BackEnd::start(says(&reader_of("lib1")));
        let server = back_end.server("cache = \"1s\"\ntimeout = \"500ms\"\nkeep_unchecked = \"3s\"");
        let mut live = Sse::open(&server, "/sse", "t");
        let mut known = Sse::open(&server, "/sse", &token_of("reader"));
        let began = Instant::now();
        back_end.now_does(fails.clone());
        sent_away(&server, "new");
        let (status, body) = server.publish("new-publisher", &medias("lib1", "x"));
        assert_eq!(status, 503, "{fails:?}: {body}");
        server.publish_all(&[medias("lib1", "meanwhile")]);
        for stream in [&mut live, &mut known] {
            assert!(stream.expect("medias").data.contains("meanwhile"), "{fails:?}");
        }
        live.expect_end(Duration::from_secs(10));
        assert!(began.elapsed() > Duration::from_millis(3_500), "{fails:?}: kept for {:?}", began.elapsed());
        known.expect_nothing(Duration::from_millis(50));
        back_end.now_does(says(&reader_of("lib1")));
        drop(Sse::open(&server, "/sse", "new"));
    }
}

#[test]
fn a_slow_back_end_holds_up_nobody_who_is_known_here() {
    let back_end = BackEnd::start(Does::Slow);
    let server = back_end.server("timeout = \"3s\"\ncalls = 4");
    let asking = |token: String| {
        let address = server.address();
        thread::spawn(move || Request::new("GET", "/sse").bearer(&token).send_to(&address))
    };
    let waiting: Vec<_> = (0..4).map(|n| asking(format!("slow-{n}"))).collect();
    eventually("all are under way", PATIENCE, || (back_end.n_calls() == 4).then_some(()));
    let began = Instant::now();
    sent_away(&server, "one-too-many");
    let mut known = Sse::open(&server, "/sse", &token_of("reader"));
    server.publish_all(&[medias("lib1", "m")]);
    assert!(known.expect("medias").data.contains("\"m\""));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    for answer in waiting {
        let answer = answer.join().expect("no panic").expect("an answer");
        assert!(answer.status == 200 && !answer.body.contains("data:"), "{} {}", answer.status, answer.body);
    }
}

#[test]
fn a_user_who_is_refused_here_is_refused_whatever_the_back_end_says() {
    let back_end = BackEnd::start(says(&json!({"user": "reader", "admin": true})));
    let server = back_end.server("");
    let mut stream = Sse::open(&server, "/sse", "t");
    assert_eq!(server.put_principal("reader", &json!({"disabled": true})).status, 200);
    stream.expect_end(Duration::from_secs(2));
    assert_eq!(Request::new("GET", "/sse").bearer("t").send(&server).status, 401);
    assert_eq!(Request::new("GET", "/sse").bearer("u").send(&server).status, 401);
}

#[test]
fn a_neighbour_with_bad_tokens_shuts_nobody_out_and_keeps_the_back_end_little_busy() {
    let back_end = BackEnd::start(Does::Answer(401, String::new()));
    let server = back_end.server("");
    let show = |token: &str| Request::new("GET", "/sse").bearer(token).send(&server);
    for number in 0..10 {
        assert_eq!(show(&format!("bad-{number}")).status, 401);
    }
    assert_eq!(show("bad-10").status, 429, "the address must wait");
    back_end.now_does(says(&reader_of("lib1")));
    // Both questions of the second may be taken; whoever comes back gets in.
    eventually("a good token opens a stream", PATIENCE, || {
        let mut sse = Sse::ask(&server, &Request::new("GET", "/sse").bearer("good"));
        assert_eq!(sse.head().status, 200);
        server.publish_all(&[medias("lib1", "m")]);
        sse.next_event(Duration::from_millis(200))
    });
    back_end.now_does(Does::Answer(401, String::new()));
    let (began, n_before) = (Instant::now(), back_end.n_calls());
    let statuses: Vec<u16> = (0..50).map(|number| show(&format!("worse-{number}")).status).collect();
    let n_at_most = 2 * (2 + usize::try_from(began.elapsed().as_secs()).expect("small"));
    assert!(back_end.n_calls() - n_before <= n_at_most, "{} questions", back_end.n_calls() - n_before);
    // Those asked about are bad; the others may be good, and are sent away as by a server that is full.
    assert!(statuses.iter().all(|status| [200, 429].contains(status)) && statuses.contains(&200), "{statuses:?}");
}
