//! Bodies of polling: what a GET is answered with, out of frames of ours, and what a POST holds, as frames of a client.
//!
//! So a session over polling is spoken to, and listened to, as one over a WebSocket is, and shares its frames.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Buf, BytesMut};

use super::packet::{Broken, Packet, SEPARATOR};

/// First bytes of whole frames.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;

/// Turns a POST's body into the frames that a client with a WebSocket would have sent; how many there are.
///
/// # Errors
/// [`Broken`]: something in it is no packet of a client; none of it counts.
pub fn frames_of(body: &[u8], out: &mut Vec<u8>) -> Result<usize, Broken> {
    let mut n_packets = 0;
    for packet in body.split(|byte| *byte == SEPARATOR) {
        match packet.split_first() {
            Some((b'b', base64)) => client_frame(out, BINARY, &STANDARD.decode(base64).map_err(|_| Broken)?),
            _ => {
                Packet::parse(std::str::from_utf8(packet).map_err(|_| Broken)?)?;
                client_frame(out, TEXT, packet);
            }
        }
        n_packets += 1;
    }
    Ok(n_packets)
}

/// Appends a frame as a client writes it, under a mask that changes nothing.
pub fn client_frame(out: &mut Vec<u8>, first: u8, payload: &[u8]) {
    const MASKED: u8 = 0x80;
    out.push(first);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..=125), _) => out.push(MASKED | length),
        (_, Ok(length)) => {
            out.push(MASKED | 126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(MASKED | 127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

/// Frames of ours that wait for a GET, in whatever pieces they came.
#[derive(Debug, Default)]
pub struct Waiting {
    raw: BytesMut,
    /// Where the last whole frame ends.
    whole: usize,
    closed: Option<Closed>,
}

/// What a close frame of ours meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// It answers the client, who has ended the session.
    ByClient,
    /// The session was ended here.
    ByServer,
}

impl Waiting {
    /// Takes the next bytes of frames of ours.
    pub fn take(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        while let Some((first, payload, end)) = frame_at(&self.raw, self.whole) {
            if first == CLOSE {
                self.closed = Some(if payload.is_empty() { Closed::ByClient } else { Closed::ByServer });
            }
            self.whole = end;
        }
    }

    /// Bytes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// Whether a frame has come in part only.
    #[must_use]
    pub fn is_mid_frame(&self) -> bool {
        self.whole < self.raw.len()
    }

    /// What a close frame meant, if there was one.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.closed
    }

    /// Everything as it came, for a WebSocket.
    #[must_use]
    pub fn into_frames(self) -> BytesMut {
        self.raw
    }

    /// All whole packets: the body of an answer, empty if there are none. What has come in part stays.
    pub fn packets(&mut self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.whole);
        let mut at = 0;
        while let Some((first, payload, end)) = frame_at(&self.raw[..self.whole], at) {
            match first {
                TEXT => separated(&mut body, payload),
                BINARY => separated(&mut body, format!("b{}", STANDARD.encode(payload)).as_bytes()),
                _ => {} // control frames of WebSocket say nothing here
            }
            at = end;
        }
        self.raw.advance(self.whole);
        self.whole = 0;
        if self.raw.is_empty() {
            self.raw = BytesMut::new(); // an idle session holds no buffer
        }
        body
    }
}

/// Adds a packet to a body.
pub fn separated(body: &mut Vec<u8>, packet: &[u8]) {
    if !body.is_empty() {
        body.push(SEPARATOR);
    }
    body.extend_from_slice(packet);
}

/// The first byte, the payload and the end of the frame of ours that begins there, if all of it has come.
fn frame_at(bytes: &[u8], at: usize) -> Option<(u8, &[u8], usize)> {
    let frame = bytes.get(at..)?;
    let (header, length): (usize, usize) = match *frame {
        [_, length @ 0..=125, ..] => (2, usize::from(length)),
        [_, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
        [_, 127, a, b, c, d, e, f, g, h, ..] => (10, usize::try_from(u64::from_be_bytes([a, b, c, d, e, f, g, h])).ok()?),
        _ => return None,
    };
    let payload = frame.get(header..header.checked_add(length)?)?;
    Some((frame[0], payload, at + header + length))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::websocket::{CloseCode, codec, frame};

    #[test]
    fn a_body_is_the_frames_a_client_would_have_sent() {
        let mut out = Vec::new();
        assert_eq!(frames_of("4hello\u{1e}4\u{1e}bAQIDBA==\u{1e}4é".as_bytes(), &mut out), Ok(4));
        let mut said = Vec::new();
        let mut receiver = codec::Receiver::new(codec::Limits { message_bytes: 100, fragments: 1 });
        receiver.receive(&mut out, &mut |message| said.push(format!("{message:?}"))).expect("whole frames");
        assert_eq!(
            said,
            [r#"Message(Text("4hello"))"#, r#"Message(Text("4"))"#, "Message(Binary([1, 2, 3, 4]))", r#"Message(Text("4é"))"#]
        );
        for body in [&b""[..], b"abc", b"4a\x1e", b"bAQ=", b"b!", b"4\xff", b"2"] {
            assert_eq!(frames_of(body, &mut Vec::new()), Err(Broken), "{body:?}");
        }
    }

    fn of_frames(frames: &[Bytes], piece: usize) -> (Vec<u8>, Option<Closed>) {
        let mut waiting = Waiting::default();
        frames.concat().chunks(piece).for_each(|bytes| waiting.take(bytes));
        assert!(!waiting.is_mid_frame());
        (waiting.packets(), waiting.closed())
    }

    #[test]
    fn frames_become_one_body_wherever_they_are_cut() {
        let long = "x".repeat(70_000);
        let middle = "y".repeat(200);
        let texts = [frame::text("4a"), frame::binary(&[1, 2, 3, 4]), frame::text(&long), frame::pong(b""), frame::text(&middle)];
        let expected = format!("4a\u{1e}bAQIDBA==\u{1e}{long}\u{1e}{middle}");
        for piece in [1, 2, 3, 7, 1000, usize::MAX] {
            assert!(of_frames(&texts, piece) == (expected.clone().into_bytes(), None), "{piece}");
        }
    }

    #[test]
    fn a_close_frame_says_who_has_ended_the_session() {
        for piece in [1, 100] {
            assert_eq!(of_frames(&[frame::text("4a"), frame::close_without_code()], piece), (b"4a".to_vec(), Some(Closed::ByClient)));
            assert_eq!(of_frames(&[frame::close(CloseCode::NORMAL, "")], piece), (Vec::new(), Some(Closed::ByServer)));
        }
    }

    #[test]
    fn what_has_come_in_part_waits_for_the_rest() {
        let mut waiting = Waiting::default();
        let frames = [frame::text("4first"), frame::text("4second")].concat();
        waiting.take(&frames[..10]);
        assert!(waiting.is_mid_frame());
        assert_eq!(waiting.packets(), b"4first");
        assert!(waiting.packets().is_empty());
        waiting.take(&frames[10..12]);
        assert_eq!(waiting.len(), 4);
        waiting.take(&frames[12..]);
        assert_eq!(waiting.packets(), b"4second");
        assert!(waiting.is_empty());
    }

    #[test]
    fn a_websocket_that_takes_over_gets_what_waits_as_it_is() {
        let mut waiting = Waiting::default();
        let frames = [frame::text("4first"), frame::text("4second")].concat();
        waiting.take(&frames[..10]);
        assert_eq!(waiting.into_frames(), frames[..10]);
    }
}
