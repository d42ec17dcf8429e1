//! The measured window of a run: CPU, deliveries and memory from the end of the warm-up to the last event.

use crate::args::RunArgs;
use crate::client::Shared;
use crate::clock::{self, SECOND, now_ns};
use crate::deadline::waiting_for;
use crate::report::{Cost, Memory, Report};
use crate::resident::{Trend, median};
use crate::watch::{ProcessSample, Usage, resident_kib};
use std::sync::atomic::Ordering::Relaxed;

/// Samples of resident memory a second.
const PER_SECOND: u64 = 4;
/// Samples before publishing, and the milliseconds between them.
const BEFORE: (usize, u64) = (5, 50);

/// Figures of the window; memory goes straight into its report.
pub(super) struct Window {
    began_ns: u64,
    elapsed_ns: u64,
    deliveries: u64,
    server: Option<Usage>,
    own: Usage,
}

impl Window {
    /// Samples CPU at both ends, resident memory four times a second and sockets once a second in between; returns at `until_ns`.
    pub(super) fn measure(args: &RunArgs, pid: Option<u32>, shared: &Shared, mut memory: Option<&mut Memory>, until_ns: u64) -> Self {
        waiting_for("the end of the measured window");
        let take = |pid: Option<u32>| pid.map(ProcessSample::take);
        let own_pid = std::process::id();
        let (server_before, own_before) = (take(pid), ProcessSample::take(own_pid));
        let (began, received_before) = (now_ns(), shared.received.load(Relaxed));
        let mut resident: Vec<u64> = pid.map(resident_kib).into_iter().collect();
        for tick in 1..=args.seconds * PER_SECOND {
            clock::sleep_until((began + tick * SECOND / PER_SECOND).min(until_ns));
            if let (Some(memory), Some(pid)) = (memory.as_deref_mut(), pid) {
                let rss_kib = resident_kib(pid);
                resident.push(rss_kib);
                if tick % PER_SECOND == 0 {
                    memory.rss_kib_by_second.push(rss_kib);
                    memory.socket_kib_max = memory.socket_kib_max.max(crate::watch::socket_kib());
                }
            }
        }
        let (deliveries, elapsed_ns) = (shared.received.load(Relaxed) - received_before, now_ns() - began);
        let own = ProcessSample::take(own_pid).since(&own_before);
        let server = server_before.and_then(|before| take(pid).map(|after| after.since(&before)));
        if let Some(memory) = memory {
            memory.trend = Trend::of(&resident);
            memory.growth_per_stalled_kib = growth_per_stalled(memory, args.stalled);
        }
        Self { began_ns: began, elapsed_ns, deliveries, server, own }
    }

    pub(super) fn fill(self, report: &mut Report) {
        report.window_seconds = self.elapsed_ns as f64 / SECOND as f64;
        report.deliveries_per_second = self.deliveries as f64 / report.window_seconds;
        if self.deliveries > 0 {
            let per_delivery = |nanoseconds: u64| nanoseconds as f64 / 1000.0 / self.deliveries as f64;
            report.cost = self.server.as_ref().map(|server| {
                let total = &server.total;
                let ticks = (total.user_ns + total.system_ns).max(1);
                // The exact running time, divided between user and kernel as the kernel's ticks are.
                let user = total.running_ns as f64 * total.user_ns as f64 / ticks as f64;
                Cost { user_us: user / 1000.0 / self.deliveries as f64, total_us: per_delivery(total.running_ns) }
            });
        }
        report.series.mark_window(self.began_ns, self.elapsed_ns);
        (report.server, report.own) = (self.server, self.own);
    }
}

/// Samples the server's resident memory when everybody is connected.
pub(super) fn sample_before_publishing(pid: Option<u32>, memory: Option<&mut Memory>) {
    if let (Some(pid), Some(memory)) = (pid, memory) {
        let sample = |_| {
            clock::sleep_ms(BEFORE.1);
            resident_kib(pid)
        };
        memory.rss_kib_before_publishing = Some(median(&(0..BEFORE.0).map(sample).collect::<Vec<_>>()));
    }
}

fn growth_per_stalled(memory: &Memory, stalled: usize) -> Option<f64> {
    let (before, trend) = (memory.rss_kib_before_publishing?, memory.trend?);
    (stalled > 0).then(|| (trend.end_kib as f64 - before as f64) / stalled as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_divided_among_stalled_clients_and_absent_without_any() {
        let trend = Trend { end_kib: 900, ..Trend::default() };
        let memory = Memory { rss_kib_before_publishing: Some(1000), trend: Some(trend), ..Memory::default() };
        assert_eq!(growth_per_stalled(&memory, 8), Some(-12.5));
        assert_eq!(growth_per_stalled(&memory, 0), None);
        assert_eq!(growth_per_stalled(&Memory::default(), 8), None);
    }
}
