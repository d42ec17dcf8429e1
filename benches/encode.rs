//! What does it cost to make one frame of an event, once per frame format?
//!
//! Run it with `cargo bench --bench encode`. The event's frame has 267 bytes, the size the design's figures are for.

use criterion::{Criterion, criterion_group, criterion_main};
use fanfare::{
    dialect::redseat::{Spelling, formats},
    event::{Envelope, EventKind, samples::sample_event},
};

fn encode(criterion: &mut Criterion) {
    for (name, spelling) in [("document", Spelling::Document), ("server", Spelling::Server)] {
        let event = sample_event(EventKind::Medias);
        let audience = event.audience();
        let envelope = Envelope::new(event, audience, "e1".into(), 0, 1);
        let format = formats(spelling, false).abridged;
        criterion.bench_function(&format!("redseat {name}: encode medias"), |bencher| bencher.iter(|| format.encode(&envelope)));
    }
}

criterion_group!(benches, encode);
criterion_main!(benches);
