//! The hint that tells clients of server-sent events when to come back.

use bytes::Bytes;

/// `retry:` with a jittered delay in milliseconds, so that those who are sent away together do not return together.
pub(super) fn hint() -> Bytes {
    let mut random = [0; 2];
    // Without randomness everybody is given the same delay: worse for the server, harmless for the client.
    let _ = getrandom::fill(&mut random);
    let millis = 1_000 + u32::from(u16::from_le_bytes(random)) % 9_000;
    Bytes::from(format!("retry: {millis}\n\n"))
}
