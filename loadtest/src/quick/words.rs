//! The verdict of `quick` for somebody who reads such figures for the first time: sentences first, the table they come from behind.

use super::{FLOOR, Quick, Way};
use crate::report::{Report, Result as RunResult};
use std::fmt::Write as _;

/// Connections that memory is reckoned for.
const MANY: f64 = 15_000.0;

/// All of it.
pub(super) fn verdict(quick: &Quick) -> String {
    let mut text = headline(quick) + "\n\n";
    if let [floor, ways @ ..] = &quick.ways[..]
        && !ways.is_empty()
    {
        text.push_str(&delay(floor, ways));
        text.push_str(&cost(floor, ways));
        text.push_str(&memory(ways));
    }
    text + "\n" + &table(quick)
}

/// What came of it, and why.
fn headline(quick: &Quick) -> String {
    let due: u64 = quick.runs().map(|run| run.accounting.expected).sum();
    let ways = quick.ways.len().saturating_sub(1);
    match quick.result {
        RunResult::Passed => {
            let skipped: u64 = quick.runs().map(|run| run.accounting.skipped_announced + run.accounting.skipped_reported).sum();
            let arrived = if skipped == 0 {
                "arrived, once and in order".to_owned()
            } else {
                format!("arrived once and in order or, {} of them, was left out and the client told so", grouped(skipped))
            };
            format!("PASSED: every one of {} deliveries over {ways} protocol(s) and the floor {arrived}.", grouped(due))
        }
        RunResult::Failed => format!("FAILED: the server did not do what it promises.{}", reasons(quick, RunResult::Failed)),
        RunResult::Invalid => format!(
            "INVALID: nothing was lost, but the load tester itself was too slow for its figures to be believed. Something else may be at \
             work on this machine: try again when it is quiet, or with fewer --clients.{}",
            reasons(quick, RunResult::Invalid)
        ),
    }
}

fn reasons(quick: &Quick, result: RunResult) -> String {
    let mut text = String::new();
    for way in &quick.ways {
        for (load, run) in [("one event at a time", &way.calm), ("under pressure", &way.pressed)] {
            for reason in run.reasons.iter().filter(|_| run.result == result) {
                // Writing to a string cannot fail.
                let _ = write!(text, "\n  {}, {load}: {reason}", way.name);
            }
        }
    }
    text
}

fn delay(floor: &Way, ways: &[Way]) -> String {
    let p99 = |way: &Way| way.calm.latency.p99_us / 1000.0;
    format!(
        "How fast: with {} clients and {} events a second, 99 of 100 deliveries are there within {} ms of the moment their event was due. The \
         floor, a program that does nothing but write ready bytes, needs {:.1} ms.\n",
        floor.calm.load.clients,
        floor.calm.load.rate,
        range(ways.iter().map(p99), 1),
        p99(floor)
    )
}

fn cost(floor: &Way, ways: &[Way]) -> String {
    let cost = |way: &Way| way.pressed.cost.unwrap_or_default().total_us;
    let dearest = ways.iter().map(cost).fold(0.0, f64::max);
    if dearest == 0.0 {
        return String::new();
    }
    format!(
        "How much: a delivery costs {} µs of CPU under pressure (floor {:.2}), so a core of this machine has time for about {} deliveries a \
         second.\n",
        range(ways.iter().map(cost), 2),
        cost(floor),
        range(ways.iter().map(|way| 1.0 / cost(way).max(1e-3)), 1) + " million",
    )
}

fn memory(ways: &[Way]) -> String {
    let per_connection = |way: &Way| way.calm.memory.as_ref().and_then(|memory| memory.rss_per_connection).map(|line| line.slope);
    let slopes: Vec<f64> = ways.iter().filter_map(per_connection).collect();
    if slopes.is_empty() {
        return String::new();
    }
    format!(
        "How many: a connection takes {} KiB of the server's memory (what the kernel keeps for its socket apart), so 15,000 clients take about \
         {} MiB.\n",
        range(slopes.iter().copied(), 1),
        range(slopes.iter().map(|slope| slope * MANY / 1024.0), 0),
    )
}

fn table(quick: &Quick) -> String {
    let mut text = format!(
        "{:<18} {:>10} {:>10} {:>12} {:>14} {:>14} {:>8} {:>8}\n",
        "", "p50 ms", "p99 ms", "µs/delivery", "deliveries/s", "KiB/connection", "skipped", "lost"
    );
    for way in &quick.ways {
        let rss = way
            .calm
            .memory
            .as_ref()
            .and_then(|memory| memory.rss_per_connection)
            .map_or("–".to_owned(), |line| if way.name == FLOOR { "–".to_owned() } else { format!("{:.2}", line.slope) });
        for (load, run, rss) in [("calm", &way.calm, rss), ("pressed", &way.pressed, "–".to_owned())] {
            let accounts = &run.accounting;
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{:<18} {:>10.2} {:>10.2} {:>12} {:>14.0} {rss:>14} {:>8} {:>8}",
                format!("{} {load}", way.name),
                run.latency.p50_us / 1000.0,
                run.latency.p99_us / 1000.0,
                run.cost.map_or("–".to_owned(), |cost| format!("{:.2}", cost.total_us)),
                run.deliveries_per_second,
                accounts.skipped_announced + accounts.skipped_reported,
                accounts.lost_silently,
            );
        }
    }
    text + &loads(quick)
}

/// What the two loads of the table are.
fn loads(quick: &Quick) -> String {
    let of = |run: &Report| format!("{} clients, {} events a second", run.load.clients, run.load.rate);
    quick.ways.first().map_or_else(String::new, |way| format!("calm: {}; pressed: {}\n", of(&way.calm), of(&way.pressed)))
}

/// `3`, or `2 to 5` where the figures differ.
fn range(figures: impl Iterator<Item = f64>, digits: usize) -> String {
    let (least, most) = figures.fold((f64::INFINITY, 0.0_f64), |(least, most), figure| (least.min(figure), most.max(figure)));
    let (least, most) = (format!("{least:.digits$}"), format!("{most:.digits$}"));
    if least == most { least } else { format!("{least} to {most}") }
}

/// A number with its thousands parted.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let parted = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    parted.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;

    fn quick(result: RunResult) -> Quick {
        let way = |name: &str| Way { name: name.to_owned(), calm: Report::default(), pressed: Report::default() };
        let mut ways = vec![way(FLOOR), way("sse")];
        ways[1].pressed.accounting.expected = 1_234_567;
        ways[1].pressed.result = result;
        ways[1].pressed.reasons = vec!["seven things are wrong".to_owned()];
        Quick { schema: "", version: "", machine: Machine::default(), ways, result }
    }

    #[test]
    fn a_pass_says_how_many_deliveries_there_were() {
        let text = verdict(&quick(RunResult::Passed));
        assert!(text.starts_with("PASSED: every one of 1,234,567 deliveries") && text.contains("once and in order"), "{text}");
    }

    #[test]
    fn skips_that_were_told_are_said_in_the_first_sentence() {
        let mut quick = quick(RunResult::Passed);
        quick.ways[1].pressed.accounting.skipped_reported = 1000;
        assert!(verdict(&quick).lines().next().unwrap().contains("1,000 of them"));
    }

    #[test]
    fn a_failure_and_an_invalid_run_say_which_way_in_and_why() {
        for (result, word) in [(RunResult::Failed, "FAILED"), (RunResult::Invalid, "INVALID")] {
            let text = verdict(&quick(result));
            assert!(text.starts_with(word) && text.contains("\n  sse, under pressure: seven things are wrong"), "{text}");
        }
    }

    #[test]
    fn figures_that_agree_are_one_figure() {
        assert_eq!(range([1.04, 1.01].into_iter(), 1), "1.0");
        assert_eq!(range([2.0, 1.0].into_iter(), 1), "1.0 to 2.0");
    }
}
