//! A hub that panics, and a hub that says goodbye.

use std::{rc::Rc, sync::Arc};

use bytes::Bytes;

use super::world::{Client, World, media, roomy};
use crate::{
    connection::{CloseReason, OutboxLimits},
    frame::{Goodbye, Notices},
    hub::HubHandle,
};

const TOLD: Notices = Notices { gap: None, expiring: None, goodbye: Some(goodbye) };
const LAST_WORD: &[u8] = b"event: goodbye\ndata: come back\n\n";

fn goodbye(goodbye: Goodbye) -> Option<Bytes> {
    (goodbye != Goodbye::NotWithThese).then(|| Bytes::from_static(LAST_WORD))
}

/// Has the hub of that world panic in a handler; the world goes on with what is left of it.
fn panic_in(world: World) -> World {
    world.with_hub(|hub| {
        let handle = HubHandle::new(hub);
        assert!(handle.with(|_| panic!("a bug")).is_none());
        handle.into_core()
    })
}

fn said_goodbye(client: &mut Client) -> bool {
    client.pull();
    client.bytes.ends_with(LAST_WORD)
}

#[test]
fn a_panic_costs_a_hub_its_sessions_and_nothing_else() {
    let mut world = World::new(roomy());
    let mut clients = [world.join_told("bob", &TOLD), world.join_told("ann", &TOLD)];
    world.publish(media("films", 10), Vec::new());
    assert_eq!(world.credits[0].outstanding(), 1);
    let mut world = panic_in(world);
    for client in &mut clients {
        assert!(client.connection.ended.get() && client.body.is_closed());
        assert!(said_goodbye(client), "{:?}", String::from_utf8_lossy(&client.bytes));
    }
    assert_eq!((world.credits[0].outstanding(), world.held(), world.directory.connections()), (0, 0, 0));
    let counters = &world.counters.dialects[0];
    assert_eq!((world.counters.restarts.get(), counters.connections[1].get(), world.counters.groups.get()), (1, 0, 0));
    assert_eq!((counters.closed[CloseReason::HubLost as usize].get(), counters.abandoned.get()), (2, 2));

    let mut later = [world.join_told("bob", &TOLD)];
    assert_ne!(later[0].connection.id, clients[0].connection.id, "the same slot, another connection");
    world.publish(media("films", 10), Vec::new());
    world.drain(&mut later);
    assert_eq!(later[0].events(), [(0, 2)]);
    assert_eq!(world.credits[0].outstanding(), 0);
    // What the sessions of the lost hub still ask of it concerns nobody.
    world.hub.make_ready(&clients[0].connection);
    world.hub.leave(&clients[0].connection, CloseReason::Gone);
    world.drain(&mut later);
    assert!(!later[0].connection.ended.get());
}

#[test]
fn a_last_word_is_not_written_into_the_middle_of_a_frame() {
    let mut world = World::new(roomy());
    let mut client = world.join_told("bob", &TOLD);
    world.publish(media("films", 100_000), Vec::new());
    while world.hub.flush_chunk() {}
    assert!(client.connection.is_mid_frame());
    client.pull();
    let _world = panic_in(world);
    assert!(client.connection.ended.get() && !said_goodbye(&mut client));
}

/// Something whose end is a bug.
struct Bomb;

impl AsRef<[u8]> for Bomb {
    fn as_ref(&self) -> &[u8] {
        b"tick"
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a bug in an end");
    }
}

#[test]
fn a_panic_at_the_end_of_a_lost_hub_is_no_second_loss() {
    let mut world = World::new(roomy());
    let Client { connection, body, .. } = world.join("bob");
    let other = world.join_told("ann", &TOLD);
    let limits = OutboxLimits { entries: 10, bytes: 1_000 };
    assert!(connection.reply(Bytes::from_owner(Bomb), limits));
    assert_eq!(Rc::strong_count(&connection), 3, "the member's, the group's and this one");
    drop((connection, body));
    let world = panic_in(world);
    assert!(other.connection.ended.get(), "the other session was ended all the same");
    assert_eq!((world.counters.restarts.get(), world.directory.connections()), (1, 0));
}

#[test]
fn a_panic_in_the_flush_loop_is_a_loss_like_any_other() {
    let mut world = World::new(roomy());
    let client = world.join("bob");
    world.hub.panics_in_flush = true;
    let World { hub, counters, .. } = world;
    let handle = HubHandle::new(hub);
    assert!(handle.guarded(crate::hub::HubCore::flush_chunk).is_none());
    assert!(client.connection.ended.get());
    assert_eq!(handle.guarded(crate::hub::HubCore::flush_chunk), Some(false), "its successor has nothing to do");
    assert_eq!(Arc::clone(&counters).restarts.get(), 1);
}

#[test]
fn those_who_have_everything_are_sent_away_before_those_who_are_behind() {
    let mut world = World::new(roomy());
    let mut clients: Vec<_> = (0..10).map(|_| world.join_told("bob", &TOLD)).collect();
    world.publish(media("films", 10), Vec::new());
    while world.hub.flush_chunk() {}
    for client in clients.iter_mut().skip(4) {
        world.read(client);
    }
    assert_eq!(world.hub.say_goodbye(6, CloseReason::Draining, 1), 4);
    while world.hub.flush_chunk() {}
    let gone = |clients: &[Client]| clients.iter().filter(|client| client.connection.ended.get()).count();
    assert_eq!((gone(&clients[..4]), gone(&clients[4..])), (0, 6), "four have not pulled their chunk yet");
    assert_eq!(world.hub.say_goodbye(usize::MAX, CloseReason::Draining, 1), 0);
    while world.hub.flush_chunk() {}
    assert_eq!(gone(&clients), 10);
    assert!(clients.iter_mut().all(said_goodbye));
}
