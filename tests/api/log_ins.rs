//! Log-ins as Audiobookshelf's clients do them: over HTTP, with and without its base path, and what their tokens open.

use std::{
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::harness::{Answer, Frame, Launch, PATIENCE, PEOPLE, Request, Server, Sse, WebSocket, eventually, token_of};

/// [`PEOPLE`] and a user with a password.
fn settings(more: &str) -> String {
    let mut made =
        Command::new(env!("CARGO_BIN_EXE_fanfare")).arg("password").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("runs");
    made.stdin.take().expect("a pipe").write_all(b"bob's").expect("it reads");
    let hash = String::from_utf8(made.wait_with_output().expect("it ends").stdout).expect("text");
    format!(
        "{more}\n{PEOPLE}\n[[users]]\nid = \"bob\"\nname = \"Bob B\"\nlibraries = {{ lib1 = \"read\" }}\npassword_hash = \"{}\"\n\
         ids = {{ audiobookshelf = \"{BOB}\" }}\n[[libraries]]\nid = \"lib1\"\nkind = \"books\"\n",
        hash.trim()
    )
}

const BOB: &str = "0f6a9c0b-3d3e-4a52-9d0b-0d6f3f0b1c2d";

fn start(more: &str) -> Server {
    Server::launch("127.0.0.1:0", &settings(more), Launch { log: "debug", ..Launch::default() })
}

fn post(server: &Server, path: &str, headers: &[(&str, &str)]) -> Answer {
    headers.iter().fold(Request::new("POST", path).body(""), |request, (name, value)| request.header(name, value)).send(server)
}

fn typed(server: &Server, path: &str, name: &str, password: &str) -> Answer {
    Request::new("POST", path).header("x-return-tokens", "true").json(&json!({"username": name, "password": password})).send(server)
}

/// What somebody is told who has logged in.
fn log_in(server: &Server) -> Value {
    let answer = typed(server, "/login", "bob b", "bob's");
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["user"].clone()
}

fn text<'v>(user: &'v Value, name: &str) -> &'v str {
    user[name].as_str().unwrap_or_else(|| panic!("no {name}: {user}"))
}

fn refresh(server: &Server, token: &str) -> Answer {
    post(server, "/auth/refresh", &[("x-refresh-token", token)])
}

fn authorize(server: &Server, token: &str) -> Answer {
    Request::new("POST", "/api/authorize").bearer(token).body("").send(server)
}

/// A Socket.IO client that has shown a token, and what it was told then.
fn socket(server: &Server, path: &str, token: &str) -> (WebSocket, String) {
    let mut socket = WebSocket::ask(server, Request::new("GET", &format!("{path}?EIO=4&transport=websocket")));
    assert_eq!(socket.head().status, 101, "{path}: {:?}", socket.head());
    assert!(socket.next_text().starts_with("0{"));
    socket.send(1, b"40");
    assert!(socket.next_text().starts_with("40{"));
    socket.send(1, format!("42{}", json!(["auth", token])).as_bytes());
    let said = socket.next_text();
    (socket, said)
}

fn closes(mut socket: WebSocket) {
    while let Some(frame) = socket.next_frame(PATIENCE) {
        match frame {
            Frame::Text(ping) if ping == "2" => socket.send(1, b"3"),
            Frame::Close(_) => return,
            _ => {}
        }
    }
    panic!("it is not closed");
}

fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").expect("a cookie").to_owned()
}

#[test]
fn what_clients_ask_first_is_answered_to_anybody_with_and_without_the_base() {
    let server = start("");
    for base in ["", "/audiobookshelf"] {
        let get = |path: &str| Request::new("GET", &format!("{base}{path}")).send(&server);
        assert_eq!(get("/ping").json(), json!({"success": true, "result": {"success": true}}));
        assert_eq!((get("/healthcheck").status, get("/healthcheck").body.as_str()), (200, "OK"));
        let status = get("/status").json();
        assert_eq!(
            (&status["app"], &status["isInit"], &status["authMethods"]),
            (&json!("audiobookshelf"), &json!(true), &json!(["local"]))
        );
        assert_eq!(get("/login").status, 405);
        assert_eq!(get("/status/").status, 200, "as the real server has it");
    }
    assert_eq!(Request::new("GET", "/elsewhere/ping").send(&server).status, 404);
    let moved = start("[dialects.audiobookshelf]\nbase = \"/a/b\"\n");
    let ping = |path: &str| Request::new("GET", path).send(&moved).status;
    assert_eq!((ping("/ping"), ping("/a/b/ping"), ping("/audiobookshelf/ping")), (200, 200, 404));
    let left = start("[dialects.audiobookshelf]\nrest = false\n");
    for path in ["/ping", "/status", "/healthcheck", "/audiobookshelf/ping"] {
        assert_eq!(Request::new("GET", path).send(&left).status, 404, "{path}");
    }
    assert_eq!(typed(&left, "/login", "bob", "bob's").status, 404);
    socket(&left, "/socket.io/", "x");
}

#[test]
fn a_log_in_tells_who_one_is_and_its_tokens_open_what_the_user_may_see() {
    let server = start("");
    let answer = typed(&server, "/audiobookshelf/login", "Bob B", "bob's");
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")), "{}", answer.body);
    let (body, user) = (answer.json(), &answer.json()["user"]);
    assert_eq!((&user["id"], &user["username"], &user["type"]), (&json!(BOB), &json!("Bob B"), &json!("user")));
    assert_eq!(user["librariesAccessible"].as_array().map(Vec::len), Some(1));
    assert_eq!((&body["userDefaultLibraryId"], &body["Source"]), (&user["librariesAccessible"][0], &json!("fanfare")));
    let (access, refresh_token) = (text(user, "accessToken"), text(user, "refreshToken"));
    for (path, header, value) in
        [("/sse", "authorization", format!("Bearer {access}")), ("/:/eventsource/notifications", "x-plex-token", access.to_owned())]
    {
        assert_eq!(Sse::ask(&server, &Request::new("GET", path).header(header, &value)).head().status, 200, "{path}");
    }
    assert_eq!(Request::new("GET", &format!("/Users/Me?ApiKey={access}")).send(&server).json()["Name"], "Bob B");
    for path in ["/socket.io/", "/audiobookshelf/socket.io/"] {
        let (_socket, said) = socket(&server, path, access);
        assert!(said.starts_with(&format!(r#"42["init",{{"userId":"{BOB}","username":"Bob B""#)), "{said}");
    }
    let again = authorize(&server, access);
    assert_eq!((again.status, &again.json()["user"]["id"], &again.json()["user"]["accessToken"]), (200, &json!(BOB), &json!(access)));
    assert_eq!((&again.json()["user"]["token"], &again.json()["user"]["refreshToken"]), (&Value::Null, &Value::Null));
    // A refresh token opens nothing.
    assert_eq!(Request::new("GET", "/sse").bearer(refresh_token).send(&server).status, 401);
    assert_eq!((authorize(&server, refresh_token).status, authorize(&server, refresh_token).body.as_str()), (401, "Unauthorized"));
    assert!(socket(&server, "/socket.io/", refresh_token).1.starts_with(r#"42["auth_failed""#));
    for secret in [access, refresh_token, "eyJ"] {
        assert!(!server.log().contains(secret), "{}", server.log());
    }
}

#[test]
fn whoever_shows_a_token_of_the_settings_is_told_who_he_is_and_a_key_is_no_user() {
    let server = start("[limits]\nbad_tokens_per_minute = 0\n");
    let reader = authorize(&server, &token_of("reader")).json();
    assert_eq!((&reader["user"]["username"], &reader["user"]["token"]), (&json!("reader"), &json!(token_of("reader"))));
    let root = post(&server, &format!("/api/authorize?token={}", token_of("root")), &[]).json();
    assert_eq!((&root["user"]["type"], &root["user"]["permissions"]["accessAllLibraries"]), (&json!("admin"), &json!(true)));
    for bad in ["x", &token_of("publisher"), ""] {
        assert_eq!((authorize(&server, bad).status, authorize(&server, bad).body.as_str()), (401, "Unauthorized"), "{bad}");
    }
    assert_eq!(post(&server, "/api/authorize", &[]).status, 401);
}

#[test]
fn a_refresh_token_counts_once_and_shown_again_it_ends_the_log_in_with_its_sockets() {
    let server = start("");
    let (first, other) = (log_in(&server), log_in(&server));
    let (open, said) = socket(&server, "/socket.io/", text(&first, "accessToken"));
    assert!(said.starts_with(r#"42["init""#), "{said}");
    let answer = refresh(&server, text(&first, "refreshToken"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let second = answer.json()["user"].clone();
    assert_ne!(text(&second, "refreshToken"), text(&first, "refreshToken"));
    assert_eq!(authorize(&server, text(&second, "accessToken")).status, 200);
    assert_eq!(authorize(&server, text(&first, "accessToken")).status, 200, "until it ends by itself");
    // Another page of the same browser that refreshes at once goes on as well.
    let at_once = refresh(&server, text(&first, "refreshToken"));
    assert_eq!(at_once.status, 200, "{}", at_once.body);
    assert_eq!(refresh(&server, text(&at_once.json()["user"], "refreshToken")).status, 200);
    let again = refresh(&server, text(&first, "refreshToken"));
    assert_eq!((again.status, again.json()), (401, json!({"error": "Invalid refresh token"})));
    closes(open);
    for user in [&first, &second] {
        assert_eq!(authorize(&server, text(user, "accessToken")).status, 401);
        assert_eq!(refresh(&server, text(user, "refreshToken")).status, 401);
    }
    assert_eq!(authorize(&server, text(&other, "accessToken")).status, 200, "another log-in is none of its business");
    assert_eq!(refresh(&server, text(&other, "accessToken")).json(), json!({"error": "Invalid refresh token"}));
    assert_eq!(post(&server, "/auth/refresh", &[]).json(), json!({"error": "No refresh token provided"}));
}

#[test]
fn browsers_keep_the_refresh_token_in_a_cookie_and_older_clients_a_token_that_lasts() {
    let server = start("[dialects.audiobookshelf]\naccess_expires = \"1s\"\n");
    let form = Request::new("POST", "/login").header("content-type", "application/x-www-form-urlencoded");
    let answer = form.body("username=bob&password=bob%27s").send(&server);
    let user = answer.json()["user"].clone();
    assert_eq!(user["refreshToken"], Value::Null);
    let kept = cookie(&answer);
    let (pair, rest) = kept.split_once(';').expect("attributes");
    assert_eq!(rest, " Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax");
    eventually("the access token ends", PATIENCE, || (authorize(&server, text(&user, "accessToken")).status == 401).then_some(()));
    assert_eq!(authorize(&server, text(&user, "token")).status, 200, "whoever knows no other keeps this one");
    // A page of another origin cannot have a browser use it: neither for a new one nor to end the log-in.
    let strange = [("cookie", pair), ("origin", "http://127.0.0.1:1")];
    let refused = post(&server, "/auth/refresh", &strange);
    assert_eq!((refused.status, refused.json()), (401, json!({"error": "No refresh token provided"})));
    assert_eq!(post(&server, "/logout", &strange).status, 200);
    let next = post(&server, "/auth/refresh", &[("cookie", &format!("a=b; {pair}"))]);
    assert_eq!((next.status, &next.json()["user"]["refreshToken"]), (200, &Value::Null), "{}", next.body);
    assert_eq!(authorize(&server, text(&next.json()["user"], "accessToken")).status, 200);
    let now = cookie(&next).split(';').next().expect("a pair").to_owned();
    let out = post(&server, "/logout", &[("cookie", &now)]);
    assert_eq!((out.status, out.json()), (200, json!({"redirect_url": null})));
    assert!(cookie(&out).starts_with("refresh_token=; Max-Age=0;"), "{}", cookie(&out));
    assert_eq!(authorize(&server, text(&user, "token")).status, 401, "all of the log-in has ended");
}

#[test]
fn a_page_of_another_site_logs_nobody_in_to_the_browser_it_is_shown_in() {
    let server = start("allowed_origins = [\"https://app.example\"]\n");
    let (form, json) = ("application/x-www-form-urlencoded", "application/json; charset=utf-8");
    let login = |kind: &str, from: &[(&str, &str)]| {
        let body = if kind == form { "username=bob&password=bob%27s" } else { r#"{"username":"bob","password":"bob's"}"# };
        let request = Request::new("POST", "/login").header("content-type", kind).body(body);
        from.iter().fold(request, |request, (name, value)| request.header(name, value)).send(&server)
    };
    let own = format!("http://{}", server.address());
    let strange = ("origin", "https://evil.example");
    for from in [&[("origin", own.as_str())][..], &[("origin", "https://app.example")], &[("sec-fetch-site", "same-origin")], &[]] {
        for kind in [form, json] {
            let answer = login(kind, from);
            assert_eq!((answer.status, answer.header("set-cookie").is_some()), (200, true), "{kind} {from:?}");
        }
    }
    for from in [strange, ("origin", "null"), ("sec-fetch-site", "cross-site")] {
        for kind in [form, "text/plain", ""] {
            let answer = login(kind, &[from]);
            assert_eq!((answer.status, answer.header("set-cookie")), (403, None), "{kind} {from:?}");
        }
        // A client in a page of its own asks in a way that its browser asks about first, and keeps its tokens itself.
        let answer = login(json, &[from]);
        assert_eq!((answer.status, answer.header("set-cookie")), (200, None), "{from:?}");
        assert_eq!(authorize(&server, text(&answer.json()["user"], "token")).status, 200);
    }
    let told = login(json, &[strange, ("x-return-tokens", "true")]);
    assert_eq!((told.status, told.header("set-cookie")), (200, None));
    assert_eq!(refresh(&server, text(&told.json()["user"], "refreshToken")).status, 200);
    assert_eq!(post(&server, "/logout", &[strange]).header("set-cookie"), None, "nor does it log anybody out");
}

#[test]
fn a_log_in_survives_a_restart_and_ends_with_a_log_out_or_a_revocation() {
    let mut server = start("");
    let (one, other) = (log_in(&server), log_in(&server));
    server.restart();
    let (open, said) = socket(&server, "/socket.io/", text(&one, "accessToken"));
    assert!(said.starts_with(r#"42["init""#), "{said}");
    let answer = refresh(&server, text(&one, "refreshToken"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    for name in ["signing-key.json", "log-ins.json"] {
        let file = std::fs::metadata(server.data().join(name)).expect(name);
        assert_eq!(file.permissions().mode() & 0o777, 0o600, "{name}");
    }
    let out = post(&server, "/logout", &[("authorization", &format!("Bearer {}", text(&one, "accessToken")))]);
    assert_eq!(out.status, 200);
    closes(open);
    assert_eq!(refresh(&server, text(&answer.json()["user"], "refreshToken")).status, 401);
    let (open, _) = socket(&server, "/socket.io/", text(&other, "accessToken"));
    assert_eq!(server.put_principal("bob", &json!({"revoke_tokens": true})).status, 200);
    closes(open);
    assert_eq!((authorize(&server, text(&other, "accessToken")).status, refresh(&server, text(&other, "refreshToken")).status), (401, 401));
    assert_eq!(authorize(&server, text(&log_in(&server), "accessToken")).status, 200, "he may log in again");
}

#[test]
fn a_socket_is_closed_when_its_access_token_ends() {
    let server = start("[dialects.audiobookshelf]\naccess_expires = \"2s\"\n");
    let user = log_in(&server);
    let (open, said) = socket(&server, "/socket.io/", text(&user, "accessToken"));
    assert!(said.starts_with(r#"42["init""#), "{said}");
    closes(open);
    assert!(socket(&server, "/socket.io/", text(&user, "accessToken")).1.starts_with(r#"42["auth_failed""#));
    let next = refresh(&server, text(&user, "refreshToken")).json();
    assert!(socket(&server, "/socket.io/", text(&next["user"], "accessToken")).1.starts_with(r#"42["init""#));
}

#[test]
fn wrong_passwords_and_bad_refresh_tokens_are_limited_and_no_log_in_is_half_a_one() {
    let server = start("[limits]\nbad_tokens_per_minute = 3\n");
    for body in ["", "{}", "[]", r#"{"password":"bob's"}"#] {
        let answer = Request::new("POST", "/login").body(body).send(&server);
        assert_eq!((answer.status, answer.body.as_str()), (400, "Bad Request"), "{body}");
    }
    for name in ["bob", "nobody", "reader"] {
        let wrong = typed(&server, "/login", name, "wrong");
        assert_eq!((wrong.status, wrong.body.as_str()), (401, "Unauthorized"), "{name}");
    }
    let limited = typed(&server, "/login", "bob", "bob's");
    assert_eq!((limited.status, limited.json()), (429, json!({"error": "Too many authentication requests"})));
    assert!(limited.header("retry-after").is_some());
    let refused: Vec<u16> = (0..5).map(|_| refresh(&server, "x").status).collect();
    assert_eq!(refused, [401, 401, 401, 429, 429]);
}
