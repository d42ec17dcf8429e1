//! `Identity`: a socket without a token becomes the device's whose request came from the same address, and no thief's.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream},
    time::Duration,
};

use serde_json::{Value, json};

use super::{Device, Socket, publish, sentinel, start, types};
use crate::harness::{Frame, Request, SILENCE, Server, WebSocket, token_of};

/// A connection from another address of this machine.
fn from(address: Ipv4Addr, server: &Server) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddrV4::new(address, 0).into()).expect("every address of 127/8 is ours");
    let to: SocketAddr = server.address().parse().expect("an address");
    socket.connect(&to.into()).expect("the server accepts");
    socket.into()
}

fn of_nobody_from(address: Ipv4Addr, server: &Server) -> Socket {
    let socket = Socket(WebSocket::ask_over(server, from(address, server).into(), Request::new("GET", "/mediabrowser")));
    assert_eq!(socket.0.head().status, 101);
    socket
}

fn for_reader() -> Value {
    json!({"type": "message", "data": {"text": "for reader alone", "to": "user:reader"}})
}

#[test]
fn a_socket_joins_the_session_of_an_earlier_request_and_one_that_came_first_joins_at_the_request() {
    let server = start();
    for (first, kind) in [(true, "text"), (false, "text"), (true, "binary"), (false, "binary")] {
        let id = format!("{first}-{kind}");
        let device = Device::new(&server, "reader", &id);
        let mut socket = Socket::of_nobody(&server);
        let say = |socket: &mut Socket, data: &str| {
            if kind == "text" { socket.say("Identity", data) } else { socket.say_in_binary("Identity", data) }
        };
        let identity = format!("Test|{id}|1.0{}", if first { "" } else { "|A device" });
        if first {
            device.get("/Sessions");
            say(&mut socket, &identity);
            socket.is_heard();
        } else {
            say(&mut socket, &identity);
            socket.is_heard();
            publish(&server, &[for_reader(), sentinel()]);
            assert_eq!(socket.within(SILENCE), None, "nobody is told nothing");
            device.get("/Sessions");
        }
        publish(&server, &[for_reader()]);
        assert_eq!(socket.expect("MessageCommand")["Data"]["Text"], "for reader alone", "{id}");
        assert_eq!(device.session()["SupportsRemoteControl"], true, "it is a socket of the session");
    }
}

#[test]
fn a_thief_who_sends_somebodys_identity_gets_nothing_of_his() {
    let server = start();
    let device = Device::new(&server, "reader", "d1");
    let mut own = Socket::of_nobody(&server);
    let mut thief = of_nobody_from(Ipv4Addr::new(127, 0, 0, 66), &server);
    thief.say("Identity", "Test|d1|1.0");
    thief.say("SessionsStart", "0,500");
    thief.is_heard();
    device.get("/Sessions");
    own.say("Identity", "Test|d1|1.0");
    own.is_heard();
    thief.say("Identity", "Test|d1|1.0");
    thief.is_heard();
    let id = device.session_id();
    device.does(&format!("/Sessions/{id}/Playing/Pause"), &Value::Null);
    publish(&server, &[for_reader(), sentinel()]);
    assert_eq!(types(&own.before_sentinel()), ["Playstate", "UpdatePlaystate", "MessageCommand"]);
    assert_eq!(thief.within(Duration::from_secs(1)), None, "not even what is for everybody");
}

#[test]
fn what_was_subscribed_to_by_nobody_is_told_once_it_is_known_whose_it_is() {
    let server = start();
    let mut socket = Socket::of_nobody(&server);
    socket.say("SessionsStart", "0,500");
    socket.say("Identity", "Test|d1|1.0");
    socket.is_heard();
    assert_eq!(socket.within(2 * SILENCE), None);
    Device::new(&server, "reader", "d1").get("/Sessions");
    assert_eq!(socket.expect("Sessions")["Data"][0]["DeviceId"], "d1");
}

#[test]
fn two_users_of_one_device_have_a_session_each() {
    let server = start();
    let [reader, owner] = ["reader", "owner"].map(|who| Device::new(&server, who, "shared"));
    let (mut of_reader, mut of_owner) = (reader.socket("/socket"), owner.socket("/socket"));
    let [id, other] = [&reader, &owner].map(Device::session_id);
    assert_ne!(id, other);
    reader.does(&format!("/Sessions/{id}/Playing/Pause"), &Value::Null);
    assert_eq!(owner.post(&format!("/Sessions/{id}/Playing/Pause"), &Value::Null).status, 404);
    of_reader.expect("Playstate");
    assert_eq!((of_reader.within(SILENCE), of_owner.within(SILENCE)), (None, None));
}

#[test]
fn nobody_becomes_a_key() {
    let server = start();
    for first in [true, false] {
        let key = Device::new(&server, "admin-key", if first { "k1" } else { "k2" });
        let mut socket = Socket::of_nobody(&server);
        if first {
            key.get("/Sessions");
        }
        socket.say("Identity", &format!("Test|{}|1.0", key.id));
        socket.is_heard();
        key.get("/Sessions");
        socket.say("SessionsStart", "0,500");
        publish(&server, &[sentinel()]);
        assert_eq!(socket.within(2 * SILENCE), None, "neither what is for everybody nor what an administrator sees");
    }
}

#[test]
fn another_version_another_client_and_another_device_are_not_the_same() {
    let server = start();
    Device::new(&server, "reader", "d1").get("/Sessions");
    for data in ["Test|d1|1.1", "test|d1|1.0", "Test|d2|1.0", "Test|d1", "Test", "", "Test|d1|"] {
        let mut socket = Socket::of_nobody(&server);
        socket.say("Identity", data);
        socket.is_heard();
        publish(&server, &[for_reader(), sentinel()]);
        assert_eq!(socket.within(SILENCE), None, "{data}");
    }
}

#[test]
fn whoever_says_nothing_is_closed_and_with_the_switch_off_nobody_comes_in() {
    let server = start();
    let mut socket = Socket::of_nobody(&server);
    let off = Server::start(&format!("{}\n[dialects.mediabrowser]\nidentity = false\n", super::people()));
    assert_eq!(WebSocket::ask(&off, Request::new("GET", "/mediabrowser")).head().status, 403);
    let with_token = WebSocket::ask(&off, Request::new("GET", &format!("/mediabrowser?api_key={}", token_of("reader"))));
    assert_eq!(with_token.head().status, 101);
    assert_eq!(socket.0.next_frame(Duration::from_secs(15)), Some(Frame::Close(Some(1008))));
}

#[test]
fn an_identity_does_not_change_whose_a_socket_with_a_token_is() {
    let server = start();
    Device::new(&server, "root", "admin").get("/Sessions");
    let mut socket = Device::new(&server, "reader", "d1").socket("/mediabrowser");
    socket.say("Identity", "Test|admin|1.0");
    socket.is_heard();
    socket.say("SessionsStart", "0,500");
    let sessions = socket.expect("Sessions")["Data"].take();
    assert!(sessions.as_array().expect("a list").iter().all(|session| session["DeviceId"] == "d1"), "{sessions}");
}
