//! What is offered is accounted for: conflated, lost, missed by the hub, panicking encoders, and what a close leaves.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::world::{FORMATS, TestFormat, World, media, roomy};
use crate::{
    access::RawNames,
    connection::CloseReason,
    event::{Event, EventKind, FormatPair, KindSet},
    frame::Notices,
};

fn raw(name: &str) -> Event {
    let dialect = crate::event::DIALECTS[0];
    Event::parse(EventKind::Raw, &format!(r#"{{"dialect":"{dialect}","name":"{name}","payload":1}}"#)).expect("valid")
}

fn upload(media: &str, progress: u32) -> Event {
    Event::parse(EventKind::UploadProgress, &format!(r#"{{"library":"films","mediaId":"{media}","progress":{progress}}}"#)).expect("valid")
}

fn flush(world: &mut World) {
    while world.hub.flush_at_most(1_000, Duration::from_secs(60)) {}
}

#[test]
fn a_lagging_session_skips_to_the_oldest_event_and_is_told_the_gap() {
    let mut settings = roomy();
    settings.feed.entries = 3;
    let mut world = World::new(settings);
    let mut clients = vec![world.join("bob")];
    world.publish(media("films", 40_000), Vec::new());
    flush(&mut world);
    for _ in 0..8 {
        world.publish(media("films", 10), Vec::new());
    }
    world.drain(&mut clients);
    assert_eq!(clients[0].events(), [(0, 1), (0, 7), (0, 8), (0, 9)]);
    assert_eq!(clients[0].told(), 5);
    let counts = world.counts(&clients[0]);
    assert_eq!((counts.skipped_lag, counts.delivered), (5, 4));
    assert!(clients[0].connection.closing().is_none(), "the connection stays");
}

#[test]
fn progress_that_still_waits_gives_way_to_later_progress_of_its_key() {
    let mut world = World::new(roomy());
    let mut clients = vec![world.join("bob")];
    world.publish(media("films", 40_000), Vec::new());
    flush(&mut world);
    for progress in [10, 20, 100] {
        world.publish(upload("a", progress), Vec::new());
        world.publish(upload("b", progress / 2), Vec::new());
    }
    world.drain(&mut clients);
    assert_eq!(clients[0].events(), [(0, 1), (0, 6), (0, 7)]);
    let counts = world.counts(&clients[0]);
    assert_eq!((counts.offered, counts.delivered, counts.conflated), (7, 3, 4));
    assert_eq!(world.counters.dialects[0].conflated.get(), 4);
}

#[test]
fn a_frame_begun_is_finished_also_when_it_is_superseded_meanwhile() {
    let mut world = World::new(roomy());
    let mut clients = vec![world.join("bob")];
    world.publish(media("films", 32_600), Vec::new());
    let begun = world.publish(upload("a", 10), Vec::new());
    flush(&mut world);
    world.publish(upload("a", 20), Vec::new());
    assert!(begun.is_superseded());
    world.drain(&mut clients);
    assert_eq!(clients[0].events(), [(0, 1), (0, 2), (0, 3)]);
    assert_eq!(world.counts(&clients[0]).conflated, 0);
}

#[test]
fn what_a_stalled_hub_missed_is_charged_to_whoever_would_have_got_it_and_to_nobody_else() {
    let mut world = World::new(roomy());
    let mut bob = world.join("bob");
    let mut picky = world.join_with("bob", FORMATS, |filter| filter.raw = RawNames::Only(vec!["watched".to_owned()]));
    let stamped = [media("films", 10), media("music", 10), raw("watched"), raw("liked")].map(|event| {
        let audience = event.audience();
        (world.stamp(event, audience), 3)
    });
    world.hub.missed(&stamped);
    let mut late = world.join("bob");
    for client in [&mut bob, &mut picky, &mut late] {
        world.drain(std::slice::from_mut(client));
    }
    let lost = [&bob, &picky, &late].map(|client| (world.counts(client).offered, world.counts(client).skipped_hub, client.told()));
    assert_eq!(lost, [(9, 9, 9), (6, 6, 6), (0, 0, 0)]);
    assert_eq!(world.counters.dialects[0].skipped[1].get(), 15);
}

#[test]
fn what_a_groups_format_does_not_carry_was_not_missed() {
    static WITHOUT: TestFormat = TestFormat { slot: 2, form: "without", carries: KindSet::of(&[EventKind::Tags]) };
    let mut world = World::new(roomy());
    let client = world.join_with("bob", FormatPair { abridged: &WITHOUT, full: &WITHOUT }, |_| {});
    let event = media("films", 10);
    let audience = event.audience();
    let envelope = world.stamp(event, audience);
    world.hub.missed(&[(Arc::clone(&envelope), 3)]);
    world.hub.offer(&envelope);
    assert_eq!(world.counts(&client).offered, 0);
}

#[test]
fn what_is_missed_in_mid_pass_is_told_without_waiting_for_another_event() {
    let mut world = World::new(roomy());
    let mut clients: Vec<_> = (0..3).map(|_| world.join("bob")).collect();
    world.publish(media("films", 10), Vec::new());
    world.hub.flush_at_most(2, Duration::from_secs(60));
    let event = media("films", 10);
    let audience = event.audience();
    let envelope = world.stamp(event, audience);
    world.hub.missed(&[(envelope, 4)]);
    flush(&mut world);
    for client in &mut clients {
        client.pull();
        assert_eq!(client.told(), 4);
    }
}

#[test]
fn an_event_whose_encoder_panics_is_skipped_and_counted_and_every_connection_stays() {
    let mut world = World::new(roomy());
    let mut clients = vec![world.join("bob"), world.join("bob"), world.join("ann")];
    let poison = r#"{"library":"films","medias":[{"action":"Added","media":{"id":"poison"}}]}"#;
    world.publish(media("films", 10), Vec::new());
    world.publish(Event::parse(EventKind::Medias, poison).expect("valid"), Vec::new());
    world.publish(media("films", 10), Vec::new());
    world.drain(&mut clients);
    for client in &clients {
        assert_eq!(client.events(), [(0, 1), (0, 3)]);
        assert!(!client.connection.ended.get());
        assert_eq!(world.counts(client).offered, 2, "it was never offered");
    }
    assert_eq!(world.counters.encode_failures.get(), 1, "once per format, not per session");
}

#[test]
fn what_the_server_has_not_pulled_when_a_connection_ends_is_abandoned() {
    let mut world = World::new(roomy());
    let clients = [world.join("bob")];
    for _ in 0..3 {
        world.publish(media("films", 10), Vec::new());
    }
    flush(&mut world);
    assert_eq!((world.counts(&clients[0]).delivered, world.counts(&clients[0]).waiting), (0, 3));
    world.hub.leave(&clients[0].connection, CloseReason::Gone);
    let counters = &world.counters.dialects[0];
    assert_eq!((counters.offered.get(), counters.abandoned.get(), counters.connections[1].get()), (3, 3, 0));
    world.hub.chunk_taken(&clients[0].connection);
    assert_eq!(counters.delivered[1].get(), 0, "the account is closed");
}

#[test]
fn a_connection_that_ended_is_not_revived_by_what_was_queued_for_it() {
    let mut world = World::new(roomy());
    let gone = world.join("bob");
    world.hub.make_ready(&gone.connection);
    world.hub.leave(&gone.connection, CloseReason::Gone);
    let mut heir = vec![world.join("bob")];
    assert_eq!(heir[0].connection.id.slot, gone.connection.id.slot);
    world.hub.close(&gone.connection, CloseReason::Revoked);
    world.hub.leave(&gone.connection, CloseReason::Gone);
    world.hub.tick(Instant::now() + Duration::from_secs(100));
    world.publish(media("films", 10), Vec::new());
    world.drain(&mut heir);
    assert_eq!(heir[0].events(), [(0, 1)]);
    assert!(world.hub.connection(gone.connection.id).is_none());
}

#[test]
fn feeds_over_the_workers_bound_lose_their_oldest_and_the_ledger_says_so() {
    let mut settings = roomy();
    settings.feeds_bytes = 100_000;
    let mut world = World::new(settings);
    let mut clients = vec![world.join("bob"), world.join("ann")];
    for _ in 0..40 {
        world.publish(media("films", 10_000), Vec::new());
        flush(&mut world);
        assert!(world.held() <= 100_000);
    }
    world.drain(&mut clients);
    for client in &clients {
        let counts = world.counts(client);
        assert!(counts.skipped_lag > 0 && counts.waiting == 0 && counts.add_up(), "{counts:?}");
        assert_eq!(client.told(), counts.skipped_lag);
        assert_eq!(client.events().last(), Some(&(0, 40)));
    }
    assert_eq!(world.held(), 0);
}

#[test]
fn a_dialect_that_cannot_say_gaps_goes_on_after_one() {
    let mut settings = roomy();
    settings.feed.entries = 1;
    let mut world = World::new(settings);
    let mut clients = vec![world.join_told("bob", &Notices { gap: None, expiring: None, goodbye: None })];
    for _ in 0..5 {
        world.publish(media("films", 10), Vec::new());
    }
    world.drain(&mut clients);
    assert_eq!(clients[0].events(), [(0, 5)]);
    assert_eq!(world.counts(&clients[0]).skipped_lag, 4);
}
