//! How Plex says no, and the headers of its streams (event map, section 6; wire notes, sections 2.1 and 5).

use bytes::Bytes;

use super::{Answer, Refusal, Request, super::retry};

/// The real server's 91 bytes.
const UNAUTHORISED: &str = "<html><head><title>Unauthorized</title></head><body><h1>401 Unauthorized</h1></body></html>";

const EVENT_STREAM: &str = "text/event-stream";
const OCTET_STREAM: &str = "application/octet-stream";

/// What the client takes, as far as streams go. `None`: neither form by name.
///
/// Clients generated from the published description ask for octets and wait for ever for anything else, while a browser's
/// `EventSource` takes nothing but its own type: who asks for octets and not for events gets octets (wire notes, rule 8).
pub(super) fn named_stream_type(request: &Request<'_>) -> Option<&'static str> {
    let accept = (request.header)("accept")?;
    let names = |kind: &str| accept.split(',').any(|range| range.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case(kind)));
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
    Answer {
        status: 401,
        headers: vec![("content-type", "text/html".to_owned())],
        body: Bytes::from_static(UNAUTHORISED.as_bytes()),
    }
}

/// A refusal, ready to be sent.
pub(super) fn answer(request: &Request<'_>, refusal: Refusal) -> Answer {
    match refusal {
        Refusal::Unauthorised | Refusal::TooManyAttempts(_) => unauthorised(),
        // A native EventSource never comes back from a 503; a stream that ends with a hint it tries again.
        Refusal::Full | Refusal::Draining => Answer { status: 200, headers: stream_headers(request), body: retry::hint() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream_type(accept: Option<&'static str>) -> String {
        let header = move |name: &str| accept.filter(|_| name == "accept");
        stream_headers(&Request { query: "", header: &header, peer: None, address: None, secure: false }).swap_remove(0).1
    }

    #[test]
    fn the_refusal_is_the_real_servers_91_bytes() {
        assert_eq!(UNAUTHORISED.len(), 91);
        assert_eq!(unauthorised().status, 401);
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
