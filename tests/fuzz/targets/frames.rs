//! What a WebSocket's client sends: the same is heard wherever its bytes are cut, and nothing makes the server keep more
//! than has come.

use fanfare::websocket::codec::{Limits, Message, Receiver, Said, Violation};

/// Small enough for the inputs to reach them.
const LIMITS: Limits = Limits { message_bytes: 256, fragments: 8 };

pub(super) fn target(data: &[u8]) {
    // The first byte says where it is cut; what is behind it is masked and unmasked as it comes.
    let Some((cut, bytes)) = data.split_first() else { return };
    let whole = hear(&mut [bytes.to_vec()]);
    for piece in [1, usize::from(*cut % 32) + 1] {
        let mut pieces: Vec<_> = bytes.chunks(piece).map(<[u8]>::to_vec).collect();
        assert_eq!(hear(&mut pieces), whole, "in pieces of {piece}");
    }
}

fn hear(pieces: &mut [Vec<u8>]) -> (Vec<String>, Result<(), Violation>) {
    let (mut receiver, mut heard, mut n_bytes) = (Receiver::new(LIMITS), Vec::new(), 0);
    for piece in pieces {
        n_bytes += piece.len();
        let result = receiver.receive(piece, &mut |said| {
            if let Said::Message(message) = said {
                let length = match message {
                    Message::Text(text) => text.len(),
                    Message::Binary(bytes) => bytes.len(),
                };
                assert!(length <= LIMITS.message_bytes, "{length} bytes");
            }
            heard.push(format!("{said:?}"));
        });
        // A buffer that grows takes up to twice what is in it.
        assert!(
            receiver.n_kept() <= (2 * n_bytes).clamp(8, 2 * (LIMITS.message_bytes + 125)),
            "{} bytes kept of {n_bytes}",
            receiver.n_kept()
        );
        if result.is_err() {
            return (heard, result);
        }
    }
    (heard, Ok(()))
}
