//! The same targets under libFuzzer, which looks for inputs that reach new code. `TARGET` names the one to run.
#![no_main]

mod targets;

use std::sync::LazyLock;

static TARGET: LazyLock<fn(&[u8])> =
    LazyLock::new(|| targets::named(&std::env::var("TARGET").expect("TARGET names what to fuzz: see tests/fuzz/targets/mod.rs")));

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));
