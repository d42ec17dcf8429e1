//! The ramp: the highest rate at which latency keeps to a goal and nothing is lost, and on the way there latency at every rate that was tried.
//!
//! Rates double until one does not hold, then the gap is halved until it is narrow. A rate that did not hold is tried once more, so that a
//! hiccup of the machine does not end the search; both tries are in the curve. Every try is an ordinary run.

use crate::args::{RampArgs, RunArgs};
use crate::failure::Failure;
use crate::html::Group;
use crate::own_server::household::Household;
use crate::report::{RampPoint, Report, Result as RunResult};
use crate::scenario;
use crate::stored;
use crate::under_test::{UnderTest, words};
use std::fmt::Write as _;

/// Searches; the report is that of the highest rate that held, with every try beside it.
pub(crate) fn run(args: &RampArgs) -> Result<Report, Failure> {
    if args.from == 0 || args.from > args.to {
        return Err(Failure::new(format!("from, to: {} to {} is no range of rates above 0", args.from, args.to)));
    }
    let household = Household { libraries: args.load.libraries, client_libraries: args.load.client_libraries, ..Household::default() };
    let under_test = UnderTest::open(&args.target, &household)?;
    let mut ramp = Ramp { goal_us: args.goal_p99_ms * 1000.0, best: None, last: None, tries: Vec::new() };
    let mut attempt = |rate: u64| {
        let run = under_test.run_args(&words(&["--steps", "1", "--warmup", "1"]))?;
        let run = RunArgs { rate, seconds: args.seconds, load: args.load.clone(), ..run };
        for _ in 0..2 {
            let report = scenario::run(&run)?;
            if ramp.take(report) {
                return Ok(Verdict::Held);
            }
            if ramp.last.as_ref().is_some_and(|last| last.result == RunResult::Failed) {
                return Ok(Verdict::Broken);
            }
        }
        Ok(Verdict::NotHeld)
    };
    let top = search(args, &mut attempt)?;
    Ok(ramp.finish(args, top))
}

/// What came of a rate.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    Held,
    NotHeld,
    /// A promise was broken, which ends the search.
    Broken,
}

/// The highest rate that held, if any did, and the lowest that did not.
fn search(args: &RampArgs, attempt: &mut impl FnMut(u64) -> Result<Verdict, Failure>) -> Result<(Option<u64>, Option<u64>), Failure> {
    let (mut held, mut failed, mut rate) = (None, None, args.from);
    loop {
        match attempt(rate)? {
            Verdict::Held => held = Some(rate),
            Verdict::NotHeld => failed = Some(rate),
            Verdict::Broken => return Ok((held, Some(rate))),
        }
        rate = match (held, failed) {
            (Some(low), None) if low == args.to => return Ok((held, None)),
            (Some(low), None) => low.saturating_mul(2).min(args.to),
            (Some(low), Some(high)) if high - low > 1 && (high - low) * 100 > low * args.precision_percent => low + (high - low) / 2,
            _ => return Ok((held, failed)),
        };
    }
}

/// What has been tried so far.
struct Ramp {
    goal_us: f64,
    best: Option<Report>,
    last: Option<Report>,
    tries: Vec<(RampPoint, RunResult)>,
}

impl Ramp {
    /// Takes a try; whether it held.
    fn take(&mut self, report: Report) -> bool {
        let point = point(&report, self.goal_us);
        let held = point.held;
        eprintln!(
            "{} events/s: {:.0} deliveries/s, p99 {:.2} ms: {}",
            point.rate,
            point.deliveries_per_second,
            point.p99_us / 1000.0,
            if held { "held".to_owned() } else { point.reasons.join("; ") }
        );
        self.tries.push((point, report.result));
        if held && self.best.as_ref().is_none_or(|best| best.load.rate <= report.load.rate) {
            self.best = Some(report.clone());
        }
        self.last = Some(report);
        held
    }

    /// The verdict of the whole search.
    fn finish(mut self, args: &RampArgs, (held, failed): (Option<u64>, Option<u64>)) -> Report {
        let broken = self.tries.iter().find(|(_, result)| *result == RunResult::Failed);
        // The first rate that is too much decides whose limit was found.
        let limit = failed.and_then(|rate| self.tries.iter().rfind(|(point, _)| point.rate == rate));
        let (result, reasons) = match (broken, limit) {
            (Some((point, _)), _) => (RunResult::Failed, at(point)),
            (None, Some((point, RunResult::Invalid))) => (
                RunResult::Invalid,
                vec!["invalid: the load tester was the limit, the server may hold more".to_owned()].into_iter().chain(at(point)).collect(),
            ),
            (None, Some((point, _))) if held.is_none() => (RunResult::Failed, at(point)),
            _ => (RunResult::Passed, Vec::new()),
        };
        let mut report = self.best.take().or(self.last).unwrap_or_default();
        report.ramp = self.tries.into_iter().map(|(point, _)| point).collect();
        report.ramp_goal_p99_ms = Some(args.goal_p99_ms);
        (report.result, report.reasons) = (result, reasons);
        report
    }
}

/// The reasons of a try with its rate.
fn at(point: &RampPoint) -> Vec<String> {
    point.reasons.iter().map(|reason| format!("at {} events/s: {reason}", point.rate)).collect()
}

/// A try as a point of the curve.
fn point(report: &Report, goal_us: f64) -> RampPoint {
    let (latency, accounts) = (&report.latency, &report.accounting);
    let skipped = accounts.skipped_announced + accounts.skipped_reported;
    let mut reasons = report.reasons.clone();
    let mut miss = |missed: bool, reason: String| reasons.extend(missed.then_some(reason));
    miss(latency.p99_us > goal_us, format!("p99 is {:.2} ms, the goal {:.2} ms", latency.p99_us / 1000.0, goal_us / 1000.0));
    miss(skipped > 0, format!("{skipped} deliveries skipped"));
    miss(report.publisher.refused > 0, format!("{} events refused", report.publisher.refused));
    RampPoint {
        rate: report.load.rate,
        deliveries_per_second: report.deliveries_per_second,
        p50_us: latency.p50_us,
        p99_us: latency.p99_us,
        p999_us: latency.p999_us,
        max_us: latency.max_us,
        skipped,
        lost_silently: accounts.lost_silently,
        held: reasons.is_empty() && report.result == RunResult::Passed,
        reasons,
    }
}

/// The one run, for a page.
pub(crate) fn groups(report: &Report) -> Vec<Group<'_>> {
    vec![Group { name: stored::side_of(report).to_owned(), runs: std::slice::from_ref(report) }]
}

/// The curve and the verdict for people.
pub(crate) fn text(report: &Report) -> String {
    let mut points: Vec<&RampPoint> = report.ramp.iter().collect();
    points.sort_by_key(|point| point.rate);
    let mut text =
        format!("{:>10} {:>14} {:>10} {:>10} {:>10} {:>10}  held\n", "events/s", "deliveries/s", "p50 ms", "p99 ms", "p99.9 ms", "max ms");
    for point in points {
        let [p50, p99, p999, max] = [point.p50_us, point.p99_us, point.p999_us, point.max_us].map(|us| us / 1000.0);
        let held = if point.held { "yes".to_owned() } else { format!("no: {}", point.reasons.join("; ")) };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:>10} {:>14.0} {p50:>10.2} {p99:>10.2} {p999:>10.2} {max:>10.2}  {held}",
            point.rate, point.deliveries_per_second
        );
    }
    let goal = report.ramp_goal_p99_ms.unwrap_or_default();
    let best = report.ramp.iter().filter(|point| point.held).max_by_key(|point| point.rate);
    let _ = match best {
        Some(best) => writeln!(
            text,
            "highest rate that holds p99 within {goal} ms without loss: {} events/s, {:.0} deliveries/s",
            best.rate, best.deliveries_per_second
        ),
        None => writeln!(text, "no rate held p99 within {goal} ms without loss"),
    };
    if report.result != RunResult::Passed {
        let _ = writeln!(text, "{:?}: {}", report.result, report.reasons.join("; "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn args(more: &str) -> RampArgs {
        let line = format!("t ramp --goal-p99-ms 10 {more}");
        match crate::args::Arguments::try_parse_from(line.split_whitespace()).unwrap().command {
            crate::args::Command::Ramp(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    fn tried(args: &RampArgs, limit: u64) -> ((Option<u64>, Option<u64>), Vec<u64>) {
        let mut rates = Vec::new();
        let found = search(args, &mut |rate| {
            rates.push(rate);
            Ok(if rate <= limit { Verdict::Held } else { Verdict::NotHeld })
        });
        (found.unwrap(), rates)
    }

    fn report(rate: u64, p99_us: f64, result: RunResult) -> Report {
        let mut report = Report { result, ..Report::default() };
        (report.load.rate, report.latency.p99_us) = (rate, p99_us);
        report
    }

    fn ramp(tries: impl IntoIterator<Item = Report>) -> Ramp {
        let mut ramp = Ramp { goal_us: 10_000.0, best: None, last: None, tries: Vec::new() };
        tries.into_iter().for_each(|report| {
            ramp.take(report);
        });
        ramp
    }

    #[test]
    fn the_limit_is_found_as_narrowly_as_asked() {
        for limit in [100, 101, 799, 800, 5000, 123_456] {
            let ((held, failed), rates) = tried(&args("--from 100 --to 1000000 --precision-percent 5"), limit);
            let (held, failed) = (held.unwrap(), failed.unwrap());
            assert!(held <= limit && failed > limit && (failed - held) * 100 <= held * 5, "{limit}: {rates:?}");
            assert!(rates.len() < 25, "{rates:?}");
        }
    }

    #[test]
    fn the_search_ends_where_nothing_or_everything_holds() {
        assert_eq!(tried(&args("--from 100"), 5).0, (None, Some(100)));
        assert_eq!(tried(&args("--from 100 --to 1000"), u64::MAX), ((Some(1000), None), vec![100, 200, 400, 800, 1000]));
    }

    #[test]
    fn the_report_is_that_of_the_highest_rate_that_held_with_every_try() {
        let ramp = ramp([
            report(100, 1000.0, RunResult::Passed),
            report(200, 9000.0, RunResult::Passed),
            report(400, 11_000.0, RunResult::Passed),
        ]);
        let report = ramp.finish(&args(""), (Some(200), Some(400)));
        assert_eq!((report.result, report.load.rate, report.ramp.len()), (RunResult::Passed, 200, 3));
        assert_eq!(report.ramp.iter().map(|point| point.held).collect::<Vec<_>>(), [true, true, false]);
        assert!(text(&report).contains("without loss: 200 events/s"), "{}", text(&report));
    }

    #[test]
    fn a_limit_of_the_load_tester_is_not_sold_as_one_of_the_server() {
        let mut late = report(200, 1.0, RunResult::Invalid);
        late.reasons.push("invalid: publisher late".to_owned());
        let report = ramp([report(100, 1.0, RunResult::Passed), late]).finish(&args(""), (Some(100), Some(200)));
        assert_eq!(report.result, RunResult::Invalid);
        assert!(report.reasons[1].contains("at 200 events/s: invalid: publisher late"), "{:?}", report.reasons);
    }

    #[test]
    fn a_loss_at_any_rate_fails_the_ramp_and_skips_or_refusals_do_not_hold() {
        let mut lost = report(200, 1.0, RunResult::Failed);
        lost.accounting.lost_silently = 1;
        assert_eq!(ramp([report(100, 1.0, RunResult::Passed), lost]).finish(&args(""), (Some(100), Some(200))).result, RunResult::Failed);
        let (mut skipped, mut refused) = (report(1, 1.0, RunResult::Passed), report(1, 1.0, RunResult::Passed));
        skipped.accounting.skipped_reported = 1;
        refused.publisher.refused = 1;
        assert!(!point(&skipped, 5.0).held && !point(&refused, 5.0).held && point(&report(1, 1.0, RunResult::Passed), 5.0).held);
    }
}
