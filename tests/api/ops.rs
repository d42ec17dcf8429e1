//! What an operator sees: health, metrics, the list of connections, a stop that tells clients to come back.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::harness::{Launch, PATIENCE, PEOPLE, Request, Server, Sse, eventually, medias, token_of};

#[test]
fn health_and_readiness_are_open_to_everybody() {
    let server = Server::start(PEOPLE);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(Request::new("GET", path).send(&server).status, 200, "{path}");
    }
    assert!(server.url().starts_with("http://127.0.0.1:"), "{}", server.url());
}

#[test]
fn metrics_are_on_a_listener_of_their_own() {
    let server = Server::start(PEOPLE);
    let text = server.metrics();
    assert!(text.lines().any(|line| line.starts_with("fanfare_")), "{text}");
    assert_ne!(Request::new("GET", "/metrics").send(&server).status, 200, "clients must not see them");
}

#[test]
fn the_gauge_of_connections_follows_them_up_and_down() {
    let server = Server::start(PEOPLE);
    assert_eq!(server.metric("fanfare_connections"), 0.0);
    let streams: Vec<_> = ["reader", "owner", "root"].iter().map(|who| Sse::open(&server, "/sse", &token_of(who))).collect();
    eventually("three connections are counted", PATIENCE, || (server.metric("fanfare_connections") == 3.0).then_some(()));
    drop(streams);
    eventually("closed connections are not counted", PATIENCE, || (server.metric("fanfare_connections") == 0.0).then_some(()));
}

#[test]
fn offered_and_delivered_add_up_when_nobody_is_slow() {
    let server = Server::start(PEOPLE);
    let mut streams: Vec<_> = ["reader", "owner", "root"].iter().map(|who| Sse::open(&server, "/sse", &token_of(who))).collect();
    let events: Vec<_> = (0..50).map(|n| medias("lib1", &format!("m{n}"))).collect();
    server.publish_all(&events);
    for sse in &mut streams {
        for n in 0..50 {
            assert!(sse.expect("medias").data.contains(&format!("\"m{n}\"")));
        }
    }
    let sums = || (server.metric("fanfare_events_offered_total"), server.metric("fanfare_deliveries_total"));
    eventually("150 offered, 150 delivered", PATIENCE, || (sums() == (150.0, 150.0)).then_some(()));
    assert_eq!(server.metric("fanfare_events_skipped_total"), 0.0);
}

#[test]
fn an_idle_server_has_empty_mailboxes_of_a_stated_size() {
    let server = Server::start(PEOPLE);
    server.publish_all(&[medias("lib1", "m1")]);
    let depths = |actor: &str| {
        let line = |name: &str| {
            let begin = format!("fanfare_mailbox_{name}{{actor=\"{actor}\"}} ");
            server.metrics().lines().find_map(|line| line.strip_prefix(&begin).map(str::to_owned))
        };
        (line("depth"), line("capacity"))
    };
    for (actor, capacity) in [("hub", "1024"), ("shard", "256")] {
        let empty = (Some("0".to_owned()), Some(capacity.to_owned()));
        eventually("the mailboxes are empty", PATIENCE, || (depths(actor) == empty).then_some(()));
    }
}

#[test]
fn an_admin_sees_who_is_connected_and_no_token() {
    let server = Server::start(PEOPLE);
    let _streams: Vec<_> = ["reader", "owner"].iter().map(|who| Sse::open(&server, "/sse", &token_of(who))).collect();
    let answer = eventually("both users are listed", PATIENCE, || {
        let answer = server.connections("");
        assert_eq!(answer.status, 200, "{}", answer.body);
        (answer.body.contains("\"reader\"") && answer.body.contains("\"owner\"")).then_some(answer)
    });
    answer.json();
    assert!(answer.body.contains("redseat"), "the dialect is named: {}", answer.body);
    assert!(!answer.body.contains("token-of-"), "a token is shown: {}", answer.body);
}

#[test]
fn the_list_of_connections_is_for_server_admins() {
    let server = Server::start(PEOPLE);
    assert_eq!(Request::new("GET", "/api/connections").send(&server).status, 401);
    for who in ["reader", "libadmin", "publisher"] {
        let answer = Request::new("GET", "/api/connections").bearer(&token_of(who)).send(&server);
        assert_eq!(answer.status, 403, "{who}");
    }
}

#[test]
fn the_list_of_connections_comes_in_pages() {
    let server = Server::start(PEOPLE);
    let _streams: Vec<_> = (0..5).map(|_| Sse::open(&server, "/sse", &token_of("reader"))).collect();
    eventually("all five are listed", PATIENCE, || (listed(&server.connections("").body) == 5).then_some(()));
    assert_eq!(listed(&server.connections("?limit=2").body), 2);
}

fn listed(body: &str) -> usize {
    body.matches("\"reader\"").count()
}

#[test]
fn a_stop_tells_clients_when_to_come_back_and_ends_their_streams() {
    let mut server = Server::start(PEOPLE);
    let mut streams: Vec<_> = (0..4).map(|_| Sse::open(&server, "/sse", &token_of("reader"))).collect();
    server.publish_all(&[medias("lib1", "last-words")]);
    let asked = Instant::now();
    server.terminate();
    for sse in &mut streams {
        assert!(sse.expect("medias").data.contains("\"last-words\""), "an accepted event is delivered before the end");
        sse.expect_end(Duration::from_secs(35));
        let retry = sse.retries().first().unwrap_or_else(|| panic!("no retry: {:?}", sse.raw()));
        assert!(retry.parse::<u64>().is_ok_and(|ms| ms > 0), "{retry}");
    }
    let status = server.wait(Duration::from_secs(35));
    assert!(status.success(), "{status:?}\n{}", server.log());
    assert!(asked.elapsed() < Duration::from_secs(35), "{:?}", asked.elapsed());
}

#[test]
fn what_is_kept_on_the_disk_is_for_its_owner_only() {
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    let warning = "data_dir is open to other users";
    let watched = tempfile::tempdir().expect("a folder");
    let library = format!("[[libraries]]\nid = \"lib1\"\npath = {:?}\n", watched.path());
    let mut server = Server::start(&format!("{PEOPLE}\n{library}"));
    assert_eq!(server.put_principal("reader", &json!({"disabled": true})).status, 200);
    let data = server.data();
    let files = ["ids.redb", "media.redb", "principals.json", "run.json", "server-id"];
    assert_eq!(mode(&data), 0o700);
    assert_eq!(files.map(|file| mode(&data.join(file))), [0o600; 5]);
    assert_eq!(fs::read_dir(&data).expect("ours").count(), files.len(), "a further file is to be looked at here");
    assert!(!server.log().contains(warning), "{}", server.log());

    server.stop();
    fs::set_permissions(&data, Permissions::from_mode(0o755)).expect("ours");
    fs::set_permissions(data.join("media.redb"), Permissions::from_mode(0o644)).expect("ours");
    server.restart_stopped();
    assert_eq!((mode(&data), mode(&data.join("media.redb"))), (0o755, 0o600));
    assert!(server.log().contains(warning), "{}", server.log());
}

#[test]
fn a_store_of_ids_that_cannot_be_used_keeps_the_server_from_nothing() {
    let mut server = Server::start(PEOPLE);
    server.stop();
    let damaged = server.data().join("ids.redb");
    fs::write(&damaged, "no store at all").expect("ours");
    server.restart_stopped();
    assert_eq!(Request::new("GET", "/readyz").send(&server).status, 200);
    assert!(server.log().contains("ids.redb: "), "an operator is told which file it is: {}", server.log());
    assert_eq!(fs::read(&damaged).expect("ours"), b"no store at all", "what it is, an operator finds out");
    server.stop();
}

#[test]
fn metrics_beyond_this_machine_need_a_token_that_does_nothing_else() {
    let metrics_token = "token-of-metrics-0123456789abcdef0123456789";
    let settings = format!("{PEOPLE}\n[[tokens]]\ntoken = {metrics_token:?}\nmetrics = true\n");
    let open = Launch { arguments: &["--metrics-listen", "0.0.0.0:0"], ..Launch::default() };
    let server = Server::launch("127.0.0.1:0", &settings, open);
    let metrics = |token: Option<&str>| {
        let mut request = Request::new("GET", "/metrics");
        if let Some(token) = token {
            request = request.bearer(token);
        }
        request.send_to(&server.metrics_address()).expect("the metrics listener answers").status
    };
    assert_eq!(metrics(None), 401);
    assert_eq!(metrics(Some("no-such-token")), 401);
    for other in ["reader", "publisher"] {
        assert_eq!(metrics(Some(&token_of(other))), 403, "{other}");
    }
    assert_eq!(metrics(Some(metrics_token)), 200);
    assert_eq!(metrics(Some(&token_of("root"))), 200);
    assert_eq!(Request::new("GET", "/sse").bearer(metrics_token).send(&server).status, 401);
    assert_eq!(Request::new("GET", "/api/connections").bearer(metrics_token).send(&server).status, 403);
    assert_eq!(server.publish(metrics_token, &medias("lib1", "m1")).0, 403);
    let health = Request::new("GET", "/healthz").send_to(&server.metrics_address()).expect("it answers");
    assert_eq!(health.status, 200, "health needs none");
}
