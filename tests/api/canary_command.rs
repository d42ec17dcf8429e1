//! `fanfare canary` against a running server: every way there and back, what is off, what is refused, and the figures.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Output, Stdio},
};

use crate::harness::{PATIENCE, PEOPLE, Request, Server, eventually, token_of};

const BIRD: &str = "token-of-bird-0123456789abcdef0123456789";

/// A user made for it, who hears what is for him and may publish nothing else.
fn people() -> String {
    format!("{PEOPLE}\n[[users]]\nid = \"bird\"\n\n[[tokens]]\ntoken = \"{BIRD}\"\nuser = \"bird\"\npublish = {{ types = [\"raw\"] }}\n")
}

fn command(server: &Server, token: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
    // The data directory holds the certificate of a server that speaks TLS.
    let data = server.data();
    command.env_clear().env("FANFARE_TOKEN", token).env("FANFARE_URL", server.url()).stdin(Stdio::null());
    command.args(["canary", "--data-dir"]).arg(data).args(arguments);
    // A machine that is busy with other tests must not fail this one.
    if !arguments.contains(&"--timeout") {
        command.args(["--timeout", "20"]);
    }
    command
}

fn canary(server: &Server, token: &str, arguments: &[&str]) -> Output {
    command(server, token, arguments).output().expect("it runs")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

const WAYS: [&str; 5] = ["sse", "plex-sse", "plex-ws", "mediabrowser", "socketio"];

fn every_way_works(server: &Server) {
    let output = canary(server, BIRD, &["--audience", "user:bird"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for way in WAYS {
        assert!(said.lines().any(|line| line.starts_with(way) && line.contains(" delivered in ")), "{way}: {said}");
    }
    assert!(!said.contains(BIRD), "{said}");
}

#[test]
fn the_event_comes_back_every_way() {
    every_way_works(&Server::start(&people()));
}

#[test]
fn the_event_comes_back_every_way_over_tls() {
    every_way_works(&Server::start_tls(&people()));
}

#[test]
fn once_it_prints_what_prometheus_reads() {
    let server = Server::start(&people());
    let output = canary(&server, BIRD, &["--audience", "user:bird", "--once", "--ways", "plex-ws,sse"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for line in ["fanfare_canary_up{way=\"sse\"} 1", "fanfare_canary_up{way=\"plex-ws\"} 1", "fanfare_canary_publish_up 1"] {
        assert!(said.lines().any(|found| found == line), "{line} is not in {said}");
    }
    let seconds = said.lines().find_map(|line| line.strip_prefix("fanfare_canary_delivery_seconds{way=\"sse\"} ")?.parse::<f64>().ok());
    assert!(seconds.is_some_and(|seconds| seconds > 0.0 && seconds < 20.0), "{said}");
    assert!(!said.contains("socketio"), "it was not asked for: {said}");
}

#[test]
fn a_protocol_that_is_off_fails_only_where_it_is_named() {
    let server = Server::start(&format!("{}\n[dialects.plex]\nenabled = false\n", people()));
    let all = canary(&server, BIRD, &["--audience", "user:bird"]);
    assert_eq!(all.status.code(), Some(0), "{}", text(&all));
    assert!(text(&all).lines().any(|line| line.starts_with("plex-sse") && line.contains("left out")), "{}", text(&all));
    let named = canary(&server, BIRD, &["--audience", "user:bird", "--ways", "sse,plex-sse"]);
    assert_eq!(named.status.code(), Some(1), "{}", text(&named));
    assert!(text(&named).contains("sse           delivered in"), "{}", text(&named));
}

#[test]
fn what_is_refused_is_told_by_its_exit_code() {
    let server = Server::start(&people());
    let wrong = canary(&server, "wrong-0123456789abcdef0123456789", &[]);
    assert_eq!(wrong.status.code(), Some(3), "{}", text(&wrong));
    let reader = canary(&server, &token_of("reader"), &["--audience", "user:reader"]);
    assert_eq!(reader.status.code(), Some(3), "he may not publish: {}", text(&reader));
    // An event that is for somebody else does not come, and that is a failure.
    let deaf = canary(&server, BIRD, &["--audience", "user:reader", "--timeout", "1", "--ways", "sse"]);
    assert_eq!(deaf.status.code(), Some(1), "{}", text(&deaf));
    assert!(text(&deaf).contains("the event did not come within 1.0 s"), "{}", text(&deaf));
    let usage = canary(&server, BIRD, &["--timeout", "0"]);
    assert_eq!(usage.status.code(), Some(2), "{}", text(&usage));
    let address = server.address();
    drop(server);
    let gone = Command::new(env!("CARGO_BIN_EXE_fanfare"))
        .env_clear()
        .args(["canary", "--url", &format!("http://{address}"), "--token", BIRD])
        .output()
        .expect("it runs");
    assert_eq!(gone.status.code(), Some(4), "{}", text(&gone));
}

/// A canary that goes on, and the address of its figures.
struct Listening {
    child: Child,
    address: String,
}

impl Listening {
    fn start(server: &Server) -> Self {
        let arguments = ["--audience", "user:bird", "--listen", "127.0.0.1:0", "--every", "0.2"];
        // A server that starts again has other ports: its run file tells them.
        let mut command = command(server, BIRD, &arguments);
        let mut child = command.env_remove("FANFARE_URL").stderr(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stderr.take().expect("piped")).read_line(&mut line).expect("a line");
        let address = line.split_once("http://").and_then(|(_, rest)| rest.split_once("/metrics")).expect("an address").0.to_owned();
        Self { child, address }
    }

    fn figures(&self) -> String {
        Request::new("GET", "/metrics").header("connection", "close").send_to(&self.address).expect("it answers").body
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It may have ended by itself, which its test has seen.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[test]
fn it_goes_on_while_the_server_is_away_and_shows_it() {
    let mut server = Server::start(&people());
    let canary = Listening::start(&server);
    let shows = |line: &str| eventually(line, PATIENCE * 3, || canary.figures().lines().any(|found| found == line).then_some(()));
    shows("fanfare_canary_up{way=\"socketio\"} 1");
    server.kill_and_restart(|| {
        shows("fanfare_canary_up{way=\"socketio\"} 0");
        shows("fanfare_canary_publish_up 0");
    });
    shows("fanfare_canary_up{way=\"socketio\"} 1");
    let rounds = |text: &str| text.lines().find_map(|line| line.strip_prefix("fanfare_canary_rounds_total ")?.parse::<u64>().ok());
    assert!(rounds(&canary.figures()).is_some_and(|rounds| rounds >= 3), "{}", canary.figures());
}
