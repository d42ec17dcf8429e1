//! What the kernel says of a worker's thread and of the sockets of this machine. What it does not say is not exported.

use std::fs;

/// The kernel's number of the thread that asks; `None` where there is no `/proc`.
#[must_use]
pub fn thread_number() -> Option<u64> {
    fs::read_link("/proc/thread-self").ok()?.file_name()?.to_str()?.parse().ok()
}

/// Seconds of processor time a thread of this process has used: exact to the nanosecond, and read at scrape only, so that
/// no worker has to look at a clock to know how busy it is.
pub(super) fn busy_seconds(thread: u64) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
    first_number(&text).map(|nanos| nanos / 1e9)
}

/// What the kernel says of TCP, in the whole network namespace of the process.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Tcp {
    /// Bytes of all sockets' buffers.
    pub(super) buffer_bytes: Option<f64>,
    /// Segments sent again.
    pub(super) retransmits: Option<f64>,
}

impl Tcp {
    pub(super) fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self::parse(&text("/proc/self/net/sockstat"), &text("/proc/self/net/snmp"), rustix::param::page_size())
    }

    fn parse(sockstat: &str, snmp: &str, page_bytes: usize) -> Self {
        let pages =
            sockstat.lines().find_map(|line| line.strip_prefix("TCP: ")?.split_once("mem ")).and_then(|(_, pages)| first_number(pages));
        Self { buffer_bytes: pages.map(|pages| pages * page_bytes as f64), retransmits: column(snmp, "Tcp:", "RetransSegs") }
    }
}

/// The number below a column's name: the first line that begins so has the names, the second the numbers.
fn column(table: &str, begin: &str, name: &str) -> Option<f64> {
    let mut lines = table.lines().filter_map(|line| line.strip_prefix(begin));
    let place = lines.next()?.split_whitespace().position(|word| word == name)?;
    lines.next()?.split_whitespace().nth(place)?.parse().ok()
}

fn first_number(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_told_in_pages_and_retransmits_below_their_name() {
        let sockstat = "sockets: used 9\nTCP: inuse 5 orphan 0 tw 1 alloc 7 mem 3\nUDP: inuse 1 mem 8\n";
        let snmp = "Ip: Forwarding\nIp: 1\nTcp: InSegs OutSegs RetransSegs InErrs\nTcp: 200 11 42 0\n";
        assert_eq!(Tcp::parse(sockstat, snmp, 4096), Tcp { buffer_bytes: Some(12_288.0), retransmits: Some(42.0) });
        assert_eq!(Tcp::parse("", "Tcp: RetransSegs\n", 4096), Tcp::default());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_that_works_is_busy() {
        let thread = thread_number().unwrap();
        let before = busy_seconds(thread).unwrap();
        while busy_seconds(thread).unwrap() < before + 0.01 {}
        assert_eq!(busy_seconds(u64::MAX), None);
    }
}
