//! The open-loop publisher: NDJSON over one streaming POST, or a POST for each event, on its own thread, on a schedule that no answer can move.
//!
//! A second thread reads the answers as they come, one line per item, so that what was refused is known by its sequence number.

use crate::args::PublishStyle;
use crate::client::Shared;
use crate::clock::{self, now_ns};
use crate::dialect::Dialect;
use crate::failure::Failure;
use crate::frame::{Family, Template};
use crate::http::{self, Response};
use crate::schedule::Schedule;
use crate::stats::{Summary, histogram, summary};
use std::io::Write;
use std::net::{SocketAddrV4, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

/// Items of one write at most, so that a late publisher stamps each batch anew.
const BATCH: u32 = 512;

/// What became of everything published.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// Sequence numbers sent, each once in every family.
    pub(crate) sent: u32,
    /// Sequence numbers the server did not accept, sorted, for each family.
    pub(crate) refused: Vec<(Family, Vec<u32>)>,
    /// Of them: refused because the server was busy.
    pub(crate) busy: u64,
    /// Sequence numbers without an answer line in every family.
    pub(crate) unanswered: u64,
    /// The first answer that refused an event.
    pub(crate) first_refusal: Option<String>,
    /// Sending, after the time it was due.
    pub(crate) lateness: Summary,
    /// CPU time of sending and of reading the answers. Told by the threads themselves, because an ended thread is no longer in /proc.
    pub(crate) cpu_ns: u64,
    /// Why publishing ended early.
    pub(crate) failure: Option<String>,
}

impl Published {
    /// Sequence numbers that were not accepted for clients of a dialect.
    pub(crate) fn refused_for(&self, dialect: Dialect) -> &[u32] {
        // A run publishes a dialect's own messages or none of them, so only one of both families is there.
        let of = |raw| self.refused.iter().find(|(family, _)| *family == dialect.family(raw));
        of(true).or_else(|| of(false)).map_or(&[], |(_, refused)| refused)
    }

    /// Events refused, in all families.
    pub(crate) fn refusals(&self) -> u64 {
        self.refused.iter().map(|(_, refused)| refused.len() as u64).sum()
    }
}

/// Where and as whom to publish.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    /// The server.
    pub(crate) address: SocketAddrV4,
    /// Path of the POST.
    pub(crate) path: String,
    /// Bearer token.
    pub(crate) token: Option<String>,
    /// How.
    pub(crate) style: PublishStyle,
    /// Time to sleep before each write: a publisher that is slow on purpose.
    pub(crate) pause_ms: u64,
}

impl Destination {
    /// The head of the one request that carries all events.
    fn stream_head(&self) -> String {
        format!("{}Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n", self.head())
    }

    /// The head of a request that carries one event, up to its `Content-Length`.
    pub(crate) fn post_head(&self) -> String {
        format!("{}Content-Type: application/json\r\n", self.head())
    }

    fn head(&self) -> String {
        let authorization = self.token.as_ref().map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        format!("POST {} HTTP/1.1\r\nHost: {}\r\n{authorization}", self.path, self.address)
    }
}

/// A publisher at work.
pub(crate) struct Publisher {
    sender: thread::JoinHandle<Sent>,
    answers: thread::JoinHandle<Answers>,
}

impl Publisher {
    /// Opens the POST and publishes on the schedule.
    pub(crate) fn start(
        to: &Destination,
        schedule: Schedule,
        templates: Vec<(Family, Template)>,
        shared: Arc<Shared>,
    ) -> Result<Self, Failure> {
        let mut stream = http::connect(to.address)?;
        if to.style == PublishStyle::Fanfare {
            stream.write_all(to.stream_head().as_bytes()).map_err(|error| Failure::io("publish", error))?;
        }
        let reading = stream.try_clone().map_err(|error| Failure::io("publish", error))?;
        // A slow schedule must not look like a server that does not answer.
        reading.set_read_timeout(Some(std::time::Duration::from_secs(30))).map_err(|error| Failure::io("publish", error))?;
        let families: Vec<Family> = templates.iter().map(|(family, _)| *family).collect();
        let (style, pause_ms) = (to.style, to.pause_ms);
        let spawn = |error| Failure::io("publisher thread", error);
        let answers = thread::Builder::new()
            .name("answers".to_owned())
            .spawn(move || read_answers(reading, &families, style, schedule.total()))
            .map_err(spawn)?;
        let send = move || send_all(stream, &schedule, &templates, (style, pause_ms), &shared);
        let sender = thread::Builder::new().name("publisher".to_owned()).spawn(send).map_err(spawn)?;
        Ok(Self { sender, answers })
    }

    /// Waits for the last answer.
    pub(crate) fn finish(self) -> Result<Published, Failure> {
        let died = |_| Failure::new("a publisher thread panicked");
        let sent = self.sender.join().map_err(died)?;
        let answers = self.answers.join().map_err(died)?;
        let unanswered = u64::from(sent.count).saturating_sub(answers.lines / answers.refused.len().max(1) as u64);
        Ok(Published {
            sent: sent.count,
            refused: answers.refused,
            busy: answers.busy,
            unanswered,
            first_refusal: answers.first_refusal,
            lateness: sent.lateness,
            cpu_ns: sent.cpu_ns + answers.cpu_ns,
            failure: answers.failure.or(sent.failure),
        })
    }
}

/// What the sending thread hands back.
struct Sent {
    count: u32,
    lateness: Summary,
    failure: Option<String>,
    cpu_ns: u64,
}

fn send_all(
    mut stream: TcpStream,
    schedule: &Schedule,
    templates: &[(Family, Template)],
    (style, pause_ms): (PublishStyle, u64),
    shared: &Shared,
) -> Sent {
    clock::sharpen_timers();
    // On the core it shares with the client, the publisher goes first; without the right to it, its lateness shows.
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), -15);
    let mut lateness = histogram();
    let (mut seq, mut items, mut chunk) = (0, Vec::new(), Vec::new());
    let mut failure = None;
    while seq < schedule.total() {
        clock::sleep_ms(pause_ms);
        let now = now_ns();
        let due = schedule.due_count(now).min(seq.saturating_add(BATCH));
        if due == seq {
            clock::sleep_until(schedule.due_ns(seq));
            continue;
        }
        items.clear();
        for item in seq..due {
            let intended = schedule.due_ns(item);
            lateness.saturating_record(now - intended);
            shared.tally.lateness.record(now - intended);
            templates.iter().for_each(|(_, template)| template.append(&mut items, item, intended, now));
        }
        if style == PublishStyle::Fanfare {
            chunk.clear();
            chunk.extend_from_slice(format!("{:x}\r\n", items.len()).as_bytes());
            chunk.extend_from_slice(&items);
            chunk.extend_from_slice(b"\r\n");
            std::mem::swap(&mut items, &mut chunk);
        }
        shared.sent.store(due, Relaxed);
        if let Err(error) = stream.write_all(&items) {
            failure = Some(format!("publish: {error} after {seq} events"));
            break;
        }
        seq = due;
    }
    if failure.is_some() {
        // The reader of the answers need not wait for more; if the socket is gone already it has seen that.
        let _ = stream.shutdown(std::net::Shutdown::Both);
    } else if style == PublishStyle::Fanfare {
        failure = stream.write_all(b"0\r\n\r\n").err().map(|error| format!("publish: {error} at the end"));
    }
    Sent { count: seq, lateness: summary(&lateness), failure, cpu_ns: clock::thread_cpu_ns() }
}

#[derive(Debug, Default)]
struct Answers {
    lines: u64,
    refused: Vec<(Family, Vec<u32>)>,
    busy: u64,
    first_refusal: Option<String>,
    failure: Option<String>,
    cpu_ns: u64,
}

impl Answers {
    fn of(families: &[Family]) -> Self {
        Self { refused: families.iter().map(|family| (*family, Vec::new())).collect(), ..Self::default() }
    }

    fn line(&mut self, line: &[u8]) {
        let busy = memchr::memmem::find(line, b"busy").is_some();
        self.answer(!busy && !is_refusal(line), busy, line);
    }

    /// Counts the answer to the next event.
    fn answer(&mut self, accepted: bool, busy: bool, text: &[u8]) {
        if !accepted {
            // Lines come as the events went: the families of one sequence number behind each other.
            let families = self.refused.len().max(1) as u64;
            let place = usize::try_from(self.lines % families).unwrap_or(0);
            if let Some((_, refused)) = self.refused.get_mut(place) {
                refused.push(u32::try_from(self.lines / families).unwrap_or(u32::MAX));
            }
            self.busy += u64::from(busy);
            self.first_refusal.get_or_insert_with(|| String::from_utf8_lossy(&text[..text.len().min(300)]).into_owned());
        }
        self.lines += 1;
    }
}

fn read_answers(stream: TcpStream, families: &[Family], style: PublishStyle, events: u32) -> Answers {
    let mut answers = Answers::of(families);
    let read = match style {
        PublishStyle::Fanfare => read_lines(stream, &mut answers),
        PublishStyle::Post => read_responses(stream, events, &mut answers),
    };
    if let Err(failure) = read {
        answers.failure = Some(failure.to_string());
    }
    answers.cpu_ns = clock::thread_cpu_ns();
    answers
}

fn read_lines(stream: TcpStream, answers: &mut Answers) -> Result<(), Failure> {
    let mut response = Response::read_head(stream)?;
    let mut text = Vec::new();
    let mut more = true;
    while more {
        more = response.read_some(&mut text)?;
        if !(200..300).contains(&response.status) {
            continue;
        }
        let mut from = 0;
        while let Some(length) = memchr::memchr(b'\n', &text[from..]) {
            if !text[from..from + length].trim_ascii().is_empty() {
                answers.line(&text[from..from + length]);
            }
            from += length + 1;
        }
        text.drain(..from);
    }
    if (200..300).contains(&response.status) {
        return Ok(());
    }
    let shown = String::from_utf8_lossy(&text[..text.len().min(300)]).into_owned();
    Err(Failure::new(format!("publish: answered {} {shown}", response.status)))
}

/// The answers of one request per event, in order.
fn read_responses(mut stream: TcpStream, events: u32, answers: &mut Answers) -> Result<(), Failure> {
    let mut begun = Vec::new();
    while answers.lines < u64::from(events) {
        let mut response = Response::read_next(stream, begun)?;
        let mut body = Vec::new();
        while response.read_some(&mut body)? {}
        answers.answer((200..300).contains(&response.status), false, &[format!("{} ", response.status).as_bytes(), &body].concat());
        (stream, begun) = response.into_rest();
    }
    Ok(())
}

/// An answer line is an object; one with an `error`, or a `status` that is a number of 400 or more, refuses its item.
fn is_refusal(line: &[u8]) -> bool {
    // Most lines accept: look for the two words before parsing.
    if memchr::memmem::find(line, b"error").is_none() && memchr::memmem::find(line, b"status").is_none() {
        return false;
    }
    let Ok(answer) = serde_json::from_slice::<serde_json::Value>(line) else { return true };
    answer.get("error").is_some_and(|error| !error.is_null())
        || answer.get("status").and_then(serde_json::Value::as_u64).is_some_and(|status| status >= 400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_and_busy_lines_are_known_by_their_sequence_number() {
        let mut answers = Answers::of(&[Family::Medias]);
        let lines: [&[u8]; 5] = [
            b"{\"id\":\"1\",\"order\":1}",
            b"{\"error\":\"busy\"}",
            b"{\"id\":\"2\",\"order\":2,\"error\":null}",
            b"{\"status\":422,\"field\":\"data\"}",
            b"{\"status\":\"accepted\"}",
        ];
        lines.into_iter().for_each(|line| answers.line(line));
        assert_eq!((answers.lines, answers.refused, answers.busy), (5, vec![(Family::Medias, vec![1, 3])], 1));
        let mut answers = Answers::of(&[Family::Medias, Family::MediaBrowser]);
        lines.into_iter().for_each(|line| answers.line(line));
        assert_eq!(answers.refused, [(Family::Medias, vec![]), (Family::MediaBrowser, vec![0, 1])]);
    }
}
