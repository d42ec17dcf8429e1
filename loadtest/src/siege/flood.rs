//! Floods: publishers as fast as they are answered, and connections in all states of being half-done.

use super::attack::Field;
use super::server::{CROWD, FLOODER};
use crate::clock::{self, SECOND, now_ns};
use crate::failure::Failure;
use crate::http::{self, Response};
use socket2::{Domain, Socket, Type};
use std::collections::VecDeque;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Events of one request.
const BATCH: u64 = 200;
/// Bytes of one event, its line feed included.
const EVENT_BYTES: usize = 1024;
/// Connections between two looks at the clock.
const BURST: u64 = 20;

/// Publishes batch after batch: at so many events a second, or as fast as the server answers.
pub(super) fn publish(field: &Field, rate: Option<u64>) {
    let began = now_ns();
    let mut batches = 0;
    while !field.is_over() {
        if let Some(rate) = rate {
            // Never earlier than due.
            clock::sleep_until(began + batches * BATCH * SECOND / rate.max(1));
        }
        batches += 1;
        let accepted = one_batch(field).unwrap_or(0);
        field.published.fetch_add(accepted, Relaxed);
        if accepted < BATCH {
            field.publish_refused.fetch_add(1, Relaxed);
            clock::sleep_ms(10);
        }
    }
}

/// One POST on a connection of its own; how many of its events were accepted.
fn one_batch(field: &Field) -> Result<u64, Failure> {
    let mut stream = http::connect(field.address)?;
    let line = line();
    let mut request = format!(
        "POST /api/events HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {FLOODER}\r\nContent-Type: application/x-ndjson\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n",
        field.address,
        line.len() as u64 * BATCH
    );
    (0..BATCH).for_each(|_| request.push_str(&line));
    stream.write_all(request.as_bytes()).map_err(|error| Failure::io("flood", error))?;
    let mut response = Response::read_head(stream)?;
    let mut body = Vec::new();
    while response.read_some(&mut body)? {}
    let text = String::from_utf8_lossy(&body);
    Ok(text.lines().filter(|line| line.contains("\"order\"")).count() as u64)
}

fn line() -> String {
    let event = |pad: &str| {
        format!(
            "{{\"type\":\"medias\",\"data\":{{\"library\":\"flood\",\"medias\":[{{\"action\":\"Updated\",\
             \"media\":{{\"id\":\"m\",\"name\":\"{pad}\",\"type\":\"photo\"}}}}]}}}}\n"
        )
    };
    event(&"x".repeat(EVENT_BYTES - event("").len()))
}

/// Connects at a rate from ever other source addresses, does one of five things, and keeps the last `open` of them.
pub(super) fn connect(field: &Field, open: usize, per_second: u64) {
    let mut kept: VecDeque<TcpStream> = VecDeque::with_capacity(open);
    let began = now_ns();
    let mut number = 0;
    while !field.is_over() {
        clock::sleep_until(began + number * SECOND / per_second.max(1));
        for _ in 0..BURST {
            number += 1;
            match one_connection(field, number) {
                Ok(stream) => {
                    field.connected.fetch_add(1, Relaxed);
                    kept.push_back(stream);
                }
                Err(_) => {
                    field.connect_failed.fetch_add(1, Relaxed);
                }
            }
        }
        while kept.len() > open {
            kept.pop_front();
        }
    }
}

fn one_connection(field: &Field, number: u64) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_linger(Some(Duration::ZERO))?;
    let [.., high, low] = (number % 60_000).to_be_bytes();
    socket.bind(&SocketAddrV4::new(Ipv4Addr::new(127, 9, high, low.max(1)), 0).into())?;
    socket.connect_timeout(&field.address.into(), Duration::from_secs(2))?;
    let mut stream = TcpStream::from(socket);
    stream.set_write_timeout(Some(Duration::from_secs(1)))?;
    let host = field.address;
    let text = match number % 5 {
        0 => String::new(), // says nothing
        1 => format!("GET /sse HTTP/1.1\r\nHost: {host}\r\nX-Half: "),
        2 => format!("GET /sse?token=wrong-{number} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        3 => format!("GET /sse?libraries=flood HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {CROWD}\r\n\r\n"),
        _ => format!(
            "POST /api/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {FLOODER}\r\nContent-Length: 1000\r\n\r\n{{\"half\""
        ),
    };
    stream.write_all(text.as_bytes())?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_flood_is_json_of_the_stated_size() {
        let line = line();
        assert_eq!(line.len(), EVENT_BYTES);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["data"]["library"], "flood");
    }
}
