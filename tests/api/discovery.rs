//! Questions for a server on the local network, by UDP.

use std::{net::UdpSocket, time::Duration};

use serde_json::Value;

use crate::harness::{PATIENCE, Request, SILENCE, Server, eventually};

/// A UDP address that nobody has now.
fn free() -> String {
    UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").to_string()
}

fn settings(address: &str, more: &str) -> String {
    format!("[dialects.mediabrowser]\ndiscovery = \"{address}\"\n{more}")
}

/// What is answered within that time.
fn ask(address: &str, question: &[u8], patience: Duration) -> Option<String> {
    let asker = UdpSocket::bind("127.0.0.1:0").expect("a port");
    asker.set_read_timeout(Some(patience)).expect("an option");
    asker.send_to(question, address).expect("sent");
    let mut buffer = [0; 1024];
    let length = asker.recv(&mut buffer).ok()?;
    Some(String::from_utf8(buffer[..length].to_vec()).expect("text"))
}

#[test]
fn each_generation_finds_the_server_under_the_id_it_keeps() {
    let address = free();
    let mut server = Server::start(&settings(&address, ""));
    let told = ask(&address, b"who is MediaBrowserServer?", PATIENCE).expect("answered");
    assert_eq!(told, format!("MediaBrowserServer|{}", server.address()));
    let id = |question: &[u8], server: &Server| {
        let told: Value = serde_json::from_str(&ask(&address, question, PATIENCE).expect("answered")).expect("JSON");
        assert_eq!((&told["Address"], &told["Name"]), (&server.url().into(), &"Fanfare".into()));
        let id = told["Id"].as_str().expect("an id").to_owned();
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)), "{id}");
        id
    };
    let first = id(b"who is JellyfinServer?", &server);
    let info = Request::new("GET", "/System/Info/Public").send(&server).json();
    assert_eq!(info["Id"], first.as_str(), "the same as in its system info");
    server.restart();
    assert_eq!(id(b"Who is EmbyServer?", &server), first);
    server.stop();
    eventually("its address is free again", PATIENCE, || UdpSocket::bind(&address).ok());
}

#[test]
fn nothing_is_answered_unless_it_is_asked_for() {
    for more in ["enabled = false", ""] {
        let address = free();
        let settings = if more.is_empty() { String::new() } else { settings(&address, more) };
        let _server = Server::start(&settings);
        assert!(UdpSocket::bind(&address).is_ok(), "{more}");
    }
    let address = free();
    let _server = Server::start(&settings(&address, ""));
    assert_eq!(ask(&address, b"who are you?", SILENCE), None);
    let asker = UdpSocket::bind("127.0.0.1:0").expect("a port");
    asker.set_read_timeout(Some(SILENCE)).expect("an option");
    for _ in 0..100 {
        asker.send_to(b"who is JellyfinServer?", &address).expect("sent");
    }
    let answered = std::iter::repeat_with(|| asker.recv(&mut [0; 1024])).take_while(Result::is_ok).count();
    assert!((10..=40).contains(&answered), "{answered}: 20 in a second, and this is less than two");
}
