//! Bodies of polling: what a POST holds is heard as packets, and frames of ours make the same body wherever they are cut.

use fanfare::{
    engineio::{Probe, Probed, asked, payload},
    websocket::{
        codec::{Limits, Message, Receiver, Said},
        frame,
    },
};

/// More than any input needs.
const LIMITS: Limits = Limits { message_bytes: 1 << 20, fragments: 1 };

pub(super) fn target(data: &[u8]) {
    let Some((cut, bytes)) = data.split_first() else { return };
    let piece = usize::from(*cut % 16) + 1;
    a_post_is_heard(bytes);
    a_body_is_the_same_in_pieces(bytes, piece);
    a_probe_reads_no_further_than_it_must(bytes, piece);
    let query = String::from_utf8_lossy(bytes);
    let _ = (asked(&query, true, true), asked(&query, false, false)); // any query is read
}

/// As many packets as there are between the separators, each as it was written.
fn a_post_is_heard(body: &[u8]) {
    let mut frames = Vec::new();
    let Ok(n_packets) = payload::frames_of(body, &mut frames) else { return };
    let mut packets = body.split(|byte| *byte == 0x1e);
    let mut n_heard = 0;
    let heard = Receiver::new(LIMITS).receive(&mut frames, &mut |said| {
        n_heard += 1;
        let packet = packets.next().expect("one for each");
        match said {
            Said::Message(Message::Text(text)) => assert_eq!(text.as_bytes(), packet),
            Said::Message(Message::Binary(_)) => assert_eq!(packet.first(), Some(&b'b')),
            other => panic!("{other:?}"),
        }
    });
    assert_eq!((heard, n_heard), (Ok(()), n_packets));
}

fn a_body_is_the_same_in_pieces(bytes: &[u8], piece: usize) {
    let texts: Vec<_> = bytes.split(|byte| *byte == b'|').map(|text| String::from_utf8_lossy(text).replace('\u{1e}', "")).collect();
    let frames: Vec<u8> = texts.iter().filter(|text| !text.is_empty()).flat_map(|text| frame::text(text)).collect();
    let mut waiting = payload::Waiting::default();
    let (mut body, mut n_taken) = (Vec::new(), 0);
    for piece in frames.chunks(piece) {
        waiting.take(piece);
        n_taken += piece.len();
        assert!(waiting.len() <= n_taken, "nothing is made up");
        let packets = waiting.packets();
        if !packets.is_empty() {
            payload::separated(&mut body, &packets);
        }
    }
    assert!(waiting.is_empty() && !waiting.is_mid_frame());
    let expected: Vec<_> = texts.iter().filter(|text| !text.is_empty()).map(String::as_str).collect();
    assert_eq!(String::from_utf8_lossy(&body), expected.join("\u{1e}"));
}

/// What a WebSocket says first is understood the same way in pieces, and nothing behind it is taken.
fn a_probe_reads_no_further_than_it_must(bytes: &[u8], piece: usize) {
    let mut frames = Vec::new();
    bytes.split(|byte| *byte == b'|').for_each(|text| payload::client_frame(&mut frames, 0x81, text));
    assert_eq!(probe(&mut frames.clone(), usize::MAX), probe(&mut frames, piece));
}

/// Whether it takes over, and how much was read by then.
fn probe(frames: &mut [u8], piece: usize) -> Option<usize> {
    let (mut probe, mut n_read) = (Probe::default(), 0);
    for piece in frames.chunks_mut(piece.min(frames.len().max(1))) {
        let mut from = 0;
        while from < piece.len() {
            match probe.receive(&mut piece[from..]) {
                Probed::Nothing => from = piece.len(),
                Probed::Answer(read) => from += read,
                Probed::TakesOver(read) => return Some(n_read + from + read),
                Probed::Fails => return None,
            }
        }
        n_read += piece.len();
    }
    None
}
