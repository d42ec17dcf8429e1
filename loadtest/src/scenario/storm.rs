//! Storms: everybody connects at once, everybody is dropped at once, and again, with nothing published.
//!
//! What a storm must keep to is the caller's; here stands how long it took, and what the server's memory did.

use super::{AFTER_SECONDS, Report, RunArgs, SCHEMA, Swarms, Target, accounts, check, connecting, known_process, limits, load, plan};
use crate::client::Shared;
use crate::clock::{self, SECOND, now_ns};
use crate::deadline::{self, waiting_for};
use crate::failure::Failure;
use crate::machine::Machine;
use crate::own_server::{metric, metrics};
use crate::publisher::Published;
use crate::verdict;
use crate::watch::{MemorySample, ProcessSample};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Time the server has to notice that everybody has gone.
const PATIENCE_NS: u64 = 10 * SECOND;
/// Time it has to give their memory back.
const GIVE_BACK_NS: u64 = 15 * SECOND;
/// Clients that come and go before the storm, and the rest after them.
const WARM_UP: usize = 200;
const SETTLE_MS: u64 = 500;
/// What the server counts as its connections.
const CONNECTIONS: &str = "fanfare_connections";

/// What a storm showed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Storm {
    /// Each time everybody came.
    pub(crate) rounds: Vec<Round>,
    /// The server before the storm, when a few clients had come and gone.
    pub(crate) before: Option<MemorySample>,
    /// The server when the last had gone: the least resident memory within fifteen seconds.
    pub(crate) after: Option<MemorySample>,
    /// From the last drop until the server counted no connection any more, milliseconds; absent when it cannot be asked, or never did.
    pub(crate) noticed_ms: Option<f64>,
}

/// Everybody coming once.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Round {
    /// From the first connection attempt until every client had its stream or was refused, milliseconds.
    pub(crate) connect_ms: f64,
    /// Clients with a stream.
    pub(crate) live: u64,
    /// Clients without one.
    pub(crate) failed: u64,
    /// Connections the server counted then, where it can be asked.
    pub(crate) counted_by_server: Option<u64>,
    /// CPU time the server spent on it, milliseconds.
    pub(crate) server_cpu_ms: Option<f64>,
    /// The server with everybody connected.
    pub(crate) with: Option<MemorySample>,
}

impl Storm {
    /// The longest any round took, seconds.
    pub(crate) fn connect_seconds(&self) -> Option<f64> {
        self.rounds.iter().map(|round| round.connect_ms / 1000.0).reduce(f64::max)
    }

    /// Resident memory at the end above that of before, in percent of it.
    pub(crate) fn memory_kept_percent(&self) -> Option<f64> {
        let (before, after) = (self.before.as_ref()?.rss_kib as f64, self.after.as_ref()?.rss_kib as f64);
        (before > 0.0).then(|| 100.0 * (after - before) / before)
    }

    /// Lines of name and value.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (number, round) in self.rounds.iter().enumerate() {
            let server = round.counted_by_server.map_or(String::new(), |counted| format!(", {counted} by the server's count"));
            let cpu = round.server_cpu_ms.map_or(String::new(), |cpu| format!(", server CPU {cpu:.0} ms"));
            let with = round.with.as_ref().map_or(String::new(), |with| format!(", server RSS {} KiB", with.rss_kib));
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{:<16} {} of {} connected in {:.0} ms{server}{cpu}{with}",
                format!("storm {}", number + 1),
                round.live,
                round.live + round.failed,
                round.connect_ms
            );
        }
        let noticed = self.noticed_ms.map_or(String::new(), |ms| format!("no connection left by the server's count after {ms:.0} ms; "));
        if let (Some(before), Some(after), Some(kept)) = (&self.before, &self.after, self.memory_kept_percent()) {
            let _ = writeln!(
                text,
                "{:<16} {noticed}RSS {} KiB before, {} KiB after ({kept:+.0} %)",
                "all dropped", before.rss_kib, after.rss_kib
            );
        }
        text
    }
}

/// Lets everybody come and drops them, `rounds` times without a pause between a drop and the next round.
pub(crate) fn storm(args: &RunArgs, rounds: usize, metrics_at: Option<SocketAddrV4>) -> Result<Report, Failure> {
    let mut args = RunArgs { rate: 0, warmup: 0, steps: 1, ..args.clone() };
    args.load.who.clients = args.load.who.mix().clients();
    check(&args)?;
    let a_round = connecting(&args) + 2 * PATIENCE_NS / SECOND;
    deadline::within((rounds as u64 + 2) * a_round + AFTER_SECONDS, move || measure(&args, rounds, metrics_at))
}

fn measure(args: &RunArgs, rounds: usize, metrics_at: Option<SocketAddrV4>) -> Result<Report, Failure> {
    let machine = Machine::describe();
    let target = Target::open(args)?;
    let pid = known_process(target.pid(args))?;
    let plan = Arc::new(plan(args, &target)?);
    let sample = |live| pid.map(|pid| MemorySample::take(pid, live));
    warm_up(args, &plan)?;
    let mut storm = Storm { before: sample(0), ..Storm::default() };
    let (mut results, mut failed, mut first_failure) = (Vec::new(), 0, None);
    let mut shared = Arc::new(Shared::new());
    for _ in 0..rounds.max(1) {
        shared = Arc::new(Shared::new());
        let swarms = Swarms::start(args, &plan, &shared)?;
        let cpu_before = pid.map(ProcessSample::take);
        let connect_ms = swarms.connect_at_once(args)? as f64 / 1e6;
        let used = cpu_before.and_then(|before| pid.map(|pid| ProcessSample::take(pid).since(&before)));
        let live = shared.live.load(Relaxed);
        storm.rounds.push(Round {
            connect_ms,
            live,
            failed: shared.failed.load(Relaxed),
            counted_by_server: metrics_at.and_then(|at| counted(at, Some(live))),
            server_cpu_ms: used.map(|usage| usage.total.running_ns as f64 / 1e6),
            with: sample(live),
        });
        failed += shared.failed.load(Relaxed);
        first_failure = first_failure.or_else(|| shared.first_failure());
        results.extend(swarms.stop()?);
    }
    let dropped = now_ns();
    storm.noticed_ms = metrics_at.and_then(|at| counted(at, Some(0)).filter(|n| *n == 0)).map(|_| (now_ns() - dropped) as f64 / 1e6);
    storm.after = settled(storm.before.as_ref(), || sample(0));
    let mut report = Report { schema: SCHEMA.to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), machine, ..Report::default() };
    report.load = load(args, &results);
    accounts::close(&mut report, &results, &Published::default(), None, &shared, &args.load.who.mix());
    report.accounting.failed_to_connect = failed;
    verdict::judge(&mut report, limits(args, true));
    judge(&storm, &mut report);
    report.reasons.extend(first_failure.map(|failure| format!("first client without a stream: {failure}")));
    report.storm = Some(storm);
    Ok(report)
}

/// A few clients come and go first: what a server touches for the first time, its code above all, is no memory of a storm.
fn warm_up(args: &RunArgs, plan: &Arc<super::Plan>) -> Result<(), Failure> {
    let mut few = RunArgs { slow: 0, stalled: 0, strangers: 0, ..args.clone() };
    (few.load.who.clients, few.load.who.mix) = (args.load.who.clients.min(WARM_UP), None);
    let swarms = Swarms::start(&few, plan, &Arc::new(Shared::new()))?;
    swarms.connect_at_once(&few)?;
    swarms.stop()?;
    clock::sleep_ms(SETTLE_MS);
    Ok(())
}

/// The server's count must be ours.
fn judge(storm: &Storm, report: &mut Report) {
    for round in &storm.rounds {
        if let Some(counted) = round.counted_by_server.filter(|counted| *counted != round.live) {
            report.result = crate::report::Result::Failed;
            report.reasons.push(format!("the server counts {counted} connections, {} clients have a stream", round.live));
        }
    }
}

/// Asks for the server's count until it is as expected, or for as long as that is worth.
fn counted(at: SocketAddrV4, expected: Option<u64>) -> Option<u64> {
    waiting_for("the server's count of its connections");
    let deadline = now_ns() + PATIENCE_NS;
    loop {
        let counted = metric(&metrics(at)?, CONNECTIONS);
        if Some(counted) == expected || now_ns() > deadline {
            return Some(counted);
        }
        clock::sleep_ms(5);
    }
}

/// The smallest of some samples over the time it has; no longer than until the first that is no larger than `before`.
fn settled(before: Option<&MemorySample>, take: impl Fn() -> Option<MemorySample>) -> Option<MemorySample> {
    waiting_for("the server to give memory back");
    let deadline = now_ns() + GIVE_BACK_NS;
    let mut least = take()?;
    while now_ns() < deadline && before.is_some_and(|before| least.rss_kib > before.rss_kib) {
        clock::sleep_ms(200);
        least = take().filter(|sample| sample.rss_kib > 0 && sample.rss_kib < least.rss_kib).unwrap_or(least);
    }
    Some(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(rss_kib: u64) -> Option<MemorySample> {
        Some(MemorySample { rss_kib, ..MemorySample::default() })
    }

    #[test]
    fn memory_kept_is_relative_to_what_there_was_before_anybody_came() {
        let storm = Storm { before: memory(1000), after: memory(1150), ..Storm::default() };
        assert_eq!(storm.memory_kept_percent(), Some(15.0));
        assert_eq!(Storm::default().memory_kept_percent(), None);
    }

    #[test]
    fn the_slowest_round_counts_and_a_server_that_counts_otherwise_fails() {
        let round = |connect_ms, counted_by_server| Round { connect_ms, live: 5, counted_by_server, ..Round::default() };
        let storm = Storm { rounds: vec![round(500.0, Some(5)), round(2000.0, None), round(100.0, Some(4))], ..Storm::default() };
        assert_eq!(storm.connect_seconds(), Some(2.0));
        let mut report = Report::default();
        judge(&storm, &mut report);
        assert_eq!((report.result, report.reasons.len()), (crate::report::Result::Failed, 1));
    }
}
