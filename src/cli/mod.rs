//! The command line: `fanfare serve` (also without a subcommand), the clients `publish`, `tail` and `canary`, and what works on
//! settings alone: `token`, `password`, `config` and `completions`.
//!
//! Deliberately knows nothing of the engine: `serve` is only parsed here, and the clients speak HTTP to a running server
//! like everybody else.

mod answer;
mod backoff;
pub mod canary;
pub mod completions;
pub mod config;
mod first_lines;
mod http;
pub mod logging;
mod ndjson;
pub mod password;
mod pinned;
pub mod publish;
pub mod run_file;
pub mod serve;
mod sse_reader;
mod summary;
pub mod tail;
mod target;
mod terminal;
#[cfg(test)]
mod test_server;
pub mod token;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use self::{
    canary::CanaryArgs, completions::CompletionsArgs, config::ConfigArgs, password::PasswordArgs, publish::PublishArgs, serve::ServeArgs,
    tail::TailArgs, target::TargetArgs, token::TokenArgs,
};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "fanfare",
    version,
    about = "A real-time event engine for media servers",
    long_about = "A real-time event engine for media servers: publish once, deliver to every client that may see it, in the \
                  protocol it speaks.\n\nWithout a subcommand the server is started, as with `fanfare serve`. It reads \
                  $XDG_CONFIG_HOME/fanfare/fanfare.toml or ~/.config/fanfare/fanfare.toml where there is one, unless --config \
                  names another file.",
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

const EXAMPLES: &str = "\
Examples:
  fanfare                                    run the server
  fanfare --library films=/srv/films         run it and watch a folder
  fanfare tail                               see what happens, in another terminal
  fanfare publish library-status '{\"library\":\"films\",\"message\":\"hello\"}'
  fanfare token new --user bob --read films  let somebody in
  fanfare config check                       before a restart";

/// What the user wants done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server (the default)
    Serve(ServeArgs),
    /// Publish events to a running server
    Publish(PublishArgs),
    /// Show the events of a running server as they happen
    Tail(TailArgs),
    /// Publish a marked event and measure its way back through each protocol
    Canary(CanaryArgs),
    /// Make a token, or tell what one is
    Token(TokenArgs),
    /// Make the hash of a password, for the settings file
    Password(PasswordArgs),
    /// Check settings, or print them
    Config(ConfigArgs),
    /// Print what a shell needs to complete this command line
    Completions(CompletionsArgs),
}

impl Cli {
    /// The subcommand; `serve` when none was named.
    #[must_use]
    pub fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

/// How a client subcommand ended; each has an exit code of its own so that scripts can tell them apart.
///
/// 2 is missing on purpose: clap uses it for wrong usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Everything went as asked: exit code 0.
    Done,
    /// The server refused something, or an argument or file was unusable: exit code 1.
    Refused,
    /// The server does not accept the credentials, or they lack the right: exit code 3.
    Unauthorised,
    /// The server cannot be reached, or stayed busy: exit code 4.
    Unavailable,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Done => 0,
            Outcome::Refused => 1,
            Outcome::Unauthorised => 3,
            Outcome::Unavailable => 4,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serve_is_what_happens_without_a_subcommand() {
        for line in [&["fanfare", "--library", "films=/srv/films"][..], &["fanfare", "serve", "--library", "films=/srv/films"][..]] {
            let Command::Serve(args) = Cli::try_parse_from(line).expect("valid").into_command() else { panic!("not serve") };
            assert_eq!(args.libraries.len(), 1);
        }
        assert!(matches!(Cli::try_parse_from(["fanfare"]).expect("valid").into_command(), Command::Serve(_)));
    }

    #[test]
    fn flags_of_serve_before_another_subcommand_are_refused() {
        assert!(Cli::try_parse_from(["fanfare", "--name", "x", "tail"]).is_err());
    }
}
