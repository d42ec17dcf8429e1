//! `fanfare canary`: publishes a marked event and measures its way back through each protocol, as a client on the outside sees it.
//!
//! Knows the protocols from their clients' side only, by small readers of its own: a mistake in the server's encoders cannot hide behind
//! the same mistake here.

mod metrics;
mod round;
mod serve;
mod way;
mod websocket;

use std::{
    io::{self, Write},
    net::SocketAddr,
    time::Duration,
};

use clap::Args;

use self::{
    metrics::Tally,
    round::{Found, Round},
    way::Way,
};
use super::{
    Outcome, TargetArgs,
    backoff::wait,
    target::{Target, TargetError},
    terminal::printable,
};

/// The longest a round may be told to take, or to be apart from the next.
const LONGEST: Duration = Duration::from_secs(3600);

/// Publish a marked event and measure its way back through each protocol.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct CanaryArgs {
    /// Only these ways back; one that is not served then counts as failed [default: all that it serves to this token]
    #[arg(long, value_name = "WAY,…", value_delimiter = ',', value_enum)]
    ways: Vec<Way>,

    /// Who is sent the marked events: the token's user must be among them, and may get events of that audience published
    #[arg(long, value_name = "AUDIENCE", default_value = "admin")]
    audience: String,

    /// The seconds that opening a way, and the event's way back, may each take
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    timeout: Duration,

    /// Print the round as Prometheus text, for the text file collector
    #[arg(long, conflicts_with = "listen")]
    once: bool,

    /// Go on, a round at a time, and show Prometheus the figures at http://ADDRESS/metrics
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

    /// Seconds from one round to the next, with --listen
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    every: Duration,

    /// The server and the token.
    #[command(flatten)]
    target: TargetArgs,
}

const EXAMPLES: &str = "\
Examples:
  fanfare canary
  fanfare canary --ways sse,plex-ws --timeout 1
  fanfare canary --once > /var/lib/prometheus/node-exporter/fanfare.prom
  fanfare canary --listen 127.0.0.1:8402 --url https://media.example --token-file token.txt

The marked events are of type `raw`, and named so that no client shows anything of them. The token of the server on this machine will do;
elsewhere make a user for it whose token has `publish = { types = [\"raw\"] }`, and give --audience user:ID. Audiobookshelf lets in
users only.

Exit codes: 0 every way works, 1 one does not, 2 wrong usage, 3 not allowed, 4 no server.";

/// Runs one round, or rounds without end.
///
/// Blocks; call it outside any runtime.
#[must_use]
pub fn run(args: &CanaryArgs) -> Outcome {
    let (out, err) = (&mut io::stdout().lock(), &mut io::stderr().lock());
    let done = args.target.with_token_of(&mut io::stdin()).map_err(Stopped::from).and_then(|target| {
        let args = CanaryArgs { target, ..args.clone() };
        match args.listen {
            Some(address) => go_on(&args, address, err),
            None => once(&args, out),
        }
    });
    match done {
        Ok(outcome) => outcome,
        // The reader of our output has seen enough.
        Err(Stopped::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Outcome::Done,
        Err(error) => {
            // Where standard error is closed there is nobody left to tell.
            _ = writeln!(err, "fanfare: {}", printable(&error.to_string()));
            match error {
                Stopped::Target(TargetError::NoServer(_) | TargetError::Nowhere) => Outcome::Unavailable,
                _ => Outcome::Refused,
            }
        }
    }
}

/// What ends the command before a round is over.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("--listen {0}: {1}")]
    Listen(SocketAddr, io::Error),
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
}

fn seconds(text: &str) -> Result<Duration, String> {
    let given = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    given.filter(|given| !given.is_zero() && *given <= LONGEST).ok_or_else(|| "must be more than 0 and at most 3600".to_owned())
}

fn once(args: &CanaryArgs, out: &mut dyn Write) -> Result<Outcome, Stopped> {
    let round = Round::run(&Target::resolve(&args.target)?, &args.ways, &args.audience, args.timeout);
    if args.once {
        let tally = Tally::default();
        tally.take(&round);
        out.write_all(tally.text().as_bytes())?;
    } else {
        show(&round, out)?;
    }
    out.flush()?;
    Ok(round.outcome())
}

/// A line for each way.
fn show(round: &Round, out: &mut dyn Write) -> io::Result<()> {
    match &round.published {
        Ok(took) => writeln!(out, "{:<13} accepted in {}", "publishing", in_words(*took))?,
        Err(failure) => writeln!(out, "{:<13} FAILED: {}", "publishing", printable(&failure.text))?,
    }
    for (way, found) in &round.ways {
        match found {
            Found::Heard { opened, delivered } => {
                writeln!(out, "{:<13} delivered in {}, opened in {}", way.name(), in_words(*delivered), in_words(*opened))?;
            }
            Found::Off => {
                writeln!(out, "{:<13} left out: not served here, or not to this token (--ways {} says why)", way.name(), way.name())?
            }
            Found::Failed(failure) => writeln!(out, "{:<13} FAILED: {}", way.name(), printable(&failure.text))?,
        }
    }
    Ok(())
}

fn in_words(took: Duration) -> String {
    format!("{:.1} ms", took.as_secs_f64() * 1000.0)
}

/// Rounds without end, beside a listener for their figures.
fn go_on(args: &CanaryArgs, address: SocketAddr, err: &mut dyn Write) -> Result<Outcome, Stopped> {
    let tally = Tally::default();
    let listening = serve::start(address, tally.clone()).map_err(|error| Stopped::Listen(address, error))?;
    // Where standard error is closed there is nobody left to tell; the figures are what counts.
    _ = writeln!(err, "fanfare: figures at http://{listening}/metrics");
    let mut said = String::new();
    loop {
        let round = match Target::resolve(&args.target) {
            Ok(target) => Round::run(&target, &args.ways, &args.audience, args.timeout),
            // A server that stops takes its run file with it, and one that starts again writes a new one.
            Err(error @ TargetError::NoServer(_)) => Round::without_server(&args.ways, &error.to_string()),
            Err(error) => return Err(error.into()),
        };
        tally.take(&round);
        let trouble = round.trouble();
        if trouble != said {
            // Only what has changed: a server that is down for a night is one line.
            _ = writeln!(err, "fanfare: {}", printable(if trouble.is_empty() { "every way works" } else { &trouble }));
            said = trouble;
        }
        wait(args.every.saturating_sub(round.took));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_checked() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        for wrong in ["0", "NaN", "-1", "4000", "1e300", "soon", ""] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
