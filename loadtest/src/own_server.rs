//! A Fanfare server of the load tester's own: started on free ports, with settings written for it in a temporary folder, and gone with its
//! folder at the end.
//!
//! What stands in the settings beyond addresses and folder is the caller's; for ordinary loads `household` makes it. What is done to the
//! server is not known here.

pub(crate) mod household;

use crate::clock::{self, SECOND, now_ns};
use crate::drain::Process;
use crate::failure::Failure;
use crate::http;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::net::SocketAddrV4;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Time to become ready, and to end after SIGTERM.
const PATIENCE_NS: u64 = 45 * SECOND;
/// Servers this process has started, so that each has a folder of its own.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// How to start it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start<'a> {
    /// Its binary.
    pub(crate) program: &'a Path,
    /// Words before the binary's name, parted by blanks; they must end in the server's own process. Empty for none.
    pub(crate) wrap: &'a str,
    /// Settings in TOML, without `server.listen`, `server.metrics_listen` and `server.data_dir`, which are given to it otherwise.
    pub(crate) settings: &'a str,
    /// Further files of its folder, by name.
    pub(crate) files: &'a [(&'a str, &'a str)],
}

/// The process; killed, and its folder removed, when dropped.
#[derive(Debug)]
pub(crate) struct OwnServer {
    child: Child,
    folder: PathBuf,
    address: SocketAddrV4,
    metrics: SocketAddrV4,
}

impl OwnServer {
    /// Starts it and waits until it is ready.
    pub(crate) fn start(start: &Start<'_>) -> Result<Self, Failure> {
        let number = STARTED.fetch_add(1, Relaxed);
        let folder = std::env::temp_dir().join(format!("fanfare-loadtest-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| Failure::io("the server's folder", error))?;
        let child = spawn(start, &folder).inspect_err(|_| {
            // What is left of a server that never was; the failure is what matters.
            let _ = fs::remove_dir_all(&folder);
        })?;
        let nowhere = SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0);
        let mut server = Self { child, folder, address: nowhere, metrics: nowhere };
        (server.address, server.metrics) = server.wait_until_ready()?;
        Ok(server)
    }

    /// Where clients and publishers find it.
    pub(crate) fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// Where its metrics and readiness are found.
    pub(crate) fn metrics_address(&self) -> SocketAddrV4 {
        self.metrics
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A file of its folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Whether it still answers for its health.
    pub(crate) fn is_alive(&self) -> bool {
        http::request(self.address, "GET", "/healthz", None).is_ok_and(|(status, _)| status == 200)
    }

    /// Most resident memory it ever had, KiB; 0 once it is gone.
    pub(crate) fn peak_rss_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|value| value.split_whitespace().next()).and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    /// Asks it to stop and says how it ended.
    pub(crate) fn stop(mut self) -> String {
        // It may be gone already, which its exit status then tells.
        let _ = self.terminate();
        let deadline = now_ns() + PATIENCE_NS;
        while now_ns() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.to_string();
            }
            clock::sleep_ms(50);
        }
        "still running 45 s after SIGTERM".to_owned()
    }

    fn wait_until_ready(&mut self) -> Result<(SocketAddrV4, SocketAddrV4), Failure> {
        let deadline = now_ns() + PATIENCE_NS;
        while now_ns() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                let log = fs::read_to_string(self.file("log")).unwrap_or_default();
                return Err(Failure::new(format!("the server ended at start ({status}): {}", log.trim_end())));
            }
            if let Some(addresses) = self.addresses_in_run_file()
                && http::request(addresses.0, "GET", "/readyz", None).is_ok_and(|(status, _)| status == 200)
            {
                return Ok(addresses);
            }
            clock::sleep_ms(20);
        }
        Err(Failure::new("the server was not ready in time"))
    }

    fn addresses_in_run_file(&self) -> Option<(SocketAddrV4, SocketAddrV4)> {
        let text = fs::read_to_string(self.folder.join("data").join("run.json")).ok()?;
        let run: serde_json::Value = serde_json::from_str(&text).ok()?;
        let address = |name: &str| http::loopback_address(run[name].as_str()?).ok();
        Some((address("url")?, address("metrics_url")?))
    }
}

impl Process for OwnServer {
    fn terminate(&mut self) -> Result<(), Failure> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).map_err(|error| Failure::io("SIGTERM", error))
    }

    fn gone(&mut self) -> Option<Option<i32>> {
        self.child.try_wait().ok().flatten().map(|status| Some(status.code().unwrap_or(-1)))
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // It has often ended by itself; what matters is that neither process nor folder outlives the run.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The server to start: the one named, or the `fanfare` beside this program, or the one on the PATH.
pub(crate) fn program(named: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(path) = named {
        return if path.is_file() { Ok(path.to_owned()) } else { Err(Failure::new(format!("server: there is no {}", path.display()))) };
    }
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join("fanfare")));
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = beside.into_iter().chain(std::env::split_paths(&on_path).map(|folder| folder.join("fanfare")));
    let executable = |path: &PathBuf| fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    candidates.into_iter().find(executable).ok_or_else(|| {
        Failure::new(
            "server: there is no fanfare beside this program and none on the PATH; name one, as in --server target/release/fanfare",
        )
    })
}

/// The sum of a metric over all its series, as far as it has whole numbers.
pub(crate) fn metric(metrics: &str, name: &str) -> u64 {
    let lines = metrics.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}

/// Reads a server's metrics; nothing when they cannot be had.
pub(crate) fn metrics(address: SocketAddrV4) -> Option<String> {
    let (status, text) = http::request(address, "GET", "/metrics", None).ok()?;
    (status == 200).then(|| String::from_utf8_lossy(&text).into_owned())
}

fn spawn(start: &Start<'_>, folder: &Path) -> Result<Child, Failure> {
    for (name, text) in start.files.iter().chain(&[("fanfare.toml", start.settings)]) {
        write_private(&folder.join(name), text)?;
    }
    let log = File::create(folder.join("log")).map_err(|error| Failure::io("the server's log", error))?;
    let mut words: Vec<_> = start.wrap.split_whitespace().map(std::ffi::OsString::from).collect();
    words.push(start.program.into());
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).arg("serve").arg("--config").arg(folder.join("fanfare.toml"));
    command.args(["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--data-dir"]).arg(folder.join("data"));
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
    spawned.map_err(|error| Failure::io(&format!("start {}", start.program.display()), error))
}

/// Settings and tokens are nobody else's to read, and the server refuses a settings file that others may.
fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let opened = File::options().write(true).create_new(true).mode(0o600).open(path);
    let written = opened.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
    written.map_err(|error| Failure::io(&format!("write {}", path.display()), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_summed_over_its_series_and_not_over_its_namesakes() {
        let metrics = "# TYPE a counter\na{x=\"1\"} 3\na{x=\"2\"} 4\na_more 5\nb 6\n";
        assert_eq!((metric(metrics, "a"), metric(metrics, "b"), metric(metrics, "c")), (7, 6, 0));
    }

    #[test]
    fn a_server_that_ends_at_once_is_told_with_its_words_and_leaves_no_folder() {
        let start = Start { program: Path::new("/bin/sh"), wrap: "", settings: "", files: &[] };
        // A shell does not know the word `serve` for a script, and says so.
        let failure = OwnServer::start(&start).unwrap_err().to_string();
        assert!(failure.contains("ended at start") && failure.contains("serve"), "{failure}");
        let prefix = format!("fanfare-loadtest-{}-", std::process::id());
        let left = fs::read_dir(std::env::temp_dir()).unwrap().flatten();
        assert_eq!(left.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix)).count(), 0);
    }

    #[test]
    fn a_server_named_but_not_there_is_an_error_with_its_name() {
        assert!(program(Some(Path::new("/nowhere/fanfare"))).unwrap_err().to_string().contains("/nowhere/fanfare"));
    }
}
