//! The plain answers beside the streams.

use serde_json::{Value, json};

use super::{get, listen, people, playback, publish};
use crate::harness::{PATIENCE, PEOPLE, Request, Server, Sse, eventually, token_of};

fn xml(server: &Server, path: &str, who: &str) -> String {
    let answer = get(path, who).send(server);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/xml;charset=utf-8")), "{path}: {}", answer.body);
    answer.body
}

fn container(server: &Server, path: &str, who: &str) -> Value {
    let answer = get(path, who).header("accept", "application/json").send(server);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{path}: {}", answer.body);
    answer.json()["MediaContainer"].clone()
}

#[test]
fn the_root_is_xml_and_json_on_request_and_a_page_for_browsers() {
    let mut server = Server::start_on_with("127.0.0.1:0", "name = \"A <b> & \\\"c\\\"\"\n", PEOPLE);
    let text = xml(&server, "/", "guest");
    assert!(
        text.starts_with(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<MediaContainer size=\"0\" friendlyName=\"A &lt;b&gt; &amp; &quot;c&quot;\" "
        ),
        "{text}"
    );
    assert!(text.contains(" eventStream=\"1\"") && text.contains(" transcoderActiveVideoSessions=\"0\""), "{text}");
    let root = container(&server, "/", "guest");
    assert_eq!((&root["friendlyName"], &root["eventStream"]), (&json!("A <b> & \"c\""), &json!(true)));
    let machine = root["machineIdentifier"].as_str().expect("an id").to_owned();
    assert!(machine.len() == 40 && machine.bytes().all(|byte| byte.is_ascii_hexdigit()), "{machine}");
    let page = Request::new("GET", "/").header("accept", "text/html,*/*;q=0.8").send(&server);
    assert!(page.status == 200 && page.body.starts_with("<!doctype html>"), "the start page needs no token");
    assert_eq!(get("/", "nobody").send(&server).status, 401);
    server.restart();
    let identity = Request::new("GET", "/identity").send(&server);
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!("<MediaContainer size=\"0\" claimed=\"1\" machineIdentifier=\"{machine}\" version=\"{version}\"/>\n");
    assert_eq!(identity.body.split_once('\n').expect("two lines").1, expected, "the same after a restart, and without a token");
    let json = Request::new("GET", "/identity").header("accept", "application/json").send(&server).json();
    assert_eq!(json["MediaContainer"], json!({"size": 0, "claimed": true, "machineIdentifier": machine, "version": version}));
}

#[test]
fn activities_are_those_that_run_and_whom_they_concern() {
    let server = Server::start(&people());
    let of_reader = json!({"id": "c30c1edc-8df0-4713-a7f1-f1373f6db8e9", "user": {"id": "reader", "ids": {"plex": "2"}}, "type": "library.refresh.items",
        "title": "Refreshing", "subtitle": "Checking", "progress": 33, "state": "updated", "context": {"exists": true, "key": "/library/metadata/513"}});
    let mut root = listen(&server, "", "root");
    publish(
        &server,
        &[
            json!({"type": "activity", "data": of_reader}),
            json!({"type": "scan", "data": {"library": "lib1", "name": "One", "state": "started"}}),
            json!({"type": "scan", "data": {"library": "lib1", "name": "One", "state": "progress", "progress": 40}}),
        ],
    );
    let started: Vec<Value> = (0..4).map(|_| root.next_event(PATIENCE).expect("it is due").json()).collect();
    let scan = started.iter().filter_map(|event| event["ActivityNotification"]["uuid"].as_str()).find(|uuid| !uuid.starts_with("c30c"));
    let scan = scan.expect("the scan's").to_owned();
    let expected = "<MediaContainer size=\"1\"><Activity uuid=\"c30c1edc-8df0-4713-a7f1-f1373f6db8e9\" type=\"library.refresh.items\" \
        cancellable=\"0\" userID=\"2\" title=\"Refreshing\" subtitle=\"Checking\" progress=\"33\"><Context exists=\"1\" \
        key=\"/library/metadata/513\"/></Activity></MediaContainer>\n";
    assert_eq!(xml(&server, "/activities", "reader").split_once('\n').expect("two lines").1, expected);
    assert_eq!(container(&server, "/activities", "libadmin"), json!({"size": 0}), "a scan is the server's own");
    let all = container(&server, "/activities", "root");
    assert_eq!((&all["size"], all["Activity"].as_array().map(Vec::len)), (&json!(2), Some(2)));
    let of_scan = all["Activity"].as_array().expect("a list").iter().find(|activity| activity["uuid"] == scan).expect("the scan").clone();
    assert_eq!((&of_scan["progress"], &of_scan["userID"], &of_scan["title"]), (&json!(40), &json!(1), &json!("Scanning One")));
    publish(&server, &[json!({"type": "scan", "data": {"library": "lib1", "state": "finished"}})]);
    eventually("what ended is gone", PATIENCE, || (container(&server, "/activities", "root")["size"] == 1).then_some(()));
}

#[test]
fn a_cancelled_activity_becomes_a_request_to_publishers() {
    let server = Server::start(&people());
    let mut publisher = Sse::open(&server, "/sse?events=request", &token_of("publisher"));
    let activity = |state: &str, cancellable: bool, id: &str| json!({"type": "activity", "data": {"id": id, "user": "reader", "type": "t", "state": state, "cancellable": cancellable}});
    publish(&server, &[activity("started", true, "job one"), activity("started", false, "job two")]);
    let listed = eventually("both run", PATIENCE, || {
        let listed = container(&server, "/activities", "reader");
        (listed["size"] == 2).then_some(listed)
    });
    let uuid = |cancellable: bool| {
        let activities = listed["Activity"].as_array().expect("a list");
        let activity = activities.iter().find(|activity| activity["cancellable"] == cancellable).expect("one of each");
        activity["uuid"].as_str().expect("an id").to_owned()
    };
    let delete = |id: &str, who: &str| {
        let request = Request::new("DELETE", &format!("/activities/{id}")).header("X-Plex-Token", &token_of(who));
        request.send(&server).status
    };
    assert_eq!(delete(&uuid(true), "owner"), 404, "it is not shown to others");
    assert_eq!(delete(&uuid(false), "reader"), 400);
    assert_eq!(delete("nothing", "root"), 404);
    assert_eq!(Request::new("DELETE", &format!("/activities/{}", uuid(true))).send(&server).status, 401);
    assert_eq!(delete(&uuid(true), "reader"), 200);
    let request = publisher.expect("request").json()["Request"].clone();
    assert_eq!((&request["kind"], &request["target"], &request["user"]), (&json!("cancel-activity"), &json!("job one"), &json!("reader")));
}

#[test]
fn sessions_are_what_is_played_to_whom_it_concerns() {
    let server = Server::start(&people());
    let mut event = playback("reader", "12");
    event["data"]["client"] = json!({"id": "abcd", "name": "Den", "product": "Player"});
    event["data"]["item"] = json!({"id": "900", "name": "A Film", "type": "movie"});
    event["data"]["transcode"] = json!("t1");
    event["data"]["library"] = json!("lib1");
    let transcode = json!({"type": "transcode", "data": {"id": "t1", "user": "reader", "state": "update", "progress": 1.5}});
    publish(&server, &[playback("owner", "13"), event, transcode]);
    let own = eventually("it is shown", PATIENCE, || {
        let own = container(&server, "/status/sessions", "reader");
        (own["Video"][0]["TranscodeSession"].is_object()).then_some(own)
    });
    assert_eq!(own["size"], 1);
    let video = &own["Video"][0];
    assert_eq!((&video["sessionKey"], &video["ratingKey"], &video["viewOffset"]), (&json!("12"), &json!("900"), &json!(61_000)));
    assert_eq!(
        video["Player"],
        json!({"machineIdentifier": "abcd", "title": "Den", "product": "Player", "platform": "", "state": "paused"})
    );
    assert_eq!(video["TranscodeSession"]["key"], "/transcode/sessions/t1");
    assert_eq!(container(&server, "/status/sessions", "root")["size"], 2);
    assert_eq!(container(&server, "/status/sessions", "guest")["size"], 0);
    assert!(xml(&server, "/status/sessions", "reader").contains("<Video sessionKey=\"12\" "));
}
