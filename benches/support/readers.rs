//! Clients on a thread of their own: they read, and count the events they were sent.

use std::{
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Clients of one address.
pub(crate) struct Readers {
    sockets: mpsc::Sender<TcpStream>,
    n_events: Arc<AtomicU64>,
}

impl Readers {
    /// That many clients connect to the address, send the request and read from then on.
    pub(crate) fn connect(address: SocketAddr, n_clients: usize, request: &'static [u8]) -> Self {
        let n_events = Arc::new(AtomicU64::new(0));
        let (sockets, to_read) = mpsc::channel::<TcpStream>();
        let counted = Arc::clone(&n_events);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
            runtime.block_on(async {
                // Ends when the sender is dropped and every client has been taken over; the process ends the readers.
                let clients = to_read.iter().take(n_clients).map(|socket| tokio::spawn(read(socket, request, Arc::clone(&counted))));
                for client in clients.collect::<Vec<_>>() {
                    client.await.expect("a client does not panic");
                }
            });
        });
        let readers = Self { sockets, n_events };
        for _ in 0..n_clients {
            let socket = TcpStream::connect(address).expect("a listener on loopback");
            socket.set_nonblocking(true).expect("a plain socket");
            readers.sockets.send(socket).expect("the thread lives");
        }
        readers
    }

    /// Events received by all clients together.
    pub(crate) fn n_events(&self) -> u64 {
        self.n_events.load(Ordering::Acquire)
    }
}

async fn read(socket: TcpStream, request: &[u8], n_events: Arc<AtomicU64>) {
    let mut socket = tokio::net::TcpStream::from_std(socket).expect("inside a runtime");
    socket.write_all(request).await.expect("the server reads");
    let mut buffer = vec![0; 16 * 1024];
    let mut last = 0;
    while let Ok(n_bytes @ 1..) = socket.read(&mut buffer).await {
        // An event ends with a blank line; heads and chunk sizes hold none that begins with a bare newline.
        let mut n_ends = 0;
        for byte in &buffer[..n_bytes] {
            n_ends += u64::from(*byte == b'\n' && last == b'\n');
            last = *byte;
        }
        n_events.fetch_add(n_ends, Ordering::Release);
    }
}
