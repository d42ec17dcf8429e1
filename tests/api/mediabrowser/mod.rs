//! The protocol of MediaBrowser, Emby and Jellyfin from outside: plain clients over plain sockets.

mod audience;
mod control;
mod credentials;
mod document;
mod identity;
mod playing;
mod sessions;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Answer, Frame, PATIENCE, PEOPLE, Request, SILENCE, Server, WebSocket, token_of};

/// [`PEOPLE`], a publisher who may publish what must be allowed by name, and keys that are nobody.
fn people() -> String {
    let [raw, key, admin_key] = ["raw", "key", "admin-key"].map(token_of);
    format!(
        "{PEOPLE}\n[[tokens]]\ntoken = \"{raw}\"\npublish = {{ types = [\"raw\", \"user\", \"server\", \"notification\", \"remote-control\", \"message\"] }}\n\
         [[tokens]]\ntoken = \"{key}\"\nread = {{ lib1 = \"read\" }}\n[[tokens]]\ntoken = \"{admin_key}\"\nadmin = true\n"
    )
}

fn start() -> Server {
    Server::start(&people())
}

/// Publishes as somebody who may publish that type.
fn publish(server: &Server, events: &[Value]) {
    for event in events {
        let named = ["raw", "user", "server", "notification", "remote-control", "message"];
        let who = if named.iter().any(|kind| event["type"] == *kind) { "raw" } else { "publisher" };
        let (status, body) = server.publish(&token_of(who), event);
        assert_eq!(status, 200, "{event}: {body}");
    }
}

/// An event for everybody that ends what a test waits for; every generation knows its name.
fn sentinel() -> Value {
    json!({"type": "raw", "audience": "all", "data": {"dialect": "mediabrowser", "name": "SeriesTimerCancelled", "payload": {"Id": "sentinel"}}})
}

/// The same for keys, which are told of nothing that is a user's.
fn restart_required() -> Value {
    json!({"type": "server", "data": {"state": "restart-required"}})
}

/// Somebody's client on a device.
#[derive(Clone)]
struct Device<'s> {
    server: &'s Server,
    who: &'s str,
    client: &'s str,
    id: &'s str,
}

impl<'s> Device<'s> {
    fn new(server: &'s Server, who: &'s str, id: &'s str) -> Self {
        Self { server, who, client: "Test", id }
    }

    fn authorization(&self) -> String {
        let Self { who, client, id, .. } = self;
        format!("MediaBrowser Client=\"{client}\", Device=\"A device\", DeviceId=\"{id}\", Version=\"1.0\", Token=\"{}\"", token_of(who))
    }

    fn request(&self, method: &str, path: &str) -> Request {
        Request::new(method, path).header("authorization", &self.authorization())
    }

    fn get(&self, path: &str) -> Answer {
        self.request("GET", path).send(self.server)
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self.request("POST", path);
        if body.is_null() { request.body("").send(self.server) } else { request.json(body).send(self.server) }
    }

    /// A POST that is done, without a word.
    fn does(&self, path: &str, body: &Value) {
        let answer = self.post(path, body);
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{path}");
        assert!(answer.header("date").is_some(), "{path}");
    }

    /// Its own session, as it is listed to it.
    fn session(&self) -> Value {
        let sessions = self.get("/Sessions").json();
        let own = sessions.as_array().expect("a list").iter().find(|session| session["DeviceId"] == self.id);
        own.unwrap_or_else(|| panic!("{} is not in {sessions}", self.id)).clone()
    }

    fn session_id(&self) -> String {
        self.session()["Id"].as_str().expect("an id").to_owned()
    }

    /// A socket there, which has said its first word.
    fn socket(&self, path: &str) -> Socket {
        let mut socket = Socket(WebSocket::ask(self.server, self.request("GET", path)));
        assert_eq!(socket.0.head().status, 101, "{path}: {:?}", socket.0.head());
        assert_eq!(socket.expect("ForceKeepAlive")["Data"], 60, "before anything else");
        socket
    }
}

/// A WebSocket that speaks in messages.
struct Socket(WebSocket);

impl Socket {
    /// One without a token, as document 004 has it.
    fn of_nobody(server: &Server) -> Self {
        let socket = Self(WebSocket::ask(server, Request::new("GET", "/mediabrowser")));
        assert_eq!(socket.0.head().status, 101, "{:?}", socket.0.head());
        socket
    }

    fn say(&mut self, kind: &str, data: &str) {
        self.0.send(1, json!({"MessageType": kind, "Data": data}).to_string().as_bytes());
    }

    fn say_in_binary(&mut self, kind: &str, data: &str) {
        self.0.send(2, json!({"MessageType": kind, "Data": data}).to_string().as_bytes());
    }

    fn next(&mut self) -> Value {
        let text = self.0.next_text();
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"))
    }

    /// The next message, which must be of that type.
    fn expect(&mut self, kind: &str) -> Value {
        let message = self.next();
        assert_eq!(message["MessageType"], kind, "{message}");
        let id = message["MessageId"].as_str().unwrap_or_default();
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{message}");
        message
    }

    /// The types of everything before the sentinel.
    fn before_sentinel(&mut self) -> Vec<Value> {
        let mut messages = Vec::new();
        loop {
            let message = self.next();
            if message["Data"]["Id"] == "sentinel" {
                return messages;
            }
            messages.push(message);
        }
    }

    /// What comes within that time.
    fn within(&mut self, time: Duration) -> Option<Value> {
        let deadline = Instant::now() + time;
        loop {
            match self.0.next_frame(deadline.saturating_duration_since(Instant::now()))? {
                Frame::Text(text) => return serde_json::from_str(&text).ok(),
                Frame::Ping(_) => {}
                other => panic!("no message: {other:?}"),
            }
        }
    }

    /// Waits until what was said before has been heard: what is answered is answered in order.
    fn is_heard(&mut self) {
        self.say("KeepAlive", "");
        loop {
            if self.next()["MessageType"] == "KeepAlive" {
                return;
            }
        }
    }
}

fn types(messages: &[Value]) -> Vec<&str> {
    messages.iter().filter_map(|message| message["MessageType"].as_str()).collect()
}

#[test]
fn a_socket_opens_on_every_path_that_clients_use_and_behind_their_prefixes() {
    let server = start();
    let device = Device::new(&server, "reader", "d1");
    for path in [
        "/socket",
        "/embywebsocket",
        "/mediabrowser",
        "/",
        "/emby/socket",
        "/mediabrowser/socket",
        "/EMBY/Socket",
        "/emby",
        "/emby/embywebsocket",
        "/anything/else",
    ] {
        let mut socket = device.socket(path);
        socket.say("keepalive", "");
        let answer = socket.expect("KeepAlive");
        assert_eq!(answer.get("Data"), None);
        let refused = WebSocket::ask(&server, Request::new("GET", path)).head().status;
        assert_eq!(refused, if path == "/mediabrowser" { 101 } else { 403 }, "{path}");
    }
}

#[test]
fn what_is_not_understood_leaves_the_socket_open() {
    let server = start();
    let mut socket = Device::new(&server, "reader", "d1").socket("/socket");
    for (opcode, text) in [(1, "{"), (1, "[]"), (1, r#"{"MessageType":"Nonsense","Data":{}}"#), (2, "\u{ff}"), (1, r#"{"Data":1}"#)] {
        socket.0.send(opcode, text.as_bytes());
    }
    for data in ["", "1000", "a,b", "-1,1", "0,0,0"] {
        socket.say("SessionsStart", data);
    }
    socket.say("SessionsStop", "");
    socket.0.send(2, br#"{"MessageType":"KeepAlive","Data":{}}"#);
    socket.expect("KeepAlive");
    assert_eq!(socket.within(SILENCE), None);
}

#[test]
fn a_server_that_stops_says_so_and_closes_as_usual() {
    let mut server = start();
    let mut socket = Device::new(&server, "reader", "d1").socket("/socket");
    server.terminate();
    assert_eq!(socket.expect("ServerShuttingDown")["Data"], "");
    assert_eq!(socket.0.next_frame(PATIENCE), Some(Frame::Close(Some(1000))));
    server.wait(Duration::from_secs(40));
}

#[test]
fn messages_of_a_fan_out_have_one_id_and_no_two_messages_share_one() {
    let server = start();
    let mut sockets = ["a", "b"].map(|id| Device::new(&server, "reader", id).socket("/socket"));
    publish(&server, &[restart_required(), restart_required()]);
    let ids = sockets.each_mut().map(|socket| [0, 1].map(|_| socket.expect("RestartRequired")["MessageId"].to_string()));
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0][0], ids[0][1]);
}
