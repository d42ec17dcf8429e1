//! The latest log lines, for whoever opens a log now.
//!
//! Keeps what was written and not the envelopes, which have room for the frames of every format.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;

use crate::{
    clock::Timestamp,
    event::{Audience, Envelope, Event, Log},
    metrics::shared_bytes,
};

/// Lines kept, and bytes of their messages; the oldest go first.
pub(super) const LINES: usize = 5000;
pub(super) const BYTES: usize = 1 << 20;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// A line of the log.
#[derive(Debug, Clone)]
pub struct LogLine {
    /// What was written.
    pub log: Log,
    /// When it came.
    pub accepted: Timestamp,
    /// Who may see it.
    pub audience: Audience,
    n_bytes: usize,
}

/// The lines, oldest first. Log events have one shard, so they come in order.
#[derive(Debug, Default)]
pub(super) struct LogTail(Mutex<Tail>);

#[derive(Debug, Default)]
struct Tail {
    lines: VecDeque<Arc<LogLine>>,
    n_bytes: usize,
}

impl LogTail {
    pub(super) fn fold(&self, envelope: &Envelope) {
        let Event::Log(log) = &envelope.event else { return };
        let n_bytes = envelope.event.message().len();
        let line = LogLine { log: log.clone(), accepted: envelope.accepted, audience: envelope.audience.clone(), n_bytes };
        let mut tail = self.0.lock();
        tail.n_bytes += n_bytes;
        tail.lines.push_back(Arc::new(line));
        // A line that is larger than the whole tail may have is not kept either.
        while tail.lines.len() > LINES || tail.n_bytes > BYTES {
            let Some(oldest) = tail.lines.pop_front() else { return };
            tail.n_bytes -= oldest.n_bytes;
        }
    }

    /// Bytes of the lines that are kept.
    pub(super) fn n_bytes(&self) -> usize {
        let tail = self.0.lock();
        tail.n_bytes + tail.lines.capacity() * size_of::<Arc<LogLine>>() + shared_bytes::<LogLine>(tail.lines.len())
    }

    /// Those of the day (UTC) that this moment is of.
    pub(super) fn of_day(&self, moment: Timestamp) -> Vec<Arc<LogLine>> {
        let day = |time: Timestamp| time.0.div_euclid(DAY_MS);
        self.0.lock().lines.iter().filter(|line| day(line.accepted) == day(moment)).map(Arc::clone).collect()
    }
}
