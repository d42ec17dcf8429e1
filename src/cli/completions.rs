//! `fanfare completions`: what a shell needs to complete this command line, made from its definition.

use std::io::{self, Write};

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::Shell;

use super::{Cli, Outcome};

/// Print what a shell needs to complete `fanfare`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: ShellName,
}

const EXAMPLES: &str = "\
Examples:
  fanfare completions bash > ~/.local/share/bash-completion/completions/fanfare
  fanfare completions zsh > ~/.zfunc/_fanfare         with `fpath+=~/.zfunc` before `compinit`
  fanfare completions fish > ~/.config/fish/completions/fanfare.fish";

/// The shells that are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShellName {
    /// bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

/// Prints the completions to standard output.
#[must_use]
pub fn run(args: &CompletionsArgs) -> Outcome {
    let text = completions(args.shell);
    match io::stdout().lock().write_all(&text) {
        // The reader has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            // Where standard error is closed there is nobody left to tell.
            _ = writeln!(io::stderr().lock(), "fanfare: cannot write: {error}");
            Outcome::Refused
        }
        _ => Outcome::Done,
    }
}

fn completions(shell: ShellName) -> Vec<u8> {
    let shell = match shell {
        ShellName::Bash => Shell::Bash,
        ShellName::Zsh => Shell::Zsh,
        ShellName::Fish => Shell::Fish,
    };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "fanfare", &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_is_told_every_subcommand() {
        for shell in [ShellName::Bash, ShellName::Zsh, ShellName::Fish] {
            let text = String::from_utf8(completions(shell)).expect("text");
            for word in ["serve", "publish", "tail", "token", "inspect", "config", "check", "print", "completions"] {
                assert!(text.contains(word), "{shell:?}: {word}");
            }
        }
    }
}
