//! `fanfare password`: makes the hash of a password, for `password_hash` of one of `[[users]]`. Contacts no server and writes
//! no file.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    os::fd::{AsFd, BorrowedFd},
};

use clap::Args;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::Outcome;
use crate::config::{PasswordHash, Secret};

/// Make the hash of a password, for `password_hash` in the settings file.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct PasswordArgs {}

const EXAMPLES: &str = "\
Examples:
  fanfare password                           asks for it, twice
  fanfare password < bobs-password           takes the first line

The hash is printed; put it into the settings file, below the user's id:
  [[users]]
  id = \"bob\"
  password_hash = \"$argon2id$…\"";

/// The longest password, in bytes; longer ones are refused at log-ins, too.
const MAX_BYTES: u64 = 1024;
/// What Ctrl-C is where it does not end the program.
const INTERRUPT: char = '\u{3}';

/// Why there is no hash.
#[derive(Debug, thiserror::Error)]
enum PasswordError {
    #[error("standard input: {0}")]
    Input(#[from] io::Error),
    #[error("no password was given")]
    Empty,
    #[error("a password must be at most {MAX_BYTES} bytes")]
    TooLong,
    #[error("the two are not the same")]
    Different,
    #[error("given up")]
    Interrupted,
    #[error(transparent)]
    NoHash(#[from] crate::config::NoHash),
}

/// Asks for the password and prints its hash. Questions go to standard error.
#[must_use]
pub fn run(_: &PasswordArgs) -> Outcome {
    let (stdin, err) = (io::stdin(), &mut io::stderr().lock());
    let password = if stdin.is_terminal() { ask(stdin.as_fd(), err) } else { line(&mut stdin.lock()) };
    let printed = password.and_then(|password| {
        let hash = PasswordHash::of(&password)?;
        Ok(writeln!(io::stdout().lock(), "{}", hash.expose())?)
    });
    match printed {
        Ok(()) => Outcome::Done,
        Err(error) => {
            // Where standard error is closed there is nobody left to tell.
            _ = writeln!(err, "fanfare: {error}");
            Outcome::Refused
        }
    }
}

/// Asks twice, without showing what is typed.
fn ask(terminal: BorrowedFd<'_>, err: &mut dyn Write) -> Result<Secret, PasswordError> {
    let _hidden = Hidden::on(terminal)?;
    let mut typed = |question: &str| {
        write!(err, "{question}: ")?;
        err.flush()?;
        let answer = line(&mut io::stdin().lock());
        writeln!(err)?;
        answer
    };
    let first = typed("Password")?;
    if typed("The same again")? == first { Ok(first) } else { Err(PasswordError::Different) }
}

/// One line, without its end.
fn line(input: &mut impl BufRead) -> Result<Secret, PasswordError> {
    let mut text = String::new();
    io::Read::take(input, MAX_BYTES + 2).read_line(&mut text)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    match text {
        "" => Err(PasswordError::Empty),
        text if text.contains(INTERRUPT) => Err(PasswordError::Interrupted),
        text if text.len() as u64 > MAX_BYTES => Err(PasswordError::TooLong),
        text => Ok(Secret::new(text.to_owned())),
    }
}

/// While it lives, a terminal does not show what is typed, and Ctrl-C is a character: it must not be left like this.
struct Hidden<'t> {
    terminal: BorrowedFd<'t>,
    before: Termios,
}

impl<'t> Hidden<'t> {
    fn on(terminal: BorrowedFd<'t>) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        tcsetattr(terminal, OptionalActions::Flush, &hidden)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing put right.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        line(&mut text.as_bytes()).map(|secret| secret.expose().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_password_is_the_first_line_with_its_blanks() {
        for (text, expected) in [("hunter2", "hunter2"), ("hunter2\n", "hunter2"), (" a b \r\nc\n", " a b ")] {
            assert_eq!(read(text).as_deref(), Ok(expected));
        }
        assert_eq!(read(&"x".repeat(1024)).map(|text| text.len()), Ok(1024));
    }

    #[test]
    fn no_password_one_that_is_too_long_and_ctrl_c_are_refused() {
        for (text, expected) in [
            ("", "no password was given"),
            ("\nhunter2", "no password was given"),
            ("hun\u{3}", "given up"),
            (&"x".repeat(1025), "a password must be at most 1024 bytes"),
        ] {
            assert_eq!(read(text), Err(expected.to_owned()));
        }
    }
}
