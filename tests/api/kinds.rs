//! The event types beyond document 002: scans, the log, raw messages, and events for one session only.

use serde_json::{Value, json};

use crate::harness::{PATIENCE, PEOPLE, Request, SILENCE, Server, Sse, eventually, medias, progress_of, token_of};

/// An API key that may publish the reserved type `raw`, which must be named.
const RAW_PUBLISHER: &str = r#"
[[tokens]]
token = "token-of-raw-publisher-0123456789abcdef0123456789"
publish = { types = ["raw", "medias"] }
"#;

fn scan(state: &str, more: &Value) -> Value {
    let mut data = json!({"library": "lib1", "name": "Films", "state": state});
    for (name, value) in more.as_object().expect("an object") {
        data[name] = value.clone();
    }
    json!({"type": "scan", "data": data})
}

fn raw(name: &str, audience: &str, payload: &Value) -> Value {
    json!({"type": "raw", "audience": audience, "data": {"dialect": "redseat", "name": name, "payload": payload}})
}

#[test]
fn a_scan_shows_its_ends_to_readers_and_its_numbers_to_admins_of_the_library() {
    let server = Server::start(PEOPLE);
    let mut reader = Sse::open(&server, "/sse?events=scan,media_progress", &token_of("reader"));
    let mut admin = Sse::open(&server, "/sse?events=scan", &token_of("libadmin"));
    let mut stranger = Sse::open(&server, "/sse?events=scan,media_progress", &token_of("stranger"));
    server.publish_all(&[scan("started", &json!({}))]);
    assert_eq!(admin.expect("scan").json()["Scan"]["state"], "started");
    server.publish_all(&[scan("progress", &json!({"progress": 40}))]);
    assert_eq!(admin.expect("scan").json()["Scan"]["progress"], 40);
    server.publish_all(&[scan("failed", &json!({"error": "/srv/secret is gone", "results": {"added": 3}}))]);
    assert_eq!(admin.expect("scan").json()["Scan"]["error"], "/srv/secret is gone");
    server.publish_all(&[progress_of("reader", "sentinel"), progress_of("stranger", "sentinel")]);
    let seen: Vec<_> = reader.before("sentinel").iter().map(|event| event.json()["Scan"].clone()).collect();
    let abridged = |state: &str| json!({"library": "lib1", "name": "Films", "state": state});
    assert_eq!(seen, [abridged("started"), abridged("failed")], "progress, counts and errors are for admins");
    assert_eq!(stranger.before("sentinel"), Vec::new());
}

#[test]
fn without_events_a_scan_comes_as_library_status_to_those_who_may_see_a_status() {
    let server = Server::start(PEOPLE);
    let mut admin = Sse::open(&server, "/sse", &token_of("libadmin"));
    let mut reader = Sse::open(&server, "/sse", &token_of("reader"));
    server.publish_all(&[scan("started", &json!({}))]);
    let status = admin.expect("library-status").json()["LibraryStatus"].clone();
    assert_eq!((&status["library"], &status["message"]), (&json!("lib1"), &json!("scan started")));
    server.publish_all(&[scan("finished", &json!({"results": {"added": 1}})), progress_of("reader", "sentinel")]);
    assert_eq!(admin.expect("library-status").json()["LibraryStatus"]["message"], "scan finished");
    assert_eq!(reader.before("sentinel"), Vec::new());
}

#[test]
fn the_log_is_for_server_admins_who_name_it() {
    let server = Server::start(PEOPLE);
    // The engine has a log of its own, which is told as well.
    let mut root = Sse::open(&server, "/sse?events=log", &token_of("root"));
    let mut unasked = Sse::open(&server, "/sse", &token_of("root"));
    let mut libadmin = Sse::open(&server, "/sse?events=log,media_progress", &token_of("libadmin"));
    let line = json!({"level": "warn", "message": "disk almost full", "source": "store"});
    server.publish_all(&[json!({"type": "log", "data": line}), progress_of("libadmin", "sentinel"), progress_of("root", "sentinel")]);
    let told = eventually("the published line", PATIENCE, || {
        let told = root.expect("log").json();
        (told["Log"]["source"] == "store").then_some(told)
    });
    assert_eq!(told, json!({"Log": line}));
    assert_eq!(libadmin.before("sentinel"), Vec::new());
    assert_eq!(unasked.before("sentinel"), Vec::new(), "the log is not among the fourteen names");
    let (status, body) = server.publish(&token_of("publisher"), &json!({"type": "log", "data": {"level": "loud", "message": "x"}}));
    assert_eq!(status, 422, "{body}");
    assert!(body.contains("level") && body.contains("warn"), "{body}");
}

#[test]
fn a_raw_message_is_delivered_as_it_is_to_those_who_name_it() {
    let server = Server::start(&format!("{PEOPLE}{RAW_PUBLISHER}"));
    let mut named = Sse::open(&server, "/sse?events=books", &token_of("reader"));
    let mut all_raw = Sse::open(&server, "/sse?events=raw", &token_of("reader"));
    let mut plain = Sse::open(&server, "/sse", &token_of("reader"));
    let mut stranger = Sse::open(&server, "/sse?events=books,raw,media_progress", &token_of("stranger"));
    let publish = |event: &Value| {
        let (status, body) = server.publish(&token_of("raw-publisher"), event);
        assert_eq!(status, 200, "{event}: {body}");
    };
    let payload = json!({"anything": [1, null, {"goes": "a\nb"}]});
    publish(&raw("books", "library:lib1", &payload));
    publish(&raw("other", "library:lib1", &json!(2)));
    // A raw message under one of the fourteen names counts as one of them.
    publish(&raw("medias", "library:lib1", &json!({"Medias": "raw"})));
    publish(&medias("lib1", "last"));
    assert_eq!(named.expect("books").json(), payload);
    for (name, data) in [("books", &payload), ("other", &json!(2)), ("medias", &json!({"Medias": "raw"}))] {
        assert_eq!(&all_raw.expect(name).json(), data);
    }
    assert_eq!(plain.expect("medias").json(), json!({"Medias": "raw"}), "neither `books` nor `other`");
    assert!(plain.expect("medias").data.contains("\"last\""));
    named.expect_nothing(SILENCE);
    server.publish_all(&[progress_of("stranger", "sentinel")]);
    assert_eq!(stranger.before("sentinel"), Vec::new(), "the audience is the library");
}

#[test]
fn a_raw_message_needs_the_named_right_an_audience_and_a_known_dialect() {
    let server = Server::start(&format!("{PEOPLE}{RAW_PUBLISHER}"));
    assert_eq!(server.publish(&token_of("publisher"), &raw("books", "all", &json!(1))).0, 403, "a reserved type must be named");
    let publisher = token_of("raw-publisher");
    let mut without = raw("books", "all", &json!(1));
    without.as_object_mut().expect("an object").remove("audience");
    let mut unknown = raw("books", "all", &json!(1));
    unknown["data"]["dialect"] = json!("morse");
    for (event, named) in
        [(without, "audience"), (unknown, "dialect"), (raw("", "all", &json!(1)), "name"), (raw("a\nb", "all", &json!(1)), "name")]
    {
        let (status, body) = server.publish(&publisher, &event);
        assert_eq!(status, 422, "{event}: {body}");
        assert!(body.contains(named), "`{named}` is not named: {body}");
    }
}

#[test]
fn one_connection_is_told_what_to_do_and_no_other_of_its_user() {
    let server = Server::start(PEOPLE);
    let open = |agent: &str| {
        let request = Request::new("GET", "/sse?events=remote-control,medias").bearer(&token_of("reader")).header("user-agent", agent);
        Sse::ask(&server, &request)
    };
    let (mut phone, mut tablet) = (open("phone"), open("tablet"));
    let mut admin = Sse::open(&server, "/sse?events=remote-control,medias", &token_of("root"));
    let id = eventually("the phone is listed", PATIENCE, || {
        let list = server.connections("").json()["connections"].clone();
        let list = list.as_array().expect("a list");
        let phone = list.iter().find(|connection| connection["client"] == "phone")?;
        (list.len() == 3).then(|| phone["id"].as_str().expect("an id").to_owned())
    });
    let told = |to: &str| json!({"type": "remote-control", "data": {"to": to, "user": "reader", "playstate": {"command": "Seek", "position": 10_000}}});
    server.publish_all(&[told(&format!("session:{id}")), medias("lib1", "afterwards")]);
    assert_eq!(phone.expect("remote-control").json()["RemoteControl"]["playstate"], json!({"command": "Seek", "position": 10_000}));
    for sse in [&mut phone, &mut tablet, &mut admin] {
        assert!(sse.expect("medias").data.contains("afterwards"));
    }
    let publisher = token_of("publisher");
    for to in ["all", "user:reader", "session:nobody", ""] {
        let (status, body) = server.publish(&publisher, &told(to));
        assert!(status == 422 && body.contains("data.to"), "{to}: {status} {body}");
    }
    let mut wider = told("session:1-2-3");
    wider["audience"] = json!("all");
    assert_eq!(server.publish(&publisher, &wider).0, 422, "it goes to one, whatever the publisher asks for");
}

#[test]
fn an_event_for_one_session_reaches_only_that_one() {
    let server = Server::start(PEOPLE);
    let agents = ["phone", "tablet"];
    let open = |agent: &str| {
        Sse::ask(&server, &Request::new("GET", "/sse?events=medias,message").bearer(&token_of("reader")).header("user-agent", agent))
    };
    let [mut phone, mut tablet] = agents.map(open);
    let id = eventually("both are listed", PATIENCE, || {
        let list = server.connections("").json()["connections"].clone();
        let list = list.as_array().expect("a list");
        let phone = list.iter().find(|connection| connection["client"] == "phone")?;
        (list.len() == 2).then(|| phone["id"].as_str().expect("an id").to_owned())
    });
    let session = format!("session:{id}");
    let mut to_phone = medias("lib1", "for-phone");
    to_phone["audience"] = json!(session);
    let mut not_his = medias("lib2", "not-his-library");
    not_his["audience"] = json!(session);
    let message = json!({"type": "message", "audience": session, "data": {"text": "hello phone", "to": "all"}});
    server.publish_all(&[to_phone, not_his, message, medias("lib1", "for-both")]);
    let mut seen: Vec<_> = (0..3).map(|_| phone.next_event(PATIENCE).expect("three events").data).collect();
    seen.sort();
    assert!(seen[0].contains("for-both") && seen[1].contains("for-phone") && seen[2].contains("hello phone"), "{seen:?}");
    assert!(tablet.expect("medias").data.contains("for-both"));
    phone.expect_nothing(SILENCE);
    tablet.expect_nothing(SILENCE);
    drop(phone);
    // Nobody has the id any longer, and no later connection gets it: the event is accepted and reaches nobody.
    eventually("the phone has left", PATIENCE, || (server.metric("fanfare_connections") == 1.0).then_some(()));
    let mut next = open("phone");
    let mut late = medias("lib1", "too-late");
    late["audience"] = json!(session);
    server.publish_all(&[late, medias("lib1", "afterwards")]);
    for sse in [&mut next, &mut tablet] {
        assert!(sse.expect("medias").data.contains("afterwards"));
    }
}
