//! `fanfare tail`: shows the events of a running server as they happen, through the same `/sse` every client uses.
//!
//! Reconnects until told not to: by credentials the server does not accept, by an answer that trying again cannot
//! change, or by the reader of its output going away.

use std::{
    io::{self, IsTerminal, Read, Write},
    time::Duration,
};

use clap::Args;
use ureq::{Body, http::Response};

use super::{
    Outcome, TargetArgs,
    answer::Answer,
    backoff::{Backoff, chance, wait},
    http,
    sse_reader::{SseItem, SseReader},
    summary::summarise,
    target::{Target, TargetError},
    terminal::{ColorChoice, Colour, paint, printable, printable_json},
};

/// Show the events of a running server as they happen.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = EXAMPLES)]
pub struct TailArgs {
    /// Only events of these libraries
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub libraries: Vec<String>,

    /// Exactly these event types, others than the usual ones included, for example scan or gap
    #[arg(long, value_name = "TYPE,…", value_delimiter = ',')]
    pub events: Vec<String>,

    /// Print one JSON object per event and line: {"type":…,"data":…}
    #[arg(long)]
    pub json: bool,

    /// When to use colours; auto respects NO_COLOR
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub color: ColorChoice,

    /// The server and the token.
    #[command(flatten)]
    pub target: TargetArgs,
}

const EXAMPLES: &str = "\
Examples:
  fanfare tail
  fanfare tail --libraries films,music --events medias,scan
  fanfare tail --json | jq -r 'select(.type == \"medias\") | .data.Medias.library'

  fanfare tail --url http://media.example:8400 --token-file - < token.txt

Without --url the server of this machine is found by its run file; --data-dir names the folder where it was started with
another one than usual.

Exit codes: 0 the reader of the output went away, 1 the server refused, 2 wrong usage, 3 not allowed, 4 no server here.";

/// Shows events until it makes no sense to go on. Events go to standard output, what happens to the connection to
/// standard error.
///
/// Blocks; call it outside any runtime.
#[must_use]
pub fn run(args: &TailArgs) -> Outcome {
    let colours = !args.json && args.color.resolve(io::stdout().is_terminal());
    let (out, err) = (&mut io::stdout().lock(), &mut io::stderr().lock());
    match args.target.with_token_of(&mut io::stdin()) {
        Ok(target) => run_with(&TailArgs { target, ..args.clone() }, colours, out, err),
        Err(error) => {
            // Where standard error is closed there is nobody left to tell.
            _ = writeln!(err, "fanfare: {}", printable(&error.to_string()));
            Outcome::Refused
        }
    }
}

/// Why one connection came to its end.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("connection lost: the server ended the stream")]
    Ended,
    #[error("cannot reach {0}: {1}")]
    Unreachable(String, Box<ureq::Error>),
    #[error("connection lost: {0}")]
    Broken(io::Error),
    #[error("the server answered {0}")]
    Status(u16),
    #[error("the server has not started again")]
    NotBack,
    #[error("connection lost: {0}")]
    Stream(#[from] super::sse_reader::TooLarge),
}

/// What ends the whole command.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("{message}")]
    Refused { message: String, outcome: Outcome },
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
}

fn run_with(args: &TailArgs, colours: bool, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    let names_gap = args.events.iter().any(|name| name == "gap");
    let mut tail = Tail { args, names_gap, colours, out, err, reader: SseReader::default(), backoff: Backoff::default(), was_lost: false };
    match tail.follow() {
        // The reader of our output has seen enough.
        Stop::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Outcome::Done,
        stop => {
            tail.say(&stop.to_string());
            match stop {
                Stop::Refused { outcome, .. } => outcome,
                Stop::Target(TargetError::NoServer(_) | TargetError::Nowhere) => Outcome::Unavailable,
                Stop::Target(_) | Stop::Output(_) => Outcome::Refused,
            }
        }
    }
}

struct Tail<'a> {
    args: &'a TailArgs,
    names_gap: bool,
    colours: bool,
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    reader: SseReader,
    backoff: Backoff,
    was_lost: bool,
}

impl Tail<'_> {
    fn follow(&mut self) -> Stop {
        loop {
            let lost = match Target::resolve(&self.args.target) {
                // A server that stops takes its run file with it, and one that starts again writes a new one.
                Err(TargetError::NoServer(_)) if self.was_lost => Lost::NotBack,
                Err(error) => return error.into(),
                Ok(target) => match self.connect(&target) {
                    Ok(lost) => lost,
                    Err(stop) => return stop,
                },
            };
            self.was_lost = true;
            let delay = self.backoff.next(chance());
            self.say(&format!("{lost}; trying again in {}", in_words(delay)));
            wait(delay);
        }
    }

    /// One connection, from its request to its end.
    fn connect(&mut self, target: &Target) -> Result<Lost, Stop> {
        let response = match self.request(target) {
            Ok(response) => response,
            Err(error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_))) => {
                return Err(Stop::Refused { message: format!("cannot ask {}: {error}", target.url), outcome: Outcome::Refused });
            }
            Err(error) => return Ok(Lost::Unreachable(target.url.clone(), Box::new(error))),
        };
        if let Some(lost) = self.check(response.status().as_u16(), &response) {
            return Ok(lost);
        }
        let response = accepted(response, &target.url)?;
        if std::mem::take(&mut self.was_lost) {
            self.say(&format!("connected again to {}; events in between may be missing", target.url));
        }
        self.reader.reconnected();
        self.read(&mut response.into_body().into_reader())
    }

    fn request(&self, target: &Target) -> Result<Response<Body>, ureq::Error> {
        let mut request = http::agent(target).map_err(ureq::Error::Rustls)?.get(target.at("/sse")).header("accept", "text/event-stream");
        if !self.args.libraries.is_empty() {
            request = request.query("libraries", self.args.libraries.join(","));
        }
        if !self.args.events.is_empty() {
            request = request.query("events", self.args.events.join(","));
        }
        if let Some(token) = &target.token {
            request = request.header("authorization", token.header());
        }
        if !self.reader.last_event_id().is_empty() {
            request = request.header("last-event-id", self.reader.last_event_id());
        }
        request.call()
    }

    /// Statuses that pass by themselves: too many attempts, draining, a proxy without its server.
    fn check(&mut self, status: u16, response: &Response<Body>) -> Option<Lost> {
        if !matches!(status, 429 | 500..=599) {
            return None;
        }
        if let Some(delay) = http::retry_after(response) {
            self.backoff.ask(delay);
        }
        Some(Lost::Status(status))
    }

    fn read(&mut self, body: &mut dyn Read) -> Result<Lost, Stop> {
        let mut buffer = vec![0; 16 * 1024];
        let mut items = Vec::new();
        loop {
            let n_read = match body.read(&mut buffer) {
                Ok(0) => return Ok(Lost::Ended),
                Ok(n_read) => n_read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Lost::Broken(error)),
            };
            let pushed = self.reader.push(&buffer[..n_read], &mut items);
            let any = !items.is_empty();
            for item in items.drain(..) {
                self.show(item)?;
            }
            if any {
                self.out.flush()?;
            }
            if let Err(too_large) = pushed {
                return Ok(too_large.into());
            }
        }
    }

    fn show(&mut self, item: SseItem) -> io::Result<()> {
        match item {
            SseItem::Retry(delay) => {
                // Alone it is no sign of life: a full server sends it and ends the stream (event map, section 6).
                self.backoff.ask(delay);
                Ok(())
            }
            SseItem::Comment(comment) => {
                self.backoff.reset();
                match gap_in_comment(&comment) {
                    // Who asked for the event is told by the event.
                    Some(missed) if !self.names_gap => self.show_gap(missed),
                    _ => Ok(()),
                }
            }
            SseItem::Event { name, data } => {
                self.backoff.reset();
                self.show_event(&name, &data)
            }
        }
    }

    fn show_gap(&mut self, missed: Option<u64>) -> io::Result<()> {
        let data = missed.map_or_else(|| "{}".to_owned(), |missed| format!("{{\"missed\":{missed}}}"));
        self.show_event("gap", &data)
    }

    fn show_event(&mut self, name: &str, data: &str) -> io::Result<()> {
        let line = if self.args.json { json_line(name, data) } else { human_line(name, data, &time_of_day(), self.colours) };
        writeln!(self.out, "{line}")
    }

    fn say(&mut self, message: &str) {
        // Where standard error is closed there is nobody left to tell.
        _ = writeln!(self.err, "fanfare: {}", printable(message));
    }
}

/// The response if it is an event stream; else why trying again cannot help.
fn accepted(mut response: Response<Body>, url: &str) -> Result<Response<Body>, Stop> {
    let status = response.status().as_u16();
    let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    if status == 200 && content_type.to_ascii_lowercase().starts_with("text/event-stream") {
        return Ok(response);
    }
    let message = match status {
        401 => format!("{url} does not accept these credentials (401): give a token with --token-file or FANFARE_TOKEN"),
        403 => format!("{url} does not allow this (403): the token lacks the right to read events"),
        200..=299 => format!("{url} answered with `{content_type}`, which is not an event stream: is this a Fanfare server?"),
        _ => format!("{url} answered {status}: {}", Answer::new(&http::shown_body(&mut response), Some(status)).human(None)),
    };
    let outcome = http::outcome(status).max(Outcome::Refused);
    Err(Stop::Refused { message, outcome })
}

/// The gap a comment tells of: `Some(None)` when it says no number.
fn gap_in_comment(comment: &str) -> Option<Option<u64>> {
    let rest = comment.trim().strip_prefix("gap")?;
    if rest.starts_with(char::is_alphanumeric) {
        return None;
    }
    let digits = rest.trim_start_matches(|character: char| !character.is_ascii_digit());
    Some(digits.split(|character: char| !character.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()))
}

/// One event for scripts: the data as JSON where it is JSON, else as a string.
fn json_line(name: &str, data: &str) -> String {
    let quoted = |text: &str| printable_json(&serde_json::Value::from(text).to_string()).into_owned();
    let data = match serde_json::from_str::<&serde_json::value::RawValue>(data) {
        Ok(raw) => printable_json(raw.get()).into_owned(),
        Err(_) => quoted(data),
    };
    format!("{{\"type\":{},\"data\":{data}}}", quoted(name))
}

/// One event for people.
fn human_line(name: &str, data: &str, time: &str, colours: bool) -> String {
    if name == "gap" {
        let missed = serde_json::from_str::<serde_json::Value>(data).ok().and_then(|data| data["missed"].as_u64());
        let text = missed.map_or_else(|| "events were skipped".to_owned(), |missed| format!("{missed} events were skipped"));
        return format!(
            "{}  {}",
            paint(colours, Colour::Dim, time),
            paint(colours, Colour::Red, &format!("gap: {text}, this reader was too slow"))
        );
    }
    let summary = summarise(name, data);
    let verb = summary.text.split(' ').next().unwrap_or_default();
    let colour = match verb {
        "Added" => Some(Colour::Green),
        "Updated" => Some(Colour::Yellow),
        "Deleted" => Some(Colour::Red),
        _ => None,
    };
    let text = printable(&summary.text);
    // Padded before it is coloured: escape sequences have no width.
    let name = paint(colours, Colour::Cyan, &format!("{:<16}", printable(name)));
    let library = paint(colours, Colour::Blue, &format!("{:<12}", printable(&summary.library)));
    let text = colour.map_or_else(|| text.to_string(), |colour| paint(colours, colour, &text));
    format!("{}  {name}  {library}  {text}", paint(colours, Colour::Dim, time)).trim_end().to_owned()
}

/// The wall clock in the local zone; marked `Z` where the zone is UTC or not known.
fn time_of_day() -> String {
    let now = jiff::Zoned::now();
    now.strftime(if now.offset().is_zero() { "%H:%M:%SZ" } else { "%H:%M:%S" }).to_string()
}

fn in_words(delay: Duration) -> String {
    if delay < Duration::from_secs(1) { format!("{} ms", delay.as_millis()) } else { format!("{:.1} s", delay.as_secs_f64()) }
}

#[cfg(test)]
mod tests;
