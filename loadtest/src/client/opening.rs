//! How each dialect is opened: the request a real client sends, and the response head that lets it in.

use super::{Client, Plan, Role};
use crate::dialect::Dialect;
use crate::frame::{RAW_NAME, library_name};
use crate::ledger::libraries_of_user;
use crate::polling;
use std::fmt::Write as _;
use std::io::{ErrorKind, Read};

const HEAD_LIMIT: usize = 16 << 10;
/// The key of every handshake, and what a server must make of it (RFC 6455, section 1.3): nobody guards anything with it here.
const WEBSOCKET_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const WEBSOCKET_ACCEPT: &str = "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=";

/// What came of reading a response head.
pub(super) enum Greeting {
    /// Not whole yet.
    Incomplete,
    /// The stream is open; `rest` came behind the head.
    Accepted {
        /// Whether the stream is in chunked coding.
        chunked: bool,
        /// Bytes behind the head.
        rest: Vec<u8>,
    },
    /// No stream, and why.
    Refused(String),
}

impl Plan {
    /// The request that opens a client's stream.
    pub(super) fn request(&self, client: &Client) -> String {
        let session = client.session.as_deref().unwrap_or_default();
        if client.polls() {
            return polling::get(self.address, session);
        }
        let token = self.token(client).unwrap_or_default();
        let any = || self.path.replace("{library}", &self.first_library(client));
        match client.dialect {
            Dialect::Sse => self.event_stream(&self.narrowed(client), &bearer(token)),
            Dialect::AnySse => self.event_stream(&any(), &bearer(token)),
            Dialect::PlexSse => self.event_stream("/:/eventsource/notifications", &format!("X-Plex-Token: {token}\r\n")),
            Dialect::PlexWs => self.upgrade("/:/websockets/notifications", &format!("X-Plex-Token: {token}\r\n")),
            Dialect::MediaBrowser => self.upgrade(&format!("/embywebsocket?api_key={token}&deviceId=loadtest-{}", client.index), ""),
            Dialect::SocketIo | Dialect::SocketIoPolling | Dialect::SocketIoUpgrade => {
                self.upgrade(&polling::target("websocket", session), "")
            }
            Dialect::AnyWs => self.upgrade(&any(), &bearer(token)),
        }
    }

    /// A client's token, if there are any.
    pub(super) fn token(&self, client: &Client) -> Option<&str> {
        if client.role == Role::Stranger {
            return Some(&self.strangers_token);
        }
        let index = client.index;
        (!self.tokens.is_empty()).then(|| self.tokens[index % self.tokens.len()].as_str())
    }

    /// The path of `/sse`, with the libraries the client asks for, and the name of `raw` events where it is told of these.
    fn narrowed(&self, client: &Client) -> String {
        let names = |libraries: Vec<u32>| libraries.into_iter().map(|library| library_name(library, self.spread.libraries()));
        let asked = (client.role != Role::Stranger).then(|| self.subscription(client.index, client.role).names()).flatten();
        let libraries = asked.map(|libraries| names(libraries).collect::<Vec<_>>());
        let asked = [
            libraries.map(|libraries| format!("libraries={}", libraries.join(","))),
            self.raw_events.then(|| format!("events={RAW_NAME}")),
        ];
        let query = asked.into_iter().flatten().collect::<Vec<_>>().join("&");
        let parting = match (query.is_empty(), self.path.contains('?')) {
            (true, _) => "",
            (false, true) => "&",
            (false, false) => "?",
        };
        format!("{}{parting}{query}", self.path)
    }

    /// The first, and on servers with a path for each library the only one, of a client's libraries.
    fn first_library(&self, client: &Client) -> String {
        let first =
            libraries_of_user(self.user(client.index), self.spread.libraries(), self.client_libraries).first().copied().unwrap_or(0);
        library_name(first, self.spread.libraries())
    }

    fn event_stream(&self, path: &str, credentials: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n{credentials}{}\r\n", self.address, self.more_headers)
    }

    fn upgrade(&self, path: &str, credentials: &str) -> String {
        let mut request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: {WEBSOCKET_KEY}\r\n{credentials}{}",
            self.address, self.more_headers
        );
        if let Some(subprotocol) = &self.subprotocol {
            // Writing to a string cannot fail.
            let _ = write!(request, "Sec-WebSocket-Protocol: {subprotocol}\r\n");
        }
        request.push_str("\r\n");
        request
    }
}

fn bearer(token: &str) -> String {
    if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") }
}

/// Reads towards the end of the response head; the client's `partial` keeps what has come.
pub(super) fn read_greeting(client: &mut Client, buffer: &mut [u8]) -> Greeting {
    let Some(stream) = client.stream.as_mut() else { return Greeting::Refused("connection is gone".to_owned()) };
    let partial = &mut client.partial;
    match stream.read(&mut buffer[..HEAD_LIMIT]) {
        Ok(0) => return Greeting::Refused("closed before the response head".to_owned()),
        Ok(length) => partial.extend_from_slice(&buffer[..length]),
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Greeting::Incomplete,
        Err(error) => return Greeting::Refused(format!("response head: {error}")),
    }
    let Some(end) = memchr::memmem::find(partial, b"\r\n\r\n") else {
        return if partial.len() > HEAD_LIMIT { Greeting::Refused("response head: too long".to_owned()) } else { Greeting::Incomplete };
    };
    let head = String::from_utf8_lossy(&partial[..end]).to_ascii_lowercase();
    let first = head.lines().next().unwrap_or_default();
    let wanted = if client.dialect.speech().is_some() { WEBSOCKET_ACCEPT } else { "content-type: text/event-stream" };
    let status = if client.dialect.speech().is_some() { "http/1.1 101" } else { "http/1.1 200" };
    if !first.starts_with(status) || !head.lines().any(|line| line.starts_with(wanted)) {
        let body = String::from_utf8_lossy(&partial[end + 4..]).trim().chars().take(200).collect::<String>();
        return Greeting::Refused(format!("no stream for {}: {first} {body}", client.dialect));
    }
    Greeting::Accepted { chunked: head.contains("transfer-encoding: chunked"), rest: partial[end + 4..].to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spread::Spread;
    use std::net::{Ipv4Addr, SocketAddrV4};

    fn plan(tokens: &[&str]) -> Plan {
        Plan {
            address: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1),
            path: "/sse".to_owned(),
            dialects: Vec::new(),
            more_headers: "X-Extra: 1\r\n".to_owned(),
            subprotocol: Some("ws+meta.nchan".to_owned()),
            raw_events: false,
            no_auth: false,
            message_limit: 1 << 16,
            strangers_token: "stranger".to_owned(),
            tokens: tokens.iter().map(|token| (*token).to_owned()).collect(),
            spread: Spread::even(12),
            client_libraries: 2,
            sample_mask: 0,
            measured_from: 0,
            measured_to: 0,
            connect_rate: 1,
            slow_bytes: 1,
            churn: 0,
        }
    }

    fn request(plan: &Plan, dialect: Dialect) -> String {
        plan.request(&Client::new(1, Role::Steady, dialect, plan.subscription(1, Role::Steady)))
    }

    #[test]
    fn a_request_names_the_libraries_and_carries_the_clients_own_token() {
        let mut plan = plan(&["one", "two"]);
        let text = request(&plan, Dialect::Sse);
        assert!(text.starts_with("GET /sse?libraries=lib02,lib03 HTTP/1.1\r\n"), "{text}");
        assert!(text.contains("Authorization: Bearer two\r\n") && text.ends_with("X-Extra: 1\r\n\r\n"));
        plan.raw_events = true;
        assert!(request(&plan, Dialect::Sse).starts_with("GET /sse?libraries=lib02,lib03&events=loadtest HTTP"));
    }

    #[test]
    fn a_stranger_shows_its_own_token_and_asks_for_no_library() {
        let plan = plan(&["one", "two"]);
        let stranger = Client::new(1, Role::Stranger, Dialect::Sse, plan.subscription(1, Role::Stranger));
        let text = plan.request(&stranger);
        assert!(text.starts_with("GET /sse HTTP/1.1\r\n") && text.contains("Authorization: Bearer stranger\r\n"), "{text}");
    }

    #[test]
    fn every_dialect_shows_its_token_where_its_clients_do() {
        let mut plan = plan(&["one", "two"]);
        for (dialect, first, more) in [
            (Dialect::PlexSse, "GET /:/eventsource/notifications HTTP/1.1", "X-Plex-Token: two\r\n"),
            (Dialect::PlexWs, "GET /:/websockets/notifications HTTP/1.1", "X-Plex-Token: two\r\n"),
            (Dialect::MediaBrowser, "GET /embywebsocket?api_key=two&deviceId=loadtest-1 HTTP/1.1", "Upgrade: websocket\r\n"),
            (Dialect::SocketIo, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1", "Sec-WebSocket-Version: 13\r\n"),
            (Dialect::SocketIoPolling, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1", "Host: 127.0.0.1:1\r\n"),
            (Dialect::SocketIoUpgrade, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1", "Host: 127.0.0.1:1\r\n"),
        ] {
            let text = request(&plan, dialect);
            assert!(text.starts_with(first) && text.contains(more) && text.ends_with("\r\n\r\n"), "{dialect}: {text}");
        }
        plan.path = "/sub/{library}".to_owned();
        let text = request(&plan, Dialect::AnyWs);
        assert!(text.starts_with("GET /sub/lib02 HTTP/1.1\r\n") && text.contains("Sec-WebSocket-Protocol: ws+meta.nchan\r\n"), "{text}");
    }
}
