//! Request heads that are too long, too many-headed or too slow, on the way every request takes that is no plain stream.

use std::{
    fmt::Write as _,
    io::{Read, Write},
    time::{Duration, Instant},
};

use crate::harness::{PATIENCE, Request, Server, connect};

#[test]
fn a_head_with_more_than_96_headers_or_128_kib_is_refused() {
    let server = Server::start("");
    let with_headers = |n: usize| (0..n).fold(Request::new("GET", "/readyz"), |request, n| request.header(&format!("x-{n}"), "1"));
    // `host` and `connection` are two more.
    assert_eq!(with_headers(94).send(&server).status, 200);
    let refused = with_headers(95).send(&server).status;
    assert!(matches!(refused, 400 | 431), "{refused}");
    let refused = Request::new("GET", "/readyz").header("x-long", &"x".repeat(200 << 10)).send(&server).status;
    assert!(matches!(refused, 400 | 431), "{refused}");
    assert_eq!(Request::new("GET", "/readyz").send(&server).status, 200, "nobody else is affected");
}

#[test]
fn a_head_that_comes_a_byte_at_a_time_is_refused_when_its_time_is_over_and_costs_little() {
    let server = Server::start("[limits]\nhead = \"2s\"\n");
    let mut slow = connect(&server);
    let mut head = "GET /readyz HTTP/1.1\r\nhost: x\r\n".to_owned();
    for n in 0..90 {
        write!(head, "x-{n}: {}\r\n", "x".repeat(1400)).expect("a String takes everything");
    }
    let cpu = server.metric("process_cpu_seconds_total");
    let began = Instant::now();
    slow.set_read_timeout(Some(Duration::from_millis(1))).expect("a TCP option");
    let mut said = Vec::new();
    for byte in head.as_bytes() {
        // The millisecond that the answer is waited for is the pause between two bytes.
        let _gone = slow.write_all(std::slice::from_ref(byte));
        let mut buffer = [0; 1024];
        match slow.read(&mut buffer) {
            Ok(n) => {
                said.extend_from_slice(&buffer[..n]);
                break;
            }
            Err(_) => assert!(began.elapsed() < PATIENCE, "it may go on for ever"),
        }
    }
    assert!(said.starts_with(b"HTTP/1.1 408"), "{:?}", String::from_utf8_lossy(&said));
    // The HTTP server looks at a clock that is up to half a second old.
    assert!(began.elapsed() >= Duration::from_secs(1), "too soon: {:?}", began.elapsed());
    let used = server.metric("process_cpu_seconds_total") - cpu;
    assert!(used < 1.0, "{used} s of processor time for one slow client");
}
