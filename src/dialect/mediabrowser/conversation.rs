//! What a client says on its socket, and what comes of it.

use super::{
    super::{Conversation, Effect},
    message::message,
};
use crate::websocket::codec::Message;

/// One socket's side.
pub(super) struct Talk {}

impl Conversation for Talk {
    fn receive(&mut self, said: Message<'_>) -> Vec<Effect> {
        let Some(said) = Said::read(&said) else { return Vec::new() };
        if said.kind.eq_ignore_ascii_case("KeepAlive") {
            return vec![Effect::Reply(message("KeepAlive", None))];
        }
        Vec::new()
    }
}

/// A message of a client: its type, and its data as text, whatever it was written as (wire notes, section 3.3).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) kind: String,
    /// Empty where there is none.
    pub(super) data: String,
}

impl Said {
    /// Reads a message, text or binary alike; `None`: it is nothing that could be understood, and is passed over.
    pub(super) fn read(message: &Message<'_>) -> Option<Self> {
        let mut json: serde_json::Value = match message {
            Message::Text(text) => serde_json::from_str(text).ok()?,
            Message::Binary(bytes) => serde_json::from_slice(bytes).ok()?,
        };
        let kind = json.get("MessageType")?.as_str()?.to_owned();
        let data = match json.get_mut("Data").map(serde_json::Value::take) {
            None | Some(serde_json::Value::Null) => String::new(),
            Some(serde_json::Value::String(text)) => text,
            Some(other) => other.to_string(),
        };
        Some(Self { kind, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(kind: &str, data: &str) -> Option<Said> {
        Some(Said { kind: kind.to_owned(), data: data.to_owned() })
    }

    #[test]
    fn text_and_binary_are_read_alike_and_data_is_a_text_whatever_it_was() {
        for (text, expected) in [
            (r#"{"MessageType":"KeepAlive"}"#, said("KeepAlive", "")),
            (r#"{"MessageType":"KeepAlive","Data":null}"#, said("KeepAlive", "")),
            (r#"{"Data":{},"MessageType":"KeepAlive"}"#, said("KeepAlive", "{}")),
            (r#"{"MessageType":"X","Data":5}"#, said("X", "5")),
            (r#" {"MessageType":"X","Data":"a|b","More":[1]} "#, said("X", "a|b")),
            (r#"{"messagetype":"X"}"#, None),
            (r#"{"MessageType":7}"#, None),
            ("[]", None),
            ("{", None),
            ("", None),
        ] {
            assert_eq!(Said::read(&Message::Text(text)), expected, "{text}");
            assert_eq!(Said::read(&Message::Binary(text.as_bytes())), expected, "{text}");
        }
        assert_eq!(Said::read(&Message::Binary(b"\xff")), None);
    }
}
