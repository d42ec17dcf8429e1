//! The reading side of HTTP/1.1 chunked coding, for streams a server sends through a response body. It keeps no bytes, only a position.

/// A chunk header no server should send.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("broken chunked coding")]
pub(crate) struct Broken;

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Size,
    SizeEnd,
    Data,
    DataEnd,
    Over,
}

/// Position in a chunked body.
#[derive(Clone, Debug)]
pub(crate) struct Dechunker {
    state: State,
    left: usize,
}

impl Dechunker {
    /// At the beginning of a body.
    pub(crate) fn new() -> Self {
        Self { state: State::Size, left: 0 }
    }

    /// Whether the last chunk has been seen.
    pub(crate) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Appends the content of `input` to `output`. Returns how many bytes of `input` belong to this body: all of them before its end.
    pub(crate) fn push(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<usize, Broken> {
        let mut at = 0;
        while at < input.len() {
            let byte = input[at];
            match self.state {
                State::Data => {
                    let take = self.left.min(input.len() - at);
                    output.extend_from_slice(&input[at..at + take]);
                    at += take;
                    self.left -= take;
                    if self.left == 0 {
                        self.state = State::DataEnd;
                    }
                    continue;
                }
                State::Size => self.size_byte(byte)?,
                State::SizeEnd => self.size_end(byte),
                State::DataEnd if byte == b'\n' => self.state = State::Size,
                State::DataEnd if byte == b'\r' => {}
                State::DataEnd => return Err(Broken),
                State::Over => return Ok(at),
            }
            at += 1;
        }
        Ok(at)
    }

    fn size_byte(&mut self, byte: u8) -> Result<(), Broken> {
        if byte == b'\r' || byte == b';' {
            self.state = State::SizeEnd;
            return Ok(());
        }
        let digit = char::from(byte).to_digit(16).ok_or(Broken)?;
        self.left = self.left.checked_mul(16).ok_or(Broken)? + digit as usize;
        Ok(())
    }

    fn size_end(&mut self, byte: u8) {
        if byte == b'\n' {
            self.state = if self.left == 0 { State::Over } else { State::Data };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_comes_out_whole_however_it_is_cut() {
        let body = b"5\r\nhello\r\n1;x=y\r\n \r\nA\r\n0123456789\r\n0\r\n\r\n";
        for piece in 1..body.len() {
            let (mut dechunker, mut output) = (Dechunker::new(), Vec::new());
            for part in body.chunks(piece) {
                dechunker.push(part, &mut output).unwrap();
            }
            assert_eq!(output, b"hello 0123456789");
            assert!(dechunker.is_over());
        }
    }

    #[test]
    fn what_stands_behind_the_end_is_not_taken() {
        let body = b"5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK";
        let mut output = Vec::new();
        let taken = Dechunker::new().push(body, &mut output).unwrap();
        assert_eq!((output.as_slice(), body[taken..].trim_ascii_start()), (&b"hello"[..], &b"HTTP/1.1 200 OK"[..]));
    }

    #[test]
    fn a_broken_size_is_an_error() {
        assert_eq!(Dechunker::new().push(b"zz\r\n", &mut Vec::new()), Err(Broken));
    }
}
