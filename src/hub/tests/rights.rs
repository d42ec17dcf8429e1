//! What still waits when rights change is checked again, in the form the new rights allow.

use std::time::Duration;

use super::world::{World, media, roomy};
use crate::{
    access::{LibraryRights, PrincipalChange},
    connection::OutboxLimits,
    event::{Event, EventKind, Level, Who, samples::sample_event},
    id::{LibraryId, UserId},
};

fn user(id: &str) -> UserId {
    UserId::parse(id).expect("id")
}

fn change(world: &mut World, id: &str, change: PrincipalChange) {
    world.directory.put_principal(&user(id), change).expect("kept");
    world.hub.rights_changed(&user(id));
}

fn no_libraries() -> PrincipalChange {
    PrincipalChange { libraries: Some(LibraryRights::default()), ..PrincipalChange::default() }
}

/// Fills the client's chunk, so that everything that follows waits.
fn block(world: &mut World) {
    world.publish(media("films", 40_000), Vec::new());
    while world.hub.flush_at_most(100, Duration::from_secs(60)) {}
}

#[test]
fn what_waits_and_may_no_longer_be_seen_is_filtered_and_the_frame_begun_is_finished() {
    let mut world = World::new(roomy());
    let mut clients = vec![world.join("ann")];
    block(&mut world);
    world.publish(media("films", 10), Vec::new());
    world.publish(media("music", 10), Vec::new());
    let libraries = LibraryRights::Named([(LibraryId::parse("music").expect("id"), Level::Read)].into());
    change(&mut world, "ann", PrincipalChange { libraries: Some(libraries), ..PrincipalChange::default() });
    world.publish(media("films", 10), Vec::new());
    world.publish(media("music", 10), Vec::new());
    world.drain(&mut clients);
    assert_eq!(clients[0].events(), [(0, 1), (0, 3), (0, 5)]);
    let counts = world.counts(&clients[0]);
    assert_eq!((counts.offered, counts.delivered, counts.filtered), (4, 3, 1));
    assert_eq!(world.held(), 0);
}

#[test]
fn an_admin_who_is_one_no_longer_gets_what_waits_in_the_abridged_form() {
    let mut world = World::new(roomy());
    let libraries = Some(LibraryRights::Every(Level::Read));
    world.directory.put_principal(&user("root"), PrincipalChange { libraries, ..PrincipalChange::default() }).expect("kept");
    let mut clients = vec![world.join("root")];
    block(&mut world);
    world.publish(sample_event(EventKind::Library), Vec::new());
    change(&mut world, "root", PrincipalChange { admin: Some(false), ..PrincipalChange::default() });
    world.drain(&mut clients);
    let frames = clients[0].frames();
    assert!(frames[1].data.contains(" abridged "), "{}", frames[1].data);
}

#[test]
fn what_waits_is_kept_within_the_backlogs_bounds_and_the_loss_is_told() {
    let mut settings = roomy();
    settings.backlog = OutboxLimits { entries: 2, bytes: 1 << 20 };
    let mut world = World::new(settings);
    let mut clients = vec![world.join("bob")];
    block(&mut world);
    for _ in 0..5 {
        world.publish(media("films", 10), Vec::new());
    }
    let own = Who::Session(clients[0].connection.id);
    world.publish(media("films", 10), vec![own]);
    world.publish(media("films", 10), Vec::new());
    world.drain(&mut clients);
    assert_eq!(clients[0].events(), [(0, 1), (0, 5), (0, 6), (0, 7), (0, 8)], "backlog before feed, in order");
    assert_eq!(clients[0].told(), 3);
    assert_eq!(world.counts(&clients[0]).skipped_lag, 3);
}

#[test]
fn an_event_for_one_session_reaches_that_session_only() {
    let mut world = World::new(roomy());
    let mut clients = vec![world.join("bob"), world.join("bob")];
    let own = Who::Session(clients[1].connection.id);
    world.publish(media("films", 10), vec![own]);
    world.publish(media("films", 10), Vec::new());
    world.drain(&mut clients);
    assert_eq!(clients[0].events(), [(0, 2)]);
    assert_eq!(clients[1].events(), [(0, 1), (0, 2)]);
    assert_eq!(world.counts(&clients[0]).offered, 1, "the other one is not even offered it");
}

#[test]
fn a_user_who_is_refused_is_closed_and_gets_nothing_that_waited() {
    let mut world = World::new(roomy());
    let mut clients = vec![world.join("bob")];
    block(&mut world);
    world.publish(media("films", 10), Vec::new());
    world.directory.delete_principal(&user("bob")).expect("kept");
    world.hub.rights_changed(&user("bob"));
    world.drain(&mut clients);
    assert!(clients[0].connection.ended.get());
    assert!(clients[0].events().is_empty(), "the frame begun ends with the connection");
    assert_eq!(world.counters.dialects[0].abandoned.get(), 2);
}

#[test]
fn losing_every_library_takes_what_waits_and_keeps_the_connection() {
    let mut world = World::new(roomy());
    let mut clients = vec![world.join("bob")];
    block(&mut world);
    world.publish(media("films", 10), Vec::new());
    change(&mut world, "bob", no_libraries());
    world.drain(&mut clients);
    assert_eq!(clients[0].events(), [(0, 1)]);
    world.publish(Event::parse(EventKind::Server, r#"{"state":"restarting"}"#).expect("valid"), Vec::new());
    world.drain(&mut clients);
    assert_eq!(clients[0].events(), [(0, 1), (1, 1)]);
}

#[test]
fn an_event_of_which_no_byte_was_taken_is_checked_again_like_all_that_waits() {
    let mut world = World::new(roomy());
    let mut clients = vec![world.join("bob")];
    // The first event fills the chunk to the last byte.
    let overhead = {
        let mut probe = World::new(roomy());
        let mut clients = vec![probe.join("bob")];
        probe.publish(media("films", 0), Vec::new());
        probe.drain(&mut clients);
        clients[0].bytes.len()
    };
    world.publish(media("films", 32 * 1024 - overhead), Vec::new());
    while world.hub.flush_at_most(100, Duration::from_secs(60)) {}
    let own = Who::Session(clients[0].connection.id);
    world.publish(media("films", 10), Vec::new());
    world.publish(media("films", 10), vec![own]);
    clients[0].connection.unblock();
    world.hub.make_ready(&clients[0].connection);
    while world.hub.flush_at_most(100, Duration::from_secs(60)) {}
    change(&mut world, "bob", no_libraries());
    world.drain(&mut clients);
    assert_eq!(clients[0].events(), [(0, 1)]);
    assert_eq!(world.counts(&clients[0]).filtered, 2);
}
