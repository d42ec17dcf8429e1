//! What a command is to put under load: a server of its own, one that runs already, or the floor; and the arguments of a run against it.
//!
//! Arguments of runs are made by parsing a command line of `run`, so that what is not said has the defaults that `run` has.

use crate::args::{AccessArgs, Arguments, Command, RunArgs, TargetArgs};
use crate::failure::Failure;
use crate::own_server::household::{ADMIN, Household, PUBLISHER, STRANGER, TOKENS_FILE};
use crate::own_server::{self, OwnServer, Start};
use clap::Parser as _;
use std::net::SocketAddrV4;

/// A server, or the floor, and how runs reach it.
#[derive(Debug)]
pub(crate) struct UnderTest {
    /// The server, when it was started for this.
    pub(crate) own: Option<OwnServer>,
    target: String,
    access: AccessArgs,
}

impl UnderTest {
    /// A server started with the settings of a household, or the one that `--target` names.
    pub(crate) fn open(args: &TargetArgs, household: &Household) -> Result<Self, Failure> {
        match &args.target {
            None => Self::start(args, household),
            Some(target) => Ok(Self::running(args, target)),
        }
    }

    /// The floor, which each run starts anew.
    pub(crate) fn floor() -> Self {
        Self { own: None, target: "floor".to_owned(), access: AccessArgs::default() }
    }

    /// The arguments of a run against it, `load` being further options of `run`; those given last count.
    pub(crate) fn run_args(&self, load: &[String]) -> Result<RunArgs, Failure> {
        let line = [words(&["fanfare-loadtest", "run", "--target", &self.target]), load.to_vec()].concat();
        match Arguments::try_parse_from(line).map(|arguments| arguments.command) {
            Ok(Command::Run(run)) => Ok(RunArgs { access: self.access.clone(), ..*run }),
            Ok(_) => Err(Failure::new("load: is no load of a run")),
            Err(error) => {
                let text = error.to_string();
                Err(Failure::new(format!("load: {}", text.lines().next().unwrap_or_default().trim_start_matches("error: "))))
            }
        }
    }

    /// Where its metrics are, when it is a server of our own.
    pub(crate) fn metrics_address(&self) -> Option<SocketAddrV4> {
        self.own.as_ref().map(OwnServer::metrics_address)
    }

    fn start(args: &TargetArgs, household: &Household) -> Result<Self, Failure> {
        let program = own_server::program(args.server.as_deref())?;
        let (settings, tokens) = (household.settings(), household.client_tokens().join("\n"));
        let server =
            OwnServer::start(&Start { program: &program, wrap: &args.wrap, settings: &settings, files: &[(TOKENS_FILE, &tokens)] })?;
        let access = AccessArgs {
            token: Some(PUBLISHER.to_owned()),
            admin_token: Some(ADMIN.to_owned()),
            client_tokens_file: Some(server.file(TOKENS_FILE)),
            strangers_token: Some(STRANGER.to_owned()),
            server_pid: Some(server.pid()),
        };
        Ok(Self { target: format!("http://{}", server.address()), access, own: Some(server) })
    }

    fn running(args: &TargetArgs, target: &str) -> Self {
        Self { own: None, target: target.to_owned(), access: args.access.clone() }
    }
}

/// Words of a command line.
pub(crate) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_load_does_not_say_is_as_in_run_and_what_it_says_counts() {
        let args = UnderTest::floor().run_args(&words(&["--clients", "7"])).unwrap();
        assert_eq!((args.target.as_str(), args.load.who.clients, args.rate), ("floor", 7, 20));
    }

    #[test]
    fn a_load_that_run_does_not_understand_is_an_error_with_its_name() {
        let failure = UnderTest::floor().run_args(&words(&["--clients", "many"])).unwrap_err().to_string();
        assert!(failure.starts_with("load: ") && failure.contains("many") && failure.contains("--clients"), "{failure}");
    }

    #[test]
    fn a_running_server_is_reached_as_told() {
        let target = TargetArgs {
            access: AccessArgs { token: Some("t".to_owned()), server_pid: Some(1), ..AccessArgs::default() },
            ..TargetArgs::default()
        };
        let args = UnderTest::running(&target, "http://127.0.0.1:1").run_args(&[]).unwrap();
        assert_eq!(
            (args.target.as_str(), args.access.token.as_deref(), args.access.server_pid),
            ("http://127.0.0.1:1", Some("t"), Some(1))
        );
    }
}
