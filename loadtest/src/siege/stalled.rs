//! Readers that open a stream with the smallest receive buffer there is, and never read from it.

use super::attack::Field;
use super::server::STALLED;
use crate::clock::{self, SECOND, now_ns};
use crate::failure::Failure;
use crate::http::Response;
use socket2::{Domain, SockRef, Socket, Type};
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Bytes of receive buffer asked for; the kernel gives its own minimum.
const RECEIVE_BUFFER: usize = 1024;
/// How long one is kept that was never seen to be cut: behind a shut window a closing cannot arrive.
const KEPT_NS: u64 = 60 * SECOND;

/// Keeps so many of them open until it is over; one the server has cut is opened again.
pub(super) fn readers(field: &Field, wanted: usize) {
    let mut open: Vec<(TcpStream, u64)> = Vec::with_capacity(wanted);
    while !field.is_over() {
        let now = now_ns();
        let before = open.len();
        open.retain(|(stream, _)| !was_cut(stream));
        field.stalled_cut.fetch_add((before - open.len()) as u64, Relaxed);
        open.retain(|(_, since)| now - since < KEPT_NS);
        for _ in open.len()..wanted {
            if field.is_over() {
                return;
            }
            match one(field) {
                Ok(stream) => {
                    field.stalled_opened.fetch_add(1, Relaxed);
                    open.push((stream, now_ns()));
                }
                // Full, or busy with the others: it tries again.
                Err(_) => break,
            }
        }
        clock::sleep_ms(500);
    }
}

fn was_cut(stream: &TcpStream) -> bool {
    stream.take_error().is_ok_and(|error| error.is_some())
}

/// A stream that was let in; what comes behind its head is left in the kernel.
fn one(field: &Field) -> Result<TcpStream, Failure> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).map_err(|error| Failure::io("stalled", error))?;
    let set = socket.set_recv_buffer_size(RECEIVE_BUFFER).and_then(|()| socket.set_linger(Some(Duration::ZERO)));
    set.map_err(|error| Failure::io("stalled", error))?;
    socket.connect_timeout(&field.address.into(), Duration::from_secs(5)).map_err(|error| Failure::io("stalled", error))?;
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(5))).map_err(|error| Failure::io("stalled", error))?;
    let head = format!("GET /sse?libraries=flood HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {STALLED}\r\n\r\n", field.address);
    stream.write_all(head.as_bytes()).map_err(|error| Failure::io("stalled", error))?;
    let reading = stream.try_clone().map_err(|error| Failure::io("stalled", error))?;
    let response = Response::read_head(reading)?;
    if response.status != 200 {
        return Err(Failure::new(format!("stalled: answered {}", response.status)));
    }
    // The clone shares this option: a dropped stream resets instead of waiting for what nobody reads.
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    Ok(stream)
}
