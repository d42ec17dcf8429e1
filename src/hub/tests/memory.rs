//! What a hub keeps is told by parts, which rise with what comes and fall when it goes; and how long it writes, chunk by chunk.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::world::{Client, World, media, roomy};
use crate::{
    access::{LibraryRights, Principal, PrincipalChange},
    connection::{CloseReason, Connection},
    event::Level,
    frame::sse_event,
    id::{LibraryId, UserId},
    metrics::{Part, Work},
    topic::{Subscription, Topic},
};

/// A world whose hub is told the time.
struct Scales {
    world: World,
    now: Instant,
}

impl Scales {
    fn new() -> Self {
        Self { world: World::new(roomy()), now: Instant::now() }
    }

    /// What is kept for the part, one upkeep later.
    fn weigh(&mut self, part: Part) -> usize {
        self.now += Duration::from_secs(1);
        self.world.hub.tick(self.now);
        usize::try_from(self.world.counters.memory[part as usize].get()).expect("few")
    }

    fn join(&mut self, user: &str, n_clients: usize) -> Vec<Client> {
        (0..n_clients).map(|_| self.world.join(user)).collect()
    }

    fn end(&mut self, clients: Vec<Client>) {
        clients.into_iter().for_each(|client| self.world.hub.leave(&client.connection, CloseReason::Gone));
    }
}

#[test]
fn connections_weigh_what_each_is_as_long_as_it_is_there() {
    let mut scales = Scales::new();
    let before = scales.weigh(Part::Connections);
    let clients = scales.join("bob", 3000);
    let full = scales.weigh(Part::Connections);
    assert!(full - before >= 3000 * size_of::<Connection>(), "{before} {full}");
    assert!(full - before < 3000 * 4096, "{before} {full}");
    scales.end(clients);
    scales.weigh(Part::Connections); // the room goes after it was told
    assert!(scales.weigh(Part::Connections) < full / 4, "{full}");
}

#[test]
fn groups_weigh_by_their_number_and_by_their_members() {
    let mut scales = Scales::new();
    let before = scales.weigh(Part::Groups);
    let alike = scales.join("bob", 1000);
    let of_one = scales.weigh(Part::Groups);
    assert!(of_one - before >= 1000 * size_of::<usize>(), "{before} {of_one}");
    let apart: Vec<_> = (0..100)
        .map(|n| {
            let library = LibraryId::parse(&format!("library-{n}")).expect("id");
            scales.world.join_with("root", super::world::FORMATS, |filter| filter.libraries = Some([library].into()))
        })
        .collect();
    let of_many = scales.weigh(Part::Groups);
    assert!(of_many - of_one > 100 * size_of::<super::super::group::Group>(), "{of_one} {of_many}");
    scales.end(alike);
    let without_members = scales.weigh(Part::Groups);
    assert!(without_members < of_many, "{of_many} {without_members}");
    scales.end(apart);
    let index = scales.world.hub.index.n_bytes();
    assert!(scales.weigh(Part::Groups) < of_many && index > 0, "room for lists is kept, not the lists: {index}");
}

#[test]
fn feeds_weigh_the_frames_that_wait_once_for_all_who_wait_for_them() {
    let mut scales = Scales::new();
    let mut clients = scales.join("bob", 20);
    clients.append(&mut scales.join("ann", 20));
    for _ in 0..10 {
        scales.world.publish(media("films", 10_000), Vec::new());
    }
    let full = scales.weigh(Part::Feeds);
    assert!((100_000..200_000).contains(&full), "{full}");
    scales.world.drain(&mut clients);
    assert!(scales.weigh(Part::Feeds) < 1_000);
}

#[test]
fn own_queues_weigh_replies_frames_begun_and_what_waited_when_rights_changed() {
    let mut scales = Scales::new();
    let mut clients = scales.join("ann", 2);
    assert_eq!(scales.weigh(Part::OwnQueues), 0);
    scales.world.publish(media("films", 40_000), Vec::new());
    while scales.world.hub.flush_at_most(100, Duration::from_secs(60)) {}
    let torn = scales.weigh(Part::OwnQueues);
    scales.world.hub.reply(&clients[0].connection, sse_event("pong", &[b'x'; 5_000]));
    let replied = scales.weigh(Part::OwnQueues);
    assert!((5_000..6_000).contains(&(replied - torn)), "{torn} {replied}");
    for _ in 0..3 {
        scales.world.publish(media("films", 10_000), Vec::new());
    }
    let ann = UserId::parse("ann").expect("id");
    let films = LibraryRights::Named([(LibraryId::parse("films").expect("id"), Level::Read)].into());
    let change = PrincipalChange { libraries: Some(films), ..PrincipalChange::default() };
    scales.world.directory.put_principal(&ann, change).expect("kept");
    scales.world.hub.rights_changed(&ann);
    let kept = scales.weigh(Part::OwnQueues);
    assert!(kept - replied >= 2 * 3 * 10_000, "each keeps its own: {replied} {kept}");
    scales.world.drain(&mut clients);
    assert_eq!(scales.weigh(Part::OwnQueues), 0);
}

struct Still;

impl Topic for Still {
    fn name(&self) -> &'static str {
        "still"
    }

    fn version(&self) -> u64 {
        1
    }

    fn frame(&self, _: &Principal, _: u64, _: Option<&Bytes>, _: bool) -> Option<Bytes> {
        None
    }
}

#[test]
fn subscriptions_weigh_as_long_as_they_are_wanted() {
    let mut scales = Scales::new();
    let clients = scales.join("bob", 500);
    let before = scales.weigh(Part::Subscriptions);
    let topic: Arc<dyn Topic> = Arc::new(Still);
    for client in &clients {
        let wish = Subscription { topic: Arc::clone(&topic), first: Duration::ZERO, interval: Duration::from_secs(1), always: false };
        scales.world.hub.subscribe(&client.connection, wish, scales.now);
    }
    let full = scales.weigh(Part::Subscriptions);
    assert!(full - before > 500 * size_of::<Subscription>(), "{before} {full}");
    scales.end(clients);
    assert!(full - scales.weigh(Part::Subscriptions) > 500 * size_of::<Subscription>(), "{full}");
}

#[test]
fn a_chunk_that_writes_is_timed_and_a_look_that_finds_nothing_is_not() {
    let mut scales = Scales::new();
    let mut clients = scales.join("bob", 3);
    scales.world.drain(&mut clients);
    let n_chunks = |scales: &Scales| scales.world.counters.handled[Work::HubFlush as usize].read().0.iter().sum::<u64>();
    let before = n_chunks(&scales);
    assert!(!scales.world.hub.flush_chunk());
    assert_eq!(n_chunks(&scales), before, "nothing was marked");
    scales.world.publish(media("films", 10), Vec::new());
    assert!(!scales.world.hub.flush_chunk());
    assert_eq!(n_chunks(&scales), before + 1);
    scales.world.publish(media("films", 10), Vec::new());
    assert!(scales.world.hub.flush_at_most(1, Duration::from_secs(60)), "one write of three");
    assert_eq!(n_chunks(&scales), before + 2, "what was left for later counts as what was done");
}
