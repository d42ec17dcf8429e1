//! Frames as a server writes them: whole, never masked, never fragmented (RFC 6455, section 5).

use bytes::{BufMut, Bytes, BytesMut};

use super::CloseCode;

/// The most a ping, pong or close frame may carry, in bytes.
pub const MAX_CONTROL: usize = 125;

/// The longest header a frame of ours has, in bytes.
const MAX_HEADER: usize = 10;

/// First bytes: a whole frame (FIN) of that kind.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// Appends a text frame whose payload is these parts, one after the other. Several frames may stand in one buffer.
pub fn put_text(out: &mut BytesMut, parts: &[&str]) {
    let length = parts.iter().map(|part| part.len()).sum();
    out.reserve(MAX_HEADER + length);
    put_header(out, TEXT, length);
    for part in parts {
        out.put_slice(part.as_bytes());
    }
}

/// A text frame.
#[must_use]
pub fn text(payload: &str) -> Bytes {
    whole(TEXT, payload.as_bytes())
}

/// A binary frame.
#[must_use]
pub fn binary(payload: &[u8]) -> Bytes {
    whole(BINARY, payload)
}

/// A ping; of the payload at most [`MAX_CONTROL`] bytes are taken.
#[must_use]
pub fn ping(payload: &[u8]) -> Bytes {
    control(PING, payload)
}

/// The answer to a ping: with the ping's payload, of which at most [`MAX_CONTROL`] bytes are taken.
#[must_use]
pub fn pong(payload: &[u8]) -> Bytes {
    control(PONG, payload)
}

/// A close frame without a code, the answer to one.
#[must_use]
pub fn close_without_code() -> Bytes {
    control(CLOSE, &[])
}

/// A close frame. The reason is for people; what does not fit is cut off between two characters.
#[must_use]
pub fn close(code: CloseCode, reason: &str) -> Bytes {
    let reason = &reason[..reason.floor_char_boundary(MAX_CONTROL - 2)];
    let mut out = BytesMut::with_capacity(4 + reason.len());
    put_header(&mut out, CLOSE, 2 + reason.len());
    out.put_u16(code.get());
    out.put_slice(reason.as_bytes());
    out.freeze()
}

fn control(first: u8, payload: &[u8]) -> Bytes {
    whole(first, &payload[..payload.len().min(MAX_CONTROL)])
}

fn whole(first: u8, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(MAX_HEADER + payload.len());
    put_header(&mut out, first, payload.len());
    out.put_slice(payload);
    out.freeze()
}

/// The length in as few bytes as it fits, without a mask.
fn put_header(out: &mut BytesMut, first: u8, length: usize) {
    out.put_u8(first);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ 0..=125), _) => out.put_u8(length),
        (_, Ok(length)) => {
            out.put_u8(126);
            out.put_u16(length);
        }
        _ => {
            out.put_u8(127);
            out.put_u64(length as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_written_in_as_few_bytes_as_it_fits() {
        for (length, header) in [
            (0, &[0x81, 0][..]),
            (125, &[0x81, 125]),
            (126, &[0x81, 126, 0, 126]),
            (65_535, &[0x81, 126, 255, 255]),
            (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let payload = "x".repeat(length);
            let frame = text(&payload);
            assert_eq!(frame[..header.len()], *header);
            assert_eq!(frame.len(), header.len() + length);
        }
    }

    #[test]
    fn parts_become_one_frame_and_frames_stand_behind_each_other() {
        let mut out = BytesMut::new();
        put_text(&mut out, &["{\"a\":", "1}"]);
        put_text(&mut out, &[]);
        assert_eq!(out, &b"\x81\x07{\"a\":1}\x81\x00"[..]);
    }

    #[test]
    fn a_close_frame_holds_code_and_reason_and_is_never_too_long() {
        assert_eq!(close(CloseCode::GOING_AWAY, "stop"), &b"\x88\x06\x03\xe9stop"[..]);
        assert_eq!(close_without_code(), &b"\x88\x00"[..]);
        let long = close(CloseCode::NORMAL, &"ä".repeat(100));
        assert_eq!(long.len(), 2 + 2 + 122, "cut between two characters");
        assert!(std::str::from_utf8(&long[4..]).is_ok());
        assert_eq!(ping(&[7; 200]).len(), 2 + MAX_CONTROL);
    }
}
