//! How much is kept, and for how long.

use super::*;

#[test]
fn a_user_with_many_devices_loses_his_own_only() {
    let mut world = World::new();
    let other = world.seen("eve", &device("Web", "d1"), HERE).session;
    let socket = world.open(1, "bob", &device("Web", "first"));
    for n in 0..200 {
        world.wait(1);
        world.seen("bob", &device("Web", &n.to_string()), HERE);
    }
    assert_eq!(world.devices.of(&user("bob"), world.now).len(), 64);
    assert!(world.ids().contains(&other) && world.ids().contains(&socket.session().expect("attached")), "also not those in use");
    assert_eq!(world.devices.all(world.now)[0].device.id, "199", "the one active last comes first");
}

#[test]
fn sessions_nobody_uses_are_forgotten_and_nothing_is_left_of_them() {
    let mut world = World::new();
    for n in 0..10 {
        let (_socket, _) = world.nobody(n, HERE, ("Web", "x", "1.0"));
        world.seen("bob", &device("Web", &n.to_string()), HERE);
    }
    let _open = world.open(99, "bob", &device("Web", "open"));
    world.wait(12 * 3600);
    world.devices.tidy(world.now);
    assert_eq!(world.ids().len(), 1, "one with a socket stays");
    drop(_open);
    world.devices.table.lock().expect_empty();
}

#[test]
fn the_caller_of_a_request_is_not_kept_longer_than_he_lets_anybody_in() {
    let mut world = World::new();
    let caller = caller("bob");
    let device = device("Web", "d1");
    world.devices.seen(&Seen { caller: &caller, device: &device, address: Some(HERE.into()) }, world.now);
    assert_eq!(Arc::strong_count(&caller.principal), 2);
    world.wait(300);
    world.devices.tidy(world.now);
    assert_eq!(Arc::strong_count(&caller.principal), 1);
}

#[test]
fn a_session_is_small() {
    let world = World::new();
    let _socket = world.open(1, "bob", &device("Jellyfin Web", "TW96aWxsYS81LjAgKFgxMTsgTGludXggeDg2XzY0KQ"));
    let n_bytes = world.devices.table.lock().n_bytes();
    assert!(n_bytes < 1024, "{n_bytes} bytes for a session without anything special");
}

#[test]
fn sessions_lent_to_a_user_take_none_of_his_own_places() {
    let mut world = World::new();
    let first = world.seen("bob", &device("Web", "0"), HERE).session;
    for number in 1..=63 {
        world.wait(1);
        let lent = world.seen("eve", &device("Web", &format!("e{number}")), HERE).session;
        assert_eq!(world.devices.add_user(lent, &user("bob")), number <= 32, "so many are shown to him");
        world.seen("bob", &device("Web", &number.to_string()), HERE);
    }
    assert!(world.devices.find(first, world.now).is_some());
    world.seen("bob", &device("Web", "64"), HERE);
    assert!(world.devices.find(first, world.now).is_none());
}

#[test]
fn the_room_of_many_sessions_is_given_back_when_they_have_ended() {
    let world = World::new();
    let sockets: Vec<_> = (0..5_000).map(|slot| world.open(slot, "bob", &device("Web", &format!("d{slot}")))).collect();
    assert!(world.devices.table.lock().room() >= 5_000);
    drop(sockets);
    let room = world.devices.table.lock().room();
    assert!(room < 2_500, "room for {room}, and none there");
}
