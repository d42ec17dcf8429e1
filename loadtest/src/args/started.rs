//! Arguments of the commands that start a server for themselves, or take one that runs: quick, scenario and ramp.

use crate::dialect::{Dialect, Mix};
use clap::Args;
use std::path::PathBuf;

/// The server that a command starts, or the one that runs already.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct TargetArgs {
    /// The server's binary, to be started for this; by default the `fanfare` beside this program, or on the PATH.
    #[arg(long, conflicts_with = "target")]
    pub(crate) server: Option<PathBuf>,
    /// Words put before the server's command, such as `taskset -c 0`; they must end in the server's own process.
    #[arg(long, default_value = "", conflicts_with = "target")]
    pub(crate) wrap: String,
    /// A server that runs already, as `http://127.0.0.1:8400`. Loopback addresses only.
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// With --target: token that publishes, and that clients use when they have none of their own.
    #[arg(long, env = "FANFARE_LOADTEST_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// With --target: token for `GET /api/connections`; without it the publishing token is tried.
    #[arg(long, env = "FANFARE_LOADTEST_ADMIN_TOKEN", hide_env_values = true)]
    pub(crate) admin_token: Option<String>,
    /// With --target: file with one client token per line, given out in turn.
    #[arg(long, requires = "target")]
    pub(crate) client_tokens_file: Option<PathBuf>,
    /// With --target: token of a user who may read none of the libraries that events are published to, for scenarios with strangers.
    #[arg(long, requires = "target")]
    pub(crate) strangers_token: Option<String>,
    /// With --target: process id of the server, to watch it in /proc.
    #[arg(long, requires = "target")]
    pub(crate) server_pid: Option<u32>,
}

/// A number of clients that can be divided by four and fits a machine.
fn clients_of_quick(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|clients| (100..=100_000).contains(clients)).ok_or_else(|| "must be from 100 to 100000".to_owned())
}

/// A scenario.
#[derive(Clone, Debug, Args)]
pub(crate) struct ScenarioArgs {
    /// Its name, or a file.
    #[arg(required_unless_present = "list")]
    pub(crate) scenario: Option<String>,
    /// Show the scenarios that come along.
    #[arg(long)]
    pub(crate) list: bool,
    /// Its short form: less load and wider limits, for a first try and for CI.
    #[arg(long)]
    pub(crate) short: bool,
    /// What to put under load.
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// CPUs of the client threads, one thread each, in place of the file's; the publisher shares the first.
    #[arg(long, value_delimiter = ',')]
    pub(crate) pin_client: Vec<usize>,
    /// Write the report as JSON to this file.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Write one HTML page with plots to this file.
    #[arg(long)]
    pub(crate) html: Option<PathBuf>,
}

/// A search for the limit.
#[derive(Clone, Debug, Args)]
pub(crate) struct RampArgs {
    /// Latency of 99 of 100 deliveries that must be kept to, milliseconds.
    #[arg(long)]
    pub(crate) goal_p99_ms: f64,
    /// What to put under load; `--target floor` measures the floor.
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// The first rate, events a second.
    #[arg(long, default_value_t = 100)]
    pub(crate) from: u64,
    /// The highest rate that is tried.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) to: u64,
    /// How near the highest rate that holds and the lowest that does not must come, percent.
    #[arg(long, default_value_t = 5)]
    pub(crate) precision_percent: u64,
    /// Measured seconds of each try, after a second of warm-up.
    #[arg(long, default_value_t = 5)]
    pub(crate) seconds: u64,
    /// Clients.
    #[arg(long, default_value_t = 1000)]
    pub(crate) clients: usize,
    /// Their protocol.
    #[arg(long, default_value_t = Dialect::Sse, conflicts_with = "mix")]
    pub(crate) dialect: Dialect,
    /// How many of them speak which protocol, in place of --clients and --dialect: `sse=800,plex-ws=200`.
    #[arg(long, conflicts_with = "clients")]
    pub(crate) mix: Option<Mix>,
    /// Bytes of one frame on the wire, blank line included.
    #[arg(long, default_value_t = 400)]
    pub(crate) payload_bytes: usize,
    /// Libraries the events are spread over.
    #[arg(long, default_value_t = 1)]
    pub(crate) libraries: u32,
    /// Libraries of each client; 0 for all.
    #[arg(long, default_value_t = 0)]
    pub(crate) client_libraries: u32,
    /// How unequal the libraries' shares are: Zipf's exponent, 0 for all in turn.
    #[arg(long, default_value_t = 0.0)]
    pub(crate) skew: f64,
    /// CPUs of the client threads, one thread each; the publisher shares the first.
    #[arg(long, value_delimiter = ',')]
    pub(crate) pin_client: Vec<usize>,
    /// Publisher lateness (p99, microseconds) above which a try is invalid; as in `run`.
    #[arg(long)]
    pub(crate) lateness_limit_us: Option<u64>,
    /// Write the report as JSON to this file.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Write one HTML page with plots to this file.
    #[arg(long)]
    pub(crate) html: Option<PathBuf>,
}

/// A look at everything, for newcomers.
#[derive(Clone, Debug, Args)]
pub(crate) struct QuickArgs {
    /// The server's binary; by default the `fanfare` beside this program, or on the PATH.
    #[arg(long)]
    pub(crate) server: Option<PathBuf>,
    /// Clients of the calm load; the other one has a quarter of them.
    #[arg(long, default_value_t = 2000, value_parser = clients_of_quick)]
    pub(crate) clients: usize,
    /// Write the report as JSON to this file.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Write one HTML page with plots to this file.
    #[arg(long)]
    pub(crate) html: Option<PathBuf>,
}
