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
    pieces: Option<Box<Vec<u8>>>,
    skip: u64,
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
        (TEXT | BINARY, false, None) => unfinished.pieces = Some(Box::new(payload.to_vec())),
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
