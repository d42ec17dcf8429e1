//! `Sessions`: who sees which, over HTTP and on a socket; what a client says it can; two sockets of one session.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Device, Socket, start};
use crate::harness::{PATIENCE, SILENCE, Server, eventually};

fn device_ids(sessions: &Value) -> Vec<String> {
    let mut ids: Vec<_> =
        sessions.as_array().expect("a list").iter().map(|session| session["DeviceId"].as_str().expect("an id").to_owned()).collect();
    ids.sort();
    ids
}

#[test]
fn a_user_sees_his_own_sessions_and_an_administrator_all_over_http_and_on_the_socket() {
    let server = start();
    let [reader, owner, root, key, admin_key] = [("reader", "r1"), ("owner", "o1"), ("root", "a1"), ("key", "k1"), ("admin-key", "k2")]
        .map(|(who, id)| Device::new(&server, who, id));
    let everybody = ["a1", "k1", "k2", "o1", "r1"];
    let mut sockets: Vec<(&Device<'_>, Socket)> =
        [&reader, &owner, &root, &key, &admin_key].into_iter().map(|device| (device, device.socket("/socket"))).collect();
    for (device, expected) in [(&reader, &["r1"][..]), (&owner, &["o1"]), (&root, &everybody), (&admin_key, &everybody), (&key, &[])] {
        assert_eq!(device_ids(&device.get("/Sessions").json()), expected, "{}", device.who);
        let socket = &mut sockets.iter_mut().find(|(own, _)| own.who == device.who).expect("its socket").1;
        socket.say("SessionsStart", "0,1000");
        assert_eq!(device_ids(&socket.expect("Sessions")["Data"]), expected, "{}", device.who);
    }
}

#[test]
fn a_session_has_what_strict_readers_need_and_no_item_while_nothing_is_played() {
    let server = start();
    let device = Device::new(&server, "reader", "d1");
    let _socket = device.socket("/socket");
    device.does(
        "/Sessions/Capabilities/Full",
        &json!({"PlayableMediaTypes": "Video,Audio", "SupportedCommands": ["Mute"], "SupportsMediaControl": true}),
    );
    let session = device.session();
    for (field, value) in [
        ("PlayableMediaTypes", json!(["Video", "Audio"])),
        ("SupportedCommands", json!(["Mute"])),
        ("SupportsMediaControl", json!(true)),
        ("SupportsRemoteControl", json!(true)),
        ("IsActive", json!(true)),
        ("HasCustomDeviceName", json!(false)),
        ("NowPlayingQueue", json!([])),
        ("AdditionalUsers", json!([])),
        ("UserName", json!("reader")),
        ("Client", json!("Test")),
        ("DeviceName", json!("A device")),
        ("ApplicationVersion", json!("1.0")),
        ("RemoteEndPoint", json!("127.0.0.1")),
    ] {
        assert_eq!(session[field], value, "{field}");
    }
    for field in ["Id", "UserId", "ServerId"] {
        assert_eq!(session[field].as_str().map(str::len), Some(32), "{field}");
    }
    for field in ["LastActivityDate", "LastPlaybackCheckIn"] {
        assert_eq!(session[field].as_str().map(str::len), Some(28), "{field}");
    }
    for field in ["CanSeek", "IsPaused", "IsMuted", "RepeatMode", "PlaybackOrder"] {
        assert!(!session["PlayState"][field].is_null(), "{field}");
    }
    assert_eq!(session.get("NowPlayingItem"), None);
    device.does("/Sessions/Capabilities?playableMediaTypes=Video&playableMediaTypes=Audio&supportsMediaControl=false", &Value::Null);
    let session = device.session();
    assert_eq!((&session["PlayableMediaTypes"], &session["SupportsRemoteControl"]), (&json!(["Video", "Audio"]), &json!(false)));
    device.does("/Sessions/Capabilities/Full", &Value::Null);
}

#[test]
fn two_sockets_are_one_session_and_it_goes_with_the_last_of_them() {
    let server = start();
    let root = Device::new(&server, "root", "a1");
    let device = Device::new(&server, "reader", "d1");
    let n_sessions = |root: &Device<'_>| device_ids(&root.get("/Sessions").json()).iter().filter(|id| *id == "d1").count();
    let (first, second) = (device.socket("/socket"), device.socket("/embywebsocket"));
    assert_eq!(n_sessions(&root), 1);
    drop(first);
    eventually("one socket is left", PATIENCE, || (server.metric("fanfare_connections") < 1.5).then_some(()));
    assert_eq!(n_sessions(&root), 1);
    drop(second);
    eventually("the session is gone", PATIENCE, || (n_sessions(&root) == 0).then_some(()));
}

#[test]
fn a_subscription_tells_once_at_first_then_on_change_and_stops() {
    let server = start();
    let device = Device::new(&server, "reader", "d1");
    let mut socket = device.socket("/socket");
    socket.say("SessionsStart", "0,500");
    socket.expect("Sessions");
    socket.say("SessionsStart", "0,500");
    socket.expect("Sessions");
    assert_eq!(socket.within(2 * SILENCE), None, "nothing has changed, and the second took the place of the first");
    device.does("/Sessions/Capabilities/Full", &json!({"PlayableMediaTypes": ["Photo"]}));
    assert_eq!(socket.expect("Sessions")["Data"][0]["PlayableMediaTypes"], json!(["Photo"]));
    socket.say("SessionsStop", "");
    socket.say("SessionsStop", "");
    socket.is_heard();
    device.does("/Sessions/Capabilities/Full", &json!({"PlayableMediaTypes": ["Book"]}));
    assert_eq!(socket.within(Duration::from_secs(1)), None);
}

#[test]
fn tasks_are_listed_to_those_who_may_see_them_and_log_lines_are_a_nudge_to_administrators() {
    let server = start();
    let mut sockets = ["root", "libadmin", "reader", "stranger"].map(|who| Device::new(&server, who, who).socket("/socket"));
    for socket in &mut sockets {
        socket.say("ScheduledTasksInfoStart", "0,500");
        assert_eq!(socket.expect("ScheduledTasksInfo")["Data"], json!([]));
    }
    let scan = |state: &str, progress: Value| json!({"type": "scan", "data": {"library": "lib1", "name": "One", "state": state, "progress": progress, "error": "secret path"}});
    super::publish(&server, &[scan("started", Value::Null), scan("progress", json!(40))]);
    let running = |socket: &mut Socket| loop {
        let tasks = socket.next()["Data"].take();
        if !tasks[0].is_null() {
            return tasks[0].clone();
        }
    };
    for (at, socket) in sockets.iter_mut().take(3).enumerate() {
        let mut task = running(socket);
        while at < 2 && task["CurrentProgressPercentage"].is_null() {
            task = running(socket);
        }
        assert_eq!((&task["State"], &task["Name"]), (&json!("Running"), &json!("Scan One")));
        assert_eq!(task["CurrentProgressPercentage"].is_null(), at == 2, "progress is for the library's administrators: {task}");
    }
    super::publish(&server, &[scan("failed", Value::Null)]);
    for (at, socket) in sockets.iter_mut().take(3).enumerate() {
        let ended = loop {
            let message = socket.next();
            let task = &message["Data"][0];
            if task["State"] == "Idle" {
                break task.clone();
            }
        };
        assert_eq!(ended["LastExecutionResult"]["Status"], "Failed");
        assert_eq!(ended.to_string().contains("secret path"), at < 2, "{ended}");
    }
    assert_eq!(sockets[3].within(SILENCE), None, "somebody else's library");
    for who in ["root", "reader"] {
        let mut socket = Device::new(&server, who, "log").socket("/socket");
        socket.say("ActivityLogEntryStart", "0,500");
        if who == "root" {
            assert_eq!(socket.expect("ActivityLogEntry")["Data"], json!([]));
        }
        super::publish(&server, &[json!({"type": "log", "data": {"level": "info", "message": "m"}})]);
        match who {
            "root" => assert_eq!(socket.expect("ActivityLogEntry")["Data"], json!([])),
            _ => assert_eq!(socket.within(Duration::from_secs(1)), None),
        }
    }
}

#[test]
fn users_are_added_to_a_session_by_its_owner_and_by_administrators() {
    let server = start();
    let device = Device::new(&server, "reader", "d1");
    let id = device.session_id();
    let owner = Device::new(&server, "owner", "o1").get("/Users/Me").json()["Id"].as_str().expect("an id").to_owned();
    for path in [format!("/Sessions/{id}/User/{owner}"), format!("/Sessions/{id}/Users/{owner}")] {
        device.does(&path, &Value::Null);
        assert_eq!(device.session()["AdditionalUsers"], json!([{"UserId": owner, "UserName": "owner"}]));
        assert_eq!(device.request("DELETE", &path).send(&server).status, 204);
        assert_eq!(device.session()["AdditionalUsers"], json!([]));
    }
    let stranger = Device::new(&server, "stranger", "s1");
    assert_eq!(stranger.post(&format!("/Sessions/{id}/User/{owner}"), &Value::Null).status, 404);
    assert_eq!(device.post(&format!("/Sessions/{id}/User/{}", "0".repeat(32)), &Value::Null).status, 404);
    Device::new(&server, "root", "a1").does(&format!("/Sessions/{id}/User/{owner}"), &Value::Null);
}

#[test]
fn sessions_are_found_by_device() {
    let server: Server = start();
    let (one, _other) = (Device::new(&server, "reader", "d1"), Device::new(&server, "reader", "d2").session_id());
    one.session_id();
    assert_eq!(device_ids(&one.get("/sessions?DeviceId=d2").json()), ["d2"]);
    assert_eq!(device_ids(&one.get("/Sessions?deviceId=d3").json()), Vec::<String>::new());
    assert_eq!(device_ids(&one.get("/Sessions").json()), ["d1", "d2"], "to ask for a device makes none");
    assert_eq!(device_ids(&one.get("/Sessions?supportsRemoteControl=true").json()), Vec::<String>::new());
    assert_eq!(device_ids(&one.get("/Sessions?activeWithinSeconds=60").json()), ["d1", "d2"]);
}
