//! Canaries: what is secret, put wherever a client can put it, comes out nowhere; and no name forges a line of the log.

use std::{io::Write, net::TcpStream};

use serde_json::{Value, json};

use crate::harness::{Launch, PATIENCE, PEOPLE, Request, SILENCE, Server, Sse, connect, eventually, medias, refused_start, token_of};

/// A token that counts, and one that does not; 40 characters each, as tokens are.
const KNOWN: &str = "cAnArY-known-0123456789abcdef0123456789a";
const WRONG: &str = "cAnArY-wrong-0123456789abcdef0123456789b";
/// What both have in common, and nothing else has.
const CANARY: &str = "cAnArY";

/// Everything logged: whatever the libraries below us say counts, too.
const TRACE: Launch = Launch { wrap: &[], log: "trace", arguments: &[] };
const TRACE_JSON: Launch = Launch { wrap: &[], log: "trace", arguments: &["--log-format", "json"] };

fn people_and_canary() -> String {
    format!("{PEOPLE}\n[[users]]\nid = \"bird\"\ntoken = \"{KNOWN}\"\nlibraries = {{ lib1 = \"read\" }}\n")
}

/// The token in every place of a request to this path.
fn everywhere(method: &str, path: &str, token: &str) -> Vec<Request> {
    let plain = || Request::new(method, path);
    vec![
        Request::new(method, &format!("{path}?token={token}")),
        Request::new(method, &format!("{path}?token={token}&token={token}#{token}")),
        Request::new(method, &format!("{path}?api_key={token}&X-Plex-Token={token}")),
        Request::new(method, &format!("{path}/{token}")),
        Request::new(method, &format!("http://user:{token}@127.0.0.1{path}")),
        plain().bearer(token),
        plain().header("authorization", &format!("Basic {token}")),
        plain().header("authorization", token),
        plain().bearer(token).bearer(token),
        plain().header("cookie", &format!("token={token}; fanfare={token}; {token}")),
        plain().header("cookie", &format!("fanfare_token={token}")),
        plain().header("referer", &format!("https://media.example/player?token={token}")),
        plain().header("user-agent", token),
        plain().header("x-forwarded-for", token).header("forwarded", &format!("for={token}")).header("x-real-ip", token),
        plain().header("origin", &format!("https://{token}")),
        plain().header("last-event-id", token),
        plain().header("accept", token).header("content-type", token),
        plain().header("expect", token),
        plain().header("upgrade", token).header("connection", "upgrade"),
        plain().header("x-plex-token", token),
        Request::new(method, &format!("{path}?X-Plex-Token={token}")),
        plain().header("x-plex-token", token).header("x-emby-token", token).header("proxy-authorization", token),
        plain().header("idempotency-key", token),
        plain().header(token, "a name, not a value"),
        plain().header("x-odd", &format!("{token}\u{1}")),
    ]
}

/// The token in every place of a body that somebody who may publish has got wrong.
fn bodies(token: &str) -> Vec<Value> {
    let mut in_a_name = medias("lib1", "m1");
    in_a_name["data"]["medias"][0]["media"][token] = json!({"type": 1});
    vec![
        json!(token),
        json!([token]),
        json!({"type": token, "data": {}}),
        json!({"type": "medias", "data": token}),
        json!({"type": "medias", "data": {"library": [token], "medias": []}}),
        json!({"type": "medias", "data": {"library": "lib1", "medias": token}}),
        json!({"type": "medias", "data": {"library": "lib1", "medias": [{"action": token, "media": {}}]}}),
        json!({"type": "media_progress", "data": {"progress": token}}),
        json!({"type": "media_progress", "data": {"library": "lib1", "progress": {"mediaRef": "m", "userRef": "u", "progress": token}}}),
        json!({"type": "message", "data": {"text": [token], "to": token}}),
        json!({"specversion": token, "type": "medias", "source": token, "id": token, "time": token, "data": {}}),
        json!({"type": "medias", "audience": token, "data": {"library": "lib1", "medias": []}}),
        json!({"type": "medias", "conflation": token, token: token, "data": {}}),
        in_a_name,
    ]
}

/// What a text must not hold; the place is told, the text is not repeated whole.
fn nothing_of(canary: &str, place: &str, text: &str) {
    if let Some(at) = text.to_ascii_lowercase().find(&canary.to_ascii_lowercase()) {
        let from = text[..at].rfind('\n').map_or(0, |line| line + 1);
        panic!("{place} shows a canary: {:?}", text[from..].chars().take(300).collect::<String>());
    }
}

/// Sends it, and what it says until the connection ends or rests; a stream is left open.
fn said(server: &Server, request: &Request) -> String {
    use std::io::Read;
    let mut stream: TcpStream = connect(server);
    let _refused_early = stream.write_all(&request.bytes(&server.address(), true));
    stream.set_read_timeout(Some(SILENCE)).expect("a TCP option");
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn no_token_is_in_logs_metrics_lists_or_answers() {
    let mut server = Server::launch("127.0.0.1:0", &people_and_canary(), TRACE);
    for token in [KNOWN, WRONG] {
        for (method, path) in [
            ("GET", "/sse"),
            ("POST", "/api/events"),
            ("GET", "/api/connections"),
            ("GET", "/api/libraries/lib1/medias"),
            ("GET", "/nothing-here"),
            ("OPTIONS", "/sse"),
            ("GET", "/:/eventsource/notifications"),
            ("GET", "/:/websockets/notifications"),
            ("GET", "/"),
            ("GET", "/identity"),
            ("GET", "/status/sessions"),
            ("DELETE", "/activities/1"),
        ] {
            for request in everywhere(method, path, token) {
                nothing_of(CANARY, &format!("the answer to {method} {path}"), &said(&server, &request));
            }
        }
        for method in ["GET", "PUT", "DELETE"] {
            let path = format!("/api/principals/{token}");
            nothing_of(CANARY, &path, &said(&server, &Request::new(method, &path).bearer(token).body("{}")));
            nothing_of(CANARY, &path, &said(&server, &Request::new(method, &path).bearer(&token_of("reader")).body("{}")));
        }
        nothing_of(CANARY, "a page of connections", &server.connections(&format!("?after={token}")).body);
        nothing_of(CANARY, "a page of connections", &server.connections(&format!("?limit={token}")).body);
    }
    nothing_of(CANARY, "/metrics", &server.metrics());
    server.stop();
    nothing_of(CANARY, "the log", &server.log());
    nothing_of("token-of-", "the log", &server.log());
    assert!(server.log().contains("TRACE"), "the log is a full one");
}

#[test]
fn a_token_in_a_published_body_is_not_repeated_in_errors() {
    let mut server = Server::launch("127.0.0.1:0", &people_and_canary(), TRACE);
    for event in bodies(WRONG) {
        let (status, body) = server.publish(&token_of("publisher"), &event);
        assert!((200..500).contains(&status), "{status}: {body}");
        nothing_of(CANARY, &format!("the answer to {event}"), &body);
    }
    for body in [format!("{{\"type\":{WRONG}}}"), format!("{{\"{WRONG}"), WRONG.to_owned(), format!("\u{feff}{WRONG}")] {
        for kind in ["application/json", "application/x-ndjson", "application/cloudevents+json", "application/cloudevents-batch+json"] {
            let answer = Request::new("POST", "/api/events")
                .bearer(&token_of("publisher"))
                .header("content-type", kind)
                .body(body.clone())
                .send(&server);
            nothing_of(CANARY, &format!("the answer to {body} as {kind}"), &answer.body);
        }
    }
    nothing_of(CANARY, "/metrics", &server.metrics());
    server.stop();
    nothing_of(CANARY, "the log", &server.log());
}

#[test]
fn the_list_of_connections_shows_the_user_agent_only_and_that_is_bounded() {
    let mut server = Server::launch("127.0.0.1:0", &people_and_canary(), TRACE);
    let agent = format!("bird/{}", "\u{e9}\u{85}\u{2028}".repeat(500));
    let request = Request::new("GET", &format!("/sse?token={KNOWN}&libraries=lib1"))
        .header("user-agent", &agent)
        .header("referer", &format!("https://media.example/?token={KNOWN}"))
        .header("cookie", &format!("token={KNOWN}"))
        .header("x-forwarded-for", KNOWN)
        .header("last-event-id", KNOWN);
    let sse = Sse::ask(&server, &request);
    assert_eq!(sse.head().status, 200, "{:?}", sse.head());
    let later = Sse::ask_later(&server, &request);
    assert_eq!(later.head().status, 200, "{:?}", later.head());
    let listed = eventually("both are listed", PATIENCE, || {
        let listed = server.connections("").json();
        (listed["connections"].as_array().map(Vec::len) == Some(2)).then_some(listed)
    });
    nothing_of(CANARY, "/api/connections", &listed.to_string());
    for connection in listed["connections"].as_array().expect("a list") {
        let client = connection["client"].as_str().unwrap_or_default();
        assert!(client.chars().count() <= 120 && !client.chars().any(char::is_control), "{client:?}");
    }
    drop((sse, later));
    server.stop();
    nothing_of(CANARY, "the log", &server.log());
}

#[test]
fn a_secret_in_the_wrong_place_of_the_settings_is_not_shown() {
    let server = "[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\ndata_dir = \"FOLDER/data\"\n";
    for wrong in [
        format!("[[users]]\nid = \"bob\"\ntokn = \"{KNOWN}\"\n"),
        format!("[[users]]\nid = \"bob\"\ntoken = [\"{KNOWN}\"]\n"),
        format!("[[users]]\nid = \"bob\"\ntoken = {{ value = \"{KNOWN}\" }}\n"),
        format!("[[users]]\nid = \"bob\"\ntoken = \"{KNOWN}\"\nlibraries = \"{KNOWN}\"\n"),
        format!("[[users]]\nid = \"bob\"\ntoken = \"{KNOWN}\"\nadmin = \"{KNOWN}\"\n"),
        format!("[[tokens]]\ntoken = \"{KNOWN}\"\npublish = \"{KNOWN}\"\n"),
        format!("[[tokens]]\ntoken = \"{KNOWN}\"\npublish = {{ types = [\"{KNOWN}\"] }}\n"),
        format!("[limits]\nhead = \"{KNOWN}\"\n"),
        format!("[limits]\nbody_bytes = \"{KNOWN}\"\n"),
        format!("[engine]\nfeed_entries = \"{KNOWN}\"\n"),
        format!("[[users]]\nid = \"bob\"\ntoken = \"{KNOWN}\" \"{KNOWN}\"\n"),
        format!("[[users]]\nid = {KNOWN}\n"),
    ] {
        let (status, output) = refused_start(&format!("{server}{wrong}"));
        assert!(!status.success(), "{wrong}");
        nothing_of(CANARY, &format!("the error for {wrong}"), &output);
    }
}

/// Text that ends, steers or splits a line somewhere.
const HOSTILE: [&str; 9] = [
    "x\n2026-01-01T00:00:00.000000Z ERROR fanfare: forged",
    "x\r2026-01-01T00:00:00.000000Z ERROR fanfare: forged",
    "x\u{1b}[2J\u{1b}]0;forged\u{7}",
    "x\u{9b}2Jforged",
    "x\u{85}forged",
    "x\u{2028}forged\u{2029}forged",
    "x\0forged",
    "x\u{202e}degrof",
    "x\u{b}forged\u{c}forged\u{8}\u{7f}",
];

/// Names of every kind, as far as they are let in.
fn send_hostile_names(server: &Server) {
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    for text in HOSTILE {
        let mut media = medias("lib1", text);
        media["data"]["medias"][0]["media"]["name"] = json!(text);
        (media["id"], media["source"]) = (json!(text), json!(text));
        for event in
            [media, medias(text, "m1"), json!({"type": text, "data": {}}), json!({"type": "message", "data": {"text": text, "to": text}})]
        {
            let (status, body) = server.publish(&token_of("publisher"), &event);
            assert!((200..500).contains(&status), "{status} {body}");
        }
        let user = encoded(text);
        let told =
            Request::new("PUT", &format!("/api/principals/{user}")).bearer(&token_of("root")).json(&json!({"disabled": true})).send(server);
        assert!((200..500).contains(&told.status), "{}", told.body);
        for path in [format!("/sse?libraries={user}&events={user}"), format!("/api/libraries/{user}/medias"), format!("/{user}?{user}")] {
            // As it stands (which no header may hold), and without what ends a header.
            for agent in [text.to_owned(), text.replace(['\r', '\n', '\0'], "")] {
                said(
                    server,
                    &Request::new("GET", &path).header("user-agent", &agent).header("referer", &agent).bearer(&token_of("reader")),
                );
            }
        }
    }
}

/// Characters some reader of logs takes for the end of a line, or a terminal for a command.
fn splits_or_steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Every line of a full log after hostile names; none of them is split or steers.
fn lines_after_hostile_names(launch: Launch) -> Vec<String> {
    let mut server = Server::launch("127.0.0.1:0", PEOPLE, launch);
    send_hostile_names(&server);
    server.stop();
    let lines: Vec<String> = server.log().split('\n').filter(|line| !line.is_empty()).map(str::to_owned).collect();
    assert!(lines.len() > 100, "the log is a full one");
    for line in &lines {
        assert!(!line.contains(splits_or_steers), "{line:?}");
    }
    lines
}

#[test]
fn no_name_splits_a_line_of_the_text_log() {
    for line in lines_after_hostile_names(TRACE) {
        let (time, rest) = line.split_once(' ').unwrap_or_default();
        let level = rest.trim_start().split(' ').next().unwrap_or_default();
        assert!(time.len() == 27 && time.ends_with('Z') && matches!(level, "TRACE" | "DEBUG" | "INFO" | "WARN" | "ERROR"), "{line:?}");
        assert!(!line.contains("ERROR fanfare: forged") || !line.starts_with("2026-01-01"), "{line:?}");
    }
}

#[test]
fn no_name_splits_a_line_of_the_json_log() {
    for line in lines_after_hostile_names(TRACE_JSON) {
        let entry: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        assert!(entry["timestamp"].is_string() && entry["level"].is_string() && entry["target"].is_string(), "{line:?}");
    }
}
