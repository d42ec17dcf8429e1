//! One request head, looked at without a server: is it a stream endpoint, plain and whole?
//!
//! Everything odd or partial is not for the door: the ordinary server takes it, with its rules and its limits.

use httparse::{EMPTY_HEADER, Header, Request, Status};

use crate::websocket::handshake;

/// As many headers as the ordinary server takes.
const MAX_HEADERS: usize = 96;

/// A plain, whole request for a stream.
pub struct StreamHead<'h, 'b> {
    /// The path, undecoded.
    pub path: &'b str,
    /// The query, undecoded, without the question mark.
    pub query: &'b str,
    headers: &'h [Header<'b>],
}

impl<'b> StreamHead<'_, 'b> {
    /// The value of a header; one that is no text, or appears twice, counts as empty: it is there, and says nothing.
    pub fn header(&self, name: &str) -> Option<&'b str> {
        let mut values = self.lines(name);
        let value = values.next()?;
        let text = if values.next().is_some() { "" } else { std::str::from_utf8(value).unwrap_or_default() };
        Some(text.trim())
    }

    /// The values of a header in the order of its lines.
    pub(super) fn lines(&self, name: &str) -> impl DoubleEndedIterator<Item = &'b [u8]> {
        self.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    }

    /// Whether one of a header's lines, lists all of them, holds the word.
    pub(super) fn lists(&self, name: &str, word: &str) -> bool {
        self.lines(name).filter_map(|line| std::str::from_utf8(line).ok()).any(|list| handshake::holds(list, word))
    }

    fn count(&self, name: &str) -> usize {
        self.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name)).count()
    }

    /// GET over HTTP/1.1 with one Host and no body, and nothing that asks for another protocol than WebSocket.
    fn is_plain(&self) -> bool {
        let odd = ["content-length", "transfer-encoding", "expect"];
        let asks_for_websocket = || self.header("upgrade").is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"));
        self.count("host") == 1
            && odd.iter().all(|name| self.count(name) == 0)
            && self.count("authorization") <= 1
            && (self.count("upgrade") == 0 || asks_for_websocket())
    }
}

/// Calls `found` with the head if the bytes are exactly one plain request; `None` otherwise. At most 96 headers; how many
/// bytes there may be is for the caller to say.
pub fn read<'b, T>(bytes: &'b [u8], found: impl FnOnce(&StreamHead<'_, 'b>) -> Option<T>) -> Option<T> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = Request::new(&mut headers);
    let whole = matches!(request.parse(bytes), Ok(Status::Complete(length)) if length == bytes.len());
    if !whole || request.method != Some("GET") || request.version != Some(1) {
        return None;
    }
    let (path, query) = request.path.map(|target| target.split_once('?').unwrap_or((target, "")))?;
    let head = StreamHead { path, query, headers: request.headers };
    if head.is_plain() { found(&head) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(bytes: &str) -> Option<String> {
        read(bytes.as_bytes(), |head| Some(format!("{}|{}|{:?}", head.path, head.query, head.header("Authorization"))))
    }

    #[test]
    fn a_plain_whole_get_is_for_the_door() {
        let found = path("GET /sse?a=1 HTTP/1.1\r\nHost: x\r\nauthorization: Bearer t\r\n\r\n");
        assert_eq!(found.as_deref(), Some("/sse|a=1|Some(\"Bearer t\")"));
    }

    #[test]
    fn a_handshake_for_a_websocket_is_too() {
        let found = path("GET /x HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n");
        assert_eq!(found.as_deref(), Some("/x||None"));
    }

    #[test]
    fn whatever_is_odd_or_partial_is_not() {
        for odd in [
            "GET /sse HTTP/1.1\r\nHost: x\r\n",
            "GET /sse HTTP/1.0\r\nHost: x\r\n\r\n",
            "HEAD /sse HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /sse HTTP/1.1\r\n\r\n",
            "GET /sse HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
            "GET /sse HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
            "GET /sse HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET /sse HTTP/1.1\r\nHost: x\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n",
            "GET /sse HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "GET /sse HTTP/1.1\r\nHost : x\r\n\r\n",
            "GET /sse HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n\r\n",
            "GET /sse HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n\r\n",
        ] {
            assert_eq!(path(odd), None, "{odd:?}");
        }
    }
}
