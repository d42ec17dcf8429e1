//! How MediaBrowser says no (event map, section 6; wire notes, section 3.3).

use bytes::Bytes;

use super::super::{Answer, Refusal, Refused, Request};
use crate::websocket::CloseCode;

/// What a refused handshake says, letter by letter.
const ERROR: &[u8] = b"Error processing request.";

/// A refusal, ready to be sent. Clients come back from a 403 without a pause, so it is small and the same for all.
pub(super) fn refused(request: &Request<'_>, refusal: Refusal) -> Refused {
    match refusal {
        Refusal::Draining if request.websocket => Refused::Close(CloseCode::NORMAL),
        Refusal::Unauthorised if !request.websocket => Refused::Answer(empty(401)),
        Refusal::Full | Refusal::Draining if !request.websocket => Refused::Answer(empty(503)),
        Refusal::Unauthorised | Refusal::TooManyAttempts(_) | Refusal::Full | Refusal::Draining => Refused::Answer(forbidden()),
    }
}

/// An answer without a body.
pub(super) fn empty(status: u16) -> Answer {
    Answer { status, headers: Vec::new(), body: Bytes::new() }
}

/// A plain request to a path where there is nothing but a WebSocket.
pub(super) fn no_websocket() -> Answer {
    Answer { status: 400, headers: plain_text(), body: Bytes::from_static(b"a WebSocket is needed here\n") }
}

fn forbidden() -> Answer {
    Answer { status: 403, headers: plain_text(), body: Bytes::from_static(ERROR) }
}

fn plain_text() -> Vec<(&'static str, String)> {
    vec![("content-type", "text/plain".to_owned())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_is_refused_before_the_upgrade_and_a_call_without_a_body() {
        let none = |_: &str| None;
        let request = |websocket| Request { path: "", query: "", header: &none, peer: None, address: None, secure: false, websocket };
        for refusal in [Refusal::Unauthorised, Refusal::Full, Refusal::TooManyAttempts(std::time::Duration::from_secs(9))] {
            assert_eq!(refused(&request(true), refusal), Refused::Answer(forbidden()));
        }
        assert_eq!(refused(&request(true), Refusal::Draining), Refused::Close(CloseCode::NORMAL));
        assert_eq!(refused(&request(false), Refusal::Unauthorised), Refused::Answer(empty(401)));
        assert_eq!(refused(&request(false), Refusal::Full), Refused::Answer(empty(503)));
    }
}
