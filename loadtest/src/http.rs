//! The little HTTP/1.1 the load tester speaks for itself: one request on a blocking socket, and response bodies as they come.

use crate::chunked::Dechunker;
use crate::failure::Failure;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::time::Duration;

/// A loopback address from `http://127.0.0.1:8400`.
pub(crate) fn loopback_address(target: &str) -> Result<SocketAddrV4, Failure> {
    let wrong =
        || Failure::new(format!("target: `{target}` is not `floor` or http://127.x.y.z:port (only loopback addresses are allowed)"));
    let text = target.strip_prefix("http://").unwrap_or(target).trim_end_matches('/').replace("localhost", "127.0.0.1");
    let address: SocketAddrV4 = text.parse().map_err(|_| wrong())?;
    if address.ip().is_loopback() && *address.ip() != Ipv4Addr::UNSPECIFIED { Ok(address) } else { Err(wrong()) }
}

/// A response body that is read piece by piece.
#[derive(Debug)]
pub(crate) struct Response {
    /// Status code.
    pub(crate) status: u16,
    stream: TcpStream,
    pending: Vec<u8>,
    chunks: Option<Dechunker>,
    left: Option<usize>,
}

impl Response {
    /// Waits for the response head on a connection whose request has been, or is being, written.
    pub(crate) fn read_head(stream: TcpStream) -> Result<Self, Failure> {
        Self::read_next(stream, Vec::new())
    }

    /// The same for a connection whose next response has begun with `bytes`.
    pub(crate) fn read_next(mut stream: TcpStream, mut bytes: Vec<u8>) -> Result<Self, Failure> {
        let end = loop {
            if let Some(end) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
                break end;
            }
            let mut piece = [0; 2048];
            match stream.read(&mut piece) {
                Ok(0) => return Err(Failure::new("response head: the server closed the connection")),
                Ok(length) => bytes.extend_from_slice(&piece[..length]),
                Err(error) => return Err(Failure::io("response head", error)),
            }
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let chunks = field("transfer-encoding:").is_some_and(|coding| coding.contains("chunked")).then(Dechunker::new);
        let left = if status == 204 { Some(0) } else { field("content-length:").and_then(|length| length.parse().ok()) };
        Ok(Self { status, stream, pending: bytes[end + 4..].to_vec(), chunks, left })
    }

    /// The connection, and what came behind a body that has been read to its end.
    pub(crate) fn into_rest(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.pending)
    }

    /// Appends the next piece of the body; false at its end.
    pub(crate) fn read_some(&mut self, body: &mut Vec<u8>) -> Result<bool, Failure> {
        if self.left == Some(0) || self.chunks.as_ref().is_some_and(Dechunker::is_over) {
            return Ok(false);
        }
        if self.pending.is_empty() {
            self.pending.resize(64 << 10, 0);
            let length = self.stream.read(&mut self.pending).map_err(|error| Failure::io("response body", error))?;
            self.pending.truncate(length);
            if length == 0 {
                return Ok(false);
            }
        }
        let taken = match (&mut self.chunks, &mut self.left) {
            (Some(chunks), _) => chunks.push(&self.pending, body).map_err(|error| Failure::new(format!("response body: {error}")))?,
            (None, left) => {
                let taken = left.unwrap_or(usize::MAX).min(self.pending.len());
                body.extend_from_slice(&self.pending[..taken]);
                *left = left.map(|left| left - taken);
                taken
            }
        };
        // What is left then is the beginning of the next response.
        self.pending.drain(..taken);
        Ok(true)
    }
}

/// One request without a body; the status and the whole answer.
pub(crate) fn request(address: SocketAddrV4, method: &str, path: &str, token: Option<&str>) -> Result<(u16, Vec<u8>), Failure> {
    let mut stream = connect(address)?;
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n{authorization}Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).map_err(|error| Failure::io(path, error))?;
    let mut response = Response::read_head(stream)?;
    let mut body = Vec::new();
    while response.read_some(&mut body)? {}
    Ok((response.status, body))
}

/// A blocking connection that gives up after 15 seconds without progress.
pub(crate) fn connect(address: SocketAddrV4) -> Result<TcpStream, Failure> {
    let timeout = Duration::from_secs(15);
    let stream =
        TcpStream::connect_timeout(&address.into(), timeout).map_err(|error| Failure::io(&format!("connect to {address}"), error))?;
    let set = stream
        .set_nodelay(true)
        .and_then(|()| stream.set_read_timeout(Some(timeout)))
        .and_then(|()| stream.set_write_timeout(Some(timeout)));
    set.map_err(|error| Failure::io("socket options", error))?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_targets_are_taken() {
        assert_eq!(loopback_address("http://127.0.0.1:8400/").unwrap().port(), 8400);
        assert_eq!(loopback_address("http://localhost:80").unwrap().ip().octets()[0], 127);
        for target in ["http://10.0.0.1:80", "http://0.0.0.0:80", "https://127.0.0.1:1", "http://example.org:80"] {
            assert!(loopback_address(target).is_err(), "{target}");
        }
    }
}
