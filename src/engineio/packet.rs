//! Packets as clients send them, one in each message of a WebSocket.

/// The most a ping or pong may carry beside its digit; none does but a probe.
const MAX_CONTROL: usize = 16;

/// What separates packets in one body: it never stands in JSON.
pub const SEPARATOR: u8 = 0x1e;

/// A packet of a client, out of a text message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'p> {
    /// `1`: the client ends the session.
    Close,
    /// `3`: it answers a ping.
    Pong,
    /// `4`: text for whoever is carried.
    Message(&'p str),
    /// `0`, `5` and `6`: of no meaning from a client in the middle of a session.
    Idle,
}

/// The client sent what is no packet of a client: the session must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no packet of a client")]
pub struct Broken;

impl<'p> Packet<'p> {
    /// Reads the text of one packet.
    ///
    /// # Errors
    /// [`Broken`]: it is empty, has an unknown type, or is a ping, which only servers send.
    pub fn parse(text: &'p str) -> Result<Self, Broken> {
        let mut chars = text.chars();
        match chars.next().ok_or(Broken)? {
            '4' => Ok(Self::Message(chars.as_str())),
            _ if text.len() > 1 + MAX_CONTROL => Err(Broken),
            '1' => Ok(Self::Close),
            '3' => Ok(Self::Pong),
            '0' | '5' | '6' => Ok(Self::Idle),
            _ => Err(Broken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_known_by_its_first_character() {
        for (text, packet) in [
            ("1", Ok(Packet::Close)),
            ("3", Ok(Packet::Pong)),
            ("4", Ok(Packet::Message(""))),
            ("4hello", Ok(Packet::Message("hello"))),
            ("0{}", Ok(Packet::Idle)),
            ("5", Ok(Packet::Idle)),
            ("6", Ok(Packet::Idle)),
            ("2", Err(Broken)),
            ("2probe", Err(Broken)),
            ("abc", Err(Broken)),
            ("é", Err(Broken)),
            ("", Err(Broken)),
            ("30123456789abcdefgh", Err(Broken)),
        ] {
            assert_eq!(Packet::parse(text), packet, "{text}");
        }
    }
}
