//! The server-sent events decoder: finds frames, sequence numbers and gap notices in received bytes.
//!
//! It is written for millions of frames a second on one core: when frames have the length of the one before, only the blank line at the end
//! and the marker's prefix are looked at. It knows nothing of sockets or accounting.

use crate::frame::sequence;
use crate::shape::{Found, Shape, Sink, find_marker};
use memchr::memmem;

/// Decodes all whole frames of `bytes` and returns how many bytes they took; the rest is the beginning of a frame.
#[inline]
pub(crate) fn decode<S: Sink>(bytes: &[u8], shape: &mut Shape, sink: &mut S) -> usize {
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        if let Some(marker) = shape.marker(rest) {
            sink.delivery(sequence(marker), marker);
            at += shape.length();
            continue;
        }
        if rest.len() < shape.length() && memchr::memchr(b'\n', rest).is_none() {
            return at;
        }
        let Some(end) = memmem::find(rest, b"\n\n") else { return at };
        decode_frame(&rest[..end + 2], shape, sink);
        at += end + 2;
    }
}

/// One frame in full, line by line; comments without a blank line of their own stand before the event they were followed by.
fn decode_frame<S: Sink>(frame: &[u8], shape: &mut Shape, sink: &mut S) {
    let mut name: &[u8] = b"";
    let mut data: Option<&[u8]> = None;
    let mut seen = false;
    for line in frame.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        if let Some(comment) = line.strip_prefix(b":") {
            seen = true;
            decode_comment(comment, sink);
        } else if let Some(value) = line.strip_prefix(b"event:") {
            name = value.trim_ascii();
        } else if let Some(value) = line.strip_prefix(b"data:") {
            data = Some(value);
        } else if let Some(value) = line.strip_prefix(b"retry:") {
            seen = true;
            sink.hint(first_number(value));
        } else if !line.starts_with(b"id:") {
            sink.malformed(frame);
            return;
        }
    }
    match (name, data) {
        (b"", None) if seen => {}
        (_, None) => sink.malformed(frame),
        (b"gap", Some(data)) => sink.gap_event(first_number(data)),
        (_, Some(_)) => decode_delivery(frame, shape, sink),
    }
}

fn decode_comment<S: Sink>(comment: &[u8], sink: &mut S) {
    let text = comment.trim_ascii();
    if text.starts_with(b"gap") { sink.gap_comment(first_number(text)) } else { sink.other() }
}

fn decode_delivery<S: Sink>(frame: &[u8], shape: &mut Shape, sink: &mut S) {
    match find_marker(frame) {
        Found::Nothing => sink.other(),
        Found::Torn => sink.malformed(frame),
        Found::Marker(at, marker) => {
            // A comment that stands before the event is no part of its shape.
            if !frame.starts_with(b":") {
                shape.learn(frame, at);
            }
            sink.delivery(sequence(marker), marker);
        }
    }
}

/// The first run of digits, 0 when there is none.
fn first_number(text: &[u8]) -> u64 {
    let digits = text.iter().skip_while(|byte| !byte.is_ascii_digit()).take_while(|byte| byte.is_ascii_digit());
    digits.fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Template;
    use crate::shape::tests::Seen;

    fn stream() -> Vec<u8> {
        let short = Template::frame(267, &crate::spread::Spread::even(1)).unwrap();
        let long = Template::frame(700, &crate::spread::Spread::even(1)).unwrap();
        let mut bytes = b": hello\n\n".to_vec();
        for seq in 0..40 {
            if seq % 13 == 5 { &long } else { &short }.append(&mut bytes, seq, u64::from(seq) * 1000, 0);
            match seq {
                7 => bytes.extend_from_slice(b": ping\n\n"),
                11 => bytes.extend_from_slice(b": gap 17\n\n"),
                19 => bytes.extend_from_slice(b"event: gap\ndata: {\"missed\":23}\n\n"),
                23 => bytes.extend_from_slice(b":ping\n"),
                29 => bytes.extend_from_slice(b"event: library\ndata: {}\n\n"),
                _ => {}
            }
        }
        bytes
    }

    fn decode_in_pieces(bytes: &[u8], piece: usize) -> Seen {
        let (mut shape, mut seen, mut carried) = (Shape::default(), Seen::default(), Vec::new());
        for part in bytes.chunks(piece) {
            carried.extend_from_slice(part);
            let taken = decode(&carried, &mut shape, &mut seen);
            carried.drain(..taken);
        }
        assert!(carried.is_empty());
        seen
    }

    #[test]
    fn frames_are_found_however_the_stream_is_cut() {
        let bytes = stream();
        let whole = decode_in_pieces(&bytes, bytes.len());
        assert_eq!(whole.deliveries, (0..40).map(|seq| (seq, u64::from(seq) * 1000)).collect::<Vec<_>>());
        assert_eq!((whole.comment_gaps, whole.event_gaps, whole.others, whole.malformed), (17, 23, 4, 0));
        for piece in [1, 2, 3, 7, 64, 266, 267, 268, 1000] {
            assert_eq!(decode_in_pieces(&bytes, piece), whole, "pieces of {piece}");
        }
    }

    #[test]
    fn garbage_between_frames_is_malformed() {
        let (mut shape, mut seen) = (Shape::default(), Seen::default());
        decode(b"hello\n\nevent: medias\n\nevent: medias\ndata: ffm:00\n\n", &mut shape, &mut seen);
        assert_eq!(seen.malformed, 3);
    }

    #[test]
    fn a_torn_frame_followed_by_a_whole_one_is_not_taken_for_a_delivery_of_the_first() {
        let template = Template::frame(267, &crate::spread::Spread::even(1)).unwrap();
        let mut bytes = Vec::new();
        template.append(&mut bytes, 1, 0, 0);
        template.append(&mut bytes, 2, 0, 0);
        bytes.truncate(267 + 100);
        template.append(&mut bytes, 3, 0, 0);
        let (mut shape, mut seen) = (Shape::default(), Seen::default());
        decode(&bytes, &mut shape, &mut seen);
        assert_eq!(seen.deliveries.first().map(|delivery| delivery.0), Some(1));
        assert!(seen.malformed > 0 || !seen.deliveries.iter().any(|delivery| delivery.0 == 2));
    }
}
