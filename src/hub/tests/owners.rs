//! Connections of nobody: what they see, how long they may stay, and what becomes of them when they are somebody's.

use std::time::{Duration, Instant};

use super::world::{Client, FORMATS, World, media, roomy};
use crate::{
    access::{Credential, Filter, Principal, PrincipalChange},
    connection::CloseReason,
    event::{Event, EventKind, Who, samples::sample_event},
    hub::Owner,
    id::UserId,
};

const SECOND: Duration = Duration::from_secs(1);

fn owner(world: &World, user: &str) -> Owner {
    let (filter, credential) = world.filter(user);
    Owner { filter, formats: FORMATS, credential }
}

fn nobody(world: &World) -> Owner {
    let principal = world.directory.current(&Credential::nobody()).expect("never refused");
    assert_eq!(*principal, Principal::default());
    Owner { filter: Filter { principal, ..world.filter("bob").0 }, formats: FORMATS, credential: Credential::nobody() }
}

fn user_of(world: &World, client: &Client) -> Option<String> {
    let principal = world.hub.principal(&client.connection).expect("it is there");
    principal.user.as_ref().map(ToString::to_string)
}

fn events(world: &mut World, clients: &mut [Client]) -> usize {
    let before = clients[0].events().len();
    for event in EventKind::ALL.iter().map(|kind| sample_event(*kind)) {
        world.publish(event, Vec::new());
    }
    world.publish(media("films", 10), vec![Who::All]);
    let login = Event::parse(EventKind::Message, r#"{"text":"for bob","user":"bob"}"#).expect("valid");
    world.publish(login, Vec::new());
    world.drain(clients);
    clients[0].events().len() - before
}

#[test]
fn nobody_is_shown_no_event_of_any_kind_and_its_owner_what_comes_from_then_on() {
    let mut world = World::new(roomy());
    let mut clients = [world.join_as_nobody(None)];
    assert_eq!(events(&mut world, &mut clients), 0);
    assert_eq!(world.counts(&clients[0]).offered, 0);
    let bob = owner(&world, "bob");
    world.hub.give(&clients[0].connection, bob);
    assert_eq!(user_of(&world, &clients[0]).as_deref(), Some("bob"));
    assert!(events(&mut world, &mut clients) > 3);
    assert_eq!(world.directory.connections_of(&UserId::parse("bob").expect("id")), 1);
}

#[test]
fn nobody_is_closed_when_its_time_is_over_unless_it_has_an_owner_or_may_wait() {
    let mut world = World::new(roomy());
    let clients = [(); 4].map(|()| world.join_as_nobody(Some(10 * SECOND)));
    let start = Instant::now();
    let [stranger, given, waiting, forever] = &clients;
    let (bob, no_owner) = (owner(&world, "bob"), nobody(&world));
    world.hub.give(&given.connection, bob);
    world.hub.give(&waiting.connection, no_owner.clone());
    world.hub.give(&forever.connection, no_owner);
    (1..=9).for_each(|second| world.hub.tick(start + second * SECOND));
    while world.hub.flush_chunk() {}
    assert!(!stranger.connection.ended.get(), "not yet");
    (10..=12).for_each(|second| world.hub.tick(start + second * SECOND));
    while world.hub.flush_chunk() {}
    assert!(stranger.connection.ended.get());
    assert_eq!(world.counters.dialects[0].closed[CloseReason::Unidentified as usize].get(), 1);
    assert!(clients[1..].iter().all(|client| !client.connection.ended.get()));
    let bob = owner(&world, "bob");
    world.hub.identify(waiting.connection.id, bob);
    (13..=100).for_each(|second| world.hub.tick(start + second * SECOND));
    assert_eq!(user_of(&world, waiting).as_deref(), Some("bob"));
    assert_eq!(user_of(&world, forever), None);
}

#[test]
fn who_takes_back_who_he_is_counts_for_nobody_and_may_not_stay() {
    let mut world = World::new(roomy());
    let client = world.join_as_nobody(Some(10 * SECOND));
    let (bob, nobody) = (owner(&world, "bob"), nobody(&world));
    world.hub.give(&client.connection, bob);
    world.hub.give(&client.connection, nobody);
    assert_eq!(world.directory.connections_of(&UserId::parse("bob").expect("id")), 0);
    let start = Instant::now();
    (1..=80).for_each(|second| world.hub.tick(start + second * SECOND));
    while world.hub.flush_chunk() {}
    assert!(client.connection.ended.get());
    assert_eq!(world.counters.dialects[0].closed[CloseReason::Unidentified as usize].get(), 1);
}

#[test]
fn what_turns_out_elsewhere_concerns_connections_of_nobody_only() {
    let mut world = World::new(roomy());
    let (of_bob, of_nobody) = (world.join("bob"), world.join_as_nobody(None));
    for client in [&of_bob, &of_nobody] {
        let ann = owner(&world, "ann");
        world.hub.identify(client.connection.id, ann);
    }
    assert_eq!(user_of(&world, &of_bob).as_deref(), Some("bob"));
    assert_eq!(user_of(&world, &of_nobody).as_deref(), Some("ann"));
    let (mut earlier, bob) = (of_nobody.connection.id, owner(&world, "bob"));
    earlier.generation = earlier.generation.wrapping_sub(1);
    world.hub.identify(earlier, bob);
    assert_eq!(user_of(&world, &of_nobody).as_deref(), Some("ann"), "another connection of the same slot");
}

#[test]
fn an_owner_whose_rights_have_ended_meanwhile_is_not_served() {
    let mut world = World::new(roomy());
    let mut clients = [world.join_as_nobody(None)];
    let bob = owner(&world, "bob");
    world.directory.delete_principal(&UserId::parse("bob").expect("id")).expect("kept");
    world.hub.give(&clients[0].connection, bob);
    assert_eq!(events(&mut world, &mut clients), 0);
    assert!(clients[0].connection.ended.get());
    assert_eq!(world.counters.dialects[0].closed[CloseReason::Revoked as usize].get(), 1);
}

#[test]
fn an_owner_is_served_by_the_rights_of_that_moment_and_follows_their_changes() {
    let mut world = World::new(roomy());
    let client = world.join_as_nobody(None);
    let (bob, user) = (owner(&world, "bob"), UserId::parse("bob").expect("id"));
    let admin = |admin| PrincipalChange { admin: Some(admin), ..PrincipalChange::default() };
    world.directory.put_principal(&user, admin(true)).expect("kept");
    world.hub.give(&client.connection, bob);
    assert!(world.hub.principal(&client.connection).expect("there").admin, "not by those of the moment he was found");
    world.directory.put_principal(&user, admin(false)).expect("kept");
    world.hub.rights_changed(&user);
    assert!(!world.hub.principal(&client.connection).expect("there").admin);
}

#[test]
fn what_becomes_nobodys_again_counts_for_its_user_no_more() {
    let mut world = World::new(roomy());
    let mut clients = [world.join_as_nobody(None)];
    let (bob, user) = (owner(&world, "bob"), UserId::parse("bob").expect("id"));
    world.hub.give(&clients[0].connection, bob.clone());
    assert_eq!(world.directory.connections_of(&user), 1);
    let nobody = nobody(&world);
    world.hub.give(&clients[0].connection, nobody);
    assert_eq!((world.directory.connections_of(&user), events(&mut world, &mut clients)), (0, 0));
    world.hub.give(&clients[0].connection, bob);
    assert_eq!(world.directory.connections_of(&user), 1);
}
