//! What decoders hand over, and the shape of a delivery's frame, learned from the stream itself, by which the next ones are known quickly.
//!
//! It knows no protocol: a frame is bytes with a marker in them.

use crate::frame::{MARKER_LEN, MARKER_PREFIX};
use memchr::memmem;

/// Bytes at the beginning of a frame that all frames of one shape share.
const HEAD: usize = 8;

/// A word of the server that moves an opening on, or ends a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Signal {
    /// Engine.IO's handshake, with the session's id.
    Opened,
    /// Engine.IO's answer to a probe.
    Probed,
    /// The namespace is joined.
    Connected,
    /// Events flow from here on.
    Live,
    /// What was published to nobody: the server refuses this client, and says why.
    Refused,
    /// The server ends the stream.
    Closed,
    /// A long poll was answered.
    Polled,
    /// What was posted has arrived.
    Posted,
}

/// Takes what a decoder finds, in order.
pub(crate) trait Sink {
    /// A frame with a marker.
    fn delivery(&mut self, seq: u32, marker: &[u8; MARKER_LEN]);
    /// A comment that says how many events were skipped.
    fn gap_comment(&mut self, missed: u64);
    /// An `event: gap` that says how many events were skipped.
    fn gap_event(&mut self, missed: u64);
    /// A comment, event or message that is neither a delivery nor a gap.
    fn other(&mut self);
    /// A frame no server should send.
    fn malformed(&mut self, frame: &[u8]);
    /// When the server wants the client to come back, in milliseconds.
    fn hint(&mut self, _milliseconds: u64) {}
    /// Something the protocol wants an answer to; for WebSockets the opcode of the answer and its payload.
    fn reply(&mut self, _opcode: u8, _payload: &[u8]) {}
    /// A word that moves an opening on, and its text.
    fn signal(&mut self, _signal: Signal, _text: &[u8]) {}
}

/// The length of the last delivery's frame, where its marker stands, and how it begins and ends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shape {
    length: usize,
    marker_at: usize,
    head: [u8; HEAD],
    tail: [u8; 2],
}

impl Shape {
    /// Bytes of the last frame parsed in full, 0 before the first one.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Keeps the shape of a frame whose marker stands at `marker_at`.
    pub(crate) fn learn(&mut self, frame: &[u8], marker_at: usize) {
        let (Some(head), Some(tail)) = (frame.first_chunk(), frame.last_chunk()) else { return };
        *self = Self { length: frame.len(), marker_at, head: *head, tail: *tail };
    }

    /// The marker of the frame `bytes` begins with, if that frame has this very shape.
    #[inline]
    pub(crate) fn marker<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8; MARKER_LEN]> {
        if self.length == 0 {
            return None;
        }
        let frame = bytes.get(..self.length)?;
        let marker: &[u8; MARKER_LEN] = frame.get(self.marker_at..self.marker_at + MARKER_LEN)?.try_into().ok()?;
        let alike = frame.ends_with(&self.tail) && frame.starts_with(&self.head);
        let marked = frame[self.marker_at - MARKER_PREFIX.len()..self.marker_at] == *MARKER_PREFIX && marker[8] == b':';
        (alike && marked).then_some(marker)
    }
}

/// Whether a text carries a marker, and which.
pub(crate) enum Found<'a> {
    /// None.
    Nothing,
    /// Its beginning only.
    Torn,
    /// Where it stands behind its prefix, and itself.
    Marker(usize, &'a [u8; MARKER_LEN]),
}

/// Looks for the first marker of a text.
pub(crate) fn find_marker(text: &[u8]) -> Found<'_> {
    let Some(at) = memmem::find(text, MARKER_PREFIX).map(|at| at + MARKER_PREFIX.len()) else { return Found::Nothing };
    match text.get(at..at + MARKER_LEN).and_then(|marker| <&[u8; MARKER_LEN]>::try_from(marker).ok()) {
        Some(marker) if marker[8] == b':' => Found::Marker(at, marker),
        _ => Found::Torn,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::frame::intended_ns;

    /// Everything a decoder found.
    #[derive(Debug, Default, PartialEq)]
    pub(crate) struct Seen {
        pub(crate) deliveries: Vec<(u32, u64)>,
        pub(crate) comment_gaps: u64,
        pub(crate) event_gaps: u64,
        pub(crate) others: u64,
        pub(crate) malformed: u64,
        pub(crate) replies: Vec<(u8, Vec<u8>)>,
        pub(crate) signals: Vec<(Signal, Vec<u8>)>,
    }

    impl Sink for Seen {
        fn delivery(&mut self, seq: u32, marker: &[u8; MARKER_LEN]) {
            self.deliveries.push((seq, intended_ns(marker)));
        }
        fn gap_comment(&mut self, missed: u64) {
            self.comment_gaps += missed;
        }
        fn gap_event(&mut self, missed: u64) {
            self.event_gaps += missed;
        }
        fn other(&mut self) {
            self.others += 1;
        }
        fn malformed(&mut self, _frame: &[u8]) {
            self.malformed += 1;
        }
        fn reply(&mut self, opcode: u8, payload: &[u8]) {
            self.replies.push((opcode, payload.to_vec()));
        }
        fn signal(&mut self, signal: Signal, text: &[u8]) {
            self.signals.push((signal, text.to_vec()));
        }
    }

    #[test]
    fn a_frame_of_another_beginning_end_or_place_is_not_of_the_shape() {
        let marker = "0000002a:0123456789abcdef:0123456789abcdef";
        let frame = format!("opening ffm:{marker} end}}]");
        let mut shape = Shape::default();
        assert!(shape.marker(frame.as_bytes()).is_none());
        let Found::Marker(at, _) = find_marker(frame.as_bytes()) else { panic!("no marker") };
        shape.learn(frame.as_bytes(), at);
        assert!(shape.marker(frame.as_bytes()).is_some());
        for other in [frame.replace("opening", "closing"), frame.replace("}]", "}}"), frame.replace("ffm", "fm "), frame[1..].to_owned()] {
            assert!(shape.marker(other.as_bytes()).is_none(), "{other}");
        }
        assert!(matches!(find_marker(b"ffm:00"), Found::Torn) && matches!(find_marker(b"ff"), Found::Nothing));
    }
}
