//! `fanfare-loadtest`: an open-loop load tester with exact accounting per client, and the floor it compares with.
//!
//! It reads frames with its own decoder and shares no code with the server, so that a mistake of the server's encoders cannot hide here.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool reports on its standard output")]

mod args;
mod bench;
mod chunked;
mod client;
mod clock;
mod connections;
mod dialect;
mod drain;
mod failure;
mod floor;
mod frame;
mod http;
mod identity;
mod ledger;
mod machine;
mod message;
mod own_server;
mod polling;
mod publisher;
mod quick;
mod ramp;
mod report;
mod resident;
mod scenario;
mod scenario_file;
mod schedule;
mod shape;
mod siege;
mod source;
mod spread;
mod sse;
mod stats;
mod table;
mod under_test;
mod verdict;
mod watch;
mod websocket;

use args::{Arguments, Command, RunArgs};
use clap::Parser;
use failure::Failure;
use report::Report;
use std::path::Path;
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
            write_json(args.run.json.as_deref(), &bench)?;
            print!("{}", bench.table());
            Ok(verdict::exit_code(bench.result()))
        }
        Command::Siege(args) => {
            let siege = siege::run(args)?;
            write_json(args.json.as_deref(), &siege)?;
            print!("{}", siege.table());
            Ok(verdict::exit_code(siege.witnesses.result))
        }
        Command::Drain(args) => {
            let report = drain::run(args)?;
            write_json(args.json.as_deref(), &report)?;
            print!("{}", report.text());
            Ok(u8::from(!report.failures.is_empty()))
        }
        Command::Quick(args) => {
            let quick = quick::run(args)?;
            write_json(args.json.as_deref(), &quick)?;
            print!("{}", quick.text());
            Ok(verdict::exit_code(quick.result))
        }
        Command::Scenario(args) if args.list => {
            print!("{}", scenario_file::list()?);
            Ok(0)
        }
        Command::Scenario(args) => {
            let report = scenario_file::run(args)?;
            write_json(args.json.as_deref(), &report)?;
            print!("{}", report.text());
            Ok(verdict::exit_code(report.result))
        }
        Command::Ramp(args) => {
            let report = ramp::run(args)?;
            write_json(args.json.as_deref(), &report)?;
            print!("{}", ramp::text(&report));
            Ok(verdict::exit_code(report.result))
        }
        Command::Floor(args) => {
            machine::raise_file_limit(0)?;
            floor::run(args).map(|()| 0)
        }
    }
}

fn show(args: &RunArgs, report: &Report) -> Result<u8, Failure> {
    write_json(args.json.as_deref(), report)?;
    if args.markdown {
        println!("{}\n{}", table::MARKDOWN_HEAD, table::markdown_row(report));
    } else {
        print!("{}", table::human(report));
    }
    Ok(verdict::exit_code(report.result))
}

fn write_json<T: serde::Serialize>(path: Option<&Path>, report: &T) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    let text = serde_json::to_string_pretty(report).map_err(|error| Failure::new(format!("json: {error}")))?;
    std::fs::write(path, text).map_err(|error| Failure::io("json", error))
}
