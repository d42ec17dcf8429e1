//! The command line of a stop under load.

use super::ClientsArgs;
use clap::Args;
use std::path::PathBuf;

/// One stop.
#[derive(Clone, Debug, Args)]
pub(crate) struct DrainArgs {
    /// The server, as `http://127.0.0.1:8400`. Loopback addresses only.
    #[arg(long)]
    pub(crate) target: String,
    /// Its metrics listener, where readiness is asked for.
    #[arg(long, default_value = "http://127.0.0.1:8401")]
    pub(crate) metrics: String,
    /// Token that publishes and that clients use.
    #[arg(long, env = "FANFARE_LOADTEST_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Process id of the server to stop.
    #[arg(long)]
    pub(crate) server_pid: Option<u32>,
    /// Command that starts the server to stop, words parted by blanks; then its exit code counts too.
    #[arg(long)]
    pub(crate) server_cmd: Option<String>,
    /// Who is connected.
    #[command(flatten)]
    pub(crate) who: ClientsArgs,
    /// Events accepted right before the signal.
    #[arg(long, default_value_t = 20)]
    pub(crate) events: u32,
    /// Bytes of one frame on the wire, blank line included.
    #[arg(long, default_value_t = 267)]
    pub(crate) payload_bytes: usize,
    /// Seconds of the server's drain window.
    #[arg(long, default_value_t = 10)]
    pub(crate) window: u64,
    /// Seconds it may take beyond its window.
    #[arg(long, default_value_t = 5)]
    pub(crate) rest: u64,
    /// Path of `/sse`.
    #[arg(long, default_value = "/sse")]
    pub(crate) path: String,
    /// Write the report as JSON to this file.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
}
