//! What a person at a terminal sees while a run goes on: one bar that moves, and the figures so far. Nothing where standard error is no terminal.

use crate::args::RunArgs;
use crate::client::{NOT_OVER, Shared};
use crate::html::{duration, memory};
use crate::series::ClientMoment;
use crate::tally::{Counts, quantile_ns};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::atomic::Ordering::Relaxed;

/// The view of one run; it clears itself when dropped.
pub(crate) struct View {
    bar: ProgressBar,
    clients: u64,
    events: u64,
    rate: u64,
    /// Seconds since the first delivery, for targets that do not tell what they have sent.
    delivering_ms: f64,
    first: Counts,
}

/// Where a run is.
#[derive(Debug, PartialEq)]
struct Phase {
    name: &'static str,
    done: u64,
    all: u64,
}

impl View {
    /// A view, when somebody can see it and wants to.
    pub(crate) fn open(args: &RunArgs, shared: &Shared) -> Option<Self> {
        if args.quiet || !std::io::stderr().is_terminal() {
            return None;
        }
        let bar = ProgressBar::new(1);
        let style = ProgressStyle::with_template("{prefix:>12} {bar:24} {pos} of {len}  {wide_msg}").ok()?;
        bar.set_style(style.progress_chars("━╸ "));
        Some(Self {
            bar,
            clients: (args.load.who.clients + args.slow + args.stalled) as u64,
            events: args.rate * (args.warmup + args.seconds),
            rate: args.rate,
            delivering_ms: 0.0,
            first: shared.tally.latency.read(),
        })
    }

    /// Shows the latest interval. `rss_kib` is the server's memory, when it is known.
    pub(crate) fn show(&mut self, moment: &ClientMoment, rss_kib: Option<u64>, shared: &Shared) {
        if moment.deliveries > 0 {
            self.delivering_ms += moment.to_ms - moment.from_ms;
        }
        let phase = self.phase(shared);
        self.bar.set_prefix(phase.name);
        self.bar.set_length(phase.all);
        self.bar.set_position(phase.done);
        let so_far = shared.tally.latency.read().since(&self.first);
        self.bar.set_message(message(moment, &so_far, shared.tally.skipped.load(Relaxed), rss_kib));
    }

    fn phase(&self, shared: &Shared) -> Phase {
        let (live, sent) = (shared.live.load(Relaxed), u64::from(shared.sent.load(Relaxed)));
        if shared.end.load(Relaxed) != NOT_OVER {
            return Phase { name: "draining", done: shared.complete.load(Relaxed), all: self.clients };
        }
        if sent == 0 && self.delivering_ms == 0.0 {
            let name = if self.events == 0 && live >= self.clients { "holding" } else { "connecting" };
            return Phase { name, done: live, all: self.clients };
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds of a run")]
        let due = (self.delivering_ms as u64) * self.rate / 1000;
        Phase { name: "publishing", done: sent.max(due).min(self.events), all: self.events }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn message(moment: &ClientMoment, so_far: &[(usize, u32)], skipped: u64, rss_kib: Option<u64>) -> String {
    let seconds = ((moment.to_ms - moment.from_ms) / 1000.0).max(0.001);
    let mut parts = vec![format!("{:.0} deliveries/s", moment.deliveries as f64 / seconds)];
    parts.extend(quantile_ns(so_far, 0.99).map(|nanoseconds| format!("p99 so far {}", duration(nanoseconds as f64 / 1000.0))));
    if skipped > 0 {
        parts.push(format!("skipped {skipped}"));
    }
    parts.extend(rss_kib.map(|kib| format!("server {}", memory(kib as f64))));
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(shared: &Shared) -> View {
        let first = shared.tally.latency.read();
        View { bar: ProgressBar::hidden(), clients: 10, events: 200, rate: 20, delivering_ms: 0.0, first }
    }

    #[test]
    fn a_run_connects_publishes_and_drains_and_the_bar_shows_how_far_it_is() {
        let shared = Shared::new();
        let mut view = view(&shared);
        shared.live.store(4, Relaxed);
        assert_eq!(view.phase(&shared), Phase { name: "connecting", done: 4, all: 10 });
        shared.sent.store(50, Relaxed);
        assert_eq!(view.phase(&shared), Phase { name: "publishing", done: 50, all: 200 });
        shared.sent.store(0, Relaxed);
        view.show(&ClientMoment { to_ms: 2000.0, deliveries: 5, ..ClientMoment::default() }, None, &shared);
        assert_eq!(view.phase(&shared), Phase { name: "publishing", done: 40, all: 200 });
        shared.end.store(200, Relaxed);
        assert_eq!(view.phase(&shared), Phase { name: "draining", done: 0, all: 10 });
    }

    #[test]
    fn the_figures_so_far_leave_out_what_is_not_known() {
        let moment = ClientMoment { to_ms: 250.0, deliveries: 500, ..ClientMoment::default() };
        assert_eq!(message(&moment, &[], 0, None), "2000 deliveries/s");
        let full = message(&moment, &[(80, 1)], 7, Some(2048));
        assert!(full.contains("p99 so far 1.1") && full.contains("skipped 7") && full.ends_with("server 2 MiB"), "{full}");
    }
}
