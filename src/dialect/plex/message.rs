//! One notification as bytes, in either form (wire notes on Plex, section 3).
//!
//! Both forms carry the same item: in a list in a container over a WebSocket, alone over SSE. One item per message, because
//! most clients read only the first.

use bytes::{BufMut, Bytes, BytesMut};

use super::types::NoticeType;
use crate::{
    event::json::{Value, quote},
    websocket::frame::put_text,
};

/// How messages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// As server-sent events.
    Sse,
    /// As text frames.
    WebSocket,
}

/// The messages of one event, one behind the other.
pub(super) struct Messages {
    form: Form,
    bytes: BytesMut,
}

impl Messages {
    pub(super) fn new(form: Form) -> Self {
        Self { form, bytes: BytesMut::new() }
    }

    /// Adds a notification; `item` is a JSON object on one line.
    pub(super) fn push(&mut self, notice: NoticeType, item: &str) {
        match self.form {
            Form::Sse => {
                let (name, list) = (notice.name(), notice.list());
                self.put(&["event: ", name, "\ndata: {\"", list, "\":", item, "}\n\n"]);
            }
            Form::WebSocket => {
                let head = format!("{{\"NotificationContainer\":{{\"type\":\"{}\",\"size\":1,\"{}\":[", notice.name(), notice.list());
                put_text(&mut self.bytes, &[&head, item, "]}}"]);
            }
        }
    }

    /// Adds a publisher's own message, `{"<list field>":item}` or with a list of items; anything else is nothing a client
    /// would understand, and is left out. The name holds no control characters (its reader saw to that).
    pub(super) fn push_raw(&mut self, name: &str, payload: Value<'_>) {
        let mut fields = payload.fields();
        let (Some(field), None) = (fields.next(), fields.next()) else { return };
        let several = field.value.is_array();
        let single = [field.value];
        let items: Box<dyn Iterator<Item = Value<'_>>> = if several { Box::new(field.value.items()) } else { Box::new(single.into_iter()) };
        for item in items {
            match self.form {
                Form::Sse => self.put(&["event: ", name, "\ndata: {", field.lexeme, ":", item.text(), "}\n\n"]),
                Form::WebSocket => {
                    let head = format!("{{\"NotificationContainer\":{{\"type\":{},\"size\":1,{}:[", quote(name), field.lexeme);
                    put_text(&mut self.bytes, &[&head, item.text(), "]}}"]);
                }
            }
        }
    }

    /// The bytes; `None` when nothing was added.
    pub(super) fn into_bytes(self) -> Option<Bytes> {
        (!self.bytes.is_empty()).then(|| self.bytes.freeze())
    }

    fn put(&mut self, parts: &[&str]) {
        self.bytes.reserve(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            self.bytes.put_slice(part.as_bytes());
        }
    }
}
