//! `fanfare publish`: sends events to a running server and shows its answers, one line each.
//!
//! Deliberately does not check events itself: the server's answer names the field and what is allowed.

use std::{
    fs::File,
    io::{self, IsTerminal, Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use serde::Serialize;
use serde_json::value::RawValue;
use ureq::Agent;

use super::{
    Outcome, TargetArgs,
    answer::Answer,
    backoff::{Backoff, chance, wait},
    http,
    ndjson::{Line, Lines},
    target::{Target, TargetError},
    terminal::printable,
};

/// How often something the server had no room for is sent again.
const MAX_BUSY_RETRIES: u32 = 5;
/// What a single event or a JSON array may hold; larger input is for `--ndjson`.
const MAX_DOCUMENT_BYTES: u64 = 16 * 1024 * 1024;

/// Publish events to a running server.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = EXAMPLES)]
pub struct PublishArgs {
    /// The event's type, for example medias
    #[arg(value_name = "TYPE", conflicts_with = "file")]
    pub kind: Option<String>,

    /// The event's data, a JSON object; `-` reads it from standard input
    #[arg(value_name = "DATA", requires = "kind")]
    pub data: Option<String>,

    /// Read whole events from a file, `-` is standard input: one JSON event, a JSON array of events, or NDJSON
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// The input is NDJSON, one event per line; also assumed for files that end in .ndjson or .jsonl
    #[arg(long, conflicts_with = "kind")]
    pub ndjson: bool,

    /// The event's id: with --source, a repeat within the server's window is accepted but not delivered twice
    #[arg(long, requires = "kind")]
    pub id: Option<String>,

    /// Who says so
    #[arg(long, requires = "kind")]
    pub source: Option<String>,

    /// Who may see it: all, admin, library:ID, library-admin:ID, user:ID, session:ID; a comma means any of them
    #[arg(long, requires = "kind")]
    pub audience: Option<String>,

    /// Print the server's answers as JSON, one object per line
    #[arg(long)]
    pub json: bool,

    /// The server and the token.
    #[command(flatten)]
    pub target: TargetArgs,
}

const EXAMPLES: &str = "\
Examples:
  fanfare publish library-status '{\"library\":\"films\",\"message\":\"checking\",\"progress\":40}'
  fanfare publish message '{\"text\":\"restart at noon\"}' --audience user:bob
  fanfare publish --file event.json
  my-scanner | fanfare publish --ndjson
  FANFARE_TOKEN=$(cat token.txt) fanfare publish --url http://media.example:8400 --file event.json

Exit codes: 0 all accepted, 1 something refused, 2 wrong usage, 3 not allowed, 4 no server or busy.";

/// Why publishing stopped before the server answered for everything.
#[derive(Debug, thiserror::Error)]
enum PublishError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("nothing to publish: give TYPE and DATA, --file FILE, or events on standard input")]
    NoInput,
    #[error("{0}: nothing to publish: the file is empty")]
    Empty(String),
    #[error("DATA is missing: a JSON object, or - to read it from standard input")]
    NoData,
    #[error("DATA is not JSON: {0}")]
    Data(serde_json::Error),
    #[error("{0}: {1}")]
    Input(String, io::Error),
    #[error("{0}: larger than 16 MiB; for many events use NDJSON (--ndjson), which is streamed")]
    TooLarge(String),
    #[error("standard input cannot hold both the token (--token-file -) and what to publish: give one of them by a file")]
    OneInput,
    #[error("cannot reach {0}: {1} (is it running? `fanfare` starts one here)")]
    Unreachable(String, Box<ureq::Error>),
    #[error("cannot write the answers: {0}")]
    Output(#[from] io::Error),
}

impl PublishError {
    fn outcome(&self) -> Outcome {
        let no_server = matches!(self, Self::Unreachable(..) | Self::Target(TargetError::NoServer(_) | TargetError::Nowhere));
        if no_server { Outcome::Unavailable } else { Outcome::Refused }
    }
}

/// An event as it is sent; only what was given.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<&'a str>,
    data: &'a RawValue,
}

/// Publishes what the arguments say; answers go to standard output, refusals and problems to standard error.
///
/// Blocks; call it outside any runtime.
#[must_use]
pub fn run(args: &PublishArgs) -> Outcome {
    run_with(args, Box::new(io::stdin()), io::stdin().is_terminal(), &mut io::stdout().lock(), &mut io::stderr().lock())
}

fn run_with(args: &PublishArgs, stdin: Box<dyn Read + Send>, stdin_is_terminal: bool, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    let mut printer = Printer { json: args.json, worst: Outcome::Done, out, err };
    let result = publish(args, stdin, stdin_is_terminal, &mut printer);
    match result {
        Ok(()) => printer.worst,
        // The reader of our output has seen enough.
        Err(PublishError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => printer.worst,
        Err(error) => {
            // Where standard error is closed there is nobody left to tell.
            _ = writeln!(printer.err, "fanfare: {}", printable(&error.to_string()));
            printer.worst.max(error.outcome())
        }
    }
}

fn publish(
    args: &PublishArgs,
    stdin: Box<dyn Read + Send>,
    stdin_is_terminal: bool,
    printer: &mut Printer<'_>,
) -> Result<(), PublishError> {
    let mut stdin = stdin;
    let takes_stdin =
        args.data.as_deref() == Some("-") || (args.kind.is_none() && args.file.as_deref().is_none_or(|file| file == Path::new("-")));
    if args.target.wants_stdin() && takes_stdin {
        return Err(PublishError::OneInput);
    }
    let target = Target::resolve(&args.target.with_token_of(&mut *stdin)?)?;
    let sender = Sender { agent: http::agent(&target).map_err(TargetError::from)?, target };
    if let Some(kind) = &args.kind {
        let body = document(args, kind, stdin)?;
        return sender.publish_document(body.as_bytes(), printer);
    }
    let file = args.file.as_deref().filter(|path| *path != Path::new("-"));
    if file.is_none() && args.file.is_none() && stdin_is_terminal {
        return Err(PublishError::NoInput);
    }
    let (name, input): (String, Box<dyn Read + Send>) = match file {
        Some(path) => {
            let name = path.display().to_string();
            let file = File::open(path).map_err(|error| PublishError::Input(name.clone(), error))?;
            (name, Box::new(file))
        }
        None => ("standard input".to_owned(), stdin),
    };
    if args.ndjson || file.is_some_and(is_ndjson_name) {
        return sender.publish_lines(&name, input, printer);
    }
    let document = read_document(&name, input)?;
    if document.trim().is_empty() {
        return Err(if file.is_some() { PublishError::Empty(name) } else { PublishError::NoInput });
    }
    sender.publish_document(document.as_bytes(), printer)
}

fn is_ndjson_name(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "ndjson" || extension == "jsonl")
}

fn document(args: &PublishArgs, kind: &str, stdin: Box<dyn Read + Send>) -> Result<String, PublishError> {
    let data = match args.data.as_deref() {
        None => return Err(PublishError::NoData),
        Some("-") => read_document("standard input", stdin)?,
        Some(data) => data.to_owned(),
    };
    if data.trim().is_empty() {
        return Err(PublishError::NoData);
    }
    // Raw: `1.50` must arrive as `1.50`.
    let data: &RawValue = serde_json::from_str(data.trim()).map_err(PublishError::Data)?;
    let document = Document { kind, id: args.id.as_deref(), source: args.source.as_deref(), audience: args.audience.as_deref(), data };
    serde_json::to_string(&document).map_err(PublishError::Data)
}

fn read_document(name: &str, input: Box<dyn Read + Send>) -> Result<String, PublishError> {
    let mut text = String::new();
    input.take(MAX_DOCUMENT_BYTES + 1).read_to_string(&mut text).map_err(|error| PublishError::Input(name.to_owned(), error))?;
    if text.len() as u64 > MAX_DOCUMENT_BYTES {
        return Err(PublishError::TooLarge(name.to_owned()));
    }
    Ok(text)
}

struct Sender {
    agent: Agent,
    target: Target,
}

/// A whole answer: its status, its lines or text, and when to come back.
struct Reply {
    status: u16,
    text: String,
    retry_after: Option<Duration>,
}

impl Sender {
    fn post(&self, content_type: &str, body: &[u8]) -> Result<Reply, PublishError> {
        let mut request = self.agent.post(self.target.at("/api/events")).content_type(content_type);
        if let Some(token) = &self.target.token {
            request = request.header("authorization", token.header());
        }
        let unreachable = |error| PublishError::Unreachable(self.target.url.clone(), Box::new(error));
        let mut response = request.send(body).map_err(unreachable)?;
        let retry_after = http::retry_after(&response);
        // Bounded by the run of lines we sent: an answer line is not much longer than its event's path.
        let text = response.body_mut().with_config().limit(MAX_DOCUMENT_BYTES).lossy_utf8(true).read_to_string().map_err(unreachable)?;
        Ok(Reply { status: response.status().as_u16(), text, retry_after })
    }

    /// One event, or a JSON array of them.
    fn publish_document(&self, body: &[u8], printer: &mut Printer<'_>) -> Result<(), PublishError> {
        let is_batch = body.trim_ascii_start().first() == Some(&b'[');
        let content_type = if is_batch { "application/cloudevents-batch+json" } else { "application/json" };
        let mut backoff = Backoff::default();
        let mut reply = self.post(content_type, body)?;
        for _ in 0..MAX_BUSY_RETRIES {
            if !matches!(reply.status, 429 | 503) {
                break;
            }
            wait_as_asked(&mut backoff, &reply);
            reply = self.post(content_type, body)?;
        }
        for answer in answers(&reply) {
            printer.print(&answer, None)?;
        }
        Ok(())
    }

    /// A stream of events, one per line.
    fn publish_lines(&self, name: &str, input: Box<dyn Read + Send>, printer: &mut Printer<'_>) -> Result<(), PublishError> {
        let mut lines = Lines::of(input);
        while let Some(run) = lines.next_run().map_err(|error| PublishError::Input(name.to_owned(), error))? {
            if !self.publish_run(run, printer)? {
                break;
            }
        }
        Ok(())
    }

    /// One run of lines; lines answered `busy` are sent again, in order. False when going on makes no sense.
    fn publish_run(&self, run: Vec<Line>, printer: &mut Printer<'_>) -> Result<bool, PublishError> {
        let mut waiting = Vec::with_capacity(run.len());
        for line in run {
            match line.text {
                Some(text) => waiting.push((line.number, text)),
                None => printer.print(&Answer::unsent("the line is longer than 4 MiB"), Some(line.number))?,
            }
        }
        let mut backoff = Backoff::default();
        for n_tries in 0.. {
            if waiting.is_empty() {
                return Ok(true);
            }
            let body: Vec<u8> = waiting.iter().flat_map(|(_, text)| text.iter().chain(b"\n")).copied().collect();
            let reply = self.post("application/x-ndjson", &body)?;
            let retry = n_tries < MAX_BUSY_RETRIES;
            if !matches!(reply.status, 200 | 207 | 422 | 429 | 503) {
                printer.print(&Answer::new(&reply.text, Some(reply.status)), Some(waiting[0].0))?;
                return Ok(false);
            }
            waiting = settle(waiting, &reply, retry, printer)?;
            if !waiting.is_empty() {
                wait_as_asked(&mut backoff, &reply);
            }
        }
        Ok(true)
    }
}

/// Prints the answers to a run and returns the lines to send again.
fn settle(sent: Vec<(u64, Vec<u8>)>, reply: &Reply, retry: bool, printer: &mut Printer<'_>) -> Result<Vec<(u64, Vec<u8>)>, PublishError> {
    if matches!(reply.status, 429 | 503) && retry {
        return Ok(sent);
    }
    let whole_request = matches!(reply.status, 429 | 503).then_some(reply.status);
    let mut texts = reply.text.lines().filter(|line| !line.trim().is_empty());
    let mut again = Vec::new();
    for (number, text) in sent {
        let answer = match (whole_request, texts.next()) {
            (None, Some(line)) => Answer::new(line, None),
            (Some(status), _) => Answer::new(&reply.text, Some(status)),
            (None, None) => Answer::unsent("the server did not answer for this line"),
        };
        // Once one line waits, all later busy ones do: order is kept. A line accepted after a busy one stays accepted.
        if retry && answer.is_busy() {
            again.push((number, text));
        } else {
            printer.print(&answer, Some(number))?;
        }
    }
    Ok(again)
}

/// The longest wait a server's `Retry-After` is granted: a person or a script waits for this command.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

fn ask_as(backoff: &mut Backoff, reply: &Reply) {
    if let Some(delay) = reply.retry_after {
        backoff.ask(delay.min(MAX_RETRY_AFTER));
    }
}

fn wait_as_asked(backoff: &mut Backoff, reply: &Reply) {
    ask_as(backoff, reply);
    wait(backoff.next(chance()));
}

/// The answers in a reply: one, or one per item of a batch.
fn answers(reply: &Reply) -> Vec<Answer> {
    let items: Option<Vec<Box<RawValue>>> = serde_json::from_str(&reply.text).ok();
    match items {
        Some(items) => items.iter().map(|item| Answer::new(item.get(), None)).collect(),
        None => vec![Answer::new(reply.text.trim(), Some(reply.status))],
    }
}

struct Printer<'a> {
    json: bool,
    worst: Outcome,
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
}

impl Printer<'_> {
    fn print(&mut self, answer: &Answer, line: Option<u64>) -> io::Result<()> {
        if !answer.is_accepted() {
            self.worst = self.worst.max(answer.outcome());
        }
        if self.json {
            writeln!(self.out, "{}", answer.json(line))?;
        } else if answer.is_accepted() {
            writeln!(self.out, "{}", answer.human(line))?;
        } else {
            writeln!(self.err, "{}", answer.human(line))?;
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests;
