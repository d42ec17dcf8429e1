//! Clients that must answer, and do not.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::world::{World, media, roomy};
use crate::{connection::CloseReason, frame::Keepalive};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn who_neither_says_nor_takes_anything_for_too_long_is_closed_and_nobody_else() {
    let mut world = World::new(roomy());
    world.keepalive = Some(Arc::new(Keepalive { interval: 10 * SECOND, frame: Bytes::from_static(b"ping"), silence: Some(20 * SECOND) }));
    let mut clients = ["bob", "ann", "bob"].map(|user| world.join(user));
    world.publish(media("films", 100_000), Vec::new());
    let [silent, lively, blocked] = &mut clients;
    while world.hub.flush_chunk() {}
    for _ in 0..10 {
        world.read(silent);
        world.read(lively);
        while world.hub.flush_chunk() {}
    }
    assert!(silent.connection.blocked_since().is_none() && blocked.connection.blocked_since().is_some());

    let start = Instant::now();
    lively.connection.hear(start + 15 * SECOND);
    (1..=19).for_each(|second| world.hub.tick(start + second * SECOND));
    assert!(!silent.connection.ended.get(), "not yet");
    (20..=22).for_each(|second| world.hub.tick(start + second * SECOND));
    while world.hub.flush_chunk() {}
    assert!(silent.connection.ended.get());
    assert!(!lively.connection.ended.get(), "it said something");
    assert!(!blocked.connection.ended.get(), "who cannot take a ping cannot answer it: the stall limit decides");
    assert_eq!(world.counters.dialects[0].closed[CloseReason::Silent as usize].get(), 1);
}

#[test]
fn who_answers_every_ping_is_not_closed_though_pings_are_as_frequent_as_ticks() {
    let mut world = World::new(roomy());
    world.keepalive = Some(Arc::new(Keepalive { interval: SECOND, frame: Bytes::from_static(b"ping"), silence: Some(2 * SECOND) }));
    let client = world.join("bob");
    let (start, mut n_answered) = (Instant::now(), 0);
    // Ticks come a little late, each a little more than the one before.
    for now in (1..=30).map(|second| start + second * Duration::from_millis(1_030)) {
        world.hub.tick(now);
        while world.hub.flush_chunk() {}
        let n_sent = world.counters.dialects[0].pings.get();
        if n_sent > n_answered {
            n_answered = n_sent;
            client.connection.hear(now);
        }
    }
    assert!(n_answered > 10 && !client.connection.ended.get(), "{n_answered}");
}

#[test]
fn a_protocol_s_own_pings_count_until_the_client_is_gone() {
    let mut world = World::new(roomy());
    let client = world.join("bob");
    world.hub.pinged(&client.connection);
    world.hub.answered(&client.connection, SECOND);
    let counted =
        |world: &World| (world.counters.dialects[0].pings.get(), world.counters.dialects[0].round_trips.read().0.iter().sum::<u64>());
    assert_eq!(counted(&world), (1, 1));
    client.connection.ended.set(true);
    world.hub.pinged(&client.connection);
    world.hub.answered(&client.connection, SECOND);
    assert_eq!(counted(&world), (1, 1));
}

#[test]
fn after_a_standstill_everybody_has_time_to_be_heard() {
    let mut world = World::new(roomy());
    world.keepalive = Some(Arc::new(Keepalive { interval: 10 * SECOND, frame: Bytes::from_static(b"ping"), silence: Some(20 * SECOND) }));
    let client = world.join("bob");
    let woken = Instant::now() + 60 * SECOND;
    (0..19).for_each(|second| world.hub.tick(woken + second * SECOND));
    while world.hub.flush_chunk() {}
    assert!(!client.connection.ended.get(), "what it said may lie there unread");
    (19..=22).for_each(|second| world.hub.tick(woken + second * SECOND));
    while world.hub.flush_chunk() {}
    assert!(client.connection.ended.get());
}
