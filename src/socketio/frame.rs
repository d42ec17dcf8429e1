//! Packets as we send them: whole WebSocket frames, made once and shared by all who are sent the same.

use bytes::{Bytes, BytesMut};
use serde_json::Value;

use super::Place;
use crate::websocket::frame;

/// An event, `42…`; with attachments `45…` and their frames behind it. Each argument is JSON without line breaks of its own; where
/// an attachment belongs, its placeholder stands.
#[must_use]
pub fn event(place: Place<'_>, name: &str, arguments: &[&str], attachments: &[Bytes]) -> Bytes {
    let name = Value::from(name).to_string();
    let arguments = std::iter::once(&*name).chain(arguments.iter().copied());
    with_attachments('2', '5', place, arguments, attachments)
}

/// An acknowledgement, `43…`; with attachments `46…`.
#[must_use]
pub fn ack(place: Place<'_>, arguments: &[&str], attachments: &[Bytes]) -> Bytes {
    with_attachments('3', '6', place, arguments.iter().copied(), attachments)
}

/// The namespace is connected, under that id of the client's in it.
#[must_use]
pub fn connected(namespace: &str, sid: &str) -> Bytes {
    let mut text = String::from("40");
    put_place(&mut text, Place { namespace, ack: None });
    text.push_str(&format!(r#"{{"sid":"{sid}"}}"#));
    frame::text(&text)
}

/// The namespace is not connected.
#[must_use]
pub fn connect_error(namespace: &str, message: &str) -> Bytes {
    let mut text = String::from("44");
    put_place(&mut text, Place { namespace, ack: None });
    text.push_str(&format!(r#"{{"message":{}}}"#, Value::from(message)));
    frame::text(&text)
}

/// The client is put out of the namespace.
#[must_use]
pub fn disconnect(namespace: &str) -> Bytes {
    let mut text = String::from("41");
    put_place(&mut text, Place { namespace, ack: None });
    frame::text(&text)
}

fn with_attachments<'a>(
    plain: char,
    binary: char,
    place: Place<'_>,
    arguments: impl Iterator<Item = &'a str>,
    attachments: &[Bytes],
) -> Bytes {
    let mut text = String::from("4");
    if attachments.is_empty() {
        text.push(plain);
    } else {
        text.push(binary);
        text.push_str(&format!("{}-", attachments.len()));
    }
    put_place(&mut text, place);
    text.push('[');
    for (index, argument) in arguments.enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(argument);
    }
    text.push(']');
    let mut out = BytesMut::from(&frame::text(&text)[..]);
    for attachment in attachments {
        out.extend_from_slice(&frame::binary(attachment));
    }
    out.freeze()
}

/// The main namespace is not named.
fn put_place(text: &mut String, Place { namespace, ack }: Place<'_>) {
    if namespace != "/" {
        text.push_str(namespace);
        text.push(',');
    }
    if let Some(ack) = ack {
        text.push_str(&ack.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(frame: &Bytes) -> &str {
        std::str::from_utf8(&frame[2..]).expect("text")
    }

    #[test]
    fn packets_are_written_as_clients_read_them() {
        let main = Place { namespace: "/", ack: None };
        assert_eq!(payload(&event(main, "hello", &["1", r#"{"a":true}"#], &[])), r#"42["hello",1,{"a":true}]"#);
        assert_eq!(payload(&event(main, "pong", &[], &[])), r#"42["pong"]"#);
        assert_eq!(payload(&event(main, "a\"b", &[], &[])), r#"42["a\"b"]"#);
        assert_eq!(payload(&ack(Place { namespace: "/admin", ack: Some(13) }, &[r#""bar""#], &[])), r#"43/admin,13["bar"]"#);
        assert_eq!(payload(&connected("/", "abc")), r#"40{"sid":"abc"}"#);
        assert_eq!(payload(&connected("/admin", "abc")), r#"40/admin,{"sid":"abc"}"#);
        assert_eq!(payload(&connect_error("/random", "Invalid namespace")), r#"44/random,{"message":"Invalid namespace"}"#);
        assert_eq!(payload(&disconnect("/")), "41");
        assert_eq!(payload(&disconnect("/admin")), "41/admin,");
    }

    #[test]
    fn attachments_follow_their_packet_as_frames_of_their_own() {
        let placeholder = r#"{"_placeholder":true,"num":0}"#;
        let out = event(Place { namespace: "/", ack: None }, "baz", &[placeholder], &[Bytes::from_static(&[1, 2, 3])]);
        let text = format!(r#"451-["baz",{placeholder}]"#);
        assert_eq!(out[..2], [0x81, u8::try_from(text.len()).expect("short")]);
        assert_eq!(out[2..2 + text.len()], *text.as_bytes());
        assert_eq!(out[2 + text.len()..], [0x82, 3, 1, 2, 3]);
    }
}
