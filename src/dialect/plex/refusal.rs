//! How Plex says no, and the headers of its streams (event map, section 6; wire notes, sections 2.1 and 5).

use bytes::Bytes;

use super::{super::retry, Answer, Refusal, Refused, Request};
use crate::websocket::CloseCode;

/// The real server's 91 bytes.
const UNAUTHORISED: &str = "<html><head><title>Unauthorized</title></head><body><h1>401 Unauthorized</h1></body></html>";

const NO_WEBSOCKET: &str = "a WebSocket, or `Accept: text/event-stream`, is needed here\n";

const EVENT_STREAM: &str = "text/event-stream";
const OCTET_STREAM: &str = "application/octet-stream";

/// What the client takes, as far as streams go. `None`: neither form by name.
///
/// Clients generated from the published description ask for octets and wait for ever for anything else, while a browser's
/// `EventSource` takes nothing but its own type: who asks for octets and not for events gets octets (wire notes, rule 8).
pub(super) fn named_stream_type(request: &Request<'_>) -> Option<&'static str> {
    let accept = (request.header)("accept")?;
    let names =
        |kind: &str| accept.split(',').any(|range| range.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case(kind)));
    match (names(EVENT_STREAM), names(OCTET_STREAM)) {
        (true, _) => Some(EVENT_STREAM),
        (false, true) => Some(OCTET_STREAM),
        (false, false) => None,
    }
}

/// The headers of a stream. `no-cache` and `X-Accel-Buffering` keep proxies from holding events back.
pub(super) fn stream_headers(request: &Request<'_>) -> Vec<(&'static str, String)> {
    let kind = named_stream_type(request).unwrap_or(EVENT_STREAM);
    vec![("content-type", kind.to_owned()), ("cache-control", "no-cache".to_owned()), ("x-accel-buffering", "no".to_owned())]
}

/// The same words whatever was wrong with the credentials, also for an address that tries too many.
pub(super) fn unauthorised() -> Answer {
    Answer { status: 401, headers: vec![("content-type", "text/html".to_owned())], body: Bytes::from_static(UNAUTHORISED.as_bytes()) }
}

/// A plain request to a WebSocket's path, from somebody who would not understand a stream.
pub(super) fn no_websocket() -> Answer {
    Answer { status: 400, headers: vec![("content-type", "text/plain".to_owned())], body: Bytes::from_static(NO_WEBSOCKET.as_bytes()) }
}

/// A refusal, ready to be sent.
///
/// A handshake is never refused because the server is full or stops: a client in wide use then stays away for good, and
/// comes back from a close within seconds (wire notes, rule 10).
pub(super) fn refused(request: &Request<'_>, refusal: Refusal) -> Refused {
    match refusal {
        Refusal::Unauthorised | Refusal::TooManyAttempts(_) => Refused::Answer(unauthorised()),
        Refusal::Full if request.websocket => Refused::Close(CloseCode::TRY_AGAIN_LATER),
        Refusal::Draining if request.websocket => Refused::Close(CloseCode::GOING_AWAY),
        // A native EventSource never comes back from a 503; a stream that ends with a hint it tries again.
        Refusal::Full | Refusal::Draining => Refused::Answer(Answer { status: 200, headers: stream_headers(request), body: retry::hint() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream_type(accept: Option<&'static str>) -> String {
        let header = move |name: &str| accept.filter(|_| name == "accept");
        stream_headers(&Request { path: "", query: "", header: &header, peer: None, address: None, secure: false, websocket: false })
            .swap_remove(0)
            .1
    }

    #[test]
    fn the_refusal_is_the_real_servers_91_bytes() {
        assert_eq!(UNAUTHORISED.len(), 91);
        assert_eq!(unauthorised().status, 401);
    }

    #[test]
    fn a_handshake_is_accepted_and_closed_when_the_server_is_full_or_stops() {
        let none = |_: &str| None;
        let handshake = Request { path: "", query: "", header: &none, peer: None, address: None, secure: false, websocket: true };
        assert_eq!(refused(&handshake, Refusal::Full), Refused::Close(CloseCode::TRY_AGAIN_LATER));
        assert_eq!(refused(&handshake, Refusal::Draining), Refused::Close(CloseCode::GOING_AWAY));
        for refusal in [Refusal::Unauthorised, Refusal::TooManyAttempts(std::time::Duration::from_secs(9))] {
            assert_eq!(refused(&handshake, refusal), Refused::Answer(unauthorised()));
        }
    }

    #[test]
    fn who_asks_for_octets_and_not_for_events_gets_octets() {
        for (accept, expected) in [
            (None, EVENT_STREAM),
            (Some("*/*"), EVENT_STREAM),
            (Some("text/event-stream"), EVENT_STREAM),
            (Some("application/octet-stream"), OCTET_STREAM),
            (Some("application/json, Application/Octet-Stream;q=0.5"), OCTET_STREAM),
            (Some("application/octet-stream, text/event-stream"), EVENT_STREAM),
        ] {
            assert_eq!(stream_type(accept), expected, "{accept:?}");
        }
    }
}
