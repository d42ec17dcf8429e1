//! Who is told what, on the wire: the owner, shared users with one library and with none.

use serde_json::{Value, json};

use super::{get, listen, people, playback, publish, sentinel, socket};
use crate::harness::{PATIENCE, Server, Sse, WebSocket, token_of};

/// One event, and who is told of it as what.
struct Row {
    event: Value,
    /// Of the server's administrator, an administrator of `lib1`, a reader of `lib1` (the user of the table), another reader
    /// of it, and a user without libraries.
    told: [&'static [&'static str]; 5],
}

const EVERYBODY: [&str; 5] = ["root", "libadmin", "reader", "owner", "guest"];
const NOBODY: &[&str] = &[];

fn row(kind: &str, data: Value, told: [&'static [&'static str]; 5]) -> Row {
    Row { event: json!({"type": kind, "data": data}), told }
}

/// Told alike to the administrator and to readers of `lib1`.
fn of_library(kind: &str, data: Value, told: &'static [&'static str]) -> Row {
    row(kind, data, [told, told, told, told, NOBODY])
}

/// Told to the administrator and to `reader`, whom it is about.
fn of_reader(kind: &str, data: Value, told: &'static [&'static str]) -> Row {
    row(kind, data, [told, NOBODY, told, NOBODY, NOBODY])
}

fn of_admin(kind: &str, data: Value, told: &'static [&'static str]) -> Row {
    row(kind, data, [told, NOBODY, NOBODY, NOBODY, NOBODY])
}

/// In a message only where nobody may see it.
const SECRET: &str = "never-shown";

/// An activity with a library's secrets in the publisher's own objects.
fn with_secrets(user: &str) -> Value {
    let library = json!({"id": "copied", "root": SECRET, "credentials": SECRET});
    json!({"id": "a3", "user": user, "type": "t", "state": "updated", "context": {"library": library}, "response": {"library": library}})
}

/// A user with secrets of its own and in what goes over the item.
fn user_with_secrets() -> Value {
    let overlay = json!({"plex": {"token": SECRET, "password": SECRET, "thumb": "copied"}});
    json!({"id": "reader", "name": "R", "token": SECRET, "dialects": overlay})
}

fn table() -> Vec<Row> {
    let scan = |state: &str| json!({"library": "lib1", "name": "One", "state": state});
    let (both, activity, status): (&[_], &[_], &[_]) = (&["activity", "status"], &["activity"], &["status"]);
    let transcode = |state: &str| json!({"id": "t1", "user": "reader", "state": state});
    vec![
        of_reader("playback", playback("reader", "1")["data"].clone(), &["playing"]),
        of_reader("transcode", transcode("start"), &["transcodeSession.start"]),
        of_reader("transcode", transcode("update"), &["transcodeSession.update"]),
        of_reader("transcode", transcode("end"), &["transcodeSession.end"]),
        of_reader("activity", json!({"id": "a1", "user": "reader", "type": "t", "state": "started"}), activity),
        of_admin("activity", json!({"id": "a2", "type": "t", "state": "started"}), activity),
        of_library("medias", json!({"library": "lib1", "medias": [{"action": "Updated", "media": {"id": "1"}}]}), &["timeline"]),
        of_library("movies", json!({"library": "lib1", "movies": [{"action": "Deleted", "movie": {"id": "1"}}]}), &["timeline"]),
        of_library("tags", json!({"library": "lib1", "tags": [{"action": "Updated", "tag": {"id": "1"}}]}), NOBODY),
        row("scan", scan("started"), [both, status, status, status, NOBODY]),
        of_admin("scan", scan("progress"), activity),
        row("scan", scan("cancelled"), [both, status, status, status, NOBODY]),
        of_admin("upload_progress", json!({"library": "lib1", "mediaId": "m", "progress": 10}), activity),
        of_library(
            "convert_progress",
            json!({"library": "lib1", "mediaId": "m", "progress": 10, "status": "processing"}),
            &["transcodeSession.update"],
        ),
        row(
            "library-status",
            json!({"library": "lib1", "message": "Scanning Harbor Lights (1985)"}),
            [&["progress"], &["progress"], NOBODY, NOBODY, NOBODY],
        ),
        of_admin("preference", json!({"id": "FriendlyName", "value": "Den"}), &["preference"]),
        of_admin("reachability", json!({"reachable": true}), &["reachability"]),
        of_admin("background-queue", json!({"queue": "1", "event": "queueRegenerated"}), &["backgroundProcessingQueue"]),
        of_admin("server", json!({"state": "update", "version": "2"}), &["update.statechange"]),
        row("server", json!({"state": "restarting"}), [NOBODY; 5]),
        of_reader("activity", with_secrets("reader"), activity),
        of_reader("user", json!({"action": "Updated", "user": user_with_secrets()}), &["account"]),
        of_admin("log", json!({"level": "info", "message": "m"}), &["log"]),
        row("message", json!({"text": "t", "to": "all"}), [NOBODY; 5]),
    ]
}

#[test]
fn everybody_is_told_what_is_theirs_in_both_forms() {
    let server = Server::start(&people());
    let mut streams: Vec<Sse> = EVERYBODY.iter().map(|who| listen(&server, "?filters=", who)).collect();
    let mut sockets: Vec<WebSocket> = EVERYBODY.iter().map(|who| socket(&server, "?filters=", who)).collect();
    for Row { event, told } in table() {
        publish(&server, std::slice::from_ref(&event));
        // What is told of one kind of thing keeps its order; a sentinel may overtake another thing's event, so what is due
        // is read first.
        for ((who, told), (sse, socket)) in EVERYBODY.iter().zip(told).zip(streams.iter_mut().zip(&mut sockets)) {
            let of_sse: Vec<_> = told.iter().map(|_| sse.next_event(PATIENCE).expect("it is due")).collect();
            let of_socket: Vec<String> = told.iter().map(|_| socket.next_text()).collect();
            let names = |names: &mut dyn Iterator<Item = String>| names.collect::<Vec<_>>();
            assert_eq!(names(&mut of_sse.iter().map(|event| event.name.clone())), own(told), "{who}: {event}");
            assert_eq!(names(&mut of_socket.iter().map(|text| super::kind_of(text))), own(told), "{who}: {event}");
            let bodies = of_sse.iter().map(|event| &event.data).chain(&of_socket);
            assert_eq!(bodies.clone().find(|body| body.contains(SECRET)), None, "{who}: {event}");
            // A secret that is missing because nothing was copied would prove nothing.
            if event.to_string().contains(SECRET) {
                assert_eq!(bodies.clone().find(|body| !body.contains("copied")), None, "{who}: {event}");
            }
        }
    }
    publish(&server, &[sentinel()]);
    for (who, (sse, socket)) in EVERYBODY.iter().zip(streams.iter_mut().zip(&mut sockets)) {
        assert_eq!(sse.next_event(PATIENCE).expect("the sentinel").name, "sentinel", "{who}");
        assert_eq!(super::kind_of(&socket.next_text()), "sentinel", "{who}");
    }
}

fn own(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn what_another_user_plays_is_never_seen() {
    let server = Server::start(&people());
    let (mut sse, mut socket) = (listen(&server, "", "reader"), socket(&server, "", "reader"));
    let mut root = listen(&server, "", "root");
    for session in 0..50 {
        publish(&server, &[playback("owner", &session.to_string())]);
    }
    publish(&server, &[playback("reader", "mine")]);
    for _ in 0..51 {
        root.expect("playing");
    }
    for _ in 0..50 {
        publish(&server, &[playback("owner", "7")]);
    }
    publish(&server, &[sentinel()]);
    let seen = sse.before("sentinel");
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(socket.next_text().contains("\"playing\""));
    assert_eq!(super::kind_of(&socket.next_text()), "sentinel");
    for path in ["/status/sessions", "/activities"] {
        let answer = get(path, "reader").send(&server);
        assert!(!answer.body.contains("owner") && answer.status == 200, "{}", answer.body);
    }
}

#[test]
fn an_administrator_who_is_one_no_longer_hears_of_no_scans_activity() {
    let server = Server::start(&people());
    let mut sse = listen(&server, "", "libadmin");
    let promote = |admin: bool| assert_eq!(server.put_principal("libadmin", &json!({"admin": admin})).status, 200);
    let scan = |state: &str| publish(&server, &[json!({"type": "scan", "data": {"library": "lib1", "state": state}})]);
    promote(true);
    scan("started");
    assert_eq!((sse.expect("activity").name, sse.expect("status").name), ("activity".to_owned(), "status".to_owned()));
    promote(false);
    scan("progress");
    scan("finished");
    assert_eq!(sse.next_event(PATIENCE).expect("the end").name, "status", "rights are asked for with every event");
    let wrong = server.publish(&token_of("reader"), &playback("reader", "1"));
    assert_eq!(wrong.0, 403, "who listens may not publish");
}
