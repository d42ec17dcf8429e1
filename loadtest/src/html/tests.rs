//! Whole pages of made reports.

use super::*;
use crate::report::{Cost, DialectLatency, RampPoint, UnrelatedPoint};
use crate::series::{ClientMoment, ServerMoment, ThreadMoment};
use crate::stats::{encoded, histogram, summary};

fn report(delay_us: u64) -> Report {
    let mut values = histogram();
    (1..=500_u64).for_each(|value| values.record(value * delay_us * 1000).unwrap());
    let dialect = |name: &str| DialectLatency {
        dialect: name.to_owned(),
        clients: 3,
        latency: summary(&values),
        fairness: crate::fairness::Fairness::of(&[crate::client::ClientLatency { sum_ns: 9_000_000, count: 3, max_us: 9 }]),
        histogram: encoded(&values),
    };
    let mut report = Report { latency: summary(&values), dialects: vec![dialect("sse"), dialect("plex-ws")], ..Report::default() };
    report.accounting.received = 500;
    let moment = |second: u32| ClientMoment {
        from_ms: f64::from(second) * 1000.0,
        to_ms: f64::from(second + 1) * 1000.0,
        deliveries: 50,
        skipped: 1,
        latency: vec![(20, 3), (90, 1)],
        lateness: vec![(4, 2)],
        ..ClientMoment::default()
    };
    report.series.clients = (0..9).map(moment).collect();
    let thread = ThreadMoment { name: "hub <1>".to_owned(), user_ms: 100.0, system_ms: 200.0 };
    let server = ServerMoment { to_ms: 1000.0, rss_kib: 40_000, threads: vec![thread], ..ServerMoment::default() };
    report.series.server = vec![server];
    report.series.mark_window(2_000_000_000, 5_000_000_000);
    report
}

fn groups<'a>(floor: &'a [Report], server: &'a [Report]) -> [Group<'a>; 2] {
    [("floor", floor), ("server", server)].map(|(name, runs)| Group { name: name.to_owned(), runs })
}

#[test]
fn a_page_shows_every_chart_with_a_title_and_a_description_and_loads_nothing() {
    let point = |rate, held| RampPoint { rate, p50_us: 100.0, p99_us: 900.0, held, ..RampPoint::default() };
    let (floor, mut server) = ([report(10)], [report(20), report(30), report(40)]);
    server[0].ramp = vec![point(100, true), point(200, false)];
    let beside = |strangers| UnrelatedPoint { strangers, cost: Cost { user_us: 0.3, total_us: 5.0 }, p99_us: 900.0 };
    server[0].unrelated = vec![beside(0), beside(100)];
    let page = page(&groups(&floor, &server));
    for title in [
        "Latency by percentile",
        "Distribution of latency",
        "Latency against offered load",
        "Fairness between clients",
        "Cost of a delivery against unrelated clients",
        "Latency over time: server, run 2 of 3 (median p99)",
        "Throughput over time: floor",
        "Skips over time",
        "Publisher lateness over time",
        "Server CPU by thread",
        "Server memory over time",
        "Latency by dialect",
    ] {
        assert!(page.contains(title), "{title}");
    }
    let charts = page.matches("<svg class=\"chart\"").count();
    assert!(charts > 12 && page.matches("role=\"img\"").count() == charts && page.matches("<desc ").count() == charts, "{charts}");
    for outside in ["src=", "href=", "url(", "@import", "<script", "NaN", "inf "] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn what_a_server_or_a_thread_says_is_text_and_not_markup() {
    let mut server = report(5);
    server.result = RunResult::Failed;
    server.reasons = vec!["<script>alert(1)</script> & more".to_owned()];
    let page = page(&groups(&[], &[server]));
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; more"));
    assert!(page.contains("hub &lt;1&gt;") && page.contains("<span class=\"verdict failed\">FAILED</span>"));
}

#[test]
fn repetitions_are_merged_and_not_averaged() {
    let runs = [report(10), report(1000)];
    let merged = Group { name: "server".to_owned(), runs: &runs }.latency(None);
    assert_eq!(merged.len(), 2000);
    let p99 = merged.value_at_quantile(0.99) as f64 / 1000.0;
    assert!((p99 / 490_000.0 - 1.0).abs() < 0.01, "{p99}: of all values, not half way between 4950 and 495000");
}

#[test]
fn a_report_that_has_nothing_still_makes_a_page() {
    let page = page(&groups(&[], &[Report::default()]));
    assert!(page.contains("Environment") && !page.contains("NaN"));
}
