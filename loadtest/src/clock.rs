//! Time on CLOCK_MONOTONIC, which every process of one host shares, so that a publisher's stamp can be subtracted from a client's.
//!
//! It knows nothing of schedules; those are arithmetic on these nanoseconds.

use rustix::thread::{ClockId as SleepClock, clock_nanosleep_absolute};
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::num::NonZeroU64;

/// Nanoseconds in a second.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// Now, in nanoseconds of CLOCK_MONOTONIC.
#[inline]
pub(crate) fn now_ns() -> u64 {
    nanoseconds(clock_gettime(ClockId::Monotonic))
}

/// CPU time the calling thread has used, in nanoseconds.
pub(crate) fn thread_cpu_ns() -> u64 {
    nanoseconds(clock_gettime(ClockId::ThreadCPUTime))
}

/// Sleeps until the given CLOCK_MONOTONIC time; returns at once when it has passed.
pub(crate) fn sleep_until(at_ns: u64) {
    let request = Timespec { tv_sec: (at_ns / SECOND).cast_signed(), tv_nsec: (at_ns % SECOND).cast_signed() };
    // A signal only makes it return early, and every caller looks at the clock again.
    let _ = clock_nanosleep_absolute(SleepClock::Monotonic, &request);
}

/// Sleeps for some milliseconds.
pub(crate) fn sleep_ms(milliseconds: u64) {
    let until = now_ns() + milliseconds * 1_000_000;
    while now_ns() < until {
        sleep_until(until);
    }
}

/// Asks the kernel to wake the calling thread within a microsecond of its timers instead of the default 50.
pub(crate) fn sharpen_timers() {
    // Where it is refused the thread is only less punctual, and its lateness is measured anyway.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1000));
}

fn nanoseconds(time: Timespec) -> u64 {
    time.tv_sec.cast_unsigned() * SECOND + time.tv_nsec.cast_unsigned()
}
