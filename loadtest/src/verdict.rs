//! Whether a run passed, failed or proved nothing. It looks only at the report.

use crate::report::{Report, Result};

/// CPU of one client thread above which it may itself be what is slow.
const SATURATED_PERCENT: f64 = 95.0;
/// CPU of client threads and publisher together, per core they are pinned to, above which they stand in each other's way.
const CORE_FULL_PERCENT: f64 = 98.0;

/// What the verdict needs beside the report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Publisher lateness, p99, in microseconds.
    pub(crate) lateness_us: f64,
    /// Cores the load tester is pinned to; 0 when it is not pinned.
    pub(crate) cores: usize,
    /// Whether the floor makes the events, so that its lateness is its own slowness and part of its latency.
    pub(crate) floor: bool,
}

/// Sets result and reasons. A broken promise counts even in a run whose figures are invalid.
pub(crate) fn judge(report: &mut Report, limits: Limits) {
    let failures = failures(report);
    let doubts = doubts(report, limits);
    report.result = match (failures.is_empty(), doubts.is_empty()) {
        (false, _) => Result::Failed,
        (true, false) => Result::Invalid,
        (true, true) => Result::Passed,
    };
    report.reasons = failures.into_iter().chain(doubts.into_iter().map(|doubt| format!("invalid: {doubt}"))).collect();
}

/// The process's exit code.
pub(crate) fn exit_code(result: Result) -> u8 {
    match result {
        Result::Passed => 0,
        Result::Failed => 1,
        Result::Invalid => 2,
    }
}

/// The worst of some results: failed before invalid before passed.
pub(crate) fn worst(results: impl IntoIterator<Item = Result>) -> Result {
    results
        .into_iter()
        .max_by_key(|result| match result {
            Result::Passed => 0,
            Result::Invalid => 1,
            Result::Failed => 2,
        })
        .unwrap_or_default()
}

fn failures(report: &Report) -> Vec<String> {
    let accounts = &report.accounting;
    let counts = [
        (accounts.lost_silently, "deliveries lost silently"),
        (accounts.duplicated, "deliveries duplicated"),
        (accounts.reordered, "deliveries out of order"),
        (accounts.overannounced, "skips announced that did not happen"),
        (accounts.unaccepted, "deliveries of refused events"),
        (accounts.foreign, "deliveries of libraries not asked for"),
        (accounts.malformed, "malformed frames"),
        (accounts.closed_by_server, "steady clients closed by the server"),
        (accounts.failed_to_connect, "clients without a stream"),
    ];
    let mut failures: Vec<String> =
        counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if let Some(watched) = report.watched.as_ref().filter(|watched| watched.broken > 0) {
        let first = watched.first_broken.as_deref().unwrap_or_default();
        failures.push(format!("{} session states whose accounts do not add up, the first: {first}", watched.broken));
    }
    failures
}

fn doubts(report: &Report, limits: Limits) -> Vec<String> {
    let mut doubts = Vec::new();
    let late = report.publisher.lateness.p99_us;
    if !limits.floor && late > limits.lateness_us {
        doubts.push(format!("publisher late: p99 {late:.0} µs, limit {:.0} µs", limits.lateness_us));
    }
    if report.publisher.unanswered > 0 {
        doubts.push(format!("{} published events without an answer: what to expect is not known", report.publisher.unanswered));
    }
    if let Some(watched) = &report.watched {
        if watched.unread > 0 {
            let first = watched.first_unread.as_deref().unwrap_or_default();
            doubts.push(format!("the server's accounts could not be read {} times, the first: {first}", watched.unread));
        } else if watched.checked == 0 {
            doubts.push("the server showed no session whose accounts could be checked".to_owned());
        }
    }
    for thread in report.own.threads.iter().filter(|thread| thread.name.starts_with("client-")) {
        let percent = report.own.percent(thread.running_ns);
        if percent > SATURATED_PERCENT {
            doubts.push(format!("client saturated: thread {} used {percent:.0} % of its CPU", thread.name));
        }
    }
    if limits.cores > 0 {
        let percent = (report.own.percent(report.own.running_of("client-") + report.own.running_of("accounts"))
            + report.publisher.cpu_percent)
            / limits.cores as f64;
        if percent > CORE_FULL_PERCENT {
            doubts.push(format!("load tester saturated: {percent:.0} % of its {} CPU(s)", limits.cores));
        }
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Watched;
    use crate::watch::{ThreadSample, Usage};

    const LIMITS: Limits = Limits { lateness_us: 1000.0, cores: 1, floor: false };

    fn used(percent: u64) -> Usage {
        let thread = ThreadSample { name: "client-0".to_owned(), running_ns: percent, ..ThreadSample::default() };
        Usage { elapsed_ns: 100, total: thread.clone(), threads: vec![thread] }
    }

    #[test]
    fn a_clean_run_passes() {
        let mut report = Report { own: used(90), ..Report::default() };
        judge(&mut report, LIMITS);
        assert_eq!((report.result, exit_code(report.result)), (Result::Passed, 0));
    }

    #[test]
    fn one_silent_loss_fails_even_an_invalid_run() {
        let mut report = Report { own: used(99), ..Report::default() };
        report.accounting.lost_silently = 1;
        judge(&mut report, LIMITS);
        assert_eq!((report.result, exit_code(report.result)), (Result::Failed, 1));
        assert!(report.reasons.iter().any(|reason| reason.contains("saturated")));
    }

    #[test]
    fn skips_that_were_told_do_not_fail_a_run() {
        let mut report = Report::default();
        report.accounting.skipped_announced = 1000;
        report.accounting.skipped_reported = 1000;
        judge(&mut report, LIMITS);
        assert_eq!(report.result, Result::Passed);
    }

    #[test]
    fn accounts_that_do_not_add_up_fail_a_run_and_unread_ones_make_it_invalid() {
        let judged = |watched: Watched| {
            let mut report = Report { watched: Some(watched), ..Report::default() };
            judge(&mut report, LIMITS);
            (report.result, report.reasons.join(" "))
        };
        assert_eq!(judged(Watched { checked: 9, ..Watched::default() }).0, Result::Passed);
        let (result, reason) = judged(Watched { checked: 9, broken: 1, first_broken: Some("session 3".to_owned()), ..Watched::default() });
        assert!(result == Result::Failed && reason.contains("session 3"), "{reason}");
        assert_eq!(judged(Watched { checked: 9, unread: 1, ..Watched::default() }).0, Result::Invalid);
        assert_eq!(judged(Watched::default()).0, Result::Invalid);
    }

    #[test]
    fn a_late_publisher_makes_a_run_invalid_but_not_the_floors() {
        let mut report = Report::default();
        report.publisher.lateness.p99_us = 1001.0;
        judge(&mut report, LIMITS);
        assert_eq!((report.result, exit_code(report.result)), (Result::Invalid, 2));
        judge(&mut report, Limits { floor: true, ..LIMITS });
        assert_eq!(report.result, Result::Passed);
    }
}
