//! The WebSocket side of a client: frames a server sends are found and answered, frames a client sends are masked.
//!
//! As with the event stream's decoder, a frame that looks like the one before is taken at a glance. What a message says is known to
//! `message` alone.

use crate::frame::sequence;
use crate::message::{Speech, hear};
use crate::shape::{Shape, Signal, Sink};

/// Opcode of a text frame.
pub(crate) const TEXT: u8 = 1;
const CONTINUATION: u8 = 0;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
/// Opcode of the answer to a ping.
pub(crate) const PONG: u8 = 10;
/// Payload of a control frame at most (RFC 6455, section 5.5).
const CONTROL_LIMIT: u64 = 125;

/// What a client keeps between frames: a message that comes in pieces, and what is left of one too long to be kept.
#[derive(Debug, Default)]
pub(crate) struct Unfinished {
    pieces: Option<Vec<u8>>,
    skip: u64,
}

impl Unfinished {
    /// Bytes held outside of itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.pieces.as_ref().map_or(0, Vec::capacity)
    }
}

/// Why a stream cannot be read any further; everything behind it would be guessed.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("a frame no server may send")]
pub(crate) struct Broken;

/// A frame's head.
struct Head {
    is_last: bool,
    opcode: u8,
    length: usize,
    payload: u64,
}

/// Decodes all whole frames of `bytes` and returns how many bytes they took; the rest is the beginning of a frame. Messages of more than
/// `limit` bytes are counted and passed over without being kept.
#[inline]
pub(crate) fn decode<S: Sink>(
    bytes: &[u8],
    speech: Speech,
    limit: usize,
    shape: &mut Shape,
    unfinished: &mut Unfinished,
    sink: &mut S,
) -> Result<usize, Broken> {
    let mut at = 0;
    if unfinished.skip > 0 {
        at = usize::try_from(unfinished.skip).unwrap_or(usize::MAX).min(bytes.len());
        unfinished.skip -= at as u64;
    }
    loop {
        let rest = &bytes[at..];
        if unfinished.pieces.is_none()
            && let Some(marker) = shape.marker(rest)
        {
            sink.delivery(sequence(marker), marker);
            at += shape.length();
            continue;
        }
        let Some(head) = head(rest)? else { return Ok(at) };
        if head.payload > limit as u64 && head.opcode < CLOSE {
            let here = rest.len() - head.length;
            sink.other();
            unfinished.skip = head.payload.saturating_sub(here as u64);
            at += head.length + usize::try_from(head.payload).unwrap_or(usize::MAX).min(here);
            continue;
        }
        let whole = head.length + usize::try_from(head.payload).map_err(|_| Broken)?;
        let Some(frame) = rest.get(..whole) else { return Ok(at) };
        decode_frame(frame, &head, speech, shape, unfinished, sink)?;
        at += whole;
    }
}

fn decode_frame<S: Sink>(
    frame: &[u8],
    head: &Head,
    speech: Speech,
    shape: &mut Shape,
    unfinished: &mut Unfinished,
    sink: &mut S,
) -> Result<(), Broken> {
    let payload = &frame[head.length..];
    match (head.opcode, head.is_last, unfinished.pieces.take()) {
        (TEXT, true, None) => {
            if let Some(marker_at) = hear(payload, speech, sink) {
                shape.learn(frame, head.length + marker_at);
            }
        }
        (BINARY, true, None) => sink.other(),
        (TEXT | BINARY, false, None) => unfinished.pieces = Some(payload.to_vec()),
        (CONTINUATION, is_last, Some(mut pieces)) => {
            pieces.extend_from_slice(payload);
            if is_last {
                hear(&pieces, speech, sink);
            } else {
                unfinished.pieces = Some(pieces);
            }
        }
        (PING, true, pieces) => {
            unfinished.pieces = pieces;
            sink.reply(PONG, payload);
        }
        (PONG, true, pieces) => {
            unfinished.pieces = pieces;
            sink.other();
        }
        (CLOSE, true, _) => {
            sink.reply(CLOSE, &payload[..payload.len().min(2)]);
            sink.signal(Signal::Closed, payload.get(2..).unwrap_or_default());
        }
        _ => return Err(Broken),
    }
    Ok(())
}

/// The head of the frame `bytes` begins with; none while it is not whole.
fn head(bytes: &[u8]) -> Result<Option<Head>, Broken> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    // Reserved bits without an extension, and a mask, are for no server to set (RFC 6455, sections 5.1 and 5.2).
    if first & 0x70 != 0 || second & 0x80 != 0 {
        return Err(Broken);
    }
    let (length, payload) = match second {
        126 => match rest.first_chunk() {
            Some(number) => (4, u64::from(u16::from_be_bytes(*number))),
            None => return Ok(None),
        },
        127 => match rest.first_chunk() {
            Some(number) => (10, u64::from_be_bytes(*number)),
            None => return Ok(None),
        },
        short => (2, u64::from(*short)),
    };
    let head = Head { is_last: first & 0x80 != 0, opcode: first & 0x0f, length, payload };
    let is_sound = match head.opcode {
        CONTINUATION | TEXT | BINARY => payload < 1 << 63,
        CLOSE | PING | PONG => head.is_last && payload <= CONTROL_LIMIT,
        _ => false,
    };
    if is_sound { Ok(Some(head)) } else { Err(Broken) }
}

/// Appends one whole masked frame, as a client must send it (RFC 6455, section 5.3). The mask need not be secret here: it is mixed from
/// what has been written so far.
pub(crate) fn append_masked(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(0x80 | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..126), _) => out.push(0x80 | length),
        (_, Ok(length)) => {
            out.push(0x80 | 126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    let seed = payload.iter().fold(0x9e37_79b9_u32, |seed, byte| seed.rotate_left(5) ^ u32::from(*byte)).wrapping_mul(0x85eb_ca6b);
    let mask = seed.to_be_bytes();
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::tests::Seen;

    const MARKER: &str = "0000002a:00000000000003e8:0000000000000007";

    /// A frame as a server writes it: not masked.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let length = payload.len();
        let head = match length {
            0..126 => vec![first, u8::try_from(length).unwrap()],
            126..65536 => [&[first, 126][..], &u16::try_from(length).unwrap().to_be_bytes()].concat(),
            _ => [&[first, 127][..], &(length as u64).to_be_bytes()].concat(),
        };
        [head.as_slice(), payload].concat()
    }

    fn text(payload: &str) -> Vec<u8> {
        frame(0x81, payload.as_bytes())
    }

    fn plex(seq: u32, padding: usize) -> String {
        let marker = format!("{seq:08x}{}", &MARKER[8..]);
        let pad = "x".repeat(padding);
        format!(
            "{{\"NotificationContainer\":{{\"type\":\"timeline\",\"size\":1,\"TimelineEntry\":[{{\"title\":\"ffm:{marker}{pad}\"}}]}}}}"
        )
    }

    fn decode_in_pieces(bytes: &[u8], piece: usize, speech: Speech) -> Seen {
        let (mut shape, mut seen, mut unfinished, mut carried) = (Shape::default(), Seen::default(), Unfinished::default(), Vec::new());
        for part in bytes.chunks(piece) {
            carried.extend_from_slice(part);
            let taken = decode(&carried, speech, 100_000, &mut shape, &mut unfinished, &mut seen).unwrap();
            carried.drain(..taken);
        }
        assert!(carried.is_empty() && unfinished.pieces.is_none() && unfinished.skip == 0);
        seen
    }

    fn stream() -> Vec<u8> {
        let mut bytes = Vec::new();
        for seq in 0..30 {
            // Lengths of all three forms; neighbours of one length, so that the learned shape is used.
            bytes.extend(text(&plex(seq, [0, 0, 0, 20, 300, 300, 70_000][seq as usize % 7])));
            match seq {
                3 => bytes.extend(frame(0x89, b"hello")),
                5 => bytes.extend(text("{\"NotificationContainer\":{\"type\":\"status\",\"size\":1,\"StatusNotification\":[{}]}}")),
                8 => bytes.extend(frame(0x81, &vec![b'y'; 100_001])),
                11 => bytes.extend(frame(0x82, b"binary")),
                _ => {}
            }
        }
        // One message in three pieces, with a ping between them.
        let whole = plex(30, 40);
        let (one, rest) = whole.as_bytes().split_at(50);
        let (two, three) = rest.split_at(60);
        bytes.extend([frame(0x01, one), frame(0x89, b""), frame(0x00, two), frame(0x80, three)].concat());
        bytes
    }

    #[test]
    fn frames_are_found_however_the_stream_is_cut() {
        let bytes = stream();
        let whole = decode_in_pieces(&bytes, bytes.len(), Speech::Plex);
        assert_eq!(whole.deliveries, (0..31).map(|seq| (seq, 1000)).collect::<Vec<_>>());
        assert_eq!(whole.replies, [(PONG, b"hello".to_vec()), (PONG, Vec::new())]);
        assert_eq!((whole.others, whole.malformed), (3, 0));
        for piece in [2, 3, 5, 64, 127, 1000, 65_537] {
            assert_eq!(decode_in_pieces(&bytes, piece, Speech::Plex), whole, "pieces of {piece}");
        }
    }

    #[test]
    fn a_short_stream_is_read_alike_cut_at_every_byte() {
        let bytes = [text(&plex(1, 0)), frame(0x89, b"p"), text(&plex(2, 0)), text(&plex(3, 100)), frame(0x88, b"\x03\xe9bye")].concat();
        let read = |cut: usize| {
            let (mut shape, mut seen, mut unfinished) = (Shape::default(), Seen::default(), Unfinished::default());
            let taken = decode(&bytes[..cut], Speech::Plex, 1000, &mut shape, &mut unfinished, &mut seen).unwrap();
            let rest = decode(&bytes[taken..], Speech::Plex, 1000, &mut shape, &mut unfinished, &mut seen).unwrap();
            assert_eq!(taken + rest, bytes.len());
            seen
        };
        let whole = read(bytes.len());
        assert_eq!(whole.deliveries.len(), 3);
        assert_eq!(whole.replies, [(PONG, b"p".to_vec()), (CLOSE, b"\x03\xe9".to_vec())]);
        assert_eq!(whole.signals, [(Signal::Closed, b"bye".to_vec())]);
        for cut in 0..bytes.len() {
            assert_eq!(read(cut), whole, "cut at {cut}");
        }
    }

    #[test]
    fn what_no_server_may_send_breaks_the_stream() {
        let masked = [0x81, 0x80 | 1, 0, 0, 0, 0, b'x'];
        let lonely = frame(0x80, b"no beginning");
        let doubled = [frame(0x01, b"{"), text("{}")].concat();
        let long_ping = frame(0x89, &[b'x'; 126]);
        for broken in [&masked[..], &[0xc1, 0][..], &[0x83, 0][..], &[0x09, 0][..], &lonely, &doubled, &long_ping] {
            let result = decode(broken, Speech::Any, 1000, &mut Shape::default(), &mut Unfinished::default(), &mut Seen::default());
            assert_eq!(result, Err(Broken), "{broken:?}");
        }
    }

    #[test]
    fn a_torn_message_is_malformed_and_never_a_delivery() {
        let whole = plex(7, 0);
        for payload in [&whole[..whole.len() - 3], &whole[1..], "{}", &whole[..90]] {
            let mut seen = Seen::default();
            decode(&text(payload), Speech::Plex, 1000, &mut Shape::default(), &mut Unfinished::default(), &mut seen).unwrap();
            assert_eq!((seen.malformed, seen.deliveries.len()), (1, 0), "{payload}");
        }
    }

    #[test]
    fn a_clients_frame_is_masked_and_comes_out_as_it_went_in() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload: Vec<u8> = (0..length).map(|at: usize| at.to_le_bytes()[0]).collect();
            let mut out = Vec::new();
            append_masked(&mut out, TEXT, &payload);
            let head = match length {
                0..126 => 2,
                126..65_536 => 4,
                _ => 10,
            };
            assert_eq!((out[0], out[1] & 0x80, out.len()), (0x81, 0x80, head + 4 + length));
            let mask: [u8; 4] = out[head..head + 4].try_into().unwrap();
            let plain: Vec<u8> = out[head + 4..].iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
            assert_eq!(plain, payload);
        }
    }
}
