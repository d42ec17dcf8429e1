//! Topics: when they are told, to whom, and how seldom.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::Mutex;

use super::world::{Client, World, media, roomy};
use crate::{
    access::{LibraryRights, Principal, PrincipalChange},
    event::Who,
    frame::sse_event,
    id::{LibraryId, UserId},
    topic::{Subscription, Topic},
};

/// Tells `VERSION RIGHTS NUMBER`: one frame for all who have the same rights, and a number no two frames share.
#[derive(Debug, Default)]
struct Numbers {
    version: AtomicU64,
    n_frames: AtomicU64,
    n_asked: AtomicUsize,
    /// Moves whenever it is asked.
    is_restless: AtomicBool,
    /// Bytes a frame has beside.
    padding: AtomicUsize,
    made: Mutex<HashMap<(u64, &'static str), Bytes>>,
}

impl Topic for Numbers {
    fn name(&self) -> &'static str {
        "numbers"
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    fn frame(&self, principal: &Principal, version: u64, before: Option<&Bytes>, again: bool) -> Option<Bytes> {
        self.n_asked.fetch_add(1, Ordering::Relaxed);
        let films = LibraryId::parse("films").expect("id");
        let rights = if principal.libraries.level(&films).is_some() { "films" } else { "none" };
        if principal.admin {
            return None;
        }
        if self.is_restless.load(Ordering::Relaxed) {
            self.change();
        }
        let make = || {
            let number = self.n_frames.fetch_add(1, Ordering::Relaxed);
            let padding = "x".repeat(self.padding.load(Ordering::Relaxed));
            sse_event("numbers", format!("{version} {rights} {padding}{number}").as_bytes())
        };
        let mut made = self.made.lock();
        let shared = made.entry((version, rights)).or_insert_with(make);
        Some(if again && before.is_some() { make() } else { shared.clone() })
    }
}

impl Numbers {
    fn change(&self) {
        self.version.fetch_add(1, Ordering::Relaxed);
    }

    fn n_asked(&self) -> usize {
        self.n_asked.load(Ordering::Relaxed)
    }
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn wish(topic: &Arc<Numbers>, first: u64, interval: u64, always: bool) -> Subscription {
    Subscription { topic: Arc::clone(topic) as Arc<dyn Topic>, first: ms(first), interval: ms(interval), always }
}

/// A world in which time passes only when it is told to.
struct Times {
    world: World,
    start: Instant,
    now: Duration,
}

impl Times {
    fn new() -> Self {
        let world = World::new(roomy());
        Self { world, start: Instant::now(), now: Duration::ZERO }
    }

    fn subscribe(&mut self, client: &Client, wish: Subscription) {
        self.world.hub.subscribe(&client.connection, wish, self.start + self.now);
    }

    /// Lets time pass up to that time, and has everything read.
    fn until(&mut self, end: u64, clients: &mut [Client]) {
        while self.now < ms(end) {
            self.now += ms(100);
            while self.world.hub.tell_topics(self.start + self.now) {}
            self.world.drain(clients);
        }
    }
}

/// The states a client was told, without the numbers.
fn told(client: &Client) -> Vec<String> {
    let states = client.frames().iter().filter(|frame| frame.name == "numbers");
    states.map(|frame| frame.data.rsplit_once(' ').expect("a number").0.to_owned()).collect()
}

fn are_all_different(client: &Client) -> bool {
    let mut all: Vec<_> = client.frames().iter().map(|frame| &frame.data).collect();
    all.sort();
    let n = all.len();
    all.dedup();
    all.len() == n
}

#[test]
fn a_state_is_told_first_and_then_when_it_changes_at_most_every_interval() {
    let (mut times, topic) = (Times::new(), Arc::new(Numbers::default()));
    let mut clients = [times.world.join("bob")];
    times.subscribe(&clients[0], wish(&topic, 300, 1_000, false));
    times.until(200, &mut clients);
    assert!(told(&clients[0]).is_empty(), "not before its time");
    times.until(300, &mut clients);
    assert_eq!(told(&clients[0]), ["0 films"]);
    (0..3).for_each(|_| topic.change());
    times.until(1_200, &mut clients);
    assert_eq!(told(&clients[0]).len(), 1, "the interval is not over");
    times.until(1_400, &mut clients);
    assert_eq!(told(&clients[0]), ["0 films", "3 films"]);
    times.until(60_000, &mut clients);
    assert_eq!(told(&clients[0]).len(), 2, "nothing has changed");
    topic.change();
    times.until(60_100, &mut clients);
    assert_eq!(told(&clients[0]).last().map(String::as_str), Some("4 films"), "at once, after a rest");
}

#[test]
fn who_wants_it_always_is_told_every_interval_in_other_bytes() {
    let (mut times, topic) = (Times::new(), Arc::new(Numbers::default()));
    let mut clients = [times.world.join("bob")];
    times.subscribe(&clients[0], wish(&topic, 0, 1_500, true));
    times.until(8_900, &mut clients);
    assert_eq!(told(&clients[0]), ["0 films"; 6]);
    assert!(are_all_different(&clients[0]));
}

#[test]
fn many_idle_subscribers_share_one_frame_and_are_asked_about_only_when_something_changes() {
    let (mut times, topic) = (Times::new(), Arc::new(Numbers::default()));
    let mut clients: Vec<_> = (0..600).map(|_| times.world.join("bob")).collect();
    for client in &clients {
        times.subscribe(client, wish(&topic, 0, 500, false));
    }
    times.until(2_000, &mut clients);
    assert_eq!(topic.n_asked(), 600);
    assert_eq!(topic.n_frames.load(Ordering::Relaxed), 1);
    times.until(100_000, &mut clients);
    assert_eq!(topic.n_asked(), 600, "nobody was looked at");
    topic.change();
    times.until(101_000, &mut clients);
    assert_eq!((topic.n_asked(), topic.n_frames.load(Ordering::Relaxed)), (1_200, 2));
    assert!(clients.iter().all(|client| told(client) == ["0 films", "1 films"]));
}

#[test]
fn what_moves_while_it_is_told_is_built_once_in_a_go_and_again_in_the_next() {
    let (mut times, topic) = (Times::new(), Arc::new(Numbers::default()));
    let mut clients: Vec<_> = (0..100).map(|_| times.world.join("bob")).collect();
    for client in &clients {
        times.subscribe(client, wish(&topic, 0, 500, false));
    }
    topic.is_restless.store(true, Ordering::Relaxed);
    let mut n_goes = 1;
    while times.world.hub.tell_topics(times.start + ms(100)) {
        n_goes += 1;
    }
    assert_eq!(topic.n_asked(), 100);
    assert!(topic.n_frames.load(Ordering::Relaxed) <= n_goes, "{topic:?} in {n_goes} goes");
    topic.is_restless.store(false, Ordering::Relaxed);
    times.until(1_000, &mut clients);
    assert!(clients.iter().all(|client| told(client).last().map(String::as_str) == Some("100 films")));
}

#[test]
fn large_states_are_told_a_few_in_a_go() {
    let (mut times, topic) = (Times::new(), Arc::new(Numbers::default()));
    topic.padding.store(600_000, Ordering::Relaxed);
    let mut clients: Vec<_> = (0..6).map(|_| times.world.join("bob")).collect();
    for client in &clients {
        times.subscribe(client, wish(&topic, 0, 500, false));
    }
    let is_told = |client: &&Client| client.connection.has_replies();
    for n_told in [2, 4] {
        assert!(times.world.hub.tell_topics(times.start + ms(100)), "there is more");
        let n = clients.iter().filter(is_told).count();
        assert!((1..=n_told).contains(&n), "{n} were told");
    }
    times.until(400, &mut clients);
    assert!(clients.iter().all(|client| told(client).len() == 1));
}

#[test]
fn who_does_not_take_one_state_misses_others_and_gets_the_latest() {
    let (mut times, topic) = (Times::new(), Arc::new(Numbers::default()));
    let mut clients = [times.world.join("bob")];
    times.subscribe(&clients[0], wish(&topic, 0, 500, false));
    times.world.publish(media("films", 100_000), Vec::new()); // more than the client takes at once
    while times.world.hub.flush_chunk() {}
    assert!(clients[0].connection.blocked_since().is_some());
    for end in (1_000..20_000).step_by(1_000) {
        times.until(end, &mut []);
        topic.change();
    }
    assert!(!clients[0].connection.has_replies(), "no state lies there and grows old");
    times.world.drain(&mut clients);
    times.until(21_000, &mut clients);
    assert_eq!(told(&clients[0]), ["19 films"]);
}

#[test]
fn a_change_of_rights_asks_again_what_may_be_told() {
    let (mut times, topic) = (Times::new(), Arc::new(Numbers::default()));
    let mut clients = [times.world.join("bob"), times.world.join("ann")];
    for client in &clients {
        times.subscribe(client, wish(&topic, 0, 500, false));
    }
    times.until(10_000, &mut clients);
    let bob = UserId::parse("bob").expect("id");
    let nothing = PrincipalChange { libraries: Some(LibraryRights::default()), ..PrincipalChange::default() };
    times.world.directory.put_principal(&bob, nothing).expect("kept");
    times.world.hub.rights_changed(&bob);
    times.until(10_100, &mut clients);
    assert_eq!(told(&clients[0]), ["0 films", "0 none"]);
    let admin = PrincipalChange { admin: Some(true), ..PrincipalChange::default() };
    times.world.directory.put_principal(&bob, admin).expect("kept");
    times.world.hub.rights_changed(&bob);
    topic.change();
    times.until(12_000, &mut clients);
    assert_eq!(told(&clients[0]), ["0 films", "0 none"], "admins are told nothing of this");
    assert_eq!(told(&clients[1]), ["0 films", "1 films"]);
}

#[test]
fn a_state_that_waits_when_rights_change_is_dropped_and_told_anew() {
    let (mut times, topic) = (Times::new(), Arc::new(Numbers::default()));
    let mut clients = [times.world.join("bob")];
    times.subscribe(&clients[0], wish(&topic, 0, 500, false));
    times.world.hub.tell_topics(times.start + ms(100));
    assert!(clients[0].connection.has_replies());
    // The first event of its own moves it to a group of its own; its rights are as they were.
    let own = Who::Session(clients[0].connection.id);
    times.world.publish(media("films", 10), vec![own]);
    assert!(!clients[0].connection.has_replies());
    times.until(2_000, &mut clients);
    assert_eq!(told(&clients[0]), ["0 films"]);
}

#[test]
fn a_second_wish_takes_the_place_of_the_first_and_an_end_ends_it() {
    let (mut times, topic) = (Times::new(), Arc::new(Numbers::default()));
    let mut clients = [times.world.join("bob")];
    times.subscribe(&clients[0], wish(&topic, 0, 300, true));
    times.subscribe(&clients[0], wish(&topic, 0, 1_000, true));
    times.until(2_900, &mut clients);
    assert_eq!(told(&clients[0]).len(), 3);
    times.subscribe(&clients[0], wish(&topic, 500, 1_000, false));
    times.until(8_000, &mut clients);
    assert_eq!(told(&clients[0]).len(), 4, "the first is told again, in bytes it does not have");
    assert!(are_all_different(&clients[0]));
    for _ in 0..2 {
        times.world.hub.unsubscribe(&clients[0].connection, "numbers");
    }
    times.world.hub.unsubscribe(&clients[0].connection, "something else");
    topic.change();
    times.until(12_000, &mut clients);
    assert_eq!(told(&clients[0]).len(), 4);
    assert!(!times.world.hub.topics.are_wanted());
    times.subscribe(&clients[0], wish(&topic, 0, 1_000, false));
    times.until(13_000, &mut clients);
    assert_eq!(told(&clients[0]).last().map(String::as_str), Some("1 films"));
    times.world.hub.unsubscribe(&clients[0].connection, "numbers");
    times.subscribe(&clients[0], wish(&topic, 0, 1_000, false));
    times.until(14_000, &mut clients);
    assert_eq!(told(&clients[0]).len(), 6, "whoever comes back is told, though nothing has changed");
    assert!(are_all_different(&clients[0]));
}

#[test]
fn who_has_gone_leaves_nothing_behind() {
    let (mut times, topic) = (Times::new(), Arc::new(Numbers::default()));
    let stays = times.world.join("ann");
    times.subscribe(&stays, wish(&topic, 0, 500, false));
    for _ in 0..200 {
        let client = times.world.join("bob");
        times.subscribe(&client, wish(&topic, 0, 500, false));
        let end = u64::try_from(times.now.as_millis()).expect("short") + 1_000;
        times.until(end, &mut [client]);
        let client = times.world.hub.members.iter().find(|(slot, _)| *slot != 0).map(|(_, member)| std::rc::Rc::clone(&member.connection));
        times.world.hub.leave(&client.expect("it is there"), crate::connection::CloseReason::Gone);
    }
    assert!(times.world.hub.topics.n_kept() < 20, "{} are kept for one subscriber", times.world.hub.topics.n_kept());
    times.world.hub.leave(&stays.connection, crate::connection::CloseReason::Gone);
    assert!(!times.world.hub.topics.are_wanted());
}
