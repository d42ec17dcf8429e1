//! The client's side of a WebSocket (RFC 6455), as much of it as a canary needs: it opens one, reads texts, answers pings.

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring, pki_types::ServerName};

use super::{
    super::{Outcome, pinned, target::Target},
    round::Failure,
};
use crate::websocket::handshake;

const TEXT: u8 = 1;
const CONTINUATION: u8 = 0;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
/// What a message or a head may hold; Audiobookshelf's `init` is the largest there is.
const MAX_BYTES: usize = 4 << 20;

/// Why there is no WebSocket.
pub(super) enum Refused {
    /// Another status than 101, and the beginning of the body.
    Status(u16, String),
    Failed(Failure),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// An open one.
pub(super) struct WebSocket {
    stream: Stream,
    /// What has come and is not taken apart yet.
    bytes: Vec<u8>,
}

/// A connection, plain or with TLS.
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl WebSocket {
    /// Opens a WebSocket at a path of the server, with one header more. It goes by no proxy.
    pub(super) fn open(target: &Target, path: &str, header: Option<(&str, &str)>, deadline: Instant) -> Result<Self, Refused> {
        let place = Place::of(&target.url);
        let stream = connect(target, &place, deadline)
            .map_err(|error| Failure::new(Outcome::Unavailable, format!("cannot reach {}: {error}", target.url)))?;
        let mut socket = Self { stream, bytes: Vec::new() };
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|error| broken(&error))?;
        let key = STANDARD.encode(nonce);
        let more = header.map(|(name, value)| format!("{name}: {value}\r\n")).unwrap_or_default();
        let request = format!(
            "GET {}{path} HTTP/1.1\r\nhost: {}\r\nuser-agent: fanfare/{}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: {}\r\nsec-websocket-key: {key}\r\n{more}\r\n",
            place.prefix,
            place.authority,
            env!("CARGO_PKG_VERSION"),
            handshake::VERSION,
        );
        socket.stream.write_all(request.as_bytes()).map_err(|error| broken(&error))?;
        let head = loop {
            if let Some(end) = socket.bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&socket.bytes[..end]).into_owned();
                socket.bytes.drain(..end + 4);
                break head;
            }
            socket.read_more(deadline)?;
        };
        check(&head, &key, &socket.bytes)?;
        Ok(socket)
    }

    /// The next text message; pings on the way to it are answered.
    pub(super) fn next_text(&mut self, deadline: Instant) -> Result<String, Failure> {
        let mut pieces = Vec::new();
        loop {
            let Some((frame, length)) = Frame::first_of(&self.bytes)? else {
                self.read_more(deadline)?;
                continue;
            };
            self.bytes.drain(..length);
            match frame.opcode {
                TEXT | CONTINUATION => {
                    pieces.extend_from_slice(&frame.payload);
                    if frame.is_last {
                        return Ok(String::from_utf8_lossy(&pieces).into_owned());
                    }
                }
                PING => self.send(PONG, &frame.payload)?,
                CLOSE => {
                    let code = frame.payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                    return Err(Failure::new(Outcome::Refused, format!("the server closed the WebSocket with {code}")));
                }
                _ => {}
            }
        }
    }

    /// Sends a text message.
    pub(super) fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.send(TEXT, text.as_bytes())
    }

    fn send(&mut self, opcode: u8, payload: &[u8]) -> Result<(), Failure> {
        let mask = getrandom::u32().map_err(|error| broken(&error))?.to_be_bytes();
        self.stream.write_all(&masked(opcode, payload, mask)).map_err(|error| broken(&error))
    }

    fn read_more(&mut self, deadline: Instant) -> Result<(), Failure> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || self.bytes.len() > MAX_BYTES {
            return Err(Failure::new(
                Outcome::Refused,
                if left.is_zero() { "nothing came in time" } else { "a message is larger than 4 MiB" },
            ));
        }
        let mut buffer = [0; 16 * 1024];
        match self.stream.read_within(&mut buffer, left) {
            Ok(0) => Err(Failure::new(Outcome::Refused, "the server ended the connection")),
            Ok(n_read) => {
                self.bytes.extend_from_slice(&buffer[..n_read]);
                Ok(())
            }
            // Looked at again: the deadline decides.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted) => {
                Ok(())
            }
            Err(error) => Err(broken(&error)),
        }
    }
}

fn broken(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Outcome::Unavailable, format!("the connection broke: {error}"))
}

impl Stream {
    fn read_within(&mut self, buffer: &mut [u8], time: Duration) -> io::Result<usize> {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &mut stream.sock,
        };
        socket.set_read_timeout(Some(time))?;
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }
}

/// What of a base address a connection needs.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    is_secure: bool,
    authority: String,
    host: String,
    port: u16,
    prefix: String,
}

impl Place {
    /// Of an address that was checked to begin with `http://` or `https://` and to name no user.
    fn of(url: &str) -> Self {
        let (is_secure, rest) =
            url.strip_prefix("https://").map_or_else(|| (false, url.trim_start_matches("http://")), |rest| (true, rest));
        let (authority, prefix) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let port_at = authority.rfind(':').filter(|at| authority.rfind(']').is_none_or(|bracket| bracket < *at));
        let port = port_at.and_then(|at| authority[at + 1..].parse().ok()).unwrap_or(if is_secure { 443 } else { 80 });
        let host = port_at.map_or(authority, |at| &authority[..at]).trim_start_matches('[').trim_end_matches(']');
        Self { is_secure, authority: authority.to_owned(), host: host.to_owned(), port, prefix: prefix.to_owned() }
    }
}

fn connect(target: &Target, place: &Place, deadline: Instant) -> io::Result<Stream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (place.host.as_str(), place.port).to_socket_addrs()? {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match TcpStream::connect_timeout(&address, left) {
            Ok(socket) => {
                // Also for the TLS handshake, which is done with the first write.
                socket.set_read_timeout(Some(left))?;
                socket.set_write_timeout(Some(left))?;
                socket.set_nodelay(true)?;
                return if place.is_secure { tls(target, place, socket) } else { Ok(Stream::Plain(socket)) };
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn tls(target: &Target, place: &Place, socket: TcpStream) -> io::Result<Stream> {
    let (config, name) = match &target.certificate {
        Some(certificate) => (pinned::config(certificate.clone()).map_err(io::Error::other)?, "localhost"),
        None => (public_authorities().map_err(io::Error::other)?, place.host.as_str()),
    };
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
    Ok(Stream::Tls(Box::new(StreamOwned::new(connection, socket))))
}

fn public_authorities() -> Result<Arc<ClientConfig>, rustls::Error> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

fn check(head: &str, key: &str, body: &[u8]) -> Result<(), Refused> {
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    if status != 101 {
        return Err(Refused::Status(status, String::from_utf8_lossy(body).into_owned()));
    }
    let accept = head.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-accept"));
    match accept {
        Some((_, value)) if value.trim() == handshake::accept(key) => Ok(()),
        _ => Err(Failure::new(Outcome::Refused, "the server did not understand the handshake").into()),
    }
}

/// A frame as a server sends it: never masked.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    is_last: bool,
    opcode: u8,
    payload: Vec<u8>,
}

impl Frame {
    /// The first frame of the bytes, and how many of them it is; `None` while it is not whole.
    fn first_of(bytes: &[u8]) -> Result<Option<(Self, usize)>, Failure> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        if first & 0x70 != 0 || second & 0x80 != 0 {
            return Err(Failure::new(Outcome::Refused, "a frame no server may send"));
        }
        let (head, length) = match second {
            126 => match rest.first_chunk() {
                Some(length) => (4, u64::from(u16::from_be_bytes(*length))),
                None => return Ok(None),
            },
            127 => match rest.first_chunk() {
                Some(length) => (10, u64::from_be_bytes(*length)),
                None => return Ok(None),
            },
            length => (2, u64::from(*length)),
        };
        let length = usize::try_from(length).ok().filter(|length| *length <= MAX_BYTES);
        let length = length.ok_or_else(|| Failure::new(Outcome::Refused, "a message is larger than 4 MiB"))?;
        let Some(payload) = bytes.get(head..head + length) else { return Ok(None) };
        let frame = Self { is_last: first & 0x80 != 0, opcode: first & 0x0f, payload: payload.to_vec() };
        Ok(Some((frame, head + length)))
    }
}

/// One whole frame as a client must send it.
fn masked(opcode: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..126), _) => frame.push(0x80 | length),
        (_, Ok(length)) => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        for (url, is_secure, host, port, prefix) in [
            ("http://127.0.0.1:8400", false, "127.0.0.1", 8400, ""),
            ("https://media.example/fan/fare", true, "media.example", 443, "/fan/fare"),
            ("http://[::1]:1", false, "::1", 1, ""),
            ("http://[::1]", false, "::1", 80, ""),
        ] {
            let place = Place::of(url);
            let found = (place.is_secure, place.host.as_str(), place.port, place.prefix.as_str());
            assert_eq!(found, (is_secure, host, port, prefix), "{url}");
        }
    }

    #[test]
    fn frames_of_all_lengths_are_read_when_they_are_whole() {
        for length in [0_usize, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            // A client's frame without its mask is a server's.
            let mut bytes = masked(TEXT, &payload, [0; 4]);
            let head = bytes.len() - length - 4;
            bytes.drain(head..head + 4);
            bytes[1] &= 0x7f;
            for cut in [0, 1, head - 1, bytes.len() - 1] {
                assert_eq!(Frame::first_of(&bytes[..cut]), Ok(None), "{length} cut at {cut}");
            }
            let whole = bytes.len();
            bytes.extend_from_slice(b"more");
            assert_eq!(Frame::first_of(&bytes), Ok(Some((Frame { is_last: true, opcode: TEXT, payload }, whole))));
        }
        assert!(Frame::first_of(&masked(TEXT, b"x", [1; 4])).is_err(), "masked");
        assert!(Frame::first_of(&[0x81, 127, 0xff, 0, 0, 0, 0, 0, 0, 0]).is_err(), "too large");
    }

    #[test]
    fn a_clients_frame_comes_out_as_it_went_in() {
        let frame = masked(TEXT, b"hello", [1, 2, 3, 4]);
        assert_eq!(frame[..2], [0x81, 0x85]);
        let plain: Vec<u8> = frame[6..].iter().zip(frame[2..6].iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        assert_eq!(plain, b"hello");
    }

    #[test]
    fn only_the_answer_to_this_key_opens() {
        // The example of RFC 6455, section 1.3.
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let head = |accept: &str| format!("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {accept}");
        assert!(check(&head("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), key, b"").is_ok());
        assert!(matches!(check(&head("other"), key, b""), Err(Refused::Failed(_))));
        assert!(matches!(check("HTTP/1.1 404 Not Found\r\n", key, b"no"), Err(Refused::Status(404, body)) if body == "no"));
    }
}
