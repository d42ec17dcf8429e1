use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use super::*;

const SKIP_LAG: usize = 0;

fn sources() -> Sources {
    Sources {
        workers: (0..3).map(|_| Arc::default()).collect(),
        shards: (0..2).map(|_| Arc::default()).collect(),
        publish: Arc::default(),
        admission: Arc::default(),
        back_ends: Arc::default(),
        labels: Labels {
            dialects: vec!["one", "two"],
            kinds: vec!["medias", "scan"],
            libraries: vec!["films".to_owned(), "mu\"sic".to_owned()],
            outlets: ["plain", "body", "tls", "poll"],
            close_reasons: ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"],
            skip_reasons: ["lag", "hub"],
            version: "1.2.3",
            commit: "abc",
        },
        gauges: Gauges {
            credit: Mailbox { actor: "hub", capacity: 4096, depths: Box::new(|| vec![3, 9, 0]) },
            mailboxes: vec![Mailbox { actor: "shard", capacity: 256, depths: Box::new(|| vec![1, 2]) }],
            connection_limit: Box::new(|| 1000),
            state_bytes: Box::new(|| 70),
            stalled_hubs: Arc::default(),
            draining: Arc::default(),
            reloads: Arc::default(),
        },
    }
}

/// The series of an exposition by name and labels. Panics at whatever is not Prometheus' text format, version 0.0.4.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let (mut types, mut helps, mut series) = (BTreeMap::new(), HashSet::new(), BTreeMap::new());
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, _) = rest.split_once(' ').expect("a help text");
            assert!(helps.insert(name.to_owned()), "two HELP lines: {line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "two TYPE lines: {line}");
        } else {
            let (key, value) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = key.split_once('{').unwrap_or((key, "}"));
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{line}");
            let labels = labels.strip_suffix('}').expect("a closing brace");
            for label in labels.split(',').filter(|label| !label.is_empty()) {
                let (_, value) = label.split_once('=').expect("a label");
                assert!(value.len() >= 2 && value.starts_with('"') && value.ends_with('"'), "{line}");
            }
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
            assert!(types.contains_key(name) || types.get(family).is_some_and(|kind| kind == "histogram"), "no TYPE before {line}");
            let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
            assert!(series.insert(key.to_owned(), value).is_none(), "a series comes twice: {line}");
        }
    }
    assert!(types.keys().all(|name| helps.contains(name)), "a metric without HELP");
    series
}

#[test]
fn every_metric_of_the_list_is_exported_from_the_first_scrape_on() {
    let text = Exporter::new(sources()).render();
    parse(&text);
    let missing: Vec<_> = names::ALL.iter().filter(|metric| !text.contains(&format!("# TYPE {} ", metric.name))).collect();
    let missing: Vec<_> = missing.iter().filter(|metric| cfg!(target_os = "linux") || !metric.name.starts_with("process_")).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn counters_of_all_workers_and_shards_are_added_up() {
    let sources = sources();
    for (worker, n) in sources.workers.iter().zip([1, 20, 300]) {
        worker.dialects[1].delivered[0].add(n);
        worker.dialects[1].skipped[SKIP_LAG].add(n);
        worker.dialects[0].connections[1].add(2);
        worker.feed_bytes.set(n);
    }
    sources.workers[1].dialects[0].connections[1].sub(1);
    sources.shards.iter().for_each(|shard| shard.published(1, 300));
    sources.publish.refused(PublishRefusal::Busy, 7);
    sources.admission.rejected(1, Rejection::Draining);
    sources.admission.authenticated(AuthResult::Expired);
    sources.gauges.draining.store(true, Ordering::Relaxed);
    let series = parse(&Exporter::new(sources).render());
    for (name, value) in [
        (r#"fanfare_deliveries_total{dialect="two",outlet="plain"}"#, 321.0),
        (r#"fanfare_deliveries_total{dialect="one",outlet="plain"}"#, 0.0),
        (r#"fanfare_events_skipped_total{dialect="two",reason="lag"}"#, 321.0),
        (r#"fanfare_connections{dialect="one",outlet="body"}"#, 5.0),
        ("fanfare_feed_bytes", 321.0),
        (r#"fanfare_events_published_total{type="scan"}"#, 2.0),
        (r#"fanfare_publish_rejected_total{reason="busy"}"#, 7.0),
        (r#"fanfare_connections_rejected_total{dialect="two",reason="draining"}"#, 1.0),
        (r#"fanfare_auth_requests_total{result="expired"}"#, 1.0),
        ("fanfare_shard_credit_outstanding", 12.0),
        (r#"fanfare_mailbox_depth{actor="hub"}"#, 9.0),
        (r#"fanfare_mailbox_depth{actor="shard"}"#, 2.0),
        (r#"fanfare_mailbox_capacity{actor="hub"}"#, 4096.0),
        ("fanfare_draining", 1.0),
        (r#"fanfare_build_info{version="1.2.3",commit="abc"}"#, 1.0),
    ] {
        assert_eq!(series.get(name), Some(&value), "{name}");
    }
}

#[test]
fn the_latency_histogram_is_cumulative_in_seconds_over_all_workers() {
    let sources = sources();
    sources.workers[0].dialects[0].latency.record_run(Duration::from_micros(40), Duration::from_micros(40), 1);
    sources.workers[1].dialects[0].latency.record_run(Duration::from_millis(200), Duration::from_millis(200), 1);
    sources.workers[2].dialects[0].latency.record_run(Duration::from_secs(11), Duration::from_secs(11), 1);
    let series = parse(&Exporter::new(sources).render());
    let bucket = |le: &str| series[&format!(r#"fanfare_delivery_latency_seconds_bucket{{dialect="one",le="{le}"}}"#)];
    assert_eq!(["0.00005", "0.1", "0.25", "10", "+Inf"].map(bucket), [1.0, 1.0, 2.0, 2.0, 3.0]);
    assert_eq!(series[r#"fanfare_delivery_latency_seconds_count{dialect="one"}"#], 3.0);
    assert_eq!(series[r#"fanfare_delivery_latency_seconds_sum{dialect="one"}"#], 11.20004);
    assert_eq!(series[r#"fanfare_delivery_latency_seconds_bucket{dialect="two",le="+Inf"}"#], 0.0);
}

#[test]
fn what_actors_take_is_told_by_kind_and_part_over_all_workers_and_shards() {
    let sources = sources();
    for (worker, micros) in sources.workers.iter().zip([10, 11, 2_000_000]) {
        worker.handled(Work::Hub, Duration::from_micros(micros));
        worker.handled(Work::Session, Duration::from_micros(1_000));
        worker.keeps(Part::Connections, 1_000);
        worker.keeps(Part::Subscriptions, 5);
    }
    sources.workers[0].keeps(Part::Connections, 400); // less than before
    sources.shards.iter().for_each(|shard| shard.handled(Duration::from_millis(20), 300));
    let series = parse(&Exporter::new(sources).render());
    let bucket = |actor: &str, le: &str| series[&format!(r#"fanfare_actor_handle_duration_seconds_bucket{{actor="{actor}",le="{le}"}}"#)];
    assert_eq!(["0.00001", "0.000025", "1", "+Inf"].map(|le| bucket("hub", le)), [1.0, 2.0, 2.0, 3.0]);
    assert_eq!(["0.0005", "0.001"].map(|le| bucket("session", le)), [0.0, 3.0]);
    assert_eq!(["0.01", "0.05"].map(|le| bucket("shard", le)), [0.0, 2.0]);
    assert_eq!(bucket("hub_flush", "+Inf"), 0.0);
    assert_eq!(series[r#"fanfare_actor_handle_duration_seconds_sum{actor="shard"}"#], 0.04);
    let bytes = |part: Part| series[&format!(r#"fanfare_memory_bytes{{part="{}"}}"#, part.name())];
    assert_eq!(Part::ALL.map(bytes), [2_400.0, 0.0, 0.0, 0.0, 0.0, 15.0, 600.0, 70.0]);
}

#[test]
fn the_number_of_series_does_not_depend_on_what_was_counted() {
    let exporter = Exporter::new(sources());
    let before: Vec<_> = parse(&exporter.render()).into_keys().collect();
    for worker in &exporter.sources.workers {
        for dialect in &worker.dialects {
            dialect.closed.iter().for_each(|counter| counter.add(1));
            dialect.latency.record_run(Duration::from_millis(3), Duration::from_millis(3), 1);
        }
    }
    exporter.sources.admission.rejected(0, Rejection::Malformed);
    exporter.sources.shards[0].published(0, 10);
    assert_eq!(parse(&exporter.render()).into_keys().collect::<Vec<_>>(), before);
    let mut larger = sources();
    larger.workers.extend((0..61).map(|_| Arc::default()));
    larger.shards.extend((0..62).map(|_| Arc::default()));
    let mut more: Vec<_> = parse(&Exporter::new(larger).render()).into_keys().collect();
    more.retain(|series| !before.contains(series));
    assert!(more.iter().all(|series| series.contains("{worker=\"")), "a worker is known by its number, a shard by none: {more:?}");
}

#[test]
fn an_engine_without_dialects_exports_the_rest() {
    let mut sources = sources();
    sources.labels.dialects.clear();
    let series = parse(&Exporter::new(sources).render());
    assert!(series.contains_key("fanfare_draining"));
    assert!(!series.keys().any(|key| key.contains("dialect=")));
}

#[test]
fn a_registry_of_an_embedding_program_takes_the_exporter() {
    let registry = prometheus::Registry::new();
    let exporter = Exporter::new(sources());
    assert_eq!(exporter.descs.len(), names::ALL.len(), "the crate refuses a name");
    registry.register(Box::new(exporter)).unwrap();
    let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    assert!(parse(&text).contains_key("fanfare_draining"));
}
