//! The machine a run happens on: its description for the report, CPU pinning, the file limit.

use crate::failure::Failure;
use rustix::thread::{CpuSet, sched_setaffinity};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;

/// What a reader must know to compare figures.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Machine {
    /// Model name of the first CPU.
    pub(crate) cpu: String,
    /// CPUs this process may see.
    pub(crate) cores: usize,
    /// Kernel release.
    pub(crate) kernel: String,
    /// Frequency governor, where the machine shows one.
    pub(crate) governor: Option<String>,
    /// Open files this process may have.
    pub(crate) nofile: u64,
    /// Load average over one minute before the run: other work on the machine shows here.
    pub(crate) load_before: f64,
    /// Memory, KiB.
    pub(crate) memory_kib: u64,
    /// Settings of the kernel that decide how many connections fit and how fast they are, by name.
    pub(crate) sysctls: BTreeMap<String, String>,
}

/// Files of settings below /proc/sys or /sys, and what they are called.
const SYSCTLS: [(&str, &str); 12] = [
    ("net.core.somaxconn", "/proc/sys/net/core/somaxconn"),
    ("net.ipv4.ip_local_port_range", "/proc/sys/net/ipv4/ip_local_port_range"),
    ("net.ipv4.tcp_max_syn_backlog", "/proc/sys/net/ipv4/tcp_max_syn_backlog"),
    ("net.ipv4.tcp_mem", "/proc/sys/net/ipv4/tcp_mem"),
    ("net.ipv4.tcp_rmem", "/proc/sys/net/ipv4/tcp_rmem"),
    ("net.ipv4.tcp_wmem", "/proc/sys/net/ipv4/tcp_wmem"),
    ("net.ipv4.tcp_congestion_control", "/proc/sys/net/ipv4/tcp_congestion_control"),
    ("net.netfilter.nf_conntrack_max", "/proc/sys/net/netfilter/nf_conntrack_max"),
    ("fs.nr_open", "/proc/sys/fs/nr_open"),
    ("fs.file-max", "/proc/sys/fs/file-max"),
    ("kernel.sched_autogroup_enabled", "/proc/sys/kernel/sched_autogroup_enabled"),
    ("transparent_hugepage", "/sys/kernel/mm/transparent_hugepage/enabled"),
];

impl Machine {
    /// Describes this machine now.
    pub(crate) fn describe() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let cpuinfo = read("/proc/cpuinfo");
        let value =
            |name: &str| cpuinfo.lines().find(|line| line.starts_with(name)).and_then(|line| line.split(": ").nth(1)).map(str::to_owned);
        let governor = read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
        Self {
            cpu: value("model name").unwrap_or_default(),
            cores: cpuinfo.lines().filter(|line| line.starts_with("processor")).count(),
            kernel: read("/proc/sys/kernel/osrelease"),
            governor: (!governor.is_empty()).then_some(governor),
            nofile: rlimit::Resource::NOFILE.get().map_or(0, |limits| limits.0),
            memory_kib: total_memory_kib(&read("/proc/meminfo")),
            sysctls: sysctls(),
            load_before: read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0),
        }
    }
}

impl Machine {
    /// Names and values for people.
    pub(crate) fn lines(&self) -> Vec<(String, String)> {
        let named = |name: &str, value: String| (name.to_owned(), value);
        let mut lines = vec![
            named("CPU", format!("{}, {} cores", self.cpu, self.cores)),
            named("Governor", self.governor.clone().unwrap_or_else(|| "unknown".to_owned())),
            named("Kernel", format!("Linux {}", self.kernel)),
            named("Open files allowed", self.nofile.to_string()),
            named("Load average before", format!("{:.2}", self.load_before)),
            named("Memory", format!("{:.1} GiB", self.memory_kib as f64 / 1024.0 / 1024.0)),
        ];
        lines.extend(self.sysctls.clone());
        lines
    }
}

fn total_memory_kib(meminfo: &str) -> u64 {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    total.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// What this machine has of [`SYSCTLS`].
fn sysctls() -> BTreeMap<String, String> {
    let read = |path: &str| fs::read_to_string(path).ok().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    SYSCTLS.iter().filter_map(|(name, path)| Some(((*name).to_owned(), read(path)?))).collect()
}

/// Pins the calling thread, and those it will start, to some CPUs.
pub(crate) fn pin_current_thread(cpus: &[usize]) -> Result<(), Failure> {
    let mut set = CpuSet::new();
    for cpu in cpus {
        if *cpu >= 1024 {
            return Err(Failure::new(format!("pin: there is no CPU {cpu}")));
        }
        set.set(*cpu);
    }
    sched_setaffinity(None, &set).map_err(|error| Failure::io(&format!("pin to CPUs {cpus:?}"), error))
}

/// Raises the file limit, and fails when `clients` connections would not fit in it.
pub(crate) fn raise_file_limit(clients: usize) -> Result<(), Failure> {
    let needed = clients as u64 + 64;
    let limit = rlimit::increase_nofile_limit(u64::MAX).map_err(|error| Failure::io("open file limit", error))?;
    if limit < needed {
        return Err(Failure::new(format!(
            "open file limit: {limit} allowed, {needed} needed for {clients} clients; raise it with ulimit -n"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_described_with_its_limits() {
        let machine = Machine::describe();
        assert!(machine.memory_kib > 0 && machine.cores > 0 && machine.sysctls.contains_key("net.core.somaxconn"), "{machine:?}");
        assert!(machine.lines().iter().any(|(name, value)| name == "net.ipv4.ip_local_port_range" && value.contains(' ')));
    }
}
