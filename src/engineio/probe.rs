//! A WebSocket that wants to take over a session from polling: `2probe`, `3probe`, `5` (wire notes on Socket.IO, section 6).

use crate::websocket::codec::{Limits, Message, Receiver, Said};

/// The longest message before the WebSocket has taken over, in bytes.
const MESSAGE_BYTES: usize = 16;

/// Such a WebSocket, before it has taken over.
#[derive(Debug)]
pub struct Probe {
    receiver: Receiver,
    has_probed: bool,
}

/// What came of what it said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probed {
    /// Nothing whole yet.
    Nothing,
    /// It is to be answered with `3probe`; so many bytes of what it said are read.
    Answer(usize),
    /// It takes over; so many bytes are read, and what stands behind them belongs to the session.
    TakesOver(usize),
    /// It is none that takes over, and is to be closed.
    Fails,
}

impl Default for Probe {
    fn default() -> Self {
        Self { receiver: Receiver::new(Limits { message_bytes: MESSAGE_BYTES, fragments: 1 }), has_probed: false }
    }
}

impl Probe {
    /// Takes the next bytes, up to the end of the first message in them.
    pub fn receive(&mut self, bytes: &mut [u8]) -> Probed {
        let mut probed = Probed::Nothing;
        // By the byte: what follows the last message is not for this receiver.
        for index in 0..bytes.len() {
            let has_probed = self.has_probed;
            let received = self.receiver.receive(&mut bytes[index..=index], &mut |said| {
                probed = match said {
                    Said::Message(Message::Text("2probe")) if !has_probed => Probed::Answer(index + 1),
                    Said::Message(Message::Text("5")) if has_probed => Probed::TakesOver(index + 1),
                    Said::Ping(_) | Said::Pong(_) => Probed::Nothing,
                    Said::Message(_) | Said::Close(_) => Probed::Fails,
                };
            });
            if received.is_err() {
                return Probed::Fails;
            }
            match probed {
                Probed::Nothing => {}
                Probed::Answer(_) => {
                    self.has_probed = true;
                    return probed;
                }
                Probed::TakesOver(_) | Probed::Fails => return probed,
            }
        }
        probed
    }

    /// Whether it has shown what it wants.
    #[must_use]
    pub fn has_probed(&self) -> bool {
        self.has_probed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engineio::payload::client_frame;

    fn frames(texts: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        texts.iter().for_each(|text| client_frame(&mut out, 0x81, text.as_bytes()));
        out
    }

    #[test]
    fn a_websocket_probes_and_takes_over_and_what_follows_is_left() {
        let mut bytes = frames(&["2probe", "5", "4hello"]);
        let mut probe = Probe::default();
        let Probed::Answer(first) = probe.receive(&mut bytes) else { panic!("it probes") };
        assert!(probe.has_probed());
        let Probed::TakesOver(second) = probe.receive(&mut bytes[first..]) else { panic!("it takes over") };
        assert_eq!(bytes[first + second..], frames(&["4hello"]));
    }

    #[test]
    fn it_may_come_in_pieces() {
        let mut bytes = frames(&["2probe"]);
        let (one, two) = bytes.split_at_mut(5);
        let mut probe = Probe::default();
        assert_eq!(probe.receive(one), Probed::Nothing);
        assert_eq!(probe.receive(two), Probed::Answer(two.len()));
    }

    #[test]
    fn whatever_else_it_says_fails() {
        for texts in [&["5"][..], &["2"], &["4hello"], &["2probe", "2probe"], &["2probe", "4x"], &["a far too long message"]] {
            let mut bytes = frames(texts);
            let mut probe = Probe::default();
            let mut from = 0;
            let last = loop {
                match probe.receive(&mut bytes[from..]) {
                    Probed::Answer(read) => from += read,
                    probed => break probed,
                }
            };
            assert_eq!(last, Probed::Fails, "{texts:?}");
        }
        assert_eq!(Probe::default().receive(&mut [0x81, 6, 1, 2, 3, 4]), Probed::Fails, "not masked");
    }
}
