//! How each dialect is opened: the request a real client sends, and the response head that lets it in.

use super::{Client, Plan};
use crate::dialect::Dialect;
use crate::frame::library_name;
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
        let token = self.token(client.index).unwrap_or_default();
        match client.dialect {
            Dialect::Sse => self.event_stream(&self.narrowed(client), &bearer(token)),
            Dialect::AnySse => self.event_stream(&self.path, &bearer(token)),
            Dialect::PlexSse => self.event_stream("/:/eventsource/notifications", &format!("X-Plex-Token: {token}\r\n")),
            Dialect::PlexWs => self.upgrade("/:/websockets/notifications", &format!("X-Plex-Token: {token}\r\n")),
            Dialect::MediaBrowser => self.upgrade(&format!("/embywebsocket?api_key={token}&deviceId=loadtest-{}", client.index), ""),
            Dialect::SocketIo | Dialect::SocketIoPolling | Dialect::SocketIoUpgrade => {
                self.upgrade(&polling::target("websocket", session), "")
            }
            Dialect::AnyWs => self.upgrade(&self.path, &bearer(token)),
        }
    }

    /// A client's token, if there are any.
    pub(super) fn token(&self, index: usize) -> Option<&str> {
        (!self.tokens.is_empty()).then(|| self.tokens[index % self.tokens.len()].as_str())
    }

    /// The path of `/sse`, with the libraries the client asks for.
    fn narrowed(&self, client: &Client) -> String {
        let Some(libraries) = self.subscription(client.index).names() else { return self.path.clone() };
        let names: Vec<String> = libraries.into_iter().map(|library| library_name(library, self.libraries)).collect();
        let parting = if self.path.contains('?') { '&' } else { '?' };
        format!("{}{parting}libraries={}", self.path, names.join(","))
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
