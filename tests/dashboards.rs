//! Dashboards and rules: Grafana's own types of npm judge the dashboards, and a real Prometheus, reading a running server,
//! evaluates every expression of every panel and rule; `promtool` tests the alerts, and the load tester provokes some of them.
//!
//! The tests themselves are in `tests/dashboards/` and run by node's test runner. Nothing is skipped: a machine without node,
//! npm or Prometheus fails with the name of what is missing.
#![allow(clippy::expect_used, reason = "a test says what it expects")]

mod node;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

#[test]
fn every_panel_and_rule_has_what_it_asks_for() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dashboards");
    let server = env!("CARGO_BIN_EXE_fanfare");
    let mut tests = node::tests_in(&folder, server);
    tests.env("FANFARE_LOADTEST_BIN", load_tester_beside(Path::new(server)));
    node::run(&mut tests);
}

/// The load tester is a package of its own, so this package's tests do not build it by themselves.
fn load_tester_beside(server: &Path) -> PathBuf {
    let folder = server.parent().expect("it is in the folder of a profile");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--locked", "--workspace", "--bin", "fanfare-loadtest"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    build.env("CARGO_TARGET_DIR", folder.parent().expect("it is in a target folder"));
    if folder.ends_with("release") {
        build.arg("--release");
    }
    node::run(&mut build);
    folder.join("fanfare-loadtest")
}
