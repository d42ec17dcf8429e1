//! The programs of a run: what a reader must know of server and load tester to run the same again.

use serde::{Deserialize, Serialize};
use std::fs;
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;

/// One program.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Program {
    /// Name of its file.
    pub(crate) name: String,
    /// What it says of its version; only asked of programs that are known to answer and end.
    pub(crate) version: Option<String>,
    /// The commit it was built from, where the build was told by the environment variable `FANFARE_COMMIT`.
    pub(crate) commit: Option<String>,
    /// Size of its file.
    pub(crate) bytes: u64,
    /// When its file was written, seconds since 1970: two builds of one version differ here.
    pub(crate) built_unix_seconds: u64,
    /// How it was built, where that is known.
    pub(crate) build: Option<String>,
}

impl Program {
    /// The load tester itself.
    pub(crate) fn own() -> Self {
        let profile = if cfg!(debug_assertions) { "unoptimised" } else { "optimised" };
        Self {
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            commit: option_env!("FANFARE_COMMIT").map(str::to_owned),
            build: Some(format!("{profile}, allocator mimalloc, {}", std::env::consts::ARCH)),
            ..Self::of(std::process::id())
        }
    }

    /// A server, by its process.
    pub(crate) fn server(pid: u32) -> Self {
        let program = Self::of(pid);
        if program.name != "fanfare" {
            return program;
        }
        let asked = Command::new(format!("/proc/{pid}/exe")).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output();
        let version = asked.ok().filter(|answer| answer.status.success());
        let text = version.map(|answer| String::from_utf8_lossy(&answer.stdout).trim().to_owned());
        Self { version: text, ..program }
    }

    /// What its file tells; empty where it may not be looked at.
    fn of(pid: u32) -> Self {
        let link = format!("/proc/{pid}/exe");
        let path = fs::read_link(&link).unwrap_or_default();
        let file = fs::metadata(&link).ok();
        let modified = file.as_ref().and_then(|file| file.modified().ok()).and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        Self {
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            bytes: file.as_ref().map_or(0, fs::Metadata::len),
            built_unix_seconds: modified.map_or(0, |since| since.as_secs()),
            ..Self::default()
        }
    }

    /// In one line.
    pub(crate) fn line(&self) -> String {
        let mut parts = vec![self.name.clone()];
        parts.extend(self.version.clone());
        parts.extend(self.commit.as_ref().map(|commit| format!("commit {commit}")));
        parts.extend(self.build.clone());
        parts.push(format!("{} bytes", self.bytes));
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_tester_knows_itself_and_a_process_that_is_gone_is_empty() {
        let own = Program::own();
        assert!(own.name.starts_with("fanfare") && own.bytes > 0 && own.line().contains("mimalloc"), "{own:?}");
        assert_eq!(Program::server(u32::MAX).name, "");
    }
}
