//! Scenario files: a load, or several one after the other, with what must hold. Each phase is an ordinary run, idle hold, storm or drain.
//!
//! The form of the files stands in `model`, those that come along in `builtin`.

mod builtin;
mod limits;
mod model;

use crate::args::{Arguments, Command, DrainArgs, RunArgs, ScenarioArgs};
use crate::drain::{self, DrainReport};
use crate::failure::Failure;
use crate::html::Group;
use crate::own_server::household::Household;
use crate::report::{Report, Result as RunResult};
use crate::under_test::{UnderTest, words};
use crate::{scenario, table, unrelated, verdict};
use clap::Parser as _;
use limits::Outcome;
use model::{Kind, Phase, Scenario};
use serde::Serialize;
use std::fmt::Write as _;

pub(crate) use builtin::list;

/// What came of a scenario.
#[derive(Debug, Serialize)]
pub(crate) struct ScenarioReport {
    /// Version of the JSON form.
    schema: &'static str,
    /// Version of the load tester.
    version: &'static str,
    /// Its name, or its file.
    scenario: String,
    /// What it shows.
    description: String,
    /// Whether it was the short form.
    short: bool,
    /// Its phases, as far as it came.
    phases: Vec<PhaseReport>,
    /// The worst of them.
    pub(crate) result: RunResult,
}

/// What came of a phase.
#[derive(Debug, Serialize)]
struct PhaseReport {
    name: String,
    /// Every phase but a drain has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<Box<Report>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drain: Option<DrainReport>,
    limits: Vec<Outcome>,
    result: RunResult,
}

/// Runs a scenario's phases in order; those after a failed one run, too.
pub(crate) fn run(args: &ScenarioArgs) -> Result<ScenarioReport, Failure> {
    let name = args.scenario.as_deref().ok_or_else(|| Failure::new("scenario: name one, or a file; --list shows those that come along"))?;
    let scenario = builtin::find(name)?;
    let mut stage = Stage { args, scenario: &scenario, open: None };
    let mut phases = Vec::new();
    for phase in scenario.phases(args.short)? {
        eprintln!("{name}, phase {}", phase.name);
        phases.push(stage.play(&phase).map_err(|failure| Failure::new(format!("phase {}: {failure}", phase.name)))?);
    }
    Ok(ScenarioReport {
        schema: "fanfare-loadtest-scenario/1",
        version: env!("CARGO_PKG_VERSION"),
        scenario: name.to_owned(),
        description: scenario.description.clone(),
        short: args.short,
        result: verdict::worst(phases.iter().map(|phase: &PhaseReport| phase.result)),
        phases,
    })
}

/// The server the phases run against; another one only where the libraries differ, or the last was stopped.
struct Stage<'a> {
    args: &'a ScenarioArgs,
    scenario: &'a Scenario,
    open: Option<((u32, u32), UnderTest)>,
}

impl Stage<'_> {
    fn play(&mut self, phase: &Phase) -> Result<PhaseReport, Failure> {
        if phase.kind == Kind::Drain {
            return self.drain(phase);
        }
        if phase.kind == Kind::Unrelated {
            return self.unrelated(phase);
        }
        let (asked, pin_client) = (UnderTest::floor().run_args(&phase.load)?, &self.args.pin_client);
        let under_test = self.under_test((asked.load.libraries, asked.load.client_libraries))?;
        let run = pinned(under_test.run_args(&phase.load)?, pin_client);
        Ok(judged(phase, play(&run, phase, under_test)?))
    }

    /// Each number of strangers against a fresh server, so that none profits from what an earlier one has left behind.
    fn unrelated(&mut self, phase: &Phase) -> Result<PhaseReport, Failure> {
        let (asked, pin_client) = (UnderTest::floor().run_args(&phase.load)?, &self.args.pin_client);
        let report = unrelated::measure(asked.strangers, phase.rounds, |strangers| {
            self.open = None;
            let under_test = self.under_test((asked.load.libraries, asked.load.client_libraries))?;
            scenario::run(&RunArgs { strangers, ..pinned(under_test.run_args(&phase.load)?, pin_client) })
        })?;
        Ok(judged(phase, report))
    }

    fn under_test(&mut self, libraries: (u32, u32)) -> Result<&UnderTest, Failure> {
        let under_test = match self.open.take().filter(|(open_for, _)| *open_for == libraries || self.args.target.target.is_some()) {
            Some((_, under_test)) => under_test,
            None => {
                let household = Household { libraries: libraries.0, client_libraries: libraries.1, more: self.scenario.settings.clone() };
                UnderTest::open(&self.args.target, &household)?
            }
        };
        Ok(&self.open.insert((libraries, under_test)).1)
    }

    /// Stops the server, which is then gone.
    fn drain(&mut self, phase: &Phase) -> Result<PhaseReport, Failure> {
        self.under_test((1, 0))?;
        let Some((_, UnderTest { own: Some(mut server), .. })) = self.open.take() else {
            return Err(Failure::new("a scenario drains servers of its own only; for one that runs there is the command drain"));
        };
        let line = [
            words(&["fanfare-loadtest", "drain", "--target", &format!("http://{}", server.address())]),
            words(&["--metrics", &format!("http://{}", server.metrics_address())]),
            words(&["--token", crate::own_server::household::READER_AND_PUBLISHER]),
            phase.load.clone(),
        ]
        .concat();
        let drain = drain::measure(&drain_args(line)?, &mut server)?;
        let result = if drain.failures.is_empty() { RunResult::Passed } else { RunResult::Failed };
        Ok(PhaseReport { name: phase.name.clone(), report: None, drain: Some(drain), limits: Vec::new(), result })
    }
}

/// A phase's report with its limits applied.
fn judged(phase: &Phase, mut report: Report) -> PhaseReport {
    let limits = phase.limits.judge(&report);
    let broken = limits.iter().filter(|outcome| !outcome.kept());
    let reasons: Vec<String> = broken.map(Outcome::sentence).collect();
    if !reasons.is_empty() {
        // Figures of an invalid run prove nothing, so they cannot break a limit either.
        if report.result == RunResult::Passed {
            report.result = RunResult::Failed;
        }
        report.reasons.extend(reasons);
    }
    PhaseReport { name: phase.name.clone(), result: report.result, report: Some(Box::new(report)), drain: None, limits }
}

/// The run on the CPUs of the command line, where it names any.
fn pinned(mut run: RunArgs, pin_client: &[usize]) -> RunArgs {
    if !pin_client.is_empty() {
        run.load.pin_client = pin_client.to_vec();
    }
    run
}

fn play(run: &RunArgs, phase: &Phase, under_test: &UnderTest) -> Result<Report, Failure> {
    match phase.kind {
        Kind::Run | Kind::Drain | Kind::Unrelated => scenario::run(run),
        Kind::Idle => scenario::idle(run),
        Kind::Storm => scenario::storm(run, phase.rounds, under_test.metrics_address()),
    }
}

fn drain_args(line: Vec<String>) -> Result<DrainArgs, Failure> {
    match Arguments::try_parse_from(line).map(|arguments| arguments.command) {
        Ok(Command::Drain(args)) => Ok(args),
        Ok(_) => Err(Failure::new("load: is no load of a drain")),
        Err(error) => Err(Failure::new(format!("load: {}", error.to_string().lines().next().unwrap_or_default()))),
    }
}

impl Outcome {
    fn sentence(&self) -> String {
        let measured = self.measured.map_or("not measured".to_owned(), |measured| format!("{measured:.2}"));
        format!("{} is {measured}, at most {} is allowed", self.limit, self.allowed)
    }
}

impl ScenarioReport {
    /// Every phase that has figures of a run, for a page.
    pub(crate) fn groups(&self) -> Vec<Group<'_>> {
        let group = |phase: &PhaseReport, report| Group { name: phase.name.clone(), runs: std::slice::from_ref(report) };
        self.phases.iter().filter_map(|phase| Some(group(phase, phase.report.as_deref()?))).collect()
    }

    /// Each phase's table, its limits, and the result.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}: {}\n", self.scenario, self.description);
        for phase in &self.phases {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "\n== {}", phase.name);
            if let Some(report) = &phase.report {
                text.push_str(&table::human(report));
                text.push_str(&report.storm.as_ref().map(scenario::Storm::text).unwrap_or_default());
                text.push_str(&unrelated::text(report));
            }
            text.push_str(&phase.drain.as_ref().map(DrainReport::text).unwrap_or_default());
            for outcome in &phase.limits {
                let _ = writeln!(text, "{:<16} {}{}", "limit", outcome.sentence(), if outcome.kept() { "" } else { ": BROKEN" });
            }
        }
        let _ = writeln!(text, "\n{}: {:?}", self.scenario, self.result);
        text
    }
}
