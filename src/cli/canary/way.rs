//! The ways back: what each protocol's client sends to hear events, and the event that reaches it alone.

use std::{io::Read, time::Instant};

use serde_json::{Value, json};

use super::{
    super::{
        Outcome, http,
        target::{Target, Token},
    },
    round::Failure,
    websocket::{Refused, WebSocket},
};

/// The name of the marked event where a protocol allows any name.
const NAME: &str = "fanfare-canary";
/// How the canary's MediaBrowser client is called.
const DEVICE: &str = "deviceId=fanfare-canary&device=canary&client=fanfare-canary";

/// A protocol, and how it is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Way {
    /// RedSeat's event stream
    Sse,
    /// Plex's event stream
    PlexSse,
    /// Plex's WebSocket
    PlexWs,
    /// The WebSocket of Jellyfin and Emby
    Mediabrowser,
    /// Audiobookshelf's Socket.IO, by WebSocket
    Socketio,
}

/// A way on which events come from now on.
pub(super) enum Open {
    /// The body of an event stream.
    Events(Box<dyn Read>),
    /// Text messages, and what the client has to say between them.
    Messages(WebSocket, Speech),
}

/// What a client answers.
#[derive(Debug, Clone)]
pub(super) enum Speech {
    /// Nothing.
    Silent,
    /// What Engine.IO and Socket.IO ask for, and the token to log in with.
    SocketIo(String),
}

impl Way {
    /// All of them, or those named, each once.
    pub(super) fn those(named: &[Self]) -> Vec<Self> {
        let all = [Self::Sse, Self::PlexSse, Self::PlexWs, Self::Mediabrowser, Self::Socketio];
        all.into_iter().filter(|way| named.is_empty() || named.contains(way)).collect()
    }

    /// As on the command line, and in the metrics' label.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sse => "sse",
            Self::PlexSse => "plex-sse",
            Self::PlexWs => "plex-ws",
            Self::Mediabrowser => "mediabrowser",
            Self::Socketio => "socketio",
        }
    }

    /// The marked event. Its names and shapes are such that clients of that protocol show nothing of it.
    pub(super) fn event(self, audience: &str, mark: &str) -> Value {
        let (dialect, name, payload) = match self {
            Self::Sse => ("redseat", NAME, json!({"mark": mark})),
            Self::PlexSse | Self::PlexWs => (
                "plex",
                "status",
                json!({"StatusNotification": {"title": "Fanfare canary", "description": mark, "notificationName": "CANARY"}}),
            ),
            // A message that every client knows and none acts on: some of them fail at a type they do not know.
            Self::Mediabrowser => ("mediabrowser", "KeepAlive", json!(mark)),
            Self::Socketio => ("audiobookshelf", NAME, json!({"mark": mark})),
        };
        json!({"type": "raw", "audience": audience, "data": {"dialect": dialect, "name": name, "payload": payload}})
    }

    /// Opens it, until `opening`; what is read from it ends at `end`. `None`: the server does not serve it.
    pub(super) fn open(self, target: &Target, opening: Instant, end: Instant) -> Result<Option<Open>, Failure> {
        let token = target.token.as_ref().map(Token::text).unwrap_or_default();
        let socket = |path: &str, header: Option<(&str, &str)>, speech, is_open: fn(&str) -> Option<Result<(), String>>| {
            messages(target, (path, header), speech, is_open, opening)
        };
        match self {
            Self::Sse => events(target, &format!("/sse?events={NAME}"), ("authorization", &format!("Bearer {token}")), end),
            Self::PlexSse => events(target, "/:/eventsource/notifications", ("x-plex-token", token), end),
            Self::PlexWs => socket("/:/websockets/notifications", Some(("x-plex-token", token)), Speech::Silent, |_| Some(Ok(()))),
            Self::Mediabrowser => {
                let path = format!("/embywebsocket?{DEVICE}");
                socket(&path, Some(("x-emby-token", token)), Speech::Silent, |text| text.contains("\"ForceKeepAlive\"").then_some(Ok(())))
            }
            Self::Socketio => socket("/socket.io/?EIO=4&transport=websocket", None, Speech::SocketIo(token.to_owned()), |text| {
                let refused = text.starts_with("42[\"auth_failed\"") || text.starts_with("42[\"invalid_token\"") || text.starts_with("44");
                match text {
                    _ if refused => Some(Err(text.to_owned())),
                    _ => text.starts_with("42[\"init\"").then_some(Ok(())),
                }
            }),
        }
    }
}

impl Speech {
    /// What is said to a text, if anything.
    pub(super) fn reply(&self, text: &str) -> Option<String> {
        let Self::SocketIo(token) = self else { return None };
        match text.as_bytes() {
            [b'0', b'{', ..] => Some("40".to_owned()),
            [b'2', rest @ ..] => Some(format!("3{}", String::from_utf8_lossy(rest))),
            [b'4', b'0', ..] => Some(format!("42[\"auth\",{}]", Value::from(token.as_str()))),
            _ => None,
        }
    }
}

fn events(target: &Target, path: &str, header: (&str, &str), end: Instant) -> Result<Option<Open>, Failure> {
    let unreachable = |error: &dyn std::fmt::Display| Failure::new(Outcome::Unavailable, format!("cannot reach {}: {error}", target.url));
    let agent = http::agent(target).map_err(|error| unreachable(&error))?;
    let request = agent.get(target.at(path)).header("accept", "text/event-stream").header(header.0, header.1);
    let request = request.config().timeout_global(Some(end.saturating_duration_since(Instant::now()))).build();
    let mut response = request.call().map_err(|error| unreachable(&error))?;
    match response.status().as_u16() {
        200 => Ok(Some(Open::Events(Box::new(response.into_body().into_reader())))),
        404 => Ok(None),
        status => Err(refused(status, &http::shown_body(&mut response))),
    }
}

/// `is_open` says of a text whether events come from now on, or why they never will.
fn messages(
    target: &Target,
    (path, header): (&str, Option<(&str, &str)>),
    speech: Speech,
    is_open: fn(&str) -> Option<Result<(), String>>,
    opening: Instant,
) -> Result<Option<Open>, Failure> {
    let mut socket = match WebSocket::open(target, path, header, opening) {
        Ok(socket) => socket,
        Err(Refused::Status(404, _)) => return Ok(None),
        Err(Refused::Status(status, body)) => return Err(refused(status, &body)),
        Err(Refused::Failed(failure)) => return Err(failure),
    };
    // Plex says nothing at first: its events come once the handshake is over.
    let mut said = is_open("");
    loop {
        match said {
            Some(Ok(())) => return Ok(Some(Open::Messages(socket, speech))),
            Some(Err(text)) => return Err(Failure::new(Outcome::Unauthorised, format!("the server does not accept this token: {text}"))),
            None => {}
        }
        let text = socket.next_text(opening)?;
        if let Some(reply) = speech.reply(&text) {
            socket.say(&reply)?;
        }
        said = is_open(&text);
    }
}

fn refused(status: u16, body: &str) -> Failure {
    let text = match status {
        401 | 403 => format!("the server does not accept this token ({status})"),
        _ => format!("the server answered {status}: {}", body.chars().take(200).collect::<String>()),
    };
    Failure::new(http::outcome(status).max(Outcome::Refused), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn socket_io_is_answered_as_its_clients_do() {
        let speech = Speech::SocketIo("a\"b".to_owned());
        for (text, reply) in [
            ("0{\"sid\":\"x\"}", Some("40")),
            ("2", Some("3")),
            ("2probe", Some("3probe")),
            ("40{\"sid\":\"y\"}", Some("42[\"auth\",\"a\\\"b\"]")),
            ("42[\"init\",{}]", None),
            ("", None),
        ] {
            assert_eq!(speech.reply(text).as_deref(), reply, "{text}");
            assert_eq!(Speech::Silent.reply(text), None);
        }
    }

    #[test]
    fn ways_are_those_named_and_one_protocol_is_one_event() {
        assert_eq!(Way::those(&[Way::Socketio, Way::Sse, Way::Sse]), [Way::Sse, Way::Socketio]);
        assert_eq!(Way::those(&[]).len(), 5);
        assert_eq!(Way::PlexSse.event("admin", "m"), Way::PlexWs.event("admin", "m"));
        assert_eq!(Way::Sse.event("user:bob", "m")["audience"], "user:bob");
    }
}
