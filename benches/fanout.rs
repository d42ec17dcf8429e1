//! What does it cost to bring one event to 1,000 clients of one worker, until the last of them has it, and what would
//! it cost with a mailbox per connection?
//!
//! Run one case with `cargo bench --bench fanout -- "one group"`. Clients read over loopback TCP on a thread of their
//! own; the clock stops only when all of them have the event, so nothing hides in a queue.

#![expect(clippy::expect_used, reason = "a bench that cannot set itself up has nothing to measure")]

#[path = "support/engine.rs"]
mod engine;
#[path = "support/readers.rs"]
mod readers;
#[path = "support/textbook.rs"]
mod textbook;

use std::{
    net::TcpListener,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fanfare::{
    connection::{Connection, Outlet, SocketOptions},
    dialect::redseat::{Spelling, formats},
    event::{Encoded, Envelope},
};

use self::{
    engine::{Engine, event},
    readers::Readers,
    textbook::Textbook,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const N_CLIENTS: usize = 1_000;

/// A hub with clients that read.
struct Stage {
    runtime: tokio::runtime::Runtime,
    engine: Engine,
    connections: Vec<Rc<Connection>>,
    readers: Readers,
}

impl Stage {
    fn new(own_groups: bool, n_unrelated: usize) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let accepting =
            std::thread::spawn(move || listener.incoming().take(N_CLIENTS).map(|socket| socket.expect("a client")).collect::<Vec<_>>());
        let readers = Readers::connect(address, N_CLIENTS, b"");
        let sockets = accepting.join().expect("accepts");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        let mut engine = Engine::new(4096);
        engine.join_unrelated(n_unrelated);
        let connections = runtime.block_on(async {
            let mut connections = Vec::new();
            for (number, socket) in sockets.into_iter().enumerate() {
                socket.set_nonblocking(true).expect("a plain socket");
                let socket = tokio::net::TcpStream::from_std(socket).expect("inside a runtime");
                socket.writable().await.expect("open");
                let options = SocketOptions { send_buffer: 128 << 10, notsent_lowat: 16 << 10, user_timeout: None };
                let outlet = Outlet::plain(socket, options).expect("options of a TCP socket");
                let filter = engine.filter(if own_groups { number } else { 0 });
                connections.push(engine.join(outlet, filter));
            }
            connections
        });
        Self { runtime, engine, connections, readers }
    }

    /// Brings the event to everybody that many times, one after another.
    fn deliver(&mut self, envelope: &Arc<Envelope>, n_times: u64) -> Duration {
        let Self { runtime, engine, connections, readers } = self;
        runtime.block_on(async {
            let start = Instant::now();
            let before = readers.n_events();
            for round in 1..=n_times {
                engine.hub.offer(envelope);
                while engine.hub.flush_chunk() {}
                while readers.n_events() < before + round * N_CLIENTS as u64 {
                    if connections.iter().any(|connection| connection.blocked_since().is_some()) {
                        tokio::task::yield_now().await;
                        retry(engine, connections);
                    }
                }
            }
            start.elapsed()
        })
    }
}

/// What the sessions' tasks do for sockets that were full.
fn retry(engine: &mut Engine, connections: &[Rc<Connection>]) {
    for connection in connections.iter().filter(|connection| connection.blocked_since().is_some()) {
        connection.unblock();
        engine.hub.make_ready(connection);
    }
    while engine.hub.flush_chunk() {}
}

fn fanout(criterion: &mut Criterion) {
    let _limit = rlimit::increase_nofile_limit(16_384).expect("descriptors for every client");
    let mut group = criterion.benchmark_group("one event to 1,000 clients");
    group.throughput(Throughput::Elements(N_CLIENTS as u64)).sample_size(20);
    let envelope = event();
    let cases = [
        ("one group", false, 0),
        ("one group, 10,000 others", false, 10_000),
        ("a group each", true, 0),
        ("a group each, 10,000 others", true, 10_000),
    ];
    for (name, own_groups, n_unrelated) in cases {
        let mut stage = Stage::new(own_groups, n_unrelated);
        group.bench_function(name, |bencher| bencher.iter_custom(|n_times| stage.deliver(&envelope, n_times)));
    }
    let Encoded::Frame(frame) = envelope.frame(formats(Spelling::Document, false).abridged) else { return };
    let textbook = Textbook::start();
    let readers = Readers::connect(textbook.address, N_CLIENTS, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    while textbook.n_sessions() < N_CLIENTS {
        std::thread::yield_now();
    }
    group.bench_function("textbook: actor and mailbox each", |bencher| {
        bencher.iter_custom(|n_times| {
            let start = Instant::now();
            let before = readers.n_events();
            for round in 1..=n_times {
                textbook.publish(frame);
                while readers.n_events() < before + round * N_CLIENTS as u64 {
                    std::thread::yield_now();
                }
            }
            start.elapsed()
        });
    });
    group.finish();
}

criterion_group!(benches, fanout);
criterion_main!(benches);
