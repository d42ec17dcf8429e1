//! The arguments of `fanfare serve`: overrides for the settings, nothing more. Defaults live with the settings.

use std::{
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    path::PathBuf,
    str::FromStr,
};

use clap::Args;

use super::{first_lines, logging::LogFormat, run_file::RunFile};
use crate::{
    config::Settings,
    id::{IdError, LibraryId},
};

/// What the command line says about the server; what it leaves out comes from the file, the environment or the defaults.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = EXAMPLES)]
pub struct ServeArgs {
    /// A media folder to watch, with the id of its library; may be given several times
    #[arg(long = "library", value_name = "NAME=PATH")]
    pub libraries: Vec<LibraryArg>,

    /// The settings file (TOML) [default: $XDG_CONFIG_HOME/fanfare/fanfare.toml or ~/.config/fanfare/fanfare.toml, if there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The address for clients, publishers and the REST API [default: 127.0.0.1:8400]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,

    /// The address for metrics and health [default: 127.0.0.1:8401]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics_listen: Option<SocketAddr>,

    /// Where the server keeps what survives a restart [default: $XDG_STATE_HOME/fanfare or ~/.local/state/fanfare]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// The name clients show for this server
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// How log lines are written; the level is set by FANFARE_LOG, for example FANFARE_LOG=debug [default: text]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
}

const EXAMPLES: &str = "\
Examples:
  fanfare serve --library films=/srv/films --library music=/srv/music
  fanfare serve --config /etc/fanfare.toml --log-format json
  FANFARE_LOG=debug fanfare serve --listen 127.0.0.1:0

Flags win over FANFARE_ variables (FANFARE_SERVER__LISTEN=…), variables over the file, the file over the defaults;
`fanfare config print` shows what they come to. --config /dev/null reads no file at all.";

/// One `--library NAME=PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryArg {
    /// The library's id, which is its name too unless the settings give it another.
    pub id: LibraryId,
    /// The folder to watch. Whether it exists is checked at start, where all folders are.
    pub path: PathBuf,
}

/// Why a text is not `NAME=PATH`; clap puts the flag's name in front.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LibraryArgError {
    /// There is no equals sign.
    #[error("expected NAME=PATH, for example films=/srv/films")]
    NoEqualsSign,
    /// The part before the equals sign is not an id.
    #[error("NAME (before the `=`) {0}")]
    Name(#[from] IdError),
    /// There is nothing after the equals sign.
    #[error("PATH (after the `=`) must not be empty")]
    NoPath,
}

impl FromStr for LibraryArg {
    type Err = LibraryArgError;

    fn from_str(text: &str) -> Result<Self, LibraryArgError> {
        // The first equals sign divides: paths may hold more of them.
        let (name, path) = text.split_once('=').ok_or(LibraryArgError::NoEqualsSign)?;
        let id = LibraryId::parse(name)?;
        if path.is_empty() {
            return Err(LibraryArgError::NoPath);
        }
        Ok(Self { id, path: path.into() })
    }
}

/// Shows three lines to paste: watch, publish, open. Nothing when nobody sits before standard error: what a service
/// writes there is kept, and the last line may hold a token.
pub fn print_first_lines(settings: &Settings, run_file: &RunFile) {
    if io::stderr().is_terminal() {
        say(&first_lines::first_lines(settings, run_file, &first_lines::program()));
    }
}

/// Says in one line why the server does not run.
pub fn print_failure(error: &dyn std::error::Error) {
    say(&format!("fanfare: {error}"));
}

fn say(text: &str) {
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn parse(arguments: &[&str]) -> Result<ServeArgs, String> {
        let line = ["fanfare", "serve"].iter().chain(arguments);
        match Cli::try_parse_from(line).map(Cli::into_command) {
            Ok(Command::Serve(args)) => Ok(args),
            Ok(other) => panic!("not serve: {other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn every_flag_reaches_its_field() {
        let args = parse(&[
            "--library=films=/srv/a=b",
            "--library=music=/srv/music",
            "--config=f.toml",
            "--listen=[::]:80",
            "--metrics-listen=127.0.0.1:0",
            "--data-dir=/d",
            "--name=Home",
            "--log-format=json",
        ])
        .expect("valid");
        assert_eq!(args.libraries[0].id.as_str(), "films");
        assert_eq!(args.libraries[0].path, PathBuf::from("/srv/a=b"));
        assert_eq!(args.libraries[1].id.as_str(), "music");
        assert_eq!(args.config, Some("f.toml".into()));
        assert_eq!(args.listen.map(|a| a.port()), Some(80));
        assert_eq!(args.metrics_listen.map(|a| a.port()), Some(0));
        assert_eq!(args.data_dir, Some("/d".into()));
        assert_eq!(args.name.as_deref(), Some("Home"));
        assert_eq!(args.log_format, Some(LogFormat::Json));
    }

    #[test]
    fn nothing_given_is_nothing_overridden() {
        let args = parse(&[]).expect("valid");
        assert!(args.libraries.is_empty() && args.config.is_none() && args.listen.is_none() && args.log_format.is_none());
    }

    #[test]
    fn a_bad_library_names_the_flag_and_what_is_allowed() {
        for (value, expected) in [
            ("/srv/films", "expected NAME=PATH"),
            ("=/srv/films", "NAME (before the `=`) must not be empty"),
            ("films=", "PATH (after the `=`) must not be empty"),
        ] {
            let message = parse(&["--library", value]).expect_err("refused");
            assert!(message.contains("--library") && message.contains(expected), "{message}");
        }
        let message = parse(&["--listen", "8400"]).expect_err("refused");
        assert!(message.contains("--listen"), "{message}");
    }
}
