//! Dashboards and rules: Grafana's own types of npm judge the dashboards, and a real Prometheus, reading a running server,
//! evaluates every expression of every panel and rule; `promtool` tests the alerts.
//!
//! The tests themselves are in `tests/dashboards/` and run by node's test runner. Nothing is skipped: a machine without node,
//! npm or Prometheus fails with the name of what is missing.
#![allow(clippy::expect_used, reason = "a test says what it expects")]

mod node;

use std::path::Path;

#[test]
fn every_panel_and_rule_has_what_it_asks_for() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dashboards");
    node::run(&mut node::tests_in(&folder, env!("CARGO_BIN_EXE_fanfare")));
}
