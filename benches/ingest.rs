//! What does it cost to read one published event, from the bytes of an NDJSON line to a checked draft?
//!
//! Run it with `cargo bench --bench ingest`. The budget is 5 microseconds for a small `medias` event.

use criterion::{Criterion, criterion_group, criterion_main};
use fanfare::{
    event::{EventKind, Limits, samples::sample},
    source::cloudevents::Draft,
};

fn ingest(criterion: &mut Criterion) {
    let limits = Limits::default();
    for kind in [EventKind::Medias, EventKind::Library, EventKind::MediaProgress] {
        let line = format!(r#"{{"type":"{kind}","id":"e-1","source":"/media-server","data":{}}}"#, sample(kind));
        assert!(Draft::parse(line.as_bytes(), &limits).is_ok(), "the bench reads a valid line");
        criterion.bench_function(&format!("read one line: {kind}"), |bencher| bencher.iter(|| Draft::parse(line.as_bytes(), &limits)));
    }
}

criterion_group!(benches, ingest);
criterion_main!(benches);
