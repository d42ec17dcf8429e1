//! The latest log lines, for whoever opens a log now.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;

use crate::event::Envelope;

/// Lines kept, and bytes of their messages; the oldest go first.
pub(super) const LINES: usize = 1000;
pub(super) const BYTES: usize = 256 << 10;

/// The lines, oldest first. Log events have one shard, so they come in order.
#[derive(Debug, Default)]
pub(super) struct LogTail(Mutex<Tail>);

#[derive(Debug, Default)]
struct Tail {
    lines: VecDeque<Arc<Envelope>>,
    n_bytes: usize,
}

impl LogTail {
    pub(super) fn fold(&self, envelope: &Arc<Envelope>) {
        let mut tail = self.0.lock();
        tail.n_bytes += size(envelope);
        tail.lines.push_back(Arc::clone(envelope));
        // A line that is larger than the whole tail may have is not kept either.
        while tail.lines.len() > LINES || tail.n_bytes > BYTES {
            let Some(oldest) = tail.lines.pop_front() else { return };
            tail.n_bytes -= size(&oldest);
        }
    }

    pub(super) fn lines(&self) -> Vec<Arc<Envelope>> {
        self.0.lock().lines.iter().map(Arc::clone).collect()
    }
}

fn size(envelope: &Envelope) -> usize {
    envelope.event.message().len()
}
