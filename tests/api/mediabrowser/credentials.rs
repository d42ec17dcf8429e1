//! Every form of credentials, on sockets and over HTTP; refusals; log-in and log-out; discovery.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Device, Socket, people, start};
use crate::harness::{Request, Server, WebSocket, token_of};

fn upgrade(server: &Server, query: &str, headers: &[(&str, String)]) -> u16 {
    let request =
        headers.iter().fold(Request::new("GET", &format!("/socket{query}")), |request, (name, value)| request.header(name, value));
    WebSocket::ask(server, request).head().status
}

#[test]
fn every_form_of_credentials_opens_a_socket_and_is_answered() {
    let server = start();
    let token = token_of("reader");
    let header = |scheme: &str| {
        format!("{scheme} Client=\"c\",Device=\"my \"device\"\", DeviceId=\"d\", Version=\"1\", Token=\"\", Token=\"{token}\"")
    };
    let forms: [(String, Vec<(&str, String)>); 9] = [
        (String::new(), vec![("authorization", header("MediaBrowser"))]),
        (String::new(), vec![("authorization", header("Emby"))]),
        (String::new(), vec![("x-emby-authorization", header("MediaBrowser"))]),
        (String::new(), vec![("x-emby-token", token.clone())]),
        (String::new(), vec![("x-mediabrowser-token", token.clone())]),
        (format!("?ApiKey={token}"), vec![]),
        (format!("?api_key={token}&deviceId=d"), vec![]),
        (format!("?DeviceID=d&API_KEY={token}"), vec![]),
        (format!("?X-Emby-Token={token}&X-Emby-Device-Id=d&X-Emby-Client=Web"), vec![]),
    ];
    let strict = Server::start(&format!("{}\n[dialects.mediabrowser]\nlegacy_credentials = false\n", people()));
    for (at, (query, headers)) in forms.iter().enumerate() {
        assert_eq!(upgrade(&server, query, headers), 101, "{query} {headers:?}");
        let get = |server: &Server| {
            let request = Request::new("GET", &format!("/Users/Me{query}"));
            headers.iter().fold(request, |request, (name, value)| request.header(name, value)).send(server).status
        };
        assert_eq!(get(&server), 200, "{query} {headers:?}");
        let counts = matches!(at, 0 | 5);
        assert_eq!(upgrade(&strict, query, headers), if counts { 101 } else { 403 }, "{query} {headers:?}");
        assert_eq!(get(&strict), if counts { 200 } else { 401 }, "{query} {headers:?}");
    }
}

#[test]
fn a_bad_token_is_refused_before_the_upgrade_in_the_servers_words() {
    let server = Server::start(&format!("{}\n[limits]\nbad_tokens_per_minute = 0\n", people()));
    for query in ["", "?ApiKey=", "?ApiKey=wrong", "?api_key=None"] {
        let mut socket = WebSocket::ask(&server, Request::new("GET", &format!("/socket{query}")));
        assert_eq!((socket.head().status, socket.body().as_str()), (403, "Error processing request."), "{query}");
        let answer = Request::new("GET", &format!("/Sessions{query}")).send(&server);
        assert_eq!((answer.status, answer.body.as_str()), (401, ""), "{query}");
    }
    let plain = Device::new(&server, "reader", "d").get("/socket");
    assert_eq!(plain.status, 400, "{}", plain.body);
}

#[test]
fn a_storm_of_refused_clients_changes_nothing_for_the_others() {
    let server = start();
    let mut socket = Device::new(&server, "reader", "d1").socket("/socket");
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                for _ in 0..10 {
                    assert_eq!(WebSocket::ask(&server, Request::new("GET", "/socket?api_key=wrong")).head().status, 403);
                }
            });
        }
        for _ in 0..20 {
            let asked = Instant::now();
            socket.is_heard();
            assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
            // A good token of the storm's own address is not told to wait.
            assert_eq!(Device::new(&server, "reader", "d2").get("/Users/Me").status, 200);
        }
    });
    assert_eq!(server.metric("fanfare_connections"), 1.0);
}

/// The hash of a password, as the command makes it.
fn hash(password: &str) -> String {
    let mut made =
        Command::new(env!("CARGO_BIN_EXE_fanfare")).arg("password").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("runs");
    made.stdin.take().expect("a pipe").write_all(password.as_bytes()).expect("it reads");
    String::from_utf8(made.wait_with_output().expect("it ends").stdout).expect("text").trim().to_owned()
}

fn with_passwords() -> Server {
    let hash = hash("bob's");
    Server::start(&format!(
        "[[users]]\nid = \"bob\"\nname = \"Bob B\"\npassword_hash = \"{hash}\"\nlibraries = {{ lib1 = \"read\" }}\n{}",
        people()
    ))
}

fn log_in(server: &Server, name: &str, password: &str, authorization: &str) -> crate::harness::Answer {
    // With the field's name in any case, and the content type of an old web client.
    let body = json!({"username": name, "Pw": password}).to_string();
    let request = Request::new("POST", "/users/authenticatebyname").header("authorization", authorization);
    request.header("content-type", "text/plain").body(body).send(server)
}

#[test]
fn a_log_in_gives_a_token_for_this_device_that_survives_a_restart_and_ends_with_a_log_out() {
    let mut server = with_passwords();
    let device = "MediaBrowser Client=\"Web\", Device=\"Firefox\", DeviceId=\"w1\", Version=\"1.2\"";
    assert_eq!(log_in(&server, "Bob B", "wrong", device).status, 401);
    assert_eq!(log_in(&server, "nobody", "bob's", device).status, 401);
    // Whatever token a client still has is of no interest.
    let answer = log_in(&server, "Bob B", "bob's", &format!("{device}, Token=\"None\""));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let said = answer.json();
    let token = said["AccessToken"].as_str().expect("a token").to_owned();
    let public = Request::new("GET", "/System/Info/Public").send(&server).json();
    assert_eq!((&said["ServerId"], &said["User"]["Name"]), (&public["Id"], &json!("Bob B")));
    assert_eq!((&said["SessionInfo"]["DeviceId"], &said["SessionInfo"]["Client"]), (&json!("w1"), &json!("Web")));
    assert_eq!(said["User"]["Policy"]["IsAdministrator"], false);
    // The bare token says which device it is.
    let sessions = |server: &Server| -> Value { Request::new("GET", &format!("/Sessions?ApiKey={token}")).send(server).json() };
    assert_eq!((&sessions(&server)[0]["Id"], &sessions(&server)[0]["DeviceName"]), (&said["SessionInfo"]["Id"], &json!("Firefox")));
    server.restart();
    assert_eq!(sessions(&server)[0]["Id"], said["SessionInfo"]["Id"], "sessions' ids are for ever");
    assert_eq!(Request::new("GET", "/System/Info/Public").send(&server).json()["Id"], public["Id"]);
    let mut socket = Socket(WebSocket::ask(&server, Request::new("GET", &format!("/socket?ApiKey={token}"))));
    socket.expect("ForceKeepAlive");
    let out = Request::new("POST", &format!("/Sessions/Logout?ApiKey={token}")).body("").send(&server);
    assert_eq!(out.status, 204, "{}", out.body);
    assert!(socket.0.ends(crate::harness::PATIENCE), "the socket of a token that counts no more is closed");
    assert_eq!(Request::new("GET", &format!("/Sessions?ApiKey={token}")).send(&server).status, 401);
}

#[test]
fn discovery_says_where_the_socket_is_and_to_nobody_more_than_that() {
    let server = start();
    let port: u16 = server.address().rsplit(':').next().expect("a port").parse().expect("a number");
    for path in ["/System/Info/Public", "/system/info/public", "/emby/System/Info/Public", "/MediaBrowser/system/INFO/public"] {
        let answer = Request::new("GET", path).send(&server);
        let info = answer.json();
        assert!(answer.header("date").is_some());
        assert_eq!((&info["ProductName"], &info["StartupWizardCompleted"]), (&json!("Jellyfin Server"), &json!(true)), "{path}");
        assert_eq!(info["LocalAddress"], format!("http://{}", server.address()));
        assert_eq!(info["Id"].as_str().map(str::len), Some(32));
    }
    let of_nobody = Request::new("GET", "/System/Info").send(&server).json();
    let mut names: Vec<_> = of_nobody.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["Id", "ServerName", "Version", "WebSocketPortNumber"]);
    assert_eq!(of_nobody["WebSocketPortNumber"], port);
    let known = Device::new(&server, "reader", "d").get("/system/info").json();
    assert_eq!((&known["WebSocketPortNumber"], &known["HasPendingRestart"]), (&json!(port), &json!(false)));
    for method in ["GET", "POST"] {
        assert_eq!(Request::new(method, "/System/Ping").send(&server).json(), "Jellyfin Server");
    }
    let time = Request::new("GET", "/GetUTCTime").send(&server).json();
    for field in ["RequestReceptionTime", "ResponseTransmissionTime"] {
        let text = time[field].as_str().expect("a time");
        assert!(text.len() == 28 && text.as_bytes()[19] == b'.' && text.ends_with('Z'), "{text}");
    }
}

#[test]
fn beside_a_real_server_only_the_sockets_are_here() {
    let server = Server::start(&format!("{}\n[dialects.mediabrowser]\nrest = false\n", people()));
    let device = Device::new(&server, "reader", "d");
    device.socket("/socket");
    for path in ["/System/Info/Public", "/Sessions", "/Users/Me", "/GetUTCTime"] {
        assert_eq!(device.get(path).status, 404, "{path}");
    }
}

#[test]
fn one_is_told_of_oneself_and_of_nobody_else() {
    let server = start();
    let reader = Device::new(&server, "reader", "d");
    let me = reader.get("/Users/Me").json();
    assert_eq!(
        (&me["Name"], &me["Policy"]["IsAdministrator"], &me["Policy"]["EnableAllFolders"]),
        (&json!("reader"), &json!(false), &json!(false))
    );
    assert_eq!(me["Policy"]["EnabledFolders"].as_array().map(Vec::len), Some(1));
    let id = me["Id"].as_str().expect("an id").to_owned();
    assert_eq!(reader.get(&format!("/users/{}", id.to_uppercase())).json()["Id"], id);
    let owner = Device::new(&server, "owner", "o").get("/Users/Me").json()["Id"].as_str().expect("an id").to_owned();
    assert_eq!(reader.get(&format!("/Users/{owner}")).status, 404);
    assert_eq!(Device::new(&server, "root", "r").get(&format!("/Users/{owner}")).json()["Name"], "owner");
    assert_eq!(Device::new(&server, "admin-key", "k").get("/Users/Me").status, 400);
    assert_eq!(Request::new("GET", "/Users/Public").send(&server).json(), json!([]));
}
