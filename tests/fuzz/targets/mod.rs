//! What is fuzzed: one function a target, any bytes in, a panic when a property does not hold.
//!
//! The same functions are driven by `cargo test` (see `main.rs`) and, with coverage, by libFuzzer (see `Cargo.toml`).

mod event_stream;
mod frames;
mod head;
mod lines;
mod packets;
mod polling;
mod publish;
mod query;
mod settings;
mod sse;

/// A target's name, which is that of its folder in `corpus`, and its function.
pub(crate) type Target = (&'static str, fn(&[u8]));

pub(crate) const ALL: &[Target] = &[
    ("frames", frames::target),
    ("head", head::target),
    ("lines", lines::target),
    ("packets", packets::target),
    ("polling", polling::target),
    ("publish", publish::target),
    ("query", query::target),
    ("settings", settings::target),
    ("sse", sse::target),
];

/// The target of that name.
#[allow(dead_code, reason = "libFuzzer's programs run one target each")]
pub(crate) fn named(name: &str) -> fn(&[u8]) {
    ALL.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no target `{name}`")).1
}

/// The input cut at its first NUL bytes into that many parts; missing parts are empty.
fn parts<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut parts = data.splitn(N, |byte| *byte == 0);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}
