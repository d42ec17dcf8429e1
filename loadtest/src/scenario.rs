//! One run from end to end: connect in steps, publish, watch, drain, close the accounts.
//!
//! ```text
//! connect (steps, memory) ── warm-up ──┬── measured window ──┬── drain ── GET /api/connections ── stop, close accounts
//!                          first event ┘   CPU, deliveries   └ last event
//!                        └── GET /api/connections, again and again, with --watch-accounts ──┘
//! ```

mod accounts;
mod crowd;
#[cfg(test)]
mod dialect_tests;
mod storm;
mod swarms;
#[cfg(test)]
mod tests;
mod window;

use crate::args::{ClientsArgs, Events, LoadArgs, PublishStyle, RunArgs};
use crate::client::{Plan, Shared, ThreadResult};
use crate::clock::{self, SECOND, now_ns};
use crate::connections::ReportedSkips;
use crate::deadline::{self, waiting_for};
use crate::dialect::{DIALECTS, Dialect};
use crate::failure::Failure;
use crate::identity::Watcher;
use crate::live::View;
use crate::machine::Machine;
use crate::program::Program;
use crate::publisher::Published;
use crate::report::{Load, Memory, PublisherReport, Report, SCHEMA};
use crate::sampler::Sampler;
use crate::series::Series;
use crate::source::Target;
use crate::spread::Spread;
use crate::verdict::{self, Limits};
use crate::watch::MemorySample;
pub(crate) use crowd::Crowd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
pub(crate) use storm::{Storm, storm};
use swarms::Swarms;
use window::Window;

/// Timed deliveries a second at most; beyond, one of every power of two is timed.
const TIMED_PER_SECOND: u64 = 200_000;
/// Bytes of a message that carries no event of ours, and is kept all the same until it is whole.
const LARGEST_MESSAGE: usize = 8 << 10;
/// Longest wait for clients that still make progress after the last event.
const DRAIN_LIMIT_NS: u64 = 120 * SECOND;
/// Seconds without news after which clients that connect are given up.
const CONNECT_PATIENCE_SECONDS: u64 = 20;
/// Seconds that what stands around connecting and the window takes at most: the last answers, the drain, the lists, the threads' ends.
const AFTER_SECONDS: u64 = 240;

/// Runs, judges, and returns the report.
pub(crate) fn run(args: &RunArgs) -> Result<Report, Failure> {
    let args = settled(args);
    check(&args)?;
    deadline::within(connecting(&args) + args.warmup + args.seconds + args.drain + AFTER_SECONDS, move || measure(&args))
}

fn measure(args: &RunArgs) -> Result<Report, Failure> {
    let machine = Machine::describe();
    let target = Target::open(args)?;
    let pid = known_process(target.pid(args))?;
    let address = target.address();
    let is_floor = matches!(target, Target::Floor(_));
    let plan = Arc::new(plan(args, &target)?);
    let shared = Arc::new(Shared::new());
    let swarms = Swarms::start(args, &plan, &shared)?;
    let sampler = Sampler::start(pid, &shared, View::open(args, &shared))?;
    let mut memory = pid.map(|_| Memory::default());
    let own_per_client = swarms.connect_in_steps(args, pid, memory.as_mut())?;

    window::sample_before_publishing(pid, memory.as_mut());
    let watcher = args.watch_accounts.map(|pause_ms| Watcher::start(address, admin_token(args), pause_ms)).transpose()?;

    waiting_for("the publisher to begin");
    let (flow, schedule) = target.start(args, &shared)?;
    let publishing = std::thread::spawn(move || flow.finish());
    clock::sleep_until(schedule.due_ns(plan.measured_from));
    shared.churning.store(true, Relaxed);
    let window = Window::measure(args, pid, &shared, memory.as_mut(), schedule.due_ns(schedule.total()));
    shared.churning.store(false, Relaxed);
    waiting_for("the publisher's last answers");
    let finished = publishing.join().map_err(|_| Failure::new("the publishing thread panicked"))??;
    let published = &finished.published;
    let drained_ns = drain(args, &shared, published.sent);
    waiting_for("GET /api/connections");
    let watched = watcher.map(Watcher::finish).transpose()?;
    let mut reported = reported_skips(args, is_floor, address);
    if let (Some(memory), Some(pid)) = (memory.as_mut(), pid) {
        memory.after = MemorySample::take(pid, shared.live.load(Relaxed)).with_slabs();
    }
    let series = sampler.finish()?;
    let results = swarms.stop()?;

    let mut report = Report {
        load: load(args, &results),
        sampled_one_in: plan.sample_mask + 1,
        memory,
        own_per_client,
        watched,
        drain_ms: drained_ns.saturating_sub(schedule.due_ns(schedule.total())) as f64 / 1e6,
        ..circumstances(machine, pid, series)
    };
    window.fill(&mut report);
    report.publisher = publisher_report(published, args);
    accounts::close(&mut report, &results, published, reported.as_mut().ok().and_then(Option::as_mut), &shared, &args.load.who.mix());
    verdict::judge(&mut report, limits(args, is_floor));
    add_reasons(&mut report, published, reported.err(), &shared);
    Ok(report)
}

/// Connects and holds, publishes nothing.
pub(crate) fn idle(args: &RunArgs) -> Result<Report, Failure> {
    let args = RunArgs { rate: 0, warmup: 0, steps: args.steps.max(4), ..settled(args) };
    check(&args)?;
    if args.watch_accounts.is_some() {
        return Err(Failure::new("watch-accounts: idle publishes nothing that could be accounted for; it goes with run and bench"));
    }
    deadline::within(connecting(&args) + args.seconds + AFTER_SECONDS, move || hold(args))
}

fn hold(args: RunArgs) -> Result<Report, Failure> {
    let machine = Machine::describe();
    let target = Target::open(&args)?;
    let pid = known_process(target.pid(&args))?.ok_or_else(|| Failure::new("server-pid: idle needs it, to read the server's memory"))?;
    let plan = Arc::new(plan(&args, &target)?);
    let shared = Arc::new(Shared::new());
    let swarms = Swarms::start(&args, &plan, &shared)?;
    let sampler = Sampler::start(Some(pid), &shared, View::open(&args, &shared))?;
    let mut memory = Memory::default();
    let own_per_client = swarms.connect_in_steps(&args, Some(pid), Some(&mut memory))?;
    let window = Window::measure(&args, Some(pid), &shared, Some(&mut memory), now_ns() + args.seconds * SECOND);
    memory.after = MemorySample::take(pid, shared.live.load(Relaxed)).with_slabs();
    let series = sampler.finish()?;
    let results = swarms.stop()?;
    let mut report = circumstances(machine, Some(pid), series);
    (report.load, report.memory, report.own_per_client) = (load(&args, &results), Some(memory), own_per_client);
    window.fill(&mut report);
    accounts::close(&mut report, &results, &Published::default(), None, &shared, &args.load.who.mix());
    verdict::judge(&mut report, limits(&args, true));
    Ok(report)
}

/// A report of when, where and with what.
fn circumstances(machine: Machine, pid: Option<u32>, series: Series) -> Report {
    Report {
        schema: SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_unix_seconds: series.started_unix_seconds,
        machine,
        tester: Program::own(),
        program: pid.map(Program::server),
        series,
        ..Report::default()
    }
}

/// The arguments with one number of steady clients, and with what the floor can do, if it is the target: event streams, whatever is spoken
/// elsewhere, of libraries in turn.
fn settled(args: &RunArgs) -> RunArgs {
    let mut args = args.clone();
    args.load.who.clients = args.load.who.mix().clients();
    if args.target != "floor" {
        return args;
    }
    let who = ClientsArgs { clients: args.load.who.clients, dialect: Dialect::Sse, mix: None };
    let load = LoadArgs { who, skew: 0.0, ..args.load.clone() };
    RunArgs { load, events: Events::Medias, publish_style: PublishStyle::Fanfare, ..args }
}

/// Seconds connecting takes at most: it ends with an error of its own long before.
fn connecting(args: &RunArgs) -> u64 {
    args.steps as u64 * (CONNECT_PATIENCE_SECONDS + 1 + (args.connections() / args.connect_rate.max(1)) as u64)
}

/// Waits until all steady clients are complete, or nothing has come for the drain time. Returns when the last delivery was seen.
fn drain(args: &RunArgs, shared: &Shared, published: u32) -> u64 {
    shared.end.store(published, Relaxed);
    waiting_for(format!("the {} clients to have every event", args.load.who.clients));
    let began = now_ns();
    let (mut last_received, mut last_progress) = (shared.received.load(Relaxed), began);
    loop {
        if shared.complete.load(Relaxed) >= args.load.who.clients as u64 {
            return now_ns();
        }
        clock::sleep_ms(2);
        let (now, received) = (now_ns(), shared.received.load(Relaxed));
        if received != last_received {
            (last_received, last_progress) = (received, now);
        }
        if now - last_progress > args.drain * SECOND || now - began > DRAIN_LIMIT_NS {
            return last_progress;
        }
    }
}

fn check(args: &RunArgs) -> Result<(), Failure> {
    if args.target == "floor" && args.churn > 0 {
        return Err(Failure::new(
            "churn: the floor does not say what it has sent, so clients that come in mid-run cannot be accounted for",
        ));
    }
    if args.target == "floor" && args.watch_accounts.is_some() {
        return Err(Failure::new("watch-accounts: the floor keeps no accounts"));
    }
    if args.target == "floor" && args.strangers > 0 {
        return Err(Failure::new("strangers: the floor sends everything to everybody"));
    }
    if args.strangers > 0 && args.access.strangers_token.is_none() {
        return Err(Failure::new("strangers-token: strangers need one of a user who may read none of the libraries published to"));
    }
    if args.load.client_libraries > args.load.libraries {
        return Err(Failure::new(format!(
            "client-libraries: {} is more than the {} libraries",
            args.load.client_libraries, args.load.libraries
        )));
    }
    if args.path.contains("{library}") && args.load.libraries > 1 && args.load.client_libraries != 1 {
        return Err(Failure::new("client-libraries: must be 1 with `{library}` in the path, which names one library for each client"));
    }
    if args.steps == 0 || args.connect_rate == 0 {
        return Err(Failure::new("steps, connect-rate: must be 1 or more"));
    }
    crate::machine::raise_file_limit(args.connections() + 2 * args.churn)
}

fn known_process(pid: Option<u32>) -> Result<Option<u32>, Failure> {
    match pid {
        Some(pid) if !crate::watch::exists(pid) => Err(Failure::new(format!("server-pid: there is no process {pid}"))),
        other => Ok(other),
    }
}

/// The clients' tokens, given out in turn.
fn client_tokens(args: &RunArgs) -> Result<Vec<String>, Failure> {
    let tokens: Vec<String> = match &args.access.client_tokens_file {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| Failure::io("client-tokens-file", error))?;
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
        }
        None => args.access.token.iter().cloned().collect(),
    };
    let is_narrowed = args.load.client_libraries > 0 && args.load.client_libraries < args.load.libraries;
    let asks =
        |dialect| matches!(dialect, Dialect::Sse) || matches!(dialect, Dialect::AnySse | Dialect::AnyWs) && args.path.contains("{library}");
    let mix = args.load.who.mix();
    let silent = mix.parts().iter().find(|(dialect, clients)| *clients > 0 && !asks(*dialect));
    if let (true, Some((dialect, _)), ..2) = (is_narrowed, silent, tokens.len()) {
        return Err(Failure::new(format!(
            "client-libraries: in {dialect} a client's libraries are those of its user; give each user a token in client-tokens-file"
        )));
    }
    Ok(tokens)
}

fn plan(args: &RunArgs, target: &Target) -> Result<Plan, Failure> {
    let tokens = client_tokens(args)?;
    let threads = args.load.pin_client.len().max(1);
    let per_second =
        args.load.who.clients as u64 * args.rate * u64::from(if args.load.client_libraries == 0 { 1 } else { args.load.client_libraries })
            / u64::from(if args.load.client_libraries == 0 { 1 } else { args.load.libraries.max(1) });
    let one_in = per_second.div_ceil(TIMED_PER_SECOND).max(1).next_power_of_two();
    let event = |seconds: u64| u32::try_from(seconds * args.rate).unwrap_or(u32::MAX - 1);
    Ok(Plan {
        address: target.address(),
        path: args.path.clone(),
        dialects: args.load.who.mix().dialects(),
        more_headers: args.headers.iter().map(|line| format!("{line}\r\n")).collect(),
        subprotocol: args.ws_subprotocol.clone(),
        raw_events: args.events == Events::Raw,
        no_auth: args.no_auth,
        message_limit: 2 * args.load.payload_bytes + LARGEST_MESSAGE,
        tokens,
        strangers_token: args.access.strangers_token.clone().unwrap_or_default(),
        spread: Spread::new(args.load.libraries, args.load.skew)?,
        client_libraries: args.load.client_libraries,
        sample_mask: u32::try_from(one_in - 1).unwrap_or(0),
        measured_from: event(args.warmup),
        measured_to: event(args.warmup + args.seconds),
        connect_rate: args.connect_rate.div_ceil(threads),
        slow_bytes: args.slow_bytes,
        churn: args.churn.div_ceil(threads),
    })
}

fn reported_skips(args: &RunArgs, is_floor: bool, address: std::net::SocketAddrV4) -> Result<Option<ReportedSkips>, Failure> {
    // Another server than Fanfare has no such list.
    if is_floor || args.publish_style == PublishStyle::Post {
        return Ok(None);
    }
    let mut skips = ReportedSkips::fetch(address, admin_token(args))?;
    if args.stalled > 0 {
        skips.forget_unaddressed();
    }
    Ok(Some(skips))
}

fn admin_token(args: &RunArgs) -> Option<&str> {
    args.access.admin_token.as_deref().or(args.access.token.as_deref())
}

fn limits(args: &RunArgs, floor: bool) -> Limits {
    let default_us = if args.rate <= 1000 { 1000 } else { 5000 };
    Limits { lateness_us: args.load.lateness_limit_us.unwrap_or(default_us) as f64, cores: args.load.pin_client.len(), floor }
}

fn load(args: &RunArgs, results: &[ThreadResult]) -> Load {
    let seen = |dialect: Dialect| results.iter().map(|result| result.frame_bytes[dialect as usize]).max().unwrap_or(0);
    let frame_bytes: Vec<_> = DIALECTS.iter().map(|(dialect, _)| (*dialect, seen(*dialect))).filter(|(_, bytes)| *bytes > 0).collect();
    Load {
        target: args.target.clone(),
        clients: args.load.who.clients,
        slow: args.slow,
        stalled: args.stalled,
        strangers: args.strangers,
        churn: args.churn,
        rate: args.rate,
        seconds: args.seconds,
        payload_bytes: args.load.payload_bytes,
        frame_bytes: frame_bytes.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0),
        clients_by_dialect: args.load.who.mix().parts().iter().map(|(dialect, clients)| (dialect.to_string(), *clients)).collect(),
        frame_bytes_by_dialect: frame_bytes.into_iter().map(|(dialect, bytes)| (dialect.to_string(), bytes)).collect(),
        libraries: args.load.libraries,
        client_libraries: args.load.client_libraries,
    }
}

fn publisher_report(published: &Published, args: &RunArgs) -> PublisherReport {
    let refused = published.refusals();
    PublisherReport {
        sent: published.sent,
        accepted: u64::from(published.sent).saturating_sub(refused + published.unanswered),
        refused,
        busy: published.busy,
        unanswered: published.unanswered,
        first_refusal: published.first_refusal.clone(),
        lateness: published.lateness.clone(),
        cpu_percent: 100.0 * published.cpu_ns as f64 / ((args.warmup + args.seconds).max(1) * SECOND) as f64,
    }
}

/// Reasons that are not in the figures.
fn add_reasons(report: &mut Report, published: &Published, skips: Option<Failure>, shared: &Shared) {
    if let Some(failure) = &published.failure {
        report.result = crate::report::Result::Failed;
        report.reasons.push(failure.clone());
    }
    if let Some(failure) = skips.filter(|_| report.accounting.lost_silently > 0) {
        report.reasons.push(format!("skips the server knows of could not be read: {failure}"));
    }
    if let Some(failure) = shared.first_failure() {
        report.reasons.push(format!("first client without a stream: {failure}"));
    }
    if let Some(stream) = &report.accounting.malformed_sample {
        report.reasons.push(format!("first malformed frame: {stream:?}"));
    }
}
