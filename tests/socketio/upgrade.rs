//! WebSockets that take over from polling: under load, over TLS, between workers, and those that fail.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use fanfare::engineio::Settings;

use super::{
    client::Socket,
    eventually,
    polling::authenticated,
    server::{SUITE, Server},
    told,
};

/// Publishes numbers at that pace until it is told to stop; how many there were.
fn publish(server: &Server, per_second: u64, stop: &Arc<AtomicBool>) -> thread::JoinHandle<u64> {
    let (server, stop) = (server.clone(), Arc::clone(stop));
    thread::spawn(move || {
        let began = Instant::now();
        let mut n_published = 0;
        while !stop.load(Ordering::Relaxed) {
            server.publish(&n_published.to_string());
            n_published += 1;
            let due = Duration::from_micros(n_published * 1_000_000 / per_second);
            thread::park_timeout(due.saturating_sub(began.elapsed()));
        }
        n_published
    })
}

/// The numbers in a body or message.
fn numbers(told: &str) -> Vec<u64> {
    let number = |packet: &str| packet.strip_prefix(r#"42["message",{"text":""#)?.strip_suffix(r#""}]"#)?.parse().ok();
    told.split('\u{1e}').filter_map(number).collect()
}

/// How the WebSocket comes, and so what carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    Tls,
    /// On a connection that has had a request before.
    KeptAlive,
}

/// The client polls, takes over while events come, and goes on.
fn upgrade_under_load(way: Way) {
    let server = Server::speaking("", way == Way::Tls, told::told(Settings::default()));
    let session = authenticated(&server);
    let stop = Arc::new(AtomicBool::new(false));
    let publisher = publish(&server, 1_000, &stop);
    let mut seen = Vec::new();
    while seen.len() < 300 {
        seen.extend(numbers(&session.told()));
    }
    let open = if way == Way::KeptAlive { Socket::open_kept_alive } else { Socket::open };
    let mut socket = open(&server, &session.taking_over());
    socket.say("2probe");
    assert_eq!(socket.text(), "3probe");
    // What comes while it takes over still comes by polling; a client takes over when its GET has returned.
    for _ in 0..20 {
        seen.extend(numbers(&session.told()));
    }
    let n_polled = seen.len();
    thread::park_timeout(Duration::from_millis(30)); // something waits for the next GET, which never comes
    socket.say("5");
    while seen.len() < n_polled + 1_000 {
        seen.extend(numbers(&socket.text_but_pings()));
    }
    stop.store(true, Ordering::Relaxed);
    let n_published = usize::try_from(publisher.join().expect("it ends")).expect("few");
    while seen.len() < n_published {
        seen.extend(numbers(&socket.text_but_pings()));
    }
    let expected: Vec<u64> = (0..n_published as u64).collect();
    assert!(seen == expected, "each once and in order; the first that differs: {:?}", seen.iter().zip(&expected).find(|(a, b)| a != b));
    for answer in [session.get(), session.post("3"), session.post("abc")] {
        assert_eq!((answer.status, &*answer.body), (400, r#"{"code":3,"message":"Bad request"}"#));
    }
    assert_eq!(server.metric("fanfare_connections", &["poll"]), 0);
    let outlet = match way {
        Way::Plain => "plain",
        Way::Tls => "tls",
        Way::KeptAlive => "body",
    };
    assert_eq!(server.metric("fanfare_connections", &[outlet]), 1);
    socket.say(r#"42["x"]"#);
    assert_eq!(socket.text_but_pings(), r#"42["heard"]"#, "what came by polling afterwards changed nothing");
    drop(socket);
    eventually("the session goes with its WebSocket", || server.metric("fanfare_connections", &[]) == 0);
}

#[test]
fn a_client_that_upgrades_under_a_thousand_events_a_second_gets_each_once_and_in_order() {
    upgrade_under_load(Way::Plain);
}

#[test]
fn the_same_over_tls() {
    upgrade_under_load(Way::Tls);
}

#[test]
fn the_same_on_a_connection_that_has_had_requests_before() {
    upgrade_under_load(Way::KeptAlive);
}

#[test]
fn many_clients_upgrade_at_once_on_all_workers() {
    static N_UPGRADED: AtomicU64 = AtomicU64::new(0);
    let server = Server::speaking("", false, told::told(Settings::default()));
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let server = server.clone();
            thread::spawn(move || {
                let session = authenticated(&server);
                let mut socket = Socket::open(&server, &session.taking_over());
                socket.say("2probe");
                socket.say("5");
                assert_eq!(socket.text(), "3probe");
                N_UPGRADED.fetch_add(1, Ordering::Relaxed);
                let mut seen: Vec<u64> = Vec::new();
                while seen.last() != Some(&499) {
                    seen.extend(numbers(&socket.text_but_pings()));
                }
                assert!(seen == (0..500).collect::<Vec<_>>(), "{seen:?}");
            })
        })
        .collect();
    eventually("all have", || N_UPGRADED.load(Ordering::Relaxed) == 16);
    (0..500).for_each(|number| server.publish(&number.to_string()));
    clients.into_iter().for_each(|client| client.join().expect("everything once"));
}

#[test]
fn a_websocket_that_does_not_probe_is_closed_and_polling_goes_on() {
    let server = Server::speaking("", false, told::told(Settings::default()));
    let session = authenticated(&server);
    for words in [&["5"][..], &["4hello"], &["2probe", "4hello"], &["2probe", "2probe"]] {
        let mut socket = Socket::open(&server, &session.taking_over());
        words.iter().for_each(|word| socket.say(word));
        if words[0] == "2probe" {
            assert_eq!(socket.text(), "3probe");
        }
        socket.expect_end();
        server.publish("7");
        assert_eq!(numbers(&session.told()), [7], "{words:?}");
    }
}

#[test]
fn a_websocket_that_goes_while_it_takes_over_costs_nothing() {
    let server = Server::speaking("", false, told::told(Settings::default()));
    let session = authenticated(&server);
    let mut socket = Socket::open(&server, &session.taking_over());
    socket.say("2probe");
    assert_eq!(socket.text(), "3probe");
    assert_eq!(session.told(), "6", "a GET does not wait while it takes over");
    server.publish("7");
    drop(socket);
    let mut told = session.told();
    while told == "6" {
        told = session.told();
    }
    assert_eq!(numbers(&told), [7]);
    let mut again = Socket::open(&server, &session.taking_over());
    again.say("2probe");
    assert_eq!(again.text(), "3probe");
    again.say("5");
    server.publish("8");
    assert_eq!(numbers(&again.text_but_pings()), [8]);
}

#[test]
fn of_two_websockets_the_second_is_closed_and_the_first_takes_over() {
    let server = Server::speaking("", false, told::told(Settings::default()));
    let session = authenticated(&server);
    let mut first = Socket::open(&server, &session.taking_over());
    first.say("2probe");
    assert_eq!(first.text(), "3probe");
    Socket::open(&server, &session.taking_over()).expect_end();
    first.say("5");
    server.publish("7");
    assert_eq!(numbers(&first.text_but_pings()), [7]);
}

#[test]
fn a_websocket_has_so_long_to_take_over() {
    let server = Server::speaking("", false, told::told(Settings { upgrade_timeout: Duration::from_millis(300), ..SUITE }));
    let session = authenticated(&server);
    let began = Instant::now();
    let mut socket = Socket::open(&server, &session.taking_over());
    socket.expect_end();
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[test]
fn the_connection_ends_with_the_session_though_the_client_does_not_close_it() {
    let server = Server::speaking("", false, told::told(Settings::default()));
    for open in [Socket::open, Socket::open_kept_alive] {
        let session = authenticated(&server);
        let mut socket = open(&server, &session.taking_over());
        socket.say("2probe");
        assert_eq!(socket.text(), "3probe");
        socket.say("5");
        socket.say("9"); // no packet of a client
        socket.expect_end();
        assert!(socket.is_closed());
    }
}

#[test]
fn an_unknown_session_is_taken_over_by_nobody() {
    let server = Server::speaking("", false, told::told(Settings::default()));
    let (_, head) = Socket::ask(&server, &format!("{}?EIO=4&transport=websocket&sid=aaaaaaaaaaaaaaaaaaaa", told::PATH));
    assert!(head.starts_with("http/1.1 400 ") && head.contains("content-type: text/html"), "{head}");
}
