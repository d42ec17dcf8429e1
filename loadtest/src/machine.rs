//! The machine a run happens on: its description for the report, CPU pinning, the file limit.

use crate::failure::Failure;
use rustix::thread::{CpuSet, sched_setaffinity};
use serde::{Deserialize, Serialize};
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
}

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
            load_before: read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0),
        }
    }
}

impl Machine {
    /// Names and values for people.
    pub(crate) fn lines(&self) -> Vec<(String, String)> {
        let named = |name: &str, value: String| (name.to_owned(), value);
        vec![
            named("CPU", format!("{}, {} cores", self.cpu, self.cores)),
            named("Governor", self.governor.clone().unwrap_or_else(|| "unknown".to_owned())),
            named("Kernel", format!("Linux {}", self.kernel)),
            named("Open files allowed", self.nofile.to_string()),
            named("Load average before", format!("{:.2}", self.load_before)),
        ]
    }
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
