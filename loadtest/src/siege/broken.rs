//! Broken input: known tricks in turn, and requests whose bytes were changed at random places.

use super::attack::Field;
use super::server::FLOODER;
use crate::clock;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddrV4, TcpStream};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Milliseconds between two of them: it is their kind that counts, the floods count by number.
const PAUSE_MS: u64 = 10;
/// Seed of the changes, fixed so that every siege sends the same.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Sends one after another until it is over.
pub(super) fn requests(field: &Field) {
    let tricks = tricks(field.address);
    let mut random = Random(SEED);
    for number in 0.. {
        if field.is_over() {
            return;
        }
        let mut bytes = tricks[number % tricks.len()].clone();
        if number >= tricks.len() {
            random.spoil(&mut bytes);
        }
        field.broken_sent.fetch_add(1, Relaxed);
        if answered(field.address, &bytes) {
            field.broken_answered.fetch_add(1, Relaxed);
        }
        clock::sleep_ms(PAUSE_MS);
    }
}

/// Whether anything came back, the end of the connection included, within a moment.
fn answered(address: SocketAddrV4, bytes: &[u8]) -> bool {
    let timeout = Duration::from_millis(100);
    let Ok(mut stream) = TcpStream::connect_timeout(&address.into(), Duration::from_secs(2)) else { return false };
    if stream.set_read_timeout(Some(timeout)).is_err() || stream.set_write_timeout(Some(timeout)).is_err() {
        return false;
    }
    // A server that refuses early may close while it is written.
    let _ = stream.write_all(bytes);
    stream.read(&mut [0; 512]).is_ok()
}

fn tricks(address: SocketAddrV4) -> Vec<Vec<u8>> {
    let post = format!("POST /api/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {FLOODER}\r\n");
    let nested = format!("{{\"type\":\"medias\",\"data\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000));
    let body = |body: &str| format!("{post}Content-Length: {}\r\n\r\n{body}", body.len());
    let mut tricks: Vec<Vec<u8>> = [
        format!("{post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("{post}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
        format!("{post}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx\r\n"),
        format!("{post}Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n"),
        format!("{post}Content-Length: 18446744073709551616\r\n\r\nx"),
        format!("{post}Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
        "GET /sse HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(),
        format!("GET /sse HTTP/9.9\r\nHost: {address}\r\n\r\n"),
        format!("GET /sse HTTP/1.1\r\nHost: {address}\r\n{}\r\n", "X-Many: y\r\n".repeat(200)),
        format!("GET /{} HTTP/1.1\r\nHost: {address}\r\n\r\n", "x".repeat(200_000)),
        format!("GET /sse HTTP/1.1\r\nHost: {address}\r\nX-Fold: a\r\n b\r\n\r\n"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        body(&nested),
        body("{\"type\":\"medias\",\"data\":{\"library\":\"other\",\"medias\":[]}}"),
        body("{\"type\":"),
        body("[[[[{}]]]]"),
    ]
    .map(String::into_bytes)
    .into();
    tricks.push(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec());
    tricks.push([post.as_bytes(), b"Content-Length: 4\r\n\r\n\xff\xfe\x00\x80"].concat());
    tricks.push((0..=255).cycle().take(70_000).collect());
    tricks
}

/// Marsaglia's xorshift64: enough to choose places.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (end.max(1) as u64)).unwrap_or(0)
    }

    /// Changes, drops or doubles a few bytes.
    fn spoil(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(8) {
            let at = self.below(bytes.len());
            match self.below(3) {
                0 if at < bytes.len() => bytes[at] = self.0.to_le_bytes()[3],
                1 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, b"\r\n\0 :,{\""[self.below(8)]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spoiled_requests_differ_from_sound_ones_and_are_the_same_every_time() {
        let spoiled = || {
            let mut random = Random(SEED);
            let mut bytes = b"GET /sse HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
            (0..20).for_each(|_| random.spoil(&mut bytes));
            bytes
        };
        assert_eq!(spoiled(), spoiled());
        assert_ne!(spoiled(), b"GET /sse HTTP/1.1\r\nHost: x\r\n\r\n");
    }
}
