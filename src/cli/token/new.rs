//! `fanfare token new`: a random token, added to the settings file as its hash.

use std::{error::Error, fmt::Display, io::Write, path::absolute, str::FromStr};

use clap::Args;

use super::FileArgs;
use crate::{
    clock::Timestamp,
    config::{
        self, LibraryRights, Secret, TokenHash,
        edit::{self, Added, Grant},
    },
    event::Level,
    id::{IdError, LibraryId, UserId},
};

/// Make a token, add it to the settings file and print it, once.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = EXAMPLES)]
pub struct NewArgs {
    /// Whose token it is; a user who is not in the file is added. Without it the token is an API key
    #[arg(long, value_name = "ID", value_parser = UserId::parse)]
    pub user: Option<UserId>,

    /// Libraries the new user or key may see, each with a level (read, write or admin; read when left out); `*` is every one
    #[arg(long, value_name = "LIBRARY[=LEVEL],…", value_delimiter = ',')]
    pub read: Vec<ReadArg>,

    /// The new user or key is a server admin
    #[arg(long)]
    pub admin: bool,

    /// The token may publish, everything but the reserved types user, server and raw
    #[arg(long)]
    pub publish: bool,

    /// When the token ends: after a time such as 12h or 30d, or at a moment such as 2027-01-31T12:00:00Z [default: never]
    #[arg(long, value_name = "WHEN")]
    pub expires: Option<ExpiresArg>,

    /// The name people read for a new user; for an API key a comment in the file
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// The settings file; made when it is not there.
    #[command(flatten)]
    pub file: FileArgs,
}

const EXAMPLES: &str = "\
Examples:
  fanfare token new --user bob --read films,music=admin      a new user
  fanfare token new --user bob --expires 30d                 one more token for bob
  fanfare token new --publish --name 'the scanner'           an API key that publishes
  fanfare token new --read '*' --config /etc/fanfare.toml    an API key that sees every library

The token is printed on standard output and nowhere else; the file keeps only its SHA-256. A running server does not read
the file again: restart it.";

/// One item of `--read`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadArg {
    /// The library; none is every one.
    pub library: Option<LibraryId>,
    /// What may be done there.
    pub level: Level,
}

/// Why a text is no item of `--read`; clap puts the flag's name in front.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadArgError {
    /// The part after the equals sign is no level.
    #[error("LEVEL (after the `=`) must be read, write or admin")]
    Level,
    /// The part before the equals sign is no id.
    #[error("LIBRARY {0}")]
    Library(#[from] IdError),
}

impl FromStr for ReadArg {
    type Err = ReadArgError;

    fn from_str(text: &str) -> Result<Self, ReadArgError> {
        let (library, level) = match text.rsplit_once('=') {
            None => (text, Level::Read),
            Some((library, "read")) => (library, Level::Read),
            Some((library, "write")) => (library, Level::Write),
            Some((library, "admin")) => (library, Level::Admin),
            Some(_) => return Err(ReadArgError::Level),
        };
        Ok(Self { library: (library != "*").then(|| LibraryId::parse(library)).transpose()?, level })
    }
}

/// The moment `--expires` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpiresArg(Timestamp);

/// A text that is no moment to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a time from now such as 12h or 30d, or a date and time to come with an offset such as 2027-01-31T12:00:00Z")]
pub struct ExpiresArgError;

impl FromStr for ExpiresArg {
    type Err = ExpiresArgError;

    fn from_str(text: &str) -> Result<Self, ExpiresArgError> {
        edit::expiry(text, Timestamp::now()).map(Self).ok_or(ExpiresArgError)
    }
}

/// Why `--read` says nothing sensible as a whole.
#[derive(Debug, thiserror::Error)]
#[error("--read: `*` is every library and stands alone")]
struct EveryAndMore;

/// The token's only copy could not be shown.
#[derive(Debug, thiserror::Error)]
#[error("the token cannot be written to standard output ({0}), so nobody knows it: take its entry out of {1} again")]
struct NotShown(std::io::Error, String);

pub(super) fn run<E: Display>(
    args: &NewArgs,
    make_token: impl FnOnce() -> Result<Secret, E>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), Box<dyn Error>> {
    let environment = config::environment();
    let path = absolute(edit::file_to_edit(args.file.config.as_deref(), &environment)?)?;
    let token = make_token().map_err(|error| error.to_string())?;
    let added = edit::add_token(&path, &grant(args)?, TokenHash::of(token.expose()), &environment)?;
    let shown = path.display().to_string();
    writeln!(out, "{}", token.expose()).and_then(|()| out.flush()).map_err(|error| NotShown(error, shown.clone()))?;
    let user = args.user.as_ref().map_or("", |user| user.as_str());
    let what = match added {
        Added::User => format!("user {user} with this token"),
        Added::TokenOfUser => format!("one more token of user {user}"),
        Added::Key => "an API key".to_owned(),
    };
    let hint = format!(
        "added to {shown}: {what}. The token is not kept: note it now. A running server knows it after a reload (SIGHUP) or a restart."
    );
    // The token is out and kept; a hint that nobody can read is no failure.
    _ = writeln!(err, "{}", super::printable(&hint));
    if added == Added::User && args.read.is_empty() && !args.admin {
        _ = writeln!(err, "{user} sees no library yet: say so with `libraries` in the file");
    }
    Ok(())
}

fn grant(args: &NewArgs) -> Result<Grant, EveryAndMore> {
    let read = match args.read.as_slice() {
        [] => None,
        [ReadArg { library: None, level }] => Some(LibraryRights::Every(*level)),
        several => {
            let levels = several.iter().map(|item| Ok((item.library.clone().ok_or(EveryAndMore)?, item.level)));
            Some(LibraryRights::Named(levels.collect::<Result<_, _>>()?))
        }
    };
    let expires = args.expires.map(|expires| expires.0);
    Ok(Grant { user: args.user.clone(), name: args.name.clone(), read, admin: args.admin, publish: args.publish, expires })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: NewArgs,
    }

    fn parse(arguments: &[&str]) -> Result<NewArgs, String> {
        Line::try_parse_from(["new"].iter().chain(arguments)).map(|line| line.args).map_err(|error| error.to_string())
    }

    #[test]
    fn libraries_have_levels_and_a_star_is_all_of_them() {
        let grant = |arguments: &[&str]| grant(&parse(arguments).expect("valid")).map_err(|error| error.to_string());
        let expected = |text: &str| Ok(Some(serde_json::from_str::<LibraryRights>(text).expect("rights")));
        let read = |arguments: &[&str]| grant(arguments).map(|grant| grant.read);
        assert_eq!(
            read(&["--read", "films,a=b=admin", "--read=music=write"]),
            expected(r#"{"films":"read","a=b":"admin","music":"write"}"#)
        );
        assert_eq!(read(&["--read", "*=write"]), expected("\"write\""));
        assert_eq!(read(&["--publish"]), Ok(None));
        assert_eq!(read(&["--read", "films,*"]), Err("--read: `*` is every library and stands alone".to_owned()));
    }

    #[test]
    fn a_bad_value_names_its_flag_and_what_is_allowed() {
        for (arguments, expected) in [
            (["--read", "films=all"], "must be read, write or admin"),
            (["--read", ","], "LIBRARY must not be empty"),
            (["--expires", "tomorrow"], "such as 12h or 30d"),
            (["--expires", "2020-01-01T00:00:00Z"], "to come"),
            (["--user", ""], "must not be empty"),
        ] {
            let message = parse(&arguments).expect_err("refused");
            assert!(message.contains(arguments[0]) && message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_token_is_shown_once_and_kept_as_its_hash() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("fanfare.toml");
        let args = parse(&["--user", "bob", "--config", path.to_str().expect("text")]).expect("valid");
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let make = || Ok::<_, String>(Secret::new("canary".to_owned()));
        run(&args, make, &mut out, &mut err).expect("made");
        assert_eq!(out, b"canary\n");
        let (hint, text) = (String::from_utf8(err).expect("text"), std::fs::read_to_string(&path).expect("written"));
        assert!(hint.contains("after a reload") && hint.contains("sees no library yet") && !hint.contains("canary"), "{hint}");
        assert!(text.contains(&TokenHash::of("canary").to_hex()) && !text.contains("canary"), "{text}");
        let refused = run(&args, || Err("no random bytes"), &mut Vec::new(), &mut Vec::new()).expect_err("no token").to_string();
        assert_eq!(refused, "no random bytes");
    }
}
