//! `quick`: within a minute, from nothing, what a newcomer wants to know. A server of its own for every way in, two short loads against
//! each, the same two against the floor, and a verdict in words.
//!
//! Each way in gets a fresh server: memory that an earlier way has left behind would make the later one look thrifty. Server and floor have
//! one core and one worker, clients and publisher another, where there are two. How figures become words stands in `words`.

mod words;

use crate::args::{QuickArgs, TargetArgs};
use crate::dialect::Dialect;
use crate::failure::Failure;
use crate::html::Group;
use crate::machine::Machine;
use crate::own_server::household::Household;
use crate::report::{Report, Result as RunResult};
use crate::scenario;
use crate::under_test::{self, UnderTest};
use serde::Serialize;

/// The ways in, each by its usual transport.
const WAYS: [Dialect; 5] = [Dialect::Sse, Dialect::PlexSse, Dialect::PlexWs, Dialect::MediaBrowser, Dialect::SocketIo];
/// Name of the floor among the ways.
const FLOOR: &str = "floor";

/// Everything `quick` found.
#[derive(Debug, Serialize)]
pub(crate) struct Quick {
    /// Version of the JSON form.
    schema: &'static str,
    /// Version of the load tester.
    version: &'static str,
    /// Where.
    machine: Machine,
    /// The floor first, then each way in.
    ways: Vec<Way>,
    /// The worst of all runs.
    pub(crate) result: RunResult,
}

/// One way in, or the floor.
#[derive(Debug, Serialize)]
pub(super) struct Way {
    /// `floor`, or the dialect's name.
    name: String,
    /// One event at a time to many clients; its clients connected in steps, so that memory per connection is in it.
    calm: Report,
    /// Many events a second.
    pressed: Report,
}

/// Runs all of it.
pub(crate) fn run(args: &QuickArgs) -> Result<Quick, Failure> {
    let mut quick = Quick {
        schema: "fanfare-loadtest-quick/1",
        version: env!("CARGO_PKG_VERSION"),
        machine: Machine::describe(),
        ways: Vec::new(),
        result: RunResult::Passed,
    };
    // Asked for before the floor has run for nothing.
    let server = crate::own_server::program(args.server.as_deref())?;
    let two_cores = quick.machine.cores > 1 && has_taskset();
    let target = TargetArgs {
        server: Some(server),
        wrap: if two_cores { "taskset -c 0".to_owned() } else { String::new() },
        ..TargetArgs::default()
    };
    quick.ways.push(way(FLOOR, args, two_cores, || Ok(UnderTest::floor()))?);
    let household = Household { libraries: 1, client_libraries: 0, more: one_worker() };
    for dialect in WAYS {
        quick.ways.push(way(dialect.name(), args, two_cores, || UnderTest::open(&target, &household))?);
    }
    quick.result = crate::verdict::worst(quick.runs().map(|run| run.result));
    Ok(quick)
}

impl Quick {
    /// Each way in calm and under pressure, for a page.
    pub(crate) fn groups(&self) -> Vec<Group<'_>> {
        let group = |name: String, run| Group { name, runs: std::slice::from_ref(run) };
        self.ways
            .iter()
            .flat_map(|way| [group(way.name.clone(), &way.calm), group(format!("{}, pressed", way.name), &way.pressed)])
            .collect()
    }

    fn runs(&self) -> impl Iterator<Item = &Report> {
        self.ways.iter().flat_map(|way| [&way.calm, &way.pressed])
    }

    /// The verdict, the table, and what either means.
    pub(crate) fn text(&self) -> String {
        words::verdict(self)
    }
}

/// Both loads against one target.
fn way(name: &str, args: &QuickArgs, two_cores: bool, open: impl FnOnce() -> Result<UnderTest, Failure>) -> Result<Way, Failure> {
    eprintln!("{name}: {} clients", args.clients);
    let under_test = open()?;
    let load = |own: [(&str, usize); 5]| {
        let mut arguments = if two_cores { under_test::words(&["--pin-client", "1", "--pin-floor", "0"]) } else { Vec::new() };
        if name != FLOOR {
            // Messages of equal length in every protocol, or its own form of an event would decide.
            arguments.extend(under_test::words(&["--dialect", name, "--events", "raw"]));
        }
        arguments.extend(own.into_iter().flat_map(|(option, value)| [option.to_owned(), value.to_string()]));
        under_test.run_args(&arguments)
    };
    let calm = load([("--clients", args.clients), ("--rate", 20), ("--seconds", 2), ("--warmup", 1), ("--steps", 4)])?;
    let calm = scenario::run(&calm)?;
    let pressed = load([("--clients", args.clients / 4), ("--rate", 1000), ("--seconds", 2), ("--warmup", 0), ("--steps", 1)])?;
    Ok(Way { name: name.to_owned(), calm, pressed: scenario::run(&pressed)? })
}

fn one_worker() -> toml::Table {
    let engine = toml::Table::from_iter([("workers".to_owned(), toml::Value::Integer(1))]);
    toml::Table::from_iter([("engine".to_owned(), toml::Value::Table(engine))])
}

fn has_taskset() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join("taskset").is_file())
}
