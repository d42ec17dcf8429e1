//! The codec: what a client sends, as messages and control frames, wherever its bytes are cut.
//!
//! A frame that came whole is handed on where it lies; only the rest of one that did not is kept, so that a client that
//! says nothing costs no buffer. Room is taken as bytes arrive, never for what a header only announces, and what breaks a
//! rule is refused at the byte that breaks it. What was handed out before stays valid.

use std::num::NonZeroU32;

use super::{CloseCode, frame::MAX_CONTROL, utf8::Utf8};

/// The longest header a client's frame has: two bytes, eight of length, four of the mask.
const MAX_HEADER: usize = 14;

/// What a client may send. Frames of no use to a dialect count like others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message, all its fragments together.
    pub message_bytes: usize,
    /// Frames one message may come in.
    pub fragments: usize,
}

/// What a client said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said<'b> {
    /// A whole message.
    Message(Message<'b>),
    /// It wants to be answered with the same payload.
    Ping(&'b [u8]),
    /// It answers a ping, or shows that it lives.
    Pong(&'b [u8]),
    /// It ends the connection; what comes behind is of no interest. Without a code it gives no reason.
    Close(Option<CloseCode>),
}

/// A whole message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'b> {
    /// Text.
    Text(&'b str),
    /// Bytes.
    Binary(&'b [u8]),
}

/// The client broke a rule: the connection must end with this code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Violation {
    /// What the close frame says.
    pub code: CloseCode,
    /// Which rule, for the close frame and for the log.
    pub reason: &'static str,
}

const fn broken(reason: &'static str) -> Violation {
    Violation { code: CloseCode::PROTOCOL_ERROR, reason }
}

const NOT_UTF8: Violation = Violation { code: CloseCode::INVALID_DATA, reason: "text must be UTF-8" };
const TOO_LONG: Violation = Violation { code: CloseCode::TOO_BIG, reason: "a message is too long" };
const TOO_MANY: Violation = Violation { code: CloseCode::POLICY_VIOLATION, reason: "a message has too many fragments" };

/// The receiving side of one connection. Small: what has not come whole stands elsewhere.
#[derive(Debug)]
pub struct Receiver {
    /// `None` once it is closed.
    limits: Option<Narrow>,
    rest: Option<Box<Rest>>,
}

/// [`Limits`] as each connection keeps them.
#[derive(Debug, Clone, Copy)]
struct Narrow {
    message_bytes: u32,
    fragments: NonZeroU32,
}

impl From<Limits> for Narrow {
    fn from(limits: Limits) -> Self {
        let narrow = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            message_bytes: narrow(limits.message_bytes),
            fragments: NonZeroU32::new(narrow(limits.fragments)).unwrap_or(NonZeroU32::MIN),
        }
    }
}

/// There is one per WebSocket.
const _: () = assert!(size_of::<Receiver>() == 16);

/// What has not come whole.
#[derive(Debug, Default)]
struct Rest {
    /// A header of which not all bytes have come.
    header: [u8; MAX_HEADER],
    n_header: u8,
    frame: Option<Frame>,
    /// The payload of a control frame of which not all bytes have come.
    control: Vec<u8>,
    message: Option<Begun>,
    /// The client has closed.
    closed: bool,
}

/// A frame whose header has come.
#[derive(Debug, Clone, Copy)]
struct Frame {
    opcode: Opcode,
    is_last: bool,
    mask: [u8; 4],
    /// Bytes of the payload still to come.
    left: usize,
}

/// A message of which not all has come.
#[derive(Debug)]
struct Begun {
    is_text: bool,
    utf8: Utf8,
    bytes: Vec<u8>,
    n_fragments: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

impl Receiver {
    /// For a connection on which nothing has come yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits: Some(limits.into()), rest: None }
    }

    /// From the next bytes on a message may have so many.
    pub fn limit(&mut self, message_bytes: usize) {
        if let Some(limits) = &mut self.limits {
            limits.message_bytes = u32::try_from(message_bytes).unwrap_or(u32::MAX);
        }
    }

    /// Takes the next bytes, which are unmasked where they lie, and hands on what they complete. Behind a close frame,
    /// and behind a violation, nothing is looked at any more.
    ///
    /// # Errors
    /// The first rule that is broken; what was complete before it has been handed on.
    pub fn receive(&mut self, bytes: &mut [u8], hand_on: &mut dyn FnMut(Said<'_>)) -> Result<(), Violation> {
        let Some(limits) = self.limits else { return Ok(()) };
        let mut rest = self.rest.take().map(|rest| *rest).unwrap_or_default();
        let result = rest.receive(limits, bytes, hand_on);
        if result.is_err() || rest.closed {
            self.limits = None;
        } else if !rest.is_empty() {
            self.rest = Some(Box::new(rest));
        }
        result
    }

    /// Bytes kept of what has not come whole; none while nothing has begun.
    #[must_use]
    pub fn n_kept(&self) -> usize {
        let kept = |rest: &Rest| rest.control.capacity() + rest.message.as_ref().map_or(0, |message| message.bytes.capacity());
        self.rest.as_deref().map_or(0, kept)
    }
}

impl Rest {
    fn is_empty(&self) -> bool {
        self.n_header == 0 && self.frame.is_none() && self.message.is_none()
    }

    fn receive(&mut self, limits: Narrow, mut bytes: &mut [u8], hand_on: &mut dyn FnMut(Said<'_>)) -> Result<(), Violation> {
        while !self.closed {
            if self.frame.is_none() {
                let Some(behind) = self.read_header(limits, bytes)? else { return Ok(()) };
                bytes = behind;
            }
            let Some(frame) = self.frame else { return Ok(()) };
            if bytes.is_empty() && frame.left > 0 {
                return Ok(());
            }
            let (payload, behind) = bytes.split_at_mut(frame.left.min(bytes.len()));
            bytes = behind;
            self.take_payload(frame, payload, hand_on)?;
        }
        Ok(())
    }

    /// The header of the next frame; `None`: more of it must come.
    fn read_header<'b>(&mut self, limits: Narrow, bytes: &'b mut [u8]) -> Result<Option<&'b mut [u8]>, Violation> {
        let mut n_taken = 0;
        loop {
            let n_header = usize::from(self.n_header);
            let needed = header_length(&self.header[..n_header]);
            if n_header == needed {
                let header = self.header;
                self.n_header = 0;
                self.begin(limits, &header[..needed])?;
                return Ok(Some(&mut bytes[n_taken..]));
            }
            let Some(next) = bytes.get(n_taken) else { return Ok(None) };
            self.header[n_header] = *next;
            self.n_header += 1;
            n_taken += 1;
            if self.n_header == 2 {
                self.check_first_two()?; // the rest of a header that cannot be right is not waited for
            }
        }
    }

    fn check_first_two(&self) -> Result<(), Violation> {
        let [first, second, ..] = self.header;
        if first & 0x70 != 0 {
            return Err(broken("reserved bits must be zero"));
        }
        let opcode = opcode(first).ok_or(broken("the opcode is reserved"))?;
        if second & 0x80 == 0 {
            return Err(broken("a client's frames must be masked"));
        }
        if opcode.is_control() && first & 0x80 == 0 {
            return Err(broken("a control frame must not be fragmented"));
        }
        if opcode.is_control() && usize::from(second & 0x7f) > MAX_CONTROL {
            return Err(broken("a control frame carries at most 125 bytes"));
        }
        match (opcode, &self.message) {
            (Opcode::Continuation, None) => Err(broken("there is no message to continue")),
            (Opcode::Text | Opcode::Binary, Some(_)) => Err(broken("a message must end before the next begins")),
            _ => Ok(()),
        }
    }

    /// A whole header: checks what it announces, before any of it has come.
    fn begin(&mut self, limits: Narrow, header: &[u8]) -> Result<(), Violation> {
        let Some(opcode) = opcode(header[0]) else { return Err(broken("the opcode is reserved")) };
        let (length, mask) = header[1..].split_at(header.len() - 5);
        let announced = length[1..].iter().fold(0_u64, |length, byte| length << 8 | u64::from(*byte));
        let announced = if length.len() == 1 { u64::from(length[0] & 0x7f) } else { announced };
        if announced >> 63 != 0 {
            return Err(broken("a length has 63 bits"));
        }
        if !opcode.is_control() {
            let (n_bytes, n_fragments) = self.message.as_ref().map_or((0, 0), |message| (message.bytes.len(), message.n_fragments));
            if announced > u64::from(limits.message_bytes).saturating_sub(n_bytes as u64) {
                return Err(TOO_LONG);
            }
            if n_fragments >= limits.fragments.get() as usize {
                return Err(TOO_MANY);
            }
        }
        let left = usize::try_from(announced).map_err(|_| TOO_LONG)?;
        self.frame = Some(Frame { opcode, is_last: header[0] & 0x80 != 0, mask: [mask[0], mask[1], mask[2], mask[3]], left });
        Ok(())
    }

    /// The next bytes of the frame under way, perhaps its last.
    fn take_payload(&mut self, mut frame: Frame, payload: &mut [u8], hand_on: &mut dyn FnMut(Said<'_>)) -> Result<(), Violation> {
        unmask(payload, frame.mask);
        frame.left -= payload.len();
        frame.mask.rotate_left(payload.len() % 4);
        let is_whole = frame.left == 0;
        self.frame = (!is_whole).then_some(frame);
        if frame.opcode.is_control() {
            return self.take_control(frame.opcode, is_whole, payload, hand_on);
        }
        let ends = is_whole && frame.is_last;
        if self.message.is_none() && ends {
            return hand_on_whole(frame.opcode == Opcode::Text, payload, hand_on);
        }
        let message = self.message.get_or_insert_with(|| Begun::new(frame.opcode == Opcode::Text));
        message.bytes.extend_from_slice(payload);
        if message.is_text && !message.utf8.feed(payload) {
            return Err(NOT_UTF8);
        }
        message.n_fragments += usize::from(is_whole);
        if !ends {
            return Ok(());
        }
        let Some(Begun { is_text, utf8, bytes, .. }) = self.message.take() else { return Ok(()) };
        if is_text && !utf8.is_complete() {
            return Err(NOT_UTF8);
        }
        hand_on_whole(is_text, &bytes, hand_on)
    }

    fn take_control(&mut self, opcode: Opcode, is_whole: bool, payload: &[u8], hand_on: &mut dyn FnMut(Said<'_>)) -> Result<(), Violation> {
        if !is_whole {
            self.control.extend_from_slice(payload);
            return Ok(());
        }
        let begun = std::mem::take(&mut self.control);
        let joined;
        let payload = if begun.is_empty() {
            payload
        } else {
            joined = [&begun, payload].concat();
            &joined
        };
        match opcode {
            Opcode::Ping => hand_on(Said::Ping(payload)),
            Opcode::Pong => hand_on(Said::Pong(payload)),
            _ => {
                let code = close_code(payload)?;
                self.closed = true;
                hand_on(Said::Close(code));
            }
        }
        Ok(())
    }
}

impl Begun {
    fn new(is_text: bool) -> Self {
        Self { is_text, utf8: Utf8::default(), bytes: Vec::new(), n_fragments: 0 }
    }
}

fn hand_on_whole(is_text: bool, payload: &[u8], hand_on: &mut dyn FnMut(Said<'_>)) -> Result<(), Violation> {
    let message = match is_text {
        true => Message::Text(std::str::from_utf8(payload).map_err(|_| NOT_UTF8)?),
        false => Message::Binary(payload),
    };
    hand_on(Said::Message(message));
    Ok(())
}

/// How long the header is that begins like this; while less than two bytes are known, two.
fn header_length(begun: &[u8]) -> usize {
    match begun {
        [_, second, ..] => match second & 0x7f {
            126 => 8,
            127 => 14,
            _ => 6,
        },
        _ => 2,
    }
}

fn opcode(first: u8) -> Option<Opcode> {
    Some(match first & 0x0f {
        0x0 => Opcode::Continuation,
        0x1 => Opcode::Text,
        0x2 => Opcode::Binary,
        0x8 => Opcode::Close,
        0x9 => Opcode::Ping,
        0xa => Opcode::Pong,
        _ => return None,
    })
}

/// The code of a close frame. Its reason must be text, and is of no interest.
fn close_code(payload: &[u8]) -> Result<Option<CloseCode>, Violation> {
    match payload {
        [] => Ok(None),
        [_] => Err(broken("a close frame carries a whole code or none")),
        [high, low, reason @ ..] => {
            let code = CloseCode::new(u16::from_be_bytes([*high, *low])).ok_or(broken("the close code must not be sent"))?;
            std::str::from_utf8(reason).map_err(|_| NOT_UTF8)?;
            Ok(Some(code))
        }
    }
}

/// Eight bytes at a time: the compiler makes more of that than of one.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests;
