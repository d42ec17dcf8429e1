//! A server's stop under load: clients connect, events are published, SIGTERM is sent the moment the last is accepted, and then it is measured
//! what everybody sees until the process has gone.
//!
//! What a client must be told is checked here; the clients are those of every run.

#[cfg(test)]
mod tests;

use crate::args::{AccessArgs, DrainArgs, RunArgs, TargetArgs};
use crate::client::ClientRecord;
use crate::clock::{self, SECOND, now_ns};
use crate::failure::Failure;
use crate::frame::Template;
use crate::http::{self, Response};
use crate::own_server::household::Household;
use crate::scenario::Crowd;
use crate::under_test::{UnderTest, words};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use std::io::Write;
use std::net::{SocketAddrV4, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

/// Time a server has to start.
const PATIENCE_NS: u64 = 30 * SECOND;
/// Time readiness and the door have to answer no.
const NOTICE_NS: u64 = SECOND;
/// Clients that may go in one second however few there are in all.
const FEW: usize = 5;

/// What was seen. Times count from the signal.
#[derive(Debug, Default, Serialize)]
pub(crate) struct DrainReport {
    /// Version of the JSON form.
    pub(crate) schema: &'static str,
    /// Clients that were connected.
    pub(crate) clients: usize,
    /// Events accepted before the signal.
    pub(crate) events: u32,
    /// Until `/readyz` on the metrics listener answered no.
    pub(crate) unready_ms: Option<f64>,
    /// Whether `/metrics` was still served then.
    pub(crate) metrics_served: bool,
    /// Until new connections were refused.
    pub(crate) refused_ms: Option<f64>,
    /// Clients that had every accepted event before their end.
    pub(crate) complete: usize,
    /// Clients whose last word was a reconnect hint, or on a WebSocket a close frame.
    pub(crate) hinted: usize,
    /// Different hints among them.
    pub(crate) different_hints: usize,
    /// Clients whose stream ended.
    pub(crate) ended: usize,
    /// The first and the last end.
    pub(crate) first_end_ms: f64,
    /// See `first_end_ms`.
    pub(crate) last_end_ms: f64,
    /// The most ends within any one second.
    pub(crate) largest_in_a_second: usize,
    /// Until the process had gone.
    pub(crate) gone_ms: Option<f64>,
    /// How it ended, where it was ours.
    pub(crate) exit_code: Option<i32>,
    /// Every promise that was not kept; none is a passed run.
    pub(crate) failures: Vec<String>,
}

/// The process to stop.
pub(crate) trait Process {
    /// Asks it to stop.
    fn terminate(&mut self) -> Result<(), Failure>;
    /// Whether it has gone, and with which exit code where that can be known.
    fn gone(&mut self) -> Option<Option<i32>>;
}

/// Runs against the server of the arguments.
pub(crate) fn run(args: &DrainArgs) -> Result<DrainReport, Failure> {
    match (args.server_pid, &args.server_cmd) {
        (Some(pid), None) => measure(args, &mut Running::of(pid)?),
        (None, Some(command)) => measure(args, &mut Started::start(command, args)?),
        _ => Err(Failure::new("server-pid, server-cmd: exactly one of them says which server is stopped")),
    }
}

/// Connects, publishes, stops the process, and reads everything to its end.
pub(crate) fn measure(args: &DrainArgs, process: &mut dyn Process) -> Result<DrainReport, Failure> {
    let (address, metrics) = (http::loopback_address(&args.target)?, http::loopback_address(&args.metrics)?);
    let crowd = Crowd::connect(&clients(args)?)?;
    publish(args, address)?;
    process.terminate()?;
    let signalled = now_ns();
    let deadline = signalled + (args.window + args.rest) * SECOND;
    let notice = thread::spawn(move || watch_notice(address, metrics, signalled));
    until(deadline, || (crowd.live() == 0).then_some(()));
    let exit = until(deadline, || process.gone());
    let mut report = DrainReport {
        schema: "fanfare-loadtest-drain/1",
        clients: args.who.mix().clients(),
        events: args.events,
        gone_ms: exit.is_some().then(|| millis(now_ns() - signalled)),
        exit_code: exit.flatten(),
        ..DrainReport::default()
    };
    (report.unready_ms, report.metrics_served, report.refused_ms) =
        notice.join().map_err(|_| Failure::new("the thread that asks for readiness panicked"))?;
    account(&mut report, &crowd.finish()?, signalled);
    report.failures = failures(&report, args);
    Ok(report)
}

/// The clients as those of a run. What is not said here stays as `run` has it.
fn clients(args: &DrainArgs) -> Result<RunArgs, Failure> {
    let access = AccessArgs { token: args.token.clone(), ..AccessArgs::default() };
    let target = TargetArgs { target: Some(args.target.clone()), access, ..TargetArgs::default() };
    let mut run = UnderTest::open(&target, &Household::default())?.run_args(&words(&["--path", &args.path]))?;
    (run.load.who, run.load.payload_bytes) = (args.who.clone(), args.payload_bytes);
    Ok(run)
}

/// When readiness answered no, whether metrics were served then, and when the door was shut.
fn watch_notice(address: SocketAddrV4, metrics: SocketAddrV4, signalled: u64) -> (Option<f64>, bool, Option<f64>) {
    let deadline = signalled + 3 * NOTICE_NS;
    let status = |path: &str| http::request(metrics, "GET", path, None).ok().map(|(status, _)| status);
    let unready = until(deadline, || (status("/readyz") == Some(503)).then(|| millis(now_ns() - signalled)));
    let served = status("/metrics") == Some(200);
    let refused = until(deadline, || TcpStream::connect(address).is_err().then(|| millis(now_ns() - signalled)));
    (unready, served, refused)
}

fn until<T>(deadline: u64, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if now_ns() >= deadline {
            return None;
        }
        clock::sleep_ms(10);
    }
}

/// Publishes the events in one request of lines; every one must be accepted.
fn publish(args: &DrainArgs, address: SocketAddrV4) -> Result<(), Failure> {
    let mix = args.who.mix();
    let with_book = mix.parts().iter().any(|(dialect, _)| dialect.is_socketio());
    let template = |family| Template::item(family, args.payload_bytes, &crate::spread::Spread::even(1), with_book);
    let templates = mix.families(false).into_iter().map(template).collect::<Result<Vec<_>, _>>()?;
    let mut body = Vec::new();
    for seq in 0..args.events {
        templates.iter().for_each(|template| template.append(&mut body, seq, now_ns(), now_ns()));
    }
    let authorization = args.token.as_ref().map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let head = format!(
        "POST /api/events HTTP/1.1\r\nHost: {address}\r\n{authorization}Content-Type: application/x-ndjson\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    let stream = http::connect(address)?;
    let mut writing = stream.try_clone().map_err(|error| Failure::io("a second handle", error))?;
    // The answers are read meanwhile: a server that answers as it reads must not wait for us.
    let writer = thread::spawn(move || writing.write_all(head.as_bytes()).and_then(|()| writing.write_all(&body)));
    let mut response = Response::read_head(stream)?;
    let mut answers = Vec::new();
    while response.read_some(&mut answers)? {}
    writer.join().map_err(|_| Failure::new("the publishing thread panicked"))?.map_err(|error| Failure::io("publish", error))?;
    let text = String::from_utf8_lossy(&answers);
    let n_accepted = text.lines().filter(|line| line.contains("\"order\"")).count();
    let n_published = args.events as usize * templates.len();
    if n_accepted != n_published {
        let refused = text.lines().find(|line| !line.contains("\"order\"")).unwrap_or_default();
        return Err(Failure::new(format!("publish: {n_accepted} of {n_published} events were accepted: {refused}")));
    }
    Ok(())
}

fn account(report: &mut DrainReport, records: &[ClientRecord], signalled: u64) {
    let is_complete = |record: &&ClientRecord| {
        let (ledger, outcome) = (&record.ledger, record.ledger.close(report.events, &[], false));
        outcome.missing + ledger.reordered + ledger.duplicated + ledger.foreign == 0
    };
    report.complete = records.iter().filter(is_complete).count();
    report.hinted = records.iter().filter(|record| record.end.told).count();
    let mut hints: Vec<u64> = records.iter().filter_map(|record| record.end.hint_ms).collect();
    hints.sort_unstable();
    hints.dedup();
    report.different_hints = hints.len();
    let mut ends: Vec<u64> = records.iter().filter_map(|record| record.end.at_ns).map(|end| end.saturating_sub(signalled)).collect();
    ends.sort_unstable();
    report.ended = ends.len();
    report.first_end_ms = ends.first().copied().map_or(0.0, millis);
    report.last_end_ms = ends.last().copied().map_or(0.0, millis);
    report.largest_in_a_second = largest_within(&ends, SECOND);
}

/// The most of these moments, in order, that lie within any time of that length.
fn largest_within(ends: &[u64], length: u64) -> usize {
    ends.iter().enumerate().map(|(first, end)| ends.partition_point(|other| *other < end + length) - first).max().unwrap_or_default()
}

fn failures(report: &DrainReport, args: &DrainArgs) -> Vec<String> {
    let mut failures = Vec::new();
    let mut promise = |kept: bool, broken: String| {
        if !kept {
            failures.push(broken)
        }
    };
    let in_time = |time: Option<f64>| time.is_some_and(|time| time <= millis(NOTICE_NS));
    promise(in_time(report.unready_ms), format!("/readyz did not answer 503 within a second: {:?} ms", report.unready_ms));
    promise(report.metrics_served, "/metrics was not served during the stop".to_owned());
    promise(in_time(report.refused_ms), format!("new connections were not refused within a second: {:?} ms", report.refused_ms));
    let missing = |n: usize| report.clients.saturating_sub(n);
    promise(missing(report.complete) == 0, format!("{} clients did not get every accepted event in order", missing(report.complete)));
    promise(missing(report.ended) == 0, format!("{} streams did not end", missing(report.ended)));
    promise(
        missing(report.hinted) == 0,
        format!("{} clients were given no hint and no close frame as the last word", missing(report.hinted)),
    );
    let most = (report.clients / 5).max(FEW);
    let largest = report.largest_in_a_second;
    promise(largest <= most, format!("{largest} clients were sent away within one second, at most {most} may be"));
    promise(report.gone_ms.is_some(), format!("the process had not gone after {} + {} s", args.window, args.rest));
    promise(report.exit_code.is_none_or(|code| code == 0), format!("exit code {:?}", report.exit_code));
    failures
}

impl DrainReport {
    /// A few lines for people.
    pub(crate) fn text(&self) -> String {
        let time = |time: Option<f64>| time.map_or("never".to_owned(), |time| format!("{time:.0} ms"));
        let result = if self.failures.is_empty() { "passed".to_owned() } else { format!("FAILED: {}", self.failures.join("; ")) };
        let percent = 100.0 * self.largest_in_a_second as f64 / self.clients.max(1) as f64;
        format!(
            "clients {}, events {}\nnot ready after {}, metrics served {}, new clients refused after {}\n\
             every event before the end: {}, hint or close as the last word: {} ({} different hints), ended: {}\n\
             first end {:.0} ms, last end {:.0} ms, most in one second {} ({percent:.1} %)\n\
             process gone after {}, exit code {:?}\n{result}\n",
            self.clients,
            self.events,
            time(self.unready_ms),
            self.metrics_served,
            time(self.refused_ms),
            self.complete,
            self.hinted,
            self.different_hints,
            self.ended,
            self.first_end_ms,
            self.last_end_ms,
            self.largest_in_a_second,
            time(self.gone_ms),
            self.exit_code,
        )
    }
}

fn millis(ns: u64) -> f64 {
    ns as f64 / 1e6
}

/// A server that runs already.
struct Running(Pid);

impl Running {
    fn of(pid: u32) -> Result<Self, Failure> {
        let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).filter(|_| crate::watch::exists(pid));
        raw.map(Self).ok_or_else(|| Failure::new(format!("server-pid: there is no process {pid}")))
    }
}

impl Process for Running {
    fn terminate(&mut self) -> Result<(), Failure> {
        kill_process(self.0, Signal::TERM).map_err(|error| Failure::io("SIGTERM", error))
    }

    fn gone(&mut self) -> Option<Option<i32>> {
        (!crate::watch::exists(self.0.as_raw_nonzero().get().unsigned_abs())).then_some(None)
    }
}

/// A server started for the run, and killed when the run does not see its end.
struct Started(Child);

impl Started {
    fn start(command: &str, args: &DrainArgs) -> Result<Self, Failure> {
        let mut words = command.split_whitespace();
        let program = words.next().ok_or_else(|| Failure::new("server-cmd: is empty"))?;
        let mut child = Command::new(program);
        child.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut started = Self(child.spawn().map_err(|error| Failure::io(&format!("server-cmd: {program}"), error))?);
        let metrics = http::loopback_address(&args.metrics)?;
        let ready = || http::request(metrics, "GET", "/readyz", None).is_ok_and(|(status, _)| status == 200);
        until(now_ns() + PATIENCE_NS, || (ready() || started.gone().is_some()).then_some(()));
        if started.gone().is_some() || !ready() {
            return Err(Failure::new("server-cmd: the server did not become ready"));
        }
        Ok(started)
    }
}

impl Process for Started {
    fn terminate(&mut self) -> Result<(), Failure> {
        kill_process(Pid::from_child(&self.0), Signal::TERM).map_err(|error| Failure::io("SIGTERM", error))
    }

    fn gone(&mut self) -> Option<Option<i32>> {
        self.0.try_wait().ok().flatten().map(|status| Some(status.code().unwrap_or(-1)))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended already; what matters is that it does not outlive the run.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
