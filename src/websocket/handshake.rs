//! The opening handshake (RFC 6455, section 4.2), as a server sees it.
//!
//! ```text
//! client                                        server
//!   GET … Upgrade: websocket, Connection: upgrade,
//!     Sec-WebSocket-Version: 13, -Key: …  ─────►  asked for whole?  no: 400, or 426 with the version we speak
//!                                         ◄─────  101, Sec-WebSocket-Accept: of the key
//! ```

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// The one version there is, as it stands in `Sec-WebSocket-Version`.
pub const VERSION: &str = "13";

/// What the protocol appends to a client's key (RFC 6455, section 1.3). No secret: the answer only shows that whoever gave
/// it has understood the question.
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What a request's headers ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// No WebSocket.
    Nothing,
    /// A WebSocket, whole and valid; `Sec-WebSocket-Accept` of the answer is this.
    WebSocket {
        /// The answer to the client's key.
        accept: String,
    },
    /// A WebSocket of a version that we do not speak: 426, which names [`VERSION`].
    OtherVersion,
    /// A WebSocket, with something missing or wrong: 400.
    Malformed,
}

/// Reads what a GET over HTTP/1.1 asks for. `header` gives the value of a header that appears once, `lists` whether one that
/// may come in several lines, such as `Connection` behind some proxies, lists a word.
pub fn wanted<'h>(header: &dyn Fn(&str) -> Option<&'h str>, lists: &dyn Fn(&str, &str) -> bool) -> Wanted {
    if !lists("upgrade", "websocket") {
        return Wanted::Nothing;
    }
    let Some(version) = header("sec-websocket-version") else { return Wanted::Malformed };
    if version.trim() != VERSION {
        return Wanted::OtherVersion;
    }
    match header("sec-websocket-key").map(str::trim) {
        Some(key) if is_key(key) && lists("connection", "upgrade") => Wanted::WebSocket { accept: accept(key) },
        _ => Wanted::Malformed,
    }
}

/// Whether a header's value, a list, holds the word.
#[must_use]
pub fn holds(list: &str, word: &str) -> bool {
    list.split(',').any(|item| item.trim().eq_ignore_ascii_case(word))
}

/// The answer to a client's key.
#[must_use]
pub fn accept(key: &str) -> String {
    let question = [key.as_bytes(), KEY_SUFFIX].concat();
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &question))
}

/// Sixteen bytes in base64.
fn is_key(key: &str) -> bool {
    key.len() == 24 && STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: [(&str, &str); 4] = [
        ("upgrade", "websocket"),
        ("connection", "keep-alive, Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn with(change: (&str, Option<&'static str>)) -> Wanted {
        let header = |name: &str| {
            let whole = WHOLE.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            if name == change.0 { change.1 } else { whole }
        };
        wanted(&header, &|name, word| header(name).is_some_and(|list| holds(list, word)))
    }

    #[test]
    fn the_answer_is_that_of_the_standards_example() {
        assert_eq!(with(("", None)), Wanted::WebSocket { accept: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned() });
    }

    #[test]
    fn what_is_missing_or_wrong_is_told_apart() {
        assert_eq!(with(("upgrade", None)), Wanted::Nothing);
        assert_eq!(with(("upgrade", Some("h2c"))), Wanted::Nothing);
        assert!(matches!(with(("upgrade", Some("h2c, WebSocket"))), Wanted::WebSocket { .. }));
        assert_eq!(with(("sec-websocket-version", Some("8"))), Wanted::OtherVersion);
        assert_eq!(with(("sec-websocket-version", None)), Wanted::Malformed);
        for wrong in [None, Some("keep-alive")] {
            assert_eq!(with(("connection", wrong)), Wanted::Malformed);
        }
        for wrong in [None, Some(""), Some("dGhlIHNhbXBsZQ=="), Some("!!!!!!!!!!!!!!!!!!!!!!!!")] {
            assert_eq!(with(("sec-websocket-key", wrong)), Wanted::Malformed);
        }
    }
}
