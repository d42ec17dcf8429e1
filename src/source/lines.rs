//! NDJSON as it arrives: chunks of any size go in, drafts come out, the same ones however the body was cut.
//!
//! Pure, and bounded: of a line that is longer than an event may be, nothing is kept.

use bytes::{Buf, BytesMut};

use super::cloudevents::{Draft, DraftError, Drafts, is_blank};
use crate::event::Limits;

/// Reads one body of NDJSON.
pub struct DraftLines {
    limits: Limits,
    /// The line under way.
    buffer: BytesMut,
    /// The line under way is longer than an event may be; its rest is passed over.
    too_long: bool,
    drafts: Drafts,
}

impl DraftLines {
    /// A reader for a body whose events are under these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, buffer: BytesMut::new(), too_long: false, drafts: Vec::new() }
    }

    /// Takes a chunk of the body and reads the lines it completes.
    pub fn take(&mut self, chunk: &[u8]) {
        // What was there before holds no end of line: however small the chunks, no byte is looked at twice.
        let mut searched = self.buffer.len();
        self.buffer.extend_from_slice(chunk);
        while let Some(end) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
            let line = self.buffer.split_to(searched + end);
            self.buffer.advance(1);
            searched = 0;
            self.take_line(&line);
        }
        if self.buffer.len() > self.limits.event_bytes {
            self.too_long = true;
            self.buffer.clear();
        }
    }

    /// The body is over: the last line needs no newline.
    pub fn finish(&mut self) {
        let line = std::mem::take(&mut self.buffer);
        self.take_line(&line);
    }

    /// How many drafts are there to be taken.
    #[must_use]
    pub fn n_read(&self) -> usize {
        self.drafts.len()
    }

    /// The drafts of the lines read so far, in order, each with its own verdict; the next call gives the next ones.
    pub fn drafts(&mut self) -> Drafts {
        std::mem::take(&mut self.drafts)
    }

    /// A line too long is too long whatever it holds: of one that came in pieces nobody knows whether it was blank.
    fn take_line(&mut self, line: &[u8]) {
        let limit = self.limits.event_bytes;
        if std::mem::take(&mut self.too_long) || line.len() > limit {
            self.drafts.push(Err(DraftError::TooLarge { limit }));
        } else if !is_blank(line) {
            self.drafts.push(Draft::parse(line, &self.limits));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&str]) -> Vec<String> {
        let mut lines = DraftLines::new(Limits { event_bytes: 80, ..Limits::default() });
        for chunk in chunks {
            lines.take(chunk.as_bytes());
        }
        lines.finish();
        lines.drafts().iter().map(|draft| draft.as_ref().map_or_else(ToString::to_string, |draft| draft.event.kind().to_string())).collect()
    }

    #[test]
    fn a_body_gives_the_same_events_wherever_it_is_cut() {
        let body = "{\"type\":\"server\",\"data\":{\"state\":\"restarting\"}}\n\n{\"type\":\"log\"}\r\n{\"type\":\"server\",\"data\":{\"state\":\"restarting\"}}";
        let whole = read(&[body]);
        assert_eq!(whole, ["server", "`data` is required and must be an object", "server"]);
        for cut in 0..body.len() {
            assert_eq!(read(&[&body[..cut], &body[cut..]]), whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_line_of_blanks_too_long_is_refused_in_one_piece_as_in_two() {
        let blanks = " ".repeat(81);
        let refused = ["an event must be at most 80 bytes"];
        assert_eq!(read(&[&blanks, "\n"]), refused);
        assert_eq!(read(&[&format!("{blanks}\n")]), refused);
        assert_eq!(read(&[&blanks]), refused);
        assert!(read(&[&blanks[1..], "\n"]).is_empty());
    }
}
