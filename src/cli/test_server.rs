//! A server for the clients' tests: on a port of its own, it answers one connection after another with given texts.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    thread::JoinHandle,
};

/// A running script.
pub(super) struct TestServer {
    /// The server's base address.
    pub(super) url: String,
    thread: JoinHandle<Vec<Request>>,
}

/// A request the server got.
#[derive(Debug)]
pub(super) struct Request {
    /// Request line and headers.
    pub(super) head: String,
    /// The body.
    pub(super) body: String,
}

impl TestServer {
    /// Answers the n-th connection with the n-th text, closes it, and ends after the last.
    pub(super) fn answering(replies: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let thread = std::thread::spawn(move || {
            replies
                .iter()
                .map(|reply| {
                    let (mut stream, _) = listener.accept().expect("a connection");
                    let request = read_request(&mut BufReader::new(&stream));
                    // The client may have gone, which its test then sees.
                    _ = stream.write_all(reply.as_bytes());
                    request
                })
                .collect()
        });
        Self { url, thread }
    }

    /// The requests, after the last one was answered.
    pub(super) fn requests(self) -> Vec<Request> {
        self.thread.join().expect("the script ran")
    }
}

fn read_request(stream: &mut dyn BufRead) -> Request {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).expect("a head") > 0 {}
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a number"))];
    stream.read_exact(&mut body).expect("a body");
    Request { head: head.to_ascii_lowercase(), body: String::from_utf8(body).expect("text") }
}

/// A complete answer with a body, after which the connection is closed.
pub(super) fn reply(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}
