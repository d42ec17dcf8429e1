//! What a delivery costs beside clients of other libraries: the same load beside none, a quarter, half and all of them, and the line through the
//! costs. How a run is made is the caller's.

use crate::failure::Failure;
use crate::report::{Report, UnrelatedPoint};
use crate::stats::{fit, median_min_max};
use crate::verdict;
use std::fmt::Write as _;

/// Measures every number of strangers in every round, so that a machine whose speed drifts hits all alike. The report is that of the last run,
/// beside all strangers, with every point and the worst result.
pub(crate) fn measure(strangers: usize, rounds: usize, mut run: impl FnMut(usize) -> Result<Report, Failure>) -> Result<Report, Failure> {
    if strangers < 4 {
        return Err(Failure::new("strangers: must be 4 or more for a line over their number"));
    }
    let (mut points, mut results, mut reasons, mut last) = (Vec::new(), Vec::new(), Vec::new(), Report::default());
    for round in 1..=rounds.max(1) {
        for beside in [0, strangers / 4, strangers / 2, strangers] {
            let report = run(beside)?;
            let point = UnrelatedPoint { strangers: beside, cost: report.cost.unwrap_or_default(), p99_us: report.latency.p99_us };
            eprintln!("round {round}, {beside} strangers: {:.3} µs of CPU per delivery", point.cost.total_us);
            points.push(point);
            results.push(report.result);
            reasons.extend(report.reasons.iter().map(|reason| format!("beside {beside} strangers: {reason}")));
            last = report;
        }
    }
    let costs: Vec<_> = points.iter().map(|point| (point.strangers as f64, point.cost.total_us)).collect();
    Ok(Report { unrelated_line: fit(&costs), unrelated: points, result: verdict::worst(results), reasons, ..last })
}

/// What the line says that a delivery costs more beside the most strangers than beside none, in percent.
pub(crate) fn rise_percent(report: &Report) -> Option<f64> {
    let most = report.unrelated.iter().map(|point| point.strangers).max()?;
    let line = report.unrelated_line.filter(|line| line.intercept > 0.0)?;
    Some(100.0 * line.slope * most as f64 / line.intercept)
}

/// A Markdown table of medians with smallest and largest, and the line; nothing where strangers were not the matter.
pub(crate) fn text(report: &Report) -> String {
    let mut numbers: Vec<usize> = report.unrelated.iter().map(|point| point.strangers).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut text = String::new();
    let Some(rise) = rise_percent(report) else { return text };
    text.push_str("\n| unrelated clients | total CPU per delivery, µs | user CPU, µs | p99, ms |\n|---|---|---|---|\n");
    for number in numbers {
        let of = |figure: fn(&UnrelatedPoint) -> f64| {
            let values: Vec<f64> = report.unrelated.iter().filter(|point| point.strangers == number).map(figure).collect();
            let (median, min, max) = median_min_max(&values);
            if values.len() < 2 { format!("{median:.3}") } else { format!("{median:.3} ({min:.3}–{max:.3})") }
        };
        let (total, user, p99) = (of(|point| point.cost.total_us), of(|point| point.cost.user_us), of(|point| point.p99_us / 1000.0));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {number} | {total} | {user} | {p99} |");
    }
    let fit = report.unrelated_line.map_or(0.0, |line| line.r_squared);
    let _ = writeln!(
        text,
        "\nbeside all of them a delivery costs {rise:+.1} % by the line through {} runs, R² {fit:.3}",
        report.unrelated.len()
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Cost, Result as RunResult};

    fn run(total_us: f64) -> Report {
        Report { cost: Some(Cost { user_us: 0.1, total_us }), ..Report::default() }
    }

    #[test]
    fn a_cost_that_rises_with_strangers_is_found_and_one_that_does_not_is_none() {
        let rising = measure(1000, 2, |strangers| Ok(run(5.0 + strangers as f64 * 0.001))).unwrap();
        assert_eq!(rising.unrelated.len(), 8);
        assert!((rise_percent(&rising).unwrap() - 20.0).abs() < 1e-6);
        let level = measure(1000, 1, |_| Ok(run(5.0))).unwrap();
        assert!(rise_percent(&level).unwrap().abs() < 1e-9);
        assert!(text(&level).contains("| 250 | 5.000 | 0.100 | 0.000 |") && text(&Report::default()).is_empty(), "{}", text(&level));
    }

    #[test]
    fn a_run_that_failed_fails_the_whole_with_the_number_it_failed_beside() {
        let fail = |strangers| {
            let (result, reasons) = if strangers == 500 { (RunResult::Failed, vec!["lost".to_owned()]) } else { Default::default() };
            Ok(Report { result, reasons, ..run(1.0) })
        };
        let report = measure(1000, 1, fail).unwrap();
        assert_eq!((report.result, report.reasons), (RunResult::Failed, vec!["beside 500 strangers: lost".to_owned()]));
        assert!(measure(3, 1, |_| Ok(run(1.0))).is_err());
    }
}
