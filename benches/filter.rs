//! What does it cost to decide who gets an event, and does it grow with groups the event is not for?
//!
//! Run one case with `cargo bench --bench filter -- "10,000 others"`. Nothing is written here: the sessions take nothing.

#![expect(clippy::expect_used, reason = "a bench that cannot set itself up has nothing to measure")]

#[path = "support/engine.rs"]
mod engine;

use std::rc::Rc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fanfare::connection::Outlet;

use self::engine::{Engine, event};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const N_GROUPS: usize = 1_000;

fn admits(criterion: &mut Criterion) {
    let engine = Engine::new(64);
    let envelope = event();
    let (wanted, unwanted) = (engine.filter(0), engine.unrelated(0));
    assert!(wanted.admits(&envelope, None) && !unwanted.admits(&envelope, None));
    criterion.bench_function("filter admits", |bencher| bencher.iter(|| wanted.admits(&envelope, None)));
    criterion.bench_function("filter refuses", |bencher| bencher.iter(|| unwanted.admits(&envelope, None)));
}

fn offer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("offer to 1,000 groups");
    group.throughput(Throughput::Elements(N_GROUPS as u64));
    let envelope = event();
    for (name, n_unrelated) in [("no others", 0), ("10,000 others", 10_000), ("50,000 others", 50_000)] {
        let mut engine = Engine::new(64);
        engine.join_unrelated(n_unrelated);
        for number in 0..N_GROUPS {
            let filter = engine.filter(number);
            engine.join(Outlet::body(Rc::default()), filter);
        }
        group.bench_function(name, |bencher| bencher.iter(|| engine.hub.offer(&envelope)));
    }
    group.finish();
}

criterion_group!(benches, admits, offer);
criterion_main!(benches);
