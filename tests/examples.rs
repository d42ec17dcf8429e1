//! The examples of the README, run: each against a server that really serves.
//!
//! Needs python3 and node, as `./test` does; nothing is skipped where one is missing.
#![allow(clippy::expect_used, reason = "a test says what it expects")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
    time::Duration,
};

use fanfare::{app, config::Settings};
use tempfile::TempDir;

/// How long a client waits for what must come; used up only by a failure.
const PATIENCE: Duration = Duration::from_secs(10);

fn start(folder: &TempDir) -> app::Handle {
    let settings = format!("[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\ndata_dir = {:?}\n", folder.path());
    app::spawn(Settings::parse(&settings).expect("valid settings")).expect("the server starts")
}

/// A client of `/sse` that has been answered: what is published from now on reaches it.
fn listen(address: SocketAddr, token: &str, query: &str) -> impl BufRead + use<> {
    let mut socket = TcpStream::connect(address).expect("the server listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out can be set");
    write!(socket, "GET /sse?{query} HTTP/1.1\r\nHost: fanfare\r\nAuthorization: Bearer {token}\r\n\r\n").expect("the request is sent");
    let mut reader = BufReader::new(socket);
    let mut status = String::new();
    reader.read_line(&mut status).expect("a status line");
    assert!(status.starts_with("HTTP/1.1 200"), "{status}");
    reader
}

/// The data of the next events, in order.
fn next_data(reader: &mut impl BufRead, n_events: usize) -> Vec<String> {
    let data = reader.lines().map(|line| line.expect("an event within the time-out"));
    data.filter_map(|line| line.strip_prefix("data: ").map(str::to_owned)).take(n_events).collect()
}

fn output(command: &mut Command) -> Output {
    let program = command.get_program().to_string_lossy().into_owned();
    command.output().unwrap_or_else(|error| panic!("cannot run `{program}`: {error}"))
}

fn assert_success(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr));
    text
}

fn publish_from(interpreter: &str, script: &str, greeting: &str, first_id: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = start(&folder);
    let token = server.run_token().expose().to_owned();
    let mut client = listen(server.address(), &token, "events=medias,message");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(script);
    let url = format!("http://{}", server.address());

    let answers = assert_success(&output(Command::new(interpreter).arg(&script).env("FANFARE_URL", &url).env("FANFARE_TOKEN", &token)));
    assert_eq!(answers.lines().filter(|line| line.starts_with("200 ") && line.contains("\"order\"")).count(), 6, "{answers}");
    // A message has another key than the medias of a library: their order among each other is not kept.
    let received = next_data(&mut client, 6);
    assert!(received.iter().any(|data| data.contains(greeting)), "{received:?}");
    let medias: Vec<_> = received.iter().filter(|data| data.starts_with("{\"Medias\"")).collect();
    assert!(medias.len() == 5 && medias[0].contains(first_id), "{received:?}");

    let refused = output(Command::new(interpreter).arg(&script).env("FANFARE_URL", &url).env("FANFARE_TOKEN", "wrong"));
    assert!(!refused.status.success(), "a refused event is a failure of the script");
    server.stop();
    let mut rest = String::new();
    client.read_to_string(&mut rest).expect("the stream ends when the server stops");
    assert!(rest.contains("retry: "), "a client is told when to come back: {rest:?}");
}

#[test]
fn the_python_script_publishes_one_event_and_a_stream() {
    publish_from("python3", "publish.py", "hello from python", "py0");
}

#[test]
fn the_node_script_publishes_one_event_and_a_stream() {
    publish_from("node", "publish.mjs", "hello from node", "js0");
}

/// A way to the server on which the first connection is told to wait, the second that there is no room, and the third
/// loses its answer; all later ones pass.
fn bad_way(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let refuse = |mut near: TcpStream, status: &str| {
        read_request(&mut near);
        write!(near, "HTTP/1.1 {status}\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").expect("it is listened to");
    };
    thread::spawn(move || {
        for (number, near) in listener.incoming().enumerate() {
            let mut near = near.expect("a connection");
            match number {
                0 => refuse(near, "429 Too Many Requests"),
                1 => refuse(near, "503 Service Unavailable"),
                2 => {
                    let mut far = TcpStream::connect(server).expect("the server listens");
                    far.write_all(&read_request(&mut near)).expect("it takes the request");
                    assert_ne!(far.read(&mut [0; 1]).expect("it answers"), 0, "no answer that could be lost");
                }
                _ => {
                    let far = TcpStream::connect(server).expect("the server listens");
                    let (near_too, far_too) = (near.try_clone().expect("a handle"), far.try_clone().expect("a handle"));
                    thread::spawn(move || copy(near, &far));
                    thread::spawn(move || copy(far_too, &near_too));
                }
            }
        }
    });
    address
}

/// A request whose head tells the length of its body.
fn read_request(near: &mut TcpStream) -> Vec<u8> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        near.read_exact(&mut byte).expect("a whole head");
        request.extend(byte);
    }
    let head = String::from_utf8_lossy(&request).to_lowercase();
    let length = head.split_once("content-length: ").and_then(|(_, rest)| rest.split_once("\r\n")).map(|(length, _)| length.parse());
    let mut body = vec![0; length.expect("a length").expect("a number")];
    near.read_exact(&mut body).expect("a whole body");
    request.extend(body);
    request
}

fn copy(mut from: TcpStream, mut to: &TcpStream) {
    // An end on one side is the end of the other.
    let _ended = std::io::copy(&mut from, &mut to);
    let _gone = to.shutdown(Shutdown::Write);
}

fn publish_on_a_bad_way(interpreter: &str, script: &str, greeting: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = start(&folder);
    let token = server.run_token().expose().to_owned();
    let mut client = listen(server.address(), &token, "events=medias,message");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(script);
    let url = format!("http://{}", bad_way(server.address()));

    let answers = assert_success(&output(Command::new(interpreter).arg(&script).env("FANFARE_URL", &url).env("FANFARE_TOKEN", &token)));
    assert!(answers.lines().next().is_some_and(|line| line.starts_with("200 ") && line.contains("\"duplicate\":true")), "{answers}");
    let mut received = next_data(&mut client, 6);
    server.stop();
    let mut rest = String::new();
    client.read_to_string(&mut rest).expect("the stream ends when the server stops");
    received.push(rest);
    assert_eq!(received.concat().matches(greeting).count(), 1, "sent twice and delivered once: {received:?}");
}

#[test]
fn the_python_script_tries_again_and_nothing_is_delivered_twice() {
    publish_on_a_bad_way("python3", "publish.py", "hello from python");
}

#[test]
fn the_node_script_tries_again_and_nothing_is_delivered_twice() {
    publish_on_a_bad_way("node", "publish.mjs", "hello from node");
}

#[test]
fn the_embedding_program_publishes_from_a_thread_and_from_a_runtime_and_ends() {
    let text = assert_success(&output(Command::new(example("embed")).arg("3")));
    assert!(text.contains("listening on http://127.0.0.1:"), "{text}");
    assert_eq!(text.matches("scanner: published").count(), 3, "{text}");
    assert!(text.contains("player: published p3"), "{text}");
    assert!(text.ends_with("stopped\n"), "{text}");
}

#[test]
fn the_folder_scan_tells_what_is_new_and_the_second_time_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let films = folder.path().join("films");
    std::fs::create_dir(&films).expect("a folder of films");
    for name in ["a.mkv", "b.mkv", "c.mkv"] {
        std::fs::write(films.join(name), name).expect("a film");
    }
    let scan = || assert_success(&output(Command::new(example("folder_scan")).arg(&films).arg(folder.path().join("store.redb"))));
    let (first, second) = (scan(), scan());
    assert!(first.contains("\"finished\"") && first.contains("1 messages, "), "{first}");
    assert!(second.contains("0 messages, 0 bytes"), "{second}");
}

/// `cargo test` builds the examples beside the test binaries, unless only one test target was asked for.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let built = test.parent().and_then(Path::parent).expect("target/PROFILE/deps/TEST").join("examples").join(name);
    if !built.exists() {
        assert_success(&output(
            Command::new(env!("CARGO")).args(["build", "--locked", "--example", name]).current_dir(env!("CARGO_MANIFEST_DIR")),
        ));
    }
    built
}
