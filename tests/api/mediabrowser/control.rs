//! Remote control: who may control whose session, what arrives in each generation's words, and on which socket.

use serde_json::{Value, json};

use super::{Device, Socket, start};
use crate::harness::{Request, SILENCE, Server, WebSocket};

const FILM: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn each_command_arrives_in_the_words_of_its_client() {
    let server = start();
    let (device, root) = (Device::new(&server, "reader", "d1"), Device::new(&server, "reader", "remote"));
    let (mut socket, id) = (device.socket("/socket"), device.session_id());
    let user = device.get("/Users/Me").json()["Id"].clone();
    let general =
        |name: &str, arguments: Value| ("GeneralCommand", json!({"Name": name, "ControllingUserId": user, "Arguments": arguments}));
    for (path, body, (kind, data)) in [
        (
            format!("Playing?ItemIds={FILM},{FILM}&PlayCommand=playnow&StartPositionTicks=5&AudioStreamIndex=1&SubtitleStreamIndex=-1"),
            Value::Null,
            (
                "Play",
                json!({"ItemIds": [FILM, FILM], "StartPositionTicks": 5, "PlayCommand": "PlayNow", "ControllingUserId": user, "AudioStreamIndex": 1, "SubtitleStreamIndex": -1}),
            ),
        ),
        (
            format!("Playing?itemIds={FILM}&itemIds={FILM}&playCommand=PlayLast"),
            Value::Null,
            ("Play", json!({"ItemIds": [FILM, FILM], "PlayCommand": "PlayLast", "ControllingUserId": user})),
        ),
        ("Playing/pause".into(), Value::Null, ("Playstate", json!({"Command": "Pause", "ControllingUserId": user}))),
        (
            "playing/Seek?seekPositionTicks=100000000".into(),
            Value::Null,
            ("Playstate", json!({"Command": "Seek", "SeekPositionTicks": 100_000_000, "ControllingUserId": user})),
        ),
        ("System/ToggleMute".into(), Value::Null, general("ToggleMute", json!({}))),
        ("Command/SetVolume".into(), json!({"Arguments": {"Volume": 5}}), general("SetVolume", json!({"Volume": "5"}))),
        ("Command".into(), json!({"Name": "Mute", "Arguments": null}), general("Mute", json!({}))),
        (
            "Message".into(),
            json!({"Header": "", "Text": "t", "TimeoutMs": 5000}),
            general("DisplayMessage", json!({"Header": "Message from Server", "Text": "t", "TimeoutMs": "5000"})),
        ),
        (
            format!("Viewing?ItemType=Movie&ItemId={FILM}&ItemName=Some%20Film"),
            Value::Null,
            general("DisplayContent", json!({"ItemId": FILM, "ItemName": "Some Film", "ItemType": "Movie"})),
        ),
    ] {
        root.does(&format!("/Sessions/{id}/{path}"), &body);
        assert_eq!(socket.expect(kind)["Data"], data, "{path}");
    }
}

#[test]
fn a_wrong_command_is_400_an_unknown_session_404_and_one_without_a_socket_hears_nothing() {
    let server = start();
    let device = Device::new(&server, "reader", "d1");
    let id = device.session_id();
    for path in [
        "Playing?PlayCommand=PlayNow",
        "Playing?ItemIds=a&PlayCommand=Sometime",
        "Playing/Jump",
        "Message",
        "Command",
        "Viewing",
        "Playing/Seek",
    ] {
        let socket = device.socket("/socket");
        assert_eq!(device.post(&format!("/Sessions/{id}/{path}"), &Value::Null).status, 400, "{path}");
        drop(socket);
        let _again = device.session_id();
        assert_eq!(device.post(&format!("/Sessions/{}/{path}", "0".repeat(32)), &Value::Null).status, 404, "{path}");
    }
    let silent = Device::new(&server, "reader", "silent");
    let id = silent.session_id();
    device.does(&format!("/Sessions/{id}/Playing/Pause"), &Value::Null);
}

#[test]
fn a_user_controls_his_own_sessions_an_administrator_all_and_to_others_there_is_none() {
    let server = start();
    let device = Device::new(&server, "reader", "d1");
    let (mut socket, id) = (device.socket("/socket"), device.session_id());
    for (who, expected) in [
        ("reader", 204),
        ("root", 204),
        ("admin-key", 204),
        ("owner", 404),
        ("libadmin", 404),
        ("stranger", 404),
        ("guest", 404),
        ("key", 404),
    ] {
        let other = Device::new(&server, who, "remote");
        for path in ["Playing/Pause", "Message", "Playing/Nonsense", "Viewing"] {
            let status = other.post(&format!("/Sessions/{id}/{path}"), &json!({"Text": "t"})).status;
            let expected = if expected == 204 && matches!(path, "Playing/Nonsense" | "Viewing") { 400 } else { expected };
            assert_eq!(status, expected, "{who} {path}");
        }
        if expected == 204 {
            let pause = socket.expect("Playstate");
            assert_eq!(pause["Data"]["ControllingUserId"] == "0".repeat(32), who == "admin-key");
            socket.expect("GeneralCommand");
        }
    }
    assert_eq!(socket.within(SILENCE), None);
}

#[test]
fn somebody_the_settings_do_not_name_controls_his_own_sessions_too() {
    let server = Server::start(&crate::jwt::settings());
    let token = crate::jwt::token(&json!({"sub": "visitor"}));
    let shown = format!("MediaBrowser Client=\"Test\", Device=\"d\", DeviceId=\"d1\", Version=\"1\", Token=\"{token}\"");
    let ask = |method: &str, path: &str| Request::new(method, path).header("authorization", &shown);
    let mut socket = Socket(WebSocket::ask(&server, ask("GET", "/socket")));
    socket.expect("ForceKeepAlive");
    let id = ask("GET", "/Sessions").send(&server).json()[0]["Id"].as_str().expect("an id").to_owned();
    assert_eq!(ask("POST", &format!("/Sessions/{id}/Playing/Pause")).body("").send(&server).status, 204);
    socket.expect("Playstate");
}

#[test]
fn of_two_sockets_the_one_heard_last_is_told_and_notices_go_to_both() {
    let server = start();
    let device = Device::new(&server, "reader", "d1");
    let mut sockets: [Socket; 2] = [device.socket("/embywebsocket"), device.socket("/embywebsocket")];
    let id = device.session_id();
    for told in [0, 1, 0] {
        sockets[told].is_heard();
        device.does(&format!("/Sessions/{id}/Playing/Pause"), &Value::Null);
        sockets[told].expect("Playstate");
        assert_eq!(sockets[1 - told].within(SILENCE), None);
    }
    super::publish(&server, &[json!({"type": "message", "data": {"text": "t", "to": "user:reader"}})]);
    for socket in &mut sockets {
        socket.expect("GeneralCommand");
    }
}
