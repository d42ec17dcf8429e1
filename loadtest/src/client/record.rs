//! What clients hand back, and the sink between decoder and ledger.

use super::Shared;
use crate::clock::now_ns;
use crate::dialect::{DIALECTS, Dialect};
use crate::frame::{MARKER_LEN, intended_ns};
use crate::ledger::Ledger;
use crate::shape::{Signal, Sink};
use crate::stats::histogram;
use hdrhistogram::Histogram;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// How a client behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Role {
    /// Reads as fast as it can.
    Steady,
    /// Reads some bytes a second.
    Slow,
    /// Never reads.
    Stalled,
    /// Reads as fast as it can, and is to get nothing.
    Stranger,
    /// Comes and goes, and reads as fast as it can in between.
    Churning,
}

impl Role {
    /// Whether readiness is answered by reading.
    pub(crate) fn reads_at_once(self) -> bool {
        matches!(self, Self::Steady | Self::Stranger | Self::Churning)
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
    /// How, if it did.
    pub(crate) end: End,
}

impl ClientRecord {
    /// Puts a client on record.
    pub(crate) fn of(role: Role, dialect: Dialect, ledger: Ledger, address: Option<SocketAddr>, closed_by_server: bool) -> Self {
        Self { role, dialect, ledger, address, closed_by_server, end: End::default() }
    }
}

/// What one thread hands back.
#[derive(Debug)]
pub(crate) struct ThreadResult {
    /// Its clients.
    pub(crate) records: Vec<ClientRecord>,
    /// Timed deliveries in the measured window, nanoseconds from the intended time, for each dialect that had any.
    pub(crate) latency: Vec<(Dialect, Histogram<u64>)>,
    /// The same for each client by its number; those of other threads are empty.
    pub(crate) by_client: Vec<ClientLatency>,
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

/// The timed deliveries of one client, in 16 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClientLatency {
    /// Their latencies added up.
    pub(crate) sum_ns: u64,
    /// How many.
    pub(crate) count: u32,
    /// The largest.
    pub(crate) max_us: u32,
}

impl ClientLatency {
    #[inline]
    fn record(&mut self, nanoseconds: u64) {
        self.sum_ns += nanoseconds;
        self.count += 1;
        self.max_us = self.max_us.max(u32::try_from(nanoseconds / 1000).unwrap_or(u32::MAX));
    }
}

/// When a client is to come back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hint {
    /// Milliseconds.
    milliseconds: u64,
    /// Deliveries before it.
    behind: u64,
}

/// How a stream ended, as far as the client can tell.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct End {
    /// When it ended as the protocol has it, not by a reset or in the middle of something.
    pub(crate) at_ns: Option<u64>,
    /// The last word of an event stream, in milliseconds: when to come back.
    pub(crate) hint_ms: Option<u64>,
    /// Whether the client was told that the stream ends: by such a hint, a close frame or packet.
    pub(crate) told: bool,
}

impl End {
    /// The end, at this moment, of a stream with these deliveries; a hint behind which another came was not the last word.
    pub(super) fn of(hint: Option<Hint>, received: u64, told: bool, cleanly: bool) -> Self {
        let hint_ms = hint.filter(|hint| hint.behind == received && hint.milliseconds > 0).map(|hint| hint.milliseconds);
        Self { at_ns: cleanly.then(now_ns), hint_ms, told: told || hint_ms.is_some() }
    }
}

/// What one read of one client asked for.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Answers of the protocol: opcode and payload.
    pub(super) replies: Vec<(u8, Vec<u8>)>,
    /// Words that move an opening on, or end the stream.
    pub(super) signals: Vec<(Signal, String)>,
    /// When to come back.
    pub(super) hint: Option<Hint>,
}

impl Said {
    /// Whether there is nothing to do.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.replies.is_empty() && self.signals.is_empty() && self.hint.is_none()
    }
}

/// A thread's counters beside the ledgers.
pub(crate) struct Recorder {
    sample_mask: u32,
    measured_from: u32,
    measured_to: u32,
    received: u64,
    shared: Arc<Shared>,
    latency: [Option<Histogram<u64>>; DIALECTS.len()],
    pub(super) by_client: Vec<ClientLatency>,
    pub(super) others: u64,
    pub(super) malformed: u64,
    pub(super) malformed_sample: Option<String>,
    pub(super) reported_complete: u64,
    pub(super) said: Said,
}

impl Recorder {
    pub(super) fn new(sample_mask: u32, measured_from: u32, measured_to: u32, shared: Arc<Shared>) -> Self {
        Self {
            sample_mask,
            measured_from,
            measured_to,
            received: 0,
            shared,
            latency: [const { None }; DIALECTS.len()],
            by_client: Vec::new(),
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

    /// The histograms of the dialects that had deliveries timed.
    pub(super) fn take_latency(&mut self) -> Vec<(Dialect, Histogram<u64>)> {
        let taken = DIALECTS.iter().zip(&mut self.latency);
        taken.filter_map(|((dialect, _), histogram)| histogram.take().map(|histogram| (*dialect, histogram))).collect()
    }

    #[inline]
    pub(super) fn sink<'a>(&'a mut self, ledger: &'a mut Ledger, dialect: Dialect, index: usize, now_ns: u64) -> ClientSink<'a> {
        ClientSink { recorder: self, ledger, dialect, index, now_ns }
    }

    /// Books one timed delivery. Everything is timed for the picture over time, only the measured window counts for the figures.
    fn time(&mut self, dialect: Dialect, index: usize, seq: u32, nanoseconds: u64) {
        self.shared.tally.latency.record(nanoseconds);
        if seq < self.measured_from || seq >= self.measured_to {
            return;
        }
        self.latency[dialect as usize].get_or_insert_with(histogram).saturating_record(nanoseconds);
        if index >= self.by_client.len() {
            self.by_client.resize(index + 1, ClientLatency::default());
        }
        self.by_client[index].record(nanoseconds);
    }
}

/// Takes what one read of one client brought.
pub(super) struct ClientSink<'a> {
    recorder: &'a mut Recorder,
    ledger: &'a mut Ledger,
    dialect: Dialect,
    index: usize,
    now_ns: u64,
}

impl Sink for ClientSink<'_> {
    #[inline]
    fn delivery(&mut self, seq: u32, marker: &[u8; MARKER_LEN]) {
        self.ledger.observe(seq);
        let recorder = &mut *self.recorder;
        recorder.received += 1;
        #[expect(clippy::cast_possible_truncation, reason = "only the low bits choose which deliveries are timed")]
        let offset = self.index as u32;
        if seq.wrapping_add(offset) & recorder.sample_mask == 0 {
            recorder.time(self.dialect, self.index, seq, self.now_ns.saturating_sub(intended_ns(marker)));
        }
    }

    fn gap_comment(&mut self, missed: u64) {
        self.announce(|ledger| ledger.gap_comments += missed);
    }

    fn gap_event(&mut self, missed: u64) {
        self.announce(|ledger| ledger.gap_events += missed);
    }

    fn other(&mut self) {
        self.recorder.others += 1;
    }

    fn malformed(&mut self, frame: &[u8]) {
        self.recorder.malformed += 1;
        let text = || String::from_utf8_lossy(&frame[..frame.len().min(200)]).into_owned();
        self.recorder.malformed_sample.get_or_insert_with(text);
    }

    fn hint(&mut self, milliseconds: u64) {
        self.recorder.said.hint = Some(Hint { milliseconds, behind: self.ledger.received });
    }

    fn reply(&mut self, opcode: u8, payload: &[u8]) {
        self.recorder.said.replies.push((opcode, payload.to_vec()));
    }

    fn signal(&mut self, signal: Signal, text: &[u8]) {
        let text = String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned();
        self.recorder.said.signals.push((signal, text));
    }
}

impl ClientSink<'_> {
    /// Books a gap notice; a gap told both ways is one gap.
    fn announce(&mut self, book: impl FnOnce(&mut Ledger)) {
        let told = |ledger: &Ledger| ledger.gap_comments.max(ledger.gap_events);
        let before = told(self.ledger);
        book(self.ledger);
        self.recorder.shared.tally.skipped.fetch_add(told(self.ledger) - before, Relaxed);
    }
}
