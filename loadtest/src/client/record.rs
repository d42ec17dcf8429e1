//! What clients hand back, and the sink between decoder and ledger.

use crate::dialect::{DIALECTS, Dialect};
use crate::frame::{MARKER_LEN, intended_ns};
use crate::ledger::Ledger;
use crate::shape::{Signal, Sink};
use crate::stats::histogram;
use hdrhistogram::Histogram;
use std::net::SocketAddr;

/// How a client behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Role {
    /// Reads as fast as it can.
    Steady,
    /// Reads some bytes a second.
    Slow,
    /// Never reads.
    Stalled,
    /// Comes and goes, and reads as fast as it can in between.
    Churning,
}

impl Role {
    /// Whether readiness is answered by reading.
    pub(crate) fn reads_at_once(self) -> bool {
        matches!(self, Self::Steady | Self::Churning)
    }
}

/// One client at the end.
#[derive(Debug)]
pub(crate) struct ClientRecord {
    /// Its behaviour.
    pub(crate) role: Role,
    /// What it spoke.
    pub(crate) dialect: Dialect,
    /// Its account, not yet closed.
    pub(crate) ledger: Ledger,
    /// Its own end of the connection, if it was open to the end: the server's list names clients by it.
    pub(crate) address: Option<SocketAddr>,
    /// Whether the server ended its stream.
    pub(crate) closed_by_server: bool,
}

impl ClientRecord {
    /// Puts a client on record.
    pub(crate) fn of(role: Role, dialect: Dialect, ledger: Ledger, address: Option<SocketAddr>, closed_by_server: bool) -> Self {
        Self { role, dialect, ledger, address, closed_by_server }
    }
}

/// What one thread hands back.
#[derive(Debug)]
pub(crate) struct ThreadResult {
    /// Its clients.
    pub(crate) records: Vec<ClientRecord>,
    /// Timed deliveries, nanoseconds from the intended time.
    pub(crate) latency: Histogram<u64>,
    /// Comments and events that are neither deliveries nor gaps.
    pub(crate) others: u64,
    /// Frames no server should send.
    pub(crate) malformed: u64,
    /// The first of them.
    pub(crate) malformed_sample: Option<String>,
    /// Bytes of a delivery's frame on the wire, by dialect, in the order of `DIALECTS`; 0 where none was seen.
    pub(crate) frame_bytes: [usize; DIALECTS.len()],
    /// Bytes of this process that a client held at the end, on average.
    pub(crate) held_bytes: usize,
    /// Churning clients that came and went.
    pub(crate) churned: u64,
}

/// What one read of one client asked for.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Answers of the protocol: opcode and payload.
    pub(super) replies: Vec<(u8, Vec<u8>)>,
    /// Words that move an opening on, or end the stream.
    pub(super) signals: Vec<(Signal, String)>,
}

impl Said {
    /// Whether there is nothing to do.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.replies.is_empty() && self.signals.is_empty()
    }
}

/// A thread's counters beside the ledgers.
pub(crate) struct Recorder {
    sample_mask: u32,
    measured_from: u32,
    measured_to: u32,
    received: u64,
    pub(super) latency: Histogram<u64>,
    pub(super) others: u64,
    pub(super) malformed: u64,
    pub(super) malformed_sample: Option<String>,
    pub(super) reported_complete: u64,
    pub(super) said: Said,
}

impl Recorder {
    pub(super) fn new(sample_mask: u32, measured_from: u32, measured_to: u32) -> Self {
        Self {
            sample_mask,
            measured_from,
            measured_to,
            received: 0,
            latency: histogram(),
            others: 0,
            malformed: 0,
            malformed_sample: None,
            reported_complete: 0,
            said: Said::default(),
        }
    }

    /// Deliveries since the last call.
    pub(super) fn take_received(&mut self) -> u64 {
        std::mem::take(&mut self.received)
    }

    #[inline]
    pub(super) fn sink<'a>(&'a mut self, ledger: &'a mut Ledger, index: usize, now_ns: u64) -> ClientSink<'a> {
        #[expect(clippy::cast_possible_truncation, reason = "only the low bits choose which deliveries are timed")]
        let offset = index as u32;
        ClientSink { recorder: self, ledger, offset, now_ns }
    }
}

/// Takes what one read of one client brought.
pub(super) struct ClientSink<'a> {
    recorder: &'a mut Recorder,
    ledger: &'a mut Ledger,
    offset: u32,
    now_ns: u64,
}

impl Sink for ClientSink<'_> {
    #[inline]
    fn delivery(&mut self, seq: u32, marker: &[u8; MARKER_LEN]) {
        self.ledger.observe(seq);
        let recorder = &mut *self.recorder;
        recorder.received += 1;
        if seq.wrapping_add(self.offset) & recorder.sample_mask == 0 && seq >= recorder.measured_from && seq < recorder.measured_to {
            recorder.latency.saturating_record(self.now_ns.saturating_sub(intended_ns(marker)));
        }
    }

    fn gap_comment(&mut self, missed: u64) {
        self.ledger.gap_comments += missed;
    }

    fn gap_event(&mut self, missed: u64) {
        self.ledger.gap_events += missed;
    }

    fn other(&mut self) {
        self.recorder.others += 1;
    }

    fn malformed(&mut self, frame: &[u8]) {
        self.recorder.malformed += 1;
        let text = || String::from_utf8_lossy(&frame[..frame.len().min(200)]).into_owned();
        self.recorder.malformed_sample.get_or_insert_with(text);
    }

    fn reply(&mut self, opcode: u8, payload: &[u8]) {
        self.recorder.said.replies.push((opcode, payload.to_vec()));
    }

    fn signal(&mut self, signal: Signal, text: &[u8]) {
        let text = String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned();
        self.recorder.said.signals.push((signal, text));
    }
}
