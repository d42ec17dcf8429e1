//! What a text message of each protocol is: a delivery, something the protocol itself says, or neither.
//!
//! It knows no frames and no sockets, and no field by which a message is made: a delivery is known by its marker.

use crate::frame::sequence;
use crate::shape::{Found, Signal, Sink, find_marker};
use crate::websocket::TEXT;
use memchr::memmem;

/// How a stream's texts are to be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Speech {
    /// Plex's notifications.
    Plex,
    /// MediaBrowser's messages.
    MediaBrowser,
    /// Engine.IO packets with Socket.IO in them.
    SocketIo,
    /// Anything.
    Any,
}

/// Reads one message. Returns where the marker of a delivery stands in it.
pub(crate) fn hear<S: Sink>(text: &[u8], speech: Speech, sink: &mut S) -> Option<usize> {
    let is_sound = match speech {
        Speech::Plex => text.starts_with(b"{\"NotificationContainer\":{\"type\":\"") && text.ends_with(b"]}}"),
        Speech::MediaBrowser => text.starts_with(b"{\"MessageType\":\"") && text.ends_with(b"}"),
        Speech::SocketIo => return hear_packet(text, sink),
        Speech::Any => true,
    };
    if !is_sound {
        sink.malformed(text);
        return None;
    }
    if speech == Speech::MediaBrowser && text.starts_with(b"{\"MessageType\":\"ForceKeepAlive\"") {
        sink.signal(Signal::Live, b"");
    }
    hear_event(text, sink)
}

/// One Engine.IO packet.
fn hear_packet<S: Sink>(packet: &[u8], sink: &mut S) -> Option<usize> {
    match packet {
        [b'4', b'2', b'[', .., b']'] => return hear_named(packet, sink),
        [b'2', rest @ ..] => sink.reply(TEXT, &[b"3", rest].concat()),
        [b'0', b'{', ..] => sink.signal(Signal::Opened, session_id(packet)),
        [b'3', b'p', ..] => sink.signal(Signal::Probed, b""),
        [b'4', b'0', b'{', ..] => sink.signal(Signal::Connected, b""),
        [b'4', b'1', ..] | [b'1'] => sink.signal(Signal::Closed, packet),
        [b'4', b'4', why @ ..] => sink.signal(Signal::Refused, why),
        [b'3' | b'6', ..] => sink.other(),
        _ => sink.malformed(packet),
    }
    None
}

/// A Socket.IO event; those of the log-in are known by name.
fn hear_named<S: Sink>(packet: &[u8], sink: &mut S) -> Option<usize> {
    if packet.starts_with(b"42[\"init\"") {
        sink.signal(Signal::Live, b"");
    } else if packet.starts_with(b"42[\"auth_failed\"") || packet.starts_with(b"42[\"invalid_token\"") {
        sink.signal(Signal::Refused, packet);
    } else {
        return hear_event(packet, sink);
    }
    None
}

fn hear_event<S: Sink>(text: &[u8], sink: &mut S) -> Option<usize> {
    match find_marker(text) {
        Found::Nothing => sink.other(),
        Found::Torn => sink.malformed(text),
        Found::Marker(at, marker) => {
            sink.delivery(sequence(marker), marker);
            return Some(at);
        }
    }
    None
}

/// `sid` of Engine.IO's handshake, empty where there is none.
fn session_id(packet: &[u8]) -> &[u8] {
    const NAME: &[u8] = b"\"sid\":\"";
    let Some(from) = memmem::find(packet, NAME).map(|at| at + NAME.len()) else { return b"" };
    let length = memchr::memchr(b'"', &packet[from..]).unwrap_or(0);
    &packet[from..from + length]
}
