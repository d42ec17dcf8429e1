//! A plain client that does what document 004 says, message by message, as text and as binary frames.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Device, Socket, publish, start};
use crate::harness::{PATIENCE, Request, Server, eventually};

const FILM: &str = "0123456789abcdef0123456789abcdef";

/// The document's client and device, in its words.
fn dashboard<'s>(server: &'s Server) -> Device<'s> {
    Device { server, who: "reader", client: "Dashboard", id: "df787898fdsf7ds80" }
}

/// A socket that has found its way as the document says, and has said who it is.
fn identified(server: &Server, in_binary: bool) -> Socket {
    let info = Request::new("GET", "/System/Info").send(server).json();
    let port = info["WebSocketPortNumber"].as_u64().expect("a port");
    assert_eq!(Some(port), server.address().rsplit(':').next().and_then(|port| port.parse().ok()));
    dashboard(server).get("/Sessions");
    let mut socket = Socket::of_nobody(server);
    let identity = "Dashboard|df787898fdsf7ds80|1.0";
    if in_binary {
        socket.say_in_binary("Identity", identity)
    } else {
        socket.say("Identity", identity)
    }
    socket.is_heard();
    socket
}

#[test]
fn every_message_of_the_document_arrives_in_its_words() {
    for in_binary in [false, true] {
        let server = Server::start(&format!("{}\n[dialects.mediabrowser]\nlibrary_quiet = \"100ms\"\n", super::people()));
        let mut socket = identified(&server, in_binary);
        let device = dashboard(&server);
        let user = device.get("/Users/Me").json()["Id"].as_str().expect("an id").to_owned();
        publish(&server, &[json!({"type": "server", "data": {"state": "restart-required"}})]);
        assert_eq!(socket.expect("RestartRequired")["Data"], "");
        publish(&server, &[json!({"type": "user", "data": {"action": "Updated", "user": {"id": "reader", "name": "Reader"}}})]);
        let updated = socket.expect("UserUpdated")["Data"].take();
        assert_eq!((&updated["Id"], &updated["Name"]), (&json!(user), &json!("Reader")));
        let movies = json!([{"action": "Added", "movie": {"id": FILM}}]);
        publish(&server, &[json!({"type": "movies", "data": {"library": "lib1", "movies": movies}})]);
        assert_eq!(socket.expect("LibraryChanged")["Data"]["ItemsAdded"], json!([FILM]));
        controlled(&device, &mut socket, &user);
        notified(&server, &mut socket);
        publish(&server, &[json!({"type": "user", "data": {"action": "Deleted", "user": {"id": "reader"}}})]);
        assert_eq!(socket.expect("UserDeleted")["Data"], user);
    }
}

fn controlled(device: &Device<'_>, socket: &mut Socket, user: &str) {
    let id = device.session_id();
    device.does(&format!("/Sessions/{id}/Viewing?ItemType=Movie&ItemId={FILM}&ItemName=Film&Context=movies"), &Value::Null);
    assert_eq!(socket.expect("Browse")["Data"], json!({"ItemType": "Movie", "ItemId": FILM, "ItemName": "Film", "Context": "movies"}));
    device.does(&format!("/Sessions/{id}/Playing?ItemIds={FILM}&PlayCommand=PlayNow&StartPositionTicks=1000000"), &Value::Null);
    let play = socket.expect("Play")["Data"].take();
    assert_eq!(
        (&play["ItemIds"], &play["PlayCommand"], &play["StartPositionTicks"]),
        (&json!([FILM]), &json!("PlayNow"), &json!(1_000_000))
    );
    for command in ["Stop", "Pause", "Unpause", "NextTrack", "PreviousTrack"] {
        device.does(&format!("/Sessions/{id}/Playing/{command}"), &Value::Null);
        for kind in ["Playstate", "UpdatePlaystate"] {
            assert_eq!(socket.expect(kind)["Data"], json!({"Command": command, "ControllingUserId": user}));
        }
    }
    device.does(&format!("/Sessions/{id}/Playing/Seek?SeekPositionTicks=50"), &Value::Null);
    for kind in ["Playstate", "UpdatePlaystate"] {
        assert_eq!(socket.expect(kind)["Data"]["SeekPositionTicks"], 50);
    }
    device.does(&format!("/Sessions/{id}/System/GoHome"), &Value::Null);
    assert_eq!(socket.expect("SystemCommand")["Data"], "GoHome");
    device.does(&format!("/Sessions/{id}/Message"), &json!({"Header": "h", "Text": "t", "TimeoutMs": 50}));
    assert_eq!(socket.expect("MessageCommand")["Data"], json!({"Header": "h", "Text": "t", "TimeoutMs": 50}));
}

fn notified(server: &Server, socket: &mut Socket) {
    for (state, kind) in [("added", "NotificationAdded"), ("updated", "NotificationUpdated"), ("read", "NotificationsMarkedRead")] {
        publish(server, &[json!({"type": "notification", "data": {"state": state, "user": "reader", "notifications": [{"id": "n1"}]}})]);
        let text = socket.expect(kind)["Data"].as_str().expect("a text").to_owned();
        let parts: Vec<&str> = text.split('|').collect();
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        assert_eq!(lengths, if state == "read" { vec![32, 32, 4] } else { vec![36, 36] }, "{text}");
    }
}

#[test]
fn sessions_come_after_the_delay_and_every_interval_until_they_are_stopped() {
    let server = start();
    let mut socket = identified(&server, false);
    let asked = Instant::now();
    socket.say("SessionsStart", "1000,1000");
    let mut ids = std::collections::HashSet::new();
    for expected in 1..=3 {
        let sessions = socket.expect("Sessions");
        let since = asked.elapsed();
        let due = Duration::from_millis(1000 * expected);
        assert!(since + Duration::from_millis(150) > due && since < due + Duration::from_secs(3), "{expected}: {since:?}");
        assert_eq!(sessions["Data"][0]["DeviceId"], "df787898fdsf7ds80");
        assert!(ids.insert(sessions["MessageId"].to_string()), "clients drop an id they have had");
    }
    socket.say("SessionsStop", "");
    socket.is_heard();
    assert_eq!(socket.within(Duration::from_millis(1500)), None);
}

#[test]
fn check_ins_show_in_the_sessions_list() {
    for in_binary in [false, true] {
        let server = start();
        let mut socket = identified(&server, in_binary);
        let device = dashboard(&server);
        let say =
            |socket: &mut Socket, kind: &str, data: &str| if in_binary { socket.say_in_binary(kind, data) } else { socket.say(kind, data) };
        let shows =
            |what: &str, is: &dyn Fn(&Value) -> bool| eventually(what, PATIENCE, || Some(device.session()).filter(|session| is(session)));
        say(&mut socket, "PlaybackStart", FILM);
        assert_eq!(socket.expect("PlaybackStart")["Data"]["NowPlayingItem"]["Id"], FILM);
        shows("it plays", &|session| session["NowPlayingItem"]["Id"] == FILM);
        say(&mut socket, "PlaybackProgress", &format!("{FILM}|1000000|true"));
        shows("its position", &|session| session["NowPlayingPositionTicks"] == 1_000_000 && session["IsPaused"] == true);
        say(&mut socket, "PlaybackProgress", &format!("{FILM}||true"));
        shows("no position", &|session| session.get("NowPlayingPositionTicks").is_none() && session.get("NowPlayingItem").is_some());
        say(&mut socket, "PlaybackStopped", &format!("{FILM}|1000000"));
        assert_eq!(socket.expect("PlaybackStopped")["Data"]["DeviceId"], "df787898fdsf7ds80");
        shows("nothing", &|session| session.get("NowPlayingItem").is_none());
    }
}
