//! Options that several commands share: who connects as whom, and what is published to them.

use crate::dialect::{Dialect, Mix};
use clap::Args;
use std::path::PathBuf;

/// Whose tokens are shown to a server, and which process it is.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AccessArgs {
    /// Token that publishes, and that clients use when they have none of their own.
    #[arg(long, env = "FANFARE_LOADTEST_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Token for `GET /api/connections`; without it the publishing token is tried.
    #[arg(long, env = "FANFARE_LOADTEST_ADMIN_TOKEN", hide_env_values = true)]
    pub(crate) admin_token: Option<String>,
    /// File with one client token per line, given out in turn.
    #[arg(long, requires = "target")]
    pub(crate) client_tokens_file: Option<PathBuf>,
    /// Token of a user who may read none of the libraries that events are published to, for strangers.
    #[arg(long, requires = "target")]
    pub(crate) strangers_token: Option<String>,
    /// Process id of the server, to watch it in /proc.
    #[arg(long, requires = "target")]
    pub(crate) server_pid: Option<u32>,
}

/// Clients that read as fast as they can.
#[derive(Clone, Debug, Args)]
pub(crate) struct ClientsArgs {
    /// Clients that read as fast as they can.
    #[arg(long, default_value_t = 1000)]
    pub(crate) clients: usize,
    /// Their protocol.
    #[arg(long, default_value_t = Dialect::Sse, conflicts_with = "mix")]
    pub(crate) dialect: Dialect,
    /// How many of them speak which protocol, in place of --clients and --dialect: `sse=800,plex-ws=200`.
    #[arg(long, conflicts_with = "clients")]
    pub(crate) mix: Option<Mix>,
}

/// Clients, what they are to get, and the load tester's own part in it.
#[derive(Clone, Debug, Args)]
pub(crate) struct LoadArgs {
    /// Who connects.
    #[command(flatten)]
    pub(crate) who: ClientsArgs,
    /// Bytes of one frame on the wire, blank line included.
    #[arg(long, default_value_t = 267)]
    pub(crate) payload_bytes: usize,
    /// Libraries the events are spread over.
    #[arg(long, default_value_t = 1)]
    pub(crate) libraries: u32,
    /// Libraries each client asks for with `libraries=`, or its user may read; 0 for all.
    #[arg(long, default_value_t = 0)]
    pub(crate) client_libraries: u32,
    /// How unequal the libraries' shares are: Zipf's exponent, 0 for all in turn.
    #[arg(long, default_value_t = 0.0)]
    pub(crate) skew: f64,
    /// CPUs of the client threads, one thread each; the publisher shares the first.
    #[arg(long, value_delimiter = ',')]
    pub(crate) pin_client: Vec<usize>,
    /// Publisher lateness (p99, microseconds) above which the run is invalid; 1000 up to 1000 events a second, else 5000.
    #[arg(long)]
    pub(crate) lateness_limit_us: Option<u64>,
}

impl ClientsArgs {
    /// The clients and what they speak.
    pub(crate) fn mix(&self) -> Mix {
        self.mix.clone().unwrap_or_else(|| Mix::only(self.dialect, self.clients))
    }
}
