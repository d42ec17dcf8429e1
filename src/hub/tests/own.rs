//! Readers at whom a format looks: what is their own reaches nobody else, and others pay nothing for it.

use bytes::Bytes;

use super::world::{ABRIDGED, World, media, roomy};
use crate::{
    access::{LibraryRights, PrincipalChange},
    event::{Envelope, Event, EventKind, FormatPair, FormatSlot, FrameFormat, KindSet, Level, Own, Reader},
    frame::sse_event,
    id::UserId,
};

/// Readers with tags are shown what is tagged so, shortened; and what is of no library as everybody.
struct ByTags;

const APART: FormatPair = FormatPair { abridged: &ByTags, full: &ByTags };

impl FrameFormat for ByTags {
    fn slot(&self) -> FormatSlot {
        ABRIDGED.slot()
    }

    fn dialect(&self) -> &'static str {
        ABRIDGED.dialect()
    }

    fn carries(&self) -> KindSet {
        KindSet::all()
    }

    fn encode(&self, envelope: &Envelope) -> Option<Bytes> {
        ABRIDGED.encode(envelope)
    }

    fn looks_at(&self, reader: Reader<'_>) -> bool {
        reader.tags.is_some()
    }

    fn own(&self, envelope: &Envelope, reader: Reader<'_>) -> Own {
        let message = envelope.event.message();
        assert!(!message.contains("a bug"), "a bug in the encoder");
        match (envelope.library(), reader.tags) {
            (Some(_), Some(tags)) if tags.iter().any(|tag| message.contains(tag.as_str())) => {
                let data = format!("{} {} own", envelope.shard, envelope.order);
                Own::Frame(sse_event(envelope.kind().name(), data.as_bytes()))
            }
            (Some(_), _) => Own::Nothing,
            (None, _) => Own::Shared,
        }
    }
}

fn film(name: &str) -> Event {
    let data = format!(r#"{{"library":"films","medias":[{{"action":"Added","media":{{"id":"m","name":"{name}"}}}}]}}"#);
    Event::parse(EventKind::Medias, &data).expect("valid")
}

#[test]
fn a_reader_who_is_looked_at_gets_his_own_and_the_others_what_they_share() {
    let mut world = World::new(roomy());
    let mut clients = ["bob", "kid", "ann"].map(|user| world.join_with(user, APART, |_| {}));
    for event in [film("for kids"), film("for others"), Event::parse(EventKind::Message, r#"{"text":"to all"}"#).expect("valid")] {
        world.publish(event, Vec::new());
    }
    world.drain(&mut clients);
    let [bob, kid, ann] = &clients;
    assert_eq!(bob.frames(), ann.frames());
    assert_eq!(bob.events(), [(0, 1), (0, 2), (1, 1)]);
    assert_eq!(kid.events(), [(0, 1), (1, 1)]);
    assert_eq!(kid.frames()[0].data, "0 1 own");
    assert_eq!(kid.frames()[1].data, bob.frames()[2].data);
    assert_eq!((world.counts(bob).offered, world.counts(kid).offered), (3, 2), "what is not his is not even offered");
}

#[test]
fn what_waits_is_his_own_also_after_his_rights_have_changed() {
    let mut world = World::new(roomy());
    let mut clients = [world.join_with("kid", APART, |_| {})];
    world.publish(film("for kids"), Vec::new());
    let (user, libraries) = (UserId::parse("kid").expect("id"), LibraryRights::Every(Level::Read));
    world.directory.put_principal(&user, PrincipalChange { libraries: Some(libraries), ..PrincipalChange::default() }).expect("kept");
    world.hub.rights_changed(&user);
    world.publish(film("for others"), Vec::new());
    world.publish(media("music", 1), Vec::new());
    world.drain(&mut clients);
    assert_eq!(clients[0].frames().iter().map(|frame| frame.data.as_str()).collect::<Vec<_>>(), ["0 1 own"]);
    assert!(world.counts(&clients[0]).add_up());
}

#[test]
fn an_encoder_that_panics_costs_him_that_event_and_nobody_else_anything() {
    let mut world = World::new(roomy());
    let mut clients = ["bob", "kid"].map(|user| world.join_with(user, APART, |_| {}));
    for name in ["a bug for kids", "for kids"] {
        world.publish(film(name), Vec::new());
    }
    world.drain(&mut clients);
    assert_eq!(clients[0].events().len(), 2);
    assert_eq!(clients[1].events(), [(0, 2)]);
    assert_eq!(world.counters.encode_failures.get(), 1);
}
