//! Checks that a text is JSON and copies it without the white space between its tokens.
//!
//! One pass, no tree. What comes out never holds CR or LF, because inside strings JSON forbids them: that is what lets
//! it stand on one `data:` line.

/// What is wrong with a text that should be JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxProblem {
    /// The text ends inside a value.
    #[error("unexpected end")]
    End,
    /// A character that cannot stand here.
    #[error("unexpected character")]
    Character,
    /// A string holds a control character or a bad escape.
    #[error("bad string")]
    String,
    /// A number that JSON does not allow.
    #[error("bad number")]
    Number,
    /// Arrays and objects are nested deeper than allowed.
    #[error("nested too deeply")]
    Depth,
}

/// Why a text is not accepted as JSON, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at byte {at}")]
pub struct SyntaxError {
    /// What is wrong.
    pub problem: SyntaxProblem,
    /// The offset in bytes from the start of the text.
    pub at: usize,
}

/// Checks the text and copies it without white space between tokens; everything else stays as it is.
///
/// # Errors
/// [`SyntaxError`] says what is wrong and where: the text is not one JSON value, or nests deeper than `max_depth`.
pub fn compact(text: &str, max_depth: usize) -> Result<String, SyntaxError> {
    let mut scanner = Scanner { text, bytes: text.as_bytes(), at: 0, run: 0, out: String::with_capacity(text.len()) };
    scanner.space();
    scanner.value(max_depth)?;
    scanner.space();
    if scanner.at < text.len() {
        return Err(scanner.error(SyntaxProblem::Character));
    }
    scanner.flush(scanner.at);
    Ok(scanner.out)
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Where the bytes not yet copied start.
    run: usize,
    out: String,
}

impl Scanner<'_> {
    fn value(&mut self, depth: usize) -> Result<(), SyntaxError> {
        match self.peek()? {
            b'"' => self.string(),
            b'{' => self.object(self.deeper(depth)?),
            b'[' => self.array(self.deeper(depth)?),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => Err(self.error(SyntaxProblem::Character)),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), SyntaxError> {
        self.at += 1;
        self.space();
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek()? != b'"' {
                return Err(self.error(SyntaxProblem::Character));
            }
            self.string()?;
            self.space();
            self.one_of(b':', b':')?;
            self.space();
            self.value(depth)?;
            self.space();
            if self.one_of(b',', b'}')? == b'}' {
                return Ok(());
            }
            self.space();
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), SyntaxError> {
        self.at += 1;
        self.space();
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth)?;
            self.space();
            if self.one_of(b',', b']')? == b']' {
                return Ok(());
            }
            self.space();
        }
    }

    fn string(&mut self) -> Result<(), SyntaxError> {
        self.at += 1;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.escape()?,
                0..=0x1f => return Err(self.error(SyntaxProblem::String)),
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        self.at += 1;
        match self.peek()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' => {
                let digits = self.bytes.get(self.at + 1..self.at + 5);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.error(SyntaxProblem::String));
                }
                self.at += 5;
            }
            _ => return Err(self.error(SyntaxProblem::String)),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
        if self.bytes[self.at] == b'-' {
            self.at += 1;
        }
        let zero = self.bytes.get(self.at) == Some(&b'0');
        if self.digits()? > 1 && zero {
            return Err(self.error(SyntaxProblem::Number));
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<usize, SyntaxError> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == start { Err(self.error(SyntaxProblem::Number)) } else { Ok(self.at - start) }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), SyntaxError> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(self.error(SyntaxProblem::Character));
        }
        self.at += word.len();
        Ok(())
    }

    fn one_of(&mut self, this: u8, that: u8) -> Result<u8, SyntaxError> {
        let byte = self.peek()?;
        if byte != this && byte != that {
            return Err(self.error(SyntaxProblem::Character));
        }
        self.at += 1;
        Ok(byte)
    }

    fn space(&mut self) {
        let start = self.at;
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        if self.at > start {
            self.flush(start);
        }
    }

    fn flush(&mut self, end: usize) {
        self.out.push_str(&self.text[self.run..end]);
        self.run = self.at;
    }

    fn peek(&self) -> Result<u8, SyntaxError> {
        self.bytes.get(self.at).copied().ok_or_else(|| self.error(SyntaxProblem::End))
    }

    fn deeper(&self, depth: usize) -> Result<usize, SyntaxError> {
        depth.checked_sub(1).ok_or_else(|| self.error(SyntaxProblem::Depth))
    }

    fn error(&self, problem: SyntaxProblem) -> SyntaxError {
        SyntaxError { problem, at: self.at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> Option<SyntaxProblem> {
        compact(text, 8).err().map(|error| error.problem)
    }

    #[test]
    fn only_white_space_between_tokens_goes() {
        let text = "\r\n { \"a\\n b\" :\t[ 1.50 , -0e+1,\"\\u00e9 é\" , { } , [ ] , null ] }\n";
        assert_eq!(compact(text, 8).expect("valid"), "{\"a\\n b\":[1.50,-0e+1,\"\\u00e9 é\",{},[],null]}");
    }

    #[test]
    fn what_is_not_json_is_refused() {
        assert_eq!(problem("{"), Some(SyntaxProblem::End));
        assert_eq!(problem(""), Some(SyntaxProblem::End));
        for text in ["{} {}", "[1,]", "{,}", "{\"a\" 1}", "{a:1}", "nul", "'a'", "\u{feff}{}", "{\"a\":1,}"] {
            assert_eq!(problem(text), Some(SyntaxProblem::Character), "{text}");
        }
        for text in ["01", "1.", "-", "1e", ".5"] {
            assert!(problem(text).is_some(), "{text}");
        }
        for text in ["\"a\nb\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\""] {
            assert_eq!(problem(text), Some(SyntaxProblem::String), "{text}");
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        assert_eq!(problem("[[[[[[[[1]]]]]]]]"), None);
        assert_eq!(problem("[[[[[[[[[1]]]]]]]]]"), Some(SyntaxProblem::Depth));
    }
}
