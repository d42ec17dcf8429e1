use super::*;

const SMALL: Limits = Limits { message_bytes: 1000, fragments: 4 };

/// What came out, as something to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>),
}

impl From<Said<'_>> for Heard {
    fn from(said: Said<'_>) -> Self {
        match said {
            Said::Message(Message::Text(text)) => Self::Text(text.to_owned()),
            Said::Message(Message::Binary(bytes)) => Self::Binary(bytes.to_vec()),
            Said::Ping(payload) => Self::Ping(payload.to_vec()),
            Said::Pong(payload) => Self::Pong(payload.to_vec()),
            Said::Close(code) => Self::Close(code.map(CloseCode::get)),
        }
    }
}

/// A frame as a client writes it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | u8::try_from(length).expect("small")),
        length @ 126..=65_535 => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(length).expect("small").to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Fed in pieces of that size.
fn hear_in(limits: Limits, bytes: &[u8], piece: usize) -> (Vec<Heard>, Result<(), Violation>) {
    let (mut receiver, mut heard) = (Receiver::new(limits), Vec::new());
    let mut result = Ok(());
    for piece in bytes.to_vec().chunks_mut(piece) {
        result = receiver.receive(piece, &mut |said| heard.push(said.into()));
        if result.is_err() {
            break;
        }
    }
    if bytes.is_empty() || result.is_ok() && receiver.rest.is_none() {
        assert_eq!(receiver.n_kept(), 0, "nothing has begun, so nothing is kept");
    }
    (heard, result)
}

/// The same whatever the pieces.
fn hear(bytes: &[u8]) -> (Vec<Heard>, Result<(), Violation>) {
    let whole = hear_in(SMALL, bytes, bytes.len().max(1));
    for piece in [1, 2, 3, 5, 7, 64] {
        assert_eq!(hear_in(SMALL, bytes, piece), whole, "in pieces of {piece}");
    }
    whole
}

fn code_of(bytes: &[u8]) -> u16 {
    hear(bytes).1.expect_err("a violation").code.get()
}

#[test]
fn messages_and_control_frames_come_out_wherever_the_bytes_are_cut() {
    let text = "κόσμε ".repeat(40);
    let bytes = [
        frame(0x81, b""),
        frame(0x81, text.as_bytes()),
        frame(0x82, &[0xff; 130]),
        frame(0x89, b"are you there"),
        frame(0x8a, &[1; 125]),
        frame(0x88, b"\x03\xe8bye"),
        frame(0x81, b"behind the end"),
    ]
    .concat();
    let (heard, result) = hear(&bytes);
    assert_eq!(result, Ok(()));
    assert_eq!(
        heard,
        [
            Heard::Text(String::new()),
            Heard::Text(text),
            Heard::Binary(vec![0xff; 130]),
            Heard::Ping(b"are you there".to_vec()),
            Heard::Pong(vec![1; 125]),
            Heard::Close(Some(1000)),
        ]
    );
}

#[test]
fn fragments_become_one_message_and_control_frames_may_stand_between_them() {
    let bytes =
        [frame(0x01, b"a\xce"), frame(0x89, b"1"), frame(0x00, b""), frame(0x00, b"\xba"), frame(0x8a, b""), frame(0x80, b"b")].concat();
    let (heard, result) = hear(&bytes);
    assert_eq!(result, Ok(()));
    assert_eq!(heard, [Heard::Ping(b"1".to_vec()), Heard::Pong(Vec::new()), Heard::Text("aκb".to_owned())]);
}

#[test]
fn what_breaks_the_framing_is_a_protocol_error() {
    for (what, bytes) in [
        ("reserved bits", frame(0xc1, b"")),
        ("a reserved opcode", frame(0x83, b"")),
        ("a reserved control opcode", frame(0x8b, b"")),
        ("no mask", vec![0x81, 0x01, b'a']),
        ("a fragmented ping", frame(0x09, b"")),
        ("a long ping", frame(0x89, &[0; 126])),
        ("nothing to continue", frame(0x80, b"a")),
        ("nothing to continue any more", [frame(0x81, b"a"), frame(0x80, b"b")].concat()),
        ("a message within a message", [frame(0x01, b"a"), frame(0x81, b"b")].concat()),
        ("a length of 64 bits", vec![0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
        ("half a close code", frame(0x88, b"\x03")),
    ] {
        assert_eq!(code_of(&bytes), 1002, "{what}");
    }
}

#[test]
fn close_codes_are_those_that_may_be_sent() {
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999_u16] {
        assert_eq!(hear(&frame(0x88, &code.to_be_bytes())), (vec![Heard::Close(Some(code))], Ok(())));
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535_u16] {
        assert_eq!(code_of(&frame(0x88, &code.to_be_bytes())), 1002, "{code}");
    }
    assert_eq!(hear(&frame(0x88, b"")), (vec![Heard::Close(None)], Ok(())));
    assert_eq!(code_of(&frame(0x88, b"\x03\xe8\xff")), 1007);
}

#[test]
fn text_that_is_not_utf8_is_refused_at_the_byte_that_makes_it_so() {
    assert_eq!(code_of(&frame(0x81, b"\xce")), 1007, "a character without its end");
    assert_eq!(code_of(&[frame(0x01, b"\xce"), frame(0x80, b"x")].concat()), 1007);
    // The rest of the frame has not come, and need not.
    let mut announced = frame(0x81, &[b'a'; 100]);
    announced.truncate(6 + 20);
    announced[6 + 19] = 0xff ^ 0x3d;
    assert_eq!(code_of(&announced), 1007);
    assert_eq!(hear(&frame(0x82, b"\xff")).1, Ok(()), "bytes are no text");
}

#[test]
fn a_message_that_is_announced_too_long_is_refused_before_it_comes() {
    for length in [1001_u64, 1 << 24, 1 << 40, (1 << 63) - 1] {
        let header = [&[0x82, 0x80 | 127][..], &length.to_be_bytes(), &[1, 2, 3, 4]].concat();
        assert_eq!(code_of(&header), 1009, "{length}");
    }
    assert_eq!(code_of(&[frame(0x01, &[b'a'; 600]), frame(0x80, &[b'a'; 401])].concat()), 1009, "all fragments together");
    assert_eq!(hear(&[frame(0x01, &[b'a'; 600]), frame(0x80, &[b'a'; 400])].concat()).1, Ok(()));
}

#[test]
fn a_message_comes_in_so_many_frames_and_no_more() {
    let fragments = |n: usize| [frame(0x01, b""), frame(0x00, b"").repeat(n - 2), frame(0x80, b"")].concat();
    assert_eq!(hear(&fragments(4)), (vec![Heard::Text(String::new())], Ok(())));
    assert_eq!(code_of(&fragments(5)), 1008);
}

#[test]
fn what_is_kept_is_what_has_come_and_no_more() {
    let mut receiver = Receiver::new(Limits { message_bytes: 1 << 20, fragments: 1 });
    let mut header = [0x82, 0x80 | 127, 0, 0, 0, 0, 0, 0x10, 0, 0, 1, 2, 3, 4, 5];
    receiver.receive(&mut header, &mut |_| panic!("nothing is whole")).expect("allowed");
    assert!((1..64).contains(&receiver.n_kept()), "{} bytes for one", receiver.n_kept());
}

#[test]
fn behind_a_violation_nothing_is_looked_at() {
    let mut receiver = Receiver::new(SMALL);
    assert!(receiver.receive(&mut frame(0x83, b""), &mut |_| {}).is_err());
    assert_eq!(receiver.receive(&mut frame(0x81, b"a"), &mut |_| panic!("it is over")), Ok(()));
}
