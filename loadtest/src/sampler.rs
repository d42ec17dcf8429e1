//! Looks at a run while it goes on: at the clients' counters four times a second, at the server's process once a second.
//!
//! One thread, which takes nothing from the clients but reads of counters. What the run is for is not known here.

use crate::client::Shared;
use crate::clock::{self, SECOND, now_ns};
use crate::failure::Failure;
use crate::live::View;
use crate::series::{ClientMoment, Series, ServerMoment, ThreadMoment, add_thread, push};
use crate::tally::Counts;
use crate::watch::{MemorySample, ProcessSample, Usage, resident_kib};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{SystemTime, UNIX_EPOCH};

/// Looks at the clients a second; every so many of them looks at the server too.
const PER_SECOND: u64 = 4;

/// A sampler at work; it ends when dropped.
pub(crate) struct Sampler {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Series>>,
}

impl Sampler {
    /// Starts looking at clients, and at a server when its process is known, and shows it to whoever looks on.
    pub(crate) fn start(pid: Option<u32>, shared: &Arc<Shared>, view: Option<View>) -> Result<Self, Failure> {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, shared, first) = (Arc::clone(&stop), Arc::clone(shared), ClientLook::take(shared));
        let spawned = thread::Builder::new().name("sampler".to_owned()).spawn(move || sample(pid, &shared, first, view, &stopped));
        Ok(Self { stop, thread: Some(spawned.map_err(|error| Failure::io("sampler thread", error))?) })
    }

    /// Takes a last look and returns everything seen.
    pub(crate) fn finish(mut self) -> Result<Series, Failure> {
        self.stop.store(true, Relaxed);
        let series = self.thread.take().and_then(|thread| thread.join().ok());
        series.ok_or_else(|| Failure::new("the sampling thread panicked"))
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

fn sample(pid: Option<u32>, shared: &Shared, first: ClientLook, mut view: Option<View>, stop: &AtomicBool) -> Series {
    let origin_ns = first.at_ns;
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut series = Series { origin_ns, started_unix_seconds: since_1970.as_secs_f64(), ..Series::default() };
    let mut clients = first;
    let mut server = pid.map(ProcessSample::take);
    for tick in 1.. {
        let last = stop.load(Relaxed);
        if !last {
            clock::sleep_until(origin_ns + tick * SECOND / PER_SECOND);
        }
        let look = ClientLook::take(shared);
        let moment = look.since(&clients, origin_ns, shared);
        if let Some(view) = &mut view {
            view.show(&moment, pid.map(resident_kib), shared);
        }
        push(&mut series.clients, moment);
        clients = look;
        if let (Some(pid), Some(before)) = (pid, server.as_mut())
            && (last || tick % PER_SECOND == 0)
        {
            let now = ProcessSample::take(pid);
            push(&mut series.server, server_moment(pid, &now, before, origin_ns, shared));
            *before = now;
        }
        if last {
            break;
        }
    }
    series
}

/// The clients' counters at one moment.
struct ClientLook {
    at_ns: u64,
    sent: u32,
    received: u64,
    skipped: u64,
    latency: Counts,
    lateness: Counts,
}

impl ClientLook {
    fn take(shared: &Shared) -> Self {
        Self {
            at_ns: now_ns(),
            sent: shared.sent.load(Relaxed),
            received: shared.received.load(Relaxed),
            skipped: shared.tally.skipped.load(Relaxed),
            latency: shared.tally.latency.read(),
            lateness: shared.tally.lateness.read(),
        }
    }

    fn since(&self, earlier: &Self, origin_ns: u64, shared: &Shared) -> ClientMoment {
        ClientMoment {
            from_ms: milliseconds(earlier.at_ns - origin_ns),
            to_ms: milliseconds(self.at_ns - origin_ns),
            connections: shared.live.load(Relaxed),
            published: u64::from(self.sent.saturating_sub(earlier.sent)),
            deliveries: self.received.saturating_sub(earlier.received),
            skipped: self.skipped.saturating_sub(earlier.skipped),
            latency: self.latency.since(&earlier.latency),
            lateness: self.lateness.since(&earlier.lateness),
        }
    }
}

fn server_moment(pid: u32, now: &ProcessSample, before: &ProcessSample, origin_ns: u64, shared: &Shared) -> ServerMoment {
    let memory = MemorySample::take(pid, shared.live.load(Relaxed));
    let used = now.since(before);
    ServerMoment {
        from_ms: milliseconds(before.at_ns.saturating_sub(origin_ns)),
        to_ms: milliseconds(now.at_ns.saturating_sub(origin_ns)),
        rss_kib: memory.rss_kib,
        pss_kib: memory.pss_kib,
        anon_kib: memory.anon_kib,
        socket_kib: memory.socket_kib,
        voluntary_switches: used.total.voluntary_switches,
        involuntary_switches: used.total.involuntary_switches,
        threads: threads(&used),
    }
}

/// The exact running time of each thread, divided between user and kernel as the kernel's ticks are.
fn threads(used: &Usage) -> Vec<ThreadMoment> {
    let mut threads = Vec::new();
    for thread in &used.threads {
        let ticks = thread.user_ns + thread.system_ns;
        let user = if ticks > 0 { thread.user_ns as f64 / ticks as f64 } else { 0.5 };
        let running_ms = milliseconds(thread.running_ns);
        let moment = ThreadMoment { name: thread.name.clone(), user_ms: running_ms * user, system_ms: running_ms * (1.0 - user) };
        add_thread(&mut threads, moment);
    }
    threads
}

/// In steps of a microsecond, which is more than a picture shows and keeps reports short.
fn milliseconds(nanoseconds: u64) -> f64 {
    (nanoseconds / 1000) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_skips_and_the_watched_process_show_in_the_series() {
        let shared = Arc::new(Shared::new());
        let sampler = Sampler::start(Some(std::process::id()), &shared, None).unwrap();
        shared.received.fetch_add(7, Relaxed);
        shared.tally.skipped.fetch_add(3, Relaxed);
        shared.tally.latency.record(5_000_000);
        let series = sampler.finish().unwrap();
        let sum = |value: fn(&ClientMoment) -> u64| series.clients.iter().map(value).sum::<u64>();
        let timed = series.clients.iter().map(|moment| moment.latency.len()).sum::<usize>();
        assert_eq!((sum(|moment| moment.deliveries), sum(|moment| moment.skipped), timed), (7, 3, 1));
        assert!(series.server.last().unwrap().rss_kib > 0);
    }
}
