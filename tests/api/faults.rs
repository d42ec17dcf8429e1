//! Clients and publishers that are slow, silent, broken or too many: they are freed in time, and nobody else notices.
//!
//! Descriptors and CPU are the kernel's own figures of the server's process, from /proc.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    process::Command,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use crate::harness::{Launch, PATIENCE, PEOPLE, Request, Server, Sse, connect, connect_deaf, eventually, medias, token_of};

/// How many attackers of each kind there are.
const MANY: usize = 300;

/// Limits short enough for a test; the witness pings more often than these.
const SHORT_LIMITS: &str = "\n[limits]\nhead = \"2s\"\nbody = \"2s\"\n";

/// Hundredths of a second of CPU, user and kernel, the process has used.
fn cpu_ticks(server: &Server) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid())).expect("it runs");
    let (_, fields) = stat.rsplit_once(')').expect("the name in brackets");
    fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}

fn descriptors(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("it runs").count()
}

/// A short wait that nothing can end early.
fn rest(time: Duration) {
    let (_open, tick) = mpsc::channel::<()>();
    let _nobody_sends = tick.recv_timeout(time);
}

/// Runs `attack` while a healthy client is sent a numbered event every 50 ms; it must get every one, once and in order. Gives
/// back the longest time one took, and what the attack gave.
fn with_a_witness<T>(server: &Server, attack: impl FnOnce() -> T) -> (Duration, T) {
    let mut sse = Sse::open(server, "/sse?events=medias", &token_of("reader"));
    let (over, sent) = (AtomicBool::new(false), mpsc::channel());
    thread::scope(|scope| {
        let (over, publish) = (&over, sent.0);
        scope.spawn(move || {
            for number in 0.. {
                let began = Instant::now();
                server.publish_all(&[medias("lib1", &format!("w{number}"))]);
                publish.send(began).expect("the reader waits for the end");
                if over.load(Ordering::Relaxed) {
                    return;
                }
                rest(Duration::from_millis(50));
            }
        });
        let reader = scope.spawn(move || {
            let mut longest = Duration::ZERO;
            for (number, began) in sent.1.iter().enumerate() {
                let data = sse.expect("medias").data;
                assert!(data.contains(&format!("\"w{number}\"")), "event {number} was expected, this came: {data}");
                longest = longest.max(began.elapsed());
            }
            longest
        });
        // The publisher must end also when the attack has failed, or the failure would never be told.
        let end = SetAtEnd(over);
        let came = attack();
        drop(end);
        (reader.join().expect("the witness is whole"), came)
    })
}

struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// So many connections that have said this much, and then one byte of `drip` after another, half a second apart, until the
/// server is rid of them all; gives the time that took. The clients never close.
fn until_all_are_freed(server: &Server, opening: &str, drip: &[u8], patience: Duration) -> Duration {
    let before = descriptors(server);
    let began = Instant::now();
    let mut held: Vec<TcpStream> = (0..MANY).map(|_| connect(server)).collect();
    for stream in &mut held {
        stream.write_all(opening.as_bytes()).expect("a new connection takes some bytes");
    }
    let last = held.last().expect("there are many");
    last.set_read_timeout(Some(Duration::from_millis(1))).expect("a TCP option");
    // Strangers may be answered and freed before all of them are there.
    eventually("all are connected, or answered", PATIENCE, || {
        (descriptors(server) >= before + MANY * 9 / 10 || last.peek(&mut [0]).is_ok()).then_some(())
    });
    let mut next = Instant::now();
    let mut drops = drip.iter().cycle();
    // Publishing and metrics come and go meanwhile, one connection each.
    eventually("all are freed", patience, || {
        if !drip.is_empty() && Instant::now() >= next {
            next += Duration::from_millis(500);
            let byte = [*drops.next().expect("endless")];
            for stream in &mut held {
                let _freed_already = stream.write_all(&byte);
            }
        }
        (descriptors(server) <= before + 3).then_some(())
    });
    began.elapsed()
}

fn freed_in(opening: &str, drip: &[u8], limit: Duration) {
    let server = Server::start(&format!("{PEOPLE}{SHORT_LIMITS}"));
    Request::new("GET", "/healthz").send(&server);
    let (longest, freed) = with_a_witness(&server, || until_all_are_freed(&server, opening, drip, limit));
    assert!(longest < Duration::from_secs(2), "the witness waited {longest:?}");
    assert!(freed <= limit, "{freed:?}");
    assert_eq!(Request::new("GET", "/readyz").send(&server).status, 200);
}

#[test]
fn silent_connections_are_freed() {
    freed_in("", b"", Duration::from_secs(5));
}

#[test]
fn slow_heads_are_freed_however_they_drip() {
    freed_in("GET /sse HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"a", Duration::from_secs(6));
}

#[test]
fn slow_second_heads_are_freed_however_they_drip() {
    freed_in("GET /nothing-here HTTP/1.1\r\nHost: x\r\n\r\nGET /sse HTTP/1.1\r\n", b"a", Duration::from_secs(8));
}

#[test]
fn one_byte_after_an_answer_does_not_hold_a_connection() {
    let server = Server::start(&format!("{PEOPLE}{SHORT_LIMITS}"));
    let before = descriptors(&server);
    let mut stream = connect(&server);
    stream.set_read_timeout(Some(PATIENCE)).expect("a TCP option");
    for _ in 0..2 {
        stream.write_all(&Request::new("GET", "/healthz").bytes("x", false)).expect("taken");
        let mut answer = Vec::new();
        while !answer.ends_with(b"ok\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("an answer on the same connection");
            answer.push(byte[0]);
        }
        rest(Duration::from_millis(100));
    }
    stream.write_all(b"G").expect("taken");
    eventually("it is freed", Duration::from_secs(5), || (descriptors(&server) <= before).then_some(()));
}

#[test]
fn bodies_that_rest_are_freed() {
    let head = format!("POST /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n", token_of("publisher"));
    freed_in(&format!("{head}Content-Length: 1000\r\n\r\n{{\"type\":\""), b"", Duration::from_secs(8));
}

#[test]
fn bodies_that_drip_are_freed() {
    let head = format!("POST /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n", token_of("publisher"));
    freed_in(&format!("{head}Content-Length: 100000\r\n\r\n{{\"type\":\""), b"a", Duration::from_secs(10));
}

#[test]
fn bodies_of_strangers_are_freed() {
    let head = "POST /api/events HTTP/1.1\r\nHost: x\r\n";
    freed_in(&format!("{head}Content-Length: 100000\r\n\r\n{{\"type\":\""), b"a", Duration::from_secs(10));
}

/// Debian's slowhttptest, an attacker we did not write; what it said at its end.
fn slowhttptest(server: &Server, path: &str, arguments: &[&str]) -> String {
    let mut command = Command::new("slowhttptest");
    command.args(["-c", "300", "-r", "300", "-i", "1", "-l", "12", "-p", "2", "-u", &format!("{}{path}", server.url())]).args(arguments);
    let output = command.output().unwrap_or_else(|error| panic!("slowhttptest (Debian's package of that name) is needed: {error}"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The service stays up, all are freed, and a witness notices nothing.
fn holds_against_slowhttptest(path: &str, arguments: &[&str]) {
    let server = Server::start(&format!("{PEOPLE}{SHORT_LIMITS}"));
    let before = descriptors(&server);
    let (longest, said) = with_a_witness(&server, || slowhttptest(&server, path, arguments));
    assert!(!said.contains("service available:   NO") && said.contains("Exit status"), "{said}");
    // A slow reader is rid of only when it has read what the kernel holds for it; for the server that is over long before.
    assert!(said.contains("No open connections left") || arguments.contains(&"-X"), "the server did not free them all: {said}");
    assert!(longest < Duration::from_secs(2), "the witness waited {longest:?}");
    eventually("descriptors are back", PATIENCE, || (descriptors(&server) <= before + 1).then_some(()));
}

#[test]
fn slowhttptests_slow_heads_do_not_take_the_service_away() {
    holds_against_slowhttptest("/sse", &["-H"]);
}

#[test]
fn slowhttptests_slow_bodies_do_not_take_the_service_away() {
    holds_against_slowhttptest("/api/events", &["-B", "-s", "8192"]);
}

#[test]
fn slowhttptests_slow_readers_do_not_take_the_service_away() {
    holds_against_slowhttptest("/sse", &["-X", "-k", "3"]);
}

/// The clients keep their sockets open and never read: what they asked for stops moving, and they are let go of.
fn freed_although_they_never_read(address: &str, server: &Server, asked: &str) {
    let before = descriptors(server);
    let mut deaf: Vec<TcpStream> = (0..10).map(|_| connect_deaf(address)).collect();
    for client in &mut deaf {
        // Some may be let go of before all is written.
        let _ = client.write_all(asked.as_bytes());
    }
    eventually("they are let go of", PATIENCE, || (descriptors(server) <= before).then_some(()));
    for client in &mut deaf {
        let mut begin = [0; 12];
        client.read_exact(&mut begin).expect("it was answered, as long as there was room");
        assert_eq!(&begin, b"HTTP/1.1 200");
    }
}

#[test]
fn whoever_asks_and_never_reads_is_let_go_of() {
    let server = Server::start(&format!("{PEOPLE}{SHORT_LIMITS}[engine]\nstall_limit = \"1s\"\n"));
    // More than any kernel holds for a client.
    let pages = "GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n".repeat(2000);
    freed_although_they_never_read(&server.address(), &server, &pages);
    let figures = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2000);
    freed_although_they_never_read(&server.metrics_address(), &server, &figures);
}

#[test]
fn a_stream_on_a_kept_alive_connection_that_nobody_reads_gives_its_socket_back() {
    let server = Server::start(&format!("{PEOPLE}{SHORT_LIMITS}[engine]\nstall_limit = \"1s\"\n"));
    let before = descriptors(&server);
    let mut deaf = connect_deaf(&server.address());
    let stream = format!("GET /sse HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", token_of("reader"));
    deaf.write_all(format!("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n{stream}").as_bytes()).expect("taken");
    eventually("it is a stream", PATIENCE, || (server.metric("fanfare_connections") == 1.0).then_some(()));
    let mut large = medias("lib1", "m1");
    large["data"]["medias"][0]["media"]["overview"] = "x".repeat(100_000).into();
    eventually("both its place and its socket are free again", PATIENCE, || {
        server.publish_all(&vec![large.clone(); 10]);
        (server.metric("fanfare_connections") == 0.0 && descriptors(&server) <= before).then_some(())
    });
}

#[test]
fn a_publisher_that_sends_half_publishes_nothing_and_is_told_so_in_time() {
    let server = Server::start(&format!("{PEOPLE}{SHORT_LIMITS}"));
    let mut sse = Sse::open(&server, "/sse", &token_of("reader"));
    let before = descriptors(&server);
    let event = medias("lib1", "half").to_string();
    let head = format!(
        "POST /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        token_of("publisher"),
        event.len() + 1
    );
    // All of the event, and one byte less than announced.
    let mut waiting = connect(&server);
    waiting.write_all(format!("{head}{event}").as_bytes()).expect("taken");
    let began = Instant::now();
    waiting.set_read_timeout(Some(PATIENCE)).expect("a TCP option");
    let mut answer = Vec::new();
    waiting.read_to_end(&mut answer).expect("an answer, and the end");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!((Duration::from_secs(1)..Duration::from_secs(6)).contains(&began.elapsed()), "{:?}", began.elapsed());

    // The same, and a reset.
    let reset = connect(&server);
    (&reset).write_all(format!("{head}{event}").as_bytes()).expect("taken");
    eventually("it is being read", PATIENCE, || (descriptors(&server) > before).then_some(()));
    socket2::SockRef::from(&reset).set_linger(Some(Duration::ZERO)).expect("a socket option");
    drop(reset);
    eventually("both connections are freed", PATIENCE, || (descriptors(&server) <= before).then_some(()));

    server.publish_all(&[medias("lib1", "whole")]);
    assert!(sse.expect("medias").data.contains("\"whole\""), "nothing of the halves was published");
}

#[test]
fn a_head_of_127_kib_byte_by_byte_costs_little_cpu() {
    let server = Server::start(PEOPLE);
    let (began, before) = (Instant::now(), cpu_ticks(&server));
    let mut stream = connect(&server);
    stream.set_read_timeout(Some(Duration::from_millis(1))).expect("a TCP option");
    let head = format!("GET /sse HTTP/1.1\r\nHost: x\r\nX-Long: {}", "a".repeat(127 << 10));
    let mut answer = Vec::new();
    for byte in head.as_bytes() {
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
    }
    stream.set_read_timeout(Some(PATIENCE)).expect("a TCP option");
    // A reset after the answer is the end, too.
    let _end = stream.read_to_end(&mut answer);
    let used = cpu_ticks(&server) - before;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer:?} after {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert!(used < 100, "{used} hundredths of a second of CPU");
}

/// 256 descriptors; the server raises its soft limit to the hard one, so both are set.
const FEW: Launch = Launch { wrap: &["prlimit", "--nofile=256:256"], log: "", arguments: &[] };

/// A publisher that was there before the descriptors ran out: one NDJSON body, line after line.
struct Streaming(TcpStream);

impl Streaming {
    fn open(server: &Server) -> Self {
        let mut stream = connect(server);
        let head = format!(
            "POST /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n",
            token_of("publisher")
        );
        stream.write_all(head.as_bytes()).expect("taken");
        Self(stream)
    }

    fn publish(&mut self, id: &str) {
        let line = format!("{}\n", medias("lib1", id));
        self.0.write_all(format!("{:x}\r\n{line}\r\n", line.len()).as_bytes()).expect("the publisher's connection holds");
    }
}

/// Percent of a CPU the server uses over that time.
fn cpu_percent(server: &Server, time: Duration) -> f64 {
    let (before, began) = (cpu_ticks(server), Instant::now());
    rest(time);
    (cpu_ticks(server) - before) as f64 / began.elapsed().as_secs_f64()
}

/// 400 streams asked for; those that were answered with one, and the others, which wait or were sent away.
fn four_hundred(server: &Server) -> (Vec<TcpStream>, Vec<TcpStream>) {
    let request = Request::new("GET", "/sse").bearer(&token_of("publisher")).bytes(&server.address(), false);
    let mut asked: Vec<TcpStream> = (0..400).map(|_| connect(server)).collect();
    for stream in &mut asked {
        stream.write_all(&request).expect("the kernel takes it");
    }
    rest(Duration::from_secs(1));
    asked.into_iter().partition(|stream| {
        stream.set_nonblocking(true).expect("a TCP option");
        let mut buffer = [0; 2048];
        let answer = match (&*stream).read(&mut buffer) {
            Ok(length) => String::from_utf8_lossy(&buffer[..length]).into_owned(),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                String::new()
            }
        };
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 200"), "{answer}");
        // Sent away is a stream, too, whose only line is the hint when to come back.
        answer.starts_with("HTTP/1.1 200") && !answer.contains("retry:") && !answer.contains("content-length")
    })
}

/// Too many for the descriptors: idle while full, good to those who are in, and back when some leave.
fn survives_four_hundred(settings: &str) {
    let mut server = Server::launch("127.0.0.1:0", &format!("{PEOPLE}{settings}"), FEW);
    let mut existing = Sse::open(&server, "/sse", &token_of("reader"));
    let mut publisher = Streaming::open(&server);
    publisher.publish("before");
    assert!(existing.expect("medias").data.contains("\"before\""));

    let (mut inside, outside) = four_hundred(&server);
    assert!((150..256).contains(&inside.len()), "{} of 400 are in, {} are not\n{}", inside.len(), outside.len(), server.log());
    let percent = cpu_percent(&server, Duration::from_secs(3));
    assert!(percent < 10.0, "{percent:.0} % of a CPU while full");
    for number in 0..20 {
        publisher.publish(&format!("full{number}"));
        assert!(existing.expect("medias").data.contains(&format!("\"full{number}\"")), "who is in is served");
    }

    drop(outside);
    inside.truncate(inside.len() - 50);
    let mut later = eventually("a place is given again", PATIENCE, || {
        let sse = Sse::ask(&server, &Request::new("GET", "/sse").bearer(&token_of("owner")));
        rest(Duration::from_millis(50));
        (sse.head().status == 200 && server.connections("?limit=1000").body.contains("\"owner\"")).then_some(sse)
    });
    publisher.publish("after");
    assert!(later.expect("medias").data.contains("\"after\""));
    assert!(existing.expect("medias").data.contains("\"after\""));
    drop((existing, later, publisher, inside));
    assert!(server.stop().success(), "{}", server.log());
    assert!(server.log().lines().count() < 100, "the log is not flooded:\n{}", server.log());
}

#[test]
fn more_clients_than_the_limit_of_descriptors_allows_are_sent_away() {
    survives_four_hundred("");
}

#[test]
fn accepting_rests_when_descriptors_run_out_and_goes_on_when_some_are_back() {
    survives_four_hundred("\n[limits]\nconnections = 10000\n");
}
