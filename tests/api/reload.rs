//! Settings read again while clients are connected: by signal and by call, under load, and when the file is broken.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::harness::{Frame, PATIENCE, PEOPLE, Request, SILENCE, Server, Sse, WebSocket, connect, eventually, medias, token_of};

/// The part of the settings that is one user's.
fn user(id: &str) -> String {
    let begin = PEOPLE.find(&format!("[[users]]\nid = {id:?}\n")).expect("one of the people");
    let end = PEOPLE[begin + 2..].find("[[").map_or(PEOPLE.len(), |end| begin + 2 + end);
    PEOPLE[begin..end].to_owned()
}

fn reloaded(server: &Server) -> Value {
    let answer = server.reload();
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

#[test]
fn a_removed_users_clients_go_within_a_second_and_nobody_else_drops_under_load() {
    let server = Server::start(PEOPLE);
    let mut removed = [Sse::open(&server, "/sse", &token_of("reader")), Sse::open(&server, "/sse?libraries=lib1", &token_of("reader"))];
    let mut staying: Vec<Sse> =
        ["owner", "writer", "libadmin", "root", "owner"].map(|who| Sse::open(&server, "/sse", &token_of(who))).into();
    let publish = |from: usize| (from..from + 40).for_each(|n| server.publish_all(&[medias("lib1", &format!("m{n}"))]));
    std::thread::scope(|scope| {
        let load = scope.spawn(|| publish(0));
        server.rewrite_settings(|text| text.replace(&user("reader"), ""));
        let began = Instant::now();
        assert_eq!(reloaded(&server), json!({"changed": ["users"], "needs_restart": []}));
        removed.iter_mut().for_each(|sse| sse.expect_end(PATIENCE));
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        load.join().expect("all were accepted");
    });
    publish(40);
    for sse in &mut staying {
        for n in 0..80 {
            assert!(sse.expect("medias").data.contains(&format!("\"m{n}\"")), "in order, without a gap");
        }
    }
    assert_eq!(Request::new("GET", "/sse").bearer(&token_of("reader")).send(&server).status, 401);
    assert_eq!(server.metric("fanfare_connections_closed_total"), 2.0, "{}", server.metrics());
}

#[test]
fn new_users_tokens_and_rights_count_at_once_by_signal_too() {
    let server = Server::start(PEOPLE);
    let mut guest = Sse::open(&server, "/sse", &token_of("guest"));
    let mut stranger = Sse::open(&server, "/sse", &token_of("stranger"));
    server.rewrite_settings(|text| {
        let guest = user("guest");
        let granted = format!("{}\nlibraries = {{ lib1 = \"read\" }}\n", guest.trim_end());
        let ann = "[[users]]\nid = \"ann\"\ntoken = \"token-of-ann-0123456789abcdef0123456789\"\nlibraries = \"read\"\n";
        text.replace(&guest, &format!("{granted}\n{ann}\n")).replace("{ lib2 = \"read\" }", "{}")
    });
    let before = server.metric("fanfare_config_reload_success_timestamp_seconds");
    server.hang_up();
    eventually("it was read", PATIENCE, || (server.metric("fanfare_config_reload_success_timestamp_seconds") > before).then_some(()));
    let mut ann = Sse::open(&server, "/sse", &token_of("ann"));
    // The hubs hear of it at once, on their own.
    eventually("the guest's rights count", PATIENCE, || {
        server.publish_all(&[medias("lib1", "new")]);
        guest.next_event(Duration::from_millis(100)).map(|_| ())
    });
    ann.expect("medias");
    server.publish_all(&[medias("lib2", "taken")]);
    stranger.expect_nothing(SILENCE);
    assert_eq!(server.metric("fanfare_connections_closed_total"), 0.0);
}

#[test]
fn a_broken_file_changes_nothing_and_the_field_is_named() {
    let server = Server::start(PEOPLE);
    let mut sse = Sse::open(&server, "/sse", &token_of("reader"));
    let good = std::fs::read_to_string(server.folder().join("fanfare.toml")).expect("settings");
    for (broken, named) in [
        (good.replace(&user("reader"), "[[users]]\nid = \"reader\"\nadmin = \"perhaps\"\n"), "users"),
        (good.replace(&user("reader"), "[limits]\nevent_items = 0\n"), "limits.event_items"),
        (good.replace("[server]", "[server]\nlog = \"fanfare=loud\""), "server.log"),
        (good.replace(&user("reader"), "not toml"), "fanfare.toml"),
    ] {
        server.rewrite_settings(|_| broken);
        let answer = server.reload();
        assert!(answer.status == 422 && answer.body.contains(named) && !answer.body.contains("token-of-"), "{named}: {}", answer.body);
        assert_eq!(server.metric("fanfare_config_last_reload_successful"), 0.0);
    }
    assert!(server.log().contains("settings not reloaded, nothing has changed"), "{}", server.log());
    server.publish_all(&[medias("lib1", "still")]);
    sse.expect("medias");
    server.rewrite_settings(|_| good);
    assert_eq!(reloaded(&server), json!({"changed": [], "needs_restart": []}));
    assert_eq!(server.metric("fanfare_config_last_reload_successful"), 1.0);
}

#[test]
fn limits_change_live_and_what_needs_a_restart_is_said_each_time() {
    let server = Server::start(PEOPLE);
    let _one = Sse::open(&server, "/sse", &token_of("reader"));
    server.rewrite_settings(|text| {
        let text = text.replace("[server]", "[server]\nname = \"Other\"\nlog = \"debug\"");
        format!(
            "{text}\n[limits]\nconnections_per_user = 1\nevent_items = 1\nhead = \"7s\"\n[engine]\nfeed_entries = 77\n[folder]\nbatch = 1\n"
        )
    });
    let answer = reloaded(&server);
    for key in ["limits.connections_per_user", "limits.event_items", "limits.head", "server.log"] {
        assert!(answer["changed"].as_array().expect("a list").contains(&json!(key)), "{answer}");
    }
    for key in ["server.name", "folder.batch", "engine.feed_entries"] {
        assert!(answer["needs_restart"].as_array().expect("a list").contains(&json!(key)), "{answer}");
    }
    assert!(server.log().contains("count only after a restart"), "{}", server.log());
    let mut refused = Sse::ask(&server, &Request::new("GET", "/sse").header("accept", "text/event-stream").bearer(&token_of("reader")));
    refused.expect_end(PATIENCE); // full is an end with `retry:` there
    let two = json!({"type": "medias", "data": {"library": "lib1", "medias": [
        {"action": "Added", "media": {"id": "a"}}, {"action": "Added", "media": {"id": "b"}}
    ]}});
    assert_eq!(server.publish(&token_of("publisher"), &two).0, 422);
    let again = reloaded(&server);
    assert_eq!((&again["changed"], &again["needs_restart"]), (&json!([]), &answer["needs_restart"]));
    assert_eq!(server.connections("").json()["connections"].as_array().map(Vec::len), Some(1));
    server.rewrite_settings(|text| text.replace("log = \"debug\"", "log = \"error\""));
    assert_eq!(reloaded(&server)["changed"], json!(["server.log"]));
}

/// What a head without an end is answered.
fn half_a_head(mut slow: TcpStream) -> String {
    slow.write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\n").expect("taken");
    slow.set_read_timeout(Some(PATIENCE)).expect("a TCP option");
    let mut said = Vec::new();
    slow.read_to_end(&mut said).expect("an end");
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn a_shorter_time_for_heads_counts_for_whoever_comes_after_it() {
    let server = Server::start(&format!("{PEOPLE}[limits]\nhead = \"1h\"\n"));
    let mut before = connect(&server);
    before.write_all(b"GET /readyz HTTP/1.1\r\n").expect("taken");
    server.rewrite_settings(|text| text.replace("head = \"1h\"", "head = \"300ms\""));
    assert_eq!(reloaded(&server)["changed"], json!(["limits.head"]));
    assert!(half_a_head(connect(&server)).starts_with("HTTP/1.1 408"), "the first of a connection");
    let mut kept = connect(&server);
    kept.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").expect("taken");
    let mut answer = [0; 4096];
    let n = kept.read(&mut answer).expect("an answer");
    assert!(answer[..n].starts_with(b"HTTP/1.1 200"));
    assert!(half_a_head(kept).starts_with("HTTP/1.1 408"), "a later one");
    let mut silent = connect(&server);
    silent.set_read_timeout(Some(PATIENCE)).expect("a TCP option");
    assert_eq!(silent.read(&mut [0]).expect("an end"), 0, "nobody to answer");
    before.write_all(b"host: x\r\nconnection: close\r\n\r\n").expect("taken");
    before.set_read_timeout(Some(PATIENCE)).expect("a TCP option");
    let mut answer = String::new();
    before.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "who was there before has the time there was then: {answer}");
}

#[test]
fn what_clients_may_say_and_how_often_they_may_guess_changes_live() {
    let server = Server::start(&format!("{PEOPLE}[limits]\ninbound_per_minute = 0\nbad_tokens_per_minute = 0\n"));
    let open = || {
        let path = format!("/:/websockets/notifications?X-Plex-Token={}", token_of("reader"));
        let socket = WebSocket::ask(&server, Request::new("GET", &path));
        assert_eq!(socket.head().status, 101);
        socket
    };
    let pinged = |socket: &mut WebSocket| {
        socket.send(9, b"a");
        socket.next_frame(PATIENCE)
    };
    let guess = || Request::new("GET", "/sse").bearer("wrong").send(&server).status;
    let mut before = open();
    assert_eq!([(); 3].map(|()| guess()), [401; 3]);
    server.rewrite_settings(|text| text.replace("per_minute = 0", "per_minute = 2"));
    assert_eq!(reloaded(&server)["changed"], json!(["limits.bad_tokens_per_minute", "limits.inbound_per_minute"]));
    assert_eq!([(); 3].map(|()| guess()), [401, 401, 429]);
    let mut after = open();
    let pong = Some(Frame::Pong(b"a".to_vec()));
    assert_eq!([(); 3].map(|()| pinged(&mut after)), [pong.clone(), pong.clone(), Some(Frame::Close(Some(1008)))]);
    assert_eq!([(); 3].map(|()| pinged(&mut before)), [pong.clone(), pong.clone(), pong], "who was there before keeps the old limit");
    server.rewrite_settings(|text| text.replace("per_minute = 2", "per_minute = 0"));
    reloaded(&server);
    assert_eq!(guess(), 401, "the limit is gone again");
}

#[test]
fn a_token_that_moves_to_another_user_ends_and_what_was_changed_by_call_stays() {
    let server = Server::start(PEOPLE);
    let mut moved = Sse::open(&server, "/sse", &token_of("guest"));
    let answer = server.put_principal("owner", &json!({"libraries": {"lib2": "read"}}));
    assert_eq!(answer.status, 200, "{}", answer.body);
    server.rewrite_settings(|text| {
        text.replace("id = \"guest\"", "id = \"somebody\"").replace("id = \"owner\"", "id = \"owner\"\ntags = [\"a\"]")
    });
    assert_eq!(reloaded(&server)["changed"], json!(["users"]));
    moved.expect_end(PATIENCE);
    let mut owner = Sse::open(&server, "/sse", &token_of("owner"));
    server.publish_all(&[medias("lib1", "no"), medias("lib2", "yes")]);
    assert!(owner.expect("medias").data.contains("\"yes\""), "the change by call wins over the file");
}

#[test]
fn a_certificate_is_read_again_and_a_broken_one_changes_nothing() {
    let server = Server::start_tls(PEOPLE);
    let mut sse = Sse::open(&server, "/sse", &token_of("reader"));
    let old = std::fs::read(&server.certificate().key).expect("the key");
    std::fs::write(&server.certificate().key, "no key").expect("ours");
    server.rewrite_settings(|text| text.replace(&user("guest"), ""));
    let answer = server.reload();
    assert!(answer.status == 422 && answer.body.contains("tls.key"), "{}", answer.body);
    drop(Sse::open(&server, "/sse", &token_of("guest"))); // nothing has changed
    std::fs::write(&server.certificate().key, old).expect("ours");
    assert_eq!(reloaded(&server)["changed"], json!(["users"]));
    server.publish_all(&[medias("lib1", "still")]);
    sse.expect("medias");
}
