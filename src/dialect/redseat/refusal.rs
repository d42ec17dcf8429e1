//! How `/sse` says no, and the headers of its streams (event map, section 6).

use bytes::Bytes;

use super::{super::retry, Answer, Refusal};

/// The same body whatever was wrong with the credentials, so that nothing can be learnt from it.
const UNAUTHORISED: &str = r#"{"error":{"value":{"type":"NO_AUTH"}}}"#;

/// In the form of the other refusal.
const TOO_MANY: &str = r#"{"error":{"value":{"type":"TOO_MANY_ATTEMPTS"}}}"#;

/// The headers of a stream. `no-cache` and `X-Accel-Buffering` keep proxies from holding events back.
pub(super) fn stream_headers() -> Vec<(&'static str, String)> {
    vec![("content-type", "text/event-stream".to_owned()), ("cache-control", "no-cache".to_owned()), ("x-accel-buffering", "no".to_owned())]
}

/// A refusal, ready to be sent.
pub(super) fn answer(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::Unauthorised => Answer {
            status: 401,
            headers: vec![("content-type", "application/json".to_owned()), ("www-authenticate", "Bearer".to_owned())],
            body: Bytes::from_static(UNAUTHORISED.as_bytes()),
        },
        Refusal::TooManyAttempts(wait) => Answer {
            status: 429,
            headers: vec![("content-type", "application/json".to_owned()), ("retry-after", wait.as_secs().max(1).to_string())],
            body: Bytes::from_static(TOO_MANY.as_bytes()),
        },
        // A native EventSource never comes back from a 503; a stream that ends with a hint it tries again.
        Refusal::Full | Refusal::Draining => Answer { status: 200, headers: stream_headers(), body: retry::hint() },
    }
}
