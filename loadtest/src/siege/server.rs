//! The server under siege: started with settings of its own in a temporary folder, ended with SIGTERM.

use crate::args::SiegeArgs;
use crate::clock::{self, SECOND, now_ns};
use crate::failure::Failure;
use crate::http;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Token of the witnesses, who read `lib0` only.
const WITNESS: &str = "siege-witness-0123456789abcdef0123456789abcdef";
/// Token of their publisher.
pub(super) const PUBLISHER: &str = "siege-publisher-0123456789abcdef0123456789abcdef";
/// Token of an administrator, who looks at the list of connections.
pub(super) const ADMIN: &str = "siege-admin-0123456789abcdef0123456789abcdef";
/// Token of the flooding publishers, and of nobody else.
pub(super) const FLOODER: &str = "siege-flooder-0123456789abcdef0123456789abcdef";
/// Token of the stalled readers.
pub(super) const STALLED: &str = "siege-stalled-0123456789abcdef0123456789abcdef";
/// Token of those who come in floods, and of whom only a few may stay.
pub(super) const CROWD: &str = "siege-crowd-0123456789abcdef0123456789abcdef";

/// Time to listen, and to end after SIGTERM.
const PATIENCE_NS: u64 = 45 * SECOND;

/// The process; killed, and its folder removed, when dropped.
pub(super) struct Server {
    child: Child,
    address: SocketAddrV4,
    folder: PathBuf,
}

impl Server {
    /// Starts it and waits until it is ready.
    pub(super) fn start(args: &SiegeArgs) -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("fanfare-siege-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| Failure::io("siege folder", error))?;
        fs::write(folder.join("tokens"), WITNESS).map_err(|error| Failure::io("siege tokens", error))?;
        let file = folder.join("fanfare.toml");
        fs::write(&file, settings(&folder)).map_err(|error| Failure::io("siege settings", error))?;
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .map_err(|error| Failure::io("siege settings", error))?;
        let log = File::create(folder.join("log")).map_err(|error| Failure::io("siege log", error))?;
        let mut words: Vec<&str> = args.wrap.split_whitespace().collect();
        let program = args.server.to_string_lossy();
        words.push(&program);
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg("serve").arg("--config").arg(&file);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| Failure::io(&format!("start {program}"), error))?;
        let mut server = Self { child, address: SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0), folder };
        server.address = server.wait_until_ready()?;
        Ok(server)
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// The file with the witnesses' token.
    pub(super) fn tokens_file(&self) -> PathBuf {
        self.folder.join("tokens")
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still answers for its health.
    pub(super) fn is_alive(&self) -> bool {
        http::request(self.address, "GET", "/healthz", None).is_ok_and(|(status, _)| status == 200)
    }

    /// Most resident memory it ever had, KiB; 0 once it is gone.
    pub(super) fn peak_rss_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|value| value.split_whitespace().next()).and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    /// Streams it has ended because they took nothing, and events it has skipped, by its own count; nothing when it cannot say.
    pub(super) fn stalls_and_skips(&self) -> Option<(u64, u64)> {
        let address = http::loopback_address(self.run_file()?["metrics_url"].as_str()?).ok()?;
        let (_, text) = http::request(address, "GET", "/metrics", None).ok()?;
        let text = String::from_utf8_lossy(&text).into_owned();
        Some((sum(&text, "fanfare_stall_timeouts_total"), sum(&text, "fanfare_events_skipped_total")))
    }

    /// Asks it to stop and says how it ended.
    pub(super) fn stop(mut self) -> String {
        if let Some(pid) = Pid::from_raw(self.pid().cast_signed()) {
            // It may be gone already, which its exit status then tells.
            let _ = kill_process(pid, Signal::TERM);
        }
        let deadline = now_ns() + PATIENCE_NS;
        while now_ns() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.to_string();
            }
            clock::sleep_ms(50);
        }
        "still running 45 s after SIGTERM".to_owned()
    }

    fn wait_until_ready(&mut self) -> Result<SocketAddrV4, Failure> {
        let deadline = now_ns() + PATIENCE_NS;
        while now_ns() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                return Err(Failure::new(format!("the server ended at start ({status}): {log}")));
            }
            if let Some(address) = self.address_in_run_file()
                && http::request(address, "GET", "/readyz", None).is_ok_and(|(status, _)| status == 200)
            {
                return Ok(address);
            }
            clock::sleep_ms(20);
        }
        Err(Failure::new("the server was not ready in time"))
    }

    fn address_in_run_file(&self) -> Option<SocketAddrV4> {
        http::loopback_address(self.run_file()?["url"].as_str()?).ok()
    }

    fn run_file(&self) -> Option<serde_json::Value> {
        let text = fs::read_to_string(self.folder.join("data").join("run.json")).ok()?;
        serde_json::from_str(&text).ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has usually ended by itself; what matters is that neither process nor folder outlives the siege.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The sum of a counter over all its series.
fn sum(metrics: &str, name: &str) -> u64 {
    let lines = metrics.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}

fn settings(folder: &std::path::Path) -> String {
    let data = folder.join("data");
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\ndata_dir = {data:?}\n\
         [limits]\nconnections_per_user = 600\n\
         [[users]]\nid = \"admin\"\ntoken = \"{ADMIN}\"\nadmin = true\n\
         [[users]]\nid = \"witness\"\ntoken = \"{WITNESS}\"\nlibraries = {{ lib0 = \"read\" }}\n\
         [[users]]\nid = \"stalled\"\ntoken = \"{STALLED}\"\nlibraries = {{ flood = \"read\" }}\n\
         [[users]]\nid = \"crowd\"\ntoken = \"{CROWD}\"\nlibraries = {{ flood = \"read\" }}\n\
         [[tokens]]\ntoken = \"{PUBLISHER}\"\npublish = {{ libraries = [\"lib0\"], types = [\"medias\"] }}\n\
         [[tokens]]\ntoken = \"{FLOODER}\"\npublish = {{ libraries = [\"flood\"], types = [\"medias\"] }}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_summed_over_its_series_and_not_over_its_namesakes() {
        let metrics = "# TYPE a counter\na{x=\"1\"} 3\na{x=\"2\"} 4\na_more 5\nb 6\n";
        assert_eq!((sum(metrics, "a"), sum(metrics, "b"), sum(metrics, "c")), (7, 6, 0));
    }
}
