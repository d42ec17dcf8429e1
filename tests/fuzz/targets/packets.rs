//! Packets of Socket.IO: any text is read or refused, and what was read is written as it was meant.

use fanfare::socketio::{Packet, PacketKind, Place, RESERVED, frame};

pub(super) fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(packet) = Packet::parse(text) else { return };
    assert!(packet.place.namespace.starts_with('/') && text.len() < 1 << 20);
    assert!(packet.attachments <= 10);
    let PacketKind::Event(Some(name), arguments) = &packet.kind else { return };
    assert!(!RESERVED.contains(&&**name), "{text}");
    let arguments: Vec<_> = arguments.iter().map(|argument| argument.get()).collect();
    let place = Place { namespace: packet.place.namespace, ack: packet.place.ack };
    let written = frame::event(place, name, &arguments, &[]);
    let header = if written[1] < 126 { 2 } else { 4 };
    let again = std::str::from_utf8(&written[header..]).expect("text");
    let again = Packet::parse(again.strip_prefix('4').expect("a message")).expect("what we write is read");
    let PacketKind::Event(Some(name_again), arguments_again) = &again.kind else { panic!("an event: {text}") };
    assert_eq!((again.place, name_again), (packet.place, name), "{text}");
    assert!(arguments.iter().eq(arguments_again.iter().map(|argument| argument.get()).collect::<Vec<_>>().iter()), "{text}");
}
