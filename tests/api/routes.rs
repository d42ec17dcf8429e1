//! Without a token nobody gets anything but health, however the request is spelt; and no trick makes one request two.
//!
//! The routes are read from the source, so that a new one is tried here without being listed.

mod source;

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::harness::{PATIENCE, PEOPLE, Request, SILENCE, Server, token_of};
pub(crate) use source::routes_in_the_source;

const METHODS: [&str; 11] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "MAKEMINE"];

/// What health says; nothing else may be answered 200 to somebody without a token, but the two below.
const HEALTH: [&str; 3] = ["ok\n", "ready\n", "OK"];

/// What an open endpoint says: what this server is called, and nothing of anybody's.
const IDENTITY: &str = "<MediaContainer size=\"0\" claimed=\"1\" machineIdentifier=\"";

/// What the open endpoints of media servers say: what and where this server is, the time, and that nobody is told of users.
const OPEN: [&str; 7] = [
    "\"WebSocketPortNumber\":",
    "\"ProductName\":\"Jellyfin Server\"",
    "\"RequestReceptionTime\":",
    "\"Jellyfin Server\"",
    "{\"success\":true,",
    "{\"app\":\"audiobookshelf\",",
    "{\"redirect_url\":null}",
];

/// The route's paths with something in the places of its names.
fn concrete() -> Vec<String> {
    let part = |part: &str| match part {
        "{user}" => "reader".to_owned(),
        part if part.starts_with('{') => "lib1".to_owned(),
        part => part.to_owned(),
    };
    routes_in_the_source().iter().map(|route| route.split('/').map(part).collect::<Vec<_>>().join("/")).collect()
}

/// Ways to write a path that some server somewhere takes for it.
fn spellings(path: &str) -> Vec<Vec<u8>> {
    let rest = path.trim_start_matches('/');
    let (first, tail) = rest.split_at(rest.len().min(1));
    let encoded: String = rest.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let half = format!("/%{:02x}{tail}", first.bytes().next().unwrap_or(b'.'));
    let long = "a".repeat(60_000);
    let mut all: Vec<Vec<u8>> = [
        path.to_owned(),
        format!("//{rest}"),
        format!("///{rest}"),
        path.to_uppercase(),
        format!("{path}/"),
        format!("{path}//"),
        half,
        format!("/{encoded}"),
        format!("{path}?x=/healthz"),
        format!("{path}?/healthz"),
        format!("{path};/healthz"),
        format!("{path};jsessionid=1"),
        format!("/.{path}"),
        format!("/./{rest}"),
        format!("/x/../{rest}"),
        format!("/healthz/..{path}"),
        format!("/healthz/%2e%2e{path}"),
        format!("/healthz/..;{path}"),
        format!("/healthz%2f..%2f{rest}"),
        format!("/healthz?{path}"),
        format!("/healthz#{path}"),
        format!("{path}#/healthz"),
        format!("{path}%23/healthz"),
        path.replace('/', "//"),
        path.replace('/', "/./"),
        path.replace('/', "%2f"),
        path.replace('/', "\\"),
        path.replace('/', "/%2e/"),
        format!("{path}%3f"),
        format!("{path}%3f/healthz"),
        format!("{path}."),
        format!("{path}.."),
        format!("{path}/."),
        format!("{path}/.."),
        format!("{path}.json"),
        format!("{path}%00"),
        format!("{path}%00/healthz"),
        format!("{path}%20"),
        format!("{path}%0d%0aX:%20y"),
        format!("{path}%"),
        format!("{path}%zz"),
        format!("{path}%c0%af"),
        format!("/healthz%c0%ae%c0%ae{path}"),
        format!("{path}/{long}"),
        format!("{path}?{long}"),
        format!("/{}{rest}", "../".repeat(2_000)),
        format!("http://127.0.0.1{path}"),
        format!("http://evil.example{path}"),
        format!("HTTP://127.0.0.1:1{path}"),
        format!("https://127.0.0.1{path}"),
        format!("http://user:secret@127.0.0.1{path}"),
        format!("http://127.0.0.1/healthz/..{path}"),
        format!("file://{path}"),
        rest.to_owned(),
        "*".to_owned(),
        "127.0.0.1:80".to_owned(),
        String::new(),
        format!("{path} "),
        format!("{path} HTTP/1.1 x"),
    ]
    .map(String::into_bytes)
    .into();
    all.extend(
        [&b"\0"[..], b"\0/healthz", b"\x7f", b"\xff\xfe", "\u{e9}".as_bytes(), b"\t", b"\x0b"].map(|end| [path.as_bytes(), end].concat()),
    );
    all
}

/// Headers and query of somebody who has no token, and says so in odd ways.
const WITHOUT_TOKEN: [(&str, &str); 18] = [
    ("", "Authorization: Bearer \r\n"),
    ("", "Authorization: Bearer\r\n"),
    ("", "Authorization: \r\n"),
    ("", "Authorization: Bearer  \t \r\n"),
    ("", "Authorization: Bearer null\r\n"),
    ("", "Authorization: Basic cm9vdDo=\r\n"),
    ("", "Authorization: Bearer a, Bearer b\r\n"),
    ("", "Authorization: Bearer \r\nAuthorization: Bearer \r\n"),
    ("", "Authorization: Bearer wrong\r\nAuthorization: Bearer wrong-too\r\n"),
    ("", "Cookie: token=; fanfare_token=; authorization=\r\n"),
    ("", "X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\n"),
    ("", "X-Original-URL: /healthz\r\nX-Rewrite-URL: /healthz\r\nX-HTTP-Method-Override: OPTIONS\r\n"),
    ("?token=", ""),
    ("?token", ""),
    ("?token=&token=", ""),
    ("?token=wrong&token=wrong-too", "Authorization: Bearer \r\n"),
    ("?token=%00", ""),
    ("?token[]=a&TOKEN=b&%74oken=", ""),
];

/// A connection from an address of its own, so that what is counted per address counts nothing here.
fn connect_from_anywhere(server: &Server) -> TcpStream {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let [_, _, high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let address: SocketAddr = server.address().parse().expect("an address");
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddrV4::new(Ipv4Addr::new(127, 77, high, low), 0).into()).expect("every address of 127/8 is ours");
    socket.connect(&address.into()).expect("the server accepts");
    socket.into()
}

/// What the server says to these bytes until it closes, or has been silent for a moment after its answer.
struct Said {
    bytes: Vec<u8>,
    closed: bool,
}

impl Said {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The status of each answer; a body that looks like a status line would count, and none does.
    fn statuses(&self) -> Vec<u16> {
        let text = self.text();
        let lines = text.split("HTTP/1.1 ").skip(1).chain(text.split("HTTP/1.0 ").skip(1));
        lines.filter_map(|rest| rest.get(..3)?.parse().ok()).collect()
    }

    fn body(&self) -> String {
        self.text().split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    }
}

fn say(server: &Server, bytes: &[u8]) -> Said {
    let mut stream = connect_from_anywhere(server);
    stream.set_write_timeout(Some(PATIENCE)).expect("a TCP option");
    // A server that refuses early may close while it is written; its answer is what counts.
    let _refused_early = stream.write_all(bytes);
    let (mut said, deadline) = (Said { bytes: Vec::new(), closed: false }, Instant::now() + PATIENCE);
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        stream.set_read_timeout(Some(if said.bytes.is_empty() { left } else { SILENCE })).expect("a TCP option");
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer) {
            Ok(0) => said.closed = true,
            Ok(length) => {
                said.bytes.extend_from_slice(&buffer[..length]);
                continue;
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => said.closed = true,
        }
        return said;
    }
}

/// Says all of them, some at a time, and gives back what must not have been said, with its request.
fn all_at_once(server: &Server, requests: &[Vec<u8>], wrong: impl Fn(&[u8], &Said) -> Option<String> + Sync) -> Vec<String> {
    let share = requests.len().div_ceil(16).max(1);
    let judge = |request: &Vec<u8>| {
        let said = say(server, request);
        wrong(request, &said).map(|why| format!("{why}: {:?} was answered {:?}", shown(request), shown(&said.bytes)))
    };
    thread::scope(|scope| {
        let threads: Vec<_> =
            requests.chunks(share).map(|some| scope.spawn(|| some.iter().filter_map(judge).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    })
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned()
}

fn request(method: &str, target: &[u8], headers: &str) -> Vec<u8> {
    [method.as_bytes(), b" ", target, format!(" HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}Connection: close\r\n\r\n").as_bytes()].concat()
}

fn requested_path(request: &[u8]) -> &[u8] {
    request.split(|&byte| byte == b' ').nth(1).unwrap_or_default()
}

/// A header of the documents for browsers, and of nothing else.
const DOCUMENT: &str = "content-security-policy: default-src 'none'; script-src 'sha256-";

/// Why this answer to somebody without a token is wrong.
fn gives_something(request: &[u8], said: &Said) -> Option<String> {
    let [status] = said.statuses()[..] else {
        // No answer at all is a refusal, if the connection is closed.
        return (!said.statuses().is_empty() || !said.closed).then(|| "not one answer, and not closed".to_owned());
    };
    let head = request.starts_with(b"HEAD ") || request.starts_with(b"GET ");
    match status {
        200 if head && HEALTH.contains(&said.body().as_str()) => None,
        // The start page says what this is, and holds nothing of anybody's.
        200 if head && requested_path(request) == b"/" && shown(request).contains("text/html") => None,
        // So does the console, which asks for a token before it shows anything.
        200 if head && said.body().contains("<title>Fanfare console</title>") => None,
        200 if request.starts_with(b"HEAD ") && said.body().is_empty() && said.text().contains(DOCUMENT) => None,
        200 if head && said.body().contains(IDENTITY) => None,
        200 if OPEN.iter().any(|known| said.body().contains(known)) || said.body() == "[]" => None,
        204 if request.starts_with(b"OPTIONS ") && said.body().is_empty() => None,
        400..500 => None,
        other => Some(format!("{other}")),
    }
}

#[test]
fn the_routes_are_found_in_the_source_and_are_really_there() {
    let routes = routes_in_the_source();
    for known in [
        "/sse",
        "/:/websockets/notifications",
        "/activities/{id}",
        "/api/events",
        "/api/connections",
        "/api/principals/{user}",
        "/api/libraries/{id}/medias",
        "/healthz",
        "/metrics",
    ] {
        assert!(routes.contains(known), "{known} is not among {routes:?}");
    }
    let server = Server::start(PEOPLE);
    for path in concrete().iter().filter(|path| *path != "/metrics" && *path != "/") {
        let there = ["GET", "POST", "DELETE"].iter().any(|method| {
            let said = say(&server, &request(method, path.as_bytes(), &format!("Authorization: Bearer {}\r\n", token_of("root"))));
            // A resource without that method says 404 or 405 of itself: what counts is that one of them is served.
            said.statuses().first().is_some_and(|status| !matches!(status, 404 | 405)) || said.text().contains("no watched folder")
        });
        assert!(there, "{path} is a route in the source, and the server knows nothing of it");
    }
}

#[test]
fn no_method_and_no_spelling_of_a_path_gives_anything_without_a_token() {
    let server = Server::start(PEOPLE);
    let mut requests = Vec::new();
    for path in concrete().iter().map(String::as_str).chain(["/", "/metrics", "/nothing-here"]) {
        for method in METHODS {
            requests.extend(spellings(path).iter().map(|target| request(method, target, "")));
            requests.push(request(method, path.as_bytes(), "Accept: text/html\r\n"));
        }
    }
    let wrong = all_at_once(&server, &requests, gives_something);
    assert!(wrong.is_empty(), "{} of {} requests:\n{}", wrong.len(), requests.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert_eq!(server.metric("fanfare_connections"), 0.0, "nobody was let in");
}

#[test]
fn no_endpoint_is_looked_for_behind_a_path_longer_than_any() {
    // `{command}` is anything, so this would lead to it.
    let server = Server::start(PEOPLE);
    let post = |length: usize| {
        let path = format!("/Sessions/lib1/Command/{}", "a".repeat(length - "/Sessions/lib1/Command/".len()));
        say(&server, &request("POST", path.as_bytes(), "Content-Length: 0\r\n")).statuses()
    };
    assert_eq!((post(4096), post(4097)), (vec![401], vec![404]));
}

#[test]
fn nothing_that_is_nearly_a_token_gives_anything() {
    let server = Server::start(PEOPLE);
    let mut requests = Vec::new();
    for path in concrete() {
        for method in METHODS {
            requests.extend(WITHOUT_TOKEN.map(|(query, headers)| request(method, format!("{path}{query}").as_bytes(), headers)));
        }
    }
    let wrong = all_at_once(&server, &requests, gives_something);
    assert!(wrong.is_empty(), "{} of {} requests:\n{}", wrong.len(), requests.len(), wrong[..wrong.len().min(40)].join("\n"));
}

#[test]
fn only_health_the_console_and_the_servers_identity_answer_200_to_a_plain_request_without_a_token() {
    let server = Server::start(PEOPLE);
    for path in concrete() {
        let status = Request::new("GET", &path).send(&server).status;
        let is_open = matches!(
            path.as_str(),
            "/healthz"
                | "/readyz"
                | "/console"
                | "/identity"
                | "/System/Info/Public"
                | "/System/Info"
                | "/System/Ping"
                | "/GetUTCTime"
                | "/Users/Public"
                | "/ping"
                | "/healthcheck"
                | "/status"
        );
        assert_eq!(status == 200, is_open, "{path}: {status}");
    }
}

/// Requests whose end is a matter of opinion; each is followed by what would be read as a second one.
fn ambiguous() -> Vec<(&'static str, &'static str)> {
    vec![
        ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n"),
        ("Content-Length: 5\r\nContent-Length: 0\r\n", "hello"),
        ("Content-Length: 0\r\nContent-Length: 5\r\n", "hello"),
        ("Content-Length: 5, 0\r\n", "hello"),
        ("Content-Length: +5\r\n", "hello"),
        ("Content-Length: -1\r\n", ""),
        ("Content-Length: 0x5\r\n", "hello"),
        ("Content-Length: 5 5\r\n", "hello"),
        ("Content-Length: 5;\r\n", "hello"),
        ("Content-Length: \r\n", ""),
        ("Content-Length: 18446744073709551621\r\n", "hello"),
        ("Content-Length: five\r\n", "hello"),
        ("Host: other\r\n", ""),
        ("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: identity\r\nContent-Length: 0\r\n", ""),
        ("Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding:\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
        (" Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"),
        ("X: a\r\n Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("X: a\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("X: a\0b\r\n", ""),
        ("Content-Length : 5\r\n", "hello"),
        (": empty\r\n", ""),
        ("Transfer-Encoding: chunked\r\n", "0x0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "+0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "-1\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", " 0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "0\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "0;a\nb\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "0;\r\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "10000000000000000\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "1\r\nab0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "1\r\na0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "zz\r\n\r\n"),
    ]
}

const SECOND_REQUEST: &str = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

#[test]
fn a_request_whose_end_is_ambiguous_is_never_followed_by_a_second_one() {
    let server = Server::start(PEOPLE);
    let (publisher, reader) = (token_of("publisher"), token_of("reader"));
    let mut requests = Vec::new();
    for (headers, body) in ambiguous() {
        for (method, path) in
            [("GET", "/sse"), ("POST", "/sse"), ("POST", "/api/events"), ("GET", "/api/connections"), ("POST", "/nothing-here")]
        {
            for authorization in ["", &format!("Authorization: Bearer {publisher}\r\n"), &format!("Authorization: Bearer {reader}\r\n")] {
                let first = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{authorization}{headers}\r\n{body}");
                requests.push(format!("{first}{SECOND_REQUEST}").into_bytes());
            }
        }
    }
    let wrong = all_at_once(&server, &requests, |request, said| {
        let statuses = said.statuses();
        // A stream is opened before a body that nobody wants is looked at; a broken one ends it.
        let stream = request.starts_with(b"GET /sse") && said.text().contains("text/event-stream");
        let refused = statuses.iter().all(|status| (400..500).contains(status) || (stream && *status == 200));
        (statuses.len() > 1 || !refused || !said.closed).then(|| format!("{statuses:?}, closed: {}", said.closed))
    });
    assert!(wrong.is_empty(), "{} of {} requests:\n{}", wrong.len(), requests.len(), wrong[..wrong.len().min(60)].join("\n"));
}

#[test]
fn two_sound_requests_are_two_answers() {
    // That the test above can fail: without a trick the second request is read.
    let server = Server::start(PEOPLE);
    let said = say(&server, format!("GET /nothing-here HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n{SECOND_REQUEST}").as_bytes());
    assert_eq!(said.statuses(), [404, 200], "{}", said.text());
}
