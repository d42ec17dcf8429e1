//! `POST /api/events`: every form of an event, and every answer (event map, section 1).

use serde_json::{Value, json};

use crate::harness::{Answer, PEOPLE, Request, SILENCE, Server, Sse, medias, progress_of, token_of};

fn post(server: &Server, content_type: Option<&str>, body: impl Into<Vec<u8>>) -> Answer {
    let request = Request::new("POST", "/api/events").bearer(&token_of("publisher"));
    let request = match content_type {
        Some(content_type) => request.header("content-type", content_type),
        None => request,
    };
    request.body(body).send(server)
}

/// A server, and a reader of `lib1` who listens.
fn listening() -> (Server, Sse) {
    let server = Server::start(PEOPLE);
    let sse = Sse::open(&server, "/sse", &token_of("reader"));
    (server, sse)
}

fn media_ids(sse: &mut Sse, n: usize) -> Vec<String> {
    (0..n).map(|_| sse.expect("medias").json()["Medias"]["medias"][0]["media"]["id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn one_event_as_plain_json_is_answered_with_id_and_order_and_delivered() {
    let (server, mut sse) = listening();
    let answer = post(&server, Some("application/json"), medias("lib1", "m1").to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = answer.json();
    assert!(answer["id"].is_string(), "{answer}");
    assert!(answer["order"].is_u64(), "{answer}");
    assert_eq!(sse.expect("medias").json(), json!({"Medias": medias("lib1", "m1")["data"]}));
}

#[test]
fn order_grows_within_a_library_and_events_arrive_in_it() {
    let (server, mut sse) = listening();
    let orders: Vec<u64> = (0..20)
        .map(|n| {
            post(&server, Some("application/json"), medias("lib1", &format!("m{n}")).to_string()).json()["order"].as_u64().expect("order")
        })
        .collect();
    assert!(orders.is_sorted_by(|a, b| a < b), "{orders:?}");
    assert_eq!(media_ids(&mut sse, 20), (0..20).map(|n| format!("m{n}")).collect::<Vec<_>>());
}

#[test]
fn a_missing_content_type_and_the_default_of_curl_mean_json() {
    let (server, mut sse) = listening();
    assert_eq!(post(&server, None, medias("lib1", "none").to_string()).status, 200);
    assert_eq!(post(&server, Some("application/x-www-form-urlencoded"), medias("lib1", "curl").to_string()).status, 200);
    assert_eq!(media_ids(&mut sse, 2), ["none", "curl"]);
}

#[test]
fn a_structured_cloudevent_keeps_its_id() {
    let (server, mut sse) = listening();
    let mut event = medias("lib1", "m1");
    event["specversion"] = json!("1.0");
    event["id"] = json!("event-7");
    event["source"] = json!("/camera/1");
    let answer = post(&server, Some("application/cloudevents+json; charset=utf-8"), event.to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json()["id"], "event-7");
    assert_eq!(media_ids(&mut sse, 1), ["m1"]);
}

#[test]
fn a_binary_cloudevent_has_its_attributes_in_headers() {
    let (server, mut sse) = listening();
    let request = Request::new("POST", "/api/events").bearer(&token_of("publisher")).header("ce-specversion", "1.0");
    let request = request.header("ce-type", "medias").header("ce-id", "binary-1").header("ce-source", "/camera/2");
    let answer = request.json(&medias("lib1", "m2")["data"]).send(&server);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json()["id"], "binary-1");
    assert_eq!(media_ids(&mut sse, 1), ["m2"]);
}

#[test]
fn the_items_of_a_batch_are_independent() {
    let (server, mut sse) = listening();
    let bad = json!({"type": "medias", "data": {"medias": []}});
    let structured = |mut event: Value, id: &str| {
        event["specversion"] = json!("1.0");
        event["id"] = json!(id);
        event["source"] = json!("/batch");
        event
    };
    let batch = |items: Vec<Value>| {
        let items: Vec<_> = items.into_iter().enumerate().map(|(n, item)| structured(item, &format!("{n}-{}", uuid()))).collect();
        post(&server, Some("application/cloudevents-batch+json"), Value::from(items).to_string())
    };
    assert_eq!(batch(vec![medias("lib1", "a"), medias("lib1", "b")]).status, 200);
    assert_eq!(batch(vec![medias("lib1", "c"), bad.clone(), medias("lib1", "d")]).status, 207);
    assert_eq!(batch(vec![bad.clone(), bad]).status, 422);
    assert_eq!(media_ids(&mut sse, 4), ["a", "b", "c", "d"]);
    sse.expect_nothing(SILENCE);
}

/// Different at every call, so that no event of a test repeats another one's id.
fn uuid() -> String {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string()
}

#[test]
fn ndjson_goes_on_after_a_bad_line_and_answers_each() {
    let (server, mut sse) = listening();
    let body =
        format!("{}\nthis is no JSON\n{}\n{}\n", medias("lib1", "a"), json!({"type": "nothing-known", "data": {}}), medias("lib1", "b"));
    let answer = post(&server, Some("application/x-ndjson"), body);
    assert!((200..300).contains(&answer.status), "{} {}", answer.status, answer.body);
    let lines: Vec<Value> = answer.body.lines().map(|line| serde_json::from_str(line).expect("each answer line is JSON")).collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    for good in [&lines[0], &lines[3]] {
        assert!(good["id"].is_string() && good["order"].is_u64(), "{good}");
    }
    for bad in [&lines[1], &lines[2]] {
        assert!(bad["order"].is_null(), "{bad}");
    }
    assert_eq!(media_ids(&mut sse, 2), ["a", "b"]);
}

#[test]
fn the_same_id_and_source_is_accepted_twice_and_delivered_once() {
    let (server, mut sse) = listening();
    let event = |id: &str, source: &str, media: &str| {
        let mut event = medias("lib1", media);
        (event["id"], event["source"]) = (json!(id), json!(source));
        post(&server, Some("application/json"), event.to_string())
    };
    let first = event("x", "/a", "m1");
    let again = event("x", "/a", "m1");
    assert_eq!((first.status, again.status), (200, 200), "{} {}", first.body, again.body);
    assert_eq!(again.json()["id"], first.json()["id"]);
    assert_eq!(again.json()["order"], first.json()["order"]);
    assert_eq!(event("x", "/b", "m2").status, 200, "another source is another event");
    assert_eq!(event("y", "/a", "m3").status, 200, "another id is another event");
    assert_eq!(media_ids(&mut sse, 3), ["m1", "m2", "m3"]);
}

#[test]
fn what_cannot_be_parsed_is_400() {
    let server = Server::start(PEOPLE);
    for body in ["", "{", "no json", "\u{1}", "{\"type\":\"medias\",", "{\"type\":\"medias\"} trailing"] {
        let answer = post(&server, Some("application/json"), body);
        assert_eq!(answer.status, 400, "{body:?}: {}", answer.body);
    }
    assert_eq!(post(&server, Some("application/json"), b"{\"type\":\"\xff\"}".to_vec()).status, 400, "not UTF-8");
}

#[test]
fn what_breaks_a_rule_is_422_with_the_path_and_what_is_allowed_and_nothing_is_published() {
    let (server, mut sse) = listening();
    let mut action = medias("lib1", "m1");
    action["data"]["medias"][0]["action"] = json!("Invented");
    let answer = post(&server, None, action.to_string());
    assert_eq!(answer.status, 422, "{}", answer.body);
    for part in ["medias", "action", "Added", "Updated", "Deleted"] {
        assert!(answer.body.contains(part), "`{part}` is missing in {}", answer.body);
    }
    let long = "x".repeat(129);
    let cases = [
        (json!({"type": "nothing-known", "data": {}}), "type"),
        (json!({"type": "medias", "data": {"medias": []}}), "library"),
        (medias("", "m1"), "library"),
        (medias(&long, "m1"), "library"),
        (medias("a\nb", "m1"), "library"),
        (json!({"type": "medias", "data": {"library": "lib1", "medias": [{"action": "Deleted", "media": {}}]}}), "id"),
        (json!({"type": "medias", "audience": "group:x", "data": medias("lib1", "m1")["data"]}), "audience"),
    ];
    for (event, named) in cases {
        let answer = post(&server, None, event.to_string());
        assert_eq!(answer.status, 422, "{event}: {}", answer.body);
        assert!(answer.body.contains(named), "`{named}` is not named for {event}: {}", answer.body);
    }
    for made_by_the_engine in ["presence", "request", "gap", "expiring", "stats"] {
        let answer = post(&server, None, json!({"type": made_by_the_engine, "data": {"user": "owner"}}).to_string());
        assert_eq!(answer.status, 422, "{made_by_the_engine}: {}", answer.body);
    }
    sse.expect_nothing(SILENCE);
}

#[test]
fn without_a_known_token_it_is_401_and_without_the_right_403() {
    let (server, mut sse) = listening();
    let event = medias("lib1", "m1");
    let missing = Request::new("POST", "/api/events").json(&event).send(&server);
    let unknown = server.publish("no-such-token", &event);
    assert_eq!(missing.json()["error"], "a token is needed; this one is missing, unknown, expired or revoked");
    assert_eq!((missing.status, unknown), (401, (401, missing.body)), "the same answer: it tells nobody which tokens there are");
    for reader in ["reader", "libadmin", "guest"] {
        assert_eq!(server.publish(&token_of(reader), &event).0, 403, "{reader} may not publish");
    }
    let limited = token_of("lib1-publisher");
    assert_eq!(server.publish(&limited, &medias("lib2", "m1")).0, 403, "another library");
    assert_eq!(server.publish(&limited, &progress_of("owner", "m1")).0, 403, "another type");
    assert_eq!(server.publish(&limited, &medias("lib1", "allowed")).0, 200);
    assert_eq!(media_ids(&mut sse, 1), ["allowed"]);
}

#[test]
fn a_reserved_type_must_be_named_in_the_token() {
    let server = Server::start(PEOPLE);
    let event = json!({"type": "server", "data": {"state": "restarting"}});
    assert_eq!(server.publish(&token_of("publisher"), &event).0, 403);
}

#[test]
fn a_body_that_is_too_large_is_413_and_one_just_below_is_taken() {
    let (server, mut sse) = listening();
    let sized = |bytes: usize| {
        let mut event = medias("lib1", "big");
        event["data"]["medias"][0]["media"]["description"] = json!("");
        let rest = bytes - event.to_string().len();
        event["data"]["medias"][0]["media"]["description"] = json!("x".repeat(rest));
        event.to_string()
    };
    let answer = post(&server, Some("application/json"), sized(262_145));
    assert_eq!(answer.status, 413, "{}", answer.body);
    let answer = post(&server, Some("application/json"), sized(262_144));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(media_ids(&mut sse, 1), ["big"]);
}

#[test]
fn another_or_an_encoded_body_is_415() {
    let server = Server::start(PEOPLE);
    let event = medias("lib1", "m1").to_string();
    for content_type in ["text/xml", "application/octet-stream", "multipart/form-data; boundary=x"] {
        assert_eq!(post(&server, Some(content_type), event.clone()).status, 415, "{content_type}");
    }
    let encoded = Request::new("POST", "/api/events").bearer(&token_of("publisher"));
    let encoded = encoded.header("content-type", "application/json").header("content-encoding", "gzip");
    assert_eq!(encoded.body(event).send(&server).status, 415);
}

#[test]
fn numbers_and_unknown_fields_are_delivered_as_they_were_written() {
    let (server, mut sse) = listening();
    let body = r#"{"type":"medias","data":{"zeta":1.50,"library":"lib1","medias":[{"action":"Updated","extra":1e2,"media":{"id":"m1","rating":4.50,"z":{"b":1,"a":[1.0]}}}]}}"#;
    assert_eq!(post(&server, None, body).status, 200);
    let data = sse.expect("medias").data;
    for part in ["1.50", "1e2", "4.50", "1.0"] {
        assert!(data.contains(part), "`{part}` is missing in {data}");
    }
    let sent: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(serde_json::from_str::<Value>(&data).expect("JSON")["Medias"], sent["data"]);
}

#[test]
fn an_audience_narrows_and_never_widens() {
    let (server, mut reader) = listening();
    let mut owner = Sse::open(&server, "/sse", &token_of("owner"));
    let mut stranger = Sse::open(&server, "/sse", &token_of("stranger"));
    let with = |audience: &str, id: &str| {
        let mut event = medias("lib1", id);
        event["audience"] = json!(audience);
        event
    };
    server.publish_all(&[
        with("user:owner", "for-owner"),
        with("user:stranger", "not-his-library"),
        with("user:owner,user:reader", "for-both"),
        medias("lib1", "for-all-readers"),
        medias("lib2", "other"),
    ]);
    assert_eq!(media_ids(&mut reader, 2), ["for-both", "for-all-readers"]);
    assert_eq!(media_ids(&mut owner, 3), ["for-owner", "for-both", "for-all-readers"]);
    assert_eq!(media_ids(&mut stranger, 1), ["other"]);
}
