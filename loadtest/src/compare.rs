//! Two reports side by side: medians with intervals, ratios with intervals, and limits that end a CI run.

use crate::args::CompareArgs;
use crate::failure::Failure;
use crate::interval::{Interval, median, ratio};
use crate::report::{Report, Result as RunResult};
use crate::stored::Stored;
use crate::verdict::exit_code;
use std::fmt::Write as _;
use std::path::Path;
use std::str::FromStr;

/// A figure by its key on the command line.
struct Figure {
    key: &'static str,
    unit: &'static str,
    more_is_better: bool,
    read: fn(&Report) -> f64,
}

/// A value of 0 means that a report does not know the figure.
const FIGURES: [Figure; 9] = [
    Figure { key: "deliveries", unit: "/s", more_is_better: true, read: |run| run.deliveries_per_second },
    Figure { key: "p50", unit: "ms", more_is_better: false, read: |run| run.latency.p50_us / 1000.0 },
    Figure { key: "p90", unit: "ms", more_is_better: false, read: |run| run.latency.p90_us / 1000.0 },
    Figure { key: "p99", unit: "ms", more_is_better: false, read: |run| run.latency.p99_us / 1000.0 },
    Figure { key: "p999", unit: "ms", more_is_better: false, read: |run| run.latency.p999_us / 1000.0 },
    Figure { key: "max", unit: "ms", more_is_better: false, read: |run| run.latency.max_us / 1000.0 },
    Figure { key: "user_cpu", unit: "µs", more_is_better: false, read: |run| run.cost.unwrap_or_default().user_us },
    Figure { key: "total_cpu", unit: "µs", more_is_better: false, read: |run| run.cost.unwrap_or_default().total_us },
    Figure {
        key: "rss_per_connection",
        unit: "KiB",
        more_is_better: false,
        read: |run| run.memory.as_ref().and_then(|memory| memory.rss_per_connection).unwrap_or_default().slope,
    },
];
/// Ending of the key of a figure divided by the floor's of the same pair.
const OVER_FLOOR: &str = "/floor";

/// What a comparison found.
pub(crate) struct Comparison {
    /// For people.
    pub(crate) text: String,
    /// The process's exit code: 0, 1 over a limit or with a failed run, 2 with an invalid run.
    pub(crate) code: u8,
}

/// Reads two reports and compares the second with the first.
pub(crate) fn run(args: &CompareArgs) -> Result<Comparison, Failure> {
    let (old, new) = (Runs::read(&args.old)?, Runs::read(&args.new)?);
    let known = old.keys();
    if let Some(limit) = args.fail_over.iter().find(|limit| !known.contains(&limit.key)) {
        return Err(Failure::new(format!("fail-over: {:?} is none of {}", limit.key, known.join(", "))));
    }
    Ok(compare(&old, &new, &args.fail_over))
}

/// How much worse a figure may become: `p99=10%`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limit {
    key: String,
    share: f64,
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('=').and_then(|(key, share)| Some((key, share.strip_suffix('%')?.parse::<f64>().ok()?)));
        let (key, percent) = parts.ok_or_else(|| format!("{text:?} is not FIGURE=PERCENT%, as in p99=10%"))?;
        if !percent.is_finite() || percent < 0.0 {
            return Err(format!("{percent} is not 0 % or more"));
        }
        Ok(Self { key: key.trim().to_owned(), share: percent / 100.0 })
    }
}

/// The repetitions of one side.
struct Runs {
    runs: Vec<Report>,
    floor: Vec<Report>,
}

impl Runs {
    fn read(path: &Path) -> Result<Self, Failure> {
        let stored = Stored::read(path)?;
        Ok(Self { runs: stored.runs().to_vec(), floor: stored.floor().to_vec() })
    }

    /// Every figure's key; those over the floor only where there is a floor.
    fn keys(&self) -> Vec<String> {
        let plain = FIGURES.iter().map(|figure| figure.key.to_owned());
        let over = FIGURES.iter().filter(|_| !self.floor.is_empty()).map(|figure| format!("{}{OVER_FLOOR}", figure.key));
        plain.chain(over).collect()
    }

    fn values(&self, figure: &Figure) -> Vec<f64> {
        self.runs.iter().map(figure.read).filter(|value| *value > 0.0).collect()
    }

    /// A figure over that of the floor of the same pair, which takes the machine's mood out.
    fn over_floor(&self, figure: &Figure) -> Vec<f64> {
        let pairs = self.runs.iter().map(figure.read).zip(self.floor.iter().map(figure.read));
        pairs.filter(|(run, floor)| *run > 0.0 && *floor > 0.0).map(|(run, floor)| run / floor).collect()
    }
}

fn compare(old: &Runs, new: &Runs, limits: &[Limit]) -> Comparison {
    let mut text = doubts(old, new);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{:<26} {:>32} {:>32} {:>28}", "median [interval]", "old", "new", "new / old [interval]");
    let mut over = Vec::new();
    for figure in &FIGURES {
        let rows = [
            (figure.key.to_owned(), figure.unit, old.values(figure), new.values(figure)),
            (format!("{}{OVER_FLOOR}", figure.key), "×", old.over_floor(figure), new.over_floor(figure)),
        ];
        for (key, unit, before, after) in rows.iter().filter(|(_, _, before, after)| !before.is_empty() && !after.is_empty()) {
            let limit = limits.iter().find(|limit| limit.key == *key);
            let (line, failed) = row(key, unit, figure.more_is_better, before, after, limit);
            text.push_str(&line);
            over.extend(failed);
        }
    }
    for failed in &over {
        let _ = writeln!(text, "{failed}");
    }
    let worst = |result: RunResult| new.runs.iter().chain(&old.runs).any(|run| run.result == result);
    let failed = !over.is_empty() || new.runs.iter().any(|run| run.result == RunResult::Failed);
    let code = if failed {
        RunResult::Failed
    } else if worst(RunResult::Invalid) {
        RunResult::Invalid
    } else {
        RunResult::Passed
    };
    Comparison { text, code: exit_code(code) }
}

/// One line, and why its limit is broken.
fn row(key: &str, unit: &str, more_is_better: bool, before: &[f64], after: &[f64], limit: Option<&Limit>) -> (String, Option<String>) {
    let shown = |values: &[f64]| median(values).map_or_else(|| "–".to_owned(), |interval| bounded(&interval, values.len()));
    let Some(change) = ratio(after, before) else { return (String::new(), None) };
    let (told, single) = (change.confidence > 0.0, before.len() == 1 && after.len() == 1);
    let spans = change.low <= 1.0 && change.high >= 1.0;
    let word = match (told, spans) {
        (false, _) => "too few runs to tell",
        (true, true) => "no difference shown",
        (true, false) if (change.value > 1.0) == more_is_better => "better",
        (true, false) => "worse",
    };
    let ratio_text =
        if told { format!("{:.3} [{:.3}, {:.3}]", change.value, change.low, change.high) } else { format!("{:.3}", change.value) };
    let line = format!("{:<26} {:>32} {:>32} {ratio_text:>28}  {word}\n", format!("{key} {unit}"), shown(before), shown(after));
    let worse_by = if more_is_better { 1.0 / change.value - 1.0 } else { change.value - 1.0 };
    let shown_or_single = (told && !spans) || single;
    let failed = limit
        .filter(|limit| worse_by > limit.share && shown_or_single)
        .map(|limit| format!("OVER THE LIMIT: {key} is worse by {:.1} %, allowed are {:.1} %", 100.0 * worse_by, 100.0 * limit.share));
    (line, failed)
}

fn bounded(interval: &Interval, runs: usize) -> String {
    let digits = if interval.value.abs() >= 1000.0 { 0 } else { 3 };
    if runs < 2 {
        return format!("{:.digits$}", interval.value);
    }
    format!("{:.digits$} [{:.digits$}, {:.digits$}]", interval.value, interval.low, interval.high)
}

/// What makes the two hard to compare, and how sure the intervals are.
fn doubts(old: &Runs, new: &Runs) -> String {
    let mut text = String::new();
    let described = |runs: &Runs| {
        runs.runs.last().map(|run| {
            let load = &run.load;
            (
                format!("{} clients × {} ev/s, {} s, frame {}", load.clients, load.rate, load.seconds, load.frame_bytes),
                format!("{}, {} cores, Linux {}", run.machine.cpu, run.machine.cores, run.machine.kernel),
            )
        })
    };
    if let (Some(before), Some(after)) = (described(old), described(new)) {
        for (what, before, after) in [("loads", before.0, after.0), ("machines", before.1, after.1)] {
            if before != after {
                let _ = writeln!(text, "the {what} differ: old {before}; new {after}");
            }
        }
    }
    for (name, runs) in [("old", old), ("new", new)] {
        let bad = runs.runs.iter().filter(|run| run.result != RunResult::Passed).count();
        if bad > 0 {
            let _ = writeln!(text, "{bad} of {} {name} runs failed or are invalid", runs.runs.len());
        }
    }
    let sure = |runs: &Runs| median(&vec![0.0; runs.runs.len()]).map_or(0.0, |interval| 100.0 * interval.confidence);
    let (n, m) = (old.runs.len(), new.runs.len());
    let _ = writeln!(
        text,
        "{n} old and {m} new runs; a median's interval holds with {:.1} % and {:.1} %, a ratio's with at least 95 %",
        sure(old),
        sure(new)
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Summary;

    fn runs(p99_us: &[f64], floor_us: &[f64]) -> Runs {
        let report = |p99_us: &f64| Report { latency: Summary { p99_us: *p99_us, ..Summary::default() }, ..Report::default() };
        Runs { runs: p99_us.iter().map(report).collect(), floor: floor_us.iter().map(report).collect() }
    }

    fn limit(text: &str) -> Vec<Limit> {
        vec![text.parse().unwrap()]
    }

    const OLD: [f64; 5] = [1000.0, 1010.0, 990.0, 1020.0, 980.0];

    #[test]
    fn a_figure_that_became_worse_beyond_its_limit_ends_with_1_and_within_it_with_0() {
        let new = runs(&OLD.map(|value| value * 1.2), &[]);
        let over = compare(&runs(&OLD, &[]), &new, &limit("p99=10%"));
        assert!(over.code == 1 && over.text.contains("OVER THE LIMIT: p99 is worse by 20.0 %"), "{}", over.text);
        assert_eq!(compare(&runs(&OLD, &[]), &new, &limit("p99=30%")).code, 0);
        assert_eq!(compare(&new, &runs(&OLD, &[]), &limit("p99=10%")).code, 0, "better is not worse");
    }

    #[test]
    fn a_difference_that_the_repetitions_do_not_show_is_not_over_a_limit() {
        let noisy = runs(&[400.0, 3000.0, 1200.0, 900.0, 1300.0], &[]);
        let told = compare(&runs(&OLD, &[]), &noisy, &limit("p99=1%"));
        assert!(told.code == 0 && told.text.contains("no difference shown"), "{}", told.text);
    }

    #[test]
    fn a_drifting_machine_shows_in_the_figure_but_not_in_the_figure_over_the_floor() {
        let drifted = OLD.map(|value| value * 2.0);
        let told = compare(&runs(&OLD, &OLD), &runs(&drifted, &drifted), &limit("p99/floor=10%"));
        assert!(told.code == 0 && told.text.contains("worse") && told.text.contains("p99/floor"), "{}", told.text);
    }

    #[test]
    fn failed_runs_fail_and_invalid_ones_make_the_comparison_invalid() {
        let mut new = runs(&OLD, &[]);
        new.runs[0].result = RunResult::Invalid;
        assert_eq!(compare(&runs(&OLD, &[]), &new, &[]).code, 2);
        new.runs[1].result = RunResult::Failed;
        assert_eq!(compare(&runs(&OLD, &[]), &new, &[]).code, 1);
    }

    #[test]
    fn what_is_no_limit_is_refused() {
        for text in ["p99", "p99=10", "p99=x%", "p99=-1%"] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
    }
}
