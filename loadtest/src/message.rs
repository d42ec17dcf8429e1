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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::tests::Seen;

    const MARKER: &str = "ffm:0000002a:00000000000003e8:0000000000000007";

    fn heard(speech: Speech, text: &str) -> Seen {
        let mut seen = Seen::default();
        hear(text.as_bytes(), speech, &mut seen);
        seen
    }

    #[test]
    fn engine_io_and_socket_io_say_what_is_to_be_done() {
        let open =
            r#"0{"sid":"lv_VI97HAXpY6yYWAAAB","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
        for (packet, signal, text) in [
            (open, Signal::Opened, "lv_VI97HAXpY6yYWAAAB"),
            ("3probe", Signal::Probed, ""),
            (r#"40{"sid":"oSO0OpakMV_3jnilAAAA"}"#, Signal::Connected, ""),
            (r#"42["init",{"userId":"81b6","username":"Bob","librariesScanning":[]}]"#, Signal::Live, ""),
            (r#"44{"message":"Invalid namespace"}"#, Signal::Refused, r#"{"message":"Invalid namespace"}"#),
            (r#"42["invalid_token"]"#, Signal::Refused, r#"42["invalid_token"]"#),
            ("41", Signal::Closed, "41"),
            ("1", Signal::Closed, "1"),
        ] {
            let seen = heard(Speech::SocketIo, packet);
            assert_eq!(seen, Seen { signals: vec![(signal, text.as_bytes().to_vec())], ..Seen::default() }, "{packet}");
        }
        assert_eq!(heard(Speech::SocketIo, "2").replies, [(TEXT, b"3".to_vec())]);
        assert_eq!(heard(Speech::SocketIo, "6").others, 1);
        for garbage in ["", "7", "4", "42", "42[\"x\"", "43[]", "45-[]", "hello"] {
            assert_eq!(heard(Speech::SocketIo, garbage).malformed, 1, "{garbage}");
        }
    }

    #[test]
    fn a_delivery_is_known_by_its_marker_in_every_speech() {
        for (speech, text) in [
            (
                Speech::Plex,
                format!(
                    r#"{{"NotificationContainer":{{"type":"timeline","size":1,"TimelineEntry":[{{"identifier":"com.plexapp.plugins.library","sectionID":"2","itemID":"1337","type":13,"title":"{MARKER}","state":5,"updatedAt":1753656127}}]}}}}"#
                ),
            ),
            (
                Speech::MediaBrowser,
                format!(r#"{{"MessageType":"LibraryChanged","MessageId":"8c5f","Data":{{"ItemsUpdated":["{MARKER}"]}}}}"#),
            ),
            (
                Speech::SocketIo,
                format!(
                    r#"42["item_updated",{{"id":"7dc9","media":{{"metadata":{{"title":"{MARKER}","titleIgnorePrefix":"{MARKER}"}}}}}}]"#
                ),
            ),
            (Speech::Any, format!("anything {MARKER} at all")),
        ] {
            assert_eq!(heard(speech, &text), Seen { deliveries: vec![(42, 1000)], ..Seen::default() }, "{text}");
            assert_eq!(heard(speech, &text.replace("ffm:", "fff:")), Seen { others: 1, ..Seen::default() }, "{text}");
        }
    }

    #[test]
    fn mediabrowser_clients_are_live_once_they_are_told_to_keep_alive() {
        let seen = heard(Speech::MediaBrowser, r#"{"MessageType":"ForceKeepAlive","MessageId":"8c5f","Data":60}"#);
        assert_eq!((seen.signals, seen.others), (vec![(Signal::Live, Vec::new())], 1));
        assert_eq!(heard(Speech::MediaBrowser, "{\"Data\":1}").malformed, 1);
    }
}
