//! The siege: a server of its own under stalled readers, floods of connections, floods of events and broken input, all at
//! once, while an ordinary run accounts for every delivery to its healthy clients.
//!
//! The witnesses, their accounts and the memory figures are `scenario`'s; here stands only what is different: the server
//! started for it, the attackers, and what must hold beside the accounts. Everything stays on loopback and ends by itself.

mod attack;
mod broken;
mod flood;
mod server;
mod stalled;

use crate::args::{Arguments, Command, RunArgs, SiegeArgs};
use crate::failure::Failure;
use crate::own_server::OwnServer;
use crate::report::{Report, Result as RunResult};
use crate::scenario;
use attack::Attack;
use clap::Parser as _;
use serde::Serialize;
use std::fmt::Write as _;

/// Windows shorter than this say nothing about growth: what is used for the first time grows.
const FLATNESS_NEEDS_SECONDS: u64 = 120;
/// Growth of resident memory allowed in the second half, KiB a minute.
const GROWTH_KIB_PER_MINUTE: f64 = 1024.0;
/// Share of the witnesses' own lateness tolerated before the run proves nothing, microseconds: the attackers want the same cores.
const LATENESS_LIMIT_US: u64 = 1_000_000;

/// What came of a siege.
#[derive(Debug, Serialize)]
pub(crate) struct Siege {
    /// Version of the JSON form.
    schema: &'static str,
    /// The witnesses' run.
    pub(crate) witnesses: Report,
    /// What the attackers did.
    attack: attack::Counts,
    /// Most resident memory the server ever had, KiB, as the kernel keeps it (`VmHWM`).
    peak_rss_kib: u64,
    /// The limit it was held to, KiB.
    limit_kib: u64,
    /// Growth of resident memory in the second half, KiB a minute; absent when the siege was too short to tell.
    growth_kib_per_minute: Option<f64>,
    /// Streams the server ended because they took nothing, and events it skipped for those behind, by its own count.
    stalls_and_skips: Option<(u64, u64)>,
    /// How the server ended after SIGTERM.
    server_end: String,
}

/// Starts a server, besieges it, and judges.
pub(crate) fn run(args: &SiegeArgs) -> Result<Siege, Failure> {
    let seconds = args.seconds();
    crate::machine::raise_file_limit(args.witnesses + args.stalled + args.flood_open + 2 * args.publishers)?;
    let server = server::start(args)?;
    let attack = Attack::start(args, server.address())?;
    let witnesses = witness_run(args, &server, seconds).and_then(|run| scenario::run(&run));
    let (peak_rss_kib, stalls_and_skips) = (server.peak_rss_kib(), server::stalls_and_skips(&server));
    // The attackers are stopped before a failure is told, or they would outlive the run.
    let attack = attack.finish();
    let alive = server.is_alive();
    let server_end = server.stop();
    let mut siege = Siege {
        schema: "fanfare-loadtest-siege/1",
        witnesses: witnesses?,
        attack,
        peak_rss_kib,
        limit_kib: args.memory_mib * 1024,
        growth_kib_per_minute: None,
        stalls_and_skips,
        server_end,
    };
    siege.growth_kib_per_minute = growth(&siege.witnesses, seconds);
    siege.judge(args, alive);
    Ok(siege)
}

/// Numbered events to healthy clients, in a library of their own. What is not said here stays as `run` has it.
fn witness_run(args: &SiegeArgs, server: &OwnServer, seconds: u64) -> Result<RunArgs, Failure> {
    let line = format!(
        "fanfare-loadtest run --target http://{} --mix {} --rate {} --seconds {seconds} --drain 15 --server-pid {} \
         --lateness-limit-us {LATENESS_LIMIT_US} --token {} --admin-token {} --client-tokens-file {}",
        server.address(),
        args.mix(),
        args.witness_rate,
        server.pid(),
        server::PUBLISHER,
        server::ADMIN,
        server.file(server::TOKENS_FILE).display(),
    );
    match Arguments::try_parse_from(line.split_whitespace()).map(|arguments| arguments.command) {
        Ok(Command::Run(run)) => Ok(*run),
        _ => Err(Failure::new("the witnesses' own arguments are not understood")),
    }
}

fn growth(report: &Report, seconds: u64) -> Option<f64> {
    let trend = report.memory.as_ref()?.trend?;
    (seconds >= FLATNESS_NEEDS_SECONDS).then(|| trend.second_half_growth_kib as f64 / (seconds as f64 / 2.0) * 60.0)
}

impl Siege {
    fn judge(&mut self, args: &SiegeArgs, alive: bool) {
        let mut failures = Vec::new();
        if !alive {
            failures.push(format!("the server died: {}", self.server_end));
        } else if self.server_end != "exit status: 0" {
            failures.push(format!("the server did not stop as it should: {}", self.server_end));
        }
        if self.peak_rss_kib > self.limit_kib {
            failures.push(format!("resident memory reached {} KiB, the limit is {} KiB", self.peak_rss_kib, self.limit_kib));
        }
        if let Some(growth) = self.growth_kib_per_minute.filter(|growth| *growth >= GROWTH_KIB_PER_MINUTE) {
            failures.push(format!("resident memory grew {growth:.0} KiB a minute in the second half"));
        }
        let p99_ms = self.witnesses.latency.p99_us / 1000.0;
        if p99_ms >= args.p99_ms {
            failures.push(format!("the witnesses' p99 is {p99_ms:.0} ms, the limit is {:.0} ms", args.p99_ms));
        }
        for (what, count) in self.attack.must_have_happened() {
            if count == 0 {
                failures.push(format!("the attack did not take place: no {what}"));
            }
        }
        if !failures.is_empty() {
            self.witnesses.result = RunResult::Failed;
            self.witnesses.reasons.splice(0..0, failures);
        }
    }

    /// The witnesses' table, then the attack and the memory, as lines of name and value.
    pub(crate) fn table(&self) -> String {
        let mut text = crate::table::human(&self.witnesses);
        for (name, value) in self.attack.lines() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<16} {value}");
        }
        let growth = self.growth_kib_per_minute.map_or_else(
            || format!("not judged below {FLATNESS_NEEDS_SECONDS} s"),
            |growth| format!("{growth:+.0} KiB a minute in the second half"),
        );
        let _ = writeln!(text, "{:<16} peak {} KiB of {} KiB, {growth}", "memory limit", self.peak_rss_kib, self.limit_kib);
        if let Some((stalls, skips)) = self.stalls_and_skips {
            let _ = writeln!(text, "{:<16} {stalls} streams ended for taking nothing, {skips} deliveries skipped", "server's count");
        }
        let _ = writeln!(text, "{:<16} {}", "server ended", self.server_end);
        text
    }
}
