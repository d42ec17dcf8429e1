//! `GET /sse` as document 002 describes it, byte by byte where it matters.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::harness::{PEOPLE, Request, SILENCE, Server, Sse, connect, medias, progress_of, token_of};

fn media_id(sse: &mut Sse) -> String {
    sse.expect("medias").json()["Medias"]["medias"][0]["media"]["id"].as_str().expect("an id").to_owned()
}

#[test]
fn an_accepted_stream_has_the_headers_of_an_event_stream_at_once() {
    let server = Server::start(PEOPLE);
    let request = Request::new("GET", &format!("/sse?token={}", token_of("reader"))).header("origin", "http://elsewhere.example");
    let sse = Sse::ask(&server, &request);
    let head = sse.head();
    assert_eq!(head.status, 200);
    assert!(head.header("content-type").expect("content-type").starts_with("text/event-stream"), "{head:?}");
    assert!(head.header("cache-control").expect("cache-control").contains("no-cache"), "{head:?}");
    assert_eq!(head.header("x-accel-buffering"), Some("no"), "a proxy must not hold events back");
    assert_eq!(head.header("access-control-allow-origin"), Some("*"), "a request by token may come from any page");
    assert_eq!(head.header("access-control-allow-credentials"), None);
    assert_eq!(head.header("content-length"), None);
}

#[test]
fn an_event_is_two_lines_and_a_blank_one() {
    let server = Server::start(PEOPLE);
    let mut sse = Sse::open(&server, "/sse", &token_of("reader"));
    server.publish_all(&[medias("lib1", "m1")]);
    let event = sse.expect("medias");
    assert!(sse.raw().contains(&format!("event: medias\ndata: {}\n\n", event.data)), "{:?}", sse.raw());
    assert_eq!(event.json(), json!({"Medias": medias("lib1", "m1")["data"]}));
}

#[test]
fn a_token_in_the_query_is_as_good_as_one_in_the_header_and_the_header_wins() {
    let server = Server::start(PEOPLE);
    let mut by_query = Sse::ask(&server, &Request::new("GET", &format!("/sse?token={}", token_of("reader"))));
    let mut header_wins =
        Sse::ask(&server, &Request::new("GET", &format!("/sse?token={}", token_of("stranger"))).bearer(&token_of("reader")));
    assert_eq!((by_query.head().status, header_wins.head().status), (200, 200));
    server.publish_all(&[medias("lib1", "m1")]);
    assert_eq!(media_id(&mut by_query), "m1");
    assert_eq!(media_id(&mut header_wins), "m1");
}

#[test]
fn no_or_wrong_credentials_are_401_json_before_any_stream() {
    let server = Server::start(PEOPLE);
    let wrong = [
        Request::new("GET", "/sse"),
        Request::new("GET", "/sse?token="),
        Request::new("GET", "/sse?token=wrong"),
        Request::new("GET", "/sse").bearer("wrong"),
        Request::new("GET", "/sse").header("authorization", &format!("Basic {}", token_of("reader"))),
    ];
    for request in wrong {
        let answer = request.header("accept", "text/event-stream").header("origin", "http://elsewhere.example").send(&server);
        assert_eq!(answer.status, 401, "{}", answer.body);
        assert!(answer.header("content-type").expect("content-type").starts_with("application/json"));
        assert!(answer.json().is_object());
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "a page must be able to read why");
    }
}

#[test]
fn other_methods_get_no_stream() {
    let server = Server::start(PEOPLE);
    for method in ["POST", "PUT", "DELETE", "HEAD"] {
        let answer = Request::new(method, "/sse").bearer(&token_of("reader")).send(&server);
        assert!(matches!(answer.status, 404 | 405), "{method}: {}", answer.status);
    }
}

#[test]
fn a_preflight_allows_what_clients_send_across_origins() {
    let server = Server::start(PEOPLE);
    let request = Request::new("OPTIONS", "/sse").header("origin", "http://elsewhere.example");
    let request = request.header("access-control-request-method", "GET");
    let answer = request.header("access-control-request-headers", "authorization,last-event-id,cache-control").send(&server);
    assert!((200..300).contains(&answer.status), "{}", answer.status);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let allowed = answer.header("access-control-allow-headers").expect("allowed headers").to_ascii_lowercase();
    for header in ["authorization", "last-event-id", "cache-control"] {
        assert!(allowed.contains(header), "{header} is not in {allowed}");
    }
}

#[test]
fn the_libraries_filter_narrows_to_exact_ids() {
    let server = Server::start(PEOPLE);
    let root = token_of("root");
    let mut both = Sse::open(&server, "/sse?libraries=lib1,%20lib3", &root);
    let mut none = Sse::open(&server, "/sse?libraries=", &root);
    let mut unknown = Sse::open(&server, "/sse?libraries=LIB1,nowhere&unknown=parameter", &root);
    server.publish_all(&[medias("lib1", "m1"), medias("lib2", "m2"), medias("lib3", "m3"), medias("lib1", "m4")]);
    assert_eq!([media_id(&mut both), media_id(&mut both), media_id(&mut both)], ["m1", "m3", "m4"]);
    none.expect_nothing(SILENCE);
    unknown.expect_nothing(SILENCE);
}

#[test]
fn a_filter_never_gives_more_than_the_rights_do() {
    let server = Server::start(PEOPLE);
    let mut sse = Sse::open(&server, "/sse?libraries=lib1,lib2", &token_of("reader"));
    server.publish_all(&[medias("lib2", "hidden"), medias("lib1", "seen")]);
    assert_eq!(media_id(&mut sse), "seen");
}

#[test]
fn an_event_without_a_library_passes_no_filter_unless_the_servers_spelling_is_asked_for() {
    let server = Server::start(PEOPLE);
    let root = token_of("root");
    let mut plain = Sse::open(&server, "/sse", &root);
    let mut filtered = Sse::open(&server, "/sse?libraries=lib1", &root);
    let mut spelled = Sse::open(&server, "/sse?libraries=lib1&spelling=server", &root);
    let backup = json!({"type": "backups-files", "data": {"file": "m1", "progress": 42}});
    server.publish_all(&[backup, medias("lib1", "m1")]);
    assert_eq!(plain.expect("backups-files").json(), json!({"BackupsFiles": {"file": "m1", "progress": 42}}));
    assert_eq!(media_id(&mut filtered), "m1");
    assert!(spelled.expect("backups-files").json()["backupsFiles"].is_object());
    spelled.expect("medias");
}

#[test]
fn the_servers_spelling_is_camel_case_with_lower_case_actions() {
    let server = Server::start(PEOPLE);
    let mut sse = Sse::open(&server, "/sse?spelling=server", &token_of("reader"));
    server.publish_all(&[medias("lib1", "m1"), progress_of("reader", "m1")]);
    let message = sse.expect("medias").json();
    assert_eq!(message["medias"]["library"], "lib1");
    assert_eq!(message["medias"]["medias"][0]["action"], "added");
    assert_eq!(message["medias"]["medias"][0]["media"]["id"], "m1");
    let message = sse.expect("media_progress").json();
    assert_eq!(message["mediaProgress"]["progress"]["progress"], 125_000);
}

#[test]
fn events_names_exactly_the_types_wanted() {
    let server = Server::start(PEOPLE);
    let mut sse = Sse::open(&server, "/sse?events=tags,message", &token_of("reader"));
    let mut plain = Sse::open(&server, "/sse", &token_of("reader"));
    let tags = json!({"type": "tags", "data": {"library": "lib1", "tags": [{"action": "Added", "tag": {"id": "t1", "name": "sea"}}]}});
    let message = json!({"type": "message", "data": {"text": "hello", "to": "all"}});
    server.publish_all(&[medias("lib1", "m1"), tags, message, medias("lib1", "m2")]);
    let events: Vec<_> = (0..2).map(|_| sse.next_event(Duration::from_secs(10)).expect("two events")).collect();
    let mut names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["message", "tags"]);
    let message = events.iter().find(|event| event.name == "message").expect("there").json();
    assert_eq!(message["Message"]["text"], "hello");
    sse.expect_nothing(SILENCE);
    // Without `events=` a stream carries the fourteen names of document 002 and no other.
    assert_eq!(media_id(&mut plain), "m1");
    plain.expect("tags");
    assert_eq!(media_id(&mut plain), "m2");
}

#[test]
fn a_library_without_its_secrets_goes_to_everybody_but_server_admins() {
    let server = Server::start(PEOPLE);
    let mut reader = Sse::open(&server, "/sse", &token_of("reader"));
    let mut libadmin = Sse::open(&server, "/sse", &token_of("libadmin"));
    let mut root = Sse::open(&server, "/sse", &token_of("root"));
    let library = json!({"id": "lib1", "name": "Films", "root": "/srv/films", "settings": {"a": 1}, "credentials": "c-secret",
        "password": "p-secret", "kept": true});
    server.publish_all(&[json!({"type": "library", "data": {"action": "Updated", "library": library}})]);
    for sse in [&mut reader, &mut libadmin] {
        let seen = sse.expect("library").json()["Library"]["library"].clone();
        for secret in ["root", "settings", "credentials", "password"] {
            assert!(seen[secret].is_null(), "{secret} is shown: {seen}");
        }
        assert_eq!((&seen["name"], &seen["kept"]), (&json!("Films"), &json!(true)));
    }
    let seen: Value = root.expect("library").json();
    assert_eq!(seen["Library"]["library"]["root"], "/srv/films");
}

#[test]
fn a_comment_comes_every_thirty_seconds_whether_or_not_events_flow() {
    let server = Server::start(PEOPLE);
    let mut idle = Sse::open(&server, "/sse", &token_of("reader"));
    let mut busy = Sse::open(&server, "/sse", &token_of("owner"));
    let opened = Instant::now();
    while opened.elapsed() < Duration::from_secs(31) && busy.comments().is_empty() {
        server.publish_all(&[progress_of("owner", "m1")]);
        busy.expect("media_progress");
        // The pace of the events; nothing else comes, so this only waits.
        busy.read_until(":ping\n", Duration::from_millis(500));
    }
    for sse in [&mut idle, &mut busy] {
        assert!(sse.read_until(":ping\n", Duration::from_secs(4)), "no comment after {:?}", opened.elapsed());
        assert!(!sse.raw().contains(":ping\n\n"), "a blank line after it reaches users of fetch-event-source as an empty message");
    }
    assert!(opened.elapsed() > Duration::from_secs(25), "the comment came after {:?} already", opened.elapsed());
}

#[test]
fn a_head_in_pieces_gives_the_same_stream() {
    let server = Server::start(PEOPLE);
    let bytes = Request::new("GET", "/sse").bearer(&token_of("reader")).bytes(&server.address(), false);
    let mut streams = Vec::new();
    for piece in [1, 7, bytes.len() - 1] {
        let mut stream = connect(&server);
        for part in bytes.chunks(piece) {
            stream.write_all(part).expect("the server reads on");
        }
        streams.push(Sse::over(stream, Vec::new()));
    }
    the_same_stream(&server, streams);
}

#[test]
fn a_later_or_pipelined_request_on_a_kept_alive_connection_gives_the_same_stream() {
    let server = Server::start(PEOPLE);
    let ping = Request::new("GET", "/healthz").bytes(&server.address(), false);
    let sse = Request::new("GET", "/sse").bearer(&token_of("reader")).bytes(&server.address(), false);
    let mut later = connect(&server);
    later.write_all(&ping).expect("taken");
    let later_rest = after_first_answer(&mut later);
    later.write_all(&sse).expect("taken");
    let mut pipelined = connect(&server);
    pipelined.write_all(&[ping, sse].concat()).expect("taken");
    let rest = after_first_answer(&mut pipelined);
    the_same_stream(&server, vec![Sse::over(later, later_rest), Sse::over(pipelined, rest)]);
}

/// Reads one answer with a `content-length` and gives what came after it already.
fn after_first_answer(stream: &mut std::net::TcpStream) -> Vec<u8> {
    use std::io::Read;

    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a TCP option");
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let n = stream.read(&mut buffer).expect("the first answer");
        assert!(n > 0, "closed before the first answer");
        bytes.extend_from_slice(&buffer[..n]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).map_or(0, |n| n.trim().parse().expect("a length"));
        if bytes.len() >= end + 4 + length {
            assert!(head.starts_with("http/1.1 200"), "{head}");
            return bytes.split_off(end + 4 + length);
        }
    }
}

/// Each stream has the same head and carries the same bytes.
fn the_same_stream(server: &Server, streams: Vec<Sse>) {
    let mut plain = Sse::open(server, "/sse", &token_of("reader"));
    server.publish_all(&[medias("lib1", "m1"), medias("lib1", "m2")]);
    let events = [plain.expect("medias"), plain.expect("medias")];
    for mut sse in streams {
        assert_eq!(sse.head().status, 200);
        for name in ["content-type", "cache-control", "x-accel-buffering", "access-control-allow-origin"] {
            assert_eq!(sse.head().header(name), plain.head().header(name), "{name}");
        }
        assert_eq!([sse.expect("medias"), sse.expect("medias")], events);
        assert_eq!(sse.raw(), plain.raw());
    }
}
