//! The engine's own log lines as `log` events, for whoever listens to the log.
//!
//! Lines are left in a bounded queue and published by a thread of their own. What that thread itself says is not taken, and in a
//! second only so many are: were a line to bring about others, it would not bring about an avalanche.

use std::{
    cell::Cell,
    collections::VecDeque,
    fmt::{self, Write as _},
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use serde::Serialize;
use tracing::{
    Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use crate::{
    clock::Timestamp,
    event::{Event, EventKind},
    shard::Submission,
    source::Publisher,
};

/// What its lines' targets begin with: those of libraries are for whoever looks for a fault.
const OWN: &str = "fanfare";
/// Lines that wait; beyond that the oldest are left out. Those from before the start wait here, too.
const WAITING: usize = 1024;
/// Lines published in a second.
const PER_SECOND: usize = 200;
/// Bytes of one line; what is longer is cut off.
const LINE_BYTES: usize = 4096;
/// How long a busy engine is asked again to take lines; after that they are left out.
const PATIENCE: Duration = Duration::from_millis(500);

thread_local! {
    /// This thread publishes lines: what it says is not taken.
    static PUBLISHES: Cell<bool> = const { Cell::new(false) };
}

/// Takes the engine's log lines: a layer beside the one that writes them, with the same filter.
#[derive(Debug, Clone, Default)]
pub struct OwnLog(Arc<Lines>);

#[derive(Debug, Default)]
struct Lines {
    waiting: Mutex<Waiting>,
    told: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Line>,
    n_left_out: u64,
    is_over: bool,
}

/// A line, as a `log` event's message.
#[derive(Debug, Serialize)]
struct Line {
    level: &'static str,
    message: String,
    source: String,
    timestamp: i64,
}

impl<S: Subscriber> Layer<S> for OwnLog {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if PUBLISHES.get() || !metadata.target().starts_with(OWN) {
            return;
        }
        let level = match *metadata.level() {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        let mut text = LineText::default();
        event.record(&mut text);
        let message = text.finish();
        self.0.take(Line { level, message, source: metadata.target().to_owned(), timestamp: Timestamp::now().0 });
    }
}

impl Lines {
    fn take(&self, line: Line) {
        let mut waiting = self.waiting.lock();
        if waiting.lines.len() == WAITING {
            waiting.lines.pop_front();
            waiting.n_left_out += 1;
        }
        waiting.lines.push_back(line);
        self.told.notify_one();
    }

    /// The next lines, at most so many, once there are some; `None`: it is over.
    fn next(&self, at_most: usize) -> Option<Vec<Line>> {
        let mut waiting = self.waiting.lock();
        loop {
            if waiting.is_over {
                return None;
            }
            if !waiting.lines.is_empty() && at_most > 0 {
                let n_lines = waiting.lines.len().min(at_most);
                let mut lines = Vec::with_capacity(n_lines + 1);
                let n_left_out = std::mem::take(&mut waiting.n_left_out);
                if n_left_out > 0 {
                    let message = format!("{n_left_out} log lines are left out here");
                    let timestamp = Timestamp::now().0;
                    lines.push(Line { level: "warn", message, source: module_path!().to_owned(), timestamp });
                }
                lines.extend(waiting.lines.drain(..n_lines));
                return Some(lines);
            }
            self.told.wait(&mut waiting);
        }
    }

    /// Waits until that moment, unless it is over before.
    fn rest(&self, until: Instant) {
        let mut waiting = self.waiting.lock();
        while !waiting.is_over && !self.told.wait_until(&mut waiting, until).timed_out() {}
    }

    fn end(&self) {
        self.waiting.lock().is_over = true;
        self.told.notify_all();
    }
}

/// Publishes lines until it is dropped.
pub(super) struct Teller {
    lines: Arc<Lines>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Teller {
    /// Publishes what waits, and what comes.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(log: OwnLog, publisher: Publisher) -> io::Result<Self> {
        let lines = Arc::clone(&log.0);
        let thread = thread::Builder::new().name("own-log".to_owned()).spawn(move || tell(&log.0, &publisher))?;
        Ok(Self { lines, thread: Some(thread) })
    }
}

impl Drop for Teller {
    /// Blocks for a moment, while lines are being published.
    fn drop(&mut self) {
        self.lines.end();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that tells the log has panicked");
        }
    }
}

fn tell(lines: &Lines, publisher: &Publisher) {
    PUBLISHES.set(true);
    let (mut second, mut left) = (Instant::now(), PER_SECOND);
    while let Some(next) = lines.next(left) {
        let submissions: Vec<Submission> = next.iter().filter_map(submission).collect();
        // What finds no room is left out: the log is not worth holding anything up.
        let _ = publisher.publish_blocking(submissions, PATIENCE);
        left = left.saturating_sub(next.len());
        if second.elapsed() >= Duration::from_secs(1) {
            (second, left) = (Instant::now(), PER_SECOND);
        } else if left == 0 {
            lines.rest(second + Duration::from_secs(1));
            (second, left) = (Instant::now(), PER_SECOND);
        }
    }
}

fn submission(line: &Line) -> Option<Submission> {
    let event = Event::from_value(EventKind::Log, line).ok()?;
    Some(Submission { audience: event.audience(), event, id: None, source: None })
}

/// The message, and the fields behind it.
#[derive(Default)]
struct LineText {
    message: String,
    fields: String,
}

impl LineText {
    fn finish(mut self) -> String {
        self.message.push_str(&self.fields);
        self.message.truncate(self.message.floor_char_boundary(LINE_BYTES));
        self.message
    }

    fn put(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // Writing into a string does not fail.
        let _ = if field.name() == "message" { write!(self.message, "{value}") } else { write!(self.fields, " {}={value}", field.name()) };
    }
}

impl Visit for LineText {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::source::test_shard::TestShard;

    fn waiting(log: &OwnLog) -> Vec<String> {
        log.0.waiting.lock().lines.iter().map(|line| format!("{} {}", line.level, line.message)).collect()
    }

    fn with(log: &OwnLog, call: impl FnOnce()) {
        tracing::subscriber::with_default(tracing_subscriber::registry().with(log.clone()), call);
    }

    #[test]
    fn a_line_is_taken_with_its_fields_and_never_one_that_telling_lines_brought_about() {
        let log = OwnLog::default();
        with(&log, || {
            tracing::info!(clients = 3, name = "a b", "draining");
            PUBLISHES.set(true);
            tracing::warn!("brought about by a line");
            PUBLISHES.set(false);
            tracing::warn!(target: "actix_http", "a library's");
            tracing::error!("{}", "é".repeat(LINE_BYTES));
        });
        let lines = waiting(&log);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0], "info draining clients=3 name=a b");
        assert!(lines[1].starts_with("error é") && lines[1].len() <= "error ".len() + LINE_BYTES);
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_that_is_told() {
        let log = OwnLog::default();
        with(&log, || (0..WAITING + 5).for_each(|n| tracing::info!("{n}")));
        let lines = log.0.next(2).expect("some");
        assert_eq!(lines.iter().map(|line| line.message.as_str()).collect::<Vec<_>>(), ["5 log lines are left out here", "5", "6"]);
    }

    #[actix::test]
    async fn lines_from_before_the_start_are_told_too() {
        let (log, shard) = (OwnLog::default(), Arc::new(TestShard::default()));
        with(&log, || tracing::info!("settings read"));
        let teller = Teller::start(log, shard.publisher()).expect("a thread");
        let taken = async {
            while shard.taken.lock().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), taken).await.expect("it is taken");
        drop(teller);
        let taken = shard.taken.lock();
        assert!(taken.len() == 1 && taken[0].contains(r#""message":"settings read""#), "{taken:?}");
    }
}
