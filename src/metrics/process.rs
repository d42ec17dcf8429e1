//! What the operating system says of this process. What it does not say is not exported.

use std::{fs, path::Path};

/// One reading; `None` where the system does not tell (no `/proc`).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Process {
    pub(super) cpu_seconds: Option<f64>,
    pub(super) resident_bytes: Option<f64>,
    pub(super) virtual_bytes: Option<f64>,
    pub(super) threads: Option<f64>,
    pub(super) open_fds: Option<f64>,
    pub(super) max_fds: Option<f64>,
    /// Since the Unix epoch.
    pub(super) start_seconds: Option<f64>,
}

/// Ticks per second in `/proc/*/stat`. Linux shows user space 100 whatever the kernel's own clock, on every architecture
/// it is still built for except Alpha.
const TICKS: f64 = 100.0;

impl Process {
    pub(super) fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let mut process = Self::parse(&text("/proc/self/stat"), &text("/proc/self/status"), &text("/proc/stat"));
        process.open_fds = open_fds(Path::new("/proc/self/fd"));
        process.max_fds = rlimit::getrlimit(rlimit::Resource::NOFILE).ok().map(|(soft, _)| soft as f64);
        process
    }

    /// Reads the three texts: `/proc/self/stat`, `/proc/self/status` and `/proc/stat`.
    fn parse(stat: &str, status: &str, machine: &str) -> Self {
        // The second field is the program's name in brackets, which may itself hold blanks and brackets; what follows
        // the last bracket starts at field 3.
        let fields: Vec<f64> = match stat.rsplit_once(')') {
            Some((_, rest)) => rest.split_whitespace().skip(1).map_while(|field| field.parse().ok()).collect(),
            None => Vec::new(),
        };
        let field = |number: usize| fields.get(number - 4).copied();
        let kib = |name: &str| line(status, name).map(|kib| kib * 1024.0);
        Self {
            cpu_seconds: field(14).zip(field(15)).map(|(user, system)| (user + system) / TICKS),
            resident_bytes: kib("VmRSS:"),
            virtual_bytes: kib("VmSize:"),
            threads: line(status, "Threads:"),
            start_seconds: field(22).zip(line(machine, "btime")).map(|(ticks, boot)| boot + ticks / TICKS),
            ..Self::default()
        }
    }
}

/// The number behind a name at the beginning of a line.
fn line(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Since Linux 6.2 the folder's size is their number; before, it is 0 and they are counted.
fn open_fds(folder: &Path) -> Option<f64> {
    match fs::metadata(folder).ok()?.len() {
        0 => Some(fs::read_dir(folder).ok()?.count() as f64),
        n_fds => Some(n_fds as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_brackets_moves_no_field() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 103 0 0 0 150 50 0 0 20 0 9 0 1000 2998272 396 18446744073709551615 1";
        let status = "Name:\ta\nVmSize:\t  2928 kB\nVmRSS:\t  1584 kB\nThreads:\t9\n";
        let process = Process::parse(stat, status, "cpu 1 2\nbtime 1700000000\n");
        assert_eq!(process.cpu_seconds, Some(2.0));
        assert_eq!(process.start_seconds, Some(1_700_000_010.0));
        assert_eq!((process.resident_bytes, process.virtual_bytes, process.threads), (Some(1_622_016.0), Some(2_998_272.0), Some(9.0)));
    }

    #[test]
    fn a_system_without_proc_says_nothing() {
        assert_eq!(Process::parse("", "", ""), Process::default());
        assert_eq!(open_fds(Path::new("/no/such/folder")), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_open_file_is_one_descriptor_more() {
        let before = Process::read();
        let files: Vec<_> = (0..200).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        let after = Process::read();
        assert!(after.open_fds.unwrap() >= before.open_fds.unwrap() + files.len() as f64 - 100.0, "{before:?} {after:?}");
        assert!(after.resident_bytes.unwrap() > 0.0 && after.start_seconds.unwrap() > 1.6e9 && after.max_fds.unwrap() > 0.0);
    }
}
