//! Audiobookshelf's socket and RedSeat's twin from outside: plain clients over plain WebSockets.

mod audience;
mod auth;
mod log;
mod said;
mod twin;

use serde_json::{Value, json};

use crate::harness::{Frame, PATIENCE, PEOPLE, Request, SILENCE, Server, WebSocket, token_of};

/// [`PEOPLE`], a publisher who may publish what must be allowed by name, and a library of books.
fn people() -> String {
    let raw = token_of("raw");
    format!(
        "{PEOPLE}\n[[libraries]]\nid = \"lib1\"\nname = \"Books\"\nkind = \"books\"\n[[tokens]]\ntoken = \"{raw}\"\n\
         publish = {{ types = [\"raw\", \"user\", \"message\", \"notification\"] }}\n"
    )
}

fn start() -> Server {
    Server::start(&people())
}

/// Publishes as somebody who may publish that type.
fn publish(server: &Server, event: &Value) {
    let named = ["raw", "user", "message", "notification"];
    let who = if named.iter().any(|kind| event["type"] == *kind) { "raw" } else { "publisher" };
    let (status, body) = server.publish(&token_of(who), event);
    assert_eq!(status, 200, "{event}: {body}");
}

/// An event for everybody that ends what a test waits for.
fn sentinel() -> Value {
    json!({"type": "raw", "audience": "all", "data": {"dialect": "audiobookshelf", "name": "sentinel", "payload": null}})
}

/// A client of Socket.IO.
struct Client(WebSocket);

impl Client {
    /// One whose Engine.IO session is open.
    fn open(server: &Server, path: &str) -> Self {
        let mut socket = WebSocket::ask(server, Request::new("GET", &format!("{path}?EIO=4&transport=websocket")));
        assert_eq!(socket.head().status, 101, "{path}: {:?}", socket.head());
        let open = socket.next_text();
        assert!(open.starts_with("0{\"sid\":"), "{open}");
        Self(socket)
    }

    /// One that has connected the main namespace, without a word of who it is.
    fn connect(server: &Server, path: &str) -> Self {
        Self::connect_with(server, path, "")
    }

    fn connect_with(server: &Server, path: &str, payload: &str) -> Self {
        let mut client = Self::open(server, path);
        client.0.send(1, format!("40{payload}").as_bytes());
        let connected = client.text();
        assert!(connected.starts_with("40{\"sid\":"), "{connected}");
        client
    }

    /// One that has shown whose it is.
    fn of(server: &Server, who: &str) -> Self {
        let mut client = Self::connect(server, "/socket.io/");
        client.auth(who);
        client
    }

    /// Shows whose it is, and gives the argument of `init`.
    fn auth(&mut self, who: &str) -> Value {
        self.emit("auth", &json!(token_of(who)));
        loop {
            let (name, argument) = self.next();
            if name == "init" {
                return argument;
            }
            assert_eq!(name, "user_online", "{argument}");
        }
    }

    fn emit(&mut self, name: &str, argument: &Value) {
        let packet = if argument.is_null() { json!([name]) } else { json!([name, argument]) };
        self.0.send(1, format!("42{packet}").as_bytes());
    }

    /// The next packet; pings are answered and passed over.
    fn text(&mut self) -> String {
        loop {
            let text = self.0.next_text();
            if text != "2" {
                return text;
            }
            self.0.send(1, b"3");
        }
    }

    /// The next event, and its argument (`null` if it has none).
    fn next(&mut self) -> (String, Value) {
        let text = self.text();
        let packet = text.strip_prefix("42").unwrap_or_else(|| panic!("no event: {text}"));
        let mut packet: Vec<Value> = serde_json::from_str(packet).unwrap_or_else(|_| panic!("no event: {text}"));
        assert!(packet.len() <= 2, "at most one argument: {text}");
        let argument = if packet.len() == 2 { packet.remove(1) } else { Value::Null };
        (packet[0].as_str().expect("a name").to_owned(), argument)
    }

    /// The next event, which must be of that name; who comes and goes is passed over.
    fn expect(&mut self, name: &str) -> Value {
        loop {
            let (told, argument) = self.next();
            if told == name {
                return argument;
            }
            assert!(told.starts_with("user_o"), "{name} is due, not {told}: {argument}");
        }
    }

    /// The names of everything before the sentinel, but for who comes and goes.
    fn names_before_sentinel(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        loop {
            let (name, _) = self.next();
            match name.as_str() {
                "sentinel" => return names,
                "user_online" | "user_offline" => {}
                _ => names.push(name),
            }
        }
    }

    fn expect_nothing(&mut self) {
        assert_eq!(self.0.next_frame(SILENCE), None);
    }

    /// Whether the server closes it, and with which code.
    fn closes(&mut self) -> Option<u16> {
        loop {
            match self.0.next_frame(2 * PATIENCE) {
                Some(Frame::Text(text)) if text == "2" => self.0.send(1, b"3"),
                Some(Frame::Text(_)) => {}
                Some(Frame::Close(code)) => return code,
                other => panic!("a close is due, not {other:?}"),
            }
        }
    }
}
