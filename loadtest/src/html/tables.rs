//! Tables: the figures of each group, its accounts, the machine.

use super::axis::{duration, memory};
use super::{Group, escape};
use crate::report::Report;
use crate::stats::median_min_max;
use std::fmt::Write as _;

/// A figure's name, how to read it from a report (`None` where it is not known), and how to print it.
type Figure = (&'static str, fn(&Report) -> Option<f64>, fn(f64) -> String);

const FIGURES: [Figure; 14] = [
    ("Deliveries per second", |run| seen(run, run.deliveries_per_second), |value| format!("{value:.0}")),
    ("Latency p50", |run| seen(run, run.latency.p50_us), duration),
    ("Latency p90", |run| seen(run, run.latency.p90_us), duration),
    ("Latency p99", |run| seen(run, run.latency.p99_us), duration),
    ("Latency p99.9", |run| seen(run, run.latency.p999_us), duration),
    ("Latency, slowest", |run| seen(run, run.latency.max_us), duration),
    ("User CPU per delivery", |run| run.cost.map(|cost| cost.user_us), |value| format!("{value:.3} µs")),
    ("Total CPU per delivery", |run| run.cost.map(|cost| cost.total_us), |value| format!("{value:.3} µs")),
    ("RSS per connection", |run| run.memory.as_ref()?.rss_per_connection.map(|line| line.slope), |value| format!("{value:.2} KiB")),
    ("Kernel sockets, most", |run| run.memory.as_ref().map(|memory| memory.socket_kib_max as f64), memory),
    ("Voluntary switches per second", |run| per_second(run, |total| total.voluntary_switches), |value| format!("{value:.0}")),
    ("Involuntary switches per second", |run| per_second(run, |total| total.involuntary_switches), |value| format!("{value:.0}")),
    ("Publisher lateness p99", |run| (run.publisher.lateness.count > 0).then_some(run.publisher.lateness.p99_us), duration),
    ("Publisher CPU", |run| (run.publisher.sent > 0).then_some(run.publisher.cpu_percent), |value| format!("{value:.0} %")),
];

type Account = (&'static str, fn(&Report) -> u64);

const ACCOUNTS: [Account; 14] = [
    ("Expected", |run| run.accounting.expected),
    ("Received", |run| run.accounting.received),
    ("Skipped, announced in the stream", |run| run.accounting.skipped_announced),
    ("Skipped, reported by the server", |run| run.accounting.skipped_reported),
    ("Lost silently", |run| run.accounting.lost_silently),
    ("Clients short", |run| run.accounting.clients_short),
    ("Duplicated", |run| run.accounting.duplicated),
    ("Out of order", |run| run.accounting.reordered),
    ("Of refused events", |run| run.accounting.unaccepted),
    ("Of libraries not asked for", |run| run.accounting.foreign),
    ("Malformed frames", |run| run.accounting.malformed),
    ("Closed by the server", |run| run.accounting.closed_by_server),
    ("Clients without a stream", |run| run.accounting.failed_to_connect),
    ("Events refused", |run| run.publisher.refused),
];

/// Medians, with smallest and largest where there are repetitions.
pub(super) fn figures(groups: &[Group<'_>]) -> String {
    let mut rows = String::new();
    for (name, figure, format) in FIGURES {
        let cell = |group: &Group<'_>| {
            let values: Vec<f64> = group.runs.iter().filter_map(figure).collect();
            let (median, min, max) = median_min_max(&values);
            match values.len() {
                0 => "–".to_owned(),
                1 => format(median),
                _ => format!("{}\u{2003}({} to {})", format(median), format(min), format(max)),
            }
        };
        rows.push_str(&row(name, groups.iter().map(cell)));
    }
    let repeated = groups.iter().any(|group| group.runs.len() > 1);
    table(
        if repeated { "Median of the repetitions (smallest to largest)" } else { "Figures of the measured window" },
        "Figure",
        &names(groups),
        &rows,
    )
}

/// Latency of each dialect over all repetitions, where clients spoke several.
pub(super) fn dialects(groups: &[Group<'_>]) -> String {
    let mut rows = String::new();
    for group in groups.iter().filter(|group| group.dialects().len() > 1) {
        for dialect in group.dialects() {
            let latency = group.latency(Some(dialect));
            let clients = group.runs.iter().flat_map(|run| &run.dialects).find(|one| one.dialect == dialect).map_or(0, |one| one.clients);
            let at = |quantile: f64| duration(latency.value_at_quantile(quantile) as f64 / 1000.0);
            let cells = [clients.to_string(), latency.len().to_string(), at(0.5), at(0.9), at(0.99), at(0.999), at(1.0)];
            let name = if groups.len() < 2 { dialect.to_owned() } else { format!("{} {dialect}", group.name) };
            rows.push_str(&row(&name, cells.into_iter()));
        }
    }
    if rows.is_empty() {
        return rows;
    }
    let columns = ["Clients", "Timed", "p50", "p90", "p99", "p99.9", "Slowest"].map(str::to_owned);
    table("Latency by dialect", "Dialect", &columns, &rows)
}

/// Sums over all repetitions: one lost delivery in one of them must show.
pub(super) fn accounts(groups: &[Group<'_>]) -> String {
    let rows: String = ACCOUNTS
        .iter()
        .map(|(name, account)| row(name, groups.iter().map(|group| group.runs.iter().map(account).sum::<u64>().to_string())))
        .collect();
    table("Deliveries of all clients, all repetitions added up", "Deliveries", &names(groups), &rows)
}

/// The load and the machine, as recorded by the last run.
pub(super) fn environment(groups: &[Group<'_>]) -> String {
    let mut rows = String::new();
    for group in groups {
        if let Some(run) = group.runs.last() {
            let load = &run.load;
            let spoken: Vec<String> = load.clients_by_dialect.iter().map(|(dialect, clients)| format!("{clients} {dialect}")).collect();
            let text = format!(
                "{}: {} clients ({}), {} events per second for {} s, frame {} bytes, {} libraries",
                load.target,
                load.clients,
                spoken.join(", "),
                load.rate,
                load.seconds,
                load.frame_bytes,
                load.libraries
            );
            rows.push_str(&pair(&format!("Load, {}", group.name), &text));
            if let Some(program) = &run.program {
                rows.push_str(&pair(&format!("Program, {}", group.name), &program.line()));
            }
        }
    }
    if let Some(run) = groups.iter().find_map(|group| group.runs.last()) {
        for (name, value) in run.machine.lines() {
            rows.push_str(&pair(&name, &value));
        }
        rows.push_str(&pair("Load tester", &run.tester.line()));
    }
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Environment\"><table><caption>What a reader must know to compare</caption><tbody>\n{rows}</tbody></table></div>\n"
    )
}

fn names(groups: &[Group<'_>]) -> Vec<String> {
    groups.iter().map(|group| group.name.clone()).collect()
}

fn table(caption: &str, first: &str, columns: &[String], rows: &str) -> String {
    let mut heads = String::new();
    for name in columns {
        // Writing to a string cannot fail.
        let _ = write!(heads, "<th scope=\"col\" class=\"number\">{}</th>", escape(name));
    }
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\"><table><caption>{caption}</caption>\
         <thead><tr><th scope=\"col\">{first}</th>{heads}</tr></thead><tbody>\n{rows}</tbody></table></div>\n"
    )
}

fn row(name: &str, cells: impl Iterator<Item = String>) -> String {
    // A wide blank parts a median from its spread, which may stand in a line of its own.
    let ranged = |cell: &str| match cell.split_once('\u{2003}') {
        Some((median, spread)) => format!("{} <span>{}</span>", unbroken(median), unbroken(spread)),
        None => unbroken(cell),
    };
    let cells: String = cells.map(|cell| format!("<td class=\"number\">{}</td>", ranged(&cell))).collect();
    format!("<tr><th scope=\"row\">{}</th>{cells}</tr>\n", escape(name))
}

/// A value and its unit stay together.
fn unbroken(text: &str) -> String {
    escape(text).replace(' ', "\u{a0}")
}

fn pair(name: &str, value: &str) -> String {
    format!("<tr><th scope=\"row\">{}</th><td class=\"wide\">{}</td></tr>\n", escape(name), escape(value))
}

fn seen(run: &Report, value: f64) -> Option<f64> {
    (run.accounting.received > 0).then_some(value)
}

fn per_second(run: &Report, value: fn(&crate::watch::ThreadSample) -> u64) -> Option<f64> {
    run.server.as_ref().map(|server| value(&server.total) as f64 * 1e9 / server.elapsed_ns.max(1) as f64)
}
