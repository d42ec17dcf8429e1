//! `fanfare token`: makes tokens in the settings file, and tells what a token is. Neither contacts a server.

mod inspect;
mod new;

use std::{
    fmt::Display,
    io::{self, Write},
    path::PathBuf,
};

use clap::{Args, Subcommand};

use super::{Outcome, terminal::printable};
use crate::config::Secret;

pub use self::{inspect::InspectArgs, new::NewArgs};

/// Make a token, or tell what one is.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

const EXAMPLES: &str = "\
Examples:
  fanfare token new --user bob --read films > bobs-token
  fanfare token inspect - < bobs-token";

#[derive(Debug, Clone, Subcommand)]
enum TokenCommand {
    /// Make a token, add it to the settings file and print it, once
    New(NewArgs),
    /// Tell whose a token is and what it may do, or what a JWT says
    Inspect(InspectArgs),
}

/// The `--config` of commands that read settings.
#[derive(Debug, Clone, Default, Args)]
pub struct FileArgs {
    /// The settings file [default: $XDG_CONFIG_HOME/fanfare/fanfare.toml or ~/.config/fanfare/fanfare.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Does what the arguments say; `make_token` makes a random token. Tokens and findings go to standard output, all else to
/// standard error.
#[must_use]
pub fn run<E: Display>(args: &TokenArgs, make_token: impl FnOnce() -> Result<Secret, E>) -> Outcome {
    let (out, err) = (&mut io::stdout().lock(), &mut io::stderr().lock());
    let result = match &args.command {
        TokenCommand::New(args) => new::run(args, make_token, out, err).map(|()| Outcome::Done),
        TokenCommand::Inspect(args) => inspect::run(args, &mut io::stdin(), out),
    };
    result.unwrap_or_else(|error| {
        // Where standard error is closed there is nobody left to tell.
        _ = writeln!(err, "fanfare: {}", printable(&error.to_string()));
        Outcome::Refused
    })
}
