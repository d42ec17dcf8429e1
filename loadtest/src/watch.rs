//! What /proc tells of a process: memory, CPU per thread, waiting for a CPU, context switches; and of the kernel's socket memory.

use crate::clock::now_ns;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;

/// The kernel counts CPU time for /proc/PID/stat in hundredths of a second on every Linux.
const TICK_NS: u64 = 10_000_000;
const PAGE_KIB: u64 = 4;
/// Kernel objects of which every connection needs some.
const SLABS: [&str; 7] = ["TCP", "tcp_sock", "sock_inode_cache", "filp", "dentry", "eventpoll_epi", "eventpoll_pwq"];

/// Memory of a process and of all sockets of the machine, both ends of a loopback connection included.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct MemorySample {
    /// Clients connected.
    pub(crate) connections: u64,
    /// Resident memory.
    pub(crate) rss_kib: u64,
    /// Resident memory, shared pages divided among those who share them.
    pub(crate) pss_kib: u64,
    /// Resident memory that belongs to no file.
    pub(crate) anon_kib: u64,
    /// Pages the kernel holds in TCP buffers, in KiB.
    pub(crate) socket_kib: u64,
    /// KiB in the kernel's own objects for sockets and files, by name, all processes together; empty where /proc/slabinfo may not be read.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) slab_kib: BTreeMap<String, u64>,
}

/// CPU of one thread since it started.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ThreadSample {
    /// Its name.
    pub(crate) name: String,
    /// User time, in steps of 10 ms.
    pub(crate) user_ns: u64,
    /// Kernel time, in steps of 10 ms.
    pub(crate) system_ns: u64,
    /// Time on a CPU, exact.
    pub(crate) running_ns: u64,
    /// Time spent ready to run but waiting for a CPU.
    pub(crate) waiting_ns: u64,
    /// Context switches it asked for by blocking.
    pub(crate) voluntary_switches: u64,
    /// Context switches forced on it.
    pub(crate) involuntary_switches: u64,
}

/// A process at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProcessSample {
    /// When.
    pub(crate) at_ns: u64,
    threads: BTreeMap<u32, ThreadSample>,
}

/// What a process used between two moments.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Usage {
    /// Length of the interval.
    pub(crate) elapsed_ns: u64,
    /// All threads together.
    pub(crate) total: ThreadSample,
    /// Each thread that ran.
    pub(crate) threads: Vec<ThreadSample>,
}

impl ProcessSample {
    /// Looks at a process; threads that end meanwhile are left out.
    pub(crate) fn take(pid: u32) -> Self {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let ids = tasks.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
        let threads = ids.filter_map(|tid: u32| thread_sample(pid, tid).map(|sample| (tid, sample))).collect();
        Self { at_ns: now_ns(), threads }
    }

    /// What was used since `earlier`. A thread that is new counts from its start.
    pub(crate) fn since(&self, earlier: &Self) -> Usage {
        let mut usage = Usage { elapsed_ns: self.at_ns - earlier.at_ns, ..Usage::default() };
        for (tid, now) in &self.threads {
            let before = earlier.threads.get(tid).cloned().unwrap_or_default();
            let used = ThreadSample {
                name: now.name.clone(),
                user_ns: now.user_ns.saturating_sub(before.user_ns),
                system_ns: now.system_ns.saturating_sub(before.system_ns),
                running_ns: now.running_ns.saturating_sub(before.running_ns),
                waiting_ns: now.waiting_ns.saturating_sub(before.waiting_ns),
                voluntary_switches: now.voluntary_switches.saturating_sub(before.voluntary_switches),
                involuntary_switches: now.involuntary_switches.saturating_sub(before.involuntary_switches),
            };
            usage.total.user_ns += used.user_ns;
            usage.total.system_ns += used.system_ns;
            usage.total.running_ns += used.running_ns;
            usage.total.waiting_ns += used.waiting_ns;
            usage.total.voluntary_switches += used.voluntary_switches;
            usage.total.involuntary_switches += used.involuntary_switches;
            if used.running_ns > 0 {
                usage.threads.push(used);
            }
        }
        usage
    }
}

impl Usage {
    /// CPU time of the threads whose name begins so.
    pub(crate) fn running_of(&self, name: &str) -> u64 {
        self.threads.iter().filter(|thread| thread.name.starts_with(name)).map(|thread| thread.running_ns).sum()
    }

    /// Percent of one CPU.
    pub(crate) fn percent(&self, running_ns: u64) -> f64 {
        100.0 * running_ns as f64 / self.elapsed_ns.max(1) as f64
    }
}

impl MemorySample {
    /// Looks at a process and at the machine's sockets.
    pub(crate) fn take(pid: u32, connections: u64) -> Self {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let value = |name: &str| rollup.lines().find_map(|line| line.strip_prefix(name)).and_then(first_number).unwrap_or(0);
        let (rss_kib, pss_kib, anon_kib) = (value("Rss:"), value("Pss:"), value("Pss_Anon:"));
        Self { connections, rss_kib, pss_kib, anon_kib, socket_kib: socket_kib(), slab_kib: BTreeMap::new() }
    }

    /// The same with the kernel's objects, which are dear to count.
    pub(crate) fn with_slabs(self) -> Self {
        Self { slab_kib: slab_kib(&fs::read_to_string("/proc/slabinfo").unwrap_or_default()), ..self }
    }
}

/// Resident memory from statm, which is cheap enough for every second.
pub(crate) fn resident_kib(pid: u32) -> u64 {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    statm.split(' ').nth(1).and_then(first_number).unwrap_or(0) * PAGE_KIB
}

/// Whether a process is there.
pub(crate) fn exists(pid: u32) -> bool {
    fs::metadata(format!("/proc/{pid}/stat")).is_ok()
}

/// KiB the kernel holds in TCP buffers, all sockets of the machine together.
pub(crate) fn socket_kib() -> u64 {
    let sockstat = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let tcp = sockstat.lines().find(|line| line.starts_with("TCP:")).unwrap_or_default();
    tcp.split(" mem ").nth(1).and_then(first_number).unwrap_or(0) * PAGE_KIB
}

fn thread_sample(pid: u32, tid: u32) -> Option<ThreadSample> {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/task/{tid}/{file}")).ok();
    let stat = read("stat")?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks = |field: usize| fields.split(' ').nth(field - 3).and_then(first_number).unwrap_or(0) * TICK_NS;
    let schedstat = read("schedstat").unwrap_or_default();
    let nanoseconds = |field: usize| schedstat.split(' ').nth(field).and_then(first_number).unwrap_or(0);
    let status = read("status")?;
    let switches = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).and_then(first_number).unwrap_or(0);
    Some(ThreadSample {
        name: read("comm")?.trim().to_owned(),
        user_ns: ticks(14),
        system_ns: ticks(15),
        running_ns: nanoseconds(0),
        waiting_ns: nanoseconds(1),
        voluntary_switches: switches("voluntary_ctxt_switches:"),
        involuntary_switches: switches("nonvoluntary_ctxt_switches:"),
    })
}

/// The sizes of the objects a connection needs, from the text of slabinfo (name, active objects, objects, bytes of one).
fn slab_kib(slabinfo: &str) -> BTreeMap<String, u64> {
    let size = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next().filter(|name| SLABS.contains(name))?.to_owned();
        let (objects, bytes) = (words.nth(1)?.parse::<u64>().ok()?, words.next()?.parse::<u64>().ok()?);
        Some((name, objects * bytes / 1024))
    };
    slabinfo.lines().filter_map(size).collect()
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next().and_then(|word| word.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_thread_shows_by_name_and_its_cpu_time_is_close_to_the_wall_time_it_burnt() {
        let pid = std::process::id();
        let before = ProcessSample::take(pid);
        let burn = move || {
            let cpu = crate::clock::thread_cpu_ns();
            while crate::clock::thread_cpu_ns() - cpu < 50_000_000 {}
            ProcessSample::take(pid)
        };
        let after = std::thread::Builder::new().name("burner".to_owned()).spawn(burn).unwrap().join().unwrap();
        let usage = after.since(&before);
        let burnt = usage.running_of("burner");
        assert!((40_000_000..120_000_000).contains(&burnt), "{burnt}");
    }

    #[test]
    fn slabs_of_connections_are_read_in_kib_and_others_left_out() {
        let text = "slabinfo - version: 2.1\n# name <active_objs> <num_objs> <objsize>\nTCP 10 16 2048 8 4 : tunables\nvm_area 9 9 9 9\n";
        assert_eq!(slab_kib(text), BTreeMap::from([("TCP".to_owned(), 32)]));
        assert!(slab_kib("").is_empty());
    }

    #[test]
    fn memory_of_this_process_is_seen() {
        let sample = MemorySample::take(std::process::id(), 3);
        assert!(sample.rss_kib >= sample.pss_kib && sample.pss_kib >= sample.anon_kib && sample.anon_kib > 0);
        assert!(resident_kib(std::process::id()) > 0 && exists(std::process::id()));
    }
}
