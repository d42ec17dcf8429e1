//! `fanfare config`: whether settings are allowed, and what they come to. Starts nothing and opens no port.

use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use clap::{Args, Subcommand};

use super::{Outcome, terminal::printable, token::FileArgs};
use crate::config::{Settings, environment, file_to_read};

/// Check settings, or print them.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

const EXAMPLES: &str = "\
Examples:
  fanfare config check --config fanfare.toml
  fanfare config print --defaults > fanfare.toml";

#[derive(Debug, Clone, Subcommand)]
enum ConfigCommand {
    /// Say whether these settings can be read, and what is surprising about them
    #[command(after_help = CHECK_EXAMPLES)]
    Check(FileArgs),
    /// Print every setting with its value, as a settings file; secrets are shown as …
    #[command(after_help = PRINT_EXAMPLES)]
    Print(PrintArgs),
}

#[derive(Debug, Clone, Args)]
struct PrintArgs {
    /// The defaults alone, without file and variables
    #[arg(long, conflicts_with = "config")]
    defaults: bool,

    #[command(flatten)]
    file: FileArgs,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  fanfare config check
  fanfare config check --config fanfare.toml && systemctl restart fanfare

The file is read as the server reads it, with the FANFARE_ variables of this shell. Whether ports are free is not tried.

Exit codes: 0 allowed, 1 not allowed, 2 wrong usage.";

const PRINT_EXAMPLES: &str = "\
Examples:
  fanfare config print                      what counts here, and where it comes from
  fanfare config print --defaults           every setting there is
  FANFARE_SERVER__NAME=Home fanfare config print --config fanfare.toml

A printed file loads again; where it shows … it is refused until the secret is filled in.";

/// Does what the arguments say. Settings and `ok` go to standard output, warnings and refusals to standard error.
#[must_use]
pub fn run(args: &ConfigArgs) -> Outcome {
    let (out, err) = (&mut io::stdout().lock(), &mut io::stderr().lock());
    let result = match &args.command {
        ConfigCommand::Check(file) => check(file, out, err),
        ConfigCommand::Print(args) => print(args, out),
    };
    match result {
        Ok(()) => Outcome::Done,
        Err(error) => {
            // Where standard error is closed there is nobody left to tell.
            _ = writeln!(err, "fanfare: {}", printable(&error.to_string()));
            Outcome::Refused
        }
    }
}

fn check(args: &FileArgs, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let environment = environment();
    let file = file_to_read(args.config.as_deref(), &environment)?;
    let settings = Settings::load(file.as_deref(), &environment, &[])?;
    for warning in settings.warnings() {
        writeln!(err, "warning: {warning}")?;
    }
    if let Some(file) = file.as_ref().filter(|file| !settings.names_nobody() && is_open_to_others(file)) {
        writeln!(
            err,
            "warning: {} can be read by every user of this machine, tokens and all: chmod 600",
            printable(&file.display().to_string())
        )?;
    }
    match file {
        Some(file) => writeln!(out, "ok: {}", printable(&file.display().to_string()))?,
        None => writeln!(out, "ok: no settings file, only defaults and variables")?,
    }
    Ok(())
}

fn is_open_to_others(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

fn print(args: &PrintArgs, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let mut environment = environment();
    let file = if args.defaults { None } else { file_to_read(args.file.config.as_deref(), &environment)? };
    if args.defaults {
        environment = without_settings(environment);
    }
    let text = Settings::explain(file.as_deref(), &environment, &[])?;
    match out.write_all(text.as_bytes()) {
        // The reader has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// What tells where directories are, without any setting.
fn without_settings(mut environment: BTreeMap<String, String>) -> BTreeMap<String, String> {
    environment.retain(|name, _| !name.starts_with("FANFARE_"));
    environment
}
