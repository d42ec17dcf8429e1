//! What a command is to put under load: a server of its own, one that runs already, or the floor; and the arguments of a run against it.
//!
//! Arguments of runs are made by parsing a command line of `run`, so that what is not said has the defaults that `run` has.

use crate::args::{Arguments, Command, RunArgs, TargetArgs};
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
    arguments: Vec<String>,
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
        Self { own: None, arguments: words(&["--target", "floor"]) }
    }

    /// The arguments of a run against it, `load` being further options of `run`; those given last count.
    pub(crate) fn run_args(&self, load: &[String]) -> Result<RunArgs, Failure> {
        let line = words(&["fanfare-loadtest", "run"]).into_iter().chain(self.arguments.clone()).chain(load.iter().cloned());
        match Arguments::try_parse_from(line).map(|arguments| arguments.command) {
            Ok(Command::Run(run)) => Ok(*run),
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
        let (target, tokens) = (format!("http://{}", server.address()), server.file(TOKENS_FILE).display().to_string());
        let pid = server.pid().to_string();
        let arguments = words(&[
            "--target",
            &target,
            "--token",
            PUBLISHER,
            "--admin-token",
            ADMIN,
            "--client-tokens-file",
            &tokens,
            "--strangers-token",
            STRANGER,
            "--server-pid",
            &pid,
        ]);
        Ok(Self { own: Some(server), arguments })
    }

    fn running(args: &TargetArgs, target: &str) -> Self {
        let given = [
            ("--token", args.token.clone()),
            ("--admin-token", args.admin_token.clone()),
            ("--client-tokens-file", args.client_tokens_file.as_ref().map(|file| file.display().to_string())),
            ("--strangers-token", args.strangers_token.clone()),
            ("--server-pid", args.server_pid.map(|pid| pid.to_string())),
        ];
        let mut arguments = words(&["--target", target]);
        arguments.extend(given.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?])).flatten());
        Self { own: None, arguments }
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
        assert_eq!((args.target.as_str(), args.clients, args.rate), ("floor", 7, 20));
    }

    #[test]
    fn a_load_that_run_does_not_understand_is_an_error_with_its_name() {
        let failure = UnderTest::floor().run_args(&words(&["--clients", "many"])).unwrap_err().to_string();
        assert!(failure.starts_with("load: ") && failure.contains("many") && failure.contains("--clients"), "{failure}");
    }

    #[test]
    fn a_running_server_is_reached_as_told() {
        let target = TargetArgs { token: Some("t".to_owned()), server_pid: Some(1), ..TargetArgs::default() };
        let args = UnderTest::running(&target, "http://127.0.0.1:1").run_args(&[]).unwrap();
        assert_eq!((args.target.as_str(), args.token.as_deref(), args.server_pid), ("http://127.0.0.1:1", Some("t"), Some(1)));
    }
}
