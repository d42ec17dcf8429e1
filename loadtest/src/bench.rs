//! Floor and server, or two servers, in turn, every run in fresh processes, so that a drifting machine hits both alike and each pair has its ratio.

use crate::args::{BenchArgs, RunArgs};
use crate::clock::{self, SECOND, now_ns};
use crate::failure::Failure;
use crate::html::Group;
use crate::http;
use crate::report::{Report, Result as RunResult};
use crate::stats::median_min_max;
use crate::watch;
use clap::ValueEnum as _;
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use std::net::{SocketAddrV4, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Version of the JSON form.
pub(crate) const SCHEMA: &str = "fanfare-loadtest-bench/1";
/// Time a server has to listen, and to end after SIGTERM.
const PATIENCE_NS: u64 = 15 * SECOND;
/// Rest before each run, so that the one before has left the machine.
const REST_MS: u64 = 1500;

/// All pairs of a bench, in the order they ran.
#[derive(Debug, Serialize)]
pub(crate) struct Bench {
    /// Version of the JSON form.
    pub(crate) schema: &'static str,
    /// Runs of the floor; none when two servers are compared.
    pub(crate) floor: Vec<Report>,
    /// Runs of the server; each belongs to the run of the same place of the floor, or of the other server.
    pub(crate) server: Vec<Report>,
    /// Runs of the other server; none when the server is compared with the floor.
    pub(crate) vs_server: Vec<Report>,
}

/// One line of the table: a figure's name and how to read it from a report.
type Figure = (&'static str, fn(&Report) -> f64);

/// Places of the figures whose ratios are shown pair by pair: deliveries/s, total CPU, user CPU, p99.
const PAIRED: [usize; 4] = [0, 1, 2, 4];

const FIGURES: [Figure; 9] = [
    ("deliveries/s", |report| report.deliveries_per_second),
    ("total CPU µs per delivery", |report| report.cost.unwrap_or_default().total_us),
    ("user CPU µs per delivery", |report| report.cost.unwrap_or_default().user_us),
    ("latency p50 ms", |report| report.latency.p50_us / 1000.0),
    ("latency p99 ms", |report| report.latency.p99_us / 1000.0),
    ("latency max ms", |report| report.latency.max_us / 1000.0),
    ("RSS KiB per connection", |report| report.memory.as_ref().and_then(|memory| memory.rss_per_connection).unwrap_or_default().slope),
    ("kernel socket KiB, most", |report| report.memory.as_ref().map_or(0.0, |memory| memory.socket_kib_max as f64)),
    ("publisher CPU %", |report| report.publisher.cpu_percent),
];

/// Runs all pairs. A run that could not be done ends the bench.
pub(crate) fn run(args: &BenchArgs) -> Result<Bench, Failure> {
    let address = http::loopback_address(&args.run.target)?;
    if args.repeat == 0 {
        return Err(Failure::new("repeat: must be 1 or more"));
    }
    if args.run.access.server_pid.is_some() || args.run.pin_floor.is_some() {
        return Err(Failure::new("server-pid, pin-floor: bench starts server and floor itself, on --server-cpu"));
    }
    let mut bench = Bench { schema: SCHEMA, floor: Vec::new(), server: Vec::new(), vs_server: Vec::new() };
    for pair in 1..=args.repeat {
        match &args.vs_server_cmd {
            Some(other) => bench.vs_server.push(server_run(args, other, address)?),
            None => {
                clock::sleep_ms(REST_MS);
                bench.floor.push(child_run(args, "floor", None)?);
            }
        }
        bench.server.push(server_run(args, &args.server_cmd, address)?);
        let [base, server] =
            bench.sides().map(|(name, runs)| format!("{name} {:.0}/s", runs.last().map_or(0.0, |report| report.deliveries_per_second)));
        eprintln!("pair {pair} of {}: {base}, {server}", args.repeat);
    }
    Ok(bench)
}

/// A run against a server that is started for it and ended after it.
fn server_run(args: &BenchArgs, command: &str, address: SocketAddrV4) -> Result<Report, Failure> {
    clock::sleep_ms(REST_MS);
    let server = Server::start(command, args.server_cpu, address)?;
    child_run(args, &args.run.target, Some(server.child.id()))
}

impl Bench {
    /// Medians with smallest and largest, then the ratios of each pair, then what did not pass.
    pub(crate) fn table(&self) -> String {
        let [(base_name, base), (name, server)] = self.sides();
        let title = format!("{name} / {base_name}");
        let mut text = format!("{:<26} {base_name:>34} {name:>34} {title:>24}\n", "median (min–max)");
        for (figure_name, figure) in FIGURES {
            let [of_base, of_server] = [base, server].map(|runs| runs.iter().map(figure).collect::<Vec<_>>());
            let ratios: Vec<f64> = self.ratios(figure).into_iter().flatten().collect();
            let ratio = if ratios.is_empty() { "–".to_owned() } else { spread(&ratios) };
            text.push_str(&format!("{figure_name:<26} {:>34} {:>34} {ratio:>24}\n", spread(&of_base), spread(&of_server)));
        }
        text.push_str(&self.pair_table(&title));
        for (name, runs) in self.sides() {
            for (place, run) in runs.iter().enumerate().filter(|(_, run)| run.result != RunResult::Passed) {
                text.push_str(&format!("{name} run {}: {:?}: {}\n", place + 1, run.result, run.reasons.join("; ")));
            }
        }
        text
    }

    /// One row of a Markdown table with its head: medians with smallest and largest, ratios within pairs.
    pub(crate) fn markdown(&self) -> String {
        let [(base_name, base), (name, server)] = self.sides();
        let [rate, total, user, _, p99, ..] = FIGURES.map(|(_, figure)| figure);
        let of = |runs: &[Report], figure: fn(&Report) -> f64| spread(&runs.iter().map(figure).collect::<Vec<_>>());
        let ratio = |figure| spread(&self.ratios(figure).into_iter().flatten().collect::<Vec<_>>());
        let load = server.last().map(|run| &run.load);
        let spoken = load.map_or(String::new(), |load| load.clients_by_dialect.keys().cloned().collect::<Vec<_>>().join(", "));
        let load = load.map_or(String::new(), |load| format!("{} × {}", load.clients, load.rate));
        let passed = server.iter().chain(base).filter(|run| run.result == RunResult::Passed).count();
        let skipped: u64 = server.iter().map(|run| run.accounting.skipped_announced + run.accounting.skipped_reported).sum();
        format!(
            "| {name} against {base_name} | clients × ev/s | pairs | deliveries/s, ratio | user µs each | total µs each | ratio | p99 ms, {base_name} | \
             p99 ms | ratio | skipped | runs passed |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n\
             | {spoken} | {load} | {} | {} | {} | {} | {} | {} | {} | {} | {skipped} | {passed} of {} |\n",
            server.len(),
            ratio(rate),
            of(server, user),
            of(server, total),
            ratio(total),
            of(base, p99),
            of(server, p99),
            ratio(p99),
            server.len() + base.len(),
        )
    }

    /// The ratios of each pair, one line a pair, and their medians.
    fn pair_table(&self, title: &str) -> String {
        let chosen = PAIRED.map(|place| FIGURES[place]);
        let columns = chosen.map(|(_, figure)| self.ratios(figure));
        let cell = |value: Option<f64>| format!(" {:>26}", value.map_or("–".to_owned(), |value| format!("{value:.3}")));
        let mut text = format!("\n{title:<26}");
        chosen.iter().for_each(|(name, _)| text.push_str(&format!(" {name:>26}")));
        for pair in 0..self.server.len() {
            text.push_str(&format!("\n{:<26}", format!("pair {}", pair + 1)));
            columns.iter().for_each(|ratios| text.push_str(&cell(ratios.get(pair).copied().flatten())));
        }
        text.push_str(&format!("\n{:<26}", "median"));
        for ratios in &columns {
            let known: Vec<f64> = ratios.iter().copied().flatten().collect();
            text.push_str(&cell((!known.is_empty()).then(|| median_min_max(&known).0)));
        }
        text + "\n"
    }

    /// A figure of the server over that of its pair; `None` where one of both is not known.
    fn ratios(&self, figure: fn(&Report) -> f64) -> Vec<Option<f64>> {
        let [(_, base), (_, server)] = self.sides();
        let pairs = base.iter().map(figure).zip(server.iter().map(figure));
        pairs.map(|(base, server)| (base > 0.0 && server > 0.0).then(|| server / base)).collect()
    }

    /// What the server is compared with, and the server.
    fn sides(&self) -> [(&'static str, &[Report]); 2] {
        let base = if self.vs_server.is_empty() { ("floor", &*self.floor) } else { ("vs server", &*self.vs_server) };
        [base, ("server", &self.server)]
    }

    /// Both sides for the page.
    pub(crate) fn groups(&self) -> Vec<Group<'_>> {
        self.sides().map(|(name, runs)| Group { name: name.to_owned(), runs }).into()
    }

    /// The worst result of all runs: failed before invalid before passed.
    pub(crate) fn result(&self) -> RunResult {
        let runs = self.floor.iter().chain(&self.server).chain(&self.vs_server);
        crate::verdict::worst(runs.map(|run| run.result))
    }
}

/// A server under test; ended when dropped.
struct Server {
    child: Child,
}

impl Server {
    fn start(server_command: &str, cpu: usize, address: SocketAddrV4) -> Result<Self, Failure> {
        if TcpStream::connect(address).is_ok() {
            return Err(Failure::new(format!("target: something listens on {address} already")));
        }
        let words = server_command.split_whitespace();
        let mut command = Command::new("taskset");
        command.args(["-c", &cpu.to_string()]).args(words).stdin(Stdio::null()).stdout(Stdio::null());
        let mut server = Self { child: command.spawn().map_err(|error| Failure::io("server-cmd", error))? };
        let give_up = now_ns() + PATIENCE_NS;
        while TcpStream::connect(address).is_err() {
            if let Ok(Some(status)) = server.child.try_wait() {
                return Err(Failure::new(format!("server-cmd: ended before it listened, {status}")));
            }
            if now_ns() > give_up {
                return Err(Failure::new(format!("server-cmd: nothing listens on {address}")));
            }
            clock::sleep_ms(20);
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::TERM);
        }
        let give_up = now_ns() + PATIENCE_NS;
        while now_ns() < give_up && watch::exists(self.child.id()) {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            clock::sleep_ms(20);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One run in a process of its own; its report comes back as JSON. Tokens travel in the environment, not on the command line.
fn child_run(args: &BenchArgs, target: &str, pid: Option<u32>) -> Result<Report, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::io("own path", error))?;
    let json = ReportFile(std::env::temp_dir().join(format!("fanfare-loadtest-{}.json", std::process::id())));
    let mut command = Command::new(program);
    command.arg("run").args(run_arguments(&args.run, target, &json.0, args.server_cpu)).stdout(Stdio::null());
    if let Some(pid) = pid {
        command.args(["--server-pid", &pid.to_string()]);
    }
    for (name, token) in
        [("FANFARE_LOADTEST_TOKEN", &args.run.access.token), ("FANFARE_LOADTEST_ADMIN_TOKEN", &args.run.access.admin_token)]
    {
        if let Some(token) = token {
            command.env(name, token);
        }
    }
    let status = command.status().map_err(|error| Failure::io("start a run", error))?;
    if status.code().is_none_or(|code| code > 2) {
        return Err(Failure::new(format!("a run of {target} could not be done: {status}")));
    }
    let text = std::fs::read_to_string(&json.0).map_err(|error| Failure::io("a run's report", error))?;
    serde_json::from_str(&text).map_err(|error| Failure::new(format!("a run's report: {error}")))
}

fn run_arguments(run: &RunArgs, target: &str, json: &Path, floor_cpu: usize) -> Vec<String> {
    let cpus = if run.load.pin_client.is_empty() { vec![1] } else { run.load.pin_client.clone() };
    let mut arguments = vec!["--target".to_owned(), target.to_owned(), "--json".to_owned(), json.display().to_string()];
    let named = [
        // The floor speaks one protocol, to as many clients.
        if target == "floor" { ("--clients", run.load.who.mix().clients().to_string()) } else { ("--mix", run.load.who.mix().to_string()) },
        ("--rate", run.rate.to_string()),
        ("--seconds", run.seconds.to_string()),
        ("--warmup", run.warmup.to_string()),
        ("--drain", run.drain.to_string()),
        ("--payload-bytes", run.load.payload_bytes.to_string()),
        ("--libraries", run.load.libraries.to_string()),
        ("--client-libraries", if target == "floor" { 0 } else { run.load.client_libraries }.to_string()),
        ("--stalled", if target == "floor" { 0 } else { run.stalled }.to_string()),
        ("--slow", if target == "floor" { 0 } else { run.slow }.to_string()),
        ("--slow-bytes", run.slow_bytes.to_string()),
        ("--churn", if target == "floor" { 0 } else { run.churn }.to_string()),
        ("--connect-rate", run.connect_rate.to_string()),
        ("--steps", run.steps.max(4).to_string()),
        ("--pin-client", cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",")),
        ("--pin-floor", floor_cpu.to_string()),
        ("--path", run.path.clone()),
        ("--publish-path", run.publish_path.clone()),
    ];
    arguments.extend(named.into_iter().flat_map(|(name, value)| [name.to_owned(), value]));
    if run.quiet {
        arguments.push("--quiet".to_owned());
    }
    if let Some(limit) = run.load.lateness_limit_us {
        arguments.extend(["--lateness-limit-us".to_owned(), limit.to_string()]);
    }
    if let Some(file) = run.access.client_tokens_file.as_ref().filter(|_| target != "floor") {
        arguments.extend(["--client-tokens-file".to_owned(), file.display().to_string()]);
    }
    if let Some(pause_ms) = run.watch_accounts.filter(|_| target != "floor") {
        arguments.extend(["--watch-accounts".to_owned(), pause_ms.to_string()]);
    }
    if target != "floor" {
        arguments.extend(spoken_arguments(run));
    }
    arguments
}

/// What is said to a server, and how; the floor has one way for everything.
fn spoken_arguments(run: &RunArgs) -> Vec<String> {
    let name = |value: Option<clap::builder::PossibleValue>| value.map(|value| value.get_name().to_owned()).unwrap_or_default();
    let mut arguments = vec!["--skew".to_owned(), run.load.skew.to_string()];
    arguments.extend(["--events".to_owned(), name(run.events.to_possible_value())]);
    arguments.extend(["--publish-style".to_owned(), name(run.publish_style.to_possible_value())]);
    arguments.extend(run.headers.iter().flat_map(|line| ["--header".to_owned(), line.clone()]));
    arguments.extend(run.ws_subprotocol.iter().flat_map(|subprotocol| ["--ws-subprotocol".to_owned(), subprotocol.clone()]));
    arguments.extend(run.no_auth.then(|| "--no-auth".to_owned()));
    arguments
}

/// A report on its way between processes; removed when dropped.
struct ReportFile(PathBuf);

impl Drop for ReportFile {
    fn drop(&mut self) {
        // A file left behind in the temporary directory does no harm.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn spread(values: &[f64]) -> String {
    let (median, min, max) = median_min_max(values);
    let digits = if max.abs() >= 1000.0 { 0 } else { 3 };
    format!("{median:.digits$} ({min:.digits$}–{max:.digits$})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn with(deliveries_per_second: f64) -> Report {
        Report { deliveries_per_second, ..Report::default() }
    }

    fn bench(floor: &[f64], server: &[f64], vs_server: &[f64]) -> Bench {
        let [floor, server, vs_server] = [floor, server, vs_server].map(|rates| rates.iter().copied().map(with).collect());
        Bench { schema: "", floor, server, vs_server }
    }

    #[test]
    fn the_ratio_is_taken_within_pairs_and_the_worst_result_counts() {
        let mut bench = bench(&[100.0, 50.0, 10.0], &[90.0, 45.0, 9.0], &[]);
        assert!(bench.table().contains("0.900 (0.900–0.900)"), "{}", bench.table());
        assert_eq!(bench.result(), RunResult::Passed);
        bench.server[1].result = RunResult::Invalid;
        bench.floor[0].result = RunResult::Failed;
        assert_eq!(bench.result(), RunResult::Failed);
    }

    #[test]
    fn every_pair_shows_its_own_ratios_and_what_is_not_known_is_not_a_ratio() {
        let mut bench = bench(&[100.0, 100.0, 100.0], &[80.0, 90.0, 0.0], &[]);
        for (runs, p99_us) in [(&mut bench.floor, 1000.0), (&mut bench.server, 3000.0)] {
            runs.iter_mut().for_each(|run| run.latency.p99_us = p99_us);
        }
        let table = bench.table();
        let cells = |name: &str| table.lines().find_map(|line| line.strip_prefix(name)).unwrap().split_whitespace().collect::<Vec<_>>();
        assert_eq!(cells("pair 1"), ["0.800", "–", "–", "3.000"]);
        assert_eq!(cells("pair 3"), ["–", "–", "–", "3.000"]);
        assert_eq!(cells("median  "), ["0.850", "–", "–", "3.000"]);
    }

    #[test]
    fn a_markdown_row_has_a_cell_for_every_column() {
        let mut bench = bench(&[100.0, 100.0], &[80.0, 90.0], &[]);
        bench.server[0].result = RunResult::Invalid;
        let text = bench.markdown();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[0].matches('|').count()), (3, lines[2].matches('|').count()), "{text}");
        assert!(lines[2].contains("| 2 | 0.850 (0.800–0.900) |") && lines[2].ends_with("| 3 of 4 |"), "{text}");
    }

    #[test]
    fn two_servers_are_compared_without_a_floor() {
        let mut bench = bench(&[], &[50.0, 60.0], &[100.0, 100.0]);
        assert!(bench.table().contains("server / vs server") && !bench.table().contains("floor"), "{}", bench.table());
        assert_eq!(bench.ratios(FIGURES[0].1), [Some(0.5), Some(0.6)]);
        bench.vs_server[0].result = RunResult::Failed;
        assert_eq!(bench.result(), RunResult::Failed);
    }

    #[test]
    fn options_that_mean_nothing_to_the_floor_are_given_to_servers_only() {
        let line = "t bench --target http://127.0.0.1:1 --server-cmd s --watch-accounts 50 --stalled 3 --churn 2 --client-tokens-file f --drain 9 \
             --mix plex-ws=7,sse=2 --events raw --skew 1.5 --no-auth";
        let parsed = crate::args::Arguments::try_parse_from(line.split(' ')).unwrap();
        let crate::args::Command::Bench(args) = parsed.command else { panic!("not a bench") };
        let given = |target: &str| run_arguments(&args.run, target, Path::new("j"), 0).join(" ");
        let (floor, server) = (given("floor"), given(&args.run.target));
        assert!(
            server.contains("--watch-accounts 50") && server.contains("--stalled 3") && server.contains("--client-tokens-file f"),
            "{server}"
        );
        assert!(
            server.contains("--mix plex-ws=7,sse=2") && server.contains("--skew 1.5 --events raw --publish-style fanfare --no-auth"),
            "{server}"
        );
        assert!(floor.contains("--clients 9") && !["--mix", "--events", "--skew"].iter().any(|name| floor.contains(name)), "{floor}");
        assert!(!floor.contains("--watch-accounts") && !floor.contains("--client-tokens-file"), "{floor}");
        assert!(floor.contains("--stalled 0") && floor.contains("--churn 0") && floor.contains("--drain 9"), "{floor}");
    }
}
