//! Arguments of the commands that start a server for themselves, or take one that runs: quick, scenario and ramp.

use super::{AccessArgs, LoadArgs};
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
    /// With --target: as whom.
    #[command(flatten)]
    pub(crate) access: AccessArgs,
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
    /// Who connects, and what is published.
    #[command(flatten)]
    pub(crate) load: LoadArgs,
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
