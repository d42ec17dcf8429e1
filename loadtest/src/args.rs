//! The command line. It decides nothing: defaults and meanings stand here, checks that need two arguments stand in `scenario`.

mod drain;
mod load;
mod reports;
mod started;

pub(crate) use drain::DrainArgs;
pub(crate) use load::{AccessArgs, ClientsArgs, LoadArgs};
pub(crate) use reports::{CompareArgs, RenderArgs};
pub(crate) use started::{QuickArgs, RampArgs, ScenarioArgs, TargetArgs};

use crate::dialect::{Dialect, Mix};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddrV4;
use std::path::PathBuf;

/// Open-loop load tester with exact accounting per client.
#[derive(Debug, Parser)]
#[command(version, about)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Publish at a fixed rate to connected clients and account for every delivery.
    Run(Box<RunArgs>),
    /// Connect in steps, publish nothing, and fit memory per connection.
    Idle(Box<RunArgs>),
    /// Run floor and server, or two servers, in turn, each in a fresh process, and print the ratio per pair.
    Bench(Box<BenchArgs>),
    /// Start a server and attack it from all sides at once; its healthy clients must not notice, nor its memory grow.
    Siege(Box<SiegeArgs>),
    /// Stop a server under load, and check what every client is told, when, and how long it takes.
    Drain(DrainArgs),
    /// Make a page or a histogram log of a report that was written as JSON.
    Render(RenderArgs),
    /// Compare two reports: medians and ratios with intervals, and limits for CI.
    Compare(CompareArgs),
    /// Within a minute, from nothing: start a server, put short loads on it, and say in words what came of it.
    Quick(QuickArgs),
    /// Run a scenario: one or several loads with what must hold, from a file or from those that come along.
    Scenario(ScenarioArgs),
    /// Search for the highest rate at which latency keeps to a goal without loss, and show latency at every rate on the way.
    Ramp(Box<RampArgs>),
    /// Be the floor: a bare writer of ready bytes. Usually started by the other commands.
    Floor(FloorArgs),
}

/// What is published for each sequence number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Events {
    /// One `medias` event, and for MediaBrowser's clients a `raw` message beside it.
    #[default]
    Medias,
    /// A `raw` message for every dialect of the mix, so that frames have one size in all of them; on /sse `medias`.
    Raw,
}

/// How events are published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PublishStyle {
    /// Lines of one streaming request, as Fanfare takes them.
    #[default]
    Fanfare,
    /// A request for each event, its body what clients are to get, one behind the other on one connection: nchan and the like.
    Post,
}

fn header_line(text: &str) -> Result<String, String> {
    match text.split_once(':') {
        Some((name, _)) if !name.is_empty() && !text.contains(['\r', '\n']) => Ok(text.to_owned()),
        _ => Err("must be `Name: value`".to_owned()),
    }
}

/// One run.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunArgs {
    /// The server, as `http://127.0.0.1:8400`, or `floor` to start the floor as a child process. Loopback addresses only.
    #[arg(long)]
    pub(crate) target: String,
    /// As whom.
    #[command(flatten)]
    pub(crate) access: AccessArgs,
    /// Who connects, and what is published.
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    /// Events published a second.
    #[arg(long, default_value_t = 20)]
    pub(crate) rate: u64,
    /// Measured seconds, after the warm-up.
    #[arg(long, default_value_t = 10)]
    pub(crate) seconds: u64,
    /// Seconds published and accounted for, but not measured, at the start.
    #[arg(long, default_value_t = 2)]
    pub(crate) warmup: u64,
    /// Seconds without a delivery after which clients still short are given up.
    #[arg(long, default_value_t = 5)]
    pub(crate) drain: u64,
    /// What is published.
    #[arg(long, value_enum, default_value_t = Events::Medias)]
    pub(crate) events: Events,
    /// How it is published.
    #[arg(long, value_enum, default_value_t = PublishStyle::Fanfare)]
    pub(crate) publish_style: PublishStyle,
    /// Socket.IO clients are content with the namespace and send no `auth`, as on a plain Socket.IO server.
    #[arg(long)]
    pub(crate) no_auth: bool,
    /// WebSocket subprotocol to ask for, where the server wants one.
    #[arg(long)]
    pub(crate) ws_subprotocol: Option<String>,
    /// Header line more in every client's request that opens a stream, as `Name: value`.
    #[arg(long = "header", value_name = "LINE", value_parser = header_line)]
    pub(crate) headers: Vec<String>,
    /// Further clients that connect and never read.
    #[arg(long, default_value_t = 0)]
    pub(crate) stalled: usize,
    /// Further clients of a user who may read none of the libraries that events are published to: what they cost the others.
    #[arg(long, default_value_t = 0)]
    pub(crate) strangers: usize,
    /// Further clients that read slowly.
    #[arg(long, default_value_t = 0)]
    pub(crate) slow: usize,
    /// Bytes a slow client reads a second.
    #[arg(long, default_value_t = 1024)]
    pub(crate) slow_bytes: usize,
    /// Further clients a second that connect, stay for a second and leave.
    #[arg(long, default_value_t = 0)]
    pub(crate) churn: usize,
    /// Connections opened a second.
    #[arg(long, default_value_t = 5000)]
    pub(crate) connect_rate: usize,
    /// Steps in which the clients connect; memory is sampled after each.
    #[arg(long, default_value_t = 5)]
    pub(crate) steps: usize,
    /// Milliseconds between two looks at the server's own accounts (`GET /api/connections`), each of which must add up.
    #[arg(long, value_name = "MILLIS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) watch_accounts: Option<u64>,
    /// CPU of the floor, when the target is `floor`.
    #[arg(long)]
    pub(crate) pin_floor: Option<usize>,
    /// Path of `/sse` and of any-sse and any-ws; for the latter two `{library}` in it becomes the client's library.
    #[arg(long, default_value = "/sse")]
    pub(crate) path: String,
    /// Path events are posted to; with `--publish-style post` `{library}` in it becomes the event's library.
    #[arg(long, default_value = "/api/events")]
    pub(crate) publish_path: String,
    /// Milliseconds the publisher sleeps before each write: a fault planted to see that it is found.
    #[arg(long, default_value_t = 0, hide = true)]
    pub(crate) publisher_pause_ms: u64,
    /// Write the report as JSON to this file.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Write the report as one HTML page with plots to this file.
    #[arg(long)]
    pub(crate) html: Option<PathBuf>,
    /// Write the latency of each dialect as an HdrHistogram log to this file.
    #[arg(long)]
    pub(crate) hlog: Option<PathBuf>,
    /// Show nothing while it runs, on a terminal too.
    #[arg(long)]
    pub(crate) quiet: bool,
    /// Print a row of a Markdown table, with its head, instead of the table.
    #[arg(long)]
    pub(crate) markdown: bool,
}

impl RunArgs {
    /// Connections that stay, without those of churning clients.
    pub(crate) fn connections(&self) -> usize {
        self.load.who.clients + self.slow + self.stalled + self.strangers
    }
}

/// Interleaved repetitions.
#[derive(Clone, Debug, Args)]
pub(crate) struct BenchArgs {
    /// The run to repeat; its target is the server.
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Command that starts the server, words parted by blanks.
    #[arg(long)]
    pub(crate) server_cmd: String,
    /// Command that starts another server on the same address, to compare with in the floor's place.
    #[arg(long)]
    pub(crate) vs_server_cmd: Option<String>,
    /// Pairs of runs.
    #[arg(long, default_value_t = 5)]
    pub(crate) repeat: usize,
    /// CPU of the server and of the floor.
    #[arg(long, default_value_t = 0)]
    pub(crate) server_cpu: usize,
}

/// A siege: the server is started for it, on a free port, with settings of its own.
#[derive(Clone, Debug, Args)]
pub(crate) struct SiegeArgs {
    /// The server's binary.
    #[arg(long, default_value = "target/release/fanfare")]
    pub(crate) server: PathBuf,
    /// Words put before the server's command, such as `systemd-run --scope -p MemoryMax=256M`; they must end in the server's own process.
    #[arg(long, default_value = "")]
    pub(crate) wrap: String,
    /// Minutes of attack; parts of a minute are allowed.
    #[arg(long, default_value_t = 5.0)]
    pub(crate) minutes: f64,
    /// Healthy clients.
    #[arg(long, default_value_t = 100)]
    pub(crate) witnesses: usize,
    /// Their protocol.
    #[arg(long, default_value_t = Dialect::Sse, conflicts_with = "mix")]
    pub(crate) dialect: Dialect,
    /// How many of them speak which protocol, in place of --witnesses and --dialect: `sse=50,plex-ws=50`.
    #[arg(long, conflicts_with = "witnesses")]
    pub(crate) mix: Option<Mix>,
    /// Events a second for the healthy clients.
    #[arg(long, default_value_t = 20)]
    pub(crate) witness_rate: u64,
    /// Clients that never read.
    #[arg(long, default_value_t = 500)]
    pub(crate) stalled: usize,
    /// Events of 1 KiB published a second to those that never read, beside the floods.
    #[arg(long, default_value_t = 5000)]
    pub(crate) stalled_rate: u64,
    /// Publishers at full speed.
    #[arg(long, default_value_t = 8)]
    pub(crate) publishers: usize,
    /// Connections of the flood opened a second.
    #[arg(long, default_value_t = 1000)]
    pub(crate) connect_rate: u64,
    /// Connections of the flood kept open.
    #[arg(long, default_value_t = 1500)]
    pub(crate) flood_open: usize,
    /// Resident memory the server may reach, MiB.
    #[arg(long, default_value_t = 256)]
    pub(crate) memory_mib: u64,
    /// Milliseconds the healthy clients' p99 must stay below.
    #[arg(long, default_value_t = 250.0)]
    pub(crate) p99_ms: f64,
    /// Write the report as JSON to this file.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
}

impl SiegeArgs {
    /// The healthy clients and what they speak.
    pub(crate) fn mix(&self) -> Mix {
        self.mix.clone().unwrap_or_else(|| Mix::only(self.dialect, self.witnesses))
    }

    /// Whole seconds of attack, 5 at least.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded to a day just before")]
    pub(crate) fn seconds(&self) -> u64 {
        (self.minutes * 60.0).round().clamp(5.0, 86_400.0) as u64
    }
}

/// The floor's own arguments.
#[derive(Clone, Debug, Args)]
pub(crate) struct FloorArgs {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:9000")]
    pub(crate) listen: SocketAddrV4,
    /// Frames made a second.
    #[arg(long)]
    pub(crate) rate: u64,
    /// Bytes of one frame.
    #[arg(long, default_value_t = 267)]
    pub(crate) payload_bytes: usize,
    /// Libraries named in the frames in turn.
    #[arg(long, default_value_t = 1)]
    pub(crate) libraries: u32,
    /// Seconds of frames, counted from the start signal (any POST).
    #[arg(long, default_value_t = 10)]
    pub(crate) seconds: u64,
    /// CPU to run on.
    #[arg(long)]
    pub(crate) pin: Option<usize>,
    /// Keep the connections open after the report, until standard input ends.
    #[arg(long)]
    pub(crate) hold: bool,
}
