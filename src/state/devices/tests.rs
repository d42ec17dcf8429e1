//! Sessions of devices, on a time of their own.

mod bounds;

use serde_json::{Value, json};

use super::*;
use crate::{
    access::Principal,
    event::{EventKind, PlaybackState},
};

/// The devices, and a moment that is moved on by hand.
struct World {
    devices: Arc<Devices>,
    now: Moment,
}

const HERE: [u8; 4] = [192, 0, 2, 1];
const THERE: [u8; 4] = [192, 0, 2, 2];

fn user(id: &str) -> UserId {
    UserId::parse(id).expect("an id")
}

fn caller(name: &str) -> Caller {
    let principal = Principal { user: Some(user(name)), member: true, ..Principal::default() };
    Caller { principal: Arc::new(principal), ..Caller::default() }
}

fn device(client: &str, id: &str) -> Device {
    Device { client: client.to_owned(), id: id.to_owned(), name: "Den".to_owned(), version: "1.0".to_owned() }
}

fn connection(slot: u32) -> ConnectionId {
    ConnectionId { worker: 0, slot, generation: slot }
}

fn identity(client: &str, device: &str, version: &str) -> Identity {
    Identity { client: client.to_owned(), device: device.to_owned(), version: version.to_owned() }
}

impl World {
    fn new() -> Self {
        Self { devices: Arc::default(), now: Moment::now() }
    }

    fn wait(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
    }

    fn seen(&self, name: &str, device: &Device, from: [u8; 4]) -> Touched {
        let caller = caller(name);
        self.devices.seen(&Seen { caller: &caller, device, address: Some(from.into()) }, self.now)
    }

    fn open(&self, slot: u32, name: &str, device: &Device) -> Socket {
        let socket = self.devices.socket(connection(slot), Some(HERE.into()));
        let caller = caller(name);
        socket.attach(&Seen { caller: &caller, device, address: Some(HERE.into()) }, self.now);
        socket
    }

    fn nobody(&self, slot: u32, from: [u8; 4], says: (&str, &str, &str)) -> (Socket, Option<SessionId>) {
        let socket = self.devices.socket(connection(slot), Some(from.into()));
        let joined = socket.identify(identity(says.0, says.1, says.2), self.now);
        (socket, joined.map(|joined| joined.session))
    }

    fn plays(&self, session: &str, name: &str, more: Value) {
        let mut data = json!({"session": session, "user": name, "item": {"id": "f1"}, "state": "playing", "position": 1000});
        data.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let event = Event::from_value(EventKind::Playback, &data).expect("valid");
        let audience = event.audience();
        let mut envelope = Envelope::new(event, audience, "1".into(), 0, 1);
        (envelope.stamped, envelope.accepted) = (self.now.instant, self.now.wall);
        self.devices.fold(&Arc::new(envelope));
    }

    fn session(&self, session: SessionId) -> Session {
        self.devices.find(session, self.now).expect("a session")
    }

    fn position(&self, session: SessionId) -> Option<u64> {
        self.session(session).playing.expect("plays").position_ms
    }

    fn ids(&self) -> Vec<SessionId> {
        self.devices.all(self.now).iter().map(|session| session.id).collect()
    }

    /// Whether that changes what everybody sees, and what the user does.
    fn changes(&self, name: &str, act: impl FnOnce(&Self)) -> (bool, bool) {
        let before = (self.devices.version_at(self.now), self.devices.version_of(&user(name)));
        act(self);
        (self.devices.version_at(self.now) != before.0, self.devices.version_of(&user(name)) != before.1)
    }
}

#[test]
fn one_client_on_one_device_of_one_user_is_one_session_with_the_same_id_on_every_run() {
    let world = World::new();
    let session = world.seen("bob", &device("Web", "d1"), HERE).session;
    assert_eq!(world.seen("bob", &device("Web", "d1"), HERE).session, session);
    assert_eq!(World::new().seen("bob", &device("Web", "d1"), THERE).session, session);
    let others = [("bob", "Web", "d2"), ("bob", "Phone", "d1"), ("eve", "Web", "d1"), ("bob", "Webd", "1")];
    let others = others.map(|(name, client, id)| world.seen(name, &device(client, id), HERE).session);
    assert!(!others.contains(&session));
    assert_eq!(world.ids().len(), 5);
    assert_eq!(session.to_string().parse(), Ok(session));
    assert_eq!(session.to_string().to_uppercase().parse(), Ok(session));
    assert!(session.to_string().len() == 32 && "+0000000000000000000000000000001".parse::<SessionId>().is_err());
}

#[test]
fn the_device_is_shown_as_its_client_describes_it_last() {
    let mut world = World::new();
    let session = world.seen("bob", &device("Web", "d1"), HERE).session;
    world.wait(1);
    let newer = Device { version: "2.0".to_owned(), name: "Kitchen".to_owned(), ..device("Web", "d1") };
    let (all, own) = world.changes("bob", |world| drop(world.seen("bob", &newer, THERE)));
    assert!(all && own);
    let shown = world.session(session);
    assert_eq!((shown.device.as_ref(), shown.address), (&newer, Some(THERE.into())));
    assert_eq!(shown.last_activity, world.now.wall);
}

#[test]
fn nobody_takes_over_a_session_by_naming_its_device() {
    let world = World::new();
    let socket = world.open(1, "bob", &device("Web", "d1"));
    let own = socket.session().expect("attached");
    let other = world.seen("eve", &device("Web", "d1"), HERE).session;
    assert_ne!(own, other);
    assert_eq!(world.devices.latest_socket(own), Some(connection(1)));
    assert_eq!(world.devices.latest_socket(other), None);
    assert_eq!(world.devices.of(&user("eve"), world.now).len(), 1);
}

#[test]
fn a_session_ends_with_its_last_socket_and_one_that_had_none_stays_until_the_log_out() {
    let world = World::new();
    let (first, second) = (world.open(1, "bob", &device("Web", "d1")), world.open(2, "bob", &device("Web", "d1")));
    let quiet = world.seen("bob", &device("Cli", "d2"), HERE).session;
    assert_eq!(first.session(), second.session());
    drop(first);
    assert_eq!(world.ids().len(), 2);
    let (all, own) = world.changes("bob", |_| drop(second));
    assert!(all && own);
    assert_eq!(world.ids(), [quiet]);
    world.devices.log_out(quiet);
    assert!(world.ids().is_empty() && world.devices.of(&user("bob"), world.now).is_empty());
}

#[test]
fn commands_go_to_the_socket_that_was_heard_last() {
    let mut world = World::new();
    let (first, second) = (world.open(1, "bob", &device("Web", "d1")), world.open(2, "bob", &device("Web", "d1")));
    let session = first.session().expect("attached");
    assert_eq!(world.devices.latest_socket(session), Some(connection(2)), "the newer one");
    world.wait(1);
    first.heard(world.now);
    assert_eq!(world.devices.latest_socket(session), Some(connection(1)));
    world.wait(1);
    second.heard(world.now);
    drop(second);
    assert_eq!(world.devices.latest_socket(session), Some(connection(1)));
}

#[test]
fn activity_counts_as_a_change_every_ten_seconds_only() {
    let mut world = World::new();
    let socket = world.open(1, "bob", &device("Web", "d1"));
    for (seconds, expected) in [(5, false), (5, true), (9, false), (1, true)] {
        world.wait(seconds);
        assert_eq!(world.changes("bob", |world| socket.heard(world.now)), (expected, expected));
    }
    assert_eq!(world.session(socket.session().expect("attached")).last_activity, world.now.wall, "yet it is always right");
}

#[test]
fn a_change_of_one_user_is_none_for_another() {
    let world = World::new();
    let session = world.seen("bob", &device("Web", "d1"), HERE).session;
    let (all, others) = world.changes("eve", |world| {
        let shows = Viewing { item_id: "f1".to_owned(), ..Viewing::default() };
        assert!(world.devices.set_viewing(session, Some(shows)).expect("small"));
    });
    assert!(all && !others);
    assert_eq!(world.session(session).viewing.expect("shown").item_id, "f1");
}

#[test]
fn what_a_client_can_is_kept_within_bounds() {
    let world = World::new();
    let session = world.seen("bob", &device("Web", "d1"), HERE).session;
    let can = Capabilities { playable_media_types: vec!["Video".to_owned()], supports_media_control: true, ..Capabilities::default() };
    assert_eq!(world.devices.set_capabilities(session, can.clone()), Ok(true));
    let too_much = Capabilities { more: "x".repeat(5000), ..Capabilities::default() };
    assert_eq!(world.devices.set_capabilities(session, too_much), Err(TooLarge));
    let too_many = Capabilities { supported_commands: vec![String::new(); 1000], ..Capabilities::default() };
    assert_eq!(world.devices.set_capabilities(session, too_many), Err(TooLarge));
    assert_eq!(world.session(session).capabilities.as_deref(), Some(&can));
    assert_eq!(world.devices.set_capabilities(SessionId::of(&device("a", "b"), None), can), Ok(false));
}

#[test]
fn users_of_a_session_see_it_and_come_and_go() {
    let world = World::new();
    let session = world.seen("bob", &device("Web", "d1"), HERE).session;
    assert!(world.devices.add_user(session, &user("eve")) && world.devices.add_user(session, &user("eve")));
    assert_eq!(world.devices.of(&user("eve"), world.now)[0].additional_users, [user("eve")]);
    let (_, own) = world.changes("eve", |world| assert!(world.devices.remove_user(session, &user("eve"))));
    assert!(own && world.devices.of(&user("eve"), world.now).is_empty());
    assert!(world.devices.remove_user(session, &user("bob")) && world.ids() == [session], "its own user stays");
    for n in 0..40 {
        world.devices.add_user(session, &user(&n.to_string()));
    }
    assert_eq!(world.session(session).additional_users.len(), 32);
    world.devices.add_user(session, &user("0"));
    world.devices.forget_user(&user("0"));
    assert_eq!(world.session(session).additional_users.len(), 31);
    assert!(world.devices.users().contains(&user("bob")));
    world.devices.forget_user(&user("bob"));
    assert!(world.ids().is_empty() && world.devices.users().is_empty());
}

#[test]
fn a_socket_joins_only_from_the_address_of_a_request_and_within_five_minutes() {
    let mut world = World::new();
    let session = world.seen("bob", &device("Dashboard", "d1"), HERE).session;
    let said = ("Dashboard", "d1", "1.0");
    assert_eq!(world.nobody(1, HERE, said).1, Some(session));
    for (from, says) in
        [(THERE, said), (HERE, ("Dashboard", "d1", "1.1")), (HERE, ("dashboard", "d1", "1.0")), (HERE, ("Dashboard", "d2", "1.0"))]
    {
        assert_eq!(world.nobody(2, from, says).1, None, "{from:?} {says:?}");
    }
    world.seen("bob", &device("Dashboard", "d1"), HERE);
    world.wait(299);
    assert_eq!(world.nobody(3, HERE, said).1, Some(session));
    world.seen("bob", &device("Dashboard", "d1"), HERE);
    world.wait(300);
    assert_eq!(world.nobody(4, HERE, said).1, None, "too late");
}

#[test]
fn a_socket_is_whose_request_was_the_latest() {
    let mut world = World::new();
    world.seen("bob", &device("Dashboard", "d1"), HERE);
    world.wait(1);
    let latest = world.seen("eve", &device("Dashboard", "d1"), HERE).session;
    world.wait(1);
    world.seen("ann", &device("Dashboard", "d1"), THERE);
    let socket = world.devices.socket(connection(1), Some(HERE.into()));
    let joined = socket.identify(identity("Dashboard", "d1", "1.0"), world.now).expect("joins");
    assert_eq!((joined.session, joined.caller.principal.user.clone()), (latest, Some(user("eve"))));
}

#[test]
fn a_socket_that_waits_is_told_of_by_the_request_it_waited_for() {
    let world = World::new();
    let said = ("Dashboard", "d1", "1.0");
    let (socket, none) = world.nobody(1, HERE, said);
    let (thief, _) = world.nobody(2, THERE, said);
    let (gone, _) = world.nobody(3, HERE, said);
    drop(gone);
    assert_eq!(none, None);
    assert_eq!(world.seen("bob", &Device { version: "1.1".to_owned(), ..device("Dashboard", "d1") }, HERE).joined, []);
    let touched = world.seen("bob", &device("Dashboard", "d1"), HERE);
    assert_eq!(touched.joined, [connection(1)]);
    assert_eq!((socket.session(), thief.session()), (Some(touched.session), None));
    assert_eq!(world.seen("bob", &device("Dashboard", "d1"), HERE).joined, [], "once");
    assert_eq!(world.session(touched.session).n_sockets, 1);
}

#[test]
fn what_plays_advances_by_the_clock_and_not_beyond_its_end() {
    let mut world = World::new();
    let session = world.seen("bob", &device("Web", "d1"), HERE).session;
    let id = session.to_string();
    world.plays(&id, "bob", json!({"duration": 10_000}));
    assert_eq!(world.position(session), Some(1000));
    world.wait(3);
    assert_eq!(world.position(session), Some(4000));
    world.wait(60);
    assert_eq!(world.position(session), Some(10_000));
    world.plays(&id, "bob", json!({"state": "paused", "position": 7000}));
    world.wait(3);
    let playing = world.session(session).playing.expect("plays");
    assert_eq!((playing.position_ms, playing.paused), (Some(7000), true));
    world.plays(&id, "bob", json!({"state": "stopped"}));
    assert!(world.session(session).playing.is_none());
}

#[test]
fn while_something_plays_there_is_a_change_every_second_and_else_none() {
    let mut world = World::new();
    let session = world.seen("bob", &device("Web", "d1"), HERE).session.to_string();
    let changes_in_a_second = |world: &mut World| {
        let before = (world.devices.version_at(world.now), world.devices.version_of(&user("bob")));
        world.wait(1);
        (world.devices.version_at(world.now) != before.0, world.devices.version_of(&user("bob")) != before.1)
    };
    assert_eq!(changes_in_a_second(&mut world), (false, false));
    world.plays(&session, "bob", json!({}));
    assert_eq!(changes_in_a_second(&mut world), (true, true));
    assert_eq!(changes_in_a_second(&mut world), (true, true));
    let version = world.devices.version_at(world.now);
    world.now = world.now.after(Duration::from_millis(500));
    assert_eq!(world.devices.version_at(world.now), version, "not more often");
    world.plays(&session, "bob", json!({"state": "paused"}));
    assert_eq!(changes_in_a_second(&mut world), (false, false));
}

#[test]
fn who_does_not_check_in_for_five_minutes_plays_no_more() {
    let mut world = World::new();
    let session = world.seen("bob", &device("Web", "d1"), HERE).session;
    world.plays(&session.to_string(), "bob", json!({}));
    world.wait(299);
    assert!(world.devices.still_plays(session, world.now));
    world.wait(299);
    assert!(world.session(session).playing.is_some());
    world.wait(1);
    assert!(world.session(session).playing.is_none());
    assert_eq!(world.session(session).last_check_in, Some(crate::clock::Timestamp(world.now.wall.0 - 300_000)));
}

#[test]
fn what_a_client_says_of_one_item_is_not_shown_with_another() {
    let world = World::new();
    let session = world.seen("bob", &device("Web", "d1"), HERE).session;
    let says = CheckIn { item: "f1".to_owned(), position_known: false, more: "{}".to_owned() };
    assert_eq!(world.devices.check_in(session, says.clone(), world.now), Ok(true));
    world.plays(&session.to_string(), "bob", json!({}));
    let playing = world.session(session).playing.expect("plays");
    assert_eq!((playing.check_in.as_deref(), playing.position_ms), (Some(&says), None));
    world.plays(&session.to_string(), "bob", json!({"item": {"id": "f2"}}));
    let playing = world.session(session).playing.expect("plays");
    assert_eq!((playing.check_in, playing.position_ms), (None, Some(1000)));
    assert!(matches!(&playing.told.event, Event::Playback(told) if told.state == PlaybackState::Playing));
}

#[test]
fn a_publisher_speaks_of_a_session_only_for_its_users() {
    let world = World::new();
    let session = world.seen("bob", &device("Web", "d1"), HERE).session;
    let (all, others) = world.changes("eve", |world| world.plays(&session.to_string(), "eve", json!({})));
    assert!(all && others, "it is played somewhere else");
    assert!(world.session(session).playing.is_none());
    world.devices.add_user(session, &user("eve"));
    world.plays(&session.to_string(), "eve", json!({}));
    assert!(world.session(session).playing.is_some());
    assert!(world.devices.plays_as(&session.to_string()) && !world.devices.plays_as("29"));
    world.devices.log_out(session);
    assert!(world.devices.plays_as(&session.to_string()), "its last playback is not listed beside");
}

fn stopped(abandoned: &[Abandoned]) -> Vec<Value> {
    let read = |abandoned: &Abandoned| serde_json::from_str(abandoned.stopped().expect("an event").message()).expect("JSON");
    abandoned.iter().map(read).collect()
}

#[test]
fn what_an_ended_session_played_is_over_unless_its_client_comes_back() {
    let mut world = World::new();
    let socket = world.open(1, "bob", &device("Web", "d1"));
    let session = socket.session().expect("attached");
    world.plays(&session.to_string(), "bob", json!({"size": 1, "checkIn": "started"}));
    drop(socket);
    assert!(world.devices.take_abandoned(world.now).is_empty(), "not at once");
    let socket = world.open(2, "bob", &device("Web", "d1"));
    assert!(world.session(session).playing.is_some(), "it goes on");
    drop(socket);
    world.wait(11);
    let over = stopped(&world.devices.take_abandoned(world.now));
    let position = over[0]["position"].as_u64().expect("a position");
    let expected =
        json!({"session": session.to_string(), "user": "bob", "item": {"id": "f1"}, "size": 1, "state": "stopped", "position": position});
    assert!(over == [expected] && (1000..2000).contains(&position), "{over:?}");
    assert!(world.devices.take_abandoned(world.now).is_empty(), "once");
    let _socket = world.open(3, "bob", &device("Web", "d1"));
    assert!(world.session(session).playing.is_none());
}

#[test]
fn what_somebody_else_ends_or_nobody_speaks_of_is_told_to_be_over_once() {
    let mut world = World::new();
    let session = world.seen("bob", &device("Web", "d1"), HERE).session;
    world.plays(&session.to_string(), "bob", json!({}));
    world.devices.log_out(session);
    world.plays(&session.to_string(), "eve", json!({"state": "stopped"}));
    world.plays(&session.to_string(), "bob", json!({"state": "stopped"}));
    world.wait(60);
    assert!(world.devices.take_abandoned(world.now).is_empty(), "its client said so itself");
    world.seen("bob", &device("Web", "d1"), HERE);
    world.plays(&session.to_string(), "bob", json!({"duration": 9000}));
    world.wait(300);
    world.devices.tidy(world.now);
    assert_eq!(stopped(&world.devices.take_abandoned(world.now))[0]["position"], json!(9000));
    assert!(world.devices.take_abandoned(world.now).is_empty());
}

#[test]
fn of_several_clients_on_a_users_device_the_one_active_last_is_found_by_its_id() {
    let mut world = World::new();
    let found = |world: &World, name: &str, id: &str| world.devices.own_device(&user(name), id).map(|device| device.client.clone());
    world.seen("bob", &device("Web", "d1"), HERE);
    world.wait(1);
    let socket = world.open(1, "bob", &device("Android", "d1"));
    world.wait(1);
    world.seen("bob", &device("Web", "d2"), THERE);
    let lent = world.seen("eve", &device("Web", "of-eve"), HERE).session;
    assert!(world.devices.add_user(lent, &user("bob")));
    assert_eq!(found(&world, "bob", "d1").as_deref(), Some("Android"));
    assert_eq!(found(&world, "bob", "of-eve"), None, "what is lent to him is not his device");
    assert_eq!((found(&world, "eve", "d1"), found(&world, "bob", "d3"), found(&world, "bob", "")), (None, None, None));
    let at = |address: [u8; 4]| world.devices.own_device_at(&user("bob"), address.into()).map(|device| device.id.clone());
    assert_eq!((at(HERE).as_deref(), at(THERE).as_deref(), at([192, 0, 2, 3])), (Some("d1"), Some("d2"), None));
    drop(socket);
    assert_eq!(found(&world, "bob", "d1").as_deref(), Some("Web"), "the other went with its WebSocket");
}
