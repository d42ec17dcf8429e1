//! Check-ins: over the socket and over HTTP, to `Sessions`, to Plex clients, and to nobody else.

use serde_json::{Value, json};

use super::{Device, Socket, publish, start};
use crate::harness::{PATIENCE, Request, SILENCE, Server, Sse, eventually, token_of};

const FILM: &str = "0123456789abcdef0123456789abcdef";

/// A film of `lib1` that events have told of, so that its id finds it.
fn with_film(server: &Server) {
    let movies = json!([{"action": "Added", "movie": {"id": FILM, "name": "Some Film", "type": "movie"}}]);
    publish(server, &[json!({"type": "movies", "data": {"library": "lib1", "movies": movies}})]);
    let root = Device::new(server, "root", "probe");
    eventually("the film is known by its id", PATIENCE, || {
        root.does("/Sessions/Playing", &json!({"ItemId": FILM}));
        let known = playing(&root)["Name"] == "Some Film";
        root.does("/Sessions/Playing/Stopped", &json!({"ItemId": FILM, "PositionTicks": 0}));
        known.then_some(())
    });
}

/// What its session plays, once the event has come round.
fn playing(device: &Device<'_>) -> Value {
    eventually("it plays", PATIENCE, || device.session().get("NowPlayingItem").cloned())
}

fn idle(device: &Device<'_>) {
    eventually("it plays nothing", PATIENCE, || device.session().get("NowPlayingItem").is_none().then_some(()));
}

fn plex(server: &Server, who: &str) -> Sse {
    let mut sse =
        Sse::ask(server, &Request::new("GET", "/:/eventsource/notifications?filters=playing").header("X-Plex-Token", &token_of(who)));
    sse.expect("ping");
    sse
}

#[test]
fn a_check_in_over_the_socket_is_seen_in_sessions_and_by_plex_and_by_nobody_elses() {
    let server = start();
    with_film(&server);
    let device = Device::new(&server, "reader", "d1");
    let mut socket = device.socket("/embywebsocket");
    let (mut own, mut others, mut progress) =
        (plex(&server, "reader"), plex(&server, "owner"), Sse::open(&server, "/sse?events=media_progress", &token_of("reader")));
    socket.say("PlaybackStart", FILM);
    let item = playing(&device);
    assert_eq!(
        (&item["Id"], &item["Name"], &item["Type"], &item["MediaType"]),
        (&json!(FILM), &json!("Some Film"), &json!("Movie"), &json!("Video"))
    );
    assert!(own.expect("playing").data.contains("\"state\":\"playing\""));
    socket.say("PlaybackProgress", &format!("{FILM}|1230000000|True|False"));
    assert!(own.expect("playing").data.contains("\"viewOffset\":123000,"));
    let session =
        eventually("it is paused", PATIENCE, || Some(device.session()).filter(|session| session["PlayState"]["IsPaused"] == true));
    assert_eq!(
        (&session["PlayState"]["PositionTicks"], &session["NowPlayingPositionTicks"]),
        (&json!(1_230_000_000_i64), &json!(1_230_000_000_i64))
    );
    assert_eq!(progress.expect("media_progress").json()["MediaProgress"]["progress"]["progress"], 123_000);
    // An empty position is unknown, and no zero.
    socket.say("PlaybackProgress", &format!("{FILM}||false"));
    let session =
        eventually("it plays again", PATIENCE, || Some(device.session()).filter(|session| session["PlayState"]["IsPaused"] == false));
    assert_eq!(session["PlayState"].get("PositionTicks"), None);
    assert!(own.expect("playing").data.contains("\"viewOffset\":123000,"), "the last that is known");
    socket.say("PlaybackStopped", &format!("{FILM}|1240000000"));
    idle(&device);
    assert!(own.expect("playing").data.contains("\"state\":\"stopped\""));
    assert_eq!(progress.expect("media_progress").json()["MediaProgress"]["progress"]["progress"], 124_000, "none without a position");
    publish(
        &server,
        &[json!({"type": "playback", "data": {"session": "x", "user": "owner", "item": {"id": "9"}, "state": "paused", "position": 1}})],
    );
    assert!(others.expect("playing").data.contains("\"ratingKey\":\"9\""), "nothing of another user's");
}

#[test]
fn a_check_in_over_http_is_the_callers_whatever_it_says() {
    let server = start();
    with_film(&server);
    let device = Device::new(&server, "reader", "d1");
    let body = json!({"ItemId": FILM, "PositionTicks": 10_000_000, "CanSeek": true, "VolumeLevel": 40, "PlayMethod": "DirectPlay",
        "NowPlayingQueue": [{"Id": FILM, "PlaylistItemId": "p0"}], "SessionId": "somebody-elses"});
    device.does("/Sessions/Playing", &body);
    playing(&device);
    let state = device.session();
    assert_eq!((&state["PlayState"]["VolumeLevel"], &state["NowPlayingQueue"][0]["PlaylistItemId"]), (&json!(40), &json!("p0")));
    let first = state["PlayState"]["PositionTicks"].as_i64().expect("a position");
    eventually("it goes on by itself", PATIENCE, || (device.session()["PlayState"]["PositionTicks"].as_i64() > Some(first)).then_some(()));
    device.does("/sessions/playing/progress", &json!({"ItemId": FILM, "PositionTicks": 20_000_000, "IsPaused": true}));
    eventually("it is paused", PATIENCE, || (device.session()["PlayState"]["PositionTicks"] == 20_000_000).then_some(()));
    device.does("/Sessions/Playing/Ping?playSessionId=x", &Value::Null);
    device.does("/Sessions/Playing/Stopped", &json!({"PositionTicks": 30_000_000}));
    idle(&device);
    // The old way.
    let me = device.get("/Users/Me").json()["Id"].as_str().expect("an id").to_owned();
    let path = format!("/Users/{me}/PlayingItems/{FILM}");
    device.does(&path, &Value::Null);
    playing(&device);
    device.does(&format!("{path}/Progress?PositionTicks=50000000&IsPaused=true"), &Value::Null);
    eventually("it is paused", PATIENCE, || (device.session()["PlayState"]["PositionTicks"] == 50_000_000).then_some(()));
    assert_eq!(device.request("DELETE", &format!("{path}?positionTicks=1")).send(&server).status, 204);
    idle(&device);
    let owner = Device::new(&server, "owner", "o1").get("/Users/Me").json()["Id"].as_str().expect("an id").to_owned();
    assert_eq!(device.post(&format!("/Users/{owner}/PlayingItems/{FILM}"), &Value::Null).status, 404);
    assert_eq!(device.post("/Sessions/Playing/Progress", &json!({"ItemId": FILM, "PositionTicks": -1})).status, 400);
}

#[test]
fn who_is_added_to_a_session_sees_nothing_there_of_a_library_he_may_not_read() {
    let server = start();
    with_film(&server);
    let device = Device::new(&server, "reader", "d1");
    device.does("/Sessions/Playing", &json!({"ItemId": FILM, "NowPlayingQueue": [{"Id": FILM}]}));
    playing(&device);
    device.does(&format!("/Sessions/Viewing?itemType=Movie&itemId={FILM}&itemName=Some%20Film"), &Value::Null);
    let id = device.session_id();
    for (who, may_read) in [("owner", true), ("stranger", false)] {
        let other = Device::new(&server, who, "o1");
        let user = other.get("/Users/Me").json()["Id"].as_str().expect("an id").to_owned();
        device.does(&format!("/Sessions/{id}/User/{user}"), &Value::Null);
        let mut socket = other.socket("/socket");
        socket.say("SessionsStart", "0,500");
        let told = socket.expect("Sessions")["Data"].to_string();
        for shown in [other.get("/Sessions").body, other.get(&format!("/Sessions/{id}")).body, told] {
            assert!(shown.contains(&id), "{who}: {shown}");
            assert_eq!((shown.contains(FILM), shown.contains("NowViewing")), (may_read, false), "{who}: {shown}");
        }
    }
}

#[test]
fn what_could_not_be_played_is_not_played_to_its_end() {
    let server = start();
    with_film(&server);
    let device = Device::new(&server, "reader", "d1");
    let mut progress = Sse::open(&server, "/sse?events=media_progress", &token_of("reader"));
    device.does("/Sessions/Playing", &json!({"ItemId": FILM}));
    playing(&device);
    device.does("/Sessions/Playing/Stopped", &json!({"ItemId": FILM, "Failed": true}));
    idle(&device);
    device.does("/Sessions/Playing/Stopped", &json!({"ItemId": FILM, "PositionTicks": "50000000"}));
    assert_eq!(progress.expect("media_progress").json()["MediaProgress"]["progress"]["progress"], 5000);
}

#[test]
fn what_one_may_not_read_one_cannot_play() {
    let server = start();
    with_film(&server);
    let stranger = Device::new(&server, "stranger", "s1");
    assert_eq!(stranger.post("/Sessions/Playing", &json!({"ItemId": FILM})).status, 404);
    let mut socket = stranger.socket("/embywebsocket");
    let mut root = plex(&server, "root");
    socket.say("PlaybackStart", FILM);
    socket.is_heard();
    assert_eq!(stranger.session().get("NowPlayingItem"), None);
    // What nobody knows is played as what it is called.
    socket.say("PlaybackStart", &"f".repeat(32));
    assert_eq!(playing(&stranger)["Id"], "f".repeat(32));
    assert!(root.expect("playing").data.contains("\"state\":\"playing\""));
}

#[test]
fn what_is_played_elsewhere_is_a_session_of_its_user_and_of_nobody_else() {
    let server = start();
    let playback = json!({"session": "12", "user": "reader", "client": {"id": "tv", "name": "TV", "product": "Plex"},
        "item": {"id": FILM, "name": "Some Film", "type": "movie"}, "state": "paused", "position": 61_000, "duration": 120_000});
    publish(&server, &[json!({"type": "playback", "data": playback})]);
    let shown = |who: &str| -> Vec<Value> {
        let sessions = Device::new(&server, who, "d").get("/Sessions").json();
        sessions.as_array().expect("a list").iter().filter(|session| session["DeviceId"] == "tv").cloned().collect()
    };
    for who in ["reader", "root"] {
        let session = &shown(who)[0];
        assert_eq!(
            (&session["NowPlayingItem"]["RunTimeTicks"], &session["PlayState"]["PositionTicks"]),
            (&json!(1_200_000_000), &json!(610_000_000)),
            "{who}"
        );
        assert_eq!((&session["Client"], &session["SupportsRemoteControl"]), (&json!("Plex"), &json!(false)));
    }
    assert_eq!(shown("owner"), Vec::<Value>::new());
    let mut socket: Socket = Device::new(&server, "owner", "d").socket("/socket");
    socket.say("SessionsStart", "0,500");
    socket.expect("Sessions");
    publish(
        &server,
        &[json!({"type": "playback", "data": {"session": "12", "user": "reader", "item": {"id": "2"}, "state": "stopped", "position": 0}})],
    );
    assert_eq!(socket.within(3 * SILENCE), None, "what another user plays is no change");
}
