//! Reports as one HTML page that needs nothing else: plots as inline SVG, tables, light and dark. It only reads reports.

mod axis;
mod chart;
mod latency;
mod load;
mod overtime;
mod tables;
#[cfg(test)]
mod tests;

pub(crate) use axis::{duration, memory};

use crate::report::{Report, Result as RunResult};
use crate::stats::{decoded, merged};
use crate::stored::side_of;
use chart::Chart;
use hdrhistogram::Histogram;
use std::fmt::Write as _;

/// Runs of one target with one load; repetitions of each other.
pub(crate) struct Group<'a> {
    /// What readers call it: `server`, `floor`, a scenario's name.
    pub(crate) name: String,
    /// The repetitions, in the order they ran.
    pub(crate) runs: &'a [Report],
}

impl<'a> Group<'a> {
    /// A single run under the name of what it was of.
    pub(crate) fn single(run: &'a Report) -> Self {
        Self { name: side_of(run).to_owned(), runs: std::slice::from_ref(run) }
    }
}

impl Group<'_> {
    /// The run whose p99 is the median of all: pictures over time show this one.
    fn typical(&self) -> Option<(usize, &Report)> {
        let mut order: Vec<(usize, &Report)> = self.runs.iter().enumerate().collect();
        order.sort_by(|left, right| left.1.latency.p99_us.total_cmp(&right.1.latency.p99_us));
        order.get(order.len().saturating_sub(1) / 2).copied()
    }

    /// The name, and which of several runs is shown.
    fn typical_name(&self, place: usize) -> String {
        if self.runs.len() < 2 {
            self.name.clone()
        } else {
            format!("{}, run {} of {} (median p99)", self.name, place + 1, self.runs.len())
        }
    }

    /// All latencies of all repetitions, those of one dialect or of all together.
    fn latency(&self, dialect: Option<&str>) -> Histogram<u64> {
        let wanted = self.runs.iter().flat_map(|run| &run.dialects).filter(|one| dialect.is_none_or(|name| one.dialect == name));
        let histograms: Vec<_> = wanted.filter_map(|one| one.histogram.as_deref().and_then(decoded)).collect();
        merged(&histograms)
    }

    /// The dialects its clients spoke, always in the same order.
    fn dialects(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for one in self.runs.iter().flat_map(|run| &run.dialects) {
            if !names.contains(&one.dialect.as_str()) {
                names.push(one.dialect.as_str());
            }
        }
        names
    }
}

/// The page.
pub(crate) fn page(groups: &[Group<'_>]) -> String {
    let mut numbered = 0;
    let mut section = |name: &str, charts: Vec<Option<Chart>>| {
        let charts: String = charts
            .into_iter()
            .flatten()
            .map(|chart| {
                numbered += 1;
                chart.render(numbered)
            })
            .collect();
        if charts.is_empty() {
            String::new()
        } else {
            format!("<section><h2>{name}</h2>\n<div class=\"charts\">\n{charts}</div></section>\n")
        }
    };
    let over_time = groups.iter().flat_map(overtime::charts).collect();
    let sections = [
        section(
            "Latency",
            vec![
                latency::spectrum(groups),
                latency::distribution(groups),
                latency::against_load(groups),
                load::beside_strangers(groups),
                latency::fairness(groups),
            ],
        ),
        section("Over time", over_time),
        section("Memory", vec![load::against_connections(groups), load::memory_over_time(groups)]),
    ]
    .concat();
    let (title, css, figures, accounts, environment) = (
        escape(&title(groups)),
        include_str!("html/page.css"),
        tables::figures(groups) + &tables::dialects(groups),
        tables::accounts(groups),
        tables::environment(groups),
    );
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{css}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n{}</header>\n<main>\n\
         <section><h2>Figures</h2>\n{figures}</section>\n{sections}<section><h2>Accounts</h2>\n{accounts}</section>\n\
         <section><h2>Environment</h2>\n{environment}</section>\n</main>\n\
         <footer>Latency counts from the time an event was due. Histograms of repetitions are added up; percentiles are never averaged.</footer>\n</body>\n</html>\n",
        verdicts(groups)
    )
}

fn title(groups: &[Group<'_>]) -> String {
    let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    let load = groups.iter().find_map(|group| group.runs.last()).map(|run| &run.load);
    let load = load.map(|load| format!(", {} clients × {} events/s", load.clients, load.rate)).unwrap_or_default();
    format!("Fanfare load test: {}{load}", names.join(" and "))
}

/// How each group ended, with the reasons.
fn verdicts(groups: &[Group<'_>]) -> String {
    let mut text = String::new();
    for group in groups {
        for (place, run) in group.runs.iter().enumerate() {
            let (class, word) = match run.result {
                RunResult::Passed if group.runs.len() > 1 => continue,
                RunResult::Passed => ("passed", "passed"),
                RunResult::Failed => ("failed", "FAILED"),
                RunResult::Invalid => ("invalid", "invalid"),
            };
            let name = if group.runs.len() > 1 { format!("{}, run {}", group.name, place + 1) } else { group.name.clone() };
            let reasons = escape(&run.reasons.join("; ").replace("invalid: ", ""));
            // Writing to a string cannot fail.
            let _ = writeln!(text, "<p>{}: <span class=\"verdict {class}\">{word}</span> {reasons}</p>", escape(&name));
        }
        if group.runs.len() > 1 && group.runs.iter().all(|run| run.result == RunResult::Passed) {
            let _ = writeln!(
                text,
                "<p>{}: <span class=\"verdict passed\">passed</span>, {} runs of {}</p>",
                escape(&group.name),
                group.runs.len(),
                group.runs.len()
            );
        }
    }
    text
}

/// Text that cannot be taken for markup.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
