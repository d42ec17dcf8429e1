//! What a scenario's phase must keep to, beside the accounts, which have no limit but none lost.

use crate::report::Report;
use serde::{Deserialize, Serialize};

/// Most that is allowed of each figure; what is absent is not judged.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// Latency of 99 of 100 deliveries, milliseconds.
    pub(crate) p99_ms: Option<f64>,
    /// Deliveries left out and told.
    pub(crate) skipped: Option<f64>,
    /// Events the server refused.
    pub(crate) refused: Option<f64>,
    /// CPU per delivery, microseconds.
    pub(crate) cpu_us_per_delivery: Option<f64>,
    /// The same, in the server's own code.
    pub(crate) user_cpu_us_per_delivery: Option<f64>,
    /// User CPU per connection and second, microseconds.
    pub(crate) user_cpu_us_per_connection_second: Option<f64>,
    /// Resident memory per connection, KiB: the slope of the line.
    pub(crate) rss_kib_per_connection: Option<f64>,
    /// Growth of resident memory in the second half of the window, KiB a minute.
    pub(crate) growth_kib_per_minute: Option<f64>,
    /// Until everybody was connected, seconds: the slowest round of a storm.
    pub(crate) connect_seconds: Option<f64>,
    /// Resident memory after a storm above that before it, percent.
    pub(crate) memory_kept_percent: Option<f64>,
    /// What a delivery costs more beside all strangers than beside none, by the line through all points, percent.
    pub(crate) unrelated_percent: Option<f64>,
}

/// A limit and what was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Outcome {
    /// The limit's key.
    pub(crate) limit: &'static str,
    /// Most allowed.
    pub(crate) allowed: f64,
    /// What was measured; absent when it could not be.
    pub(crate) measured: Option<f64>,
}

impl Outcome {
    /// Whether it was kept, or could not be judged.
    pub(crate) fn kept(&self) -> bool {
        self.measured.is_none_or(|measured| measured <= self.allowed)
    }
}

impl Limits {
    /// Each limit there is, with what a report says of it.
    pub(crate) fn judge(&self, report: &Report) -> Vec<Outcome> {
        let (memory, storm, accounts) = (report.memory.as_ref(), report.storm.as_ref(), &report.accounting);
        let all = [
            ("p99_ms", self.p99_ms, Some(report.latency.p99_us / 1000.0)),
            ("skipped", self.skipped, Some((accounts.skipped_announced + accounts.skipped_reported) as f64)),
            ("refused", self.refused, Some(report.publisher.refused as f64)),
            ("cpu_us_per_delivery", self.cpu_us_per_delivery, report.cost.map(|cost| cost.total_us)),
            ("user_cpu_us_per_delivery", self.user_cpu_us_per_delivery, report.cost.map(|cost| cost.user_us)),
            ("user_cpu_us_per_connection_second", self.user_cpu_us_per_connection_second, report.idle_cost().map(|cost| cost.user_us)),
            (
                "rss_kib_per_connection",
                self.rss_kib_per_connection,
                memory.and_then(|memory| memory.rss_per_connection).map(|line| line.slope),
            ),
            ("growth_kib_per_minute", self.growth_kib_per_minute, growth(report)),
            ("connect_seconds", self.connect_seconds, storm.and_then(crate::scenario::Storm::connect_seconds)),
            ("memory_kept_percent", self.memory_kept_percent, storm.and_then(crate::scenario::Storm::memory_kept_percent)),
            ("unrelated_percent", self.unrelated_percent, crate::unrelated::rise_percent(report)),
        ];
        all.into_iter().filter_map(|(limit, allowed, measured)| Some(Outcome { limit, allowed: allowed?, measured })).collect()
    }
}

fn growth(report: &Report) -> Option<f64> {
    let trend = report.memory.as_ref()?.trend?;
    (report.window_seconds > 0.0).then(|| trend.second_half_growth_kib as f64 / (report.window_seconds / 2.0) * 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_limits_that_were_set_are_judged_and_an_unknown_figure_breaks_none() {
        let limits = Limits { p99_ms: Some(5.0), connect_seconds: Some(3.0), ..Limits::default() };
        let mut report = Report::default();
        report.latency.p99_us = 5001.0;
        let outcomes = limits.judge(&report);
        assert_eq!(
            outcomes.iter().map(|outcome| (outcome.limit, outcome.kept())).collect::<Vec<_>>(),
            [("p99_ms", false), ("connect_seconds", true)]
        );
        report.latency.p99_us = 5000.0;
        assert!(limits.judge(&report).iter().all(Outcome::kept));
    }
}
