//! The unit handed to a connection, and the text framing of server-sent events.
//!
//! Knows nothing of events or dialects: names and data go in, bytes come out.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use crate::clock::Timestamp;

/// A dialect's keepalive rule.
#[derive(Debug, Clone)]
pub struct Keepalive {
    /// How often, whether or not events flow.
    pub interval: Duration,
    /// What is sent.
    pub frame: Bytes,
    /// A client that neither says nor takes anything for so long is closed. `None`: it cannot answer, and need not.
    pub silence: Option<Duration>,
}

/// What a client is told when its connection is ended from our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goodbye {
    /// The server stops: it should connect again, a little later.
    Stopping,
    /// It should connect again, a little later.
    ComeBack,
    /// Coming back with these credentials is pointless.
    NotWithThese,
}

/// How a dialect says what the engine has to say. `None`: it has no way to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Notices {
    /// So many events were missed.
    pub gap: Option<fn(u64) -> Bytes>,
    /// The credentials end in so long, at that time.
    pub expiring: Option<fn(Duration, Timestamp) -> Bytes>,
    /// The last word before the connection ends.
    pub goodbye: Option<fn(Goodbye) -> Option<Bytes>>,
}

/// One server-sent event: `event:` and `data:` lines and the blank line that ends them.
///
/// A publisher's text can never forge a field: CR, LF and NUL end or spoil a line, so a name that holds one is cut
/// there, and data is split into one `data:` line per line of text, CR, LF and CRLF alike (the WHATWG parsing rules).
#[must_use]
pub fn sse_event(name: &str, data: &[u8]) -> Bytes {
    let name = name.split(['\r', '\n', '\0']).next().unwrap_or_default();
    let mut out = BytesMut::with_capacity(name.len() + data.len() + 17);
    out.put_slice(b"event: ");
    out.put_slice(name.as_bytes());
    out.put_slice(b"\n");
    put_data(&mut out, data);
    out.put_slice(b"\n");
    out.freeze()
}

fn put_data(out: &mut BytesMut, data: &[u8]) {
    let mut rest = data;
    loop {
        out.put_slice(b"data: ");
        let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
            out.put_slice(rest);
            out.put_slice(b"\n");
            return;
        };
        out.put_slice(&rest[..end]);
        out.put_slice(b"\n");
        let crlf = rest[end] == b'\r' && rest.get(end + 1) == Some(&b'\n');
        rest = &rest[end + 1 + usize::from(crlf)..];
    }
}

/// A comment line, `:text` and a newline, without the blank line: `@microsoft/fetch-event-source` calls its
/// `onmessage` for every blank line (wire notes on RedSeat, section 3).
#[must_use]
pub fn sse_comment(text: &str) -> Bytes {
    let text = text.split(['\r', '\n', '\0']).next().unwrap_or_default();
    Bytes::from(format!(":{text}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_two_lines_and_a_blank_one() {
        assert_eq!(sse_event("medias", b"{}"), "event: medias\ndata: {}\n\n");
    }

    #[test]
    fn line_ends_in_data_or_name_never_start_a_field() {
        assert_eq!(sse_event("a\nevent: b", b"x\rid: 1\r\ny\n"), "event: a\ndata: x\ndata: id: 1\ndata: y\ndata: \n\n");
        assert_eq!(sse_comment("ping\ndata: x"), ":ping\n");
    }
}
