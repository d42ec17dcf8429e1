//! What administrators see of a running server, and what they do to it; nobody else does.

use std::{collections::BTreeSet, io::Write};

use serde_json::{Value, json};

use crate::harness::{Answer, PATIENCE, PEOPLE, Request, SILENCE, Server, Sse, connect_deaf, eventually, medias, token_of};

fn ask(server: &Server, method: &str, path: &str) -> Answer {
    Request::new(method, path).bearer(&token_of("root")).send(server)
}

fn get(server: &Server, path: &str) -> Value {
    let answer = ask(server, "GET", path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()
}

fn ids(list: &Value) -> Vec<String> {
    let list = list["connections"].as_array().expect("a list");
    list.iter().map(|connection| connection["id"].as_str().expect("an id").to_owned()).collect()
}

/// Everything under `/api/` that is for administrators.
const FOR_ADMINISTRATORS: [(&str, &str); 12] = [
    ("GET", "/api/connections"),
    ("GET", "/api/connections/slowest"),
    ("DELETE", "/api/connections?user=reader"),
    ("DELETE", "/api/connections/0-0-0"),
    ("GET", "/api/libraries"),
    ("GET", "/api/shards"),
    ("GET", "/api/workers"),
    ("GET", "/api/online"),
    ("GET", "/api/settings"),
    ("POST", "/api/reload"),
    ("POST", "/api/test-event"),
    ("GET", "/api/principals/reader"),
];

#[test]
fn administration_is_for_administrators() {
    let server = Server::start(PEOPLE);
    for (method, path) in FOR_ADMINISTRATORS {
        assert_eq!(Request::new(method, path).send(&server).status, 401, "{method} {path}");
        for who in ["libadmin", "publisher", "guest"] {
            let answer = Request::new(method, path).bearer(&token_of(who)).send(&server);
            assert_eq!(answer.status, 403, "{method} {path} as {who}: {}", answer.body);
        }
    }
}

#[test]
fn connections_are_filtered_paged_and_streamed_as_lines() {
    let server = Server::start(&format!("{PEOPLE}[engine]\nworkers = 2\n"));
    let _open: Vec<Sse> = ["reader", "reader", "reader", "owner", "root"].map(|who| Sse::open(&server, "/sse", &token_of(who))).into();
    let all = get(&server, "/api/connections");
    assert_eq!((ids(&all).len(), &all["next"]), (5, &Value::Null), "{all}");
    let one = &all["connections"][0];
    assert!(one["port"].as_u64().is_some_and(|port| port > 0) && one["address"] == "127.0.0.1" && one["lagging"] == false, "{one}");
    for (query, number) in [
        ("user=reader", 3),
        ("user=nobody", 0),
        ("dialect=redseat", 5),
        ("dialect=redseat&user=owner", 1),
        ("dialect=plex", 0),
        ("address=127.0.0.1", 5),
        ("address=127.0.0.2", 0),
        ("lagging=true", 0),
    ] {
        let found = get(&server, &format!("/api/connections?{query}"));
        assert_eq!(ids(&found).len(), number, "{query}: {found}");
    }
    let (mut seen, mut query) = (Vec::new(), "limit=2&user=reader".to_owned());
    loop {
        let page = get(&server, &format!("/api/connections?{query}"));
        assert!(ids(&page).len() <= 2);
        seen.extend(ids(&page));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("limit=2&user=reader&after={next}");
    }
    assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (3, 3), "each once");
    let lines = Request::new("GET", "/api/connections").header("accept", "application/x-ndjson").bearer(&token_of("root")).send(&server);
    let users: Vec<Value> = lines.body.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line")["user"].clone()).collect();
    assert_eq!(users.iter().filter(|user| **user == "reader").count(), 3, "{}", lines.body);
    assert_eq!(users.len(), 5);
}

#[test]
fn what_is_wrong_about_a_request_is_named() {
    let server = Server::start(PEOPLE);
    for (method, path, field) in [
        ("GET", "/api/connections?limit=0", "limit"),
        ("GET", "/api/connections?limit=many", "limit"),
        ("GET", "/api/connections?after=x", "after"),
        ("GET", "/api/connections?address=home", "address"),
        ("GET", "/api/connections?lagging=perhaps", "lagging"),
        ("GET", "/api/connections/slowest?limit=101", "limit"),
        ("GET", "/api/online?limit=0", "limit"),
        ("DELETE", "/api/connections", "user"),
        ("DELETE", "/api/connections?user=a&token_sha256=b", "user"),
        ("DELETE", "/api/connections?token_sha256=b", "token_sha256"),
        ("DELETE", "/api/connections/x", "id"),
    ] {
        let answer = ask(&server, method, path);
        assert_eq!((answer.status, &answer.json()["path"]), (422, &json!(field)), "{method} {path}: {}", answer.body);
    }
    for (body, status) in [("{", 400), ("[]", 422), (r#"{"txt":"x"}"#, 422), (r#"{"session":"x"}"#, 422), (r#"{"dialect":"morse"}"#, 422)] {
        let answer = Request::new("POST", "/api/test-event").bearer(&token_of("root")).body(body).send(&server);
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
    }
}

#[test]
fn one_connection_a_users_or_a_tokens_are_ended_and_others_stay() {
    let server = Server::start(PEOPLE);
    let mut of_reader = [Sse::open(&server, "/sse", &token_of("reader")), Sse::open(&server, "/sse", &token_of("reader"))];
    let (mut of_owner, mut of_guest) = (Sse::open(&server, "/sse", &token_of("owner")), Sse::open(&server, "/sse", &token_of("guest")));
    let first = ids(&get(&server, "/api/connections?user=owner"))[0].clone();
    let answer = ask(&server, "DELETE", &format!("/api/connections/{first}"));
    assert_eq!((answer.status, answer.json()), (200, json!({"closed": 1})));
    of_owner.expect_end(PATIENCE);
    assert_eq!(ask(&server, "DELETE", &format!("/api/connections/{first}")).status, 404);
    assert_eq!(ask(&server, "DELETE", "/api/connections?user=reader").json(), json!({"closed": 2}));
    of_reader.iter_mut().for_each(|sse| sse.expect_end(PATIENCE));
    let hash = hash_of(&token_of("guest"));
    assert_eq!(ask(&server, "DELETE", &format!("/api/connections?token_sha256={}", "0".repeat(64))).json(), json!({"closed": 0}));
    of_guest.expect_nothing(SILENCE);
    assert_eq!(ask(&server, "DELETE", &format!("/api/connections?token_sha256={hash}")).json(), json!({"closed": 1}));
    of_guest.expect_end(PATIENCE);
    let metrics = server.metrics();
    assert!(metrics.contains("fanfare_connections_closed_total{dialect=\"redseat\",reason=\"disconnected\"} 4"), "{metrics}");
    Sse::open(&server, "/sse", &token_of("reader")).expect_nothing(SILENCE);
}

/// As settings have it.
fn hash_of(token: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_slowest_connection_is_found_and_says_that_it_lags() {
    let server = Server::start(&format!("{PEOPLE}[engine]\nworkers = 1\nsend_buffer = 4096\n"));
    let mut keeps_up = Sse::open(&server, "/sse", &token_of("owner"));
    let mut deaf = connect_deaf(&server.address());
    deaf.write_all(&Request::new("GET", "/sse").bearer(&token_of("reader")).bytes(&server.address(), false)).expect("taken");
    eventually("it is there", PATIENCE, || (ids(&get(&server, "/api/connections?user=reader")).len() == 1).then_some(()));
    for n in 0..100 {
        let mut event = medias("lib1", &format!("m{n}"));
        event["data"]["medias"][0]["media"]["description"] = json!("x".repeat(8192));
        server.publish_all(&[event]);
        keeps_up.expect("medias");
    }
    let slowest = get(&server, "/api/connections/slowest?limit=1");
    assert_eq!(slowest["connections"][0]["user"], "reader", "{slowest}");
    assert!(slowest["connections"][0]["waiting"].as_u64().is_some_and(|waiting| waiting > 0), "{slowest}");
    let lagging = eventually("it lags", PATIENCE, || {
        let found = get(&server, "/api/connections?lagging=true");
        (!ids(&found).is_empty()).then_some(found)
    });
    assert_eq!((ids(&lagging).len(), &lagging["connections"][0]["user"]), (1, &json!("reader")), "{lagging}");
}

#[test]
fn libraries_shards_workers_and_who_is_online_are_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let libraries = format!(
        "[[libraries]]\nid = \"lib1\"\nname = \"One\"\nkind = \"movies\"\npath = {:?}\n[[libraries]]\nid = \"lib2\"\n",
        folder.path()
    );
    let server = Server::start(&format!("{libraries}{PEOPLE}[engine]\nworkers = 2\nshards = 3\n"));
    let _open = [Sse::open(&server, "/sse", &token_of("reader")), Sse::open(&server, "/sse", &token_of("owner"))];
    server.publish_all(&[json!({"type": "scan", "data": {"library": "lib3", "name": "Three", "state": "started"}})]);
    server.publish_all(&[json!({"type": "scan", "data": {"library": "lib3", "state": "progress", "progress": 40}})]);
    let libraries = eventually("the scan is seen", PATIENCE, || {
        let libraries = get(&server, "/api/libraries")["libraries"].clone();
        (libraries[2]["scan"]["state"] == "progress").then_some(libraries)
    });
    assert_eq!((&libraries[0]["name"], &libraries[0]["kind"], &libraries[0]["watched"]), (&json!("One"), &json!("movies"), &json!(true)));
    assert_eq!((&libraries[1]["watched"], &libraries[2]["scan"]["progress"]), (&json!(false), &json!(40.0)), "{libraries}");
    let shards = get(&server, "/api/shards")["shards"].clone();
    let published: u64 = shards.as_array().expect("a list").iter().filter_map(|shard| shard["published"].as_u64()).sum();
    assert!(shards.as_array().expect("a list").len() == 3 && published >= 2, "{shards}");
    let workers = get(&server, "/api/workers")["workers"].clone();
    let connections: u64 = workers.as_array().expect("a list").iter().filter_map(|worker| worker["connections"].as_u64()).sum();
    assert_eq!((workers.as_array().expect("a list").len(), connections), (2, 2), "{workers}");
    let first = get(&server, "/api/online?limit=1");
    assert_eq!(first["users"], json!([{"user": "owner", "name": "owner", "connections": 1}]));
    let second = get(&server, &format!("/api/online?limit=1&after={}", first["next"].as_str().expect("more")));
    assert_eq!((&second["users"][0]["user"], &second["next"]), (&json!("reader"), &Value::Null));
}

#[test]
fn a_test_event_reaches_its_sender_alone_and_is_marked() {
    let server = Server::start(PEOPLE);
    let mut own = Sse::open(&server, "/sse?events=message,ping", &token_of("root"));
    let mut other = Sse::open(&server, "/sse?events=message,ping", &token_of("reader"));
    let send = |body: Value| {
        let answer = Request::new("POST", "/api/test-event").bearer(&token_of("root")).json(&body).send(&server);
        assert_eq!(answer.status, 200, "{body}: {}", answer.body);
        answer.json()
    };
    assert_eq!(send(json!({}))["audience"], "user:root");
    let message = own.expect("message").json()["Message"].clone();
    assert_eq!((&message["test"], &message["header"]), (&json!(true), &json!("Fanfare test event")), "{message}");
    send(json!({"dialect": "redseat", "name": "ping", "payload": {"n": 1}}));
    assert_eq!(own.expect("ping").json(), json!({"n": 1}));
    other.expect_nothing(SILENCE);
    let id = ids(&get(&server, "/api/connections?user=reader"))[0].clone();
    send(json!({"session": id, "text": "for you"}));
    assert_eq!(other.expect("message").json()["Message"]["text"], "for you");
    own.expect_nothing(SILENCE);
}

#[test]
fn settings_are_shown_without_secrets() {
    let server = Server::start(PEOPLE);
    let answer = ask(&server, "GET", "/api/settings");
    assert!(!answer.body.contains("token-of-") && !answer.body.contains(&hash_of(&token_of("root"))), "{}", answer.body);
    let settings = answer.json();
    assert_eq!(settings["settings"]["users"][0]["id"], "root");
    assert_eq!((&settings["settings"]["limits"]["event_items"], &settings["reload"]["ok"]), (&json!(500), &json!(true)));
}

#[test]
fn stats_come_once_a_second_to_administrators_who_ask_and_say_what_happened() {
    let server = Server::start(PEOPLE);
    let mut reader = Sse::open(&server, "/sse", &token_of("reader"));
    let mut denied = Sse::open(&server, "/sse?events=stats", &token_of("reader"));
    let mut own = Sse::open(&server, "/sse?events=stats", &token_of("root"));
    own.expect("stats");
    server.publish_all(&(0..20).map(|n| medias("lib1", &format!("m{n}"))).collect::<Vec<_>>());
    (0..20).for_each(|_| drop(reader.expect("medias")));
    let (mut published, mut delivered, mut told_latency) = (0.0, 0.0, false);
    // Whichever seconds it fell into, it adds up; what `stats` itself adds is on top.
    for _ in 0..3 {
        let stats = own.expect("stats").json()["Stats"].clone();
        let seconds = stats["seconds"].as_f64().expect("a number");
        published += stats["published"].as_f64().expect("a rate") * seconds;
        delivered += stats["dialects"][0]["delivered"].as_f64().expect("a rate") * seconds;
        told_latency |= stats["latency_ms"]["p99"].as_f64().is_some_and(|p99| p99 > 0.0);
        assert_eq!((&stats["connections"], &stats["dialects"][0]["dialect"], &stats["lagging"]), (&json!(3), &json!("redseat"), &json!(0)));
        assert!(stats["shards"][0]["capacity"].as_u64().is_some_and(|n| n > 0) && stats["workers"][0]["busy"].is_f64(), "{stats}");
    }
    assert!((20.0..26.0).contains(&published.round()) && (20.0..26.0).contains(&delivered.round()), "{published} {delivered}");
    assert!(told_latency);
    denied.expect_nothing(SILENCE);
    let answer = server.publish(&token_of("root"), &json!({"type": "stats", "data": {}}));
    assert!(answer.0 == 403 || answer.0 == 422, "nobody publishes them: {answer:?}");
}
