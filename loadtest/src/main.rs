//! `fanfare-loadtest`: an open-loop load tester with exact accounting per client, and the floor it compares with.
//!
//! It reads frames with its own decoder and shares no code with the server, so that a mistake of the server's encoders cannot hide here.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool reports on its standard output")]

mod args;
mod bench;
mod chunked;
mod client;
mod clock;
mod compare;
mod connections;
mod deadline;
mod dialect;
mod drain;
mod failure;
mod fairness;
mod floor;
mod frame;
mod html;
mod http;
mod identity;
mod interval;
mod ledger;
mod live;
mod machine;
mod message;
mod output;
mod own_server;
mod polling;
mod program;
mod publisher;
mod quick;
mod ramp;
mod report;
mod resident;
mod sampler;
mod scenario;
mod scenario_file;
mod schedule;
#[cfg(test)]
mod schema;
mod series;
mod shape;
mod siege;
mod source;
mod spread;
mod sse;
mod stats;
mod stored;
mod table;
mod tally;
mod under_test;
mod unrelated;
mod verdict;
mod watch;
mod websocket;

use args::{Arguments, Command, RunArgs, ScenarioArgs};
use clap::Parser;
use failure::Failure;
use html::Group;
use report::Report;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit code when the load tester could not do its work.
const COULD_NOT_RUN: u8 = 3;

fn main() -> ExitCode {
    match execute(&Arguments::parse().command) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("fanfare-loadtest: {failure}");
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

fn execute(command: &Command) -> Result<u8, Failure> {
    match command {
        Command::Run(args) => show(args, &scenario::run(args)?),
        Command::Idle(args) => show(args, &scenario::idle(args)?),
        Command::Bench(args) => {
            let bench = bench::run(args)?;
            output::json(args.run.json.as_deref(), &bench)?;
            output::page(args.run.html.as_deref(), &bench.groups())?;
            output::histogram_log(args.run.hlog.as_deref(), &bench.groups())?;
            print!("{}", if args.run.markdown { bench.markdown() } else { bench.table() });
            Ok(verdict::exit_code(bench.result()))
        }
        Command::Siege(args) => {
            let siege = siege::run(args)?;
            output::json(args.json.as_deref(), &siege)?;
            print!("{}", siege.table());
            Ok(verdict::exit_code(siege.witnesses.result))
        }
        Command::Drain(args) => {
            let report = drain::run(args)?;
            output::json(args.json.as_deref(), &report)?;
            print!("{}", report.text());
            Ok(u8::from(!report.failures.is_empty()))
        }
        Command::Quick(args) => {
            let quick = quick::run(args)?;
            output::json(args.json.as_deref(), &quick)?;
            output::page(args.html.as_deref(), &quick.groups())?;
            print!("{}", quick.text());
            Ok(verdict::exit_code(quick.result))
        }
        Command::Scenario(args) => play(args),
        Command::Ramp(args) => {
            let report = ramp::run(args)?;
            output::json(args.json.as_deref(), &report)?;
            output::page(args.html.as_deref(), &ramp::groups(&report))?;
            print!("{}", ramp::text(&report));
            Ok(verdict::exit_code(report.result))
        }
        Command::Render(args) => {
            let stored = stored::Stored::read(&args.report)?;
            output::page(args.html.as_deref(), &stored.groups())?;
            output::histogram_log(args.hlog.as_deref(), &stored.groups()).map(|()| 0)
        }
        Command::Compare(args) => {
            let comparison = compare::run(args)?;
            print!("{}", comparison.text);
            Ok(comparison.code)
        }
        Command::Floor(args) => {
            machine::raise_file_limit(0)?;
            floor::run(args).map(|()| 0)
        }
    }
}

fn play(args: &ScenarioArgs) -> Result<u8, Failure> {
    if args.list {
        print!("{}", scenario_file::list()?);
        return Ok(0);
    }
    let report = scenario_file::run(args)?;
    output::json(args.json.as_deref(), &report)?;
    output::page(args.html.as_deref(), &report.groups())?;
    print!("{}", report.text());
    Ok(verdict::exit_code(report.result))
}

fn show(args: &RunArgs, report: &Report) -> Result<u8, Failure> {
    output::json(args.json.as_deref(), report)?;
    output::page(args.html.as_deref(), &[Group::single(report)])?;
    output::histogram_log(args.hlog.as_deref(), &[Group::single(report)])?;
    if args.markdown && report.load.rate == 0 {
        println!("{}", table::markdown_of_idle(report));
    } else if args.markdown {
        println!("{}\n{}", table::MARKDOWN_HEAD, table::markdown_row(report));
    } else {
        print!("{}", table::human(report));
    }
    Ok(verdict::exit_code(report.result))
}
