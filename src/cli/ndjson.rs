//! Cuts an endless input into runs of lines that are small enough to be sent at once.
//!
//! A thread reads, so that lines which come slowly are sent when they come and not when a run is full. The channel
//! between them is bounded: a fast input waits for the server.

use std::{
    io::{self, BufRead, Read},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    time::Duration,
};

/// A run is sent when it holds this many lines …
const RUN_LINES: usize = 200;
/// … or this many bytes …
const RUN_BYTES: usize = 256 * 1024;
/// … or when no further line came for this long.
const RUN_PAUSE: Duration = Duration::from_millis(20);
/// A line longer than this is no event any server takes (its default limit is 256 KiB).
const MAX_LINE_BYTES: usize = 4 * 1024 * 1024;

/// A line of the input that is not blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Its number in the input, from 1.
    pub(super) number: u64,
    /// Its text without the line end; `None` when it was too long to keep.
    pub(super) text: Option<Vec<u8>>,
}

/// The lines of an input, read on a thread of their own.
pub(super) struct Lines {
    receiver: Receiver<io::Result<Line>>,
    held: Option<Line>,
    failed: Option<io::Error>,
}

impl Lines {
    /// Begins to read.
    pub(super) fn of(input: Box<dyn Read + Send>) -> Self {
        let (sender, receiver) = sync_channel(RUN_LINES);
        // The thread ends with the input, or with the first line after `Lines` is gone.
        std::thread::spawn(move || read_lines(&mut io::BufReader::new(input), &sender));
        Self { receiver, held: None, failed: None }
    }

    /// The next run, at least one line; `None` at the end of the input.
    ///
    /// # Errors
    /// When the input cannot be read; what was read before has been handed out by then.
    pub(super) fn next_run(&mut self) -> io::Result<Option<Vec<Line>>> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let first = match self.held.take() {
            Some(line) => line,
            None => match self.receiver.recv() {
                Ok(line) => line?,
                Err(_) => return Ok(None),
            },
        };
        let mut n_bytes = first.text.as_ref().map_or(0, Vec::len);
        let mut run = vec![first];
        while run.len() < RUN_LINES {
            match self.receiver.recv_timeout(RUN_PAUSE) {
                Ok(Ok(line)) => {
                    n_bytes += line.text.as_ref().map_or(0, Vec::len);
                    if n_bytes > RUN_BYTES {
                        self.held = Some(line);
                        break;
                    }
                    run.push(line);
                }
                Ok(Err(error)) => {
                    self.failed = Some(error);
                    break;
                }
                Err(_) => break,
            }
        }
        Ok(Some(run))
    }
}

fn read_lines(input: &mut dyn BufRead, sender: &SyncSender<io::Result<Line>>) {
    let mut number = 0;
    loop {
        number += 1;
        let sent = match read_line(input) {
            Ok(None) => return,
            Ok(Some(Some(text))) if text.trim_ascii().is_empty() => continue,
            Ok(Some(text)) => sender.send(Ok(Line { number, text })),
            Err(error) => {
                // Whether anybody still listens does not matter: this was the last.
                _ = sender.send(Err(error));
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

/// One line without its end; `Some(None)` for one that was too long, `None` at the end of the input.
fn read_line(input: &mut dyn BufRead) -> io::Result<Option<Option<Vec<u8>>>> {
    let mut line = Vec::new();
    let mut n_read = 0;
    loop {
        let available = match input.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        if line.len() + part.len() <= MAX_LINE_BYTES && n_read == line.len() {
            line.extend_from_slice(part);
        }
        n_read += part.len();
        let at_end = available.is_empty();
        let n_used = part.len() + usize::from(end.is_some());
        input.consume(n_used);
        if end.is_some() || at_end {
            let nothing_left = at_end && n_read == 0;
            if line.last() == Some(&b'\r') {
                line.pop();
                n_read -= 1;
            }
            return Ok((!nothing_left).then(|| (n_read == line.len()).then_some(line)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(input: impl Read + Send + 'static) -> Vec<Vec<Line>> {
        let mut lines = Lines::of(Box::new(input));
        std::iter::from_fn(|| lines.next_run().expect("readable")).collect()
    }

    fn line(number: u64, text: &str) -> Line {
        Line { number, text: Some(text.into()) }
    }

    #[test]
    fn lines_keep_their_numbers_and_blank_ones_are_left_out() {
        let all: Vec<Line> = runs(&b"a\r\n\n  \nb\nc"[..]).concat();
        assert_eq!(all, [line(1, "a"), line(4, "b"), line(5, "c")]);
        assert!(runs(&b""[..]).is_empty());
    }

    #[test]
    fn a_long_input_is_cut_into_bounded_runs() {
        let runs = runs(io::Cursor::new("x\n".repeat(450)));
        assert!(runs.iter().all(|run| run.len() <= RUN_LINES));
        assert_eq!(runs.concat().len(), 450);
        let big = format!("{}\n", "y".repeat(RUN_BYTES / 2 + 1)).repeat(3);
        assert!(self::runs(io::Cursor::new(big)).iter().all(|run| run.len() == 1));
    }

    #[test]
    fn a_line_too_long_to_keep_is_skipped_to_its_end() {
        let input = io::repeat(b'x').take(MAX_LINE_BYTES as u64 + 10).chain(&b"\nnext\n"[..]);
        assert_eq!(runs(input).concat(), [Line { number: 1, text: None }, line(2, "next")]);
    }

    #[test]
    fn lines_before_a_read_error_are_handed_out_before_the_error() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        let mut lines = Lines::of(Box::new((&b"a\n"[..]).chain(Broken)));
        assert_eq!(lines.next_run().expect("the line"), Some(vec![line(1, "a")]));
        assert!(lines.next_run().is_err());
    }
}
