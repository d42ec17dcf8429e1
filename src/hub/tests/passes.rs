//! Passes over a group's members while members come and go between chunks.

use std::time::Duration;

use bytes::Bytes;

use super::world::{Client, World, media, roomy};
use crate::connection::CloseReason;

const LONG: Duration = Duration::from_secs(60);

fn crowd(world: &mut World, n_clients: usize) -> Vec<Client> {
    (0..n_clients).map(|_| world.join("bob")).collect()
}

/// Everybody who is still there has had every event, and nothing was held on to.
fn all_had(world: &mut World, clients: &mut [Client], n_events: usize) {
    world.drain(clients);
    for client in clients.iter().filter(|client| !client.connection.ended.get()) {
        assert_eq!(client.events().len(), n_events, "{:?}", world.counts(client));
    }
    assert_eq!(world.held(), 0, "nobody is behind");
}

#[test]
fn a_member_that_leaves_in_mid_pass_costs_nobody_an_event() {
    for n_visited in 0..7 {
        for leaver in 0..6 {
            let mut world = World::new(roomy());
            let mut clients = crowd(&mut world, 6);
            world.publish(media("films", 10), Vec::new());
            world.hub.flush_at_most(n_visited, LONG);
            let gone = clients.remove(leaver);
            world.hub.leave(&gone.connection, CloseReason::Gone);
            all_had(&mut world, &mut clients, 1);
        }
    }
}

#[test]
fn two_members_that_leave_in_mid_pass_cost_nobody_an_event() {
    for n_visited in 0..7 {
        for (first, second) in (0..6).flat_map(|first| (0..5).map(move |second| (first, second))) {
            let mut world = World::new(roomy());
            let mut clients = crowd(&mut world, 6);
            world.publish(media("films", 10), Vec::new());
            world.hub.flush_at_most(n_visited, LONG);
            for leaver in [first, second] {
                let gone = clients.remove(leaver);
                world.hub.leave(&gone.connection, CloseReason::Gone);
            }
            all_had(&mut world, &mut clients, 1);
        }
    }
}

#[test]
fn a_member_that_joins_in_mid_pass_costs_nobody_an_event() {
    for n_visited in 0..7 {
        let mut world = World::new(roomy());
        let mut clients = crowd(&mut world, 6);
        world.publish(media("films", 10), Vec::new());
        world.hub.flush_at_most(n_visited, LONG);
        let mut late = world.join("bob");
        all_had(&mut world, &mut clients, 1);
        world.drain(std::slice::from_mut(&mut late));
        assert!(late.events().is_empty(), "it joined afterwards");
    }
}

#[test]
fn a_group_in_the_place_of_one_that_went_is_flushed_like_any_other() {
    let mut world = World::new(roomy());
    let gone = world.join("bob");
    world.publish(media("films", 10), Vec::new());
    world.hub.leave(&gone.connection, CloseReason::Gone);
    let mut clients = vec![world.join("ann")];
    for n_events in 1..4 {
        world.publish(media("films", 10), Vec::new());
        all_had(&mut world, &mut clients, n_events);
    }
    assert!(world.credits.iter().all(|credit| credit.outstanding() == 0));
}

#[test]
fn a_feed_is_empty_again_once_the_last_laggard_has_caught_up() {
    let mut world = World::new(roomy());
    let mut clients = crowd(&mut world, 2);
    for _ in 0..5 {
        world.publish(media("films", 20_000), Vec::new());
    }
    while world.hub.flush_at_most(100, LONG) {}
    assert!(world.held() > 0, "both are behind");
    world.drain(&mut clients[..1]);
    assert!(world.held() > 0, "one is behind");
    all_had(&mut world, &mut clients, 5);
}

#[test]
fn a_feed_is_empty_again_once_the_last_laggard_has_left() {
    let mut world = World::new(roomy());
    let mut clients = crowd(&mut world, 2);
    for _ in 0..5 {
        world.publish(media("films", 20_000), Vec::new());
    }
    world.drain(&mut clients[..1]);
    assert!(world.held() > 0, "one is behind");
    world.hub.leave(&clients[1].connection, CloseReason::Gone);
    while world.hub.flush_at_most(100, LONG) {}
    assert_eq!(world.held(), 0);
}

#[test]
fn a_feed_is_empty_again_once_a_laggard_has_caught_up_after_its_visit_in_mid_pass() {
    for n_writes in 0..6 {
        for laggard in 0..5 {
            let mut world = World::new(roomy());
            let mut clients = crowd(&mut world, 6);
            for _ in 0..3 {
                world.publish(media("films", 40_000), Vec::new());
            }
            for place in (0..5).filter(|place| *place != laggard) {
                world.drain(&mut clients[place..=place]);
            }
            world.read(&mut clients[laggard]);
            while world.hub.flush_at_most(100, LONG) {}
            // The last is still further behind: with it goes what the feed was kept for so far.
            let last = clients.remove(5);
            world.hub.leave(&last.connection, CloseReason::Gone);
            world.publish(media("films", 10), Vec::new());
            world.hub.flush_at_most(n_writes, LONG);
            world.read(&mut clients[laggard]);
            all_had(&mut world, &mut clients, 4);
        }
    }
}

#[test]
fn credit_comes_back_when_the_flush_has_passed_the_events_and_not_before() {
    let mut world = World::new(roomy());
    let _clients = crowd(&mut world, 3);
    world.publish(media("films", 10), Vec::new());
    world.hub.flush_at_most(2, LONG);
    assert_eq!(world.credits[0].outstanding(), 1, "one member has yet to be visited");
    while world.hub.flush_at_most(1, LONG) {}
    assert_eq!(world.credits[0].outstanding(), 0);
}

#[test]
fn credit_comes_back_for_events_that_are_for_nobody() {
    let mut world = World::new(roomy());
    world.publish(media("films", 10), Vec::new());
    assert!(!world.hub.flush_chunk());
    assert_eq!(world.credits[0].outstanding(), 0);
}

#[test]
fn what_connections_have_of_their_own_does_not_take_the_whole_time_from_the_groups() {
    let mut world = World::new(roomy());
    let mut reader = world.join("ann");
    let talkers: Vec<_> = (0..10).map(|_| world.join("bob")).collect();
    while world.hub.flush_at_most(100, LONG) {}
    for talker in &talkers {
        world.hub.reply(&talker.connection, Bytes::from_static(b"event: own\ndata: 1\n\n"));
    }
    world.publish(media("music", 10), Vec::new());
    // As good as no time: the clock is looked at after some writes only.
    world.hub.flush_at_most(100, Duration::from_nanos(1));
    reader.pull();
    assert_eq!(reader.events().len(), 1, "her group had its share");
    while world.hub.flush_at_most(100, LONG) {}
    assert!(talkers.iter().all(|talker| !talker.connection.has_replies()));
}
