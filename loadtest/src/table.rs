//! Reports as text: a table for people and a row for Markdown.

use crate::report::{Memory, Report, Result};
use crate::stats::Summary;
use std::fmt::Write as _;

/// The report as lines of name and value.
pub(crate) fn human(report: &Report) -> String {
    let mut rows = vec![("load", load_line(report)), ("machine", machine_line(report))];
    if report.publisher.sent > 0 {
        rows.extend(delivery_rows(report));
    }
    if let Some(server) = &report.server {
        let (total, percent) = (&server.total, server.percent(server.total.running_ns));
        let waited = server.percent(total.waiting_ns);
        rows.push((
            "server CPU",
            format!("{percent:.0} % of a core, waited for a core {waited:.1} %, {} voluntary switches", total.voluntary_switches),
        ));
    }
    if let Some(cost) = report.idle_cost() {
        let text = format!("user {:.3} µs, total {:.3} µs a second, over {:.0} s", cost.user_us, cost.total_us, report.window_seconds);
        rows.push(("CPU per client", text));
    }
    if let Some(watched) = &report.watched {
        let line = format!("{} session states checked in {} pages, {} do not add up", watched.checked, watched.pages, watched.broken);
        rows.push(("server accounts", line));
    }
    if let Some(memory) = &report.memory {
        rows.extend(memory_rows(memory));
    }
    rows.push(("load tester", own_line(report)));
    rows.push(("result", format!("{:?}", report.result).to_uppercase()));
    let mut text = String::new();
    for (name, value) in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:<16} {value}");
    }
    for reason in &report.reasons {
        let _ = writeln!(text, "{:<16} {reason}", "");
    }
    text
}

/// A run that published nothing as a Markdown table of one row.
pub(crate) fn markdown_of_idle(report: &Report) -> String {
    let slope =
        report.memory.as_ref().and_then(|memory| memory.rss_per_connection).map_or("–".to_owned(), |line| format!("{:.2}", line.slope));
    let cost = report.idle_cost().map_or("– | –".to_owned(), |cost| format!("{:.3} | {:.3}", cost.user_us, cost.total_us));
    format!(
        "| dialects | idle connections | KiB each | user µs per connection and second | total µs | seconds | result |\n|---|---|---|---|---|---|---|\n\
         | {} | {} | {slope} | {cost} | {:.0} | {} |",
        spoken(report),
        report.load.clients,
        report.window_seconds,
        format!("{:?}", report.result).to_lowercase()
    )
}

/// Names of the columns of [`markdown_row`].
pub(crate) const MARKDOWN_HEAD: &str = "| target | dialects | clients × ev/s | deliveries/s | user µs each | total µs each | p50 ms | p99 ms | max ms | KiB/connection | lost silently | result |\n\
     |---|---|---|---|---|---|---|---|---|---|---|---|";

/// The report as one row of a Markdown table.
pub(crate) fn markdown_row(report: &Report) -> String {
    let cost = report.cost.unwrap_or_default();
    let slope =
        report.memory.as_ref().and_then(|memory| memory.rss_per_connection).map_or("–".to_owned(), |line| format!("{:.2}", line.slope));
    let milliseconds = |us: f64| format!("{:.2}", us / 1000.0);
    let latency = &report.latency;
    format!(
        "| {} | {} | {} × {} | {:.0} | {:.3} | {:.3} | {} | {} | {} | {slope} | {} | {} |",
        report.load.target,
        spoken(report),
        report.load.clients,
        report.load.rate,
        report.deliveries_per_second,
        cost.user_us,
        cost.total_us,
        milliseconds(latency.p50_us),
        milliseconds(latency.p99_us),
        milliseconds(latency.max_us),
        report.accounting.lost_silently,
        match report.result {
            Result::Passed => "passed",
            Result::Failed => "FAILED",
            Result::Invalid => "invalid",
        },
    )
}

/// The dialects of the clients, with their numbers where there are several.
fn spoken(report: &Report) -> String {
    let parts = &report.load.clients_by_dialect;
    let name = |(dialect, clients): (&String, &usize)| if parts.len() < 2 { dialect.clone() } else { format!("{dialect} {clients}") };
    if parts.is_empty() { "–".to_owned() } else { parts.iter().map(name).collect::<Vec<_>>().join(", ") }
}

/// One line for each dialect, where there are several.
fn dialect_rows(report: &Report) -> Vec<(&'static str, String)> {
    if report.dialects.len() < 2 {
        return Vec::new();
    }
    report.dialects.iter().map(|one| ("", format!("{:<17} {}", one.dialect, percentiles(&one.latency)))).collect()
}

fn load_line(report: &Report) -> String {
    let load = &report.load;
    let mut line = format!("{}: {} clients × {} ev/s, {} s", load.target, load.clients, load.rate, load.seconds);
    let _ = write!(line, ", frame {} bytes (asked {})", load.frame_bytes, load.payload_bytes);
    if load.frame_bytes_by_dialect.len() > 1 {
        let sizes: Vec<String> = load.frame_bytes_by_dialect.iter().map(|(dialect, bytes)| format!("{dialect} {bytes}")).collect();
        let _ = write!(line, " [{}]", sizes.join(", "));
    }
    let _ = write!(
        line,
        ", {} libraries ({} per client)",
        load.libraries,
        if load.client_libraries == 0 { load.libraries } else { load.client_libraries }
    );
    for (count, what) in [(load.slow, "slow"), (load.stalled, "stalled"), (load.strangers, "strangers"), (load.churn, "churning/s")] {
        if count > 0 {
            let _ = write!(line, ", {count} {what}");
        }
    }
    line
}

fn machine_line(report: &Report) -> String {
    let machine = &report.machine;
    let governor = machine.governor.as_deref().unwrap_or("unknown");
    format!(
        "{}, {} cores, Linux {}, governor {governor}, nofile {}, load before {:.2}",
        machine.cpu, machine.cores, machine.kernel, machine.nofile, machine.load_before
    )
}

fn delivery_rows(report: &Report) -> Vec<(&'static str, String)> {
    let (publisher, accounts) = (&report.publisher, &report.accounting);
    let mut rows = vec![
        (
            "published",
            format!(
                "{} sent, {} accepted, {} refused ({} busy), {} unanswered",
                publisher.sent, publisher.accepted, publisher.refused, publisher.busy, publisher.unanswered
            ),
        ),
        ("publisher late", percentiles(&publisher.lateness)),
        (
            "deliveries/s",
            format!("{:.0} over {:.1} s, drained in {:.0} ms", report.deliveries_per_second, report.window_seconds, report.drain_ms),
        ),
        ("latency", format!("{} (1 of {} deliveries)", percentiles(&report.latency), report.sampled_one_in)),
        (
            "accounts",
            format!(
                "expected {}, received {}, duplicated {}, reordered {}, unaccepted {}, foreign {}, malformed {}, other frames {}",
                accounts.expected,
                accounts.received,
                accounts.duplicated,
                accounts.reordered,
                accounts.unaccepted,
                accounts.foreign,
                accounts.malformed,
                accounts.others
            ),
        ),
        (
            "missing",
            format!(
                "announced {}, reported by the server {}, LOST SILENTLY {} ({} clients short)",
                accounts.skipped_announced, accounts.skipped_reported, accounts.lost_silently, accounts.clients_short
            ),
        ),
        (
            "connections",
            format!(
                "{} without a stream, {} closed by the server, {} slow or stalled evicted, {} churned",
                accounts.failed_to_connect, accounts.closed_by_server, accounts.evicted, accounts.churned
            ),
        ),
    ];
    let after_latency = rows.iter().position(|row| row.0 == "latency").map_or(rows.len(), |place| place + 1);
    rows.splice(after_latency..after_latency, dialect_rows(report));
    if let Some(cost) = report.cost {
        rows.push(("CPU per delivery", format!("{:.3} µs, of it user {:.3} µs", cost.total_us, cost.user_us)));
    }
    if let Some(refusal) = &publisher.first_refusal {
        rows.push(("first refusal", refusal.clone()));
    }
    rows
}

fn memory_rows(memory: &Memory) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let (Some(rss), Some(sockets)) = (memory.rss_per_connection, memory.sockets_per_connection) {
        let steps = memory.connecting.len();
        rows.push((
            "RSS/connection",
            format!("{:.3} KiB (R² {:.3}, {steps} steps, {:.0} KiB without any)", rss.slope, rss.r_squared, rss.intercept),
        ));
        rows.push((
            "kernel sockets",
            format!("{:.3} KiB per idle connection, both ends; {} KiB at most in the window", sockets.slope, memory.socket_kib_max),
        ));
    }
    let (first, last) = (memory.rss_kib_by_second.first().unwrap_or(&0), memory.rss_kib_by_second.last().unwrap_or(&0));
    let after = &memory.after;
    rows.push((
        "server memory",
        format!(
            "RSS {first} → {last} KiB in the window; after: RSS {}, PSS {}, anonymous {}",
            after.rss_kib, after.pss_kib, after.anon_kib
        ),
    ));
    if let Some(trend) = &memory.trend {
        rows.push((
            "server RSS",
            format!(
                "begin {} middle {} end {} KiB (medians of {}), second half growth {:+} KiB",
                trend.begin_kib, trend.middle_kib, trend.end_kib, trend.samples, trend.second_half_growth_kib
            ),
        ));
    }
    if let (Some(each), Some(before)) = (memory.growth_per_stalled_kib, memory.rss_kib_before_publishing) {
        let label = "growth of server memory per stalled client, feeds included";
        rows.push(("stalled clients", format!("{each:+.2} KiB {label} (RSS {before} KiB before publishing)")));
    }
    rows
}

fn own_line(report: &Report) -> String {
    let own = &report.own;
    let clients = own.percent(own.running_of("client-"));
    let waited = own.percent(own.total.waiting_ns);
    // What the allocator had already paged in does not grow, and says nothing.
    let resident =
        report.own_per_client.filter(|line| line.slope >= 0.01).map(|line| format!(", {:.2} KiB resident", line.slope)).unwrap_or_default();
    let memory = format!("; {} bytes held per client{resident}", report.held_bytes_per_client);
    format!("client threads {clients:.0} %, publisher {:.0} %, waited for a core {waited:.0} %{memory}", report.publisher.cpu_percent)
}

fn percentiles(summary: &Summary) -> String {
    let milliseconds = |us: f64| format!("{:.3}", us / 1000.0);
    format!(
        "p50 {} p90 {} p99 {} p99.9 {} max {} ms",
        milliseconds(summary.p50_us),
        milliseconds(summary.p90_us),
        milliseconds(summary.p99_us),
        milliseconds(summary.p999_us),
        milliseconds(summary.max_us)
    )
}
