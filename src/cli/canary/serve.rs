//! Shows the figures to whoever asks for `/metrics`: one short answer a connection, one connection at a time.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use super::metrics::Tally;

/// How long one who asks may take.
const PATIENCE: Duration = Duration::from_secs(2);
const MAX_HEAD_BYTES: usize = 8 * 1024;

/// Listens on a thread of its own, until the process ends; the address it has.
pub(super) fn start(address: SocketAddr, tally: Tally) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let own = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Somebody who asks badly is nobody's problem but his.
            _ = answer(stream, &tally);
        }
    });
    Ok(own)
}

fn answer(mut stream: TcpStream, tally: &Tally) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let (mut head, mut buffer) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|four| four == b"\r\n\r\n") && head.len() < MAX_HEAD_BYTES {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            n_read => head.extend_from_slice(&buffer[..n_read]),
        }
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.strip_prefix("GET ").and_then(|rest| rest.split([' ', '?']).next());
    let (status, body) = if path == Some("/metrics") { ("200 OK", tally.text()) } else { ("404 Not Found", "see /metrics\n".to_owned()) };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_metrics_are_served() {
        let address = start("127.0.0.1:0".parse().expect("an address"), Tally::default()).expect("it listens");
        for (request, wanted) in [
            ("GET /metrics HTTP/1.1\r\n\r\n", "200 OK"),
            ("GET / HTTP/1.1\r\n\r\n", "404 Not Found"),
            ("POST /metrics HTTP/1.1\r\n\r\n", "404 Not Found"),
        ] {
            let mut stream = TcpStream::connect(address).expect("it is there");
            stream.write_all(request.as_bytes()).expect("taken");
            let mut text = String::new();
            stream.read_to_string(&mut text).expect("text");
            assert!(text.starts_with(&format!("HTTP/1.1 {wanted}\r\n")), "{request}: {text}");
        }
    }
}
